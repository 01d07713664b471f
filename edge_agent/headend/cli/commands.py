"""``order``: a command composed, signed and published at once, and what its stations answered. For the desk at 05:00.

Which commands there are, and what belongs to each, stands in ``actions``.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime

from edge_agent.core.effects import Verdict
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.cli.actions import ACTIONS, Action, Draft
from edge_agent.headend.cli.admitting import why_not_noted
from edge_agent.headend.cli.manifests import add_content_dir, renewed
from edge_agent.headend.cli.options import Tasks, add_dir, add_task, add_zone, address, note, several, whole
from edge_agent.headend.cli.shown import answered, of_file, show_order, shows_receipts, warn
from edge_agent.headend.composing import compose
from edge_agent.headend.dispatch import sending
from edge_agent.headend.drafting import DraftError, Finished
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.fates import fate
from edge_agent.headend.foresight import addressed
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.handed import read_envelope
from edge_agent.headend.headend import utc_now
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.logbook import LogbookError, checked_records
from edge_agent.headend.noting import noted, unnoted
from edge_agent.headend.outbox import Outbox
from edge_agent.headend.plays import Play, read_play, without_forgotten
from edge_agent.headend.signing import read_order
from edge_agent.sync.reports import AnswerMsg
from edge_agent.trust.limits import COMMAND_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.rule_orders import CANCEL_MS_MAX
from edge_agent.trust.strict_json import WireError

WAIT_S = 5
# A station on 3G answers within two seconds; longer nobody looks at a screen that does not move.
WAIT_S_MAX = 60
UNKNOWN = (
    "chưa gửi từ máy này, xem lại mã: trạm báo đã hủy cả khi không có lệnh đó / not published from here, is the id "
    "right? Stations say cancelled also of what they never had"
)
TYPED_AS = {"for_minutes": "--minutes", "areas": "--station, --area", "when.at": "--at"}
NARROW = "chọn / choose --station, --area"
WHOLE_WARD = "không chọn nơi nhận: cả địa bàn của khóa / with no audience: the whole area of the key's role"


def add(tasks: Tasks) -> None:
    """Add the commands."""
    words = "lệnh điều khiển: soạn, ký số và gửi ngay / a command: composed, signed and published at once"
    parser = tasks.add_parser("order", help=words, description=words)
    of_order = parser.add_subparsers(required=True, metavar="WHAT")
    for action in ACTIONS:
        one = add_task(of_order, action.name, _task(action), action.words, _more(action))
        action.add(one)
        _add_common(one, by_zone=action.by_zone)


def _more(action: Action) -> str:
    if action.name == "cancel":
        return "Không chọn nơi nhận: như lệnh bị hủy / with no audience: that of the order that is cancelled."
    return WHOLE_WARD if action.means_all else NARROW


def _task(action: Action) -> Callable[[argparse.Namespace], int]:
    kind = {"type": OrderType.COMMAND.value, "do": action.name}
    return lambda args: _order(args, {**kind, **action.draft(args)}, means_all=action.means_all)


def _add_common(parser: argparse.ArgumentParser, *, by_zone: bool) -> None:
    add_dir(parser)
    parser.add_argument("--broker", type=address, required=True, help="máy chủ MQTT / HOST:PORT")
    parser.add_argument("--station", type=several, default=[], help="các trạm / stations: tram-01,tram-02")
    parser.add_argument("--area", type=several, default=[], help="các địa bàn / areas: vn/ha-noi/dong-thanh")
    parser.set_defaults(zone=[])
    if by_zone:
        parser.add_argument("--zone", type=several, help="chỉ các cụm loa này / these zones only: c1,c2")
    parser.add_argument("--key", type=several, default=["ward-routine"], help="khóa / keys (ward-routine)")
    wait = f"chờ trạm trả lời bao lâu; 0: không chờ / wait for answers ({WAIT_S} s); 0: not at all"
    parser.add_argument("--wait-s", type=whole(0, WAIT_S_MAX), default=WAIT_S, help=wait)
    add_content_dir(parser)
    add_zone(parser)


def _order(args: argparse.Namespace, draft: Draft, *, means_all: bool) -> int:
    keyring, outbox = Keyring(args.dir), Outbox(args.dir / "orders")
    target = _target(args, outbox)
    keyring.signers(args.key, OrderType.COMMAND)  # PINs first: a command is valid for 120 s, from when it is made
    now = utc_now()
    draft |= _audience(args, keyring, target, means_all=means_all) | _until(target, now)
    finished, envelope = _composed(args, keyring, draft, now)
    show_order(finished.order, args.timezone)
    warn(keyring, finished.order, envelope, args.timezone)
    _warn_of_owner(target, finished.order)
    what = target or _entry(args, outbox, now)
    _warn_of_unknown(args, what)
    noting = unnoted()
    if why_not_noted(keyring, finished.order, envelope, args.timezone) is None:  # else `warn` has said so
        noting = noted(keyring, outbox, envelope, now, lambda: renewed(keyring, args.content_dir))
    tell = shows_receipts(finished.order)
    with sending(keyring, args.broker, envelope, now, noting, tell, hears=args.wait_s > 0) as sent:
        answers = sent.answers(args.wait_s)
        for enrolled in addressed(keyring.stations, finished.order) if args.wait_s else ():
            print(f"{enrolled.station}: {_became(args, enrolled, answers.get(enrolled.station), what)}")
    return 1 if not sent.taken or any(answer.verdict is Verdict.REFUSED for answer in answers.values()) else 0


def _composed(args: argparse.Namespace, keyring: Keyring, draft: Draft, now: UtcMs) -> tuple[Finished, bytes]:
    """What is wrong is named as it was typed here: whoever is at the desk has written no draft."""
    try:
        return compose(keyring, draft, args.key, None, now)
    except DraftError as error:
        raise DraftError(TYPED_AS.get(error.field, error.field), error.remedy) from error


def _target(args: argparse.Namespace, outbox: Outbox) -> Given | None:
    """The order that is cancelled, where it is known."""
    if not hasattr(args, "job_envelope"):
        return None
    if args.job_envelope is None:
        return outbox.find(args.target, utc_now())
    with of_file("--job-envelope", args.job_envelope):
        found = read_order(read_envelope(args.job_envelope, "--job-envelope"))
    if heading_of(found).order_id != args.target:
        other = heading_of(found).order_id
        raise DraftError("--job-envelope", f"là {other}, không phải {args.target} / is {other}, not {args.target}")
    return found


def _warn_of_owner(target: Given | None, cancel: Given) -> None:
    if target is not None and heading_of(target).issuer != heading_of(cancel).issuer:
        owner = heading_of(target).issuer
        note(f"lệnh này của {owner}, cần khóa của {owner} / only {owner} may cancel it")


def _entry(args: argparse.Namespace, outbox: Outbox, now: UtcMs) -> Given | None:
    """What is cancelled, where it is a timetable's entry: it has no envelope of its own."""
    return outbox.entry(args.target, now) if hasattr(args, "job_envelope") else None


