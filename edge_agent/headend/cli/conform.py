"""``conform``: the conformance kit. Decides how a run is asked for; ``conforming`` shows it."""

from __future__ import annotations

import argparse
import re
from datetime import time
from pathlib import Path

from edge_agent.core.site import IntoQuiet
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_zone, address

WALL = r"([01][0-9]|2[0-3]):[0-5][0-9]"

MORE = """\
Một trạm loa trên bàn, của bất kỳ hãng nào, đã nối với máy chủ MQTT này bằng chứng thư của nó. Bộ kiểm thử thay máy
chủ trung tâm trong lúc chạy (dừng `watch` trước), ngắt phiên của trạm một lần, và gửi lệnh đúng, lệnh sai. Không có
--audible thì không lệnh nào ra tiếng. Bản ghi của trạm được lưu vào nhật ký của mạng như thường lệ.

A station of any vendor on the desk, connected to this broker by its own certificate. The kit takes the headend's place
while it runs (end `watch` first), ends the station's session once, and sends right and wrong orders. Without --audible
nothing sounds. The station's records go into the ward's logbook as ever. docs/conformance.md tells more."""


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "kiểm thử hợp chuẩn một trạm loa / try a station against the protocol, clause by clause"
    parser = add_task(tasks, "conform", _conform, words, MORE)
    add_dir(parser)
    parser.add_argument("--station", required=True, help="mã trạm / the station's id")
    parser.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    parser.add_argument("--records", type=Path, help="nơi lưu nhật ký phát / where records go (DIR/records)")
    parser.add_argument(
        "--only",
        type=lambda text: [word.strip() for word in text.split(",") if word.strip()],
        default=[],
        help="chỉ các điều hoặc nhóm này / these clauses or groups only: ENV,JOB-3",
    )
    parser.add_argument(
        "--content",
        type=address,
        help="nơi trạm tải âm thanh từ bộ kiểm thử / where the station reaches this: HOST:PORT",
    )
    parser.add_argument(
        "--relay", type=address, help="trạm nối qua đây, để ngắt được / the station connects through this: HOST:PORT"
    )
    parser.add_argument(
        "--audible", action="store_true", help="cho phép ra loa, ngắn, nhỏ / short, soft tones may sound"
    )
    parser.add_argument(
        "--quiet",
        type=quiet,
        default=(time(21), time(5)),
        help="giờ yên tĩnh của trạm / its quiet hours: 21:00-05:00, none",
    )
    parser.add_argument(
        "--into-quiet",
        choices=[each.value for each in IntoQuiet],
        default=IntoQuiet.REFUSE.value,
        help="bản tin kéo dài vào giờ yên tĩnh: trạm từ chối hay cắt / what would run into them it refuses, or cuts",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="ghi kết quả cho máy đọc / results for machines")
    add_zone(parser)


def quiet(text: str) -> tuple[time, time] | None:
    """``21:00-05:00``, or ``none``."""
    if text == "none":
        return None
    if re.fullmatch(f"{WALL}-{WALL}", text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r}: viết giờ yên tĩnh như / write quiet hours as 21:00-05:00, none: không có / or none"
        )
    first, _, end = text.partition("-")
    return time.fromisoformat(first), time.fromisoformat(end)


def _conform(args: argparse.Namespace) -> int:
    # Here, for its checker of schemas takes a second to load, and no other command needs that.
    from edge_agent.headend.cli import conforming

    return conforming.run_kit(args)
