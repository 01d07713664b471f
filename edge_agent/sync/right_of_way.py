"""Decide which download has the line: what a warning needs; a routine one is hung up on and waits until that is over.

Where both are of one sound, the warning's has its file too, as soon as the other one writes no more: it waits for a
hang-up, and for no server.

A station has one slow line for all: half of it would let a warning come twice as late. And its commune has one server:
whoever has the warning already leaves that to those who have not, and goes on in a moment of its own.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OTHERS_S, SPREAD_S = 30, 30
# Two hundred stations have a clip of half a minute at 32 kbit/s over ten megabits in some 20 s (hil_tests/README.md).


def _nobody() -> None:
    """There is no line to hang up."""


class RightOfWay:
    """For the downloads of one station, each on a thread of its own.

    Whoever was hung up on waits for ``others_s`` after what is urgent, and up to ``spread_s`` more.
    """

    def __init__(self, others_s: float = OTHERS_S, spread_s: float = SPREAD_S) -> None:
        self._others_s = others_s
        self._spread_s = spread_s
        self._changed = threading.Condition()
        self._urgent = 0
        self._begun = 0
        self._routine: list[Passage] = []

    @contextmanager
    def taken(self, key: str = "") -> Iterator[None]:
        """A download that a warning needs is under way until the block ends; in it nobody else writes ``key``."""
        with self._changed:
            self._urgent += 1
            self._begun += 1
            self._changed.notify_all()
            for passage in self._routine:
                passage.stand_back()
        try:
            with self._changed:
                self._changed.wait_for(lambda: not any(one.writes and one.key == key for one in self._routine))
            yield
        finally:
            with self._changed:
                self._urgent -= 1
                self._changed.notify_all()

    def wait_s(self, *, hung_up: bool = False) -> float:
        """Let what is urgent go first: it ends, by its own patience. Returns how many seconds that took.

        ``hung_up``: let the others' go first too.
        """
        begun = time.monotonic()
        pause_s = self._others_s + random.uniform(0, self._spread_s) if hung_up else 0
        with self._changed:
            self._changed.wait_for(lambda: not self._urgent)
            while self._another_begins(pause_s):
                self._changed.wait_for(lambda: not self._urgent)
        return time.monotonic() - begun

    def _another_begins(self, within_s: float) -> bool:
        """Counted: one may be over again before this thread has had its turn."""
        before = self._begun
        return self._changed.wait_for(lambda: self._begun != before, within_s)

    @contextmanager
    def used(self, passage: Passage) -> Iterator[None]:
        """A routine download is under way until the block ends, or what is urgent begins.

        Connecting included: a server takes its time for that, and what has been urgent and is over is seen then too.
        """
        with self._changed:
            self._routine.append(passage)
            if self._urgent:
                passage.stand_back()
        try:
            yield
        finally:
            with self._changed:
                self._routine.remove(passage)
                self._changed.notify_all()

    @contextmanager
    def writing(self, passage: Passage, hang_up: Callable[[], None] = _nobody) -> Iterator[bool]:
        """Whether it may write: it has not had to stand back. Then what is urgent waits until it is ``used`` no more.

        While this lasts, ``hang_up`` ends it, from any thread.
        """
        with self._changed:
            passage.hang_up = hang_up
            passage.writes = not passage.stood_back
        try:
            yield passage.writes
        finally:
            with self._changed:
                passage.hang_up = _nobody


class Passage:
    """One connection of a routine download of ``key``."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.hang_up = _nobody
        self.stood_back = False
        self.writes = False

    def stand_back(self) -> None:
        """End it."""
        self.stood_back = True
        self.hang_up()
