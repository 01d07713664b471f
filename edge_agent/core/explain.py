"""Say what will sound, when, where, and why not (requirement B15), by the very rules that play it.

``upcoming`` is what is open now; ``day_plan`` looks at a whole day, every instant of it judged after the ones before it
as if they had sounded. What nobody can know beforehand (an emergency, a relay that fails) is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from edge_agent.core import clips, policy, standing, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import RANK, Job, JobClass, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.past import Sounded
from edge_agent.core.policy import Rules
from edge_agent.core.programme import length_ms, parts_of, promised_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import LATE_GRACE_MS, next_instant
from edge_agent.core.state import KnownJob, Occurrence, State, ZonePart
from edge_agent.core.units import SECOND_MS, JobId, UtcMs, ZoneId

OPEN = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED, Phase.ARMED)
PLANNED_MAX = 500
# More than a day of the longest timetable (24 times a day for 20 entries); a station lists no more.


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One occurrence as people see it. ``reason`` is why it does not, or may not, sound as planned."""

    job_id: JobId
    title: str
    cls: JobClass
    planned: UtcMs
    lasts_ms: int
    zones: tuple[ZoneId, ...]
    hearing: tuple[ZoneId, ...]
    phase: Phase
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that waits for the commune to choose it, until ``expires``."""

    job_id: JobId
    title: str
    cls: JobClass
    level: str
    expires: UtcMs
    lasts_ms: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One instant of a day's plan. ``starts`` is when it would begin, ``ends`` its last sample, cut or not.

    ``volumes`` are the zones that would hear it, ``out`` the zones that would not, each with its reason; ``reason``:
    nobody would. ``under`` names the exception, ``cut`` says that quiet hours end it.
    """

    job_id: JobId
    title: str
    cls: JobClass
    level: str
    order: int | None
    planned: UtcMs
    starts: UtcMs
    ends: UtcMs
    volumes: Mapping[ZoneId, int]
    out: Mapping[ZoneId, Reason]
    reason: Reason | None
    under: str = ""
    cut: bool = False


def upcoming(state: State, now: Now) -> tuple[Upcoming, ...]:
    """Every open occurrence, what sounds first, then by planned instant."""
    rules = standing.rules_of(state, now)
    shown = [_shown(state, play, now, rules) for play in state.plays.values()]
    return tuple(sorted(shown, key=lambda one: (one.phase is not Phase.PLAYING, one.planned, one.job_id)))


def offers(state: State) -> tuple[Offer, ...]:
    """What waits to be chosen, the first to expire first."""
    waiting = [known.job for known in state.jobs.values() if known.offered]
    listed = [
        Offer(job.job_id, job.items[0].title, job.cls, job.level, job.not_after, promised_ms(job)) for job in waiting
    ]
    return tuple(sorted(listed, key=lambda offer: (offer.expires, offer.job_id)))


def sounding_in(state: State, zone: ZoneId) -> JobId | None:
    """The job that sounds in a zone now."""
    for play in state.plays.values():
        if zone in play.zones_in(ZonePart.HEARING):
            return play.job_id
    return None


def day_plan(state: State, now: Now, day: date) -> tuple[Planned, ...]:
    """What will sound on a local day from now on, and what will not, in the order of its beginning."""
    rules = standing.rules_of(state, now)
    busy: dict[ZoneId, UtcMs] = {}
    plan: list[Planned] = []
    for planned, known in _instants(state, now, day):
        one = _foresee(state, now, rules, known, planned, busy)
        plan.append(one)
        if one.reason is None:
            rules = replace(rules, past=(*rules.past, _as_past(known.job, one)))
            busy |= dict.fromkeys(one.volumes, one.ends)
    return tuple(plan)


def _instants(state: State, now: Now, day: date) -> list[tuple[UtcMs, KnownJob]]:
    """Every instant of the day that is still to come, in the order in which they would be begun."""
    first, last = _bounds(day, state.site.timezone)
    found = [
        (instant, known)
        for known in state.jobs.values()
        if not known.offered and not known.called_off
        for instant in _of_job(state, known, max(first, UtcMs(now.utc - 1)) if first <= now.utc < last else first, last)
    ]
    found.sort(key=lambda pair: (pair[0], *_urgency(state, pair[1])))
    return found[:PLANNED_MAX]


