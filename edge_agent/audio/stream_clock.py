"""Tell at which instant a frame leaves the card. Pure: fed with what the card says is still queued.

A single answer of the card is off by as much as it moves at once (15–30 ms behind a sound server, measured), so the
estimate is the median over a running window: within 0.4 ms of what a recorder heard, idle and loaded.
"""

from __future__ import annotations

from collections import deque

from edge_agent.core.units import MonoMs

SECOND_NS = 1_000_000_000
MS_NS = 1_000_000
WINDOW = 20
# Four seconds at 200 ms periods: a card that is 100 ppm off the clock moves 0.2 ms in half of it.


class StreamClock:
    """Maps frames of one stream, counted from its opening, to nanoseconds of boot time."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._zeros: deque[int] = deque(maxlen=WINDOW)
        self._zero: int | None = None

    def observe(self, now_ns: int, written: int, queued: int) -> None:
        """At ``now_ns`` the card still held ``queued`` of the ``written`` frames."""
        self._zeros.append(now_ns + (queued - written) * SECOND_NS // self._rate)
        self._zero = None

    def forget(self) -> None:
        """The stream has stood still (an underrun): what was seen before says nothing about what comes."""
        self._zeros.clear()
        self._zero = None

    def instant_ns(self, frame: int) -> int | None:
        """When that frame leaves or left; None until something was observed."""
        if not self._zeros:
            return None
        if self._zero is None:
            self._zero = sorted(self._zeros)[(len(self._zeros) - 1) // 2]  # statistics would bring 1 MB
        return self._zero + frame * SECOND_NS // self._rate

    def frame_at(self, instant_ns: int) -> int | None:
        """The frame that leaves closest to that instant; None until something was observed."""
        zero = self.instant_ns(0)
        if zero is None:
            return None
        return ((instant_ns - zero) * self._rate + SECOND_NS // 2) // SECOND_NS


def mono_ms(instant_ns: int) -> MonoMs:
    """Whole milliseconds of boot time."""
    return MonoMs(instant_ns // MS_NS)
