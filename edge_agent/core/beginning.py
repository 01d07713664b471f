"""Decide when an occurrence may begin, until when, and what forbids it then. Asks only.

``playing`` moves it by the answers; ``day_ahead`` foretells them (``street_ahead``).
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import clips, entrusted, planning, policy, standing, switching, zones
from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.past import LATE_GRACE_MS, lately
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import length_ms, own_ms, parts_of
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import repeats, valid_until
from edge_agent.core.state import Turn
from edge_agent.core.units import MINUTE_MS, MonoMs, ZoneId

ASIDE_MS = 10 * MINUTE_MS
# How long what was set aside waits to go on, if it may not play later than that: after it, it is another programme.


def due_at(turn: Turn, play: Occurrence) -> MonoMs:
    """When it is to sound: what was set aside as soon as it may.

    A warning that repeats waits for its gap at most, wherever the clock was put meanwhile.
    """
    job, at = turn.job_of(play), turn.now.mono_of(play.planned)
    if play.segment > 0:
        return turn.now.mono
    if not isinstance(job.when, PlayNow):
        return at
    # Later it was due, and stays so; and without a time its instant says nothing: what sounds then is due.
    waits = repeats(job) and turn.now.tells_validity and play.phase in (Phase.RECEIVED, Phase.STAGED)
    return min(at, MonoMs(play.since + job.when.every_ms)) if waits else turn.now.mono


def first_sample_at(turn: Turn, play: Occurrence, heard_in: tuple[ZoneId, ...]) -> MonoMs:
    """The earliest boot time at which a programme may begin in these zones: as planned, and every amplifier warm."""
    job = turn.job_of(play)
    in_ms = max((switching.sounds_in_ms(turn, zone, job) for zone in heard_in), default=0)
    return max(due_at(turn, play), MonoMs(turn.now.mono + in_ms))


def arm_at(turn: Turn, play: Occurrence) -> MonoMs:
    """When it takes its zones, so that the first sample is on time; what failed before may have to wait longer.

    As if every amplifier were cold: one that is warm now may be switched off before, unless it is claimed by then.
    """
    lead_ms = 0 if immediate(turn.job_of(play)) and not repeats(turn.job_of(play)) else longest_lead_ms(turn, play)
    return max(MonoMs(due_at(turn, play) - lead_ms), play.again_at)


def longest_lead_ms(turn: Turn, play: Occurrence) -> int:
    """How long before its first sample the slowest of its zones is claimed."""
    return max(switching.cold_lead_ms(turn.state.site, zone) for zone in play.zones)


def deadline(turn: Turn, play: Occurrence) -> MonoMs | None:
    """The last boot time at which an occurrence may still start; None while the clock cannot tell."""
    job, now = turn.job_of(play), turn.now
    if play.segment > 0:
        patience_ms = job.zones_limit_ms if play.all_out else max(job.late_limit_ms, ASIDE_MS)
        return None if standing.pauses(turn.state, now, job, zones.in_it(play)) else MonoMs(play.aside_at + patience_ms)
    tells = now.tells_validity if immediate(job) else now.trusted
    if not tells or planning.doubted(job, play.planned, now):
        return None
    return now.mono_of(planning.last_start(job, play.planned))


def wish(turn: Turn, play: Occurrence, start_at: MonoMs) -> policy.Wish:
    """What it asks of the ward's rules, if its first sample is at ``start_at``."""
    zones_left = zones.in_it(play)
    planned = play.planned if play.segment == 0 else None
    begins, lasts_ms = turn.now.utc_of(start_at), length_ms(play.parts)
    return policy.wish_for(turn.job_of(play), zones_left, begins, lasts_ms, planned, own_ms(play.parts))


def verdict(turn: Turn, play: Occurrence, start_at: MonoMs) -> policy.Verdict:
    """What the ward's rules say to it, if its first sample is at ``start_at``."""
    rules = policy.at_the_relay(standing.rules_of(turn.state, turn.now, besides=play))
    return policy.judge(rules, wish(turn, play, start_at))


