"""CMD, RUL, TIM and TRU: commands, the ward's policy, whole timetables, trust documents (protocol, sections 4 and 6).

What a station must take here does nothing: a silent order is taken back, a plan is asked for, a timetable has one
silent entry. The rest is refused, and would have done as little.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from edge_agent.core.effects import Verdict as Said
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import DAY_MS, MINUTE_MS, SECOND_MS
from edge_agent.headend.broker import area_prefixes
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import Write, ask, refusal, take
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause, Trial
from edge_agent.headend.conform.envelopes import payload_of
from edge_agent.headend.conform.orders import QUARTER_MS, VALID_MS, Order, Orders, digest_of
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict
from edge_agent.headend.conform.wrong_orders import NOW, bound, grant
from edge_agent.sync.topics import Up
from edge_agent.trust.commands import What
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import payload_type
from edge_agent.trust.keys import Signer, new_signer
from edge_agent.trust.limits import COMMAND_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import dump, parse

BAD, FORGED = Reason.MALFORMED, Reason.SIGNATURE_INVALID
TIMETABLE = "conform"
# A name of its own: the ward's timetable is called main.
VERSION = 2
POLICY: dict[str, Any] = {"quiet": ["21:00", "05:00"], "session_s": 1_800, "volume": [["00:00", "00:00", 80]]}


def _later(orders: Orders) -> Order:
    """A silent order that is not due before it has been taken back."""
    return orders.normal(due=orders.due(QUARTER_MS))


def _cancel(orders: Orders, order: Order, issuer: str = "") -> Order:
    return orders.command(What.CANCEL, issuer=issuer, target=order.job_id, until=order.payload["not_after"])


def _taken(bench: Bench, *orders: Order) -> Verdict:
    """Each in turn, as far as they are taken."""
    verdict: Verdict = Passed("accepted")
    for order in orders:
        if not isinstance(verdict := take(bench, order), Passed):
            break
    return verdict


def _cancelled(bench: Bench) -> Verdict:
    order = _later(bench.orders)
    if not isinstance(verdict := _taken(bench, order, _cancel(bench.orders, order)), Passed):
        return verdict
    bench.record(order.digest, bench.pace.answer_s)
    return judges.one_play(bench.records(order.digest), (Phase.CANCELLED,), Reason.CANCELLED)


def _overtaken(bench: Bench) -> Verdict:
    order = _later(bench.orders)
    if not isinstance(verdict := _taken(bench, _cancel(bench.orders, order)), Passed):
        return verdict
    return judges.refused(ask(bench, order), Reason.CANCELLED)


def _by_another_issuer(bench: Bench) -> Verdict:
    order = _later(bench.orders)
    foreign = _cancel(bench.orders, order, grant(bench.orders.owner()).issuer)
    if not isinstance(verdict := _taken(bench, order), Passed):
        return verdict
    verdict = judges.refused(ask(bench, foreign), Reason.NOT_THE_OWNER)
    ask(bench, _cancel(bench.orders, order))
    return verdict


def _plan_told(bench: Bench) -> Verdict:
    order = _later(bench.orders)
    due = order.payload["when"]["utc"]
    day = bench.orders.rules.local(due).date().isoformat()
    mark = len(bench.seen)
    if not isinstance(verdict := _taken(bench, order, bench.orders.command(What.ASK, day=day)), Passed):
        return verdict
    plan = bench.wait(lambda one: one.kind == Up.PLAN and one.told.get("day") == day, bench.pace.show_s, mark)
    ask(bench, _cancel(bench.orders, order))
    return _named(plan, order.job_id, due, day)


def _named(plan: Seen | None, job_id: str, due: int, day: str) -> Verdict:
    if plan is None:
        return Failed(f"a plan of {day}", "none")
    planned = [entry["planned"] for entry in plan.told["entries"] if entry["job_id"] == job_id]
    if planned != [due] and not plan.told["left_out"]:
        return Failed(f"{job_id} at {due} in the plan", f"{planned or 'nothing of it'}")
    return Passed(f"a plan of {day}, {len(plan.told['entries'])} entries")


def _too_loud(orders: Orders) -> Order:
    most = bound(orders, orders.pen()).limits.volume_max
    if most >= VOLUME_MAX:
        raise CannotTry(f"role {orders.pen().role.name} may order every volume")
    return _timetable(orders, volume=most + 1)


def _regulation(orders: Orders, **over: Any) -> Order:
    clause = {name: value for name, value in (POLICY | over).items() if value is not None}
    words = {"version": 1, "number": "kiem-thu", "dated": orders.rules.local(orders.now()).date().isoformat()}
    return orders.rule(OrderType.REGULATION, orders.owner(), DAY_MS, **words, clauses=[clause])


def _silence(orders: Orders, **over: Any) -> Order:
    """Of a minute a month ago, so that even who takes it is not silenced."""
    ends = orders.now() - 30 * DAY_MS
    words = {"kind": "silence", "begins": ends - MINUTE_MS, "ends": ends, "basis": "kiểm thử"}
    return orders.rule(OrderType.WINDOW, orders.owner(), DAY_MS, **words, **over)


def _by_the_desk(orders: Orders, order: Order) -> Order:
    """What the policy's owner would sign, by the keys that order jobs."""
    return orders.signed(order.payload, orders.pen().enough, order.payload["type"])


