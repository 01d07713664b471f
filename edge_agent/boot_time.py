"""Read CLOCK_BOOTTIME: it goes on in suspend, is never stepped, and is the same in both processes of a station."""

from __future__ import annotations

import time


def boot_ns() -> int:
    """Nanoseconds since boot."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def boot_ms() -> int:
    """Milliseconds since boot."""
    return boot_ns() // 1_000_000
