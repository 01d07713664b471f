"""The books of what is laid down: since when each rule holds, and that whoever sounds, or closes a relay, obeys it.

Learns of rules from what was saved, released and recorded, and works out by itself how long each one holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core import order
from edge_agent.core.as_run import AsRun, RecordKind
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import Event, Restored, SavedRule
from edge_agent.core.job import Job, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Command, Regulation, Window
from edge_agent.core.policy import Rules
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State
from edge_agent.core.units import JobId, MonoMs, UtcMs, ZoneId
from tests.core.slow_disk import SlowDisk

AT_ONCE = (order.Stop, order.NextItem, order.Restart, order.SelfTest, order.Ask)
"""What is done, and then forgotten."""
FOR_A_WHILE = (order.Lock, order.AllStop, order.Pause, order.Amplify)
RULE_ENDS = {
    Phase.EXPIRED: {Reason.EXPIRED},
    Phase.CANCELLED: {Reason.CANCELLED},
    Phase.SUPERSEDED: {Reason.SUPERSEDED},
}


@dataclass
class Law:
    """A rule that holds: since ``base`` by the clock, since ``since`` by what has passed.

    ``found``: on the disk, and no signed time has told yet how long ago it began.
    """

    accepted: AcceptedRule
    base: UtcMs
    since: MonoMs
    found: bool = False

    @property
    def action(self) -> order.Action | None:
        """What a command asks for."""
        return self.accepted.order.action if isinstance(self.accepted.order, Command) else None

    def holds(self, now: Now) -> bool:
        """Whether it has neither run out nor is still ahead, as far as the clock tells."""
        for_ms = self.action.for_ms if isinstance(self.action, FOR_A_WHILE) else None
        if for_ms is not None:
            return now.mono < self.since + for_ms
        heading = self.accepted.order.heading
        ends = self.accepted.order.ends if isinstance(self.accepted.order, Window) else heading.not_after
        return now.trusted and heading.not_before <= now.utc < ends

    def learns(self, now: Now) -> None:
        """The first signed time tells how much of it had passed before this process; a later one tells nothing."""
        if self.found and now.trusted and now.signed:
            self.found, passed_ms = False, now.utc - self.base
            self.since = min(self.since, MonoMs(now.mono - passed_ms))

    def zones(self, state: State) -> frozenset[ZoneId]:
        """Those of the station that it is about."""
        wanted = self.accepted.order.heading.audience.zones
        return frozenset(zone for zone in state.site.zones if not wanted or zone in wanted)


@dataclass
class Lawbook:
    """One process life. ``fresh`` are the laws whose actions were done in the last step."""

    laws: dict[JobId, Law] = field(default_factory=dict)
    held: dict[JobId, AcceptedRule] = field(default_factory=dict)
    told: set[JobId] = field(default_factory=set)
    over: set[JobId] = field(default_factory=set)
    fresh: list[Law] = field(default_factory=list)

    def see(self, event: Event, now: Now, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step; what is over by it held until its end."""
        self.fresh = []
        if isinstance(event, Restored):
            self._found(event, now)
        for law in self.laws.values():
            law.learns(now)
        for effect in effects:
            self._effect(effect, now)
        for rule in after.rules.values():
            at_once = isinstance(rule.accepted.order, Command) and isinstance(rule.accepted.order.action, AT_ONCE)
            assert not (at_once and rule.saved and not rule.held), "what was done at once is kept"

    def _found(self, event: Restored, now: Now) -> None:
        for saved in event.rules:
            if saved.held:
                self.held[saved.accepted.order_id] = saved.accepted
            else:
                self._begins(Law(saved.accepted, saved.base, now.mono, found=True))
                self.told.add(saved.accepted.order_id)
        self.fresh = []

    def _effect(self, effect: fx.Effect, now: Now) -> None:
        match effect:
            case fx.SaveJob(saved=SavedRule(accepted=accepted, base=base, held=held)):
                if held:
                    self.held[accepted.order_id] = accepted
                elif accepted.order_id not in self.laws:
                    self._begins(Law(accepted, base, now.mono))
            case fx.ReleaseJob(job_id=order_id, base=base) if order_id in self.held:
                self._begins(Law(self.held.pop(order_id), base, now.mono))
            case fx.CommitRecord(record=record, job_over=over):
                self._record(record, over, now)
            case fx.SendAnswer(verdict=fx.Verdict.REFUSED, reason=Reason.NOT_SAVED, job_id=order_id):
                self.laws.pop(JobId(order_id), None)
                self.held.pop(JobId(order_id), None)

    def _begins(self, law: Law) -> None:
        self.laws[law.accepted.order_id] = law
        if not isinstance(law.action, order.NextItem | order.SelfTest):  # these are done after the commit
            self.fresh.append(law)

    def _record(self, record: AsRun, over: bool, now: Now) -> None:
        order_id = JobId(record.job_id)
        law = self.laws.get(order_id)
        if record.kind is RecordKind.RULE:
            assert law is not None, "a record of a rule that never held"
            assert order_id not in self.over, "a rule that was over is over again"
            tested = isinstance(law.action, order.SelfTest)
            if record.outcome is Phase.SUCCEEDED and not tested:
                assert order_id not in self.told, "a rule took effect twice"
                self.told.add(order_id)
                assert over == isinstance(law.action, AT_ONCE), "what is done at once is over with that, and only that"
                self.fresh += [law] if isinstance(law.action, order.NextItem) else []
            elif not tested:
                assert record.reason in RULE_ENDS[record.outcome], "a rule ended for no reason of a rule's"
                assert over, "a rule ended, and is not over"
                early = isinstance(law.action, FOR_A_WHILE) and law.holds(now)
                assert not (early and record.reason is Reason.EXPIRED), "a rule was over before its time"
        if over and order_id in (self.laws.keys() | self.held.keys()):
            self.over.add(order_id)
            self.laws.pop(order_id, None)
            self.held.pop(order_id, None)

    # What holds

    def holding(self, now: Now, kind: type) -> Iterator[Law]:
        """The laws of a kind of order or action that hold now: what was signed last stands last."""
        for law in sorted(self.laws.values(), key=lambda law: law.accepted.order.heading.not_before):
            if isinstance(law.action or law.accepted.order, kind) and law.holds(now):
                yield law

    def zones(self, now: Now, state: State, kind: type) -> frozenset[ZoneId]:
        """Where laws of a kind hold."""
        return frozenset(zone for law in self.holding(now, kind) for zone in law.zones(state))

    def silenced(self, now: Now, state: State) -> frozenset[ZoneId]:
        """Where a dated silence holds."""
        laws = [law for law in self.holding(now, Window) if _silences(law, now)]
        return frozenset(zone for law in laws for zone in law.zones(state))

    def stopped(self, now: Now, job: Job) -> bool:
        """Whether an all-stop keeps a job silent."""
        stops = self.holding(now, order.AllStop)
        return any(job.issued_at <= law.accepted.order.heading.issued_at for law in stops)

    def amplified(self, now: Now, state: State) -> frozenset[ZoneId]:
        """Where amplifiers are to be on, sound or no sound."""
        zones: frozenset[ZoneId] = frozenset()
        for law in self.holding(now, order.Amplify):
            assert isinstance(law.action, order.Amplify)
            zones = zones | law.zones(state) if law.action.on else zones - law.zones(state)
        return zones

    def tested(self, state: State) -> frozenset[ZoneId]:
        """Where a self-test may have a relay closed."""
        done = {order_id for order_id, law in self.laws.items() if isinstance(law.action, order.SelfTest)}
        testing = state.testing
        return frozenset() if testing is None or not done else frozenset(testing.zones)

    def rules(self, core: Rules, now: Now, state: State) -> Rules:
        """What the core takes to be laid down, but for what has sounded by this book."""
        regulations = tuple(
            law.accepted.order for law in self.laws.values() if isinstance(law.accepted.order, Regulation)
        )
        begun = [one for one in regulations if one.heading.not_before <= now.utc]
        in_force = [one for one in begun if now.utc <= one.heading.not_after or _hearsay(one.heading.not_after, now)]
        newest = max(in_force, key=lambda one: one.version, default=None)
        return Rules(
            site=state.site,
            policy=state.site.policy if newest is None else newest.policy,
            regulations=regulations,
            windows=tuple(law.accepted.order for law in self.holding(now, Window)),
            locked=dict.fromkeys(self.zones(now, state, order.Lock), UtcMs(2**60)),
            volumes=self._volumes(state),
            past=core.past,
            reserve=core.reserve,
        )

    def _volumes(self, state: State) -> Mapping[ZoneId, int]:
        volumes: dict[ZoneId, int] = {}
        for law in self.laws.values():
            if isinstance(law.action, order.SetVolume):
                volumes |= dict.fromkeys(law.zones(state), law.action.volume)
        return volumes

    # What must hold

    def obeyed(self, playing: Iterable[tuple[Job, frozenset[ZoneId], MonoMs]], now: Now, state: State) -> None:
        """Nobody sounds against what holds at the end of a step; ``playing``: who sounds, where, and from when on."""
        cancels = [law for law in self.laws.values() if isinstance(law.action, order.Cancel)]
        called_off = {(law.action.target, law.accepted.order.heading.issuer) for law in cancels}
        locked, silenced = self.zones(now, state, order.Lock), self.silenced(now, state)
        paused = self.zones(now, state, order.Pause)
        for job, hearing, at in playing:
            assert not hearing & locked, "sound in a zone that is locked"
            assert not self.stopped(now, job), "sound that was issued before the all-stop"
            assert (job.job_id, job.issuer) not in called_off, "sound of a job that was cancelled"
            if job.plays_as is not JobClass.EMERGENCY:
                assert at > now.mono or not hearing & silenced, "ordinary sound in a zone that is silenced"
                assert not hearing & paused, "what was paused sounds"
        for resume in self.holding(now, order.Resume):
            for pause in self.holding(now, order.Pause):
                older = pause.accepted.order.heading.not_before <= resume.accepted.order.heading.not_before
                assert not (older and pause.zones(state) & resume.zones(state)), "a pause holds that was ended"

    def relays(self, closed: frozenset[ZoneId], claimed: frozenset[ZoneId], now: Now, state: State) -> None:
        """Relays are closed for whoever sounds, for an amplifier that was switched on, for a self-test; no other."""
        unclaimed = closed - claimed
        assert unclaimed <= self.amplified(now, state) | self.tested(state), "a relay is ordered on that nothing claims"
        assert not closed & self.zones(now, state, order.Lock), "a relay is closed under whoever is at the horn"


def _hearsay(ends: int, now: Now) -> bool:
    """It was over before this boot by a time that nobody has signed: then it is not."""
    return not now.signed and ends < now.utc - now.mono


def _silences(law: Law, now: Now) -> bool:
    window = law.accepted.order
    return isinstance(window, Window) and window.loosens is None and window.begins <= now.utc


def ended(disk: SlowDisk, rules: Mapping[str, AcceptedRule], doubtful: set[JobId]) -> None:
    """What the disk holds when all is quiet for a week: every rule that could end is over, and in the log."""
    told = {(one.job_id, one.digest) for one in disk.told()}
    for order_id, row in disk.jobs.items():
        rule = rules.get(row.digest)
        if rule is None or order_id in doubtful:
            continue
        lasts = isinstance(rule.order, Regulation) or (
            isinstance(rule.order, Command)
            and isinstance(rule.order.action, order.SetVolume | order.Rank | order.Choose)
        )
        assert row.over or lasts, f"{order_id} was accepted, and holds for ever"
        # Of what still holds, or waits for a welcome that never came, a crash may have lost the first record.
        assert lasts or (order_id, row.digest) in told, f"{order_id} was accepted, and never heard of again"
