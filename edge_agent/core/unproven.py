"""Decide when a warning sounds although nobody can tell how old it is: there is no time, and nobody there to ask.

Or there is one that nobody has signed, and which is before the warning's own signatures: then it is wrong.

Two officers must have signed it, after the last signed time that is known here. It sounds once, and says first when it
was signed; then it waits for the time, as before.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from edge_agent.core import series, sounding, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Level
from edge_agent.core.job import JobClass, PlayNow, TextItem
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import text_key
from edge_agent.core.reasons import Reason
from edge_agent.core.state import ClipStatus, KnownJob, State, Turn, Unproven
from edge_agent.core.units import SECOND_MS, MonoMs
from edge_agent.core.wall_time import local_time

SIGNERS_MIN = 2
WAIT_MS = 30 * SECOND_MS
# A hello is repeated after so long: one answer may be lost.


def sound(turn: Turn) -> None:
    """A warning sounds once by its signatures alone, where the time is not known and nobody answers.

    Two officers must have signed it, after the last signed time that is known here; it says first when that was, so
    that whoever hears an old one knows it for one.
    """
    for known in [known for known in turn.state.jobs.values() if not turn.now.dates(known.job.issued_at)]:
        at = _unproven_at(turn.state, known)
        if at is not None and turn.now.mono >= at:
            turn.put_job(as_unproven(turn.state, known))
            turn.note(Level.WARNING, "sounds once, nobody can tell how old it is", job=known.job.job_id)
        elif known.unproven is Unproven.SOUNDS and _is_over(turn.state, known) and not _has_begun(turn.state, known):
            _wait_again(turn, known)
        elif known.unproven is Unproven.SOUNDS and _cannot_be_spoken(turn.state, known):
            turn.put_job(with_opening(known, ()))


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a warning has waited for long enough."""
    undated = [known for known in state.jobs.values() if not now.dates(known.job.issued_at)]
    return [at for known in undated if (at := _unproven_at(state, known)) is not None]


def as_unproven(state: State, known: KnownJob) -> KnownJob:
    """It sounds, and says first when it was signed."""
    signed = local_time(known.job.issued_at, state.site.timezone)
    return replace(with_opening(known, (_date_words(signed),)), unproven=Unproven.SOUNDS)


def with_opening(known: KnownJob, opening: tuple[TextItem, ...]) -> KnownJob:
    """What the station says before a job by itself; the job as it was signed is kept beside it."""
    if known.job.opening == opening:
        return known  # as it was signed, or chosen for just the time that it was signed for
    signed = known.accepted.signed or replace(known.job, opening=())
    job = replace(known.job, opening=opening)
    return replace(known, accepted=replace(known.accepted, job=job, signed=None if signed == job else signed))


def _unproven_at(state: State, known: KnownJob) -> MonoMs | None:
    """When a warning that waits sounds by its signatures alone; None: it does not."""
    job = known.job
    if not known.held or known.unproven is not None or not (known.saved or known.unsaved_sounds):
        return None
    warns = job.plays_as is JobClass.EMERGENCY and isinstance(job.when, PlayNow) and not job.all_clear
    floor = state.trust.floor(state.floor)
    proven = len({*known.accepted.signers}) >= SIGNERS_MIN and job.issued_at >= floor
    if not (warns and proven) or _is_over(state, known):
        return None
    return MonoMs(known.asked_at + WAIT_MS)


def _is_over(state: State, known: KnownJob) -> bool:
    """Whether it was taken back, or there is a newer version: be it that these wait for the time as well.

    An id is given once, so a cancel of its own issuer is never too old, whatever time it is.
    """
    job = known.job
    return standing.cancelled(state, job.job_id, job.issuer, if_held=True) or series.is_outdated(state, job)


def _has_begun(state: State, known: KnownJob) -> bool:
    return any(play.phase is Phase.PLAYING for play in state.plays.values() if play.job_id == known.job.job_id)


def _wait_again(turn: Turn, known: KnownJob) -> None:
    """It was to sound, and must not any more: it waits for the time like what has taken its place."""
    for play in [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]:
        if play.phase is Phase.ARMED:
            sounding.hold_back(turn, play, Reason.CLOCK_NOT_TRUSTED)
        turn.drop_play(play.key)
    turn.put_job(replace(with_opening(known, ()), unproven=None))


def _cannot_be_spoken(state: State, known: KnownJob) -> bool:
    """A station without a voice warns all the same."""
    clips = [state.clips.get(text_key(item)) for item in known.job.opening]
    return any(clip is not None and clip.status is ClipStatus.FAILED for clip in clips)


def _date_words(signed: datetime) -> TextItem:
    day = f"ngày {signed.day} tháng {signed.month} năm {signed.year}"
    told = f"Lệnh phát này được ký lúc {signed.hour} giờ {signed.minute} phút, {day}."
    return TextItem("Ngày ký", field="", language="vi", source="", approver="", text=told)
