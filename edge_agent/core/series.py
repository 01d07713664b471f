"""Decide what a newer version of an alert, or a correction, does to what was ordered before (requirements B19, B21).

A series is one issuer's: versions grow, only the newest one sounds, and one that comes late never does. What has
sounded is remembered with its version (``past``), so a restart changes nothing. What is no warning takes the place of
none: a key that may only broadcast must not silence what others have signed to warn of.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import sounding
from edge_agent.core.job import Accepted, Job, JobClass
from edge_agent.core.occurrence import Cause
from edge_agent.core.past import Sounded, remember
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn
from edge_agent.core.units import JobId


def newest(state: State, job: Job) -> int:
    """The newest version of a job's series that this station has heard of; 0 if none."""
    if not job.series:
        return 0
    waiting = [known.job.version for known in state.jobs.values() if _may_replace(known.job, job)]
    return max([*waiting, _newest_sounded(state, job)])


def is_outdated(state: State, job: Job) -> bool:
    """Whether a newer version of its series is known here, whatever it waits for."""
    return newest(state, job) > job.version > 0


def take_place(turn: Turn, job: Job) -> None:
    """A newer version, or a correction, is here: what it takes the place of ends, whether it sounds or waits."""
    for known in [known for known in turn.state.jobs.values() if _may_replace(job, known.job)]:
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
        passed = turn.state.trust.passed(now)
        turn.state = replace(turn.state, past=remember(turn.state.past, unheard, passed))


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
    is_entry = accepted.edition is not None
    if _set_right(_since(state, job.job_id) if is_entry else state, job):
        return Reason.CORRECTED
    if not is_entry and _was_set_right(state, job):
        return Reason.CORRECTED
    others = [known.job for known in state.jobs.values() if not (known.held or known.offered)]
    waiting = max((other.version for other in others if _may_replace(other, job)), default=0)
    return Reason.SUPERSEDED if max(waiting, _newest_sounded(state, job)) > job.version > 0 else None


def _since(state: State, job_id: JobId) -> State:
    """With the jobs alone that came later than this one."""
    names = [*state.jobs]
    later = names[names.index(job_id) + 1 :]
    return replace(state, jobs={name: state.jobs[name] for name in later})


def _set_right(state: State, job: Job) -> bool:
    """Whether its own issuer's correction is here."""
    others = (known.job for known in state.jobs.values() if not (known.held or known.offered))
    return any(_corrects(other, job) for other in others)


def _was_set_right(state: State, job: Job) -> bool:
    """Whether its own issuer's correction was here: it may overtake what it corrects."""
    corrections = [sound for sound in state.past if (sound.corrects, sound.issuer) == (job.job_id, job.issuer)]
    return any(_weighs_enough(sound.cls, job) for sound in corrections)


def _newest_sounded(state: State, job: Job) -> int:
    sounded = [sound for sound in state.past if (sound.series, sound.issuer) == (job.series, job.issuer)]
    return max((sound.version for sound in sounded if _weighs_enough(sound.cls, job)), default=0)


def _corrects(job: Job, other: Job) -> bool:
    named = bool(job.corrects) and (job.corrects, job.issuer) == (other.job_id, other.issuer)
    return named and _weighs_enough(job.plays_as, other)


def _may_replace(newer: Job, older: Job) -> bool:
    """Whether both are of one series in which the one, by its version, may take the place of the other."""
    same = bool(older.series) and (newer.series, newer.issuer) == (older.series, older.issuer)
    return same and _weighs_enough(newer.plays_as, older)


def _weighs_enough(cls: JobClass, job: Job) -> bool:
    """Whether what plays as ``cls`` may end a job, or keep it out: what is no warning ends none."""
    return cls is JobClass.EMERGENCY or job.plays_as is not JobClass.EMERGENCY
