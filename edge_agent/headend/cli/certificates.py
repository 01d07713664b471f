"""``certificates list``, ``renew``, ``replace``: those of the network's servers; and what a server says of its own.

Decides how often that is said, and which command renews them by itself: ``enrolment``, which renews stations' too.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from edge_agent.core.units import DAY_MS, SECOND_MS, UtcMs
from edge_agent.headend.cli.keys import check_hosts
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_zone
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.headend import utc_now
from edge_agent.headend.pki import PkiError
from edge_agent.headend.server_certificates import (
    ALL,
    AUTHORITY,
    BROKER,
    CONTENT,
    OF_CLIENTS,
    OF_SERVERS,
    Held,
    find,
    renew,
    renew_due,
    replace,
)
from edge_agent.headend.words import day_and_hour

LOOK_S = DAY_MS // SECOND_MS
# What is due has 275 days left, and what ends soon 60.
OF_WHOM = {
    BROKER: "máy chủ MQTT / the broker's",
    CONTENT: "`content`, `enrolment`",
    AUTHORITY: "đơn vị cấp chứng thư / the authority's",
    **dict.fromkeys(OF_CLIENTS, "máy chủ trung tâm kết nối MQTT / the headend's own connection"),
}
TO_RENEW = AUTHORITY, *OF_SERVERS, *OF_CLIENTS
"""The authority's first: the others never outlive it."""
RENEW_NOW = "GIA HẠN NGAY / RENEW NOW: certificates renew"
NONE_HERE = "không có chứng thư nào; đúng thư mục chưa? / holds no certificates; is it what `keys init` made?"
RENEW_MORE = """\
Khóa giữ nguyên: trạm không phải làm gì. `broker`, `content`, `enrolment`, `watch` đang chạy tự nhận chứng thư mới;
`content` trên máy khác: chép lại pki/content.pem. `enrolment` tự gia hạn khi qua hai phần ba thời hạn. `ca` (đơn vị
cấp) chỉ gia hạn khi còn dưới 825 ngày: trạm nhận cùng chứng thư kế tiếp của mình.
The key stays, so stations need not know. Commands that run take the new one by themselves; where `content` runs on
another host copy pki/content.pem there. `enrolment` renews by itself after two thirds of their life. `ca`, the
authority's, is renewed only when fewer than 825 days are left: stations get it with their own next one."""

REPLACE_MORE = """\
`broker` đang chạy không nhận khóa cũ nữa sau vài giây. Ai đang kết nối bằng khóa cũ bị ngắt khi khóa mới kết nối: với
`headend` thì chạy lại `watch`, với `publisher` thì `publish` lại một lệnh đã gửi. Máy khác có bản sao: chép lại
clients/TÊN.pem và .key.
A broker that runs refuses the old key within seconds. Who is connected by it is cut off when the new one connects:
start `watch` anew; `publish` anything again. Copy clients/NAME.pem and .key to other machines that had them."""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "chứng thư TLS của các máy chủ / the servers' TLS certificates"
    parser = tasks.add_parser("certificates", help=words, description=words)
    of_certificates = parser.add_subparsers(required=True, metavar="WHAT")
    listing = add_task(of_certificates, "list", _list, "hết hạn khi nào, tên nào / until when, and of which names")
    renewing = add_task(of_certificates, "renew", _renew, "gia hạn, thêm tên / renew them, add a name", RENEW_MORE)
    renewing.add_argument(
        "--host",
        action="append",
        default=[],
        help="thêm tên hoặc địa chỉ máy chủ; dùng nhiều lần được / one more name or address, repeatable",
    )
    words = "khóa bị lộ: khóa mới, thu hồi chứng thư cũ / a key that is out: another one, the old one connects no more"
    replacing = add_task(of_certificates, "replace", _replace, words, REPLACE_MORE)
    replacing.add_argument("name", choices=OF_CLIENTS, help="của `watch`, hay của `publish`, `order` / whose")
    for part in (listing, renewing, replacing):
        add_dir(part)
        add_zone(part)


def _list(args: argparse.Namespace) -> int:
    return _each(args, ALL, "", lambda name, _: find(args.dir, name))


def _renew(args: argparse.Namespace) -> int:
    check_hosts(args.host)

    def anew(name: str, now: UtcMs) -> Held | None:
        # Of the others' no station hears; of the authority's each must, so there are no more than have to be.
        return renew_due(args.dir, name, now) if name == AUTHORITY else renew(args.dir, name, now, args.host)

    return _each(args, TO_RENEW, "đã gia hạn / renewed: ", anew)


def _replace(args: argparse.Namespace) -> int:
    return _each(args, (args.name,), "đã thay khóa / replaced: ", lambda name, now: replace(args.dir, name, now))


def _each(args: argparse.Namespace, names: Sequence[str], told: str, do: Callable[[str, UtcMs], Held | None]) -> int:
    """A damaged one is told, and keeps no other from being seen to."""
    now, done, failed = utc_now(), 0, 0
    for name in names:
        try:
            one = do(name, now)
        except HeadendError as error:
            print(f"lỗi / error: {error}", file=sys.stderr)
            failed += 1
            continue
        if one is not None:
            print(f"{told}{_told(one, now, args.timezone)}")
            done += 1
    if not done and not failed:
        raise PkiError(f"--dir {args.dir}: {NONE_HERE}")
    return 1 if failed else 0


def _told(one: Held, now: UtcMs, zone: ZoneInfo) -> str:
    left = f"còn {(one.ends - now) // DAY_MS} ngày / days" if now < one.ends else "ĐÃ HẾT HẠN / HAS EXPIRED"
    remark = f", {RENEW_NOW}" if one.ends_soon(now) else ""
    names = f"; tên / names: {', '.join(one.hosts)}" if one.hosts else ""
    until = f"hết hạn / expires {day_and_hour(one.ends, zone)}, {left}{remark}"
    return f"{one.name} ({OF_WHOM[one.name]}): {until}{names}"


class Ends:
    """Says once a day, into a server's log, which of its certificates end soon; ``renews`` those that are due, too."""

    def __init__(
        self, directory: Path, zone: ZoneInfo, log: Callable[[str], None], names: Sequence[str] = ALL, *, renews: bool
    ) -> None:
        self._directory, self._zone, self._log = directory, zone, log
        self._names, self._renews = names, renews
        self._due = time.monotonic()

    def look(self) -> None:
        """To be called now and then; costs nothing until a day is over."""
        if time.monotonic() < self._due:
            return
        self._due = time.monotonic() + LOOK_S
        for line in self._lines(utc_now()):
            self._log(line)

    def _lines(self, now: UtcMs) -> Iterator[str]:
        for name in TO_RENEW if self._renews else ():
            try:
                new = renew_due(self._directory, name, now)
            except (HeadendError, OSError) as error:
                yield f"CHƯA gia hạn được / NOT renewed: {name}: {error}"
            else:
                if new is not None:
                    yield f"đã gia hạn / renewed: {_told(new, now, self._zone)}"
        for name in self._names:
            try:
                one = find(self._directory, name)
            except (HeadendError, OSError) as error:
                yield f"chứng thư / certificate: {name}: {error}"
            else:
                if one is not None and one.ends_soon(now):
                    yield f"CHỨNG THƯ / CERTIFICATE: {_told(one, now, self._zone)}"
