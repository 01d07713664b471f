"""How much of a log a day takes: enough for every honest station, the same for each, and anew each day."""

from __future__ import annotations

from edge_agent.core.units import DAY_MS, StationId, UtcMs
from edge_agent.headend.allowance import LOG_BYTES_PER_DAY_MAX, Allowance
from edge_agent.sync.limits import PACKET_BYTES_MAX
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import RECORD, FakeStation

MORNING = UtcMs(20_000 * DAY_MS)
ONE, OTHER = StationId("tram-01"), StationId("tram-02")


def test_what_was_taken_counts_for_that_station_and_that_day() -> None:
    allowance = Allowance(100)
    allowance.spend(ONE, 99, MORNING)
    assert allowance.has_left(ONE, UtcMs(MORNING + DAY_MS - 1))
    allowance.spend(ONE, 1, MORNING)
    assert not allowance.has_left(ONE, UtcMs(MORNING + DAY_MS - 1))
    assert allowance.has_left(OTHER, MORNING)
    assert allowance.has_left(ONE, UtcMs(MORNING + DAY_MS))


def test_a_day_by_a_clock_that_was_ahead_takes_nothing_from_todays() -> None:
    allowance = Allowance(100)
    allowance.spend(ONE, 100, UtcMs(MORNING + 400 * DAY_MS))
    assert allowance.has_left(ONE, MORNING)


def test_a_refusal_is_told_once_a_day_and_station() -> None:
    allowance = Allowance(0)
    days = [MORNING, MORNING, UtcMs(MORNING + DAY_MS), UtcMs(MORNING + DAY_MS)]
    assert [allowance.is_first_refusal(ONE, day) for day in days] == [True, False, True, False]
    assert allowance.is_first_refusal(OTHER, MORNING)


def test_fifty_of_the_largest_batches_and_a_year_of_an_ordinary_station_fit_as_the_bound_says() -> None:
    assert 50 * PACKET_BYTES_MAX * 5 == LOG_BYTES_PER_DAY_MAX
    station = FakeStation(new_signer())
    station.play(*[RECORD] * 20)
    year = 365 * 30 * len(station.log()[1]) // 20
    assert LOG_BYTES_PER_DAY_MAX < year < 2 * LOG_BYTES_PER_DAY_MAX
