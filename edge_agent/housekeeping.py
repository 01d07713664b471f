"""Remind the agent of what keeps house: heartbeat, proof of freshness, sweep. Decides when, never what is done then.

Broadcasts are none of its business: they run off the journal and the core's own next wake. A reminder that comes late
comes once, and the next one a whole span after it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_agent.core.units import MonoMs


@dataclass(frozen=True, slots=True)
class Chore:
    """``remind`` is called every ``every_ms``, from a thread of its own: it must only post.

    ``first_ms``: so long after the start for the first time, where a whole span may be more than a process lives.
    """

    remind: Callable[[], None]
    every_ms: int
    first_ms: int | None = None


class Housekeeping:
    """``turn`` is one look at the clock and never waits; ``start`` takes such looks for ever."""

    def __init__(self, chores: Sequence[Chore], clock: Callable[[], MonoMs]) -> None:
        self._chores = tuple(chores)
        self._clock = clock
        now = clock()
        firsts = (chore.every_ms if chore.first_ms is None else chore.first_ms for chore in self._chores)
        self._due = [MonoMs(now + first) for first in firsts]

    def start(self) -> None:
        """Begin; nothing is due at once."""
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def turn(self) -> int:
        """Remind of what is due; how long until something is again, in ms."""
        now = self._clock()
        for index, chore in enumerate(self._chores):
            if now >= self._due[index]:
                self._due[index] = MonoMs(now + chore.every_ms)
                chore.remind()
        return min(self._due) - now

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            pause.wait(self.turn() / 1000)
