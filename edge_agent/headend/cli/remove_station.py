"""``remove-station``: a box that was stolen or scrapped connects no more, and nothing that it says is believed."""

from __future__ import annotations

import argparse

from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_yes
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.leaving import find, take_off

MORE = """\
Máy đó không kết nối được nữa, không xin được chứng thư mới, lời nó nói không ai tin; nhật ký đã có vẫn kiểm chứng được.
Lệnh, lịch nó đã nhận vẫn phát đến khi hết hạn: hủy lệnh, ra lịch khác TRƯỚC khi bỏ trạm, khi nó còn nghe. Máy có
`[content] home` còn tự lấy lệnh mới của địa bàn đến khi bị tắt. `content --welcome` chạy máy khác: chép lại
stations.json ngay. Sẽ có máy khác thay thì `codes new --replace`. Dùng lại: `codes new`, và đăng ký tại trạm.
The box connects no more, gets no certificate, is not believed; the records that are here can still be proven. What it
was told it goes on playing until that ends: cancel it BEFORE, while it still hears. One with a `[content] home` also
fetches its area's new orders, until it is switched off. Copy stations.json to where `content --welcome` runs apart.
Where another box comes soon: `codes new --replace`. To use it again: `codes new`, and enrol it at its place."""


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "bỏ trạm: máy mất, thanh lý / take a station off: its box is stolen or scrapped"
    parser = add_task(tasks, "remove-station", _remove, words, MORE)
    parser.add_argument("station", help="mã trạm / the station's id")
    add_dir(parser)
    add_yes(parser, "đúng trạm này / this one is meant")


def _remove(args: argparse.Namespace) -> int:
    enrolled = find(Keyring(args.dir), args.station)
    if not args.yes:
        raise KeyringError(
            f"{args.station}: {enrolled.name}, {enrolled.area}: máy sẽ không kết nối được nữa, muốn dùng lại phải đến "
            "tận nơi; đúng trạm này thì thêm --yes / its box will connect no more, and only hands at the station bring "
            "it back; if this one is meant: --yes"
        )
    left = take_off(args.dir, args.station)
    print(
        f"đã bỏ trạm {args.station} ({enrolled.name}): thu hồi {left.certificates} chứng thư, hủy {left.codes} mã; "
        "`broker` đang chạy biết sau vài giây"
    )
    print(
        f"taken off: {args.station}; certificates revoked: {left.certificates}, codes taken back: {left.codes}; a "
        "`broker` that runs knows within seconds"
    )
    return 0
