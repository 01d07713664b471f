"""Live a life in the real core, everybody obliging: what it recorded, to be held against what the oracle expects.

Only the core runs, without fault: every sound is staged at once, every relay closes, every sample leaves. The faults
are the soak's business; here it is the rules' turn.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, time
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import order as orders
from edge_agent.core import station
from edge_agent.core.as_run import AsRun, RecordKind
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import (
    AckToken,
    ClipFetched,
    ClipStaged,
    DeviceUp,
    Event,
    IntentSaved,
    JobSaved,
    Judgement,
    Mark,
    MessageArrived,
    PlayEnded,
    PlayStarted,
    RelayChanged,
    Restored,
    Tick,
)
from edge_agent.core.job import Accepted, Audience, ClipItem, Job, JobClass, PlayAt, PlayNow, Preemption, Rule, When
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import length_ms
from edge_agent.core.site import Clause, IntoQuiet, LocalPolicy, Site, VolumeBand, ZoneSite
from edge_agent.core.state import KnownJob
from edge_agent.core.units import ClipKey, JobId, MonoMs, PlayId, StationId, UtcMs, ZoneId
from tests.oracle import world
from tests.oracle.generate import random_year
from tests.oracle.oracle import Expected, expect
from tests.oracle.walltime import DAY_S, day_number, midnight

AREA = "vn/ha-noi/dong-thanh"
SOON_S = 1
# So long before its instant a single order comes: what is laid down then is what is laid down at its instant.
AHEAD_S = 36 * 3_600
# So long before it begins a window is known.
FOREVER = UtcMs(2**42)
PASSING = ("zone_locked", "battery_reserve", "sessions_per_day", "session_too_long", "minutes_per_day")
"""Why a sound may not be now, which on arrival says nothing yet about its instant."""

OUTCOMES = {Phase.SUCCEEDED: "played", Phase.REJECTED: "refused", Phase.INTERRUPTED: "cut"}


@dataclass(frozen=True, slots=True)
class Differs:
    """One occurrence that was not as expected."""

    expected: Expected | None
    found: str

    @property
    def summary(self) -> str:
        """In a few words: what should have become of it."""
        wanted = "nothing" if self.expected is None else f"{self.expected.outcome} {self.expected.reason or ''}".strip()
        return f"{wanted} expected, and it was otherwise"

    def __str__(self) -> str:
        return f"{self.expected} but {self.found}"


@dataclass
class Run:
    """A programme that sounds. ``ends`` is when its last sample leaves."""

    start: fx.StartPlay
    ends: int


@dataclass
class Core:
    """The core and an obliging world. Times in ms; boot time and UTC run side by side."""

    site: Site
    utc: int
    state: station.State = field(init=False)
    records: list[AsRun] = field(default_factory=list)
    runs: dict[PlayId, Run] = field(default_factory=dict)
    _judgements: dict[bytes, Judgement] = field(default_factory=dict)
    _later: list[tuple[int, int, Event]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        self.state = station.start(self.site)
        self.send(Restored((), (), {}, 0, 0, "e1"))
        self.send(DeviceUp())
        self.state = replace(self.state, welcomed=True)

    @property
    def now(self) -> Now:
        return Now(MonoMs(self.utc), UtcMs(self.utc), ClockSource.NTP, 10)

    def send(self, event: Event) -> None:
        self.state, effects = station.step(self.state, event, self.now, lambda _, payload: self._judgements[payload])
        for effect in effects:
            for answer in self._answers(effect):
                self.send(answer)

    def arrive(self, accepted: Accepted | orders.AcceptedRule) -> None:
        self._count += 1
        payload = str(self._count).encode()
        self._judgements = {payload: accepted}
        self.send(MessageArrived("", payload, AckToken(1, self._count)))

    def keep(self, job: Job, base: int) -> None:
        """A timetable that was accepted long ago."""
        known = KnownJob(accepted(job), UtcMs(base), held=False, saved=True)
        self.state = replace(self.state, jobs={**self.state.jobs, job.job_id: known})

    def run_until(self, utc: int) -> None:
        while True:
            wake = station.next_wake(self.state, self.now)
            due = self._later[0][0] if self._later else utc + 1
            at = min(due, utc if wake is None else max(wake, self.utc))
            if at >= utc:
                break
            self.utc = at
            self.send(heapq.heappop(self._later)[2] if due <= at else Tick())
        self.utc = utc
        self.send(Tick())

    def _at(self, utc: int, event: Event) -> None:
        self._count += 1
        heapq.heappush(self._later, (utc, self._count, event))

    def _answers(self, effect: fx.Effect) -> Iterator[Event]:
        match effect:
            case fx.SaveJob(saved=saved):
                yield JobSaved(saved.accepted.order_id)
            case fx.FetchAhead(key=key):
                yield ClipFetched(key)
            case fx.FetchClip(key=key, duration_ms=duration_ms):
                yield ClipStaged(key, duration_ms)
            case fx.SaveMark(mark=Mark.INTENT, job_id=job_id, planned=planned):
                yield IntentSaved(job_id, planned)
            case fx.SwitchRelay(zone=zone, on=on):
                yield RelayChanged(zone, on, "order", MonoMs(self.utc))
            case fx.StartPlay():
                self._start(effect)
            case fx.StopPlay(play_id=play_id):
                yield from self._stop(play_id)
            case fx.CommitRecord(record=record):
                self.records.append(record)

    def _start(self, start: fx.StartPlay) -> None:
        lasts_ms = length_ms(start.parts)
        self.runs[start.play_id] = Run(start, start.at + lasts_ms)
        self._at(start.at, PlayStarted(start.play_id, start.at))
        self._at(start.at + lasts_ms, self._ended(start, lasts_ms))

    def _stop(self, play_id: PlayId) -> Iterator[Event]:
        run = self.runs.pop(play_id)
        yield self._ended(run.start, self.utc - run.start.at)

    def _ended(self, start: fx.StartPlay, ms: int) -> PlayEnded:
        zone_ms = {feed.zone: ms for feed in start.feeds}
        return PlayEnded(start.play_id, zone_ms, ms * 48, 0, MonoMs(start.at + ms), None)


def lived(life: world.Life) -> list[AsRun]:
    """Every record of the plays and refusals of a life."""
    begins = midnight(day_number(life.first_day))
    core = Core(site_of(life), (begins - DAY_S) * 1000)
    for play in life.plays:
        if isinstance(play.when, world.Rule):
            core.keep(job_of(play), core.utc)
    core.send(Tick())
    for at_s, happen in sorted(_happenings(life), key=lambda one: one[0]):
        core.run_until(at_s * 1000)
        happen(core)
    core.run_until((begins + (life.days + 2) * DAY_S) * 1000)
    return [record for record in core.records if record.kind is not RecordKind.RULE]


def compare(life: world.Life, expected: list[Expected]) -> list[Differs]:
    """Where the core and the oracle are of two minds; an excluded day has no record at all."""
    found = {_key(record, life): record for record in lived(life)}
    wanted = {(one.job_id, one.planned): one for one in expected if one.outcome != "skipped"}
    strangers = [Differs(None, _told(record)) for key, record in found.items() if key not in wanted]
    return strangers + [
        Differs(one, "nothing" if key not in found else _told(found[key]))
        for key, one in wanted.items()
        if key not in found or not _alike(one, found[key])
    ]


def year(seed: int) -> tuple[int, list[str]]:
    """How many occurrences a random year has, and what differs; runs in a process of its own."""
    life = random_year(seed)
    expected = expect(life)
    return len(expected), [str(one) for one in compare(life, expected)]


def _key(record: AsRun, life: world.Life) -> tuple[str, int]:
    """A refusal on arrival names no instant; a single order has but one."""
    if record.planned is not None:
        return record.job_id, record.planned // 1000
    (play,) = [play for play in life.plays if play.job_id == record.job_id]
    assert isinstance(play.when, world.At)
    return record.job_id, play.when.utc


def _alike(one: Expected, record: AsRun) -> bool:
    if OUTCOMES.get(record.outcome) != one.outcome:
        return False
    if one.outcome == "refused":
        # On arrival nobody asks for what passes: what sounded until then, a lock, the battery.
        arrival = record.kind is RecordKind.REFUSAL
        same = record.reason is not None and record.reason.value == one.reason
        return same or (arrival and any(reason in PASSING for reason in one.zone_reasons.values()))
    heard = {zone.zone: zone.volume for zone in record.zones if zone.played_ms}
    silent = {zone.zone: zone.reason and zone.reason.value for zone in record.zones if not zone.played_ms}
    basis = one.basis if one.basis not in ("policy", "emergency") else ""
    return (
        (heard, record.under) == (one.volume, basis)
        and {zone: reason for zone, reason in silent.items() if reason} == one.zone_reasons
        and record.started == one.planned * 1000
        and record.played_ms == one.lasted_s * 1000
    )


def _told(record: AsRun) -> str:
    zones = {zone.zone: (zone.volume, zone.played_ms, zone.reason and zone.reason.value) for zone in record.zones}
    started = None if record.started is None else record.started / 1000
    return (
        f"{record.kind} {record.job_id} {record.planned} {record.outcome} {record.reason} under={record.under!r} "
        f"started={started} played_ms={record.played_ms} {zones}"
    )


def _happenings(life: world.Life) -> Iterator[tuple[int, Any]]:
    for regulation in life.regulations:
        made = regulation_of(regulation)
        yield regulation.takes_effect - AHEAD_S, lambda core, made=made: core.arrive(made)
    for window in life.exceptions:
        made = exception_of(window)
        yield window.begins - AHEAD_S, lambda core, made=made: core.arrive(made)
    for number, silence in enumerate(life.silences):
        made = silence_of(silence, number)
        yield silence.begins - AHEAD_S, lambda core, made=made: core.arrive(made)
    for number, lock in enumerate(life.locks):
        action = orders.Lock((lock.ends - lock.begins) * 1000)
        made = command_of(f"lock-{number}", lock.begins, lock.zone, action)
        yield lock.begins, lambda core, made=made: core.arrive(made)
    for number, ceiling in enumerate(life.set_ceilings):
        made = command_of(f"volume-{number}", ceiling.since, ceiling.zone, orders.SetVolume(ceiling.percent))
        yield ceiling.since, lambda core, made=made: core.arrive(made)
    for span in life.reserves:
        for at_s in (span.begins, span.ends):
            low = any(other.begins <= at_s < other.ends for other in life.reserves)
            yield at_s, lambda core, low=low: _reserve(core, low)
    for play in life.plays:
        if isinstance(play.when, world.At):
            made = accepted(job_of(play))
            ahead_s = 0 if play.cls == "emergency" else SOON_S
            yield play.when.utc - ahead_s, lambda core, made=made: core.arrive(made)


def _reserve(core: Core, low: bool) -> None:
    core.state = replace(core.state, reserve=low)


# ---------------------------------------------------------------- the life's own words, as the core's types


def site_of(life: world.Life) -> Site:
    zones = {ZoneId(zone.name): ZoneSite(ZoneId(zone.name), zone.name, 0, zone.ceiling) for zone in life.zones}
    policy = LocalPolicy() if life.own_policy is None else policy_of(life.own_policy)
    return Site(StationId("dt-01"), "test", AREA, "Asia/Ho_Chi_Minh", zones, policy)


def accepted(job: Job) -> Accepted:
    return Accepted(job, f"digest of {job.job_id}", ("k1",), "ward")


def job_of(play: world.Play) -> Job:
    return Job(
        job_id=JobId(play.job_id),
        issuer="ward",
        level="commune",
        key_epoch=0,
        serial=1,
        issued_at=UtcMs(0),
        not_before=UtcMs(0),
        not_after=FOREVER,
        audience=_audience(play.zones),
        cls=JobClass(play.cls),
        order=play.order,
        when=_when(play),
        loops=1,
        gap_ms=0,
        items=(_item(play),),
        volume=play.volume,
        preemption=Preemption.REJOIN,
        late_limit_ms=0,
        event="lu" if play.cls == "emergency" else "",
    )


def _item(play: world.Play) -> ClipItem:
    """One recording of the whole length: how loops and signals lie in it is the programme's business."""
    signal_s = 6.5 if play.cls == "emergency" else 0
    duration_ms = round((play.length_s - signal_s) * 1000)
    key = ClipKey(f"{duration_ms:064d}")
    return ClipItem("Bản tin", "", "vi", "", "", key, 1_000, duration_ms, "", ("https://content.test/x",))


