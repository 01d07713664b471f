"""What must hold after every single step of the core, whatever happened: one named assertion for each promise.

``Watch`` is told each event with the state before and after and what was asked for. It keeps its own books
(``deliveries``, ``logbook``, ``lawbook``, ``alerts``, ``street``), so that a slip in the core's books is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import explain
from edge_agent.core.clips import durations
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import Event, JournalFailed, Restored
from edge_agent.core.job import Accepted, JobClass, Rule
from edge_agent.core.occurrence import OPEN, Phase
from edge_agent.core.plays import Occurrence, OccurrenceKey, ZonePart
from edge_agent.core.schedule import next_instant, repeats, valid_until
from edge_agent.core.state import State, Unproven
from edge_agent.core.units import JobId, ZoneId
from tests.core.again import Again
from tests.core.alerts import Alerts
from tests.core.deliveries import Deliveries
from tests.core.lawbook import Lawbook
from tests.core.logbook import Logbook
from tests.core.street import SOUNDING, Street

EXPLAINED_EVERY = 8
# Steps. To say of everything what comes of it costs as much as to live it; what cannot be said now cannot be said soon.


def frozen(state: State) -> State:
    """The same state with every mapping read-only: whoever changes it instead of copying it raises TypeError."""
    changes: dict[str, Any] = {
        each.name: MappingProxyType(value)
        for each in fields(state)
        if isinstance(value := getattr(state, each.name), dict)
    }
    plays = {key: replace(play, zones=MappingProxyType(dict(play.zones))) for key, play in state.plays.items()}
    return replace(state, **{**changes, "plays": MappingProxyType(plays)})


@dataclass
class Durable:
    """What the journal holds at a boot: occurrences that are over or were heard, and the jobs that it knows."""

    closed: set[OccurrenceKey] = field(default_factory=set)
    heard: set[OccurrenceKey] = field(default_factory=set)
    jobs: set[JobId] = field(default_factory=set)


class Watch:
    """Looks at one process life after the other."""

    def __init__(self) -> None:
        self.accepted: dict[str, Accepted] = {}
        self.sent: dict[JobId, set[ZoneId]] = {}
        self.again = Again()
        self.witnessed: set[JobId] = set()
        self._steps = 0
        self.restarted(Durable())

    def restarted(self, durable: Durable) -> None:
        """A new process knows what is durable, and nothing else."""
        self.logbook = Logbook(self.accepted, durable.closed - self.again.due)
        self.deliveries = Deliveries(saved=set(durable.jobs))
        self.lawbook = Lawbook()
        self.alerts = Alerts(self.accepted, self.sent)
        self.street = Street(self.accepted, self.lawbook, self.alerts, set(durable.heard), self.witnessed)

    def see(self, before: State, event: Event, now: Now, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step."""
        for effect in effects:
            assert hash(effect) is not None, "an effect is immutable data"
        self.logbook.closed -= self.again.see(before, now, effects, after)
        self.lawbook.see(event, now, effects, after)
        self.alerts.see(event, effects)
        self.logbook.see(before, event, effects, after)
        self.deliveries.see(event, effects, after)
        self.street.see(event, now, effects, after)
        self._occurrences(before, effects, after)
        if not isinstance(event, Restored):
            _jobs_leave_with_a_record(before, event, effects, after)
        _state_is_sound(after)
        if self._steps % EXPLAINED_EVERY == 0:
            assert len(explain.upcoming(after, now)) == len(after.plays), "what is next can always be said"
        self._steps += 1

    def _occurrences(self, before: State, effects: tuple[fx.Effect, ...], after: State) -> None:
        over = {effect.closes for effect in effects if isinstance(effect, fx.CommitRecord)}
        offered = {job_id for job_id, known in after.jobs.items() if known.offered}  # nothing of it is planned any more
        anew = {
            key
            for key, play in before.plays.items()
            if (before.unsigned or after.unsigned) and _may_be_planned_anew(play, after)
        }
        for key, play in before.plays.items():
            waits = not play.was_heard and _waits_again(play.job_id, before, after)
            gone = key in over or key[0] in offered or key in anew or waits
            assert key in after.plays or gone, "an occurrence vanished without its record"
        for key in after.plays:
            assert key not in self.logbook.closed, "an occurrence that is over came back"
        jobs = [job_id for job_id, _ in after.plays]
        assert len(jobs) == len(set(jobs)), "two open occurrences of one job"


def _jobs_leave_with_a_record(before: State, event: Event, effects: tuple[fx.Effect, ...], after: State) -> None:
    over = {effect.record.job_id for effect in effects if isinstance(effect, fx.CommitRecord) and effect.job_over}
    for job_id in before.jobs.keys() - after.jobs.keys() - over:
        known = before.jobs[job_id]
        unsaved = isinstance(event, JournalFailed) and event.job_id == job_id
        assert unsaved or next_instant(known.job, known.base) is None, "a job was forgotten in silence"


def _may_be_planned_anew(play: Occurrence, after: State) -> bool:
    """Nothing of it has sounded, and its job is still there: by another time, another instant is next."""
    unheard = play.phase is not Phase.PLAYING and not play.was_heard
    return unheard and play.job_id in after.jobs and isinstance(after.jobs[play.job_id].job.when, Rule)


def _waits_again(job_id: JobId, before: State, after: State) -> bool:
    """A warning that was to sound without a time, and that something has overtaken which waits for the time as well."""
    known = after.jobs.get(job_id)
    return before.jobs[job_id].unproven is Unproven.SOUNDS and known is not None and known.unproven is None


def _state_is_sound(after: State) -> None:
    for value in (*after.jobs.values(), *after.clips.values(), *after.relays.values(), after.link):
        assert is_dataclass(value), "the state is plain data"
        assert hash(value) is not None, "the state is immutable"
    for play in after.plays.values():
        assert play.phase in OPEN, "what is over is not kept"
        assert play.phase is not Phase.QUEUED or play.held_by is not None, "what waits says why"
        urgent = after.jobs[play.job_id].job.plays_as is JobClass.EMERGENCY
        assert not urgent or not play.zones_in(ZonePart.TAKEN), "an equal took over"
        for run in play.zones.values():
            out = run.part in (ZonePart.OUT, ZonePart.TAKEN)
            assert not out or run.reason is not None, "a zone that does not hear has a reason"


def settled(after: State, now: Now) -> None:
    """What must hold when a step has left nothing to do at this instant: an emergency waits for no lesser thing."""
    for play in after.plays.values():
        job = after.jobs[play.job_id].job
        waits = play.phase in (Phase.STAGED, Phase.QUEUED) and job.plays_as is JobClass.EMERGENCY
        waits &= now.mono >= play.again_at  # what failed before waits for its last try
        waits &= not repeats(job) or play.phase is Phase.QUEUED  # a repetition waits for its instant
        waits &= now.signed or valid_until(job) >= now.utc - now.mono  # else it is over, by hearsay
        if not waits or not after.device_up or after.stopping or durations(after, job) is None:
            continue
        rivals = [other for other in after.plays.values() if other.phase in SOUNDING and other.key != play.key]
        urgent = [other for other in rivals if after.jobs[other.job_id].job.plays_as is JobClass.EMERGENCY]
        assert any(set(play.zones) & set(other.zones) for other in urgent), "an emergency waits for less than another"
