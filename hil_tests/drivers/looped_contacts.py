"""The contacts of a real relay board, led back to lines of its own: what a bench sees where no kernel traces for it.

Each contact lies between its line and ground; the line is pulled up, so it is low while the relay is closed. The kernel
gives each change its instant, once the contact has stopped bouncing.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import gpiod

from tests.host.gpio_sim import Level

BOUNCE = timedelta(milliseconds=10)
# A small relay's contact has settled by then (data sheets: 1 to 5 ms).
LOOK_S = 0.1
CONSUMER = "bench"
NS_IN_MS = 1e6


class LoopedContacts:
    """A context manager; ``changes`` and ``watch`` are those of ``tests.host.gpio_sim.SimulatedChip``, of contacts.

    A ``Level`` is high while its contact is closed.
    """

    def __init__(self, chip: str, contacts: Mapping[str, int]) -> None:
        self._chip = chip
        self._lines = tuple(contacts.values())
        self._seen: list[Level] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._request: Any = None

    def __enter__(self) -> LoopedContacts:
        line = gpiod.line
        settings = gpiod.LineSettings(
            direction=line.Direction.INPUT,
            bias=line.Bias.PULL_UP,
            edge_detection=line.Edge.BOTH,
            active_low=True,
            debounce_period=BOUNCE,
            event_clock=line.Clock.MONOTONIC,  # boot time, on a machine that never sleeps
        )
        self._request = gpiod.request_lines(self._chip, config={self._lines: settings}, consumer=CONSUMER)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._request.release()

    def watch(self, *lines: int) -> None:
        """Forget what was seen so far; all lines are watched always."""
        assert set(lines) == set(self._lines)
        self._seen = []

    def changes(self) -> list[Level]:
        """In order."""
        return sorted(self._seen, key=lambda one: one.at_ms)

    def _listen(self) -> None:
        rising = gpiod.EdgeEvent.Type.RISING_EDGE
        while not self._ended.is_set():
            if self._request.wait_edge_events(LOOK_S):
                for event in self._request.read_edge_events():
                    closed = event.event_type is rising
                    self._seen.append(Level(event.line_offset, closed, event.timestamp_ns / NS_IN_MS, traced=False))
