"""An occurrence that was about to sound and is dropped: the disk forgets its intent, or a restart would go by that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import DeviceDown, DeviceUp, Mark, Restored, SavedJob, SavedMark, StopAsked, TrustChanged
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Pause
from edge_agent.core.plays import OccurrenceKey
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, JobId, MonoMs, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.core.undated import lost_in_time, warned
from tests.trust import makers

EMERGENCY = {"class": "emergency"}
EVERY_DAY = makers.rule_when(first_day="2026-10-01", last_day="2026-12-31", weekdays=[1, 2, 3, 4, 5, 6, 7], excluded=[])


def marks(bench: Bench) -> tuple[SavedMark, ...]:
    """What the disk remembers of it all."""
    found: dict[OccurrenceKey, SavedMark] = {}
    for effect in bench.said:
        match effect:
            case fx.SaveMark():
                mark = SavedMark(effect.job_id, effect.planned, effect.mark, effect.attempt)
                found[effect.job_id, effect.planned] = mark
            case fx.DropMark():
                found.pop((effect.job_id, effect.planned), None)
            case fx.CommitRecord(closes=closes) if closes is not None:
                found.pop(closes, None)
    return tuple(found.values())


def restarted(bench: Bench, job_id: JobId, after_ms: int = 5_000, *, deaf: frozenset[type] = frozenset()) -> Bench:
    """Another process, by what the disk has of one job."""
    known = bench.state.jobs[job_id]
    again = Bench()
    again.deaf |= deaf
    again.now = replace(bench.now, mono=MonoMs(60_000), utc=UtcMs(bench.now.utc + after_ms))
    again.send(Restored((SavedJob(known.accepted, known.base, known.held),), marks(bench), {}, 0, 0, "e1"))
    again.send(DeviceUp())
    return again


def only_offered(bench: Bench, job_id: JobId) -> None:
    """Its key may not plan any more."""
    today = replace(bench.state.jobs[job_id].accepted, offered=True)
    bench.send(TrustChanged(bench.state.trust, frozenset(), changed=(today,)))


def about_to_sound(bench: Bench, **job: object) -> JobId:
    """Its relays have not closed yet."""
    bench.deaf.add(fx.SwitchRelay)
    job_id = bench.order(**job)
    assert bench.phase(job_id) is Phase.ARMED
    return job_id


def test_what_may_only_be_offered_from_now_on_is_not_begun_by_a_restart_though_its_relays_had_been_tried() -> None:
    """A restart takes what has begun for chosen: nobody had chosen this."""
    bench = at_work()
    job = about_to_sound(bench)
    bench.send(DeviceDown("gone"))
    assert (bench.phase(job), bench.play(job).attempt) == (Phase.QUEUED, 1)
    only_offered(bench, job)
    again = restarted(bench, job)
    assert (again.state.plays, again.state.jobs[job].offered, again.outcomes()) == ({}, True, [])


def test_nor_what_was_about_to_sound_just_then() -> None:
    bench = at_work()
    job = about_to_sound(bench)
    only_offered(bench, job)
    assert (bench.closed(), bench.outcomes(), bench.state.jobs[job].offered) == (set(), [], True)
    assert restarted(bench, job).state.plays == {}


def test_a_warning_that_was_taken_back_while_it_was_about_to_sound_without_a_time_leaves_no_intent() -> None:
    bench = lost_in_time()
    bench.deaf.add(fx.SwitchRelay)
    job = warned(bench)
    bench.pass_s(31)
    assert [mark.job_id for mark in marks(bench)] == [job]
    bench.rule(Cancel(job, UtcMs(makers.NOON + HOUR_MS)))
    assert (bench.state.plays, bench.closed(), marks(bench)) == ({}, set(), ())


def test_what_was_about_to_sound_by_a_wrong_time_leaves_no_intent_for_another_day() -> None:
    bench = Bench()
    bench.now = replace(bench.now, mono=MonoMs(60_000))
    bench.boot()
    job = bench.order(when=EVERY_DAY)
    bench.deaf.add(fx.SwitchRelay)
    ahead_ms = 30 * DAY_MS + bench.play(job).planned - bench.now.utc - SECOND_MS
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + ahead_ms), source=ClockSource.NTP, signed=False)
    bench.pass_s(0.1)
    assert (bench.phase(job), len(marks(bench))) == (Phase.ARMED, 1)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - ahead_ms), source=ClockSource.SIGNED, signed=True)
    bench.pass_s(1)
    assert (bench.phase(job), marks(bench)) == (Phase.STAGED, ())


def test_what_was_held_back_before_it_sounded_was_no_attempt_for_a_restart_either() -> None:
    """Two of them, each with a restart behind it, were said to be a programme that the power cut off."""
    bench = at_work()
    job = about_to_sound(bench)
    bench.rule(Pause(60_000))
    bench.confirm_relays()
    assert (bench.phase(job), bench.play(job).held_by, marks(bench)) == (Phase.QUEUED, Reason.PAUSED, ())


def test_one_that_was_tried_before_it_was_held_back_keeps_the_mark_of_that() -> None:
    bench = at_work()
    job = about_to_sound(bench)
    bench.pass_s(4)
    bench.pass_s(3)
    assert (bench.phase(job), bench.play(job).attempt) == (Phase.ARMED, 2)
    bench.rule(Pause(60_000))
    bench.confirm_relays()
    assert bench.play(job).held_by is Reason.PAUSED
    assert [mark.mark for mark in marks(bench)] == [Mark.INTENT]


def test_what_only_warms_up_when_the_service_is_told_to_stop_is_left_for_the_next_start() -> None:
    bench = at_work()
    job = about_to_sound(bench)
    bench.send(StopAsked())
    assert (bench.phase(job), bench.closed()) == (Phase.QUEUED, set())
    assert (marks(bench), bench.outcomes()) == ((), [])


@pytest.mark.parametrize("job", [{"class": "normal"}, EMERGENCY])
def test_however_often_it_is_told_to_stop_while_the_same_sound_warms_up_it_sounds_when_it_is_not(job: Any) -> None:
    """The second time it was said to have been cut off by a power cut."""
    bench = at_work()
    known = about_to_sound(bench, **job)
    for _ in range(5):
        bench.send(StopAsked())
        bench = restarted(bench, known, after_ms=1_000, deaf=frozenset({fx.SwitchRelay}))
        assert (bench.phase(known), bench.outcomes()) == (Phase.ARMED, [])
    bench.send(StopAsked())
    assert restarted(bench, known, after_ms=1_000).phase(known) is Phase.PLAYING


def test_what_was_heard_of_a_warning_is_told_though_the_power_goes_while_it_is_about_to_begin_anew() -> None:
    """The intent of the second try took the place of the first sample's mark: it was said to have expired unheard."""
    bench = at_work()
    job = bench.playing(**EMERGENCY)
    bench.deaf.add(fx.StartPlay)
    bench.end(job, Reason.DEVICE_FAILED, ms=4_000)
    bench.pass_s(3)
    assert bench.play(job).attempt == 2
    assert [(mark.mark, mark.attempt) for mark in marks(bench)] == [(Mark.FIRST_SAMPLE, 2)]
    again = restarted(bench, job, after_ms=15 * MINUTE_MS)
    again.pass_s(1)
    assert again.outcomes() == [(job, "interrupted", "power_cut")]
    (record,) = [effect.record for effect in again.every(fx.CommitRecord)]
    assert record.played_ms is None
    assert [sound.zones for sound in again.state.past] == [{CHO, DINH}]