def _when(play: world.Play) -> When:
    if isinstance(play.when, world.At):
        return PlayNow() if play.cls == "emergency" else PlayAt(UtcMs(play.when.utc * 1000))
    rule = play.when
    return Rule(
        timezone=rule.timezone,
        first_day=date.fromisoformat(rule.first_day),
        last_day=date.fromisoformat(rule.last_day),
        weekdays=frozenset(rule.weekdays),
        times=tuple(time.fromisoformat(wall) for wall in rule.times),
        excluded=frozenset(date.fromisoformat(day) for day in rule.excluded),
    )


def policy_of(policy: world.Policy) -> LocalPolicy:
    return LocalPolicy(tuple(_clause(clause) for clause in policy.clauses), IntoQuiet(policy.into_quiet))


def _clause(clause: world.Clause) -> Clause:
    return Clause(
        classes=frozenset(JobClass(cls) for cls in clause.classes),
        zones=frozenset(ZoneId(zone) for zone in clause.zones),
        quiet=None if clause.quiet is None else (_wall(clause.quiet[0]), _wall(clause.quiet[1])),
        weekdays=frozenset(clause.weekdays) or None,
        holidays=frozenset(date.fromisoformat(day) for day in clause.holidays),
        sessions_per_day=clause.sessions_per_day,
        day_ms=None if clause.day_s is None else clause.day_s * 1000,
        session_ms=None if clause.session_s is None else clause.session_s * 1000,
        volume_bands=tuple(VolumeBand(_wall(first), _wall(end), volume) for first, end, volume in clause.volume),
    )


