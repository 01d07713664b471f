"""The books of records: one for each occurrence, about the right zones, claiming what was reported and no more."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from itertools import pairwise

from edge_agent.core import effects as fx
from edge_agent.core.as_run import AsRun, Evidence, RecordKind, ZoneAsRun
from edge_agent.core.events import Event, Mark, PlayEnded, PlayProgress, PlayStarted, RelayChanged, Restored
from edge_agent.core.job import Accepted, Job, JobClass, PlayNow
from edge_agent.core.occurrence import OUTCOMES, Phase
from edge_agent.core.plays import GoesOn, Occurrence, OccurrenceKey
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import next_instant, repeats, sounds_once
from edge_agent.core.state import State
from edge_agent.core.units import JobId, UtcMs, ZoneId
from tests.core.slow_disk import SlowDisk
from tests.turn_ears import as_ordered

HELD_BACK = {
    Reason.ZONES_BUSY,
    Reason.DEVICE_FAILED,
    Reason.RELAY_FAILED,
    Reason.CLOCK_NOT_TRUSTED,
    Reason.PAUSED,
}
RULES = {
    Reason.HOLIDAY,
    Reason.WEEKDAY_MASK,
    Reason.QUIET_HOURS,
    Reason.SESSION_TOO_LONG,
    Reason.SESSIONS_PER_DAY,
    Reason.MINUTES_PER_DAY,
    Reason.LIVE_MINUTES_PER_DAY,
    Reason.OUTSIDE_EXCEPTION,
    Reason.ZONE_LOCKED,
    Reason.ZONE_SILENCED,
    Reason.BATTERY_RESERVE,
    Reason.ALL_STOPPED,
    Reason.STOPPED,
    Reason.OVER_LIMIT,
    Reason.TOO_MUCH_SOUND,
    Reason.NOT_HEARD_HERE,
    Reason.EMERGENCY_IN_FORCE,
}
TAKEN_BACK = {Reason.CANCELLED, Reason.SUPERSEDED, Reason.CORRECTED}
SET_ASIDE = {Reason.SKIPPED, Reason.AUDIO_ALTERED}
AUDIO = {
    Reason.AUDIO_UNREACHABLE,
    Reason.AUDIO_ALTERED,
    Reason.AUDIO_UNREADABLE,
    Reason.AUDIO_TOO_LONG,
    Reason.AUDIO_TOO_SHORT,
    Reason.AUDIO_SILENT,
    Reason.NO_VOICE,
    Reason.CACHE_FULL,
    Reason.BYTES_PER_DAY,
}
WHY: dict[Phase, set[Reason | None]] = {
    Phase.SUCCEEDED: {None},
    Phase.FAILED: {*AUDIO, Reason.LIVE_UNREACHABLE, Reason.RELAY_FAILED, Reason.DEVICE_FAILED},
    Phase.EXPIRED: {Reason.EXPIRED, *HELD_BACK},
    Phase.REJECTED: {*RULES, Reason.NOT_YET_VALID},
    Phase.MISSED: {Reason.MISSED, *HELD_BACK},
    Phase.INTERRUPTED: {
        Reason.PREEMPTED,
        Reason.POWER_CUT,
        Reason.SHUTDOWN,
        *SET_ASIDE,
        *RULES,
        *TAKEN_BACK,
        *HELD_BACK,
    },
    Phase.CANCELLED: {Reason.CANCELLED, Reason.CORRECTED, Reason.ID_REUSED},
    Phase.SUPERSEDED: {Reason.SUPERSEDED},
}
"""Which reasons an occurrence's outcome may have (docs/protocol.md, section 8).

