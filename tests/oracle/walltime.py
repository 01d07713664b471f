"""Tell wall time from instants by hand-written tables: no time zone database, no arithmetic of the station's own.

An instant is whole seconds since 1970-01-01T00:00:00Z; a day is whole days since then, as the station's ward counts.
"""

from __future__ import annotations

from datetime import date

MINUTE_S = 60
HOUR_S = 3600
DAY_S = 86_400

STATION_TIMEZONE = "Asia/Ho_Chi_Minh"
STATION_OFFSET_S = 7 * HOUR_S

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def day_number(day: str) -> int:
    """``2026-10-06`` as days since 1970."""
    return date.fromisoformat(day).toordinal() - _EPOCH_ORDINAL


def day_name(day: int) -> str:
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def iso_weekday(day: int) -> int:
    """1 (Monday) to 7 (Sunday); day 0 was a Thursday."""
    return (day + 3) % 7 + 1


def second_of_day(wall: str) -> int:
    """``HH:MM`` or ``HH:MM:SS``."""
    hours, minutes, *seconds = (int(part) for part in wall.split(":"))
    return hours * HOUR_S + minutes * MINUTE_S + (seconds[0] if seconds else 0)


def wall_name(second: int) -> str:
    return f"{second // HOUR_S:02d}:{second // MINUTE_S % 60:02d}:{second % 60:02d}"


def local(text: str) -> int:
    """The instant at which the station's own clock shows ``2026-10-06T05:30:00``."""
    day, wall = text.split("T")
    return day_number(day) * DAY_S + second_of_day(wall) - STATION_OFFSET_S


def local_name(utc: int) -> str:
    return f"{day_name(local_day(utc))}T{wall_name(local_second(utc))}"


def local_day(utc: int) -> int:
    return (utc + STATION_OFFSET_S) // DAY_S


def local_second(utc: int) -> int:
    return (utc + STATION_OFFSET_S) % DAY_S


def midnight(day: int) -> int:
    """The instant at which a day begins at the station."""
    return day * DAY_S - STATION_OFFSET_S


def _utc(day: str, hour: int) -> int:
    return day_number(day) * DAY_S + hour * HOUR_S


_OFFSETS_S: dict[str, tuple[tuple[int, int], ...]] = {
    STATION_TIMEZONE: ((_utc("1976-01-01", 0), 7 * HOUR_S),),
    # Summer time: from the last Sunday of March to the last of October, at 01:00 UTC both.
    "Europe/Berlin": (
        (_utc("2024-10-27", 1), 1 * HOUR_S),
        (_utc("2025-03-30", 1), 2 * HOUR_S),
        (_utc("2025-10-26", 1), 1 * HOUR_S),
        (_utc("2026-03-29", 1), 2 * HOUR_S),
        (_utc("2026-10-25", 1), 1 * HOUR_S),
        (_utc("2027-03-28", 1), 2 * HOUR_S),
        (_utc("2027-10-31", 1), 1 * HOUR_S),
        (_utc("2028-03-26", 1), 2 * HOUR_S),
        (_utc("2028-10-29", 1), 1 * HOUR_S),
    ),
}


def offset_at_s(timezone: str, utc: int) -> int:
    """How far the clocks of a zone are ahead of UTC at an instant."""
    known = [offset_s for since, offset_s in _OFFSETS_S[timezone] if since <= utc]
    assert known, f"the table of {timezone} begins later than {utc}"
    return known[-1]


def instant(timezone: str, day: int, second: int) -> int:
    """When a zone's clocks show a wall time: the first time if twice; if never, later by what the clocks skipped."""
    wall = day * DAY_S + second
    offsets_s = {offset_s for _, offset_s in _OFFSETS_S[timezone]}
    for offset_s in sorted(offsets_s, reverse=True):
        if offset_at_s(timezone, wall - offset_s) == offset_s:
            return wall - offset_s
    # Nobody's clock ever showed it: read as if the clocks had not been put forward yet.
    return wall - min(offsets_s)
