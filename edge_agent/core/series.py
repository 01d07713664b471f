"""Decide what a newer version of an alert does to the older ones, and where its all-clear is heard (requirement B19).

A series is one issuer's: versions grow, only the newest one sounds, and one that comes late never does. What has
sounded is remembered with its version (``past``), so a restart changes nothing.
"""

from __future__ import annotations

from edge_agent.core import sounding
from edge_agent.core.job import Job
from edge_agent.core.occurrence import Cause
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn


def newest(state: State, job: Job) -> int:
    """The newest version of a job's series that this station has heard of; 0 if none."""
    if not job.series:
        return 0
    waiting = [known.job.version for known in state.jobs.values() if _same(known.job, job)]
    sounded = [sound.version for sound in state.past if (sound.series, sound.issuer) == (job.series, job.issuer)]
    return max([*waiting, *sounded], default=0)


def outdate(turn: Turn, job: Job) -> None:
    """A newer version is here: older ones end, whether they sound or wait."""
    for known in [known for known in turn.state.jobs.values() if _same(known.job, job)]:
        if known.job.version < job.version:
            sounding.call_off(turn, known, Cause.REPLACED, Reason.SUPERSEDED)


def set_right(turn: Turn, job: Job) -> None:
    """A correction is here: what it corrects ends, whether it sounds or waits (requirement B21)."""
    for known in [known for known in turn.state.jobs.values() if job.corrects and known.job.job_id == job.corrects]:
        if known.job.issuer == job.issuer:
            sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.CORRECTED)


def _same(one: Job, other: Job) -> bool:
    return bool(other.series) and (one.series, one.issuer) == (other.series, other.issuer)