def _of_job(state: State, known: KnownJob, first: UtcMs, last: UtcMs) -> Iterator[UtcMs]:
    """The instants of a job in [first, last); one that is open counts even if its instant has passed."""
    open_ones = [play.planned for play in state.plays.values() if play.job_id == known.job.job_id]
    waiting = [at for at in open_ones if at < last and (at >= first or state.plays[known.job.job_id, at].phase in OPEN)]
    yield from waiting
    at = next_instant(known.job, max([known.base, *open_ones]))
    while at is not None and at < last and at not in open_ones:
        if at >= first:
            yield at
        if isinstance(known.job.when, PlayNow) and known.job.when.every_ms == 0:
            return
        following = next_instant(known.job, at)
        at = following if following is not None and following > at else None


def _urgency(state: State, known: KnownJob) -> tuple[int, int, UtcMs]:
    place = standing.rank_of(state, known.job.job_id)
    return (-RANK[known.job.plays_as], known.job.order if place is None else place, known.base)


def _foresee(
    state: State, now: Now, rules: Rules, known: KnownJob, planned: UtcMs, busy: Mapping[ZoneId, UtcMs]
) -> Planned:
    job, lasts_ms = known.job, _lasts_ms(state, known.job)
    where = zones.zones_of(state, job)
    starts = UtcMs(max([planned, *(busy.get(zone, planned) for zone in where)]))
    wish = policy.wish_for(job, where, starts, lasts_ms)
    verdict = policy.judge(rules, wish)
    ends = wish.end if verdict.ends_at is None else min(wish.end, verdict.ends_at)
    hearing = [zone for zone in where if zone not in verdict.out]
    return Planned(
        job_id=job.job_id,
        title=job.items[0].title,
        cls=job.cls,
        level=job.level,
        order=standing.rank_of(state, job.job_id) if job.order == 0 else job.order,
        planned=planned,
        starts=starts,
        ends=ends,
        volumes={zone: policy.volume_at(rules, wish, zone, job.volume, verdict.under) for zone in hearing},
        out=verdict.out,
        reason=_why_not(state, now, job, UtcMs(starts - planned)) or verdict.reason,
        under=verdict.under,
        cut=verdict.ends_at is not None,
    )


def _why_not(state: State, now: Now, job: Job, late_ms: int) -> Reason | None:
    """What, besides the ward's rules, keeps a job from sounding that begins ``late_ms`` after its instant."""
    if standing.stops(state, now, job.issued_at):
        return Reason.ALL_STOPPED
    if job.plays_as is JobClass.EMERGENCY:
        return None
    if job.rehearsal and standing.alert_in_force(state):
        return Reason.EMERGENCY_IN_FORCE
    if not now.trusted:
        return Reason.CLOCK_NOT_TRUSTED
    if late_ms > max(job.late_limit_ms, LATE_GRACE_MS) and not isinstance(job.when, PlayNow):
        return Reason.ZONES_BUSY
    trouble = clips.trouble(state, job)
    return None if trouble is None else trouble[0]


def _lasts_ms(state: State, job: Job) -> int:
    durations = clips.durations(state, job)
    return promised_ms(job) if durations is None else length_ms(parts_of(job, durations))


def _as_past(job: Job, one: Planned) -> Sounded:
    return Sounded(job.job_id, job.plays_as, one.starts, one.ends, frozenset(one.volumes), one.under)


def _bounds(day: date, timezone: str) -> tuple[UtcMs, UtcMs]:
    """[from, to) of a local day."""
    zone = ZoneInfo(timezone)
    first, last = (datetime.combine(at, time(), zone).timestamp() for at in (day, day + timedelta(days=1)))
    return UtcMs(round(first * SECOND_MS)), UtcMs(round(last * SECOND_MS))


def _shown(state: State, play: Occurrence, now: Now, rules: Rules) -> Upcoming:
    job = state.jobs[play.job_id].job
    lasts_ms = length_ms(play.parts) if play.parts else promised_ms(job)
    return Upcoming(
        job_id=play.job_id,
        title=job.items[0].title,
        cls=job.cls,
        planned=play.planned,
        lasts_ms=lasts_ms,
        zones=tuple(play.zones),
        hearing=play.zones_in(ZonePart.HEARING),
        phase=play.phase,
        reason=_reason(state, play, now, rules, lasts_ms),
    )


def _reason(state: State, play: Occurrence, now: Now, rules: Rules, lasts_ms: int) -> Reason | None:
    if play.phase in (Phase.ARMED, Phase.PLAYING):
        return None
    job = state.jobs[play.job_id].job
    if not isinstance(job.when, PlayNow):
        forbidden = policy.judge(rules, policy.wish_for(job, tuple(play.zones), play.planned, lasts_ms)).reason
        if forbidden is not None:
            return forbidden
        if not now.trusted:
            return Reason.CLOCK_NOT_TRUSTED
    trouble = clips.trouble(state, job)
    return trouble[0] if trouble else play.held_by
