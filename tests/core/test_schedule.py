"""At which instants a job sounds."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.job import Rule
from edge_agent.core.schedule import next_instant, next_of_rule, sounds_once
from edge_agent.core.units import UtcMs
from tests.trust import makers

DAY = timedelta(days=1)


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


@settings(deadline=None, max_examples=60)
@given(
    st.sets(st.integers(1, 7), min_size=1),
    st.sets(st.times().map(lambda t: t.replace(microsecond=0)), min_size=1, max_size=3),
    st.integers(0, 40 * 86_400),
)
def test_a_rule_agrees_with_looking_at_every_day(weekdays: set[int], times: set[time], offset_s: int) -> None:
    made = rule(weekdays=frozenset(weekdays), times=tuple(sorted(times)))
    after = UtcMs(utc("2026-09-25T00:00:00") + offset_s * 1000)
    zone = ZoneInfo("Asia/Ho_Chi_Minh")
    days = [date(2026, 10, 1) + n * DAY for n in range(31)]
    instants = [
        UtcMs(int(datetime.combine(day, wall, zone).astimezone(UTC).timestamp() * 1000))
        for day in days
        for wall in times
        if day.isoweekday() in weekdays
    ]
    assert next_of_rule(made, after) == min((one for one in instants if one > after), default=None)
