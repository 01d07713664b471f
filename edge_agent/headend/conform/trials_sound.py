"""SND: what is to be heard (docs/protocol.md, section 8). Only with ``--audible``: a soft tone of seconds, by day.

The kit hears nothing itself. It reads states and records; whether the horns agree, a person beside them says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS, SECOND_MS
from edge_agent.headend.conform import judges
from edge_agent.headend.conform.asking import ask, ask_to_sound
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.clause import Clause, never
from edge_agent.headend.conform.content import particulars, tone
from edge_agent.headend.conform.orders import LOUD_ENOUGH, Order
from edge_agent.headend.conform.verdicts import CannotTry, Failed, Passed, Verdict
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import Up

SHORT_MS = 2 * SECOND_MS
LONG_MS = 20 * SECOND_MS
# Long enough for an emergency to find it playing, after the slowest amplifier's warm-up.
START_S = 75
# How long the kit waits for what should sound: as long as ``Pace.ready_s`` of the protocol, whatever a test's is.
LATE_S = 75
# How late the second of two may begin: the first one's sound, and another warm-up.
LENGTH_OFF_MS = 250
# Between the signed duration and what left the card: padding of codecs and of the last period.
CHIMES_MS_MAX = 10 * SECOND_MS
# As long as any signal before a voice may be (ISO 7240-16); longer is no chime, and hides what was left out.
EARLY_MS = 100
# A clock is read and a card's delay is reckoned; nobody hears it.
LATE_GRACE_MS = 10 * SECOND_MS
ATTENTION_MS = 6 * SECOND_MS
ATTENTION_S = 60
# The attention signal, a sentence spoken slowly, and the record.
DONE = (Phase.SUCCEEDED,)


@dataclass(frozen=True, slots=True)
class Played:
    """One short order for now on the first zone, given twice while it sounds."""

    zone: str
    playing: Seen | None
    again: AnswerMsg | None
    records: list[Mapping[str, Any]]
    after: Seen | None


@dataclass(frozen=True, slots=True)
class Turns:
    """Two orders for the same instant in the same zone; the second may be late."""

    planned: int
    first: list[Mapping[str, Any]]
    second: list[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Warning_:
    """A long order in every zone, and an emergency into it."""

    normal: list[Mapping[str, Any]]
    emergency: list[Mapping[str, Any]]
    order: Order


def play_twice(bench: Bench) -> Played:
    """Play, replay in the midst, and look on for a while."""
    zone = _zones(bench)[0]
    order = _sounding(bench, SHORT_MS, zones=[zone], now=True)
    mark = len(bench.seen)
    ask_to_sound(bench, order)
    playing = bench.wait(lambda one: _plays(one, order), START_S, mark)
    again = ask(bench, order)
    bench.record(order.digest, START_S)
    bench.settle(bench.pace.silence_s + SHORT_MS / SECOND_MS)
    after = bench.newest_state()
    return Played(zone, playing, again, bench.records(order.digest), after)


def take_turns(bench: Bench) -> Turns:
    """Two for one instant: what cannot play beside the other waits."""
    # Ahead by all that an amplifier may need: what is due sooner may be missed by a right station (8.2).
    zone, due = _zones(bench)[0], bench.orders.due(round(bench.pace.ready_s * SECOND_MS))
    first = _sounding(bench, SHORT_MS, zones=[zone], due=due, order=1)
    late = {"policy": "late", "limit_s": LATE_S}
    second = _sounding(bench, SHORT_MS, zones=[zone], due=due, order=2, missed=late)
    for order in (first, second):
        ask_to_sound(bench, order)
    for order in (first, second):
        bench.record(order.digest, bench.pace.ready_s + START_S)
    turns = Turns(due, bench.records(first.digest), bench.records(second.digest))
    if untried := judges.kept_silent([*turns.first, *turns.second]):
        raise CannotTry(untried.why)
    return turns


def warn(bench: Bench) -> Warning_:
    """An emergency, spoken by the station itself, while a normal order plays everywhere."""
    pen = bench.orders.pen(JobClass.EMERGENCY)
    normal = _sounding(bench, LONG_MS, zones=[], now=True)
    mark = len(bench.seen)
    ask_to_sound(bench, normal)
    if bench.wait(lambda one: _plays(one, normal), START_S, mark) is None:
        raise CannotTry("the normal order that was to be cut off did not play")
    words = {**particulars("Đây là phát thử"), "kind": "text", "text": "Đây là phát thử."}
    emergency = bench.orders.signed(bench.orders.emergency_payload(items=[words]), pen.enough)
    ask(bench, emergency)
    for order in (normal, emergency):
        bench.record(order.digest, ATTENTION_S)
    return Warning_(bench.records(normal.digest), bench.records(emergency.digest), emergency)


def _sounding(bench: Bench, duration_ms: int, *, zones: Sequence[str], now: bool = False, **over: Any) -> Order:
    bench.needs_audible()
    content = bench.needs_content()
    clip = tone(duration_ms, len(bench.seen))
    over["items"] = [{**particulars("Âm kiểm thử"), **clip.item(content.put(clip.digest, clip.content))}]
    over["audience"] = {"stations": [str(bench.station)], "areas": [], "zones": list(zones)}
    if now:
        over |= {"when": {"kind": "now"}, "not_after": bench.orders.now() + 2 * MINUTE_MS}
    return bench.orders.normal(volume=LOUD_ENOUGH, **over)


def _zones(bench: Bench) -> list[str]:
    bench.needs_audible()
    state = bench.newest_state()
    zones = [str(zone.get("zone")) for zone in state.told.get("zones", [])] if state is not None else []
    if not zones:
        raise CannotTry("the station names no zone in its state")
    return zones


def _plays(one: Seen, order: Order) -> bool:
    entries = one.told.get("playing", []) if one.kind == Up.STATE else []
    return order.job_id in [each.get("job_id") for each in entries if each.get("phase") == Phase.PLAYING]


def _one_record(bench: Bench) -> Verdict:
    return judges.one_play(bench.act(play_twice).records, DONE)


def _length(bench: Bench) -> Verdict:
    for record in bench.act(play_twice).records:
        lengths = (record.get("planned_ms"), record.get("played_ms"))
        whole_ms = SHORT_MS + _chimes_ms(record)
        if not all(isinstance(ms, int) and abs(ms - whole_ms) <= LENGTH_OFF_MS for ms in lengths):
            return Failed(f"planned_ms and played_ms within {LENGTH_OFF_MS} ms of {whole_ms}", f"{lengths}")
        return Passed(f"planned {lengths[0]} ms, played {lengths[1]} ms")
    raise CannotTry("there was no record")


def _chimes_ms(record: Mapping[str, Any]) -> int:
    """What the station says of its own chimes; one that has none need not say so."""
    told = record.get("chimes_ms", 0)
    return told if isinstance(told, int) and 0 <= told <= CHIMES_MS_MAX else 0


def _shown(bench: Bench) -> Verdict:
    scene = bench.act(play_twice)
    if scene.playing is None:
        return Failed("a state with the order under `playing`", "none")
    zones = {zone["zone"]: zone for zone in scene.playing.told.get("zones", [])}
    if zones.get(scene.zone, {}).get("relay") == "off":
        return Failed(f"the relay of {scene.zone} on", "off")
    others = [zone for zone, entry in zones.items() if zone != scene.zone and entry.get("relay") == "on"]
    if others:
        return Failed(f"only zone {scene.zone}", f"{', '.join(others)} too")
    return Passed(f"zone {scene.zone} alone")


def _off_after(bench: Bench) -> Verdict:
    scene = bench.act(play_twice)
    zones = scene.after.told.get("zones", []) if scene.after is not None else []
    closed = [str(zone["zone"]) for zone in zones if zone.get("relay") == "on" or zone.get("playing")]
    return Failed("every relay open afterwards", ", ".join(closed)) if closed else Passed("every relay open")


def _not_twice(bench: Bench) -> Verdict:
    scene = bench.act(play_twice)
    if scene.again is None or scene.again.verdict.value != "known":
        return Failed("known", judges.NO_ANSWER if scene.again is None else judges.told(scene.again))
    return judges.one_play(scene.records, DONE)


def _on_time(bench: Bench) -> Verdict:
    scene = bench.act(take_turns)
    for record in scene.first:
        started = record.get("started")
        if not isinstance(started, int) or not -EARLY_MS <= started - scene.planned <= LATE_GRACE_MS:
            return Failed(f"started at {scene.planned}, {LATE_GRACE_MS} ms late at most", f"{started}")
        return Passed(f"{started - scene.planned} ms after the planned instant")
    raise CannotTry("there was no record")


def _one_after_the_other(bench: Bench) -> Verdict:
    scene = bench.act(take_turns)
    for records in (scene.first, scene.second):
        verdict = judges.one_play(records, DONE)
        if isinstance(verdict, Failed):
            return verdict
    ended, started = scene.first[0].get("ended", 0), scene.second[0].get("started") or 0
    if started < (scene.first[0].get("started") or 0) + SHORT_MS - LENGTH_OFF_MS:
        return Failed("the second after the first in the same zone", f"began {ended - started} ms before its end")
    return Passed("the second waited")


def _speaks(bench: Bench) -> Verdict:
    records = bench.act(warn).emergency
    verdict = judges.one_play(records, DONE)
    if isinstance(verdict, Failed):
        return verdict
    if int(records[0].get("played_ms") or 0) < ATTENTION_MS:
        return Failed("the attention signal of 6 s before the words", f"{records[0].get('played_ms')} ms in all")
    return Passed(f"{records[0].get('played_ms')} ms")


def _cuts_in(bench: Bench) -> Verdict:
    return judges.one_play(bench.act(warn).normal, (Phase.INTERRUPTED,), Reason.PREEMPTED)


def _event_kept(bench: Bench) -> Verdict:
    scene = bench.act(warn)
    for record in scene.emergency:
        if record.get("event") != scene.order.payload["event"]:
            return Failed(f"event {scene.order.payload['event']}", f"{record.get('event')!a}")
        return judges.unchanged(record, scene.order.payload)
    raise CannotTry("there was no record")


CLAUSES: tuple[Clause, ...] = (
    Clause(
        "SND-1",
        "8",
        "phát ngay một bản tin",
        "an order for now plays, and leaves one record, `succeeded`",
        "a tone of two seconds in the first zone",
        _one_record,
    ),
    Clause(
        "SND-2",
        "9, log",
        "giây theo lệnh, giây thực phát",
        "`planned_ms` is how long it was to sound, `played_ms` how long it did, the station's own `chimes_ms` in both",
        "the tone's record is read",
        _length,
    ),
    Clause(
        "SND-3",
        "9, state",
        "trạng thái khi đang phát",
        "what sounds, and where, is shown at once; only the ordered zones sound",
        "a state while the tone plays is read",
        _shown,
    ),
    Clause(
        "SND-4",
        "9, state",
        "phát xong thì mở rơ-le",
        "afterwards every relay is open",
        "the state after the tone is read",
        _off_after,
    ),
    Clause(
        "SND-5",
        "8",
        "gửi lại khi đang phát",
        "the very same order sounds once, however often it comes",
        "the tone's order is sent again while it plays; one record, one play",
        _not_twice,
    ),
    Clause(
        "SND-6",
        "8",
        "phát đúng giờ",
        "the first sample leaves at the planned instant",
        "a tone for an instant; its record is read",
        _on_time,
    ),
    Clause(
        "SND-7",
        "8",
        "hai lệnh cùng giờ, cùng cụm loa",
        "an equal takes no zone: the second waits, within its late limit",
        "two tones for one instant in one zone",
        _one_after_the_other,
    ),
    Clause(
        "SND-8",
        "4",
        "tự đọc tin khẩn cấp",
        "an emergency's text is spoken by the station, after the attention signal",
        "an emergency, “Đây là phát thử”, at low volume",
        _speaks,
    ),
    Clause(
        "SND-9",
        "8",
        "khẩn cấp cắt tin thường",
        "an emergency takes its zones at once; who lost all of them ends as `interrupted`, `preempted`",
        "the emergency comes while a tone plays in every zone",
        _cuts_in,
    ),
    Clause(
        "SND-10",
        "9, log",
        "nhật ký giữ loại sự kiện",
        "the record names the event and the particulars",
        "the emergency's record is compared with its order",
        _event_kept,
    ),
    never(
        "SND-11",
        "4",
        "nghe được ở loa",
        "what the record says is what the street hears",
        "a person beside the horns says so",
    ),
)
