"""Decide when a warning sounds although nobody has signed what time it is: there is nobody there to ask.

Who catches a warning, keeps the welcomes away and lies by NTP could have an old one sound for new. So it waits for a
welcome as long as a lost one takes to be asked for again, and says first when it was signed. It takes two witnesses:
its issuer, and a clock by which it is valid; or two officers, where there is no clock, or one that is before their
signatures, and so is wrong. And it was signed after the last signed time that is known here. It sounds once; then it
waits on.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from edge_agent.core import planning, series, sounding, standing
from edge_agent.core.clock_trust import Now
from edge_agent.core.commands import from_the_future
from edge_agent.core.effects import Level
from edge_agent.core.job import Accepted, JobClass, PlayNow, TextItem
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.programme import text_key
from edge_agent.core.reasons import Reason
from edge_agent.core.state import ClipStatus, KnownJob, State, Turn, Unproven
from edge_agent.core.units import SECOND_MS, MonoMs
from edge_agent.core.wall_time import local_time

SIGNERS_MIN = 2
WAIT_MS = 30 * SECOND_MS
# A hello is repeated after so long: one answer may be lost.


def sound(turn: Turn) -> None:
    """A warning sounds once where no welcome comes; whoever hears an old one knows it by its date for one."""
    if turn.now.dates:
        return
    for known in list(turn.state.jobs.values()):
        at = _unproven_at(turn.state, known, turn.now)
        if at is not None and turn.now.mono >= at:
            turn.put_job(as_unproven(turn.state, known))
            series.take_place(turn, known.job)
            turn.note(Level.WARNING, "sounds once, nobody can tell how old it is", job=known.job.job_id)
        elif known.unproven is not Unproven.SOUNDS:
            continue
        elif (over := _over_by(turn.state, known)) is not None and not _is_sounding(turn.state, known):
            _sound_no_more(turn, known, over)
        elif _cannot_be_spoken(turn.state, known):
            turn.put_job(with_opening(known, ()))


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a warning has waited for long enough."""
    undated = [] if now.dates else state.jobs.values()
    return [at for known in undated if (at := _unproven_at(state, known, now)) is not None]


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


def _unproven_at(state: State, known: KnownJob, now: Now) -> MonoMs | None:
    """When a warning that waits sounds without a welcome; None: it does not."""
    job = known.job
    if not known.held or known.unproven is not None or not (known.saved or known.unsaved_sounds):
        return None
    warns = job.plays_as is JobClass.EMERGENCY and isinstance(job.when, PlayNow) and not job.all_clear
    if not warns or job.issued_at < state.trust.floor(state.floor) or _over_by(state, known):
        return None
    return MonoMs(known.asked_at + WAIT_MS) if _witnessed(known.accepted, now) else None


def _witnessed(accepted: Accepted, now: Now) -> bool:
    """Whether somebody else says that it is of today: a second officer, or a clock that can be right."""
    job = accepted.job
    if not now.tells_validity or from_the_future(job.issued_at, now):
        return len({*accepted.signers}) >= SIGNERS_MIN
    return not from_the_future(job.not_before, now) and now.utc <= job.not_after


def _over_by(state: State, known: KnownJob) -> Reason | None:
    """Why it is over: it was taken back, or there is a newer version; be it that these wait for the time as well.

    An id is given once, so a cancel of its own issuer is never too old, whatever time it is.
    """
    job = known.job
    if standing.cancelled(state, job.job_id, job.issuer, if_held=True):
        return Reason.CANCELLED
    return Reason.SUPERSEDED if series.is_outdated(state, job) else None


def _is_sounding(state: State, known: KnownJob) -> bool:
    return any(play.phase is Phase.PLAYING for play in state.plays.values() if play.job_id == known.job.job_id)


def _sound_no_more(turn: Turn, known: KnownJob, over: Reason) -> None:
    """It was to sound, and must not any more. What has been heard of it stays heard, and ended here.

    Else it waits for the time like what has taken its place: nothing of it has begun.
    """
    for play in [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]:
        if play.was_heard:
            sounding.give_up(turn, play, Cause.REPLACED, over)
            return
        planning.unplan(turn, play)
    turn.put_job(replace(with_opening(known, ()), unproven=None))


def _cannot_be_spoken(state: State, known: KnownJob) -> bool:
    """A station without a voice warns all the same."""
    clips = [state.clips.get(text_key(item)) for item in known.job.opening]
    return any(clip is not None and clip.status is ClipStatus.FAILED for clip in clips)


def _date_words(signed: datetime) -> TextItem:
    day = f"ngày {signed.day} tháng {signed.month} năm {signed.year}"
    told = f"Lệnh phát này được ký lúc {signed.hour} giờ {signed.minute} phút, {day}."
    return TextItem("Ngày ký", field="", language="vi", source="", approver="", text=told)
