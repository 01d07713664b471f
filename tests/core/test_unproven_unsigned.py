"""A warning and a time that nobody has signed: NTP or a chip may be behind it, past it, or right; nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Restored,
)
from edge_agent.core.programme import ATTENTION, Sound
from edge_agent.core.units import HOUR_MS, MonoMs, UtcMs
from tests.core.bench import Bench
from tests.core.undated import TWO, find_the_time, lost_in_time, starts, warned
from tests.trust import makers


def behind(bench: Bench) -> None:
    """NTP has been reached, and says that it is five hours before the warning was signed."""
    utc = UtcMs(makers.NOON - 5 * HOUR_MS)
    bench.now = replace(bench.now, utc=utc, source=ClockSource.NTP, max_error_ms=10, signed=False)
    bench.pass_s(0)


def test_a_time_that_is_before_its_signatures_and_that_nobody_has_signed_does_not_refuse_a_warning() -> None:
    bench = lost_in_time()
    behind(bench)
    job_id = warned(bench)
    assert bench.answers() == [("accepted", None)]
    bench.pass_s(29)
    assert starts(bench) == 0, "a welcome may still come"
    bench.pass_s(1)
    assert starts(bench) == 1
    bench.end(job_id)
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert record.detail == "freshness_unproven"


def test_one_that_a_single_officer_has_signed_waits_for_a_welcome_then() -> None:
    bench = lost_in_time()
    behind(bench)
    job_id = warned(bench, signers=("k1",))
    bench.pass_s(600)
    assert starts(bench) == 0
    bench.now = replace(bench.now, utc=UtcMs(makers.NOON + 600_000), source=ClockSource.SIGNED, signed=True)
    bench.pass_s(1)
    assert starts(bench) == 1
    assert bench.state.jobs[job_id].held is False


def by_ntp(bench: Bench, late_ms: int = 60_000) -> None:
    """NTP says that it is so long after noon; nobody has signed it."""
    utc = UtcMs(makers.NOON + late_ms)
    bench.now = replace(bench.now, utc=utc, source=ClockSource.NTP, max_error_ms=10, signed=False)
    bench.pass_s(0)


@pytest.mark.parametrize("signers", [("k1",), TWO], ids=["one", "two"])
def test_by_a_time_that_nobody_has_signed_a_warning_waits_for_a_welcome_and_then_says_its_date(
    signers: tuple[str, ...],
) -> None:
    bench = lost_in_time()
    by_ntp(bench)
    job_id = warned(bench, signers, when={"kind": "now", "every_s": 60, "until": makers.NOON + HOUR_MS})
    assert bench.answers() == [("accepted", None)]
    bench.pass_s(29)
    assert starts(bench) == 0
    bench.pass_s(1)
    assert starts(bench) == 1
    (start,) = bench.every(fx.StartPlay)
    sounds = [part.key for part in start.parts if isinstance(part, Sound)]
    assert sounds[:2] == [ATTENTION, bench.every(fx.SpeakText)[0].key]
    bench.end(job_id)
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert (record.detail, record.clock) == ("freshness_unproven", ClockSource.NTP)
    bench.pass_s(600)
    assert starts(bench) == 1, "it has been heard"
    find_the_time(bench, 660_000)
    bench.now = replace(bench.now, signed=True)
    bench.pass_s(0)
    bench.pass_s(60)
    assert starts(bench) == 2


@pytest.mark.parametrize("signers", [("k1",), TWO], ids=["one", "two"])
@pytest.mark.parametrize("late_ms", [-HOUR_MS, 2 * HOUR_MS], ids=["not yet", "no more"])
def test_one_that_is_not_valid_by_that_time_waits(signers: tuple[str, ...], late_ms: int) -> None:
    bench = lost_in_time()
    by_ntp(bench, late_ms)
    early = {"issued_at": makers.NOON - 2 * HOUR_MS}
    job_id = warned(bench, signers, **early)
    bench.pass_s(600)
    assert (starts(bench), bench.state.jobs[job_id].unproven) == (0, None)


def test_one_whose_validity_has_just_ended_by_that_time_waits_though_nobody_knows_whether_it_has() -> None:
    """It ended before the machine was switched on, so it is kept; but by no clock is it of today."""
    bench = lost_in_time(mono=MonoMs(5_000))
    by_ntp(bench, HOUR_MS + 30_000)
    job_id = warned(bench, ("k1",))
    bench.pass_s(30)
    assert bench.answers() == [("accepted", None)]
    assert (starts(bench), bench.state.jobs[job_id].unproven) == (0, None)


def test_an_old_warning_that_a_broker_brings_before_the_welcome_does_not_sound_by_a_chip_that_is_behind() -> None:
    bench = lost_in_time()
    by_ntp(bench)
    job_id = warned(bench)
    bench.pass_s(20)
    find_the_time(bench, 2 * HOUR_MS)
    bench.now = replace(bench.now, signed=True)
    bench.pass_s(1)
    assert (starts(bench), bench.outcomes()) == (0, [(job_id, "expired", "expired")])


def test_a_replayed_warning_from_before_the_last_signed_time_does_not_sound_by_spoofed_network_time() -> None:
    """The card was put back, or has never heard it; whoever answers NTP says that it is the hour of that warning."""
    floor = UtcMs(makers.NOON + 1)
    bench = lost_in_time(utc=floor, source=ClockSource.FLOOR)
    bench.send(Restored((), (), {}, 0, 0, "e1", floor=floor))
    by_ntp(bench)
    warned(bench)
    bench.pass_s(600)
    assert starts(bench) == 0


def test_by_a_signed_time_a_warning_from_the_future_is_refused_as_ever() -> None:
    bench = lost_in_time()
    behind(bench)
    bench.now = replace(bench.now, signed=True)
    warned(bench)
    assert bench.answers() == [("refused", "not_yet_valid")]
