"""Decide when sound is fetched or spoken, and when to try again. One sound is asked for once, whoever needs it."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import look_ahead
from edge_agent.core.effects import Effect, FetchClip, Level, SpeakText, Sweep
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.job import ClipItem, Job
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import StagedItem, item_key, items_of, needed_by
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.state import Clip, ClipStatus, Fetched, State, Turn
from edge_agent.core.units import MINUTE_MS, SECOND_MS, ClipKey, MonoMs, UtcMs

RETRY_FIRST_MS = 5 * SECOND_MS
RETRY_MS_MAX = 10 * MINUTE_MS
# Doubling from 5 s: a short gap in 4G costs seconds, a server that is down for a day costs 144 requests.


def want(turn: Turn, job: Job, due: UtcMs | None, since: MonoMs) -> None:
    """Ask for every sound of the job in its time, and again for those whose retry is due. ``due`` None: it is now.

    Then it waits for no retry of what failed before ``since``: that was another job's, with other addresses perhaps.
    """
    for item in items_of(job):
        key = item_key(item)
        clip = turn.state.clips.get(key)
        if clip is None or clip.status is ClipStatus.WAITING:
            clip = _in_its_time(turn, item, clip, due)
            if turn.state.clips.get(key) != clip:
                turn.put_clip(key, clip)
        anew = due is None and clip.status is ClipStatus.FAILED and clip.failed_at < since
        if anew or (clip.retry_at is not None and turn.now.mono >= clip.retry_at):
            turn.put_clip(key, replace(clip, status=ClipStatus.ASKED, retry_at=None))
            turn.emit(_request(item))


def _in_its_time(turn: Turn, item: StagedItem, clip: Clip | None, due: UtcMs | None) -> Clip:
    """When a sound that nobody has asked for yet is asked for: in its own moment of the night, at once what is urgent.

    Where another job needs it sooner it comes sooner; where the day's bytes are used up it waits for the next night.
    """
    site, now, key = turn.state.site, turn.now, item_key(item)
    at = look_ahead.ask_at(site, now, key, due) if isinstance(item, ClipItem) else now.mono
    planned = at if clip is None or clip.retry_at is None else min(at, clip.retry_at)
    if now.mono >= planned and isinstance(item, ClipItem) and now.trusted:
        night = look_ahead.night_of(site, now.utc)
        used = turn.state.fetched.bytes if turn.state.fetched.night == night else 0
        if not look_ahead.is_urgent(now, due) and used + item.length_bytes > site.fetch_bytes_per_day:
            return Clip(ClipStatus.WAITING, retry_at=look_ahead.next_night(site, now, key))
        turn.state = replace(turn.state, fetched=Fetched(night, used + item.length_bytes))
    return Clip(ClipStatus.WAITING, retry_at=planned)


def staged(turn: Turn, event: ClipStaged) -> None:
    """Sound lies ready."""
    turn.put_clip(event.key, Clip(ClipStatus.READY, duration_ms=event.duration_ms))


def failed(turn: Turn, event: ClipFailed) -> None:
    """Sound could not be had; another try after a growing pause, a long one where a try can hardly help."""
    tries = turn.state.clips.get(event.key, Clip(ClipStatus.ASKED)).tries + 1
    pause_ms = min(RETRY_FIRST_MS << min(tries - 1, 10), RETRY_MS_MAX) if event.again else RETRY_MS_MAX
    retry_at = MonoMs(turn.now.mono + pause_ms)
    clip = Clip(ClipStatus.FAILED, 0, tries, retry_at, event.reason, event.again, failed_at=turn.now.mono)
    turn.put_clip(event.key, clip)
    level = Level.WARNING if event.again else Level.ERROR
    turn.note(
        level,
        "audio not staged",
        clip=event.key[:12],
        reason=event.reason,
        words=explain(event.reason),
        detail=event.detail,
        next_try_s=pause_ms // SECOND_MS,
    )


def lost(turn: Turn, job: Job) -> None:
    """Staged sound turned out altered while playing: stage all of this job's sound again."""
    for item in items_of(job):
        clip = turn.state.clips.get(item_key(item))
        if clip is not None and clip.status is ClipStatus.READY:
            turn.put_clip(item_key(item), replace(clip, status=ClipStatus.ASKED))
            turn.emit(_request(item))


def forget_unneeded(turn: Turn) -> None:
    """Forget what is known of sounds that no job needs any more."""
    needed = {item_key(item) for known in turn.state.jobs.values() for item in items_of(known.job)}
    kept = {key: clip for key, clip in turn.state.clips.items() if key in needed}
    turn.state = replace(turn.state, clips=kept)


def durations(state: State, job: Job) -> dict[ClipKey, int] | None:
    """Milliseconds of each sound without which the job does not play; None while one is missing."""
    clips = {item_key(item): state.clips.get(item_key(item)) for item in needed_by(job)}
    ready = {key: clip.duration_ms for key, clip in clips.items() if clip and clip.status is ClipStatus.READY}
    return ready if len(ready) == len(clips) else None


def trouble(state: State, job: Job, since: MonoMs = MonoMs(0)) -> tuple[Reason, bool] | None:
    """The first reason why a sound of the job is not ready, and whether another try may help; None if none failed.

    What failed before ``since`` says nothing.
    """
    for item in needed_by(job):
        clip = state.clips.get(item_key(item))
        if clip is not None and clip.reason is not None and clip.failed_at >= since:
            return clip.reason, clip.again
    return None


def next_wake(state: State) -> list[MonoMs]:
    """When a failed sound that is still needed is asked for again."""
    needed = {
        item_key(item)
        for play in state.plays.values()
        if play.phase in (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED)  # the last two may lack a stand-in
        for item in items_of(state.jobs[play.job_id].job)
    }
    return [clip.retry_at for key, clip in state.clips.items() if key in needed and clip.retry_at is not None]


def sweep(turn: Turn) -> None:
    """Let the cache be tidied; nothing that a known job needs may go."""
    keep = {item_key(item) for known in turn.state.jobs.values() for item in items_of(known.job)}
    turn.emit(Sweep(frozenset(keep), turn.state.trust.passed(turn.now.utc) if turn.now.trusted else None))


def _request(item: StagedItem) -> Effect:
    if isinstance(item, ClipItem):
        return FetchClip(item.digest, item.length_bytes, item.duration_ms, item.urls)
    return SpeakText(item_key(item), item.language, item.text)
