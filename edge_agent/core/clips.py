"""Decide when sound is fetched, spoken and made ready, when to try again, and whether a job may play with it as it is.

One sound is asked for once, whoever needs it; once more where a warning comes to need it too, which waits for no
routine work, or what plays now, which waits for nothing that is due later. How long it is each job has signed for
itself: what is longer or shorter fits none that signed otherwise. But an emergency plays what there is: a warning cut
short is better than none, and so is one without its siren.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import day_bytes, look_ahead
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect, FetchAhead, FetchClip, Level, SpeakText, Sweep, Unneeded
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.job import ClipItem, Job, JobClass, LiveItem
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import Sound, StagedItem, item_key, items_of, misfit, needed_by
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.sound_room import kept, make_room, sounds_of
from edge_agent.core.state import Clip, ClipStatus, State, Turn
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, ClipKey, MonoMs, UtcMs

RETRY_FIRST_MS = 5 * SECOND_MS
RETRY_MS_MAX = 10 * MINUTE_MS
# Doubling from 5 s, each cut by up to its half: a short gap in 4G costs seconds, a server that is down for a day costs
# some 200 requests.
HARDLY_MS_MAX = 6 * HOUR_MS
# Doubling from the 10 minutes where a try can hardly help: a server that has put other bytes there sends all of them
# each time, and 15 MB every few minutes are 3 GB of SIM a day.
HARDLY_WARNING_MS_MAX = 30 * MINUTE_MS
# And so long at most where a warning repeats: once somebody has mended the file it is heard soon. That is some 70 files
# a day.
LEFT_OUT_AFTER_MS = 30 * SECOND_MS
# So long a warning that has something to say waits for the rest: a clip of half a minute comes in that time at
# 64 kbit/s, and whoever holds the content server is not to silence the words that the station speaks by itself.
TRY_BYTES = 32 * 1_024
# What a try may cost and say nothing: the handshakes and heads of six answers, 5 kB each. A server that is only down
# for a week costs no more.


def want(turn: Turn, job: Job, due: UtcMs | None, since: MonoMs) -> None:
    """Ask for every sound of the job in its time, and again for those whose retry is due. ``due`` None: it is now.

    Then it waits for no retry of what failed before ``since``, if that was another job's, with other addresses perhaps.
    A repetition of its own waits: each minute a file that is not as signed, or never ends, is gigabytes of SIM a day.
    """
    for item in items_of(job):
        key = item_key(item)
        clip = turn.state.clips.get(key)
        if clip is None or clip.status is ClipStatus.WAITING:
            clip = _in_its_time(turn, job, item, clip, due)
            if turn.state.clips.get(key) != clip:
                turn.put_clip(key, clip)
        sooner = isinstance(item, ClipItem) and due is None and clip.due is not None
        hastens = clip.status is ClipStatus.ASKED and not clip.urgent and (_warns(job) or sooner)
        failed_for_others = clip.status is ClipStatus.FAILED and job.job_id not in clip.tried
        anew = due is None and failed_for_others and clip.failed_at < since
        if clip.status is ClipStatus.FETCHED:
            if turn.now.mono >= look_ahead.stage_at(turn.now, due):
                _make(turn, job, item, clip, due, since)
        elif anew or hastens or (clip.retry_at is not None and turn.now.mono >= clip.retry_at):
            _try(turn, job, item, clip, due)


def _try(turn: Turn, job: Job, item: StagedItem, clip: Clip, due: UtcMs | None) -> None:
    """Its moment has come, or its pause is over. Where all has come that was counted, another try is counted too."""
    spent = clip.status is ClipStatus.FAILED and clip.came_bytes > 0 and clip.counted_bytes == 0
    if spent and not _has_bytes(turn, job, item, clip, due):
        site, now, key = turn.state.site, turn.now, item_key(item)
        at = look_ahead.next_night(site, now, key)
        if due is not None and clip.again and not look_ahead.is_urgent(now, due):
            at = min(at, look_ahead.soon_at(site, now, key, due))
        turn.put_clip(key, replace(clip, retry_at=at))
    else:
        _ask(turn, job, item, _counted(turn, item, clip) if spent else clip, due)


def _ask(turn: Turn, job: Job, item: StagedItem, clip: Clip, due: UtcMs | None) -> None:
    """Have it fetched, and made ready too if its time has come and there is room. What is spoken needs no fetching."""
    urgent = _warns(job)
    length_ms = _length_ms(turn, item, clip, urgent)
    tries = 0 if urgent and not clip.urgent else clip.tries  # what was learned for a routine one keeps no warning back
    asked = replace(clip, status=ClipStatus.ASKED, retry_at=None, duration_ms=length_ms, urgent=urgent, tries=tries)
    asked = replace(asked, tried=clip.tried.intersection(turn.state.jobs) | {job.job_id}, due=due)
    key, ahead = item_key(item), turn.now.mono < look_ahead.stage_at(turn.now, due)
    if isinstance(item, ClipItem) and (ahead or not make_room(turn, key, asked.duration_ms, due)):
        turn.put_clip(key, replace(asked, duration_ms=0))
        turn.emit(FetchAhead(item.digest, item.length_bytes, item.urls, asked.urgent, due))
        return
    turn.put_clip(key, asked)
    turn.emit(_request(turn, item, asked.urgent, due))


def _make(turn: Turn, job: Job, item: StagedItem, clip: Clip, due: UtcMs | None, since: MonoMs) -> None:
    """Its time has come: have it made ready of what is here, or say that there is no room for it yet."""
    key, length_ms = item_key(item), _length_ms(turn, item, clip, _warns(job))
    if make_room(turn, key, length_ms, due):
        turn.put_clip(key, Clip(ClipStatus.ASKED, length_ms, urgent=_warns(job), left_out=clip.left_out, due=due))
        turn.emit(_request(turn, item, _warns(job), due))
    elif clip.reason is None or clip.failed_at < since:
        full = replace(clip, duration_ms=length_ms, reason=Reason.CACHE_FULL, failed_at=turn.now.mono)
        turn.put_clip(key, full)
        words = explain(Reason.CACHE_FULL)
        turn.note(Level.WARNING, "no room for audio yet", clip=key[:12], ms=length_ms, words=words)


def _in_its_time(turn: Turn, job: Job, item: StagedItem, clip: Clip | None, due: UtcMs | None) -> Clip:
    """When a sound that nobody has asked for yet is asked for: in its own moment, at once what is urgent.

    Where another job needs it sooner it comes sooner; where the day's bytes are used up it waits for the next night,
    and does not look again before that: its own moment would come anew with each look, be it of a millisecond.
    """
    site, now, key = turn.state.site, turn.now, item_key(item)
    together = sum(one.length_bytes for one in items_of(job) if isinstance(one, ClipItem))
    at = look_ahead.ask_at(site, now, key, due, together) if isinstance(item, ClipItem) else now.mono
    planned = at if clip is None or clip.retry_at is None else min(at, clip.retry_at)
    waits = Clip(ClipStatus.WAITING, retry_at=planned)
    today = look_ahead.night_of(site, now.utc_of(planned)) == look_ahead.night_of(site, now.utc)
    if today and not _has_bytes(turn, job, item, waits, due):
        _tell_of_so_much(turn, clip, key, due)
        why = Reason.BYTES_PER_DAY if look_ahead.is_urgent(now, due) else None
        return replace(waits, retry_at=look_ahead.next_night(site, now, key), reason=why)
    return waits if now.mono < planned else _counted(turn, item, waits)


def _has_bytes(turn: Turn, job: Job, item: StagedItem, clip: Clip, due: UtcMs | None) -> bool:
    """Whether the day has bytes left for it. A warning never waits; also not where a bulletin asks for its sound."""
    if not isinstance(item, ClipItem) or _warns(job) or clip.urgent:
        return True
    return day_bytes.has(turn, item.length_bytes, due)


def _counted(turn: Turn, item: StagedItem, clip: Clip) -> Clip:
    """The clip, its length counted among the day's bytes."""
    if not isinstance(item, ClipItem):
        return clip
    day_bytes.count(turn, item.length_bytes)
    return replace(clip, counted_bytes=item.length_bytes)