def _timetable(orders: Orders, version: int = VERSION, /, **over: Any) -> Order:
    """One silent entry, for later than it takes to take the whole back."""
    pen, due = orders.pen(), orders.due(QUARTER_MS)
    job = orders.payload(pen, due=due)
    entry = {name: job[name] for name in ("job_id", "class", "when", "items", "volume")} | over
    words = {"name": TIMETABLE, "version": version, "entries": [entry]}
    return orders.rule(OrderType.TIMETABLE, pen, due + VALID_MS - orders.now(), **words)


def _take_back(bench: Bench, order: Order) -> None:
    """What was taken is to hold no longer than its clause."""
    if any(answer.verdict is Said.ACCEPTED for answer in bench.answers(order.digest)):
        with suppress(CannotTry):
            ask(bench, _cancel(bench.orders, order, str(order.payload["issuer"])))


def _refused(write: Write, reason: Reason) -> Trial:
    def trial(bench: Bench) -> Verdict:
        order = write(bench.orders)
        verdict = judges.refused(ask(bench, order), reason)
        _take_back(bench, order)
        return verdict

    return trial


def _whole_timetable(bench: Bench) -> Verdict:
    order = _timetable(bench.orders)
    verdict = take(bench, order)
    _take_back(bench, order)
    return verdict


def _older_version(bench: Bench) -> Verdict:
    newest = _timetable(bench.orders)
    if not isinstance(verdict := take(bench, newest), Passed):
        return verdict
    verdict = judges.refused(ask(bench, _timetable(bench.orders, VERSION - 1)), Reason.SUPERSEDED)
    _take_back(bench, newest)
    return verdict


def _newest_document(orders: Orders) -> bytes:
    """The ward's own trust document, or the nearest one above it."""
    here = orders.station.area
    standing = orders.keyring.chain.standing
    return [held for held in standing if held.document.area in (ROOT, *area_prefixes(here))][-1].envelope


def _forged_document(orders: Orders, signers: Sequence[Signer]) -> Order:
    """It grants what is granted already, so that who believes it obeys nobody else."""
    payload = parse(payload_of(_newest_document(orders)))
    return orders.sealed(dump(payload | {"version": int(str(payload["version"])) + 1}), signers, payload_type("trust"))


def _document_again(bench: Bench) -> Verdict:
    envelope = _newest_document(bench.orders)
    return judges.known(ask(bench, Order(envelope, digest_of(envelope))), "")


def _wrong(number: str, section: str, vi: str, says: str, write: Write, reason: Reason) -> Clause:
    how = f"such a message is sent; the answer must be `refused`, `{reason.value}`"
    return Clause(number, section, vi, says, how, _refused(write, reason))


