"""Whatever happens to the core, in whatever order, its promises hold: a machine that tries to break them.

Each example is one station's life among a journal, a device, a stager, a clock and a network that answer late, never,
twice or wrongly. ``tests/core/office.py`` says what may be ordered meanwhile, ``tests/core/watch.py`` what must hold
after every step. The suite runs a fixed number of fixed examples; ``INVARIANT_EXAMPLES=20000`` runs that many new
ones. A failure is told as it was found, for to shrink a life takes minutes; ``INVARIANT_SHRINK=1`` shrinks it.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from edge_agent.core.clock_trust import TIMETABLE_SOURCES, ClockSource
from edge_agent.core.events import (
    ClipFailed,
    ClipStaged,
    DeviceDown,
    Disconnected,
    Event,
    HeartbeatDue,
    HelloDue,
    IntentSaved,
    JobSaved,
    JournalFailed,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    PowerReported,
    RecordSaved,
    Rejected,
    RelayChanged,
    RelayFailed,
    StopAsked,
    SweepDue,
    Tick,
    TimetableReleased,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.job import LogAck
from edge_agent.core.reasons import UNAUTHENTICATED, Reason
from edge_agent.core.schedule import sounds_once
from edge_agent.core.units import DAY_MS, HOUR_MS, SECOND_MS, ClipKey, JobId, MonoMs, PlayId, UtcMs, ZoneId
from tests.core.disorder import EVERYBODY, staged
from tests.core.drafts import ELSEWHERE, NOON, TEXTS, ZONES, Draft, anything, few, often, zones
from tests.core.lawbook import ended
from tests.core.logbook import whole
from tests.core.office import URGENT, Office
from tests.trust import makers

EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "0"))
WEEK_MS = 7 * DAY_MS
LIE_S = 300_000
AGAIN = (Reason.AUDIO_UNREACHABLE, Reason.CACHE_FULL)
Mishap = Reason | ClockSource | str | DeviceDown | StopAsked
mishaps: st.SearchStrategy[Mishap] = st.sampled_from(
    (
        Reason.DEVICE_FAILED,
        Reason.AUDIO_ALTERED,
        Reason.SHUTDOWN,
        "lease",
        "max_on",
        ClockSource.DISPUTED,
        ClockSource.UNSET,
        DeviceDown("killed"),
    )
)
SIGNED = (ClockSource.SIGNED, ClockSource.DISPUTED)
NORMAL = {"class": "normal"}
NEVER = (Reason.AUDIO_ALTERED, Reason.NO_VOICE)
BYTES_MS = 100_000
# Where a failed download has cost anything it has cost more than a file.


class Ward(Office):
    """Its rules are what else may happen next; nothing here is asserted but by ``Disorder`` and ``Watch``."""

    @rule(cls=st.sampled_from((NORMAL, URGENT)), order=anything, s=st.sampled_from((1, 3, 9, 13)), how=mishaps)
    def a_programme_meets(self, cls: Draft, order: Draft, s: int, how: Mishap) -> None:
        """Or a mishap, while its amplifiers warm up or while it sounds; and a little later all is well again."""
        self._programme(order | cls | {"items": [TEXTS[1]]}, s)
        self._mishap(how)
        self._pass(s)

    def _mishap(self, how: Mishap) -> None:
        device, mono = self.world.device, self.world.now.mono
        match how:
            case Reason():
                for play_id in list(device.runs):
                    device.end(play_id, mono, how)
                self.world.oblige(self.world.obliging)
            case str():
                for zone in list(device.contacts):
                    self.world.send(device.moved_by_itself(zone, mono, how))
            case ClockSource():
                self.world.set_clock(how, self.world.true_utc, 0)
                self.world.send(Tick())
            case _:
                device.lost()
                self.world.send(how)

    # Messages and the network

    @precondition(lambda self: self.world.sent)
    @rule(back=few)
    def deliver_again(self, back: int) -> None:
        self.world.deliver(max(0, len(self.world.sent) - 1 - back))

    @rule(reason=st.sampled_from((*UNAUTHENTICATED, Reason.WRONG_AUDIENCE, Reason.OVER_LIMIT)), number=few)
    def reject(self, reason: Reason, number: int) -> None:
        self.world.arrive(Rejected(reason, "why", f"rejected {number}", f"job-{number}"))

    @rule(what=st.sampled_from(("good", "good", "wrong", "ack")), number=st.sampled_from((0, 0, 1, -1, 3_600, -3_600)))
    def server_speaks(self, what: str, number: int) -> None:
        if what == "ack":
            self.world.arrive(LogAck(self.world.disk.disk.committed.epoch, number % 8, ""), makers.ACK_TOPIC)
        else:
            self.world.welcome(what, number)

    @rule(reserve=often)
    def the_battery_is_low_or_not(self, reserve: bool) -> None:
        self.world.send(PowerReported(not reserve))

    @rule(what=st.sampled_from((None, Disconnected("gone"), HelloDue(), HeartbeatDue(), SweepDue())))
    def network(self, what: Event | None) -> None:
        if what is None:
            self.world.connect()
        else:
            self.world.send(what)

    # The journal and the stager, where they do not oblige

    @precondition(lambda self: not self.world.obliging.journal)
    @rule(count=st.integers(0, 6), take=often, index=few)
    def journal(self, count: int, take: bool, index: int) -> None:
        """A transaction, taken or refused; then one of the answers that wait, in any order."""
        if take:
            self.world.disk.commit(count)
        else:
            self.world.disk.refuse(count)
        answers = self.world.disk.answers
        if answers:
            answers.rotate(-(index % len(answers)))
            self.world.send(answers.popleft())

    @rule(count=st.integers(1, 6))
    def disk_refuses(self, count: int) -> None:
        """Also a disk that else obliges."""
        self.world.disk.refuse(count)

    @precondition(lambda self: self.world.staging)
    @rule(index=few, reason=st.sampled_from((None, None, *AGAIN, *NEVER)), longer_ms=st.sampled_from((0, 0, 900)))
    def stage(self, index: int, reason: Reason | None, longer_ms: int) -> None:
        order = self.world.staging.pop(index % len(self.world.staging))
        failed = reason and ClipFailed(order.key, reason, again=reason in AGAIN, came_bytes=longer_ms * BYTES_MS)
        self.world.send(failed or staged(order, longer_ms))

    # The device

    @rule(up=often)
    def device_restarts(self, up: bool) -> None:
        if up:
            self.world.device_up()
        else:
            self.world.device.lost()
            self.world.send(DeviceDown("gone"))

    @precondition(lambda self: not self.world.obliging.device)
    @rule(orders=st.integers(0, 6), reports=st.integers(0, 6), broken=st.sampled_from((False, False, False, True)))
    def device_works(self, orders: int, reports: int, broken: bool) -> None:
        device, now = self.world.device, self.world.now.mono
        for _ in range(min(orders, len(device.orders))):
            device.work(now, broken=broken)
        device.play(now)
        for _ in range(min(reports, len(device.reports))):
            self.world.send(device.reports.popleft())

    @precondition(lambda self: self.world.device.runs)
    @rule(index=few, reason=st.sampled_from((Reason.DEVICE_FAILED, Reason.AUDIO_ALTERED, Reason.SHUTDOWN)))
    def play_fails(self, index: int, reason: Reason) -> None:
        runs = list(self.world.device.runs)
        self.world.device.end(runs[index % len(runs)], self.world.now.mono, reason)
        self.world.oblige(self.world.obliging)

    @precondition(lambda self: self.world.device.runs)
    @rule(index=few, zone=zones, at_once=often)
    def card_fails(self, index: int, zone: ZoneId, at_once: bool) -> None:
        """One of several: its zone is lost to a programme that goes on; it may be one that does not hear it."""
        device = self.world.device
        runs = list(device.runs)
        report = device.lose(runs[index % len(runs)], zone, self.world.now.mono)
        if at_once:
            self.world.send(report)
        else:
            device.reports.append(report)

    @rule(zone=zones, cause=st.sampled_from(("lease", "max_on", None)), at_once=often)
    def relay_fails(self, zone: ZoneId, cause: str | None, at_once: bool) -> None:
        """It opens by itself, or is found faulty; reported at once or after what waits."""
        device = self.world.device
        moved = cause and device.moved_by_itself(zone, self.world.now.mono, cause)
        report = moved or RelayFailed(zone, "stuck")
        if at_once or not device.up:
            self.world.send(report)
        else:
            device.reports.append(report)

    # What makes no sense

    @rule(
        zone=st.sampled_from((*ZONES, ELSEWHERE)), on=st.booleans(), cause=st.sampled_from(("order", "lease")), ago=few
    )
    def senseless_relay(self, zone: ZoneId, on: bool, cause: str, ago: int) -> None:
        self.world.device.unsure.add(zone)
        self.world.send(RelayChanged(zone, on, cause, MonoMs(self.world.now.mono - ago)))

    @rule(back=few, kind=few, named=often)
    def senseless_play(self, back: int, kind: int, named: bool) -> None:
        plays = self.world.plays
        play_id = plays[-1 - back % len(plays)] if plays and named else PlayId("")
        zone_ms, mono = dict.fromkeys((*ZONES, ELSEWHERE), 700), self.world.now.mono
        events: tuple[Event, ...] = (
            PlayStarted(play_id, mono),
            PlayProgress(play_id, zone_ms, 1),
            ZonesLost(play_id, (*ZONES, ELSEWHERE)[kind % 3 :], Reason.DEVICE_FAILED),
            PlayEnded(play_id, zone_ms, 33_600, 1, mono, None),
            PlayEnded(play_id, {}, 0, 0, mono, Reason.DEVICE_FAILED),
            ZoneHeard((*ZONES, ELSEWHERE)[back % (len(ZONES) + 1)], named, -20),
        )
        event = events[kind % len(events)]
        if isinstance(event, PlayEnded):
            self.world.device.runs.pop(play_id, None)
        self.world.send(event)

    @rule(number=few, kind=st.integers(0, 6), durable=st.booleans(), key=st.sampled_from("12345"), rule=st.booleans())
    def senseless_answer(self, number: int, kind: int, durable: bool, key: str, rule: bool) -> None:
        job_id, clip = JobId(f"rule-{number}" if rule else f"job-{number}"), ClipKey(key * 64)
        planned = next((planned for job, planned in self.world.state.plays if job == job_id), NOON)
        events: tuple[Event, ...] = (
            JobSaved(job_id),
            TimetableReleased(job_id),
            JournalFailed("save job", job_id, "full"),
            IntentSaved(job_id, planned, durable),
            RecordSaved(number),
            ClipStaged(clip, 5_000),
            ClipFailed(clip, Reason.AUDIO_ALTERED, again=durable),
        )
        self.world.lied_about.add(job_id)
        self.world.send(events[kind])

    # Time

    @rule(ms=st.sampled_from((1, 50, 250, 1_000, 2_500)))
    def a_moment_passes(self, ms: int) -> None:
        self.world.let_pass(ms, awake=True)

    @rule(seconds=st.sampled_from((5, 11, 61, 300, 1_800)), awake=often)
    def time_passes(self, seconds: int, awake: bool) -> None:
        self.world.let_pass(seconds * SECOND_MS, awake=awake)

    @rule(hours=st.sampled_from((1, 7, 24, 72)), awake=often)
    def long_time_passes(self, hours: int, awake: bool) -> None:
        self.world.send(Disconnected("its hellos would be all that happens"))
        self.world.let_pass(hours * HOUR_MS, awake=awake)

    @rule()
    def the_next_wake_comes(self) -> None:
        self.world.next_wake()

    @rule(
        source=st.sampled_from((*[ClockSource.NTP] * 6, *ClockSource)),
        skew_s=st.sampled_from((0, 0, 0, 1, -1, 90, -90, 40_000, -40_000, LIE_S)),
        error_ms=st.sampled_from((0, 100, 60_000, 60_000, 60_000, 121_000)),
        signed=st.booleans(),
    )
    def clock(self, source: ClockSource, skew_s: int, error_ms: int, signed: bool) -> None:
        utc = UtcMs(self.world.true_utc + skew_s * SECOND_MS)
        if skew_s == LIE_S:  # who signs does not lie by days
            source, signed = ClockSource.NTP if source in SIGNED else source, False
        self.world.set_clock(source, utc, error_ms, signed=source in SIGNED or (signed and source in TIMETABLE_SOURCES))

    # Everybody at once

    @rule(ms=st.sampled_from((0, 200, 3_000, 60_000)))
    def everybody_obliges_for_a_while(self, ms: int) -> None:
        self.world.oblige()
        self.world.let_pass(ms, awake=True)
        self.world.oblige()

    @precondition(lambda self: self.world.old)
    @rule()
    def stop(self) -> None:
        self.world.send(StopAsked())

    @precondition(lambda self: self.world.old or self.world.state.stopping)
    @rule(written=few, up=often)
    def restart(self, written: int, up: bool) -> None:
        self.world.disk.commit(written)
        self.world.boot()
        if up:
            self.world.device_up()

    def teardown(self) -> None:
        """A week in which everybody obliges and the clock is good: whatever was accepted is over, and in the log."""
        world = self.world
        if world.broken:
            return
        world.obliging = EVERYBODY
        world.oblige()  # what a disk or a device still owes may begin something that lasts
        if world.state.stopping:
            world.boot()
        world.send(Disconnected("silence"))
        world.set_clock(ClockSource.NTP, world.true_utc, 10)
        world.let_pass(WEEK_MS, awake=True)
        world.oblige()
        assert not [key for key in world.state.plays if sounds_once(world.state.jobs[key[0]].job)], "it never ended"
        whole(world.disk, world.watch.accepted, world.lied_about, world.watch.again.ever)
        ended(world.disk, world.rules, world.lied_about)


TestWard = Ward.TestCase
TestWard.settings = settings(
    max_examples=EXAMPLES or 40,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[
        phase for phase in Phase if phase not in (Phase.explain, Phase.shrink) or os.environ.get("INVARIANT_SHRINK")
    ],
)
