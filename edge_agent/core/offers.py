"""Decide what becomes of an offered job when its choice is taken back, or when who may plan it changes.

An offer waits for the commune's choice (requirement B2). Without one it is as it was signed: nothing of it is planned,
and what sounds of it by a choice that holds no more ends. So it stands after a restart too, which finds no choice.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import planning, series, sounding, zones
from edge_agent.core.job import Accepted, as_entry
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import Choose, Command
from edge_agent.core.plays import Ending, Occurrence
from edge_agent.core.reasons import Reason
from edge_agent.core.state import KnownJob, KnownRule, Turn


def choice_over(turn: Turn, rule: KnownRule, reason: Reason) -> None:
    """A choice is taken back, or was a key's that orders nothing any more: what it chose waits to be chosen again."""
    order = rule.accepted.order
    if rule.held or not (isinstance(order, Command) and isinstance(order.action, Choose)):
        return
    known = turn.state.jobs.get(order.action.target)
    if known is None or known.called_off or known.offered or not known.accepted.offered:
        return
    if known.job.when == order.action.when:  # else another choice came before it
        _wait(turn, known, reason)


def judged_again(turn: Turn, known: KnownJob, today: Accepted) -> bool:
    """A job stands within other bounds than before: of sound, or of who plans it. Whether every choice is over."""
    bounds = replace(known.accepted, signers=today.signers, role=today.role, offered=today.offered)
    bounds = replace(bounds, sound_max_ms=today.sound_max_ms, per_day=today.per_day)
    was_offered, known = known.accepted.offered, replace(known, accepted=bounds)
    turn.put_job(known)
    if today.offered is was_offered:
        return False
    if not known.called_off and today.offered:
        _wait(turn, known, Reason.KEY_REVOKED)
    elif not known.called_off:
        _go_on_as_signed(turn, known)
    return True


def _wait(turn: Turn, known: KnownJob, reason: Reason) -> None:
    turn.put_job(replace(known, accepted=_as_signed(known.accepted), offered=True))
    for play in _plays_of(turn, known):
        if play.phase is Phase.PLAYING:
            zones.stop(turn, play, Ending(Cause.CUT_OFF, reason))
        elif play.was_heard:
            sounding.finish(turn, play, Cause.CUT_OFF, reason)
        else:
            planning.unplan(turn, play)


def _go_on_as_signed(turn: Turn, known: KnownJob) -> None:
    """Whoever had offered it may plan it now; what has begun goes on."""
    turn.put_job(replace(known, accepted=_as_signed(known.accepted), offered=False))
    for play in _plays_of(turn, known):
        if play.phase not in (Phase.ARMED, Phase.PLAYING) and not play.was_heard:
            planning.unplan(turn, play)
    if not known.held:
        series.take_place(turn, known.job)


def _plays_of(turn: Turn, known: KnownJob) -> list[Occurrence]:
    return [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]


def _as_signed(accepted: Accepted) -> Accepted:
    """Without the time that was chosen for it."""
    if accepted.signed is None:
        return accepted
    if accepted.edition is not None:
        return replace(accepted, job=as_entry(accepted.signed))
    return replace(accepted, job=accepted.signed, signed=None)
