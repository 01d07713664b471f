"""``week``: ask stations what will sound on the next days, and make the public timetable of what they answer."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from edge_agent.core.units import DAY_MS, SECOND_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.cli.options import (
    CannotDo,
    Tasks,
    add_dir,
    add_json,
    add_task,
    add_zone,
    address,
    day,
    refuse_a_source,
    several,
    whole,
    write_file,
)
from edge_agent.headend.cli.shown import NOT_ENROLLED, warn
from edge_agent.headend.composing import compose, expiry_s, topics_of
from edge_agent.headend.dispatch import is_taken, talking
from edge_agent.headend.draft_words import in_both
from edge_agent.headend.drafting import DraftError, plain, read_draft
from edge_agent.headend.enrolment import STATION_NAME, Enrolled
from edge_agent.headend.foresight import addressed
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.headend.week import DAYS_MAX, Named, ZoneNames, as_json, unmet, week
from edge_agent.headend.week_page import as_page
from edge_agent.headend.week_replies import Replies
from edge_agent.headend.week_table import as_table
from edge_agent.headend.words import local
from edge_agent.sync.topics import Up
from edge_agent.trust.commands import What
from edge_agent.trust.fields import NAME, Fields
from edge_agent.trust.limits import COMMAND_VALIDITY_MS_MAX, TIMETABLE_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import WireError

WAIT_S = 30
# Seven times the 2 s of the fullest timetable (day_ahead.LOOKED_AT_MAX, on the bench), and again as long for the line.
WAIT_S_MAX = COMMAND_VALIDITY_MS_MAX // SECOND_MS
# Nobody obeys the question later.
AHEAD_DAYS_MAX = TIMETABLE_VALIDITY_MS_MAX // DAY_MS
# No order is for later.

NOBODY = (
    "không trạm nào trả lời trong {0} giây; `broker` có chạy, đúng phiên bản này? / no station told its plan within "
    "{0} s: does `broker` run, of this version?"
)
REFUSED = "trạm đã từ chối, lý do ở trên / refused, for the reasons above"
UNMET = (
    "chú ý / note: --names: {0}: {1} không có trong lịch (viết sai, hoặc không phát gì), còn {2} chưa có tên / {1} is "
    "not in the timetable (a slip, or nothing sounds there), and {2} has no name"
)

MORE = """\
Mỗi trạm được hỏi bằng một lệnh `ask` đã ký số cho mỗi ngày. Trạm chưa trả lời thì được nêu tên. --html ghi một trang để
in (A4) hoặc đưa lên trang thông tin; không trạm nào trả lời thì trang cũ được giữ nguyên.
Each station is asked by one signed `ask` a day. Who does not answer is named. --html writes a page for the notice board
or the web; if nobody answers, the one before is kept.
--names, cụm loa mà người dân gọi / as residents call the zones:
  [dong-thanh-01]
  c1 = "Nhà văn hóa tổ dân phố số 1\""""


def add(tasks: Tasks) -> None:
    """Add the command."""
    words = "lịch phát công khai những ngày tới / the public timetable of the next days"
    parser = add_task(tasks, "week", _week, words, MORE)
    add_dir(parser)
    parser.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    stations = "các trạm loa, bỏ trống: cả địa bàn của khóa / absent: the key's whole area: tram-01,tram-02"
    parser.add_argument("--station", type=several, default=[], help=stations)
    parser.add_argument("--first", type=day, help="từ ngày nào, bỏ trống: hôm nay / absent: today; 2026-10-01")
    days = f"bao nhiêu ngày / how many days (1–{DAYS_MAX})"
    parser.add_argument("--days", type=whole(1, DAYS_MAX), default=DAYS_MAX, help=days)
    parser.add_argument("--key", type=several, default=["ward-routine"], help="khóa / keys (ward-routine)")
    parser.add_argument("--names", type=Path, help="tệp tên cụm loa / what people call the zones (.toml, .json)")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="ghi trang để in, để đăng / a page to print or publish"
    )
    wait = f"chờ trạm trả lời bao lâu / wait for answers ({WAIT_S} s)"
    parser.add_argument("--wait-s", type=whole(1, WAIT_S_MAX), default=WAIT_S, help=wait)
    add_zone(parser)
    add_json(parser)


