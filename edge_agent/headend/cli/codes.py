"""``codes``: one-time codes by which technicians bring stations in. The slip that is printed is the only copy."""

from __future__ import annotations

import argparse

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_yes, add_zone, whole
from edge_agent.headend.code_book import HOURS, HOURS_MAX, TRIES_MAX, CodeBook, Entry, is_good
from edge_agent.headend.errors import KeyringError
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.words import day_and_hour
from edge_agent.identity.address import NoAddress, read_address
from edge_agent.identity.codes import Code
from edge_agent.trust.documents import ROOT

TO_BE_WRITTEN = "https://…:8444"
MORE = """\
Mã chỉ dùng được một lần, cho đúng trạm đó. Đưa cho kỹ thuật viên, không gửi qua nhóm chat; dùng xong thì hủy phiếu.
Máy chủ không giữ mã; mất phiếu thì cấp mã mới, mã cũ hết giá trị.
A code is good once, for that station. The headend does not keep it: if the slip is lost, give out a new one."""
SLIP = """\
PHIẾU ĐĂNG KÝ TRẠM LOA / STATION SLIP
  trạm / station:       {entry.station}, {entry.name}
  địa bàn / area:       {entry.area}
  mạng / realm:         {realm}
  MÃ MỘT LẦN / CODE:    {code}
  dùng đến / until:     {until}

Trên trạm, gõ / on the station, type:
  sudo edge-agent enrol --server {server} --code {code}
"""


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "mã một lần để đăng ký trạm loa / one-time codes that bring stations in"
    parser = tasks.add_parser("codes", help=words, description=words)
    of_codes = parser.add_subparsers(required=True, metavar="WHAT")
    new = add_task(of_codes, "new", _new, "cấp mã cho một trạm / a code for a station", MORE)
    add_dir(new)
    new.add_argument("station", help="mã trạm / the station's id [a-z0-9-]")
    new.add_argument("--area", required=True, help="địa bàn của trạm / where it stands: vn/ha-noi/dong-thanh")
    new.add_argument("--name", default="", help="tên gọi, bỏ trống: như cũ / its name for people, at most 80 letters")
    hours = f"dùng được bao nhiêu giờ / valid for ({HOURS} hours)"
    new.add_argument("--hours", type=whole(1, HOURS_MAX), default=HOURS, help=hours)
    new.add_argument(
        "--replace",
        action="store_true",
        help="trạm đã có: máy mới thay máy cũ, khóa cũ hết giá trị / it exists: its old key is refused from then on",
    )
    new.add_argument("--server", default=TO_BE_WRITTEN, help="địa chỉ ghi trên phiếu / printed on the slip")
    add_yes(new, "địa bàn chưa có văn bản ủy quyền, vẫn cấp / also for an area of which no document is here")
    add_zone(new)
    listing = add_task(of_codes, "list", _list, "mã còn dùng được / codes that are out")
    add_dir(listing)
    add_zone(listing)
    drop = add_task(of_codes, "drop", _drop, "hủy mã của một trạm / take a station's codes back")
    add_dir(drop)
    drop.add_argument("station", help="mã trạm / the station's id")


def _new(args: argparse.Namespace) -> int:
    _check_server(args.server)
    keyring = Keyring(args.dir)
    known = keyring.stations.get(StationId(args.station))
    earlier = keyring.ever.get(StationId(args.station))
    name = keyring.place_for(args.station, args.area, args.name or (earlier.name if earlier else ""))
    if known is not None and not args.replace:
        raise KeyringError(
            f"{args.station}: đã có trạm này; máy mới thay máy cũ thì thêm --replace / exists; --replace lets another "
            "box take its place, and its old key is refused from then on"
        )
    if not args.yes:
        _check_area(keyring, args.area)
    book = CodeBook(args.dir)
    code = book.give_out(StationId(args.station), args.area, name, utc_now(), args.hours)
    print(slip(code, book.entries()[code.slot], keyring.realm, args), end="")
    return 0


def _check_server(url: str) -> None:
    """As the station will read it: a code that nobody can use is out by then, and the technician on his way."""
    try:
        read_address(url)
    except NoAddress as error:
        raise KeyringError(f"--server {url}: {error}") from error


def _check_area(keyring: Keyring, area: str) -> None:
    """One wrong letter, and the station is of a ward that nobody orders in: enrolled well, and deaf."""
    areas = [held.document.area for held in keyring.chain.standing if held.document.area != ROOT]
    if area not in areas:
        raise KeyringError(
            f"--area {area}: chưa có văn bản ủy quyền, trạm sẽ không nghe xã nào; có / no trust document is of it, and "
            f"the station would obey no ward; there are {', '.join(areas) or 'none'}. Đúng vậy thì / if it is meant: "
            "--yes"
        )


def slip(code: Code, entry: Entry, realm: str, args: argparse.Namespace) -> str:
    """What the technician takes along."""
    until = day_and_hour(entry.expires, args.timezone)
    return SLIP.format(entry=entry, realm=realm, code=code.typed(), until=until, server=args.server)


def _list(args: argparse.Namespace) -> int:
    now = utc_now()
    for slot, entry in CodeBook(args.dir).entries().items():
        until = day_and_hour(entry.expires, args.timezone)
        print(f"{slot}…: {entry.station}, {entry.area}; {_state(entry, now)}; đến / until {until}")
    return 0


def _state(entry: Entry, now: UtcMs) -> str:
    if entry.taken is not None:
        return f"đã dùng, khóa / used, key {entry.taken.keyid[:12]}…"
    if entry.tries >= TRIES_MAX:
        return f"ĐÃ HỦY sau {entry.tries} lần thử sai / BURNT by wrong tries"
    if now > entry.expires:
        return "quá hạn / out of date"
    if not is_good(entry, now):
        return "KHÔNG dùng được: cấp khi đồng hồ máy này chạy nhanh, cấp mã mới / NO good: given out by a clock ahead"
    return f"chưa dùng, thử sai {entry.tries} lần / not used, {entry.tries} wrong tries"


def _drop(args: argparse.Namespace) -> int:
    count = CodeBook(args.dir).drop(args.station)
    if not count:
        raise KeyringError(
            f"{args.station}: không có mã nào, chưa hủy gì; xem / has no code here, nothing was taken back; see "
            "`codes list`"
        )
    print(f"đã hủy {count} mã của {args.station} / {count} taken back")
    return 0
