"""The relay board of a virtual bench: contacts that follow their lines as real relays do, until told to fail.

A contact is led to a line of the station from ground: low while closed, pulled up while open.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from tests.host.gpio_sim import SimulatedChip

PULL_IN_S = 0.010
# What a small relay takes from the level at its driver to its contact (data sheets: 5 to 15 ms).


class SimulatedBoard:
    """A context manager: while inside, the contacts move."""

    def __init__(self, chip: SimulatedChip, lines: Mapping[str, int], contacts: Mapping[str, int]) -> None:
        self._chip = chip
        self._lines = lines
        self._contacts = contacts
        self._stuck: dict[str, bool] = {}
        self._chattering: set[str] = set()
        self.active_low = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> SimulatedBoard:
        for line in self._contacts.values():
            self._chip.pull(line, up=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def stick(self, zone: str, *, closed: bool) -> None:
        """The contact stays there, whatever its line says."""
        self._stuck[zone] = closed

    def chatter(self, zone: str) -> None:
        """The contact opens and closes as fast as it can, whatever its line says: a burnt one, or a weak supply."""
        self._chattering.add(zone)

    def mend(self, zone: str) -> None:
        """It follows again."""
        self._stuck.pop(zone, None)
        self._chattering.discard(zone)

    def closed(self, zone: str) -> bool:
        """Where the contact is."""
        return not self._chip.high(self._contacts[zone])

    def _follow(self) -> None:
        last: dict[str, bool] = {}
        while not self._ended.wait(PULL_IN_S):
            for zone in self._lines:
                closed = self._where(zone, last.get(zone, False))
                if last.get(zone) != closed:
                    last[zone] = closed
                    self._chip.pull(self._contacts[zone], up=not closed)

    def _where(self, zone: str, last: bool) -> bool:
        """Whether the contact is closed now."""
        if zone in self._chattering:
            return not last
        return self._stuck.get(zone, self._chip.high(self._lines[zone]) != self.active_low)
