"""Decide how long an order waits that is known and not obeyed yet: for a welcome, a time, a choice, or the disk.

When its wait is over it is judged by what is known then, as if it had just come; a wait has an end of its own, because
a welcome may never come, and the places for orders are counted.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import (
    commands,
    freshness,
    records,
    series,
    sounding,
    standing,
    talk,
    timetable,
    unproven,
    validity,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Level, ReleaseJob
from edge_agent.core.job import Accepted, Job, JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import AcceptedRule, RuleOrder, Timetable
from edge_agent.core.plays import Occurrence
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import first_base
from edge_agent.core.state import KnownJob, KnownRule, State, Turn, Unproven
from edge_agent.core.units import SECOND_MS, MonoMs, UtcMs

SAVE_WAIT_MS = 1 * SECOND_MS
# How long an emergency waits for the disk to take it; an SD card's worst fsync is some 500 ms.


def release_held(turn: Turn) -> None:
    """What waited is judged by the time that is known now; routine orders wait for the welcome as well.

    But not for longer than they are valid: a welcome may never come, and the places for jobs are counted.
    """
    for waiting in timetable.newest_first(rule for rule in turn.state.rules.values() if rule.held):
        rule = turn.state.rules.get(waiting.accepted.order_id)
        if rule is not None:  # else one that was released before it has taken it back
            _release_rule(turn, rule)
    held = [known for known in turn.state.jobs.values() if known.held and not known.called_off]
    for job_id in [known.job.job_id for known in held]:
        known = turn.state.jobs.get(job_id)
        if known is None:
            continue  # one that was released before it has taken its place
        if not _must_wait(turn.state, known.job, turn.now) or validity.is_over(known.job, turn.now):
            _release(turn, known)


def _release(turn: Turn, known: KnownJob) -> None:
    plays = [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]
    known = known if known.unproven is None else unproven.with_opening(known, ())
    objection = validity.in_time(turn.state, known.accepted, turn.now)
    if objection is None:
        base = _released_base(known, turn.now.utc, sounds=bool(plays))
        for play in plays if known.unproven is not None else []:
            _lay_out_anew(turn, play)
        turn.put_job(replace(known, held=False, base=base, unproven=None))
        turn.emit(ReleaseJob(known.job.job_id, base))
        if not known.offered:
            series.take_place(turn, known.job)
        return
    # An older version that waits as well may have come before it, or behind.
    overtakes = objection is Reason.NOT_HEARD_HERE or (objection is Reason.EXPIRED and not known.offered)
    if any(play.phase is Phase.PLAYING for play in plays):
        # A server's time must not end a warning: it is heard to its end, and that was all of it.
        turn.put_job(replace(known, called_off=True))
    else:
        cause = Cause.VALIDITY_OVER if objection is Reason.EXPIRED else Cause.RULE_FORBIDS
        # A restart knows by that what it has taken the place of.
        took_place = objection is Reason.EXPIRED and overtakes and bool(known.job.series or known.job.corrects)
        detail = records.OVERTAKEN if took_place else ""
        sounding.call_off(turn, known, cause, objection, detail)
    talk.say_refused(turn, objection, known.accepted.digest, known.job.job_id)
    if overtakes:
        series.heard_of(turn, known.accepted)


def _lay_out_anew(turn: Turn, play: Occurrence) -> None:
    """A warning that waits for its zone need not say any more that nobody can tell how old it is."""
    if play.phase in (Phase.STAGED, Phase.QUEUED):
        turn.put_play(replace(play.moved(Cause.CLIPS_LOST, turn.now), held_by=play.held_by))


def _released_base(known: KnownJob, now: UtcMs, *, sounds: bool) -> UtcMs:
    """What its occurrences count from; one that has sounded already waits for its gap."""
    if sounds:
        return known.base
    return first_base(known.job, now) if known.unproven is None else now


def _release_rule(turn: Turn, rule: KnownRule) -> None:
    """What a rule says is obeyed only once its freshness can be told."""
    if not turn.now.is_past(rule.accepted.not_after) and _rule_waits(turn, rule.accepted.order):
        return
    if _waits_for_its_commit(rule):
        return
    objection = commands.objection(turn.state, rule.accepted.order, turn.now)
    if objection is Reason.NOT_SAVED:
        return  # the one before it is on its way to the disk
    if objection is None and isinstance(rule.accepted.order, Timetable):
        timetable.release(turn, rule)
    elif objection is None:
        rule = replace(rule, held=False, base=turn.now.utc, since=turn.now.mono)
        turn.put_rule(rule)
        turn.emit(ReleaseJob(rule.accepted.order_id, turn.now.utc))
        commands.arrived(turn, rule)
        if rule.saved:
            commands.took_effect(turn, rule)
    else:
        if objection is Reason.EXPIRED:
            timetable.had_its_time(turn, rule)
        commands.refuse(turn, rule, objection)


def refuse_what_may_have_been_heard(turn: Turn) -> None:
    """What waits on a card that has just learned to have forgotten something may be an old order that was sent again.

    Not a timetable whose day is still to come: nobody has heard that. A manifest may bring the others again.
    """
    for rule in [rule for rule in turn.state.rules.values() if rule.held and not rule.vouched]:
        ahead = freshness.is_ahead(turn.state, rule.accepted.order, turn.now)
        if not ahead and freshness.maybe_heard(turn.state, rule.accepted):
            turn.forget(rule.accepted.order_id)
            commands.refuse(turn, rule, Reason.MAYBE_HEARD, forget=True)
    for known in [known for known in turn.state.jobs.values() if known.held and not known.vouched]:
        if freshness.maybe_heard(turn.state, known.accepted):
            turn.forget(known.job.job_id)
            sounding.call_off(turn, known, Cause.RULE_FORBIDS, Reason.MAYBE_HEARD, forget=True)
            talk.say_refused(turn, Reason.MAYBE_HEARD, known.accepted.digest, known.job.job_id)


def waits_at_first(turn: Turn, accepted: Accepted | AcceptedRule) -> bool:
    if isinstance(accepted, Accepted):
        return _must_wait(turn.state, accepted.job, turn.now)
    return _rule_waits(turn, accepted.order)


def _must_wait(state: State, job: Job, now: Now) -> bool:
    """Without a welcome only what was known before may sound, and warnings in their own way (``unproven``)."""
    if job.plays_as is JobClass.EMERGENCY:
        return not now.dates
    return freshness.obstacle(state, now) is not None


def _rule_waits(turn: Turn, order: RuleOrder) -> bool:
    return freshness.obstacle(turn.state, turn.now) is not None or timetable.waits(turn.state, order, turn.now)


def over_by(state: State, known: KnownJob) -> Reason | None:
    """Why a job that the journal brought back is over: the process ended before it could say so."""
    if standing.cancelled(state, known.job.job_id, known.job.issuer):
        return Reason.CANCELLED
    if known.held:
        # One that had begun without a time: where a welcome has told since that it is old, that was all of it (7.11).
        past = known.unproven is Unproven.SOUNDS and known.job.not_after < state.trust.floor(state.floor)
        return Reason.EXPIRED if past else None
    return timetable.over_by(state, known.accepted) or series.over_by(state, known.accepted)


def expire_offers(turn: Turn) -> None:
    """An offer that nobody has chosen in time is over."""
    for known in [known for known in turn.state.jobs.values() if _waits_to_be_chosen(turn.state, known)]:
        if validity.is_over(known.job, turn.now):
            turn.drop_job(known.job.job_id)
            turn.emit(records.of_refusal(known.accepted, Reason.EXPIRED, turn.now, was_saved=True))


def wait_no_longer(turn: Turn) -> None:
    """An emergency that the disk has not answered about sounds all the same; it is accepted when the disk has it."""
    for known in [known for known in turn.state.jobs.values() if _waits_for_disk(known)]:
        if turn.now.mono >= known.asked_at + SAVE_WAIT_MS:
            turn.put_job(replace(known, unsaved_sounds=True))
            turn.note(Level.ERROR, "the disk does not answer, emergency sounds all the same", job=known.job.job_id)


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a job has waited for long enough."""
    jobs = state.jobs.values()
    waiting = [known for known in jobs if (known.held and not known.called_off) or _waits_to_be_chosen(state, known)]
    held = [rule for rule in state.rules.values() if rule.held and not _waits_for_its_commit(rule)]
    orders = [known.accepted for known in waiting] + [rule.accepted for rule in held]
    over = [MonoMs(at + 1) for accepted in orders if (at := now.over_at(accepted.not_after)) is not None]
    asked = [MonoMs(known.asked_at + SAVE_WAIT_MS) for known in jobs if _waits_for_disk(known)]
    return [*over, *asked, *timetable.next_wake(state, now)]


def _waits_for_its_commit(rule: KnownRule) -> bool:
    """What a timetable does is tied to a commit, and the disk has not answered about the first one."""
    return isinstance(rule.accepted.order, Timetable) and not rule.saved


def _waits_to_be_chosen(state: State, known: KnownJob) -> bool:
    """What still sounds by a choice that was taken back has its outcome first."""
    return known.offered and known.saved and not any(job_id == known.job.job_id for job_id, _ in state.plays)


def _waits_for_disk(known: KnownJob) -> bool:
    urgent = known.job.plays_as is JobClass.EMERGENCY
    return urgent and not (known.saved or known.unsaved_sounds)
