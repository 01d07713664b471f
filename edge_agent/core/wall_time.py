"""Tell what the clocks of a ward show at an instant, and when they show it next: instants are UTC, rules are not."""

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


def next_wall(after: UtcMs, wall: time, timezone: str) -> UtcMs:
    """The first instant at or after ``after`` at which clocks show ``wall``."""
    moment = local_time(after, timezone)
    day = moment.date() if moment.time() <= wall else moment.date() + timedelta(days=1)
    return UtcMs(round(datetime.combine(day, wall, _zone(timezone)).timestamp() * 1000))


def in_hours(hours: Hours, timezone: str, start: UtcMs, lasts_ms: int) -> bool:
    """Whether any moment of [start, start + lasts_ms) lies within these hours of any day."""
    opening, closing = hours
    if opening == closing:
        return True
    first = local_time(start, timezone)
    last = local_time(UtcMs(start + max(lasts_ms, 1) - 1), timezone)
    day = first.date() - timedelta(days=1)
    while day <= last.date():
        opens = datetime.combine(day, opening, first.tzinfo)
        closes = datetime.combine(day + timedelta(days=1) if closing <= opening else day, closing, first.tzinfo)
        if first < closes and opens <= last:
            return True
        day += timedelta(days=1)
    return False


@lru_cache(maxsize=8)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
