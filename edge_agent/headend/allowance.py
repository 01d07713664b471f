"""Decide how much of a station's log is taken on one day, so that one stolen key cannot fill the disk for all.

Reads no clock: the instant is passed in. Counts from the start of this process: a restart begins the day anew.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.units import DAY_MS, StationId, UtcMs

LOG_BYTES_PER_DAY_MAX = 5 * 50 * 65_536
# Of the envelopes that brought something new. A busy station says some 50 batches a day, mostly of one record in 2 kB
# (``broker.QUEUED_MESSAGES_MAX``): five times that, were each as large as a packet may be, are 16 MB. What a station
# has to tell after a year without a connection, 30 records a day of 1.7 kB each, is 18 MB: taken within two days.


@dataclass(slots=True)
class _Spent:
    day: int
    size_bytes: int = 0
    refused: bool = False


class Allowance:
    """What each station has left of this day (UTC)."""

    def __init__(self, bytes_per_day_max: int = LOG_BYTES_PER_DAY_MAX) -> None:
        self.bytes_per_day_max = bytes_per_day_max
        self._spent: dict[StationId, _Spent] = {}

    def has_left(self, station: StationId, now: UtcMs) -> bool:
        """Whether another batch is taken; the last one may be larger than what is left."""
        return self._today(station, now).size_bytes < self.bytes_per_day_max

    def spend(self, station: StationId, size_bytes: int, now: UtcMs) -> None:
        """Something new was stored."""
        self._today(station, now).size_bytes += size_bytes

    def is_first_refusal(self, station: StationId, now: UtcMs) -> bool:
        """Whether it is to be told: once a day."""
        today = self._today(station, now)
        first, today.refused = not today.refused, True
        return first

    def _today(self, station: StationId, now: UtcMs) -> _Spent:
        day = now // DAY_MS
        spent = self._spent.get(station)
        if spent is None or spent.day != day:
            spent = self._spent[station] = _Spent(day)
        return spent
