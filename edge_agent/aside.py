"""A thread for what takes its time: it decides nothing, and the core never waits for it."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

ASIDE_MAX = 10
# Whoever asks more often than that within seconds wants no answer.


class Aside:
    """Works out what takes its time and changes nothing, one after the other, so that the core never waits for it."""

    def __init__(self) -> None:
        self._orders: queue.Queue[Callable[[], None]] = queue.Queue(ASIDE_MAX)

    def start(self) -> None:
        """Begin to take orders."""
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def order(self, do: Callable[[], None]) -> bool:
        """Have it done soon; False where too much waits already."""
        try:
            self._orders.put_nowait(do)
        except queue.Full:
            return False
        return True

    def _run(self) -> None:
        while True:
            self._orders.get()()
