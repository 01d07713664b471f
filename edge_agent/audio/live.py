"""Decide where the next block of a live part comes from: the live source, its stand-in, or nowhere. Pure.

A source on a bad line comes in gusts, and its clock is not ours. So some of it is kept ahead, the target: more after
each time that it ran dry, less after a long calm. What is late is not waited for: a live part lasts exactly as long as
was ordered. Time is counted in blocks here, for one is asked for with each that goes to the card.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from edge_agent.core.units import MINUTE_MS, SECOND_MS

BLOCK_MS = 100
# The joint between live and stand-in is as exact as this; some six system calls for each cost nothing at ten a second.
TARGET_MS = 2 * SECOND_MS
# A lost packet is sent again after 1 s (RFC 6298, 2.4); as long again until it is here, and decoded.
TARGET_MS_MAX = 10 * SECOND_MS
# A segment of HLS comes as a whole: 6 s in Apple's authoring specification, 10 s in that before it.
SILENT_MS = SECOND_MS
# So long a pause is within a speaker's habit; nobody wants to hear the stand-in for it.
STAY_MS = 5 * SECOND_MS
# Of the stand-in at least: a sentence. To and fro more often than this sounds broken, and neither is understood.
CALM_MS = 10 * MINUTE_MS
# A ward's session is 15 to 30 min: what one bad moment has cost is given back within it.
SPARE_MS = 2 * SECOND_MS
# More than the target before some is left out: at 100 ppm, more than crystals differ by, that is one jump in 5.5 h.
WATCH_MS = TARGET_MS_MAX
# Whether there is too much, the lowest in this time tells: right after a segment there always is.
OLDEST_MS = TARGET_MS_MAX + SPARE_MS
# What lies longer is no longer live, whatever happened: with what is decided already (prefetch) and the card's buffer a
# listener is 14 s late, and on a good line 4.


def block_frames(rate: int) -> int:
    """Frames of one block."""
    return rate * BLOCK_MS // SECOND_MS


def _blocks(ms: int) -> int:
    return ms // BLOCK_MS


class Source(StrEnum):
    """Where a block comes from."""

    LIVE = "live"
    STAND_IN = "stand-in"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Choice:
    """``number`` is that of the ring's block where the source is LIVE."""

    source: Source
    number: int = -1


class LiveBuffer:
    """One live part, from its first block to its last, for however many cards relay it (``live_shared``)."""

    def __init__(self, target_ms: int = TARGET_MS) -> None:
        """``target_ms`` is the least that must lie ready before the source is heard."""
        self._least = self._target = max(_blocks(target_ms), 1)
        self._live = False
        self._next = 0  # the block that follows what was heard
        self._begun_with = 0  # the target, when it last began or jumped
        self._waited = 0  # blocks of silence and stand-in since it last was live
        self._calm = 0  # blocks since it last ran dry
        self._watched = 0
        self._lowest = 0  # blocks ahead, within the time that is watched
        self.ran_dry = 0
        """How often the source had nothing more while it was heard."""

    @property
    def target_ms(self) -> int:
        """How much of the source must lie ready before it is heard."""
        return self._target * BLOCK_MS

    def choose(self, there: range, *, stands_in: bool, at_once: int = 0) -> Choice:
        """For the next block, where the blocks ``there`` can be read; ``stands_in``: whether there is a stand-in.

        ``at_once`` more will be asked for before time passes: they are no reserve.
        """
        self._rest()
        ahead = range(max(there.start, self._next), there.stop)
        if self._live and not ahead:
            self._run_dry()
        elif not self._live and self._may_begin(len(ahead) - at_once, stands_in):
            self._live = True
            ahead = self._jump(ahead, at_once)
        if self._live:
            return self._go_on(ahead, at_once)
        self._waited += 1
        return Choice(Source.STAND_IN if stands_in and self._waited > _blocks(SILENT_MS) else Source.SILENCE)

    def _may_begin(self, ahead: int, stands_in: bool) -> bool:
        stood_in = self._waited - _blocks(SILENT_MS) if stands_in else 0
        return ahead >= self._target and (stood_in <= 0 or stood_in >= _blocks(STAY_MS))

    def _go_on(self, ahead: range, at_once: int) -> Choice:
        self._lowest = min(self._lowest, len(ahead))
        self._watched += 1
        if self._watched >= _blocks(WATCH_MS):
            ahead = self._jump(ahead, at_once) if self._lowest > self._begun_with + _blocks(SPARE_MS) else ahead
            self._watch(len(ahead))
        self._next = ahead.start + 1
        return Choice(Source.LIVE, ahead.start)

    def _jump(self, ahead: range, at_once: int) -> range:
        """Leave out what is older than it needs to be."""
        ahead = ahead[-self._target - at_once :]
        self._begun_with = self._target
        self._watch(len(ahead))
        return ahead

    def _watch(self, ahead: int) -> None:
        self._watched, self._lowest = 0, ahead

    def _run_dry(self) -> None:
        self._live = False
        self._waited = self._calm = 0
        self.ran_dry += 1
        # Of two seconds the longest is reached with the fourth time.
        self._target = min(self._target + max(self._target // 2, 1), _blocks(TARGET_MS_MAX))

    def _rest(self) -> None:
        self._calm += 1
        if self._calm >= _blocks(CALM_MS):
            self._calm = 0
            self._target = max(self._target * 2 // 3, self._least)
