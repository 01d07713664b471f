"""Hours of the day as residents count them, against instants of the year."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.units import MINUTE_MS, UtcMs
from edge_agent.core.wall_time import in_hours

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
