"""Commands: each is answered, recorded, obeyed within its bound, and does nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    DeviceDown,
    DeviceUp,
    JobSaved,
    Restored,
    SavedJob,
)
from edge_agent.core.job import PlayAt, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    Ask,
    Cancel,
    Choose,
    Command,
    Lock,
    NextItem,
    Pause,
    Rank,
    Restart,
    SelfTest,
    Stop,
    Window,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work
from tests.trust import makers

EMERGENCY = {"class": "emergency"}
LATER = UtcMs(makers.NOON + 30 * 24 * HOUR_MS)
TWO_ITEMS = [makers.clip_item(digest="1" * 64), makers.clip_item(digest="2" * 64)]


def cancel(target: JobId) -> Cancel:
    return Cancel(target, LATER)


def test_a_job_that_waits_is_cancelled_for_good() -> None:
    bench = at_work()
    job = bench.order(when=makers.rule_when())
    bench.rule(cancel(job))
    assert (job, "cancelled", "cancelled") in bench.outcomes()
    assert bench.state.jobs == {}
    assert [effect.job_over for effect in bench.every(fx.CommitRecord) if effect.record.job_id == job] == [True]


def test_a_job_that_sounds_is_cut_off_and_does_not_come_again() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(cancel(job))
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(job, Reason.SHUTDOWN, ms=2_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "cancelled")
    assert bench.state.jobs == {}


def test_a_cancel_that_overtakes_its_job_keeps_it_out() -> None:
    bench = at_work()
    bench.rule(cancel(JobId("job-1")))
    bench.pass_s(3600)
    bench.order(job_id="job-1")
    assert bench.answers()[-1] == ("refused", "cancelled")


def test_nobody_else_takes_a_job_back() -> None:
    bench = at_work()
    job = bench.at(60)
    bench.rule(cancel(job), issuer="somebody-else")
    assert bench.answers()[-1] == ("refused", "not_the_owner")
    assert bench.phase(job) is Phase.STAGED
    bench.rule(cancel(JobId("job-2")), issuer="somebody-else")  # nothing here to be anybody's yet
    bench.order(job_id="job-2")
    assert bench.answers()[-1] == ("accepted", None)


def test_nobody_else_takes_a_timetable_back_of_which_an_entry_still_sounds() -> None:
    bench = at_work()
    when = {"kind": "at", "utc": bench.now.utc + 60_000}
    bench.timetable(1, makers.entry_dict(job_id="ban-tin", when=when))
    bench.pass_s(61)
    bench.timetable(2)  # from here on the first one is no order any more, and what sounds is heard to its end
    bench.rule(cancel(JobId("lich-1")), issuer="somebody-else")
    assert bench.answers()[-1] == ("refused", "not_the_owner")
    assert bench.phase(JobId("ban-tin")) is Phase.PLAYING
    assert bench.every(fx.StopPlay) == []
    bench.rule(cancel(JobId("lich-1")))
    assert len(bench.every(fx.StopPlay)) == 1


def test_a_window_and_a_lock_are_taken_back_by_who_set_them() -> None:
    bench = at_work()
    begins, ends = UtcMs(makers.NOON), UtcMs(makers.NOON + HOUR_MS)
    window = bench.rule(lambda heading: Window(heading, begins, ends, "tang", None), not_after=LATER)
    lock = bench.rule(Lock(HOUR_MS))
    for rule in (window, lock):
        bench.rule(cancel(rule), issuer="somebody-else")
        assert (bench.answers()[-1], rule in bench.state.rules) == (("refused", "not_the_owner"), True)
    bench.rule(cancel(window))
    bench.rule(cancel(lock))
    assert (window, "cancelled", "cancelled") in bench.outcomes()
    assert (lock, "cancelled", "cancelled") in bench.outcomes()
    bench.playing()


def test_a_stop_ends_what_sounds_and_the_next_day_plays() -> None:
    bench = at_work()
    when = makers.rule_when(times=["12:00:10"], weekdays=[4, 5])
    job = bench.order(when=when)
    bench.pass_s(8)
    bench.pass_s(2)
    bench.rule(Stop())
    bench.end(job, Reason.SHUTDOWN, ms=1_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "stopped")
    assert bench.play(job).planned == makers.NOON + 24 * HOUR_MS + 10_000


def test_a_stop_in_one_zone_leaves_the_other() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Stop(), zones=[CHO])
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [DINH]
    bench.end(job)
    assert bench.outcomes()[-1] == (job, "succeeded", None)
    assert bench.every(fx.CommitRecord)[-1].record.zones[0].reason is Reason.STOPPED


def test_a_stop_reaches_what_is_about_to_sound() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    job = bench.order()
    assert bench.phase(job) is Phase.ARMED
    bench.rule(Stop())
    assert bench.outcomes()[-2] == (job, "rejected", "stopped")


def test_a_stop_ends_no_emergency_of_somebody_else() -> None:
    bench = at_work()
    warning = bench.playing(**EMERGENCY)
    bench.rule(Stop(), issuer="somebody-else")
    assert bench.every(fx.StopPlay) == []
    bench.rule(Stop())
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(warning, Reason.SHUTDOWN, ms=100)
    assert bench.outcomes()[-1] == (warning, "interrupted", "stopped")


def test_a_stop_reaches_no_emergency_of_somebody_else_that_is_about_to_sound() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    warning = bench.order(**EMERGENCY)
    bench.rule(Stop(), issuer="somebody-else")
    assert bench.phase(warning) is Phase.ARMED
    bench.confirm_relays()
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING


def test_a_redelivered_command_does_nothing_twice() -> None:
    bench = at_work()
    job = bench.playing(items=TWO_ITEMS)
    order = bench.rule(NextItem())
    saved = bench.every(fx.SaveJob)[-1].saved
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(1)
    bench.arrive(saved.accepted)
    assert bench.answers()[-1] == ("known", "replayed")
    assert len(bench.every(fx.StopPlay)) == 1
    assert [record.record.job_id for record in bench.every(fx.CommitRecord)].count(order) == 1


def test_a_restart_ends_the_process_in_order_but_not_under_an_emergency() -> None:
    bench = at_work()
    warning = bench.playing(**EMERGENCY)
    bench.rule(Restart())
    assert bench.answers()[-1] == ("refused", "emergency_in_force")
    bench.end(warning)
    bench.rule(Restart())
    assert len(bench.every(fx.EndProcess)) == 1
    assert bench.state.stopping


def test_a_bulletin_keeps_no_restart_away_nor_does_one_that_the_disk_has_not_taken() -> None:
    """Else whoever may order those keeps a station from ever being helped."""
    bench = at_work()
    bench.playing()
    bench.deaf = {fx.SaveJob}
    bench.at(3_600, job_id="unsaved")
    bench.deaf = set()
    bench.rule(Restart())
    assert bench.answers()[-1] == ("accepted", None)
    assert len(bench.every(fx.EndProcess)) == 1


def test_nobody_restarts_a_station_under_an_emergency_that_is_about_to_sound() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    warning = bench.order(**EMERGENCY)
    assert bench.phase(warning) is Phase.ARMED
    bench.rule(Restart())
    assert bench.answers()[-1] == ("refused", "emergency_in_force")
    assert bench.every(fx.EndProcess) == []


def test_a_restart_is_refused_where_an_emergency_is_on_its_way_to_the_disk_behind_it() -> None:
    """Restarts that a thief has queued before it would each have put it off, and a disk that refuses it lost it."""
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    restart = bench.rule(Restart())
    warning = bench.order(job_id="lut", **EMERGENCY)
    bench.send(JobSaved(restart))
    bench.send(JobSaved(warning))
    assert bench.answers() == [("refused", "emergency_in_force"), ("accepted", None)]
    bench.pass_s(3)
    assert bench.phase(warning) is Phase.PLAYING


def test_a_restart_is_refused_under_an_emergency_that_began_while_the_disk_was_busy() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    restart = bench.rule(Restart())
    warning = bench.order(job_id="lut", **EMERGENCY)
    bench.pass_s(3)  # it waits no longer for the disk
    assert bench.phase(warning) is Phase.PLAYING
    bench.send(JobSaved(restart))
    assert bench.answers() == [("refused", "emergency_in_force")]
    assert bench.outcomes() == [(restart, "rejected", "emergency_in_force")]
    assert bench.every(fx.StopPlay) + bench.every(fx.EndProcess) == []
    assert not bench.state.stopping
    assert restart not in bench.state.rules


def test_a_day_is_told_once_and_only_after_the_commit() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    order = bench.rule(Ask(date(2026, 10, 2)))
    assert bench.every(fx.SendPlan) == []
    bench.send(JobSaved(order))
    assert bench.every(fx.SendPlan) == [fx.SendPlan(date(2026, 10, 2))]
    assert order not in bench.state.rules


@pytest.mark.parametrize("action", [Stop(), cancel(JobId("x")), Lock(1_000), Pause(1_000), NextItem(), SelfTest()])
def test_every_command_is_answered_and_on_record(action: Any) -> None:
    bench = at_work()
    order = bench.rule(action)
    assert bench.answers()[-1] == ("accepted", None)
    for _ in range(3):
        bench.pass_s(10)
    records = [effect.record for effect in bench.every(fx.CommitRecord) if effect.record.job_id == order]
    assert records
    assert records[0].kind == "rule"
    assert isinstance(bench.every(fx.SaveJob)[-1].saved.accepted.order, Command)


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (Rank((JobId("first"), JobId("second"))), "rank zones=all job_ids=first,second"),
        (Choose(JobId("x"), PlayNow()), "choose zones=all target=x when=now"),
        (Choose(JobId("x"), PlayAt(UtcMs(7))), "choose zones=all target=x when=7"),
    ],
)
def test_the_record_of_a_command_tells_it_in_values_without_blanks(action: Any, told: str) -> None:
    bench = at_work()
    bench.rule(action)
    assert bench.every(fx.CommitRecord)[-1].record.detail == told


def test_what_is_cancelled_while_it_stops_for_a_pause_does_not_go_on() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(MINUTE_MS))
    bench.rule(cancel(job))
    bench.end(job, Reason.SHUTDOWN, ms=2_000)
    assert bench.outcomes()[-1] == (job, "interrupted", "cancelled")
    assert bench.state.jobs == {}


def test_a_zone_that_was_stopped_stays_silent_in_the_next_try() -> None:
    bench = at_work()
    bench.deaf = {fx.SwitchRelay}
    warning = bench.order(**EMERGENCY)
    bench.rule(Stop(), zones=[CHO])
    bench.deaf = set()
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    bench.pass_s(10)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def test_what_was_taken_back_while_it_waited_is_not_released() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(cancel(JobId("rule-2")), order_id=JobId("rule-1"))
    bench.rule(Lock(HOUR_MS), order_id=JobId("rule-2"))
    bench.welcome()
    assert ("rule-2", "rejected", "cancelled") in bench.outcomes()
    assert [*bench.state.rules] == ["rule-1"]


def test_a_cancel_that_waits_for_a_welcome_keeps_no_emergency_out() -> None:
    bench = Bench().boot(welcomed=False)
    bench.rule(cancel(JobId("flood")))
    bench.order(job_id="flood", **EMERGENCY)
    assert bench.answers()[-1] == ("accepted", None)


def test_a_job_that_was_cancelled_is_over_after_a_restart_too() -> None:
    bench = at_work()
    job = bench.order(when=makers.rule_when())
    bench.rule(cancel(job))
    saved, rule = (effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    again.send(Restored((saved,), (), {}, 0, 0, "e1", rules=(rule,)))
    assert again.state.jobs == {}
    assert again.outcomes() == [(job, "rejected", "cancelled")]


@pytest.mark.parametrize("ordered", [{}, EMERGENCY])
def test_what_waited_and_was_cancelled_in_the_moment_of_a_crash_is_not_released_behind_it(
    ordered: dict[str, Any],
) -> None:
    """The cancel was on the disk, and the record of its target was not."""
    bench = Bench().boot(welcomed=False)
    made = bench.make(job_id="waits", **ordered)
    held = SavedJob(bench.accept(made), bench.now.utc, held=True)
    bench.rule(cancel(made.job_id))
    (saved,) = (effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    again.now = bench.now
    again.send(Restored((held,), (), {}, 0, 0, "e1", rules=(replace(saved, held=False),)))
    assert again.state.jobs == {}
    assert again.outcomes() == [(made.job_id, "rejected", "cancelled")]


def test_a_window_or_timetable_that_comes_after_its_cancel_is_refused() -> None:
    bench = at_work()
    bench.rule(cancel(JobId("tang")))
    bench.rule(cancel(JobId("lich-1")))
    bench.rule(lambda heading: Window(heading, bench.now.utc, LATER, "Có tang", None), order_id=JobId("tang"))
    assert bench.answers()[-1] == ("refused", "cancelled")
    bench.timetable(1, makers.entry_dict())
    assert bench.answers()[-1] == ("refused", "cancelled")
    assert bench.state.jobs == {}


def test_who_did_not_order_it_cancels_nothing_that_is_still_to_come() -> None:
    bench = at_work()
    bench.rule(cancel(JobId("tang")), issuer="somebody-else")
    bench.rule(lambda heading: Window(heading, bench.now.utc, LATER, "Có tang", None), order_id=JobId("tang"))
    assert bench.answers()[-1] == ("accepted", None)


def test_a_stop_reaches_an_emergency_that_waits_for_its_next_try() -> None:
    bench = at_work()
    flood = bench.playing(**EMERGENCY)
    for _ in range(2):
        bench.send(DeviceDown("killed"))
        bench.send(DeviceUp())
        bench.pass_s(1)
    assert bench.phase(flood) is Phase.QUEUED
    bench.rule(Stop())
    assert bench.outcomes()[-2:] == [(flood, "interrupted", "stopped"), ("rule-3", "succeeded", None)]
    bench.pass_s(12)
    assert bench.state.plays == {}
