"""Decide which staged sound makes room for which, within what a station may keep (``Site.sound_ms_max``).

What is needed last goes first, and nothing goes for what is needed later: that waits until there is room, and what is
needed still later does not overtake it, so that a step looks for room once, however many wait for it. What is left of a
sound that went is what it is made of: it is made again in its time, without a network. Sound that no known job needs
lies on the card at no cost: it goes before all that is counted here (``kept``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from edge_agent.core.job import ClipItem, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import StagedItem, item_key, items_of
from edge_agent.core.state import ClipStatus, Sounds, State, Turn
from edge_agent.core.units import NEVER, ClipKey, UtcMs

_NOW = UtcMs(0)
_HOLDS = (ClipStatus.READY, ClipStatus.ASKED)


def make_room(turn: Turn, key: ClipKey, needed_ms: int, due: UtcMs | None) -> bool:
    """Whether there is room for a sound that is ``due`` (None: now), once what is needed later has gone.

    What is due now is told yes in any case: whether a warning fits, the disk alone may say.
    """
    if due is not None and (due >= turn.no_room_from or needed_ms > turn.state.site.sound_ms_max):
        return False
    over, gone = _over(turn, key, needed_ms, due)
    if over > 0 and due is not None:
        turn.no_room_from = due
        return False
    for other in gone:
        turn.put_clip(other, replace(turn.state.clips[other], status=ClipStatus.FETCHED))
    return True


def _over(turn: Turn, key: ClipKey, needed_ms: int, due: UtcMs | None) -> tuple[int, list[ClipKey]]:
    """How much of it has no room, and what goes for the rest."""
    clips = turn.state.clips
    held = sum(clip.duration_ms for other, clip in clips.items() if clip.status in _HOLDS and other != key)
    over = held + needed_ms - turn.state.site.sound_ms_max
    if over <= 0:
        return over, []
    needed = _needed(turn.state)
    before = turn.now.utc if due is None else due
    later = {
        other: at
        for other, clip in clips.items()
        if clip.status is ClipStatus.READY and other != key
        if (at := needed.get(other, NEVER)) > before
    }
    gone = []
    for other in sorted(later, key=lambda other: later[other], reverse=True):
        if over > 0:
            gone.append(other)
            over -= clips[other].duration_ms
    return over, gone


def kept(turn: Turn) -> frozenset[ClipKey]:
    """What must lie on the card beside a sound that is being made, as far as it does.

    After a restart nobody has asked yet what is there: only what has been let go is none of it.
    """
    sounds = sounds_of(turn)
    if sounds.kept is None:
        let_go = {key for key, clip in turn.state.clips.items() if clip.status is ClipStatus.FETCHED}
        sounds = turn.sounds = replace(sounds, kept=sounds.needed - let_go)
    assert sounds.kept is not None
    return sounds.kept


def sounds_of(turn: Turn) -> Sounds:
    """What the jobs of this moment need."""
    jobs = turn.state.jobs
    if turn.sounds is None or turn.sounds.jobs is not jobs:
        items = [item for known in jobs.values() for item in items_of(known.job)]
        warns = (known.job for known in jobs.values() if known.job.plays_as is JobClass.EMERGENCY)
        of_warnings = (item for job in warns for item in items_of(job))
        turn.sounds = Sounds(jobs, frozenset(map(item_key, items)), _longest_ms(items), _longest_ms(of_warnings))
    return turn.sounds


def _longest_ms(items: Iterable[StagedItem]) -> dict[ClipKey, int]:
    signed_ms: dict[ClipKey, int] = {}
    for item in items:
        if isinstance(item, ClipItem):
            signed_ms[item.digest] = max(item.duration_ms, signed_ms.get(item.digest, 0))
    return signed_ms


def _needed(state: State) -> Mapping[ClipKey, UtcMs]:
    """When each sound is needed first, as far as anything needs it."""
    needed: dict[ClipKey, UtcMs] = {}
    for play in state.plays.values():
        at = _needed_at(state, play)
        for item in items_of(state.jobs[play.job_id].job):
            needed[item_key(item)] = min(at, needed.get(item_key(item), NEVER))
    return needed


def _needed_at(state: State, play: Occurrence) -> UtcMs:
    """A warning's sound stays until its next repetition, and what has its zones needs its own now."""
    warns = state.jobs[play.job_id].job.plays_as is JobClass.EMERGENCY
    return _NOW if warns or play.phase in (Phase.ARMED, Phase.PLAYING) else play.planned
