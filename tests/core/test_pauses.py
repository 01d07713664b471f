"""Pause, resume and next item: what sounds goes on where it was, or with what comes next, and never of itself."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    JobSaved,
    StopAsked,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    NextItem,
    Pause,
    Resume,
    Stop,
)
from edge_agent.core.programme import Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, at_work
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


LATER = UtcMs(makers.NOON + 30 * 24 * HOUR_MS)


TWO_ITEMS = [makers.clip_item(digest="1" * 64), makers.clip_item(digest="2" * 64)]


def test_what_is_paused_goes_on_where_it_was() -> None:
    bench = at_work()
    job = bench.playing(items=TWO_ITEMS)
    bench.rule(Pause(10 * MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(60)
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.PAUSED)
    assert bench.closed() == set()
    bench.rule(Resume())
    bench.pass_s(1)
    again = bench.every(fx.StartPlay)[-1]
    assert again.parts[0] == Sound(again.parts[0].key, CLIP_MS - 4_000, 4_000)
    assert len({start.play_id for start in bench.every(fx.StartPlay)}) == 2
    bench.end(job, ms=16_000)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.planned_ms, record.played_ms) == (20_000, 20_000)
    first, second = (start.at for start in bench.every(fx.StartPlay))
    assert record.started == bench.now.utc_of(first) < bench.now.utc_of(second)


def test_a_stop_ends_what_is_paused() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(10 * MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.rule(Stop())
    assert (job, "interrupted", "stopped") in bench.outcomes()
    bench.rule(Resume())
    bench.pass_s(1)
    assert len(bench.every(fx.StartPlay)) == 1


def test_a_stop_in_one_zone_leaves_the_rest_of_what_is_paused_to_the_other() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(10 * MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.rule(Stop(), zones=[CHO])
    bench.rule(Resume())
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def test_a_pause_that_nobody_ends_is_the_end() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(10 * MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(601)
    assert (job, "interrupted", "paused") in bench.outcomes()
    assert bench.state.rules == {}


def test_an_emergency_cannot_be_paused() -> None:
    bench = at_work()
    bench.playing(**EMERGENCY)
    bench.rule(Pause(MINUTE_MS))
    assert bench.every(fx.StopPlay) == []


def test_a_rehearsal_that_is_due_waits_for_a_pause_as_any_programme_does() -> None:
    bench = at_work()
    bench.rule(Pause(MINUTE_MS))
    when = {"kind": "at", "utc": bench.now.utc + 30_000}
    drill = bench.order(rehearsal=True, event="dien-tap", when=when, **EMERGENCY)
    bench.pass_s(31)
    assert (bench.phase(drill), bench.play(drill).held_by) == (Phase.QUEUED, Reason.PAUSED)


def test_the_next_item_is_called_for() -> None:
    bench = at_work()
    job = bench.playing(items=TWO_ITEMS)
    bench.rule(NextItem())
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(1)
    (part,) = bench.every(fx.StartPlay)[-1].parts
    assert part.key == "2" * 64
    bench.rule(NextItem())  # there is none: the programme is over
    bench.end(job, Reason.SHUTDOWN, ms=1_000)
    assert (job, "succeeded", None) in bench.outcomes()


def test_the_next_item_is_called_for_only_after_the_commit_and_only_once() -> None:
    bench = at_work()
    job = bench.playing(items=TWO_ITEMS)
    bench.deaf = {fx.SaveJob}
    order = bench.rule(NextItem())
    assert bench.every(fx.StopPlay) == []
    bench.send(JobSaved(order))
    assert len(bench.every(fx.StopPlay)) == 1
    bench.send(JobSaved(order))
    assert len(bench.every(fx.StopPlay)) == 1
    assert bench.phase(job) is Phase.PLAYING


def test_a_stop_of_what_stops_for_a_pause_is_the_end() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(MINUTE_MS))
    bench.rule(Stop())
    bench.end(job, Reason.SHUTDOWN, ms=2_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "stopped")


def test_what_is_about_to_sound_waits_for_a_pause_too() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    job = bench.order()
    bench.rule(Pause(MINUTE_MS))
    bench.confirm_relays()
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.PAUSED)
    assert bench.every(fx.StartPlay) == []


def test_what_was_paused_for_long_has_all_its_time_when_it_is_resumed() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(HOUR_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(50 * 60)
    bench.rule(Resume())
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING


def test_a_pause_that_is_over_before_the_device_has_stopped_is_the_end() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(1_000))
    bench.pass_s(1)
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "paused")


def test_what_only_waited_through_a_pause_begins_after_it() -> None:
    bench = at_work()
    bench.rule(Pause(MINUTE_MS))
    job = bench.order()
    bench.pass_s(60)
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING


def test_a_paused_programme_is_on_record_when_the_service_ends() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.send(StopAsked())
    assert bench.outcomes()[-1] == (job, "interrupted", "shutdown")
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.played_ms, record.attempt) == (4_000, 1)


def test_what_stops_for_a_pause_when_the_service_ends_is_on_record_too() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(MINUTE_MS))
    bench.send(StopAsked())
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "shutdown")


def test_the_next_item_is_not_called_for_before_the_first_one_sounds() -> None:
    bench = at_work()
    bench.deaf = {fx.StartPlay}
    job = bench.order(items=TWO_ITEMS)
    bench.rule(NextItem())
    assert bench.phase(job) is Phase.PLAYING
    assert bench.every(fx.StopPlay) == []


def test_a_resume_ends_no_pause_that_was_signed_after_it_while_both_waited() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(Resume())
    bench.pass_s(1)
    pause = bench.rule(Pause(MINUTE_MS))
    bench.welcome()
    assert (pause, "cancelled", "cancelled") not in bench.outcomes()
    assert pause in bench.state.rules


def test_the_end_of_one_pause_leaves_what_another_one_holds() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(60_000))
    bench.end(job, Reason.SHUTDOWN, ms=3_000)
    bench.pass_s(50)
    bench.rule(Pause(30 * MINUTE_MS))
    bench.pass_s(15)
    assert (job, "interrupted", "paused") not in bench.outcomes()
    bench.rule(Resume())
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING
