"""Count what left the card, for one play and for each of its zones. Pure: nothing is claimed before it has left."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection
from dataclasses import dataclass

from edge_agent.audio.timeline import ms_of
from edge_agent.core.units import ZoneId


@dataclass(frozen=True, slots=True)
class _Written:
    first: int
    end: int
    zones: frozenset[ZoneId]


class Ledger:
    """Frames are stream frames. What is written but has not left is bounded by the card's buffer."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._waiting: deque[_Written] = deque()
        self._by_zone: Counter[ZoneId] = Counter()
        self.frames = 0
        """Frames that left for at least one zone."""

    def wrote(self, first: int, frames: int, zones: Collection[ZoneId]) -> None:
        """The play's own ``frames`` were written for ``zones`` from stream frame ``first`` on."""
        if frames and zones:
            self._waiting.append(_Written(first, first + frames, frozenset(zones)))

    def left(self, upto: int) -> None:
        """Every stream frame before ``upto`` has left the card."""
        while self._waiting and self._waiting[0].first < upto:
            written = self._waiting.popleft()
            end = min(written.end, upto)
            self._count(end - written.first, written.zones)
            if end < written.end:
                self._waiting.appendleft(_Written(end, written.end, written.zones))

    def back_to(self, upto: int) -> None:
        """Nothing that was written from stream frame ``upto`` on will leave."""
        while self._waiting and self._waiting[-1].end > upto:
            written = self._waiting.pop()
            if written.first < upto:
                self._waiting.append(_Written(written.first, upto, written.zones))

    def zone_ms(self) -> dict[ZoneId, int]:
        """Milliseconds that left for each zone that ever had any."""
        return {zone: ms_of(frames, self._rate) for zone, frames in self._by_zone.items()}

    def _count(self, frames: int, zones: frozenset[ZoneId]) -> None:
        self.frames += frames
        for zone in zones:
            self._by_zone[zone] += frames
