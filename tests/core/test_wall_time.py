"""Hours of the day as residents count them, against instants of the year."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge_agent.core.units import MINUTE_MS, UtcMs
from edge_agent.core.wall_time import first_in_hours, in_hours

HANOI = "Asia/Ho_Chi_Minh"
NIGHT = (time(21), time(5))


def at(clock: str) -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(f"2026-10-06T{clock}").replace(tzinfo=ZoneInfo(HANOI)).timestamp() * 1000))


@pytest.mark.parametrize(
    ("start", "minutes", "quiet"),
    [
        ("03:15:00", 5, True),
        ("04:59:59", 1, True),
        ("05:00:00", 30, False),
        ("20:59:00", 1, False),
        ("20:59:00", 2, True),
        ("21:00:00", 0, True),
        ("00:00:00", 1, True),
        ("12:00:00", 30, False),
        ("05:00:00", 24 * 60, True),
    ],
)
def test_quiet_hours_over_midnight(start: str, minutes: int, quiet: bool) -> None:
    assert in_hours(NIGHT, HANOI, at(start), minutes * MINUTE_MS) is quiet


def test_quiet_hours_within_a_day() -> None:
    nap = (time(12), time(14))
    assert in_hours(nap, HANOI, at("11:50:00"), 11 * MINUTE_MS)
    assert not in_hours(nap, HANOI, at("14:00:00"), MINUTE_MS)


def test_equal_ends_mean_the_whole_day() -> None:
    assert in_hours((time(0), time(0)), HANOI, at("12:00:00"), MINUTE_MS)


@given(st.integers(0, 86_399), st.integers(1, 3 * 3600))
def test_quiet_hours_agree_with_looking_at_every_minute(start_s: int, lasts_s: int) -> None:
    start = UtcMs(at("00:00:00") + start_s * 1000)
    seconds = [*range(0, lasts_s, 60), lasts_s - 1]
    walls = [datetime.fromtimestamp(start / 1000 + s, UTC).astimezone(ZoneInfo(HANOI)).time() for s in seconds]
    expected = any(wall >= time(21) or wall < time(5) for wall in walls)
    assert in_hours(NIGHT, HANOI, start, lasts_s * 1000) is expected


CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/Santiago": ("2026-04-05T03:00", "2026-09-06T04:00"),  # at midnight
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),  # by half an hour
    "Pacific/Apia": ("2011-12-30T10:00", "2011-04-02T14:00"),  # by a whole day
}
minutes_of_day = st.integers(0, 24 * 12 - 1).map(lambda fives: time(fives // 12, fives % 12 * 5))


@given(
    change=st.sampled_from([(zone, instant) for zone, instants in CHANGES.items() for instant in instants]),
    begins_before=st.integers(-90, 240),
    lasts=st.integers(1, 240),
    hours=st.tuples(minutes_of_day, minutes_of_day).filter(lambda hours: hours[0] != hours[1]),
)
@example(("Europe/Berlin", "2026-10-25T01:00"), 20, 30, (time(22), time(2, 30)))  # 02:40, and then 02:00 again
@example(("Europe/Berlin", "2026-10-25T01:00"), -10, 40, (time(2, 30), time(5)))  # 02:10 for the second time
@example(("Europe/Berlin", "2026-03-29T01:00"), 10, 20, (time(2), time(3)))  # an hour that no clock shows
def test_where_clocks_are_changed_hours_are_what_they_show(
    change: tuple[str, str], begins_before: int, lasts: int, hours: tuple[time, time]
) -> None:
    zone, instant = change
    changes = datetime.fromisoformat(instant).replace(tzinfo=UTC).timestamp() * 1000
    start = UtcMs(round(changes) - begins_before * MINUTE_MS)
    moments = [UtcMs(start + minute * MINUTE_MS) for minute in range(lasts)]
    walls = {at: datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).time() for at in moments}
    opening, closing = hours
    inside = [
        at
        for at, wall in walls.items()
        if (opening <= wall < closing if opening < closing else wall >= opening or wall < closing)
    ]
    assert first_in_hours(hours, zone, start, lasts * MINUTE_MS) == (inside[0] if inside else None)
