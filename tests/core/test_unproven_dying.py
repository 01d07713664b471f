"""A warning that nobody can date, and the process or the device that dies under it: what was heard of it stays so."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import (
    DeviceDown,
    DeviceUp,
    Mark,
    Restored,
    SavedMark,
)
from edge_agent.core.order import Cancel
from edge_agent.core.units import HOUR_MS, MonoMs, UtcMs
from tests.core.bench import Bench
from tests.core.undated import find_the_time, lost_in_time, starts, warned
from tests.trust import makers


@pytest.mark.parametrize("newer", [False, True], ids=["taken back", "a newer version"])
def test_what_was_heard_of_a_warning_before_the_device_died_is_in_the_log_though_it_must_not_begin_anew(
    newer: bool,
) -> None:
    bench = lost_in_time()
    job_id = warned(bench, series="lut-song-hong", version=1)
    bench.pass_s(31)
    bench.send(DeviceDown("killed"))
    if newer:
        warned(bench, job_id="lut-2", series="lut-song-hong", version=2)
    else:
        bench.rule(Cancel(job_id, UtcMs(makers.NOON + HOUR_MS)))
    bench.pass_s(1)
    assert bench.outcomes() == [(job_id, "interrupted", "superseded" if newer else "cancelled")]
    (record,) = [effect.record for effect in bench.every(fx.CommitRecord)]
    assert record.started is not None
    bench.send(DeviceUp())
    bench.pass_s(10)
    assert job_id not in {play.job_id for play in bench.state.plays.values()}


def test_after_a_restart_it_does_not_sound_again() -> None:
    bench = lost_in_time()
    job_id = warned(bench, when={"kind": "now", "every_s": 300, "until": makers.NOON + HOUR_MS})
    bench.pass_s(31)
    bench.end(job_id)
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    again = lost_in_time()
    again.send(Restored((saved,), (), {}, 1, 0, "e1", past=bench.state.past))
    again.pass_s(600)
    assert starts(again) == 0


def test_a_warning_that_had_begun_without_a_time_begins_again_after_a_crash_and_once() -> None:
    bench = lost_in_time()
    job_id = warned(bench, when={"kind": "now", "every_s": 300, "until": makers.NOON + HOUR_MS})
    bench.pass_s(30)
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    mark = SavedMark(job_id, bench.play(job_id).planned, Mark.INTENT, 1)
    again = Bench()
    again.now = Now(MonoMs(5_000), UtcMs(5_000), ClockSource.UNSET, 0)
    again.send(Restored((saved,), (mark,), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    again.pass_s(1)
    assert starts(again) == 1
    again.end(job_id)
    again.pass_s(600)
    assert starts(again) == 1
    (record,) = [effect.record for effect in again.every(fx.CommitRecord)]
    assert (record.attempt, record.detail) == (2, "freshness_unproven")


def test_a_warning_whose_time_was_over_before_it_could_begin_again_was_ended_by_the_power_cut() -> None:
    bench = lost_in_time()
    job_id = warned(bench)
    bench.pass_s(30)
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob)]
    mark = SavedMark(job_id, bench.play(job_id).planned, Mark.FIRST_SAMPLE, 1)
    again = Bench()
    again.now = Now(MonoMs(5_000), UtcMs(makers.NOON + 2 * HOUR_MS), ClockSource.NTP, 10, signed=False)
    again.send(Restored((saved,), (mark,), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    again.pass_s(600)
    assert (starts(again), again.outcomes()) == (0, [])
    find_the_time(again, 3 * HOUR_MS)
    assert again.outcomes() == [(job_id, "interrupted", "power_cut")]
