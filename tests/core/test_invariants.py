"""Whatever happens to the core, in whatever order, its promises hold: a machine that tries to break them.

Each example is one station's life among a journal, a device, a stager, a clock and a network that answer late, never,
twice or wrongly. ``tests/core/watch.py`` says what must hold after every step. The suite runs a fixed number of fixed
examples; ``INVARIANT_EXAMPLES=20000`` runs that many new ones. A failure is told as it was found, for to shrink a life
takes minutes; ``INVARIANT_SHRINK=1`` shrinks it.
"""

from __future__ import annotations

import os
from dataclasses import replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from edge_agent.core.clock_trust import ClockSource
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
    RecordSaved,
    Rejected,
    RelayChanged,
    RelayFailed,
    StopAsked,
    SweepDue,
    Tick,
)
from edge_agent.core.job import LogAck
from edge_agent.core.order import AcceptedRule, RuleOrder
from edge_agent.core.reasons import UNAUTHENTICATED, Reason
from edge_agent.core.schedule import sounds_once
from edge_agent.core.site import Site
from edge_agent.core.units import DAY_MS, HOUR_MS, SECOND_MS, ClipKey, JobId, MonoMs, PlayId, UtcMs, ZoneId
from tests.core.disorder import EVERYBODY, Disorder, Obliging, staged
from tests.core.drafts import (
    CLIPS,
    ELSEWHERE,
    NOON,
    SITES,
    STARTS,
    TEXTS,
    ZONES,
    Draft,
    alarms,
    anything,
    commands,
    few,
    items,
    often,
    pauses,
    regulations,
    routine,
    signed_command,
    signed_job,
    signed_regulation,
    signed_window,
    some_zones,
    texts,
    timetable,
    windows,
    zones,
)
from tests.core.lawbook import ended
from tests.core.logbook import whole
from tests.trust import makers

EXAMPLES = int(os.environ.get("INVARIANT_EXAMPLES", "0"))
WEEK_MS = 7 * DAY_MS
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
NORMAL = {"class": "normal"}
URGENT = {"class": "emergency", "event": "lu"}
NEVER = (Reason.AUDIO_ALTERED, Reason.NO_VOICE)