def _warn_of_unknown(args: argparse.Namespace, what: Given | None) -> None:
    """A station says "cancelled" of a wrong id too, as the order may come later; and the right one would sound."""
    if hasattr(args, "job_envelope") and what is None:
        note(f"{args.target}: {UNKNOWN}")


def _audience(args: argparse.Namespace, keyring: Keyring, target: Given | None, *, means_all: bool) -> Draft:
    """A cancel harms nobody who has no such order, and in a panic nothing but everything is meant; else say whom."""
    named = {"stations": args.station, "areas": args.area, "zones": args.zone}
    if args.station or args.area or not means_all:
        return {name: list(chosen) for name, chosen in named.items() if chosen}
    if target is not None:
        audience = heading_of(target).audience
        return {"stations": sorted(audience.stations), "areas": sorted(audience.areas)}
    grant = keyring.grant_of(args.key[0], OrderType.COMMAND)
    return {"areas": list(grant.limits.areas)}


def _until(target: Given | None, now: UtcMs) -> Draft:
    """What is cancelled can come no later than its own end, so nobody need remember the cancel for longer."""
    if target is None:
        return {}
    last = max(heading_of(target).not_after, now + COMMAND_VALIDITY_MS_MAX)
    last = min(last, now + CANCEL_MS_MAX)  # of what begins only next year a station remembers it no longer
    return {"until": datetime.fromtimestamp(last / SECOND_MS, UTC).isoformat()}


def _became(args: argparse.Namespace, enrolled: Enrolled, answer: AnswerMsg | None, target: Given | None) -> str:
    if not hasattr(args, "job_envelope"):
        return answered(answer, args.timezone)
    plays = _plays(args, str(enrolled.station), args.target)
    return fate(answer, plays, target, utc_now(), args.timezone)


def _plays(args: argparse.Namespace, station: str, job_id: str) -> list[Play]:
    """The records of a job that ``watch`` has kept so far; a damaged file is told, and is no reason not to go on."""
    path = (args.records or args.dir / "records") / f"{station}.jsonl"
    plays: list[Play] = []
    try:
        for record in checked_records(path):
            with contextlib.suppress(WireError):  # `report` tells of what cannot be read
                plays.append(read_play(record))
    except LogbookError as error:
        note(error)
        return []
    return without_forgotten([play for play in plays if play.job_id == job_id])
