"""Hold time as bytes, one a second, and answer every question about it by searching or counting marks."""

from __future__ import annotations

from functools import cache

from tests.oracle.walltime import DAY_S, local_second, second_of_day

SESSION_GAP_S = 60
# What begins less than this after the sound before it ended goes on with its session.


class Seconds:
    """Which seconds are marked: one bytearray for each day (UTC) that has any."""

    def __init__(self) -> None:
        self._days: dict[int, bytearray] = {}

    def mark(self, begins: int, ends: int) -> None:
        for day in range(begins // DAY_S, (ends - 1) // DAY_S + 1):
            seconds = self._days.setdefault(day, bytearray(DAY_S))
            first, last = max(begins - day * DAY_S, 0), min(ends - day * DAY_S, DAY_S)
            seconds[first:last] = b"\1" * (last - first)

    def any_in(self, begins: int, ends: int) -> bool:
        for day in range(begins // DAY_S, (ends - 1) // DAY_S + 1):
            first, last = max(begins - day * DAY_S, 0), min(ends - day * DAY_S, DAY_S)
            if 1 in self._days.get(day, b"")[first:last]:
                return True
        return False


@cache
def _of_the_clock(begins: str, ends: str) -> bytes:
    """Three days of seconds, marked within hours of the wall clock: over midnight if they must, all day if equal."""
    first, last = second_of_day(begins), second_of_day(ends)
    if first < last:
        day = bytes(first) + b"\1" * (last - first) + bytes(DAY_S - last)
    else:
        day = b"\1" * last + bytes(first - last) + b"\1" * (DAY_S - first)
    assert len(day) == DAY_S
    return day * 3


def first_within(begins: str, ends: str, start: int, stop: int) -> int | None:
    """The first second of a sound that lies within hours of the wall clock."""
    second = local_second(start)
    found = _of_the_clock(begins, ends).find(1, second, second + stop - start)
    return None if found < 0 else start + found - second


class Strip:
    """A few days' seconds from an origin on, marked where it sounded."""

    def __init__(self, origin: int, length_s: int) -> None:
        self.origin = origin
        self._seconds = bytearray(length_s)

    def mark(self, begins: int, ends: int) -> None:
        first = max(begins - self.origin, 0)
        last = ends - self.origin
        assert last <= len(self._seconds), "a sound runs off the strip"
        self._seconds[first:last] = b"\1" * (last - first)

    def sounding_s(self) -> int:
        # Stretch by stretch: to count the marks themselves takes most of a year's time.
        sounding = 0
        second = self._seconds.find(1)
        while second >= 0:
            silent = self._seconds.find(0, second)
            silent = len(self._seconds) if silent < 0 else silent
            sounding += silent - second
            second = self._seconds.find(1, silent)
        return sounding

    def session_began(self, start: int) -> int:
        """The first second of the session that a sound would go on with; its own if there is none."""
        first = start - self.origin
        while True:
            earlier = self._seconds.find(1, max(first - SESSION_GAP_S, 0), first)
            if earlier < 0:
                return first + self.origin
            first = earlier

    def sessions_begun(self, begins: int, ends: int) -> int:
        """How many sessions have their first second within [begins, ends)."""
        begun = 0
        last = ends - self.origin
        second = self._seconds.find(1, begins - self.origin, last)
        while second >= 0:
            if 1 not in self._seconds[max(second - SESSION_GAP_S, 0) : second]:
                begun += 1
            silent = self._seconds.find(0, second)
            second = self._seconds.find(1, silent, last) if silent >= 0 else -1
        return begun
