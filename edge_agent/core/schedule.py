"""Decide at which instants a job is to sound. Reads no clock: callers pass the instant to count from.

The calendar of recurring rules (weekdays, first and last day) is APScheduler's ``CronTrigger``, whose
``get_next_fire_time`` is a pure function; broadcasts never run off its scheduler, which drops late jobs. It is asked
for days only, as if there were no daylight saving: in the rule's own zone it fires twice in an hour that comes
twice, and leaves out a day whose midnight does not exist. Here the wall time of every day is one instant: the first of
two, and in a gap as much later as the clocks were put forward.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from heapq import merge
from itertools import takewhile
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from edge_agent.core.job import Job, PlayAt, PlayNow, Rule
from edge_agent.core.units import UtcMs

_TRIGGERS_KEPT = 200
# Of as many jobs (station.JOBS_MAX), one each; a trigger takes 3 ms to build on the bench and 2 kB to keep.
_DAYS_KEPT = 1_000
# Of the same jobs those of a few days.
_INSTANTS_KEPT = 1_000
# Of the same 200 jobs those of a few days: each step asks again what the step before has asked, and a plan of the day
# ahead what the plan before has. An answer takes some hundred times as long to find as to look up, and 0.3 kB to keep.

GAP_MAX = timedelta(days=1)
# The most that clocks were ever put forward at once (Samoa skipped a day in 2011): so much later than its wall time an
# instant may lie.


def first_base(job: Job, now: UtcMs) -> UtcMs:
    """What the occurrences of a job that is obeyed from ``now`` on count from."""
    return UtcMs(now - job.when.every_ms) if isinstance(job.when, PlayNow) else now


def next_instant(job: Job, base: UtcMs) -> UtcMs | None:
    """The planned instant of the job's next occurrence after ``base``, None if there is none.

    What plays now counts from one repetition before its first instant (``first_base``); what plays once is over then.
    """
    if isinstance(job.when, PlayNow):
        again = UtcMs(base + job.when.every_ms)
        return again if job.when.every_ms == 0 or again < job.when.until else None
    if isinstance(job.when, PlayAt):
        return job.when.at if job.not_before <= job.when.at <= job.not_after else None
    planned = next_of_rule(job.when, UtcMs(max(base, job.not_before - 1)))
    return None if planned is None or planned > job.not_after else planned


def instants_between(job: Job, base: UtcMs, until: UtcMs) -> Iterator[UtcMs]:
    """The instants of a job by rule after ``base`` and before ``until``, in their order."""
    if isinstance(job.when, Rule):
        after = UtcMs(max(base, job.not_before - 1))
        yield from takewhile(lambda at: at < until and at <= job.not_after, _of_rule(job.when, after))


@lru_cache(maxsize=_INSTANTS_KEPT)
def next_of_rule(rule: Rule, after: UtcMs) -> UtcMs | None:
    """The first instant of the rule strictly after ``after``, skipping excluded days."""
    return next(_of_rule(rule, after), None)


def valid_until(job: Job) -> UtcMs:
    """The last instant at which a sound of what plays now may begin."""
    ends = job.when.until - 1 if isinstance(job.when, PlayNow) and job.when.every_ms else job.not_after
    return UtcMs(min(ends, job.not_after))


def caught_up(job: Job, planned: UtcMs, now: UtcMs) -> UtcMs:
    """What counts as the last instant when ``planned`` is over: repetitions that passed meanwhile are left out."""
    if not isinstance(job.when, PlayNow) or job.when.every_ms == 0:
        return planned
    return UtcMs(planned + max(0, now - planned) // job.when.every_ms * job.when.every_ms)


def sounds_once(job: Job) -> bool:
    """Whether the job has a single occurrence."""
    return not isinstance(job.when, Rule) and not repeats(job)


def repeats(job: Job) -> bool:
    """Whether a warning sounds again and again until its end."""
    return isinstance(job.when, PlayNow) and job.when.every_ms > 0


def _of_rule(rule: Rule, after: UtcMs) -> Iterator[UtcMs]:
    """Every wall time is asked for its days by itself: all of them for each instant would cost 24 times as much."""
    for instant in merge(*(_of_wall_time(rule, wall, after) for wall in rule.times)):
        if instant > after:  # a gap may make one instant of two wall times
            yield instant
            after = instant


def _of_wall_time(rule: Rule, wall: time, after: UtcMs) -> Iterator[UtcMs]:
    zone = ZoneInfo(rule.timezone)
    # As long before as clocks were ever put forward: what was meant for that day may come only now.
    day: date | None = datetime.fromtimestamp(after / 1000, zone).date() - GAP_MAX
    while (day := _day_from(rule.first_day, rule.last_day, rule.weekdays, day)) is not None:
        instant = UtcMs(round(datetime.combine(day, wall, zone).timestamp() * 1000))
        if instant > after and day not in rule.excluded:
            yield instant
        if day >= rule.last_day:
            return  # after the calendar's very last day there is nothing to ask for
        day += timedelta(days=1)


@lru_cache(maxsize=_DAYS_KEPT)
def _day_from(first_day: date, last_day: date, weekdays: frozenset[int], day: date) -> date | None:
    """The first day of a rule, ``day`` included; all its wall times ask for it."""
    fire = _trigger(first_day, last_day, weekdays).get_next_fire_time(None, datetime.combine(day, time(), UTC))
    return None if fire is None else fire.date()


@lru_cache(maxsize=_TRIGGERS_KEPT)
def _trigger(first_day: date, last_day: date, weekdays: frozenset[int]) -> CronTrigger:
    """Fires at the midnight of every day of the rule; the days are written as if they were of UTC."""
    return CronTrigger(
        day_of_week=",".join(str(day - 1) for day in sorted(weekdays)),  # APScheduler counts from Monday = 0
        hour=0,
        start_date=datetime.combine(first_day, time(), UTC),
        end_date=datetime.combine(last_day, time(), UTC),
        timezone=UTC,
    )
