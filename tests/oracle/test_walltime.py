"""The hand-written tables of wall time against the time zone database, and both kinds of odd wall time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.oracle.walltime import (
    HOUR_S,
    day_name,
    day_number,
    instant,
    iso_weekday,
    local,
    local_day,
    local_name,
    midnight,
    offset_at_s,
    second_of_day,
)
from tests.oracle.world import Play, Rule, instants


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


@pytest.mark.parametrize("timezone", ["Asia/Ho_Chi_Minh", "Europe/Berlin"])
def test_the_tables_say_what_the_database_says(timezone: str) -> None:
    for moment in range(utc("2025-01-01"), utc("2028-12-31"), HOUR_S // 2):
        known = datetime.fromtimestamp(moment, ZoneInfo(timezone)).utcoffset()
        assert known is not None
        assert offset_at_s(timezone, moment) == known.total_seconds(), moment


@pytest.mark.parametrize(
    ("day", "wall", "expected"),
    [
        ("2026-03-29", "01:59:59", "2026-03-29T00:59:59"),
        ("2026-03-29", "02:00", "2026-03-29T01:00"),  # nobody's clock showed it: 03:00 was shown instead
        ("2026-03-29", "02:30", "2026-03-29T01:30"),  # and 03:30
        ("2026-03-29", "03:00", "2026-03-29T01:00"),
        ("2026-10-25", "01:59:59", "2026-10-24T23:59:59"),
        ("2026-10-25", "02:00", "2026-10-25T00:00"),  # shown twice: the first time
        ("2026-10-25", "02:59:59", "2026-10-25T00:59:59"),
        ("2026-10-25", "03:00", "2026-10-25T02:00"),
        ("2026-07-01", "12:00", "2026-07-01T10:00"),
        ("2026-12-01", "12:00", "2026-12-01T11:00"),
    ],
)
def test_a_wall_time_shown_twice_or_never(day: str, wall: str, expected: str) -> None:
    assert instant("Europe/Berlin", day_number(day), second_of_day(wall)) == utc(expected)


def test_days_and_instants_of_the_station() -> None:
    assert local("2026-10-06T05:30:00") == utc("2026-10-05T22:30:00")
    assert local_name(utc("2026-10-05T22:30:00")) == "2026-10-06T05:30:00"
    assert local_day(local("2026-10-06T00:00:00")) == day_number("2026-10-06")
    assert local_day(local("2026-10-06T00:00:00") - 1) == day_number("2026-10-05")
    assert midnight(day_number("2026-10-06")) == local("2026-10-06T00:00:00")
    assert [iso_weekday(day_number(day)) for day in ("2026-10-05", "2026-10-11", "2026-02-17")] == [1, 7, 2]
    assert day_name(day_number("2026-02-28") + 1) == "2026-03-01"


def test_a_rule_sounds_on_its_weekdays_between_its_days_at_its_times() -> None:
    rule = Rule("Asia/Ho_Chi_Minh", "2026-10-05", "2026-10-12", (1, 5), ("05:30:00", "17:00:00"), ("2026-10-09",))
    told = instants(Play("rule", "normal", ("C1",), rule, 60))
    assert [(local_name(each.utc), each.excluded) for each in told] == [
        ("2026-10-05T05:30:00", False),
        ("2026-10-05T17:00:00", False),
        ("2026-10-09T05:30:00", True),
        ("2026-10-09T17:00:00", True),
        ("2026-10-12T05:30:00", False),
        ("2026-10-12T17:00:00", False),
    ]