def _tell_of_so_much(turn: Turn, clip: Clip | None, key: ClipKey, due: UtcMs | None) -> None:
    """Of each sound once; what has bytes of tomorrow left is an ordinary day."""
    if clip is None and look_ahead.is_urgent(turn.now, due):
        told = {
            "clip": key[:12],
            "bytes_today": day_bytes.used(turn),
            "next": "ask who orders so much; warnings are fetched",
        }
        turn.note(Level.ERROR, "so much was fetched today that even what is due soon waits", **told)


def fetched(turn: Turn, event: ClipFetched) -> None:
    """What a sound is made of lies here; it is made when its time comes."""
    _had(turn, event)
    before = turn.state.clips.get(event.key)
    turn.put_clip(event.key, Clip(ClipStatus.FETCHED, left_out=before is not None and before.left_out))


def staged(turn: Turn, event: ClipStaged) -> None:
    """Sound lies ready; whoever signed another length is told of it now, not when it breaks off in the street."""
    _had(turn, event)
    turn.put_clip(event.key, Clip(ClipStatus.READY, duration_ms=event.duration_ms))
    for known in turn.state.jobs.values():
        for item in items_of(known.job):
            reason = misfit(item, event.duration_ms) if item_key(item) == event.key else None
            if reason is not None:
                plays = "what there is" if objection(known.job, item, event.duration_ms) is None else "never so"
                turn.note(
                    Level.WARNING,
                    "audio not as long as signed",
                    job=known.job.job_id,
                    clip=event.key[:12],
                    ms=event.duration_ms,
                    reason=reason,
                    words=explain(reason),
                    plays=plays,
                )


