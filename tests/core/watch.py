"""What must hold after every single step of the core, whatever happened: one named assertion for each promise.

``Watch`` is told each event with the state before and after and what was asked for. It believes the device's reports
and nothing else, and keeps its own books, so that a slip in the core's books is seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import explain, policy
from edge_agent.core.clips import durations
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import (
    AckToken,
    Connected,
    DeviceDown,
    DeviceUp,
    Event,
    JobSaved,
    JournalFailed,
    MessageArrived,
    PlayEnded,
    RelayChanged,
    RelayFailed,
    Restored,
)
from edge_agent.core.job import Accepted, JobClass, PlayNow
from edge_agent.core.occurrence import OPEN, Phase
from edge_agent.core.programme import ATTENTION, Sound, length_ms
from edge_agent.core.schedule import next_instant
from edge_agent.core.state import CLAIMS, OccurrenceKey, State, ZonePart
from edge_agent.core.units import JobId, MonoMs, PlayId, ZoneId

SOUNDING = (Phase.ARMED, Phase.PLAYING)
WAITING = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED)


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
class Routed:
    """A programme that the device was told to play, as far as we told it."""

    cls: JobClass
    zones: frozenset[ZoneId]
    at: MonoMs


@dataclass
class Watch:
    """The books of one process life (``life``), and what outlives it (``closed_for_good``)."""

    accepted: dict[str, Accepted] = field(default_factory=dict)  # by digest: everything that verify ever let pass
    closed_for_good: set[OccurrenceKey] = field(default_factory=set)
    closed: set[OccurrenceKey] = field(default_factory=set)
    reported_on: dict[ZoneId, MonoMs] = field(default_factory=dict)
    confirmed: set[ZoneId] = field(default_factory=set)  # reported on since we told it to be
    told_on: set[ZoneId] = field(default_factory=set)
    routed: dict[PlayId, Routed] = field(default_factory=dict)
    owing: dict[AckToken, JobId | None] = field(default_factory=dict)
    acked: set[AckToken] = field(default_factory=set)
    saved: set[JobId] = field(default_factory=set)
    stopping: bool = False

    def restarted(self, closed: set[OccurrenceKey], saved: set[JobId]) -> None:
        """A new process; the journal holds records of ``closed``, and ``saved`` are the jobs that it knows."""
        Watch.__init__(self, self.accepted, closed_for_good=closed, saved=saved)

    def see(self, before: State, event: Event, now: Now, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step."""
        self._hear(event)
        self._deliveries(event)
        for effect in effects:
            assert hash(effect) is not None, "an effect is immutable data"
            self._effect(effect, event, now, effects, after)
        self._occurrences(before, effects, after)
        self._jobs_leave_with_a_record(before, event, effects, after)
        self._relays_are_claimed(after)
        self._one_play_a_zone()
        self._state_is_sound(after, now)

    # What the device says

    def _hear(self, event: Event) -> None:
        match event:
            case DeviceUp() | DeviceDown():
                self.reported_on.clear()
                self.confirmed.clear()
                self.told_on.clear()
                self.routed.clear()
            case RelayChanged(zone=zone, on=True, at=at):
                self.reported_on.setdefault(zone, at)
                self.confirmed |= {zone} & self.told_on
            case RelayChanged(zone=zone, cause=cause):
                self.reported_on.pop(zone, None)
                self.confirmed.discard(zone)
                if cause != "order":
                    self.told_on.discard(zone)  # opened by itself
            case RelayFailed(zone=zone):
                self.confirmed.discard(zone)
            case PlayEnded(play_id=play_id):
                self.routed.pop(play_id, None)
            case JobSaved(job_id=job_id):
                self.saved.add(job_id)

    # Acknowledgements

    def _deliveries(self, event: Event) -> None:
        match event:
            case MessageArrived(token=token):
                self.owing[token] = None
            case Connected():
                self.owing.clear()  # what was delivered in an earlier connection is delivered again

    def _ack(self, token: AckToken, event: Event, effects: tuple[fx.Effect, ...]) -> None:
        assert token not in self.acked, "a delivery is acknowledged once"
        self.acked.add(token)
        job_id = self.owing.pop(token, None)
        if isinstance(event, MessageArrived):
            assert event.token == token, "acknowledged another delivery"
            for answer in (effect for effect in effects if isinstance(effect, fx.SendAnswer)):
                assert answer.verdict is not fx.Verdict.ACCEPTED, "an order was accepted before it was saved"
                known = answer.verdict is fx.Verdict.KNOWN
                assert not known or answer.job_id in self.saved, "acknowledged a job that is not saved"
        else:
            assert isinstance(event, JobSaved | JournalFailed), "acknowledged before the disk had its say"
            assert job_id in (event.job_id, None), "acknowledged a delivery of another job"

    # Effects

    def _effect(self, effect: fx.Effect, event: Event, now: Now, effects: tuple[fx.Effect, ...], after: State) -> None:
        match effect:
            case fx.Ack(token=token):
                self._ack(token, event, effects)
            case fx.SwitchRelay(zone=zone, on=True):
                limit_ms = after.site.zones[zone].on_ms_max
                assert 1 <= effect.off_after_ms <= limit_ms, "a closing carries its own end, within the zone's maximum"
                self.told_on.add(zone)
            case fx.SwitchRelay(zone=zone):
                self.told_on.discard(zone)
                self.confirmed.discard(zone)
            case fx.StartPlay():
                self._start(effect, now, after)
            case fx.RoutePlay(play_id=play_id, feeds=feeds):
                assert play_id in self.routed, "routed a play that does not run"
                hearing, routed = frozenset(feed.zone for feed in feeds), self.routed[play_id]
                self._warm(hearing - routed.zones, MonoMs(max(now.mono, routed.at)), after)
                routed.zones = hearing
            case fx.StopPlay(play_id=play_id):
                assert play_id in self.routed, "stopped a play that does not run"
                del self.routed[play_id]
            case fx.CommitRecord():
                self._record(effect)
            case fx.SendAnswer(verdict=verdict, reason=reason):
                assert (reason is None) == (verdict is fx.Verdict.ACCEPTED), "every refusal has a reason, by name"

    def _start(self, start: fx.StartPlay, now: Now, after: State) -> None:
        (play,) = [play for play in after.plays.values() if play.play_id == start.play_id]
        known = after.jobs[play.job_id]
        job, zones = known.job, frozenset(feed.zone for feed in start.feeds)
        assert self.accepted.get(known.accepted.digest) == known.accepted, "sounded what was never verified"
        assert zones, "a play that nobody hears"
        assert start.play_id not in self.routed, "started a play twice"
        assert not self.stopping, "started a play while stopping"
        assert after.device_up, "started a play without a device"
        self._warm(zones, start.at, after)
        ready = durations(after, job) or {}
        for part in start.parts:
            if isinstance(part, Sound) and part.key != ATTENTION:
                assert part.key in ready, "started a play whose sound is not ready"
        if isinstance(job.when, PlayNow) and now.trusted:
            assert now.utc_of(start.at) <= job.not_after, "began after its validity"
        if job.cls is not JobClass.EMERGENCY:
            self._by_the_rules(start, now, after)
        for feed in start.feeds:
            assert feed.volume <= min(job.volume, after.site.zones[feed.zone].volume_max), "louder than a ceiling"
        self.routed[start.play_id] = Routed(job.cls, zones, start.at)

    def _by_the_rules(self, start: fx.StartPlay, now: Now, after: State) -> None:
        assert now.trusted, "a routine job sounded by a clock that is not trusted"
        at, lasts_ms, site = now.utc_of(start.at), length_ms(start.parts), after.site
        quiet = policy.touches_quiet_hours(site.policy, site.timezone, at, lasts_ms)
        assert not quiet, "a routine job sounds in quiet hours"

    def _warm(self, zones: frozenset[ZoneId], at: MonoMs, after: State) -> None:
        for zone in zones:
            assert zone in self.confirmed, "sound for a zone whose relay is not reported on"
            warm_at = self.reported_on[zone] + after.site.zones[zone].warm_up_ms
            assert at >= warm_at, "sound for an amplifier that is not warm"

    def _record(self, commit: fx.CommitRecord) -> None:
        record = commit.record
        assert (record.reason is None) == (record.outcome is Phase.SUCCEEDED), "every non-play has a reason, by name"
        assert record.outcome not in OPEN, "a record is about something that is over"
        if commit.job_over:
            self.saved.add(JobId(record.job_id))  # nothing is left to save
        if commit.closes is not None:
            assert commit.closes not in self.closed | self.closed_for_good, "one occurrence, one record"
            self.closed.add(commit.closes)

    # The state

    def _occurrences(self, before: State, effects: tuple[fx.Effect, ...], after: State) -> None:
        over = {effect.closes for effect in effects if isinstance(effect, fx.CommitRecord)}
        for key in before.plays:
            assert key in after.plays or key in over, "an occurrence vanished without its record"
        for key in after.plays:
            assert key not in self.closed | self.closed_for_good, "an occurrence that is over came back"
        jobs = [job_id for job_id, _ in after.plays]
        assert len(jobs) == len(set(jobs)), "two open occurrences of one job"

    def _jobs_leave_with_a_record(
        self, before: State, event: Event, effects: tuple[fx.Effect, ...], after: State
    ) -> None:
        if isinstance(event, Restored):
            return
        over = {effect.record.job_id for effect in effects if isinstance(effect, fx.CommitRecord) and effect.job_over}
        for job_id, known in before.jobs.items():
            if job_id in after.jobs or job_id in over:
                continue
            unsaved = isinstance(event, JournalFailed) and event.job_id == job_id
            empty = next_instant(known.job, known.base) is None
            assert unsaved or empty, "a job was forgotten in silence"

    def _relays_are_claimed(self, after: State) -> None:
        claimed = {
            zone
            for play in after.plays.values()
            if play.phase in SOUNDING
            for zone in play.zones_in(*CLAIMS, ZonePart.WAITING)
        }
        assert self.told_on <= claimed, "a relay is ordered on that nothing claims"
        ordered = {zone for zone, relay in after.relays.items() if relay.ordered_on}
        assert ordered == self.told_on, "the core does not know what it ordered"

    def _one_play_a_zone(self) -> None:
        heard = [zone for routed in self.routed.values() for zone in routed.zones]
        assert len(heard) == len(set(heard)), "two plays are routed to one zone"

    def _state_is_sound(self, after: State, now: Now) -> None:
        for value in (*after.jobs.values(), *after.clips.values(), *after.relays.values(), after.link):
            assert is_dataclass(value), "the state is plain data"
            assert hash(value) is not None, "the state is immutable"
        assert len(explain.upcoming(after, now)) == len(after.plays), "what is next can always be said"
        for token, job_id in self.owing.items():
            waiting = [job for job, tokens in after.waiting_acks.items() if token in tokens]
            assert waiting, "a delivery is neither acknowledged nor waiting for its save"
            self.owing[token] = waiting[0] if job_id is None else job_id
        for play in after.plays.values():
            assert play.phase in OPEN, "what is over is not kept"
            assert play.phase is not Phase.QUEUED or play.held_by is not None, "what waits says why"
            for run in play.zones.values():
                out = run.part in (ZonePart.OUT, ZonePart.TAKEN)
                assert not out or run.reason is not None, "a zone that does not hear has a reason"


def settled(after: State) -> None:
    """What must hold when a step has left nothing to do at this instant."""
    for play in after.plays.values():
        job = after.jobs[play.job_id].job
        waits = play.phase in (Phase.STAGED, Phase.QUEUED) and job.cls is JobClass.EMERGENCY
        if not waits or not after.device_up or after.stopping or durations(after, job) is None:
            continue
        rivals = [other for other in after.plays.values() if other.phase in SOUNDING and other.key != play.key]
        urgent = [other for other in rivals if after.jobs[other.job_id].job.cls is JobClass.EMERGENCY]
        assert any(set(play.zones) & set(other.zones) for other in urgent), "an emergency waits for less than another"