What was set aside and could not go on was interrupted by whatever kept it from that.
"""


@dataclass
class Logbook:
    """One process life. ``accepted`` is everything that verify ever let pass, by digest."""

    accepted: dict[str, Accepted]
    closed: set[OccurrenceKey]  # have their record
    began: set[OccurrenceKey] = field(default_factory=set)
    sounded_before: set[OccurrenceKey] = field(default_factory=set)  # as the disk has it: in a process that ended
    counted: dict[OccurrenceKey, dict[int, dict[ZoneId, int]]] = field(default_factory=dict)  # of each segment
    lasts: dict[OccurrenceKey, int] = field(default_factory=dict)  # what its first segment was to last
    all_out: set[OccurrenceKey] = field(default_factory=set)  # the last sample was reported out
    let_go: set[OccurrenceKey] = field(
        default_factory=set
    )  # told to go on later, or with its next item, if there is one
    reported_on: set[ZoneId] = field(default_factory=set)

    def see(self, before: State, event: Event, effects: tuple[fx.Effect, ...], after: State) -> None:
        """Look at one step."""
        self._hear(before, event)
        for effect in effects:
            if isinstance(effect, fx.CommitRecord):
                self._record(effect, before)
            elif isinstance(effect, fx.StartPlay):
                (play,) = [play for play in after.plays.values() if play.play_id == effect.play_id]
                if play.segment == 0:
                    self.lasts[play.key] = length_ms(as_ordered(effect.parts))

    def _hear(self, before: State, event: Event) -> None:
        if isinstance(event, RelayChanged) and event.on:
            self.reported_on.add(event.zone)
        if isinstance(event, Restored):
            self.sounded_before = {(one.job_id, one.planned) for one in event.marks if one.mark is Mark.FIRST_SAMPLE}
        if not isinstance(event, PlayStarted | PlayProgress | PlayEnded):
            return
        for play in before.plays.values():
            if play.phase is not Phase.PLAYING or play.play_id != event.play_id:
                continue
            if isinstance(event, PlayStarted):
                self.began.add(play.key)
                continue
            segments = self.counted.setdefault(play.key, {})
            segments[play.segment] = segments.get(play.segment, {}) | dict(event.zone_ms)
            if isinstance(event, PlayEnded) and event.reason is None:
                self.all_out.add(play.key)
            if isinstance(event, PlayEnded) and _goes_on(play):
                self.let_go.add(play.key)

    def _record(self, commit: fx.CommitRecord, before: State) -> None:
        record = commit.record
        assert record.outcome in OUTCOMES, "a record is about something that is over"
        assert (record.reason is None) == (record.outcome is Phase.SUCCEEDED), "every non-play has a reason, by name"
        if commit.closes is None:
            assert record.kind is not RecordKind.PLAY, "what sounded, or should have, closes its occurrence"
            assert not record.zones, "what was refused had no zones"
            return
        assert commit.closes not in self.closed, "one occurrence, one record"
        self.closed.add(commit.closes)
        self._of_play(record, commit.closes, before)
        if record.outcome is Phase.SUCCEEDED:
            nothing_left = commit.closes in self.let_go or _goes_on(before.plays[commit.closes])
            assert commit.closes in self.all_out or nothing_left, "it succeeded, and the device had not said so"

    def _of_play(self, record: AsRun, key: OccurrenceKey, before: State) -> None:
        job = self.accepted[record.digest].job
        assert (record.kind, record.job_id, record.planned) == (RecordKind.PLAY, *key), "about another occurrence"
        assert job.job_id == record.job_id, "signed under another id"
        assert record.reason in WHY[record.outcome], f"{record.outcome} for {record.reason}"
        wanted = [zone for zone in before.site.zones if not job.audience.zones or zone in job.audience.zones]
        told = [one.zone for one in record.zones]
        sets_right = job.all_clear or job.corrects  # where it was heard, which is not everywhere
        assert told == [zone for zone in wanted if not sets_right or zone in told], "other zones than were ordered"
        assert (record.started is not None) == (key in self.began), "when it began is what the device reported"
        segments = self.counted.get(key, {}).values()
        assert len(segments) <= 1 or record.planned_ms == self.lasts[key], "it was planned to last another time"
        for one in record.zones:
            self._of_zone(one, record, key, sum(segment.get(one.zone, 0) for segment in segments))

    def _of_zone(self, one: ZoneAsRun, record: AsRun, key: OccurrenceKey, reported_ms: int) -> None:
        unseen = one.played_ms is None
        assert unseen == (key in self.sounded_before and key not in self.began), "who saw how long it sounded?"
        assert unseen or one.played_ms == reported_ms, "claims other sound than was reported"
        assert (one.evidence >= Evidence.SAMPLES_OUT) == (reported_ms > 0), "claims samples that were not reported"
        closed = one.evidence is not Evidence.RELAY_CLOSED or one.zone in self.reported_on
        assert closed, "claims a relay that was not seen closed"
        assert record.outcome is Phase.SUCCEEDED or one.reason is not None, "a zone that did not hear it says why"


def _goes_on(play: Occurrence) -> bool:
    return play.ending is not None and play.ending.goes_on in (GoesOn.REST, GoesOn.NEXT)


def whole(disk: SlowDisk, accepted: dict[str, Accepted], doubtful: set[JobId], again: Set[OccurrenceKey]) -> None:
    """What the disk holds when all is quiet: every accepted job has its records, and no instant is left out.

    ``doubtful`` are the jobs about which the disk was said to have told things that it had not. What was only offered
    may have been chosen for any time, or for none. Behind what may come ``again`` an earlier instant follows.
    """
    for job_id, row in disk.jobs.items():
        if job_id in doubtful or row.digest not in accepted or accepted[row.digest].offered:
            continue
        job = accepted[row.digest].job
        about = [one for one in disk.told() if (one.job_id, one.digest) == (job_id, row.digest)]
        planned = [one.planned for one in about if one.planned is not None]
        if sounds_once(job):
            assert row.over, f"{job_id} was accepted, and is not over"
            assert about, f"{job_id} was accepted, and never heard of again"
            assert len(planned) <= 1 or job.cls is JobClass.EMERGENCY, f"{job_id} has two records"
        for earlier, later in pairwise(planned):
            assert _follows(job, earlier, later) or (job_id, earlier) in again, f"{job_id} left out an instant"


def _follows(job: Job, earlier: UtcMs, later: UtcMs) -> bool:
    """Whether an instant comes next; of a repeated warning those are left out that passed meanwhile."""
    if repeats(job) and isinstance(job.when, PlayNow):
        return later > earlier and (later - earlier) % job.when.every_ms == 0
    return sounds_once(job) or next_instant(job, earlier) == later