def failed(turn: Turn, event: ClipFailed) -> None:
    """Sound could not be had; another try after a growing pause, a long one where a try can hardly help.

    The pause is this station's own: a server that was down is not asked by a whole commune in the second it is back.
    """
    before = turn.state.clips.get(event.key, Clip(ClipStatus.ASKED))
    clip = _paid(turn, replace(before, status=ClipStatus.FAILED, duration_ms=0, again=event.again), event)
    hardly = _helps_hardly(turn, event.key, clip)
    tries = before.tries + 1 if _helps_hardly(turn, event.key, before) is hardly else 1
    hardly_ms_max = HARDLY_WARNING_MS_MAX if before.urgent else HARDLY_MS_MAX
    first_ms, most_ms = (RETRY_MS_MAX, hardly_ms_max) if hardly else (RETRY_FIRST_MS, RETRY_MS_MAX)
    pause_ms = min(first_ms << min(tries - 1, 10), most_ms)
    pause_ms = look_ahead.retry_pause_ms(turn.state.site, event.key, tries, pause_ms)
    retry_at, now = MonoMs(turn.now.mono + pause_ms), turn.now.mono
    turn.put_clip(event.key, replace(clip, tries=tries, retry_at=retry_at, reason=event.reason, failed_at=now))
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
    if event.reason is Reason.CACHE_FULL and tries == 1:
        # Not at each try: what no order needs any more has gone by then, but for what the daily sweep finds.
        sweep(turn)


def connected(turn: Turn) -> None:
    """The line is back: what a warning could not have without it is asked for now, and not when its pause is over.

    But what came in vain, though there was a line: a broker that hangs up each minute would have it come each minute.
    """
    for key, clip in turn.state.clips.items():
        in_vain = _helps_hardly(turn, key, replace(clip, urgent=False))
        if clip.status is ClipStatus.FAILED and clip.urgent and not in_vain:
            turn.put_clip(key, replace(clip, retry_at=turn.now.mono))


def _had(turn: Turn, event: ClipFetched | ClipStaged) -> None:
    """It is here; another address may have given other bytes before."""
    if event.came_bytes:
        _paid(turn, turn.state.clips.get(event.key, Clip(ClipStatus.ASKED)), event)


def _paid(turn: Turn, clip: Clip, event: ClipFailed | ClipFetched | ClipStaged) -> Clip:
    """What the try has cost: of the day's bytes what was not counted before, whatever became of them."""
    day_bytes.count(turn, max(0, event.came_bytes - clip.counted_bytes))
    left = max(0, clip.counted_bytes - event.came_bytes)
    return replace(clip, counted_bytes=left, came_bytes=clip.came_bytes + max(0, event.came_bytes - TRY_BYTES))


def _helps_hardly(turn: Turn, key: ClipKey, clip: Clip) -> bool:
    """Whether another try can hardly help: what lies there is wrong, or more has come than it is long, and was not it.

    An eighth more than that, for TLS and what was sent twice where a line broke. No warning is kept waiting for it.
    """
    if not clip.again or clip.urgent or clip.came_bytes == 0:
        return not clip.again
    items = [item for known in turn.state.jobs.values() for item in items_of(known.job)]
    length = max((item.length_bytes for item in items if isinstance(item, ClipItem) and item.digest == key), default=0)
    return clip.came_bytes > length + length // 8


