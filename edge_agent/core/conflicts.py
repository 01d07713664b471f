"""Say on receipt what of an order will not sound as ordered, so that its officer learns of it before anything plays.

A day beforehand is told by ``day_ahead``; here are only the days of its next instants, and what is its own: the job's,
or that of a whole timetable's entries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from edge_agent.core import timetable
from edge_agent.core.clock_trust import Now
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.effects import Conflict
from edge_agent.core.job import PlayNow, is_line_in
from edge_agent.core.outlook import Planned
from edge_agent.core.programme import sources_of
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import next_instant, sounds_once
from edge_agent.core.state import KnownJob, KnownRule, State
from edge_agent.core.units import UtcMs
from edge_agent.core.wall_time import local_time

INSTANTS_MAX = 8
# As many as intake looks at before it calls a rule one that can never play: a week and a day of a daily programme.
CONFLICTS_MAX = 16
LOOKED_AT_MAX = 300
# No further day is looked at after so many instants, a ward's fortnight: meanwhile an emergency waits for this step.


def of_job(state: State, known: KnownJob, now: Now) -> tuple[Conflict, ...]:
    """What the ward's rules, or a programme that has its zones then, will keep from sounding."""
    return _of(state, now, [known])


def of_timetable(state: State, rule: KnownRule, now: Now) -> tuple[Conflict, ...]:
    """The same of all entries of a timetable that has just taken the place of the one before, or will on its day."""
    whole, order = rule.accepted.order_id, rule.accepted.order
    known_then = state.jobs
    if rule.held and timetable.waits(state, order, now):
        begins = order.heading.not_before
        known_then = timetable.switched(state, replace(now, mono=now.mono_of(begins), utc=begins)).jobs
    jobs = [known for known in known_then.values() if known.accepted.edition is not None]
    return _of(
        state, now, [known for known in jobs if known.accepted.edition and known.accepted.edition.order_id == whole]
    )


def _of(state: State, now: Now, jobs: Sequence[KnownJob]) -> tuple[Conflict, ...]:
    jobs = [known for known in jobs if not (known.held or known.offered)]
    unplugged = [conflict for known in jobs for conflict in _unplugged(state, known, now)]
    jobs = [known for known in jobs if not isinstance(known.job.when, PlayNow)]
    ours = {known.job.job_id for known in jobs}
    instants = sorted(instant for known in jobs for instant in _instants(known))
    days = dict.fromkeys(local_time(instant, state.site.timezone).date() for instant in instants)
    found = unplugged
    looked_at = 0
    for day in list(days)[:INSTANTS_MAX] if now.trusted else ():
        plan = day_plan(state, now, day)
        found += [conflict for one in plan if one.job_id in ours for conflict in _of_one(one)]
        looked_at += len(plan)
        if looked_at > LOOKED_AT_MAX:
            break
    return tuple(dict.fromkeys(found))[:CONFLICTS_MAX]  # what sounds over midnight is in both days


def _unplugged(state: State, known: KnownJob, now: Now) -> Iterator[Conflict]:
    """A line-in of its that this station has not: what stands in for it will be heard, or silence."""
    sources = {url for item in sources_of(known.job) for url in item.urls if is_line_in(url)}
    if not sources <= state.site.line_ins:
        at = now.utc if isinstance(known.job.when, PlayNow) else next_instant(known.job, known.base)
        yield Conflict(known.job.job_id, at or now.utc, Reason.LIVE_UNREACHABLE, ())


def _instants(known: KnownJob) -> Iterator[UtcMs]:
    """Its next ones."""
    at = next_instant(known.job, known.base)
    for _ in range(1 if sounds_once(known.job) else INSTANTS_MAX):
        if at is None:
            return
        yield at
        at = next_instant(known.job, at)


def _of_one(one: Planned) -> Iterator[Conflict]:
    if one.reason is not None:
        yield Conflict(one.job_id, one.planned, one.reason, ())
        return
    for zone, reason in one.out.items():
        yield Conflict(one.job_id, one.planned, reason, (zone,))
