"""Decide what a newer version of an alert, or a correction, does to what was ordered before (requirements B19, B21).

A series is one issuer's: versions grow, only the newest one sounds, and one that comes late never does. What has
sounded is remembered with its version (``past``), so a restart changes nothing.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import sounding
from edge_agent.core.job import Accepted, Job
from edge_agent.core.occurrence import Cause
from edge_agent.core.past import Sounded, remember
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn


def newest(state: State, job: Job) -> int:
    """The newest version of a job's series that this station has heard of; 0 if none."""
    if not job.series:
        return 0
    waiting = [known.job.version for known in state.jobs.values() if _same(known.job, job)]
    return max([*waiting, _newest_sounded(state, job)])


def is_outdated(state: State, job: Job) -> bool:
    """Whether a newer version of its series is known here, whatever it waits for."""
    return newest(state, job) > job.version > 0


def take_place(turn: Turn, job: Job) -> None:
    """A newer version, or a correction, is here: what it takes the place of ends, whether it sounds or waits."""
    for known in [known for known in turn.state.jobs.values() if _same(known.job, job)]:
        if known.job.version < job.version:
            sounding.call_off(turn, known, Cause.REPLACED, Reason.SUPERSEDED)
    for known in [known for known in turn.state.jobs.values() if _corrects(job, known.job)]:
        sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.CORRECTED)


def heard_of(turn: Turn, accepted: Accepted) -> None:
    """What does not sound ends what it takes the place of all the same, and what comes after it never sounds.

    That is an all-clear, or a correction, of what was heard nowhere here; or a version that was taken back before it
    came.
    """
    job, now = accepted.job, turn.now.utc
    take_place(turn, job)
    if job.series or job.corrects:
        unheard = Sounded(job.job_id, job.plays_as, now, now, frozenset(), issuer=job.issuer)
        unheard = replace(unheard, series=job.series, version=job.version, corrects=job.corrects)
        turn.state = replace(turn.state, past=remember(turn.state.past, unheard))


def objection(state: State, job: Job) -> Reason | None:
    """What has come before a job that takes its place."""
    if _set_right(state, job) or _was_set_right(state, job):
        return Reason.CORRECTED
    return Reason.SUPERSEDED if newest(state, job) >= job.version > 0 else None


def takes_place(accepted: Accepted, refusal: Reason) -> bool:
    """Whether a job that is refused ends what it takes the place of all the same."""
    return refusal is Reason.NOT_HEARD_HERE or (refusal is Reason.CANCELLED and not accepted.offered)


def over_by(state: State, accepted: Accepted) -> Reason | None:
    """Why a job that the journal brought back is over all the same: a crash came before its record."""
    job = accepted.job
    # An entry that was corrected once is in force again with the next timetable that has it.
    if _set_right(state, job) or (accepted.edition is None and _was_set_right(state, job)):
        return Reason.CORRECTED
    others = [known.job for known in state.jobs.values() if not (known.held or known.offered)]
    waiting = max((other.version for other in others if _same(other, job)), default=0)
    return Reason.SUPERSEDED if max(waiting, _newest_sounded(state, job)) > job.version > 0 else None


def _set_right(state: State, job: Job) -> bool:
    """Whether its own issuer's correction is here."""
    others = (known.job for known in state.jobs.values() if not (known.held or known.offered))
    return any(_corrects(other, job) for other in others)


def _was_set_right(state: State, job: Job) -> bool:
    """Whether its own issuer's correction was here: it may overtake what it corrects."""
    return (job.job_id, job.issuer) in ((sound.corrects, sound.issuer) for sound in state.past if sound.corrects)


def _newest_sounded(state: State, job: Job) -> int:
    sounded = [sound.version for sound in state.past if (sound.series, sound.issuer) == (job.series, job.issuer)]
    return max(sounded, default=0)


def _corrects(job: Job, other: Job) -> bool:
    return bool(job.corrects) and (job.corrects, job.issuer) == (other.job_id, other.issuer)


def _same(one: Job, other: Job) -> bool:
    return bool(other.series) and (one.series, one.issuer) == (other.series, other.issuer)