class Ward(RuleBasedStateMachine):
    """Rules are what may happen next; nothing here is asserted but by ``Disorder`` and ``Watch``."""

    @initialize(
        site=st.sampled_from(SITES),
        utc=st.sampled_from(STARTS),
        welcome=often,
        device=often,
        obliging=st.builds(Obliging, journal=often, stager=often, device=often),
    )
    def begin(self, site: Site, utc: UtcMs, welcome: bool, device: bool, obliging: Obliging) -> None:
        self.world = Disorder(site, utc, obliging)
        self.orders = 0
        self.targets: list[str] = []
        if device:
            self.world.device_up()
        if welcome:
            self.world.connect()
            self.world.welcome("good", 0)

    # Orders

    @rule(cls=routine, order=anything, items=items, new=often)
    def order_now(self, cls: str, order: Draft, items: list[Draft], new: bool) -> None:
        self._order(order | {"class": cls, "items": items, "when": {"kind": "now"}}, new)

    @rule(cls=routine, order=anything, items=items, new=often, in_s=st.integers(-15, 150))
    def order_soon(self, cls: str, order: Draft, items: list[Draft], new: bool, in_s: int) -> None:
        at = self.world.true_utc + in_s * SECOND_MS
        self._order(order | {"class": cls, "items": items, "when": {"kind": "at", "utc": at}, "valid_s": 10_800}, new)

    @rule(cls=routine, order=anything, items=items, new=often, in_s=st.sampled_from((30, 90, 3_600)))
    def order_a_timetable(self, cls: str, order: Draft, items: list[Draft], new: bool, in_s: int) -> None:
        when = timetable(UtcMs(self.world.true_utc + in_s * SECOND_MS))
        self._order(order | {"class": cls, "items": items, "when": when, "valid_s": 30 * 86_400}, new)

    @rule(order=anything, alarm=alarms, items=st.lists(texts, min_size=1, max_size=2), new=often)
    def order_an_emergency(self, order: Draft, alarm: Draft, items: list[Draft], new: bool) -> None:
        self._order(order | alarm | URGENT | {"items": items, "when": {"kind": "now"}}, new)

    @rule(order=anything, in_s=st.sampled_from((5, 30, 90)), all_clear=st.sampled_from((0, 0, 1)))
    def rehearse(self, order: Draft, in_s: int, all_clear: int) -> None:
        when = {"kind": "at", "utc": self.world.true_utc + in_s * SECOND_MS}
        drill = URGENT | {"rehearsal": True, "items": TEXTS[:1], "when": when, "valid_s": 10_800, "from_s": 0}
        self._order(order | drill | {"all_clear": all_clear}, new=True)

    @rule(order=anything, versions=st.lists(st.integers(1, 3), min_size=2, max_size=3), cleared=few, then_s=few)
    def order_a_series(self, order: Draft, versions: list[int], cleared: int, then_s: int) -> None:
        """Several versions of one alert, in some order, and perhaps the end of it."""
        self._all_is_well()
        alert = order | URGENT | {"items": TEXTS[:1], "series": f"so-tan-{self.orders}", "per_day": 0}
        for version in versions:
            self._programme(alert | {"version": version, "every_s": 60}, 3 * then_s)
        if cleared < 3:
            self._programme(alert | {"version": 4 - cleared, "all_clear": 1}, 10)

    @rule(cls=routine, order=anything, zones=some_zones, wait_s=few, then_s=few)
    def a_correction_follows(self, cls: str, order: Draft, zones: list[ZoneId], wait_s: int, then_s: int) -> None:
        """What it corrects waits, sounds, or has sounded."""
        self._all_is_well()
        self._programme(order | {"class": cls, "items": [TEXTS[0]]}, 3 * wait_s)
        self._programme(order | {"class": cls, "zones": zones, "items": [TEXTS[1]], "corrects": 1}, 3 * then_s)

    # Rules

    @rule(draft=commands, new=often)
    def command(self, draft: Draft, new: bool) -> None:
        self._lay_down(signed_command(draft, self._next_rule(new), self.targets, self.world.true_utc))

    @rule(draft=windows, new=often)
    def order_a_window(self, draft: Draft, new: bool) -> None:
        self._lay_down(signed_window(draft, self._next_rule(new), self.world.true_utc))

    @rule(draft=regulations)
    def regulate(self, draft: Draft) -> None:
        self._lay_down(signed_regulation(draft, self._next_rule(new=True), self.world.true_utc))

    @rule(cls=routine, order=anything, s=st.sampled_from((1, 3, 13)), draft=commands, then=commands, then_s=pauses)
    def a_programme_is_commanded(self, cls: str, order: Draft, s: int, draft: Draft, then: Draft, then_s: int) -> None:
        """While its amplifiers warm up, or while it sounds; and a little later something else is commanded."""
        self._all_is_well()
        self._programme(order | {"class": cls, "items": [CLIPS[1], TEXTS[0]]}, s)
        for each in (draft, then):
            self._command_now(each)
            self._pass(then_s)

    @rule(cls=routine, order=anything, draft=commands)
    def an_offer_is_chosen(self, cls: str, order: Draft, draft: Draft) -> None:
        at = {"kind": "at", "utc": self.world.true_utc + 600 * SECOND_MS}
        self._order(order | {"class": cls, "items": [CLIPS[0]], "when": at, "valid_s": 900, "offered": True}, new=True)
        self.world.oblige()
        self._command_now(draft | {"what": "choose", "back": 0})

    def _command_now(self, draft: Draft) -> None:
        """A good command, and everybody does his part."""
        good = draft | {"issuer": makers.ISSUER, "skew_s": 0}
        self._lay_down(signed_command(good, self._next_rule(new=True), self.targets, self.world.true_utc))
        self.world.oblige()

    def _next_rule(self, new: bool) -> str:
        self.orders += new
        return f"rule-{self.orders}"

    def _lay_down(self, order: RuleOrder) -> None:
        self.targets.append(order.heading.order_id)
        self.world.arrive(AcceptedRule(order, f"digest {len(self.world.sent)}", ("k1",), "ward"))

    @rule(cls=routine, order=anything, flooded=st.sets(zones, min_size=1), wait_s=few, then_s=pauses, draft=commands)
    def an_emergency_cuts_in(
        self, cls: str, order: Draft, flooded: set[ZoneId], wait_s: int, then_s: int, draft: Draft
    ) -> None:
        """What single rules seldom bring about: a long programme plays, an emergency takes some of its zones, or all.

        When that is over, the programme goes on; something may be commanded then.
        """
        self._all_is_well()
        self._programme(order | {"class": cls, "zones": [], "items": [CLIPS[2]]}, 10 + wait_s)
        self._programme(order | URGENT | {"zones": sorted(flooded), "items": [TEXTS[0]]}, then_s)
        if wait_s < 3:
            self._command_now(draft)
            self._pass(then_s)

    @rule(cls=st.sampled_from((NORMAL, URGENT)), order=anything, s=st.sampled_from((1, 3, 9, 13)), how=mishaps)
    def a_programme_meets(self, cls: Draft, order: Draft, s: int, how: Mishap) -> None:
        """Or a mishap, while its amplifiers warm up or while it sounds; and a little later all is well again."""
        self._programme(order | cls | {"items": [TEXTS[1]]}, s)
        self._mishap(how)
        self._pass(s)

    def _programme(self, order: Draft, passes_s: int) -> None:
        """Something for now is ordered, and everybody does his part for a while."""
        self._order(order | {"when": {"kind": "now"}, "from_s": 0, "valid_s": 600}, new=True)
        self.world.oblige()
        self._pass(passes_s)

    def _pass(self, s: int) -> None:
        self.world.let_pass(s * SECOND_MS, awake=True)
        self.world.oblige()

    def _all_is_well(self) -> None:
        """Mostly: a station that runs, knows the time and has been welcomed, on a device that answers."""
        if self.orders % 8 == 7:
            return
        if self.world.state.stopping:
            self.world.boot()
        self.world.set_clock(ClockSource.NTP, self.world.true_utc, 10)
        if not self.world.state.device_up:
            self.world.device_up()
        if not self.world.state.welcomed:
            self.world.connect()
            self.world.welcome("good", 0)
        self.world.oblige()

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

    def _order(self, order: Draft, new: bool) -> None:
        """Sign it as it is; where it is not ``new``, under an id that may have been used for something else."""
        self.orders += new
        made = signed_job(order, self.orders, self.world.true_utc)
        self.targets.append(made.order_id)
        self.world.arrive(replace(made, digest=f"digest {len(self.world.sent)}"))

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
        failed = reason and ClipFailed(order.key, reason, again=reason in AGAIN)
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
            PlayEnded(play_id, zone_ms, 33_600, 1, mono, None),
            PlayEnded(play_id, {}, 0, 0, mono, Reason.DEVICE_FAILED),
        )
        event = events[kind % len(events)]
        if isinstance(event, PlayEnded):
            self.world.device.runs.pop(play_id, None)
        self.world.send(event)

    @rule(number=few, kind=few, durable=st.booleans(), key=st.sampled_from("12345"), rule=st.booleans())
    def senseless_answer(self, number: int, kind: int, durable: bool, key: str, rule: bool) -> None:
        job_id, clip = JobId(f"rule-{number}" if rule else f"job-{number}"), ClipKey(key * 64)
        planned = next((planned for job, planned in self.world.state.plays if job == job_id), NOON)
        events: tuple[Event, ...] = (
            JobSaved(job_id),
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
        skew_s=st.sampled_from((0, 0, 0, 1, -1, 90, -90, 40_000, -40_000)),
        error_ms=st.sampled_from((0, 100, 60_000, 60_000, 60_000, 121_000)),
    )
    def clock(self, source: ClockSource, skew_s: int, error_ms: int) -> None:
        self.world.set_clock(source, UtcMs(self.world.true_utc + skew_s * SECOND_MS), error_ms)

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
        if world.state.stopping:
            world.boot()
        world.send(Disconnected("silence"))
        world.obliging = EVERYBODY
        world.set_clock(ClockSource.NTP, world.true_utc, 10)
        world.let_pass(WEEK_MS, awake=True)
        world.oblige()
        assert not [key for key in world.state.plays if sounds_once(world.state.jobs[key[0]].job)], "it never ended"
        whole(world.disk, world.watch.accepted, world.lied_about)
        ended(world.disk, world.rules, world.lied_about)


TestWard = Ward.TestCase
TestWard.settings = settings(
    max_examples=EXAMPLES or 150,
    stateful_step_count=60,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[
        phase for phase in Phase if phase not in (Phase.explain, Phase.shrink) or os.environ.get("INVARIANT_SHRINK")
    ],
)
