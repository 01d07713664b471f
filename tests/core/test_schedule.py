"""At which instants a job sounds."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from time import process_time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.job import Rule
from edge_agent.core.schedule import instants_between, next_instant, next_of_rule, sounds_once
from edge_agent.core.units import UtcMs
from tests.core.slow_calendar import DAY, instant_of, instants_of, rules
from tests.trust import makers


def utc(text: str, zone: str = "Asia/Ho_Chi_Minh") -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000))


def rule(**over: object) -> Rule:
    given_: dict[str, object] = {
        "timezone": "Asia/Ho_Chi_Minh",
        "first_day": date(2026, 10, 1),
        "last_day": date(2026, 10, 31),
        "weekdays": frozenset({1, 2, 3, 4, 5}),
        "times": (time(5, 30), time(17, 0)),
        "excluded": frozenset(),
    }
    return Rule(**(given_ | over))  # type: ignore[arg-type]


def test_now_is_due_at_its_receipt_and_only_then() -> None:
    job = makers.make_job()
    assert next_instant(job, makers.NOON) == makers.NOON
    assert sounds_once(job)


def test_an_instant_is_due_within_its_validity_only() -> None:
    at = {"kind": "at", "utc": makers.NOON + 5_000}
    assert next_instant(makers.make_job(when=at), makers.NOON) == makers.NOON + 5_000
    assert next_instant(makers.make_job(when=at, not_before=makers.NOON + 6_000), makers.NOON) is None
    for edge in ({"not_before": makers.NOON + 5_000}, {"not_after": makers.NOON + 5_000}):
        assert next_instant(makers.make_job(when=at, **edge), makers.NOON) == makers.NOON + 5_000


def test_a_rule_counts_from_its_validity_on_and_not_beyond_it() -> None:
    when = makers.rule_when()
    starts = utc("2026-10-05T12:00:00")
    job = makers.make_job(when=when, not_before=starts, not_after=starts + makers.DAY_MS)
    assert next_instant(job, makers.NOON) == utc("2026-10-05T17:00:00")
    assert next_instant(job, utc("2026-10-06T05:30:00")) is None
    assert not sounds_once(job)


def test_several_times_a_day_come_in_order() -> None:
    first = next_of_rule(rule(), utc("2026-10-01T00:00:00"))
    assert first == utc("2026-10-01T05:30:00")
    assert next_of_rule(rule(), first) == utc("2026-10-01T17:00:00")


def test_weekends_and_excluded_days_are_skipped() -> None:
    mourning = rule(excluded=frozenset({date(2026, 10, 5)}))
    assert next_of_rule(mourning, utc("2026-10-02T17:00:00")) == utc("2026-10-06T05:30:00")


def test_the_last_day_counts_whole_and_then_it_is_over() -> None:
    one_day = rule(last_day=date(2026, 10, 1))
    assert next_of_rule(one_day, utc("2026-10-01T05:30:00")) == utc("2026-10-01T17:00:00")
    assert next_of_rule(one_day, utc("2026-10-01T17:00:00")) is None


def test_a_daylight_saving_gap_neither_skips_the_day_nor_doubles_it() -> None:
    berlin = rule(
        timezone="Europe/Berlin",
        first_day=date(2027, 3, 27),
        last_day=date(2027, 3, 29),
        weekdays=frozenset(range(1, 8)),
        times=(time(2, 30),),
    )
    instants, at = [], utc("2027-03-27T00:00:00", "Europe/Berlin")
    while (planned := next_of_rule(berlin, at)) is not None:
        instants.append(datetime.fromtimestamp(planned / 1000, ZoneInfo("Europe/Berlin")).date())
        at = planned
    assert instants == [date(2027, 3, 27), date(2027, 3, 28), date(2027, 3, 29)]


@pytest.mark.parametrize(
    ("zone", "day", "wall"),
    [
        ("America/Santiago", date(2026, 9, 6), time(0, 30)),
        ("Africa/Cairo", date(2026, 4, 24), time(0, 0)),
    ],
)
def test_a_day_that_begins_with_a_gap_is_not_left_out(zone: str, day: date, wall: time) -> None:
    planned = next_of_rule(
        rule(timezone=zone, first_day=day, last_day=day, weekdays=frozenset(range(1, 8)), times=(wall,)), UtcMs(0)
    )
    assert planned is not None
    shown = datetime.fromtimestamp(planned / 1000, ZoneInfo(zone)).replace(tzinfo=None)
    assert shown == datetime.combine(day, wall) + timedelta(hours=1)


def test_an_hour_that_comes_twice_is_played_in_once() -> None:
    day = date(2027, 10, 31)
    berlin = rule(
        timezone="Europe/Berlin", first_day=day, last_day=day, weekdays=frozenset({7}), times=(time(2), time(2, 30))
    )
    first = utc("2027-10-31T00:00:00", "UTC")
    assert next_of_rule(berlin, UtcMs(0)) == first
    assert next_of_rule(berlin, first) == first + 30 * 60_000
    assert next_of_rule(berlin, UtcMs(first + 30 * 60_000)) is None


def test_two_wall_times_that_a_gap_makes_one_instant_are_played_once() -> None:
    day = date(2027, 3, 28)
    berlin = rule(
        timezone="Europe/Berlin", first_day=day, last_day=day, weekdays=frozenset({7}), times=(time(2, 30), time(3, 30))
    )
    assert next_of_rule(berlin, UtcMs(0)) == (planned := utc("2027-03-28T03:30:00", "Europe/Berlin"))
    assert next_of_rule(berlin, planned) is None


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "America/Santiago", "UTC"])
def test_a_rule_to_the_end_of_the_calendar_does_not_fall_off_it(zone: str) -> None:
    last = date.max
    ever = rule(timezone=zone, first_day=date.min, last_day=last, times=(time(23, 59, 59),), excluded=frozenset({last}))
    assert next_of_rule(ever, UtcMs(0)) is not None
    assert (
        next_of_rule(rule(timezone=zone, first_day=last, last_day=last, excluded=frozenset({last})), UtcMs(0)) is None
    )
    late = rule(timezone=zone, first_day=last, last_day=last, times=(time(23, 59, 59),), excluded=frozenset({last}))
    assert next_of_rule(late, UtcMs(0)) is None


@given(rules(), st.data())
def test_the_next_instant_of_a_rule_is_what_looking_at_every_day_finds(made: Rule, data: st.DataObject) -> None:
    found = instants_of(made)
    begin = instant_of(made.first_day, time(0), made.timezone)
    anywhere = st.integers(begin - 3 * makers.DAY_MS, begin + 16 * makers.DAY_MS)
    beside = st.sampled_from(found or [begin]).flatmap(lambda at: st.integers(at - 1, at + 1))
    after = UtcMs(data.draw(anywhere | beside, "after"))
    assert next_of_rule(made, after) == min((at for at in found if at > after), default=None)


@given(rules())
def test_a_rule_is_walked_through_forwards_without_a_wall_time_twice(made: Rule) -> None:
    walked, at = [], UtcMs(0)
    while (planned := next_of_rule(made, at)) is not None:
        walked.append(planned)
        at = planned
    assert walked == instants_of(made)
    assert len(walked) <= (made.last_day - made.first_day + DAY).days * len(made.times)


@given(rules(), st.integers(-3, 16), st.integers(1, 10), st.integers(-3, 16))
def test_a_job_by_rule_sounds_within_its_validity_only(made: Rule, opens: int, lasts: int, received: int) -> None:
    begin = instant_of(made.first_day, time(0), made.timezone)
    not_before, base = (UtcMs(begin + days * makers.DAY_MS) for days in (opens, received))
    not_after = UtcMs(not_before + lasts * makers.DAY_MS)
    job = replace(makers.make_job(), when=made, not_before=not_before, not_after=not_after)
    valid = [at for at in instants_of(made) if not_before <= at <= not_after and at > base]
    assert next_instant(job, base) == min(valid, default=None)
    until = UtcMs(not_before + 5 * makers.DAY_MS)
    assert [*instants_between(job, base, until)] == [at for at in valid if at < until]


def test_to_walk_through_what_sounds_every_hour_costs_no_more_for_an_instant_than_what_sounds_once_a_day() -> None:
    """Each wall time was asked again for every instant of the others: half a year cost a step its watchdog."""
    hours = tuple(time(hour) for hour in range(24))
    hourly = [seconds_of(rule(times=hours, last_day=date(2026, 11, 30), timezone=zone)) for zone in ZONES]
    daily = [seconds_of(rule(times=hours[:1], last_day=date(2030, 11, 30), timezone=zone)) for zone in ZONES]
    assert min(hourly) < 6 * min(daily), "24 times as much, were each of them asked"


def test_to_ask_when_it_sounds_next_costs_hardly_more_for_every_hour_than_for_once_a_day() -> None:
    """Each wall time had a calendar of its own: 200 such jobs cost whoever asked for all of them half a second."""
    hours = tuple(time(hour) for hour in range(24))
    hourly = [seconds_to_ask(hours, year) for year in (2031, 2032, 2033)]
    daily = [seconds_to_ask(hours[:1], year) for year in (2041, 2042, 2043)]
    assert min(hourly) < 9 * min(daily), "more than 20 times as much, had each its calendar"


def seconds_to_ask(times: tuple[time, ...], year: int) -> float:
    """What it costs to ask a hundred rules thrice each, with a clock that moves; nobody has asked for one yet."""
    days = [date(year, 1, 1) + timedelta(days=number) for number in range(100)]
    made = [rule(times=times, first_day=day, last_day=date(year, 12, 31)) for day in days]
    june = utc(f"{year}-06-01T00:00:00")
    began = process_time()
    assert all(next_of_rule(one, UtcMs(june + moved)) for one in made for moved in range(3))
    return process_time() - began


ZONES = ("Asia/Ho_Chi_Minh", "Asia/Bangkok", "Asia/Jakarta")


def seconds_of(made: Rule) -> float:
    """What an instant of it costs where nobody has asked for one yet."""
    job = replace(makers.make_job(), when=made, not_before=UtcMs(0), not_after=utc("2031-01-01T00:00:00"))
    began = process_time()
    walked = [*instants_between(job, UtcMs(0), job.not_after)]
    assert len(walked) > 1_000
    return (process_time() - began) / len(walked)
