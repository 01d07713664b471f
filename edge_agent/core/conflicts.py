"""Say on receipt what of a job will not sound as ordered, so that its officer learns of it before anything plays.

A day beforehand is told by ``day_ahead``; here are only the days of the job's next instants, and what is its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from edge_agent.core.clock_trust import Now
from edge_agent.core.day_ahead import Planned, day_plan
from edge_agent.core.effects import Conflict
from edge_agent.core.job import PlayNow
from edge_agent.core.policy import local_time
from edge_agent.core.schedule import next_instant, sounds_once
from edge_agent.core.state import KnownJob, State

INSTANTS_MAX = 8
# As many as intake looks at before it calls a rule one that can never play: a week and a day of a daily programme.
CONFLICTS_MAX = 16


def of_job(state: State, known: KnownJob, now: Now) -> tuple[Conflict, ...]:
    """What the ward's rules, or a programme that has its zones then, will keep from sounding."""
    if known.held or known.offered or isinstance(known.job.when, PlayNow) or not now.trusted:
        return ()
    found = [
        conflict
        for day in _days(state, known)
        for one in day_plan(state, now, day)
        if one.job_id == known.job.job_id
        for conflict in _of_one(one)
    ]
    return tuple(found[:CONFLICTS_MAX])


def _days(state: State, known: KnownJob) -> list[date]:
    """The local days of its next instants."""
    days: dict[date, None] = {}
    at = next_instant(known.job, known.base)
    for _ in range(1 if sounds_once(known.job) else INSTANTS_MAX):
        if at is None:
            break
        days[local_time(at, state.site.timezone).date()] = None
        at = next_instant(known.job, at)
    return list(days)


def _of_one(one: Planned) -> Iterator[Conflict]:
    if one.reason is not None:
        yield Conflict(one.planned, one.reason, ())
        return
    for zone, reason in one.out.items():
        yield Conflict(one.planned, reason, (zone,))
