"""Decide at which instants a job is to sound. Reads no clock: callers pass the instant to count from.

A rule is wall time, so daylight saving is decided here: the wall time of every day is one instant, the first of two in
an hour that comes twice, and in a gap as much later as the clocks were put forward.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from edge_agent.core.job import Job, PlayAt, PlayNow, Rule
from edge_agent.core.units import UtcMs

DAY = timedelta(days=1)
GAP_MAX = DAY
# The most that clocks were ever put forward at once (Samoa skipped a day in 2011): so much later than its wall time an
# instant may lie.


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
    zone = ZoneInfo(rule.timezone)
    day = max(rule.first_day, (datetime.fromtimestamp(after / 1000, zone) - GAP_MAX).date())
    while day <= rule.last_day:
        if day.isoweekday() in rule.weekdays and day not in rule.excluded:
            instant = UtcMs(round(datetime.combine(day, wall, zone).timestamp() * 1000))
            if instant > after:
                return instant
        if day == date.max:
            break
        day += DAY
    return None