def lost(turn: Turn, job: Job) -> None:
    """Staged sound turned out altered while playing: stage all of this job's sound again."""
    for item in items_of(job):
        clip = turn.state.clips.get(item_key(item))
        if clip is not None and clip.status is ClipStatus.READY:
            turn.put_clip(item_key(item), replace(clip, status=ClipStatus.ASKED, urgent=_warns(job)))
            turn.emit(_request(turn, item, _warns(job), None))


def forget_unneeded(turn: Turn) -> None:
    """Forget what is known of sounds that no job needs any more, and no play that was laid out with them."""
    needed = {item_key(item) for known in turn.state.jobs.values() for item in items_of(known.job)}
    needed |= {part.key for play in turn.state.plays.values() for part in play.whole if isinstance(part, Sound)}
    kept = {key: clip for key, clip in turn.state.clips.items() if key in needed}
    asked = frozenset(key for key, clip in turn.state.clips.items() if clip.status is ClipStatus.ASKED)
    turn.state = replace(turn.state, clips=kept)
    if asked - needed:
        turn.emit(Unneeded(asked - needed))


def leave_out(turn: Turn, job: Job, since: MonoMs) -> None:
    """Have a warning go without what it lacks: what is not to be had, and after a while whatever is still on its way.

    Only where some of it is ready: the rest may come late, or never, and what the station can say must not wait for it.
    Its date, which the station says first where nobody can tell how old it is, is never left out. ``since``: it waits
    from then on.
    """
    if not _warns(job) or not any(_is_ready(turn.state, job, item) for item in _own(job)):
        return
    waited = turn.now.mono >= since + LEFT_OUT_AFTER_MS
    for item in _own(job):
        clip = turn.state.clips.get(item_key(item))
        if clip is None or clip.left_out or _is_ready(turn.state, job, item):
            continue
        if not (waited or _is_in_vain(job, item, clip)):
            continue
        turn.put_clip(item_key(item), replace(clip, left_out=True))
        turn.note(
            Level.ERROR,
            "warning goes without a part of it",
            job=job.job_id,
            clip=item_key(item)[:12],
            reason=clip.reason,
            waited_s=(turn.now.mono - since) // SECOND_MS,
        )


def durations(state: State, job: Job) -> dict[ClipKey, int] | None:
    """Milliseconds of each sound that the job plays with; None while one is missing, or not as long as was signed.

    Of a warning what was left out is none of them, as long as any of its own is there.
    """
    found: dict[ClipKey, int] = {}
    for item in needed_by(job):
        clip = state.clips.get(item_key(item))
        if clip is not None and _is_ready(state, job, item):
            found[item_key(item)] = clip.duration_ms
        elif clip is None or not clip.left_out or not _warns(job):
            return None
    nothing_of_its_own = _warns(job) and not any(item_key(item) in found for item in _own(job))
    return None if nothing_of_its_own else found


def may_lack(job: Job) -> bool:
    """Whether it may be ready without all of its sound: a live source's stand-in, what a warning goes without."""
    return job.live or _warns(job)


def trouble(state: State, job: Job, since: MonoMs = MonoMs(0), by: MonoMs | None = None) -> tuple[Reason, bool] | None:
    """The first reason why a sound of the job is not ready, and whether another try may help; None if none failed.

    What failed before ``since`` says nothing; why it is not asked for yet does, but for what is asked for in time: it
    is due ``by`` then. A warning is helped by any of its own that may still come.
    """
    for item in needed_by(job):
        clip = state.clips.get(item_key(item))
        if clip is None:
            continue
        wrong = objection(job, item, clip.duration_ms) if clip.status is ClipStatus.READY else None
        others_may_speak = item in _own(job) and _may_still_speak(state, job)
        if wrong is not None:
            return wrong, others_may_speak
        if by is not None and _comes_in_time(clip, by):
            continue
        if clip.reason is not None and (clip.status is ClipStatus.WAITING or clip.failed_at >= since):
            return clip.reason, clip.again or others_may_speak
    return None


def _comes_in_time(clip: Clip, by: MonoMs) -> bool:
    """Whether it waits for nothing but its own moment of a night, whose bytes are then still to be had."""
    if clip.status is not ClipStatus.WAITING or clip.retry_at is None:
        return False
    return clip.retry_at + look_ahead.MARGIN_MS <= by


