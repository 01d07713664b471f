"""Decide at which instants a job is to sound. Reads no clock: callers pass the instant to count from.

The arithmetic of recurring rules (weekdays, time zones, daylight saving) is APScheduler's ``CronTrigger``, whose
``get_next_fire_time`` is a pure function; broadcasts never run off its scheduler, which drops late jobs.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from apscheduler.triggers.cron import CronTrigger

from edge_agent.core.job import Job, PlayAt, PlayNow, Rule
from edge_agent.core.units import UtcMs

_TRIGGERS_KEPT = 1_000
# 200 jobs (station.JOBS_MAX) of a few times a day; a trigger takes 3 ms to build on the bench and 2 kB to keep.


def next_instant(job: Job, base: UtcMs) -> UtcMs | None:
    """The planned instant of the job's next occurrence after ``base`` (for ``now``: ``base`` itself), None if over."""
    if isinstance(job.when, PlayNow):
        return base
    if isinstance(job.when, PlayAt):
        return job.when.at if job.not_before <= job.when.at <= job.not_after else None
    planned = next_of_rule(job.when, UtcMs(max(base, job.not_before - 1)))
    return None if planned is None or planned > job.not_after else planned


def next_of_rule(rule: Rule, after: UtcMs) -> UtcMs | None:
    """The first instant of the rule strictly after ``after``, skipping excluded days."""
    instants = [_next_at(rule, wall, after) for wall in rule.times]
    return min((instant for instant in instants if instant is not None), default=None)


def sounds_once(job: Job) -> bool:
    """Whether the job has a single occurrence."""
    return not isinstance(job.when, Rule)


def _next_at(rule: Rule, wall: time, after: UtcMs) -> UtcMs | None:
    trigger = _trigger(rule.timezone, rule.first_day.isoformat(), rule.last_day.isoformat(), rule.weekdays, wall)
    moment = datetime.fromtimestamp(after / 1000, UTC) + timedelta(milliseconds=1)
    while True:
        fire: datetime | None = trigger.get_next_fire_time(None, moment)
        if fire is None:
            return None
        if fire.date() not in rule.excluded:
            return UtcMs(round(fire.timestamp() * 1000))
        moment = fire + timedelta(seconds=1)


@lru_cache(maxsize=_TRIGGERS_KEPT)
def _trigger(timezone: str, first_day: str, last_day: str, weekdays: frozenset[int], wall: time) -> CronTrigger:
    zone = ZoneInfo(timezone)
    return CronTrigger(
        day_of_week=",".join(str(day - 1) for day in sorted(weekdays)),  # APScheduler counts from Monday = 0
        hour=wall.hour,
        minute=wall.minute,
        second=wall.second,
        start_date=datetime.fromisoformat(first_day).replace(tzinfo=zone),
        end_date=datetime.fromisoformat(last_day).replace(tzinfo=zone) + timedelta(days=1, seconds=-1),
        timezone=zone,
    )
