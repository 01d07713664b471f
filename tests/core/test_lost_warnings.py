"""Warnings whose process or device is lost while they sound: begun again in time, or cut off, and never unheard."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.events import (
    Connected,
    DeviceDown,
    DeviceUp,
    Mark,
    PlayProgress,
    Restored,
    SavedJob,
    SavedMark,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.core.series import EMERGENCY, alert, repeating, sounds


def after_a_crash(bench: Bench, job: JobId, seconds: float) -> None:
    """The process is back so much later, and finds the mark of a first sample."""
    mark = SavedMark(job, bench.play(job).planned, Mark.FIRST_SAMPLE, 1)
    saved = tuple(SavedJob(known.accepted, known.base, known.held) for known in bench.state.jobs.values())
    seen, bench.state = bench.state.seen, station.start(bench.state.site)
    bench.pass_s(seconds)
    bench.send(Restored(saved, (mark,), seen, 0, 0, "e1"))
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()


def test_a_warning_cut_by_a_power_cut_that_comes_back_too_late_was_heard_and_can_be_cleared() -> None:
    bench = at_work()
    warning = alert(bench, 1, not_after=bench.now.utc + 10 * MINUTE_MS)
    bench.pass_s(3)
    assert bench.phase(warning) is Phase.PLAYING
    after_a_crash(bench, warning, 700)
    assert bench.outcomes()[-1] == (warning, "interrupted", "power_cut")
    assert bench.every(fx.CommitRecord)[-1].record.played_ms is None, "nobody saw for how long"
    alert(bench, 2, all_clear=True)
    assert bench.answers()[-1] == ("accepted", None)


def test_an_all_clear_that_comes_before_a_warning_begins_anew_after_a_power_cut_is_heard() -> None:
    bench = at_work()
    warning = alert(bench, 1)
    bench.pass_s(3)
    after_a_crash(bench, warning, 30)
    clear = alert(bench, 2, all_clear=True)
    assert bench.outcomes()[-1] == (warning, "interrupted", "superseded")
    bench.send(DeviceUp())
    bench.pass_s(1)
    assert bench.phase(clear) is Phase.PLAYING


def test_a_warning_that_is_begun_anew_after_a_power_cut_and_ends_was_heard_whole() -> None:
    bench = at_work()
    warning = alert(bench, 1)
    bench.pass_s(3)
    after_a_crash(bench, warning, 30)
    bench.send(DeviceUp())
    sounds(bench, warning)
    assert bench.outcomes()[-1] == (warning, "succeeded", None)
    assert bench.every(fx.CommitRecord)[-1].record.played_ms == 10_000


def test_a_warning_whose_device_stays_away_was_interrupted_and_did_not_just_expire() -> None:
    bench = at_work()
    warning = alert(bench, 1, not_after=bench.now.utc + 10 * MINUTE_MS)
    bench.pass_s(1)
    bench.send(PlayProgress(bench.play(warning).play_id, {CHO: 2_000, DINH: 2_000}, 0))
    bench.send(DeviceDown("killed"))
    bench.pass_s(601)
    assert bench.outcomes()[-1] == (warning, "interrupted", "device_failed")
    assert bench.every(fx.CommitRecord)[-1].record.played_ms == 2_000


def test_no_repetition_begins_after_its_end_because_the_device_was_away() -> None:
    bench = at_work()
    bench.send(DeviceDown("killed"))
    warning = alert(bench, 1, **repeating(bench, every_s=300, for_s=600))
    bench.pass_s(601)
    assert (warning, "expired", "device_failed") in bench.outcomes()
    bench.send(DeviceUp())
    bench.pass_s(1)
    assert bench.every(fx.StartPlay) == []


def test_what_every_try_of_a_warning_has_sounded_counts_in_its_bound() -> None:
    bench = at_work()
    given = {"not_after": bench.now.utc + 6 * HOUR_MS, **EMERGENCY}
    bounded = replace(bench.accept(bench.make(job_id="lu", **given)), sound_max_ms=15_000)
    bench.arrive(bounded)
    bench.pass_s(1)
    bench.send(PlayProgress(bench.play(JobId("lu")).play_id, {CHO: 8_000, DINH: 8_000}, 0))
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    bench.pass_s(11)
    assert bench.outcomes()[-1] == ("lu", "interrupted", "too_much_sound")