def _own(job: Job) -> tuple[StagedItem, ...]:
    """What was ordered: not what the station adds."""
    return tuple(item for item in job.items if not isinstance(item, LiveItem))


def _is_ready(state: State, job: Job, item: StagedItem) -> bool:
    clip = state.clips.get(item_key(item))
    if clip is None or clip.status is not ClipStatus.READY:
        return False
    return objection(job, item, clip.duration_ms) is None


def _is_in_vain(job: Job, item: StagedItem, clip: Clip) -> bool:
    """Whether no other try helps."""
    if clip.status is ClipStatus.READY:
        return objection(job, item, clip.duration_ms) is not None
    return clip.status is ClipStatus.FAILED and not clip.again


def _may_still_speak(state: State, job: Job) -> bool:
    """Whether any part of a warning is ready, or may be."""
    clips = ((item, state.clips.get(item_key(item))) for item in _own(job))
    return _warns(job) and any(clip is None or not _is_in_vain(job, item, clip) for item, clip in clips)


def objection(job: Job, item: StagedItem, duration_ms: int) -> Reason | None:
    """Why the job does not play with a sound of this length; of a warning there may be less than was signed."""
    wrong = misfit(item, duration_ms)
    return None if wrong is Reason.AUDIO_TOO_SHORT and _warns(job) else wrong


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a failed sound that is still needed is asked for again, and one that was fetched is made ready."""
    wakes: list[MonoMs] = []
    for play in [play for play in state.plays.values() if _may_lack_sound(state, play)]:
        made_at = look_ahead.stage_at(now, play.planned)
        keys = [item_key(item) for item in items_of(state.jobs[play.job_id].job)]
        clips = [state.clips[key] for key in keys if key in state.clips]
        wakes += [clip.retry_at for clip in clips if clip.retry_at is not None]
        if made_at > now.mono and any(clip.status is ClipStatus.FETCHED for clip in clips):
            wakes.append(made_at)
        left_out_at = MonoMs(play.since + LEFT_OUT_AFTER_MS)
        if left_out_at > now.mono and play.phase is Phase.RECEIVED and _warns(state.jobs[play.job_id].job):
            wakes.append(left_out_at)
    return wakes


def _may_lack_sound(state: State, play: Occurrence) -> bool:
    """Whether sound is waited for, or may come while it waits for its instant."""
    ready = play.phase in (Phase.STAGED, Phase.QUEUED)
    return play.phase is Phase.RECEIVED or (ready and may_lack(state.jobs[play.job_id].job))


def sweep(turn: Turn) -> None:
    """Let the cache be tidied; nothing that a known job needs may go."""
    keep = {item_key(item) for known in turn.state.jobs.values() for item in items_of(known.job)}
    turn.emit(Sweep(frozenset(keep), turn.state.trust.passed(turn.now.utc) if turn.now.trusted else None))


def _warns(job: Job) -> bool:
    return job.plays_as is JobClass.EMERGENCY


def _request(turn: Turn, item: StagedItem, urgent: bool, due: UtcMs | None) -> Effect:
    if isinstance(item, ClipItem):
        signed_ms = _signed_ms(turn, item, urgent)
        return FetchClip(item.digest, item.length_bytes, signed_ms, item.urls, kept(turn), urgent, due)
    return SpeakText(item_key(item), item.language, item.text, kept(turn), urgent)


def _length_ms(turn: Turn, item: StagedItem, clip: Clip, urgent: bool) -> int:
    """How much room a sound will need, as far as anybody knows: of a text nobody does before it was spoken once."""
    if not isinstance(item, ClipItem):
        return clip.duration_ms
    signed_ms = _signed_ms(turn, item, urgent)
    return min(clip.duration_ms, signed_ms) or signed_ms


def _signed_ms(turn: Turn, item: ClipItem, urgent: bool) -> int:
    """The longest that anybody has signed for it: else the first to ask would say how long it is for all others.

    For a warning the longest that any warning has: whoever may order a broadcast could sign half an hour for its siren,
    and a full card, or memory, would not have the room.
    """
    sounds = sounds_of(turn)
    return (sounds.warned_ms if urgent else sounds.signed_ms).get(item.digest, item.duration_ms)
