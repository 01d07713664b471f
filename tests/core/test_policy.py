"""The ward's own rules: quiet hours of any shape, and every ceiling of volume."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core import policy
from edge_agent.core.reasons import Reason
from edge_agent.core.site import LocalPolicy, VolumeBand, ZoneSite
from edge_agent.core.units import MINUTE_MS, UtcMs
from tests.core.bench import CHO
from tests.trust import makers

HANOI = "Asia/Ho_Chi_Minh"


def at(clock: str, day: str = "2026-10-06") -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(HANOI)).timestamp() * 1000))


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
    assert policy.touches_quiet_hours(LocalPolicy(), HANOI, at(start), minutes * MINUTE_MS) is quiet


def test_quiet_hours_within_a_day() -> None:
    nap = LocalPolicy(quiet_start=time(12), quiet_end=time(14))
    assert policy.touches_quiet_hours(nap, HANOI, at("11:50:00"), 11 * MINUTE_MS)
    assert not policy.touches_quiet_hours(nap, HANOI, at("14:00:00"), MINUTE_MS)


def test_equal_ends_mean_no_quiet_hours() -> None:
    none = LocalPolicy(quiet_start=time(0), quiet_end=time(0))
    assert not policy.touches_quiet_hours(none, HANOI, at("03:15:00"), MINUTE_MS)


def test_an_emergency_is_exempt_and_an_ordinary_job_is_not() -> None:
    site = makers.make_site()
    assert policy.forbids(site, makers.make_job(**{"class": "emergency"}), at("03:15:00"), 1_000) is None
    assert policy.forbids(site, makers.make_job(), at("03:15:00"), 1_000) is Reason.QUIET_HOURS
    assert policy.forbids(site, makers.make_job(), at("12:00:00"), 1_000) is None


@given(st.integers(0, 86_399), st.integers(1, 3 * 3600))
def test_quiet_hours_agree_with_looking_at_every_minute(start_s: int, lasts_s: int) -> None:
    start = UtcMs(at("00:00:00") + start_s * 1000)
    seconds = [*range(0, lasts_s, 60), lasts_s - 1]
    walls = [datetime.fromtimestamp(start / 1000 + s, UTC).astimezone(ZoneInfo(HANOI)).time() for s in seconds]
    expected = any(wall >= time(21) or wall < time(5) for wall in walls)
    assert policy.touches_quiet_hours(LocalPolicy(), HANOI, start, lasts_s * 1000) is expected


@pytest.mark.parametrize(
    ("clock", "ordered", "loud"),
    [("05:00:00", 100, 55), ("05:30:00", 100, 55), ("06:00:00", 100, 80), ("12:00:00", 40, 40)],
)
def test_every_ceiling_applies_to_an_ordinary_job(clock: str, ordered: int, loud: int) -> None:
    site = makers.make_site()
    assert policy.volume_at(site, CHO, makers.make_job(volume=ordered), at(clock)) == loud


def test_a_band_may_cross_midnight() -> None:
    late = LocalPolicy(volume_bands=(VolumeBand(time(20), time(6), 30),))
    site = makers.make_site(policy=late)
    assert policy.volume_at(site, CHO, makers.make_job(volume=70), at("20:30:00")) == 30
    assert policy.volume_at(site, CHO, makers.make_job(volume=70), at("05:59:00")) == 30
    assert policy.volume_at(site, CHO, makers.make_job(volume=70), at("12:00:00")) == 70


def test_an_emergency_keeps_under_the_zones_own_ceiling_only() -> None:
    site = makers.make_site(zones={CHO: ZoneSite(CHO, "cho", 0, volume_max=90)})
    flood = makers.make_job(**{"class": "emergency"}, volume=100)
    assert policy.volume_at(site, CHO, flood, at("05:30:00")) == 90
