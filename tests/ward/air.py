"""Live sources in virtual time: what each gives, and what a programme that relays one has of it.

A source gives sound from CONNECT_MS after the agent has opened it until it is closed, but while it is ``down``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edge_agent.core.effects import CloseLive, OpenLive
from edge_agent.core.programme import Live, Part, Relayed, begun_at
from edge_agent.core.units import SECOND_MS, ClipKey

if TYPE_CHECKING:
    from tests.ward.world import World

CONNECT_MS = 4_000
# A TLS connection over 4G, and the two seconds that lie ready before anything is heard.

IN_VAIN_MS = 27 * SECOND_MS
# It is asked for 15 s before it is to be heard (10.7), and nothing of it is heard more than 12 s late (10.8).
CLOSING_MS = 2 * SECOND_MS
# Until an order to stop is obeyed.
FOR_EVER = 1 << 60


class Air:
    """The agent's ``LiveSources``, and the card's. ``down`` lists (from, to) in true ms."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._open: dict[ClipKey, int] = {}
        self._given: list[tuple[ClipKey, int, int]] = []
        self._troubles: set[str] = set()
        self.down: list[tuple[int, int]] = []

    def order(self, order: OpenLive | CloseLive) -> None:
        if isinstance(order, OpenLive):
            self._open.setdefault(order.key, self._world.mono)
        elif order.key in self._open:
            self._close(order.key)

    def agent_gone(self) -> None:
        """Nobody fetches anything any more."""
        for key in [*self._open]:
            self._close(key)

    def gives(self, up: bool, trouble: str = "the sources") -> None:
        """Every source gives its sound again, or nothing: until no trouble is left."""
        had = bool(self._troubles)
        (self._troubles.discard if up else self._troubles.add)(trouble)
        if self._troubles and not had:
            self.down.append((self._world.mono, FOR_EVER))
        elif had and not self._troubles:
            self.down[-1] = (self.down[-1][0], self._world.mono)

    @property
    def open(self) -> frozenset[ClipKey]:
        """The sources that are open now."""
        return frozenset(self._open)

    def asked_for(self) -> list[tuple[ClipKey, int, int]]:
        """(source, from, to) of every time that one was open, up to now."""
        return [*self._given, *((key, at, self._world.mono) for key, at in self._open.items())]

    def in_vain(self, closing_ms: int = CLOSING_MS) -> Iterator[str]:
        """What was asked for in order to hear nothing of it, in words: its bytes are paid for.

        ``closing_ms``: until a programme that ends, or cannot begin, has been given up.
        """
        names = self._world.headend.names
        for key, since, to in self.asked_for():
            at = since
            for begins, ends in [*sorted(self._heard(key)), (to, to)]:
                if min(begins, to) - at > IN_VAIN_MS + closing_ms:
                    yield f"{names.get(key, key)} is open from {since} to {to}, and not heard from {at} on"
                    break
                at = max(at, ends)

    def _heard(self, key: ClipKey) -> Iterator[tuple[int, int]]:
        """(from, to) of each time; and when it was to be heard, for a warning may have come between."""
        for run in self._world.runs:
            if any(isinstance(part, Live) and part.key == key for part in run.play.parts):
                planned = int(run.play.play_id.split(".")[-2]) - self._world.began
                yield planned, planned
                yield run.begins, max(run.begins, run.ends)

    def pieces(self, part: Live, first: int, last: int) -> Iterator[tuple[ClipKey, int, int]]:
        """(what, from, to) of what is heard of a live part in [first, last): the source, or the stand-in."""
        at = first
        for since, to in sorted(self._gives(part.key)):
            begins, ends = max(since, at), min(to, last)
            if begins < ends:
                yield from self._stand_in(part, at, begins)
                yield part.key, begins, ends
                at = ends
        yield from self._stand_in(part, at, last)

    def _stand_in(self, part: Live, first: int, last: int) -> Iterator[tuple[ClipKey, int, int]]:
        if part.stand_in is not None and part.stand_in in self._world.cache and first < last:
            yield part.stand_in, first, last

    def relayed(self, parts: tuple[Part, ...], begins: int, until: int) -> Relayed:
        """What became of the live parts of a programme that began then, in [begins, until)."""
        total = Relayed()
        for at, part in begun_at(parts):
            if isinstance(part, Live):
                first, last = begins + at, min(begins + at + part.duration_ms, until)
                total += self._one(part, first, last)
        return total

    def _one(self, part: Live, first: int, last: int) -> Relayed:
        lasts = max(last - first, 0)
        live = sum(max(min(to, last) - max(since, first), 0) for since, to in self._gives(part.key))
        if part.stand_in in self._world.cache:
            return Relayed(live, lasts - live)
        return Relayed(live, 0, lasts - live)

    def _gives(self, key: ClipKey) -> Iterator[tuple[int, int]]:
        """(from, to) of its sound, without what it was down."""
        for which, since, to in self.asked_for():
            if which == key:
                yield from _without(since + CONNECT_MS, to, sorted(self.down))

    def _close(self, key: ClipKey) -> None:
        self._given.append((key, self._open.pop(key), self._world.mono))


def _without(since: int, to: int, holes: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for begins, ends in holes:
        if begins < to and since < ends:
            if since < begins:
                yield since, begins
            since = max(since, ends)
    if since < to:
        yield since, to