def _week(args: argparse.Namespace) -> int:
    keyring = Keyring(args.dir)
    if args.html is not None:
        refuse_a_source(args.html, "--html", [args.names])
    names = {} if args.names is None else _zone_names(args.names, keyring.stations)
    keyring.signers(args.key, OrderType.COMMAND)  # PINs first: nobody obeys the question for longer than 120 s
    now = utc_now()
    asks = _asks(args, keyring, now)
    question = next(iter(asks.values()))
    stations = addressed(keyring.stations, read_order(question))
    if not stations:
        raise CannotDo(
            "chưa đăng ký trạm nào trong địa bàn của khóa / no station is enrolled in the key's area: `keys station`"
        )
    warn(keyring, read_order(question), question, args.timezone)
    days_asked = {digest_of(envelope): on for on, envelope in asks.items()}
    replies = Replies(days_asked, frozenset(one.station for one in stations), now)
    _ask(args, keyring, [*asks.values()], replies)
    told = week([*asks], _named(stations), replies, names, now, args.timezone)
    for station, (strange, unnamed) in unmet(told, names).items():
        print(UNMET.format(station, ", ".join(strange), ", ".join(unnamed)), file=sys.stderr)
    print(as_json(told) if args.json else as_table(told), end="")
    if not replies.plans:
        raise CannotDo(REFUSED if replies.refusals else NOBODY.format(args.wait_s))
    if args.html is not None:
        write_file(args.html, as_page(told).encode(), "--html")
        print(f"đã ghi / written: {args.html}", file=sys.stderr)
    return 0


def _named(stations: Sequence[Enrolled]) -> list[Named]:
    """As people call them, with the id where two are called alike."""
    alike = Counter(one.name for one in stations)
    return [Named(one.station, one.name if alike[one.name] == 1 else f"{one.name} ({one.station})") for one in stations]


def _asks(args: argparse.Namespace, keyring: Keyring, now: UtcMs) -> dict[date, bytes]:
    """The signed question for each day."""
    unknown = [name for name in args.station if name not in keyring.stations]
    if unknown:
        raise DraftError("--station", f"{', '.join(unknown)}: {NOT_ENROLLED}")
    grant = keyring.grant_of(args.key[0], OrderType.COMMAND)
    audience = {"stations": args.station} if args.station else {"areas": list(grant.limits.areas)}
    draft = {"type": OrderType.COMMAND.value, "do": What.ASK.value, **audience}
    return {on: compose(keyring, {**draft, "day": on}, args.key, None, now)[1] for on in _days(args, now)}


def _days(args: argparse.Namespace, now: UtcMs) -> list[date]:
    today = local(now, args.timezone).date()
    first = args.first or today
    last = today + timedelta(days=AHEAD_DAYS_MAX)
    if not today <= first <= last:
        raise DraftError(
            "--first",
            f"từ {today} đến {last}, đã phát gì thì xem `report` / "
            f"from {today} to {last}; what has sounded is in `report`",
        )
    return [first + timedelta(days=number) for number in range(args.days)]


def _ask(args: argparse.Namespace, keyring: Keyring, envelopes: Sequence[bytes], replies: Replies) -> None:
    """All at once, and hear until everybody has answered, or it has taken too long."""
    with talking(keyring, args.broker, (Up.ANSWER, Up.PLAN)) as talk:
        listens = False
        for envelope in envelopes:
            order = read_order(envelope)
            listens |= is_taken(talk.publish(topics_of(order), envelope, expiry_s(order, replies.asked_at)))
        heard = talk.heard(args.wait_s if listens else 0)
        while not replies.whole and (one := next(heard, None)) is not None:
            replies.take(one)


def _zone_names(path: Path, stations: Mapping[StationId, Enrolled]) -> ZoneNames:
    """A table for each station: what people call its zones."""
    try:
        fields = Fields(plain(read_draft(path)))
        fields.only(*stations)
        tables = {StationId(station): fields.record(station) for station in fields.values}
        return {
            station: {_zone(table, zone): table.text(zone, STATION_NAME) for zone in table.values}
            for station, table in tables.items()
        }
    except WireError as error:
        raise DraftError(f"--names {path}: {error.where}", in_both(error.rule)) from error


def _zone(table: Fields, name: str) -> ZoneId:
    """No station has a zone of any other form: "C1" would name none."""
    if NAME.pattern.fullmatch(name) is None:
        raise table.wrong(name, NAME.rule)
    return ZoneId(name)
