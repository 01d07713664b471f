"""Tell what the clocks of a ward show, and when they show an hour first: instants are UTC, rules are not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge_agent.core.units import UtcMs

_WALLS_KEPT = 256
# What one judgement asks of a day's plays (some dozens) it asks once for each clause; 0.2 kB each.

Hours = tuple[time, time]
"""From the first (included) to the second, over midnight where that is not later; all day where they are equal."""


@lru_cache(maxsize=_WALLS_KEPT)
def local_time(instant: UtcMs, timezone: str) -> datetime:
    """The wall time of an instant."""
    return datetime.fromtimestamp(instant / 1000, UTC).astimezone(_zone(timezone))


def in_hours(hours: Hours, timezone: str, start: UtcMs, lasts_ms: int) -> bool:
    """Whether clocks show any of these hours at any moment of [start, start + lasts_ms)."""
    return first_in_hours(hours, timezone, start, lasts_ms) is not None


def first_in_hours(hours: Hours, timezone: str, start: UtcMs, lasts_ms: int) -> UtcMs | None:
    """The first moment of [start, start + lasts_ms) at which clocks show any of these hours; None if there is none."""
    opening, closing = hours
    if opening == closing:
        return start
    for begins, ends in _stretches(start, UtcMs(start + max(lasts_ms, 1) - 1), timezone):
        first, last = (local_time(at, timezone).replace(tzinfo=None) for at in (begins, ends))
        day = first.date() - timedelta(days=1)
        while day <= last.date():
            opens = datetime.combine(day, opening)
            closes = datetime.combine(day + timedelta(days=1) if closing <= opening else day, closing)
            if first < closes and opens <= last:
                return UtcMs(begins + max(opens - first, timedelta()) // timedelta(milliseconds=1))
            day += timedelta(days=1)
    return None


def _stretches(first: UtcMs, last: UtcMs, timezone: str) -> list[tuple[UtcMs, UtcMs]]:
    """From ``first`` to ``last`` (included), parted where clocks are put forward or back; within each they run on.

    No sound is so long that they are put forward in it and back again.
    """
    offset = local_time(first, timezone).utcoffset()
    if local_time(last, timezone).utcoffset() == offset:
        return [(first, last)]
    before, after = first, last
    while after - before > 1:
        middle = UtcMs((before + after) // 2)
        same = local_time(middle, timezone).utcoffset() == offset
        before, after = (middle, after) if same else (before, middle)
    return [(first, before), *_stretches(after, last, timezone)]


@lru_cache(maxsize=8)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
