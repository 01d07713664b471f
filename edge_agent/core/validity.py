"""Decide what the time says against a job: too early, too late, or never by the ward's own rules."""

from __future__ import annotations

from edge_agent.core import commands, entrusted, policy, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Accepted, Job, PlayNow, Rule
from edge_agent.core.programme import promised_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import first_base, next_instant
from edge_agent.core.state import State
from edge_agent.core.units import UtcMs
from edge_agent.core.zones import zones_of

LOOK_AHEAD = 8
# How many instants of a rule are tried on arrival before it is called one that can never play.


def in_time(state: State, accepted: Accepted, now: Now) -> Reason | None:
    """What the time says against an order; when an offer is to sound nobody has said yet."""
    if entrusted.expired(state, accepted.job, now):
        return Reason.TRUST_EXPIRED
    if now.utc > accepted.job.not_after:
        return Reason.EXPIRED
    if commands.from_the_future(accepted.job.issued_at, now):
        return Reason.NOT_YET_VALID
    return None if accepted.offered else _by_the_clock(state, accepted.job, now)


def is_over(job: Job, now: Now) -> bool:
    return now.is_past(job.not_after)


def _by_the_clock(state: State, job: Job, now: Now) -> Reason | None:
    """What the time says against a job; only asked when the time is trusted."""
    if isinstance(job.when, PlayNow) and commands.from_the_future(job.not_before, now):
        return Reason.NOT_YET_VALID
    instants = _first_instants(job, first_base(job, now.utc))
    if not instants:
        return Reason.NOTHING_LEFT
    rules, where = standing.rules_of(state, now), zones_of(state, job, now.mono)
    if not where:
        return Reason.NOT_HEARD_HERE
    wishes = (policy.wish_for(job, where, instant, promised_ms(job)) for instant in instants)
    if not isinstance(job.when, PlayNow):
        rules = policy.by_itself(rules)  # what will have sounded by then nobody knows yet
    reasons = [policy.judge(rules, wish).reason for wish in wishes]
    return reasons[0] if all(reasons) else None


def _first_instants(job: Job, base: UtcMs) -> list[UtcMs]:
    wanted = LOOK_AHEAD if isinstance(job.when, Rule) else 1
    instants: list[UtcMs] = []
    while len(instants) < wanted:
        instant = next_instant(job, instants[-1] if instants else base)
        if instant is None:
            break
        instants.append(instant)
    return instants
