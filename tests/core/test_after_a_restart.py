"""What a boot makes of what the journal holds: begun again, recorded, or left to its instant."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    DeviceUp,
    Mark,
    Restored,
    SavedJob,
    SavedMark,
    Tick,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.playing import OUTCOMES_MAX, PASSES_MAX
from edge_agent.core.units import JobId, UtcMs
from tests.core.bench import Bench
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def test_a_restored_rule_that_is_over_is_dropped() -> None:
    bench = Bench()
    over = bench.make(when=makers.rule_when(first_day="2026-09-01", last_day="2026-09-02"))
    bench.send(Restored((SavedJob(bench.accept(over), bench.now.utc, held=False),), (), {}, 0, 0))
    assert bench.state.jobs == {}


@pytest.mark.parametrize(("cls", "phase"), [("normal", Phase.STAGED), ("emergency", Phase.PLAYING)])
def test_after_a_boot_without_a_clock_only_an_emergency_sounds(cls: str, phase: Phase) -> None:
    """It may be night: the quiet hours of a clock that begins in 1970 are nobody's."""
    bench = Bench()
    job = bench.make(**{"class": cls})
    bench.now = replace(bench.now, utc=UtcMs(bench.now.mono), source=ClockSource.UNSET)
    bench.send(Restored((SavedJob(bench.accept(job), UtcMs(makers.NOON), held=False),), (), {}, 0, 0))
    bench.send(DeviceUp())
    assert bench.phase(job.job_id) is phase


@pytest.mark.parametrize(
    ("cls", "mark", "attempt", "begins_again"),
    [
        ("normal", Mark.INTENT, 1, True),
        ("normal", Mark.INTENT, 2, False),
        ("normal", Mark.FIRST_SAMPLE, 1, False),
        ("emergency", Mark.FIRST_SAMPLE, 1, True),
        ("emergency", Mark.FIRST_SAMPLE, 2, True),
        ("emergency", Mark.FIRST_SAMPLE, 3, False),
    ],
)
def test_what_had_begun_before_a_power_cut(cls: str, mark: Mark, attempt: int, begins_again: bool) -> None:
    bench = Bench()
    job = bench.make(**{"class": cls})
    saved = SavedJob(bench.accept(job), bench.now.utc, held=False)
    bench.send(Restored((saved,), (SavedMark(job.job_id, bench.now.utc, mark, attempt),), {}, 3, 3))
    if begins_again:
        assert bench.play(job.job_id).attempt == attempt
        return
    assert bench.outcomes() == [(job.job_id, "interrupted", "power_cut")]
    record = bench.every(fx.CommitRecord)[0].record
    assert record.played_ms == (None if mark is Mark.FIRST_SAMPLE else 0)


@pytest.mark.parametrize("newer", list(Mark))
def test_of_a_warning_that_was_planned_anew_the_earlier_intent_begins_nothing(newer: Mark) -> None:
    """It was about to sound without a time, did not, and began when the time was known; then the power went."""
    bench = Bench()
    job = bench.make(**EMERGENCY)
    undated, planned = UtcMs(1_001_000), bench.now.utc
    marks = (SavedMark(job.job_id, undated, Mark.INTENT, 1), SavedMark(job.job_id, planned, newer, 1))
    bench.send(Restored((SavedJob(bench.accept(job), planned, held=False),), marks, {}, 3, 3))
    bench.send(DeviceUp())
    assert list(bench.state.plays) == [(job.job_id, planned)]
    bench.pass_s(1)
    bench.end(job.job_id)
    bench.pass_s(60)
    assert (len(bench.every(fx.StartPlay)), bench.outcomes()) == (1, [(job.job_id, "succeeded", None)])


def test_what_may_have_sounded_unseen_counts_for_its_whole_length() -> None:
    bench = Bench()
    job = bench.make()
    saved = SavedJob(bench.accept(job), bench.now.utc, held=False)
    bench.send(Restored((saved,), (SavedMark(job.job_id, bench.now.utc, Mark.FIRST_SAMPLE, 1),), {}, 3, 3))
    (sound,) = bench.state.past
    assert sound.ended - sound.started == 10_000