COMMANDS = (
    Clause(
        "CMD-1",
        "4, command",
        "hủy lệnh phát",
        "what is cancelled before it sounds is over, with its record",
        "a silent order and its `cancel` are sent; one record must say `cancelled`",
        _cancelled,
    ),
    Clause(
        "CMD-2",
        "5",
        "lệnh hủy đến trước lệnh bị hủy",
        "an order that was cancelled before it came stays out",
        "the `cancel` of a silent order, then the order, which must be `refused`, `cancelled`",
        _overtaken,
    ),
    Clause(
        "CMD-3",
        "5",
        "hủy lệnh của đơn vị khác",
        "only its issuer cancels an order",
        "a `cancel` of a silent order in the name of the policy's owner; it must be `refused`, `not_the_owner`",
        _by_another_issuer,
    ),
    _wrong(
        "CMD-4",
        "5, step 13",
        "lệnh điều khiển, hiệu lực quá 120 giây",
        "a command is valid for 120 s at most",
        lambda orders: orders.command(What.STOP, valid_ms=COMMAND_VALIDITY_MS_MAX + SECOND_MS),
        Reason.VALIDITY_TOO_LONG,
    ),
    _wrong(
        "CMD-5",
        "4, command",
        "âm lượng điều khiển 101",
        "a command's volume is 0 to 100",
        lambda orders: orders.command(What.VOLUME, volume=VOLUME_MAX + 1),
        BAD,
    ),
    _wrong(
        "CMD-6",
        "5, step 6",
        "lệnh điều khiển do khóa lạ ký",
        "only a key of a role of commands commands",
        lambda orders: orders.signed(orders.command(What.STOP).payload, [new_signer()], OrderType.COMMAND),
        FORGED,
    ),
    Clause(
        "CMD-7",
        "9, plan",
        "hỏi trước: ngày đó phát gì",
        "the answer to `ask` is a plan of that day",
        "a silent order and an `ask` of its day are sent; a plan must come and name it at its instant",
        _plan_told,
    ),
)

POLICIES = (
    _wrong(
        "RUL-1",
        "6",
        "người ra lệnh phát tự ký quy chế",
        "whoever orders jobs must not loosen what binds them",
        lambda orders: _by_the_desk(orders, _regulation(orders)),
        FORGED,
    ),
    _wrong(
        "RUL-2",
        "6",
        "người ra lệnh phát tự ký trường hợp đặc biệt",
        "a window is signed by the policy's owner, never by whoever orders jobs",
        lambda orders: _by_the_desk(orders, _silence(orders)),
        FORGED,
    ),
    _wrong(
        "RUL-3",
        "4, regulation",
        "quy chế quên giờ yên tĩnh",
        "the first clause of a regulation says when it is quiet",
        lambda orders: _regulation(orders, quiet=None),
        BAD,
    ),
    _wrong(
        "RUL-4",
        "4, regulation",
        "quy chế có trường lạ",
        "an unknown field of a clause is refused: a limit must not be ignored",
        lambda orders: _regulation(orders, mast_m=9),
        BAD,
    ),
    _wrong(
        "RUL-5",
        "4, window",
        "tạm ngừng phát kèm âm lượng",
        "a silence has no volume",
        lambda orders: _silence(orders, volume=50),
        BAD,
    ),
)

TIMETABLES = (
    Clause(
        "TIM-1",
        "4, timetable",
        "lịch phát trọn gói",
        "a whole timetable is an order",
        "one with a silent entry is sent; it must be `accepted`, and is taken back",
        _whole_timetable,
    ),
    Clause(
        "TIM-2",
        "4, timetable",
        "bản lịch phát cũ hơn",
        "an older version of a timetable is `superseded`",
        "version 2 of a timetable, then version 1, which must be `refused`, `superseded`",
        _older_version,
    ),
    _wrong(
        "TIM-3",
        "4, timetable",
        "tin khẩn cấp trong lịch phát",
        "an emergency is ordered by itself",
        lambda orders: _timetable(orders, **{"class": "emergency"}),
        BAD,
    ),
    _wrong(
        "TIM-4",
        "4, timetable",
        "phát ngay trong lịch phát",
        "an entry is planned",
        lambda orders: _timetable(orders, when=NOW),
        BAD,
    ),
    _wrong(
        "TIM-5",
        "4, timetable",
        "một mục vượt âm lượng được phép",
        "an entry beyond the role's limits refuses the whole",
        _too_loud,
        Reason.OVER_LIMIT,
    ),
)

TRUST = (
    refusal(
        "TRU-1",
        "6, trust",
        "văn bản ủy quyền do khóa lạ ký",
        "nobody who carries a trust document can write one",
        lambda orders: _forged_document(orders, [new_signer()]),
        FORGED,
    ),
    refusal(
        "TRU-2",
        "6, trust",
        "văn bản ủy quyền do người ra lệnh phát ký",
        "an area's document is signed by the delegates above it, not by those whom it names",
        lambda orders: _forged_document(orders, orders.pen().enough),
        FORGED,
    ),
    Clause(
        "TRU-3",
        "6, trust",
        "gửi lại văn bản ủy quyền đang dùng",
        "the very same document is `known`",
        "the newest document of the station's area is sent again",
        _document_again,
    ),
)

CLAUSES: tuple[Clause, ...] = (*COMMANDS, *POLICIES, *TIMETABLES, *TRUST)
