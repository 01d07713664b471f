"""Commands: each is answered, recorded, obeyed within its bound, and does nothing twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import JobSaved, RelayFailed, Restored
from edge_agent.core.job import PlayAt
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    Ask,
    Cancel,
    Choose,
    Command,
    Lock,
    NextItem,
    Pause,
    Restart,
    Resume,
    SelfTest,
    Stop,
    Window,
)
from edge_agent.core.programme import Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench
from tests.trust import makers

EMERGENCY = {"class": "emergency"}
LATER = UtcMs(makers.NOON + 30 * 24 * HOUR_MS)
TWO_ITEMS = [makers.clip_item(digest="1" * 64), makers.clip_item(digest="2" * 64)]


def at_work() -> Bench:
    return Bench().boot()


def playing(bench: Bench, **job: Any) -> JobId:
    job_id = bench.order(**job)
    bench.pass_s(1)
    assert bench.phase(job_id) is Phase.PLAYING
    return job_id


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
    job = playing(bench)
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


def test_a_window_and_a_lock_are_taken_back_by_who_set_them() -> None:
    bench = at_work()
    begins, ends = UtcMs(makers.NOON), UtcMs(makers.NOON + HOUR_MS)
    window = bench.rule(lambda heading: Window(heading, begins, ends, "tang", None), not_after=LATER)
    lock = bench.rule(Lock(HOUR_MS))
    bench.rule(cancel(window))
    bench.rule(cancel(lock))
    assert (window, "cancelled", "cancelled") in bench.outcomes()
    assert (lock, "cancelled", "cancelled") in bench.outcomes()
    playing(bench)


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
    job = playing(bench)
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
    warning = playing(bench, **EMERGENCY)
    bench.rule(Stop(), issuer="somebody-else")
    assert bench.every(fx.StopPlay) == []
    bench.rule(Stop())
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(warning, Reason.SHUTDOWN, ms=100)
    assert bench.outcomes()[-1] == (warning, "interrupted", "stopped")


def test_what_is_paused_goes_on_where_it_was() -> None:
    bench = at_work()
    job = playing(bench, items=TWO_ITEMS)
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


def test_a_pause_that_nobody_ends_is_the_end() -> None:
    bench = at_work()
    job = playing(bench)
    bench.rule(Pause(10 * MINUTE_MS))
    bench.end(job, Reason.SHUTDOWN, ms=4_000)
    bench.pass_s(601)
    assert (job, "interrupted", "paused") in bench.outcomes()
    assert bench.state.rules == {}


def test_an_emergency_cannot_be_paused() -> None:
    bench = at_work()
    playing(bench, **EMERGENCY)
    bench.rule(Pause(MINUTE_MS))
    assert bench.every(fx.StopPlay) == []


def test_the_next_item_is_called_for() -> None:
    bench = at_work()
    job = playing(bench, items=TWO_ITEMS)
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
    job = playing(bench, items=TWO_ITEMS)
    bench.deaf = {fx.SaveJob}
    order = bench.rule(NextItem())
    assert bench.every(fx.StopPlay) == []
    bench.send(JobSaved(order))
    assert len(bench.every(fx.StopPlay)) == 1
    bench.send(JobSaved(order))
    assert len(bench.every(fx.StopPlay)) == 1
    assert bench.phase(job) is Phase.PLAYING


def test_a_redelivered_command_does_nothing_twice() -> None:
    bench = at_work()
    job = playing(bench, items=TWO_ITEMS)
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
    warning = playing(bench, **EMERGENCY)
    bench.rule(Restart())
    assert bench.answers()[-1] == ("refused", "emergency_in_force")
    bench.end(warning)
    bench.rule(Restart())
    assert len(bench.every(fx.EndProcess)) == 1
    assert bench.state.stopping


def test_a_day_is_told_once_and_only_after_the_commit() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    order = bench.rule(Ask(date(2026, 10, 2)))
    assert bench.every(fx.SendPlan) == []
    bench.send(JobSaved(order))
    assert bench.every(fx.SendPlan) == [fx.SendPlan(date(2026, 10, 2))]
    assert order not in bench.state.rules


def test_a_self_test_closes_one_zone_after_the_other_and_records_what_it_saw() -> None:
    bench = at_work()
    order = bench.rule(SelfTest())
    assert bench.closed() == {CHO}
    bench.pass_s(1)
    assert bench.closed() == {DINH}
    bench.pass_s(1)
    assert bench.closed() == set()
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.job_id, record.detail) == (order, f"self_test {CHO}=ok {DINH}=ok")
    assert bench.every(fx.StartPlay) == []


def test_a_self_test_names_the_relay_that_fails_and_the_zone_that_is_needed() -> None:
    bench = at_work()
    playing(bench, audience={"areas": [makers.AREA], "zones": [DINH]})
    bench.deaf = {fx.SwitchRelay}
    bench.rule(SelfTest())
    bench.send(RelayFailed(CHO, "no contact"))
    record = bench.every(fx.CommitRecord)[-1].record
    assert record.detail == f"self_test {CHO}=relay_failed {DINH}=busy"


def test_a_self_test_lets_a_zone_go_that_is_needed() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    warning = bench.order(**EMERGENCY)
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    assert bench.every(fx.CommitRecord)[-1].record.detail == f"self_test {CHO}=busy {DINH}=busy"


def offered(bench: Bench, **job: Any) -> JobId:
    made = bench.make(job_id="offer", when={"kind": "at", "utc": bench.now.utc + 60_000}, **job)
    bench.arrive(replace(bench.accept(made), offered=True))
    return made.job_id


def test_an_offer_waits_until_the_commune_chooses_it() -> None:
    bench = at_work()
    offer = offered(bench)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(120)
    assert bench.state.plays == {}
    assert offer in bench.state.jobs
    bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    assert bench.phase(offer) is Phase.STAGED
    bench.pass_s(60)
    bench.pass_s(1)
    bench.end(offer)
    assert (offer, "succeeded", None) in bench.outcomes()


def test_an_offer_that_nobody_chooses_expires_on_record() -> None:
    bench = at_work()
    offer = offered(bench, not_after=bench.now.utc + 3_600_000)
    assert bench.wakes_in_ms() <= 3_600_001
    bench.pass_s(3_601)
    assert bench.outcomes()[-1] == (offer, "expired", "expired")
    assert bench.state.jobs == {}


def test_a_choice_outlives_a_restart() -> None:
    bench = at_work()
    offer = offered(bench)
    bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    job, rule = (effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    again.send(Restored((job,), (), {}, 0, 0, "e1", rules=(rule,)))
    assert again.play(offer).planned == makers.NOON + 1_000 + 60_000
    alone = Bench()
    alone.send(Restored((job,), (), {}, 0, 0, "e1"))
    assert alone.state.plays == {}


def test_nothing_is_chosen_that_is_not_here() -> None:
    bench = at_work()
    bench.rule(Choose(JobId("nowhere"), PlayAt(UtcMs(bench.now.utc + 60_000))))
    assert bench.answers()[-1] == ("refused", "unknown_job")


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
