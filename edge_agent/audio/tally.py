"""Count what became of the live parts of a programme, up to a frame that moves on, and back where a card reached back.

Pure. Milliseconds are rounded so that the three always are the whole: what sounded of live parts, rounded down.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass

from edge_agent.audio.live import Source
from edge_agent.audio.timeline import ms_of
from edge_agent.core.programme import Relayed


@dataclass(frozen=True, slots=True)
class _Run:
    """The programme's frames [first, end) come from ``source``."""

    source: Source
    first: int
    end: int


class Tally:
    """Runs are kept as long as somebody may go back to them."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._settled: Counter[Source] = Counter()
        self._runs: deque[_Run] = deque()

    def lay(self, source: Source, first: int, end: int) -> None:
        """What comes next, after all that was laid before."""
        last = self._runs[-1] if self._runs else None
        if last is not None and last.source is source and last.end == first:
            self._runs[-1] = _Run(source, last.first, end)
        elif first < end:
            self._runs.append(_Run(source, first, end))

    def settle(self, frame: int) -> None:
        """Nobody goes back to before this frame."""
        while self._runs and self._runs[0].end <= frame:
            run = self._runs.popleft()
            self._settled[run.source] += run.end - run.first

    def upto(self, frame: int) -> Relayed:
        """Of all frames before this one."""
        frames = self._settled.copy()
        for run in self._runs:
            frames[run.source] += max(min(run.end, frame) - run.first, 0)
        live = ms_of(frames[Source.LIVE], self._rate)
        heard = ms_of(frames[Source.LIVE] + frames[Source.STAND_IN], self._rate)
        return Relayed(live, heard - live, ms_of(frames.total(), self._rate) - heard)