def test_what_had_begun_although_the_disk_did_not_take_its_release_is_refused_by_no_welcome() -> None:
    """The release was lost, the mark was not: held and open at once, the welcome ended the agent at every boot."""
    bench = Bench()
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + 60_000}, not_after=bench.now.utc + 70_000)
    saved = SavedJob(bench.accept(job), bench.now.utc, held=True)
    mark = SavedMark(job.job_id, UtcMs(bench.now.utc + 60_000), Mark.INTENT, 1)
    bench.send(Restored((saved,), (mark,), {}, 0, 0))
    bench.send(Connected(1, "ab" * 16))
    bench.pass_s(80)
    bench.welcome()
    assert bench.outcomes() == [(job.job_id, "missed", "missed")]


def test_a_mark_without_its_job_is_ignored() -> None:
    bench = Bench()
    bench.send(Restored((), (SavedMark(JobId("gone"), UtcMs(1), Mark.INTENT, 1),), {}, 0, 0))
    assert bench.outcomes() == []


def test_a_long_outage_records_every_missed_instant_without_spinning() -> None:
    bench = Bench()
    job = bench.make(when=makers.rule_when(weekdays=[1, 2, 3, 4, 5, 6, 7]))
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + 10 * makers.DAY_MS))
    saved = SavedJob(bench.accept(job), UtcMs(makers.NOON), held=False)
    bench.deaf.add(fx.FetchClip)
    bench.send(Restored((saved,), (), {}, 0, 0))
    assert len(bench.outcomes()) == PASSES_MAX
    while station.next_wake(bench.state, bench.now) <= bench.now.mono:  # type: ignore[operator]
        bench.send(Tick())
    assert [outcome for _, outcome, _ in bench.outcomes()] == ["missed"] * 20
    assert bench.play(job.job_id).planned > bench.now.utc


def test_a_long_outage_of_a_whole_timetable_makes_no_step_so_long_that_the_device_waits_for_it() -> None:
    bench = Bench()
    rule = makers.rule_when(weekdays=[1, 2, 3, 4, 5, 6, 7])
    jobs = [bench.accept(bench.make(job_id=f"job-{number}", when=rule)) for number in range(OUTCOMES_MAX // 2)]
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + 10 * makers.DAY_MS))
    bench.deaf.add(fx.FetchClip)
    bench.send(Restored(tuple(SavedJob(job, UtcMs(makers.NOON), held=False) for job in jobs), (), {}, 0, 0))
    in_steps = [len(bench.outcomes())]
    while bench.state.unsettled:
        in_steps.append(sum(isinstance(effect, fx.CommitRecord) for effect in bench.send(Tick())))
    assert max(in_steps) == OUTCOMES_MAX
    assert sum(in_steps) == 20 * len(jobs)


def test_a_station_whose_time_zone_is_changed_keeps_instants_and_judges_them_by_its_own_night() -> None:
    """An order says in which zone its wall times are; the quiet hours are those of the place."""
    bench = Bench().boot()
    early = bench.order(job_id="early", when=makers.rule_when(times=["17:00:00"]))
    late = bench.order(job_id="late", when=makers.rule_when(times=["19:30:00"]))
    planned = {job: bench.play(job).planned for job in (early, late)}
    jobs = tuple(SavedJob(known.accepted, known.base, known.held) for known in bench.state.jobs.values())
    moved = Bench()
    moved.now = bench.now
    moved.state = station.start(replace(bench.state.site, timezone="Asia/Tokyo"))
    moved.send(Restored(jobs, (), {}, 0, 0, "e1"))
    moved.send(DeviceUp())
    assert {job: moved.play(job).planned for job in planned} == planned
    moved.pass_s(5 * 3_600 + 1)
    assert moved.phase(early) is Phase.PLAYING
    moved.end(early)
    moved.pass_s(2.5 * 3_600)
    assert moved.outcomes()[-1] == (late, "rejected", "quiet_hours"), "half past nine in the evening there"