def objection(turn: Turn, play: Occurrence, start_at: MonoMs, verdict: policy.Verdict) -> tuple[Cause, Reason] | None:
    """Why an occurrence must not sound at all, if its first sample is at ``start_at``."""
    job, now = turn.job_of(play), turn.now
    if not play.parts:
        return Cause.TOO_LATE, play.held_by or planning.missed(turn, play)
    begins = immediate(job) and play.segment == 0  # what was set aside has begun in time
    if begins and now.tells_validity and now.utc_of(start_at) > valid_until(job) and not now.doubts(valid_until(job)):
        return Cause.VALIDITY_OVER, Reason.EXPIRED
    if _has_passed(turn, play, start_at):
        return Cause.TOO_LATE, planning.missed(turn, play)
    if job.rehearsal and standing.alert_in_force(turn.state):
        return Cause.RULE_FORBIDS, Reason.EMERGENCY_IN_FORCE
    if standing.stops(turn.state, now, job.issued_at):
        return Cause.RULE_FORBIDS, Reason.ALL_STOPPED
    if entrusted.expired(turn.state, job, now):
        return Cause.RULE_FORBIDS, Reason.TRUST_EXPIRED
    reason = verdict.reason or _over_bound(turn, play, length_ms(play.parts))
    return None if reason is None else (Cause.RULE_FORBIDS, reason)


def _has_passed(turn: Turn, play: Occurrence, start_at: MonoMs) -> bool:
    """Whether its time was over before it took its zones: the clock was put forward since.

    What takes them in time begins later by its warm-up, twice that where a relay confirms late.
    """
    until = deadline(turn, play)
    slack_ms = 2 * longest_lead_ms(turn, play) + switching.RELAY_CONFIRM_MS
    return until is not None and start_at > until + slack_ms


def _over_bound(turn: Turn, play: Occurrence, lasts_ms: int) -> Reason | None:
    """An emergency is exempt from the ward's hours, so it has bounds of its own (requirement B1)."""
    accepted = turn.state.jobs[play.job_id].accepted
    lately_heard = lately(turn.state.past, turn.now.utc)
    sounded = [sound for sound in lately_heard if sound.job_id == play.job_id and sound.zones]
    so_far_ms = sum(sound.heard_ms for sound in sounded)
    durations = clips.durations(turn.state, accepted.job) if accepted.job.opening else None
    if durations is not None:  # what the station says before it by itself was not ordered
        lasts_ms = min(lasts_ms, length_ms(parts_of(replace(accepted.job, opening=()), durations)))
    over = accepted.sound_max_ms and so_far_ms + lasts_ms > accepted.sound_max_ms
    return Reason.TOO_MUCH_SOUND if over else None


def held_by(turn: Turn, play: Occurrence, start_at: MonoMs) -> Reason | None:
    """What has changed since the relays were told to close, so that it must not begin yet."""
    job = turn.job_of(play)
    if clips.durations(turn.state, job) is None:
        return Reason.AUDIO_ALTERED
    if standing.pauses(turn.state, turn.now, turn.job_of(play), zones.in_it(play)):
        return Reason.PAUSED
    # Where the clock was put back, its zones are others' until its instant comes again.
    put_back = start_at - turn.now.mono > longest_lead_ms(turn, play) + LATE_GRACE_MS
    waits = put_back or planning.waits_for_a_signature(turn, play) or clock_forbids(turn, job)
    return Reason.CLOCK_NOT_TRUSTED if waits else None


def clock_forbids(turn: Turn, job: Job) -> bool:
    """Without a clock to be trusted nobody knows the quiet hours, so routine waits; an emergency does not."""
    return job.plays_as is not JobClass.EMERGENCY and not turn.now.trusted


def immediate(job: Job) -> bool:
    """Whether it waits for no instant, or for none of the calendar's."""
    return isinstance(job.when, PlayNow)
