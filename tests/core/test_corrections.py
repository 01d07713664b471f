"""A correction ends what was wrong, and goes to whoever heard it."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import standing, timetable
from edge_agent.core.events import JobSaved, Restored, SavedJob
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from tests.core.bench import CHO, DINH, Bench, at_work, audience
from tests.core.entries import SANG, daily
from tests.core.series import sounds
from tests.trust import makers

URGENT = {"class": "emergency"}


def test_a_correction_stops_what_it_corrects_and_sounds_where_that_was_heard() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong", audience=audience(CHO))
    bench.pass_s(1)
    right = bench.order(job_id="right", corrects="wrong", **{"class": "priority"})
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(wrong, Reason.SHUTDOWN, ms=500)
    assert (wrong, "interrupted", "corrected") in bench.outcomes()
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [CHO]
    bench.end(right)
    assert bench.every(fx.CommitRecord)[-1].record.corrects == "wrong"


def test_a_correction_of_what_was_played_goes_to_who_heard_it() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong", audience=audience(DINH))
    sounds(bench, wrong)
    bench.pass_s(3_600)
    bench.order(job_id="right", corrects="wrong")
    bench.pass_s(1)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [DINH]


def test_a_correction_of_what_was_heard_nowhere_ends_what_waits() -> None:
    bench = at_work()
    wrong = bench.at(60, job_id="wrong")
    bench.order(job_id="right", corrects="wrong")
    assert bench.answers()[-1] == ("refused", "not_heard_here")
    assert bench.outcomes()[-1] == (wrong, "cancelled", "corrected")


def test_a_correction_of_what_was_stopped_before_anybody_heard_it_is_refused_by_name() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong")
    bench.pass_s(1)
    bench.deaf = {fx.SaveJob}
    right = bench.order(job_id="right", corrects="wrong")
    bench.end(wrong, Reason.SHUTDOWN, ms=0)
    bench.send(JobSaved(right))
    assert bench.outcomes()[-1] == (right, "rejected", "not_heard_here")


def test_one_that_recurs_is_over_then_and_is_not_refused_for_each_day_to_come() -> None:
    """It had a record for each of them at once, and beyond the first day began anew: records without end."""
    bench = at_work()
    wrong = bench.order(job_id="wrong")
    bench.pass_s(1)
    bench.deaf = {fx.SaveJob}
    right = bench.order(job_id="right", corrects="wrong", when=makers.rule_when())
    bench.end(wrong, Reason.SHUTDOWN, ms=0)
    bench.send(JobSaved(right))
    assert bench.outcomes()[1:] == [(right, "rejected", "not_heard_here")]
    assert bench.state.jobs == {}


def test_a_correction_that_is_no_warning_ends_none_and_keeps_none_out() -> None:
    """Ids can be guessed: one key that may only broadcast would take away tomorrow's warning today."""
    bench = at_work()
    bench.order(job_id="ahead", corrects="flood")
    warning = bench.order(job_id="flood", **URGENT)
    bench.pass_s(1)
    bench.order(job_id="right", corrects="flood", **{"class": "priority"})
    assert bench.phase(warning) is Phase.PLAYING
    assert bench.every(fx.StopPlay) == []


def test_nobody_elses_correction_ends_anything_or_keeps_it_out() -> None:
    bench = at_work()
    wrong = bench.order(job_id="wrong")
    bench.pass_s(1)
    bench.order(job_id="theirs", corrects="wrong", issuer="somebody-else")
    assert (bench.phase(wrong), bench.every(fx.StopPlay)) == (Phase.PLAYING, [])
    bench.order(job_id="theirs-too", corrects="later", issuer="somebody-else")
    bench.at(60, job_id="later")
    assert bench.answers()[-1] == ("accepted", None)


def test_a_warning_corrects_one() -> None:
    bench = at_work()
    wrong = bench.playing(job_id="flood", **URGENT)
    bench.order(job_id="right", corrects="flood", **URGENT)
    bench.end(wrong, Reason.SHUTDOWN, ms=500)
    assert (wrong, "interrupted", "corrected") in bench.outcomes()


def test_what_was_corrected_while_it_waited_is_not_released() -> None:
    bench = Bench().boot(welcomed=False)
    bench.order(job_id="right", corrects="wrong")
    wrong = bench.at(60, job_id="wrong")
    bench.welcome()
    assert (wrong, "rejected", "corrected") in bench.outcomes()
    assert bench.state.jobs == {}


def test_a_correction_finds_who_heard_what_was_wrong_weeks_ago() -> None:
    bench = at_work()
    wrong = bench.playing()
    bench.pass_s(9)
    bench.end(wrong)
    bench.pass_s(20 * 24 * 3_600)
    other = bench.playing(job_id="other")
    bench.pass_s(9)
    bench.end(other)
    bench.order(job_id="right", corrects=wrong)
    assert bench.answers()[-1] == ("accepted", None)


def test_who_heard_what_counts_in_no_limit_of_a_later_day() -> None:
    bench = at_work()
    for day in range(3):
        bench.end(bench.playing(job_id=f"day-{day}"))
        bench.pass_s(24 * 3_600)
    assert [sound.job_id for sound in bench.state.past] == ["day-0", "day-1", "day-2"]
    assert [sound.job_id for sound in standing.rules_of(bench.state, bench.now).past] == ["day-1", "day-2"]


def test_corrections_of_corrections_without_end_pass_the_days_limits_no_more() -> None:
    bench = at_work()
    heard = bench.order(job_id="wrong")
    sounds(bench, heard)
    for number in range(5):
        bench.pass_s(600)
        heard = bench.playing(job_id=f"right-{number}", corrects=heard, loops=11)
        bench.pass_s(110)
        bench.end(heard, ms=110_000)
    bench.pass_s(600)
    bench.order(job_id="right-5", corrects=heard, loops=11)
    assert bench.answers()[-1] == ("refused", "sessions_per_day")
    bench.order(job_id="right-6", corrects=heard, loops=4)
    assert bench.answers()[-1] == ("accepted", None)


@pytest.mark.parametrize("listed_again", [True, False])
def test_an_entry_that_a_timetable_lists_again_behind_its_correction_outlives_a_restart(listed_again: bool) -> None:
    """The disk has them in the order in which they came: what a correction found there is over."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    (rule,) = (effect.saved for effect in bench.every(fx.SaveJob))
    made = bench.make(job_id="right", corrects=SANG, when=makers.rule_when(times=["18:00:00"]))
    right = SavedJob(bench.accept(made), rule.base, held=False)
    (entry,) = timetable.entries(rule.accepted)
    sang = SavedJob(entry, rule.base, held=False)
    again = Bench()
    again.now = bench.now
    jobs = (right, sang) if listed_again else (sang, right)
    again.send(Restored(jobs, (), {}, 0, 0, "e1", rules=(rule,)))
    assert (SANG in {play.job_id for play in again.state.plays.values()}) is listed_again
    assert ((SANG, "rejected", "corrected") in again.outcomes()) is not listed_again
