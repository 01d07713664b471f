"""A timetable before and after its time: it waits for the welcome and for its day, and says when it is over."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core.events import Connected, JobSaved
from edge_agent.core.occurrence import Phase
from edge_agent.core.units import HOUR_MS
from tests.core.bench import at_work
from tests.core.entries import CHIEU, SANG, TRUA, daily, jobs, once
from tests.trust import makers


def test_before_the_welcome_it_waits_and_the_old_one_holds() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.state = replace(bench.state, welcomed=False)
    bench.timetable(2, daily(TRUA))
    bench.timetable(3, daily(CHIEU))
    assert jobs(bench) == {SANG}
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()
    bench.pass_s(1)
    assert jobs(bench) == {CHIEU}
    assert ("lich-2", "rejected", "superseded") in bench.outcomes()


def test_one_signed_ahead_waits_for_its_day() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(TRUA), not_before=bench.now.utc + HOUR_MS)
    assert bench.answers()[-1] == ("accepted", None)
    bench.pass_s(3_599)
    assert jobs(bench) == {SANG}
    assert bench.wakes_in_ms() <= 1_000
    bench.pass_s(1)
    assert jobs(bench) == {TRUA}


def test_one_whose_time_passes_before_the_disk_has_answered_makes_nobody_spin() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    ahead = bench.timetable(1, daily(SANG), not_before=bench.now.utc + 1_000, not_after=bench.now.utc + 2_000)
    bench.pass_s(3)
    assert bench.wakes_in_ms() > 0
    bench.send(JobSaved(ahead))
    assert bench.outcomes() == [(ahead, "expired", "expired")]


def test_one_whose_whole_time_passed_while_the_station_was_off_has_replaced_the_older_one() -> None:
    """As it has at the neighbour's, which was on; nothing that was replaced plays for months at one station alone."""
    bench = at_work()
    first = bench.timetable(1, daily(SANG))
    bench.timetable(1, daily(CHIEU), name="he", order_id="he-1")
    ahead = bench.timetable(2, daily(TRUA), not_before=bench.now.utc + HOUR_MS, not_after=bench.now.utc + 3 * HOUR_MS)
    bench.pass_s(4 * 3_600)
    assert jobs(bench) == {CHIEU}
    assert bench.state.rules.keys() == {"he-1"}
    assert bench.outcomes()[-2:] == [(first, "superseded", "superseded"), (ahead, "expired", "expired")]


def test_what_of_the_older_one_sounds_then_is_heard_to_its_end() -> None:
    bench = at_work()
    bench.timetable(1, once(bench, SANG, 4 * 3_600 - 5))
    bench.timetable(2, daily(TRUA), not_before=bench.now.utc + HOUR_MS, not_after=bench.now.utc + 4 * HOUR_MS)
    bench.state = replace(bench.state, welcomed=False)
    for seconds in (4 * 3_600 - 10, 6, 5):
        bench.pass_s(seconds)
    assert bench.phase(SANG) is Phase.PLAYING
    bench.end(SANG)
    assert (SANG, "succeeded", None) in bench.outcomes()


def test_one_signed_ahead_that_a_newer_one_overtakes_is_refused_at_once() -> None:
    bench = at_work()
    bench.timetable(2, daily(TRUA), not_before=makers.NOON + HOUR_MS)
    bench.timetable(3, daily(CHIEU))
    assert bench.answers()[-1] == ("refused", "superseded")
    assert jobs(bench) == {CHIEU}


def test_what_was_refused_while_its_relays_would_close_is_not_refused_once_more_by_the_next_version() -> None:
    """The instant is still to come then, but whether it sounds was decided and recorded before."""
    bench = at_work()
    at_night = once(bench, SANG, 10 * 3_600 + 1)
    bench.timetable(1, at_night)
    bench.timetable(2, at_night, daily(TRUA), not_before=bench.now.utc + 10 * HOUR_MS)
    bench.pass_s(10 * 3_600 - 0.1)
    assert bench.outcomes()[-1] == (SANG, "rejected", "quiet_hours")
    bench.pass_s(0.1)
    assert jobs(bench) == {TRUA}
    bench.pass_s(10)
    assert [told for told in bench.outcomes() if told[0] == SANG] == [(SANG, "rejected", "quiet_hours")]


def test_the_old_one_holds_until_the_disk_takes_its_release_however_often_it_is_sent_again() -> None:
    """Taken for one that is to be saved anew it was refused, and lay there all the same: a restart put it in force."""
    bench = at_work()
    ahead = {"issued_at": bench.now.utc, "not_before": bench.now.utc + HOUR_MS}
    bench.timetable(1, daily(SANG))
    whole = bench.timetable(2, daily(TRUA), **ahead)
    bench.deaf.add(fx.ReleaseJob)
    bench.pass_s(3_600)
    assert jobs(bench) == {SANG}
    bench.said.clear()
    bench.timetable(2, daily(TRUA), **ahead)
    assert bench.answers() == [("known", "replayed")]
    assert bench.every(fx.SaveJob) == []
    bench.send(JobSaved(whole))
    assert jobs(bench) == {TRUA}
    assert bench.answers()[1:] == [("accepted", None)]


def test_the_disks_word_for_its_arrival_is_not_taken_for_that_for_its_release() -> None:
    """It took the old one's place before its own commit, and a power cut brought the old one back, which was over."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.state = replace(bench.state, welcomed=False)
    bench.deaf = {fx.SaveJob, fx.ReleaseJob}
    whole = bench.timetable(2, daily(TRUA))
    bench.send(Connected(2, "cd" * 16))
    bench.welcome()
    bench.send(JobSaved(whole))
    assert jobs(bench) == {SANG}
    bench.pass_s(1)
    bench.send(JobSaved(whole))
    assert jobs(bench) == {TRUA}


def test_at_the_end_of_its_validity_it_says_so() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), not_after=makers.NOON + HOUR_MS)
    bench.pass_s(3_601)
    assert bench.outcomes()[-1] == ("lich-1", "expired", "expired")


def test_a_version_that_ends_sooner_lets_go_of_what_would_come_later() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG), not_after=makers.NOON + HOUR_MS)
    assert (SANG, "superseded", "superseded") in bench.outcomes()
    assert bench.state.plays == {}