def _wall(text: str) -> time:
    return time.fromisoformat(text)


def _audience(zones: tuple[str, ...]) -> Audience:
    return Audience(frozenset(), frozenset({AREA}), frozenset(ZoneId(zone) for zone in zones))


def _heading(name: str, zones: tuple[str, ...], issued_s: int = 0, not_after: UtcMs = FOREVER) -> orders.Heading:
    """Signed long before it begins, where nothing is said of it; no order may be signed later than it comes."""
    issued = UtcMs(issued_s * 1000)
    return orders.Heading(JobId(name), "ubnd", "commune", 0, 1, issued, UtcMs(0), not_after, _audience(zones))


def _rule(order: orders.RuleOrder) -> orders.AcceptedRule:
    return orders.AcceptedRule(order, f"digest of {order.heading.order_id}", ("k2",), "owner")


def regulation_of(regulation: world.Regulation) -> orders.AcceptedRule:
    heading = _heading(f"regulation-{regulation.number}", ())
    heading = replace(heading, not_before=UtcMs(regulation.takes_effect * 1000))
    policy = policy_of(regulation.policy)
    return _rule(orders.Regulation(heading, regulation.number, "12/QĐ-UBND", date(2026, 1, 1), policy))


def exception_of(window: world.ExceptionWindow) -> orders.AcceptedRule:
    classes = frozenset(JobClass(cls) for cls in window.classes) or frozenset({JobClass.NORMAL, JobClass.PRIORITY})
    total_ms = None if window.total_s is None else window.total_s * 1000
    loosens = orders.Loosening(classes, window.session_s * 1000, total_ms, window.volume)
    heading = _heading(window.id, window.zones)
    return _rule(orders.Window(heading, UtcMs(window.begins * 1000), UtcMs(window.ends * 1000), "01/CV", loosens))


def silence_of(silence: world.Closure, number: int) -> orders.AcceptedRule:
    heading = _heading(f"silence-{number}", (silence.zone,))
    return _rule(orders.Window(heading, UtcMs(silence.begins * 1000), UtcMs(silence.ends * 1000), "tang", None))


def command_of(name: str, at_s: int, zone: str, action: orders.Action) -> orders.AcceptedRule:
    heading = _heading(name, (zone,), at_s, UtcMs((at_s + 120) * 1000))
    return _rule(orders.Command(heading, action))
