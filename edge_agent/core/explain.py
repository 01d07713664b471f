"""Say what will sound, when, where, and why not (requirement B15), by the very rules that play it.

``upcoming`` is what is open now, ``offers`` what waits to be chosen; ``day_plan`` plays a whole day through beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from edge_agent.core import clips, entrusted, planning, policy, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.day_ahead import day_begins, day_plan
from edge_agent.core.job import JobClass, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Command, Pause, Regulation
from edge_agent.core.outlook import InForce, Offer, Planned, Upcoming
from edge_agent.core.plays import Occurrence, ZonePart
from edge_agent.core.policy import Rules
from edge_agent.core.programme import length_ms, own_ms, promised_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn
from edge_agent.core.units import JobId, UtcMs, ZoneId

Halts = Sequence[tuple[Command, UtcMs]]
"""``standing.halts``: found once for all that is shown."""


@dataclass(frozen=True, slots=True)
class DaySheet:
    """A day as it is shown: the plan, and the rules that hold when the day begins (or now, if it has begun).

    ``regulation`` None: the policy is the station's own.
    """

    day: date
    now: Now
    rules: Rules
    regulation: Regulation | None
    plan: tuple[Planned, ...]
    offers: tuple[Offer, ...]


def upcoming(state: State, now: Now) -> tuple[Upcoming, ...]:
    """Every open occurrence, what sounds first, then by planned instant."""
    rules = standing.rules_of(state, now)
    halts = standing.halts(state, now)
    shown = [_shown(state, play, now, rules, halts) for play in state.plays.values()]
    return tuple(sorted(shown, key=lambda one: (one.phase is not Phase.PLAYING, one.planned, one.job_id)))


def offers(state: State) -> tuple[Offer, ...]:
    """What waits to be chosen, the first to expire first."""
    waiting = [known.job for known in state.jobs.values() if known.offered]
    listed = [
        Offer(job.job_id, job.items[0].title, job.cls, job.level, job.not_after, promised_ms(job)) for job in waiting
    ]
    return tuple(sorted(listed, key=lambda offer: (offer.expires, offer.job_id)))


def in_force(state: State, now: Now) -> InForce:
    """The rules that hold now, as far as people ask for them first."""
    rules, regulation = standing.rules_of(state, now), standing.regulation_in_force(state, now)
    quiet = policy.quiet_now(rules, now.utc) if now.trusted else None
    zones = tuple(state.site.zones)
    silences = [one for one in rules.windows if one.loosens is None and one.begins <= now.utc < one.ends]
    silent = {zone for silence in silences for zone in standing.zones_of(state, silence)}
    return InForce(
        regulation="" if regulation is None else regulation.number,
        quiet=quiet or next(iter(policy.general_quiet(rules)), None),
        locked=tuple(zone for zone in zones if zone in rules.locked),
        silenced=tuple(zone for zone in zones if zone in silent),
    )


def ceilings(state: State, now: Now) -> Mapping[ZoneId, int]:
    """How loud ordinary sound may be in each zone now: as it is configured, or as a command has left it."""
    set_to = standing.rules_of(state, now).volumes
    own = {zone: site.volume_max for zone, site in state.site.zones.items()}
    return {zone: min(volume, set_to.get(zone, volume)) for zone, volume in own.items()}


def day_sheet(state: State, now: Now, day: date) -> DaySheet:
    """All that is shown of a day."""
    begins = day_begins(day, state.site.timezone)
    then = now if begins <= now.utc else replace(now, mono=now.mono_of(begins), utc=begins)
    rules, regulation = standing.rules_of(state, then), standing.regulation_in_force(state, then)
    return DaySheet(day, now, rules, regulation, day_plan(state, now, day), offers(state))


def sounding_in(state: State, zone: ZoneId) -> JobId | None:
    """The job that sounds in a zone now."""
    for play in state.plays.values():
        if zone in play.zones_in(ZonePart.HEARING):
            return play.job_id
    return None


def _shown(state: State, play: Occurrence, now: Now, rules: Rules, halts: Halts) -> Upcoming:
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
        reason=_reason(state, play, now, rules, halts),
        rehearsal=job.rehearsal,
    )


def _reason(state: State, play: Occurrence, now: Now, rules: Rules, halts: Halts) -> Reason | None:
    if play.phase in (Phase.ARMED, Phase.PLAYING):
        return None
    job, at = state.jobs[play.job_id].job, UtcMs(max(play.planned, now.utc))
    lasts_ms = own_ms(play.parts) if play.parts else promised_ms(job)
    halted = _halted(state, play, halts, at)
    if halted is not None:
        return halted
    if entrusted.expired(state, job, replace(now, utc=at)):
        return Reason.TRUST_EXPIRED
    if not isinstance(job.when, PlayNow):
        forbidden = policy.judge(rules, policy.wish_for(job, tuple(play.zones), play.planned, lasts_ms)).reason
        if forbidden is not None:
            return forbidden
        if not now.trusted:
            return Reason.CLOCK_NOT_TRUSTED
    if planning.waits_for_a_signature(Turn(state, now), play):
        return Reason.NOT_WELCOMED
    trouble = clips.trouble(state, job, by=now.mono_of(play.planned))
    return trouble[0] if trouble else play.held_by


def _halted(state: State, play: Occurrence, halts: Halts, at: UtcMs) -> Reason | None:
    """The all-stop or the pause of this moment that will still hold at its instant."""
    job = state.jobs[play.job_id].job
    for order, until in halts:
        if at >= until:
            continue
        if isinstance(order.action, AllStop) and job.issued_at <= order.heading.issued_at:
            return Reason.ALL_STOPPED
        paused = isinstance(order.action, Pause) and job.plays_as is not JobClass.EMERGENCY
        if paused and {*standing.zones_of(state, order)} & {*play.zones}:
            return Reason.PAUSED
    return None
