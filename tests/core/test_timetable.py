"""A whole timetable replaced by one order: all of it or nothing, and nobody in the street hears the seam."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import JobSaved
from edge_agent.core.job import JobClass, PlayAt, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Choose, Stop
from edge_agent.core.state import JOBS_MAX
from edge_agent.core.units import DAY_MS, HOUR_MS, JobId, UtcMs
from tests.core.bench import Bench, at_work
from tests.core.entries import CHIEU, SANG, TRUA, daily, in_one_zone, jobs, once
from tests.trust import makers

# The switch


def test_the_old_timetable_is_in_force_until_the_new_one_is_on_the_disk() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(CHIEU))
    assert jobs(bench) == {SANG, TRUA}
    assert {play.job_id for play in bench.state.plays.values()} == {SANG, TRUA}
    assert bench.answers() == [("accepted", None)]
    bench.send(JobSaved(whole))
    assert jobs(bench) == {CHIEU}
    assert {play.job_id for play in bench.state.plays.values()} == {CHIEU}
    assert bench.answers() == [("accepted", None)] * 2
    assert len(bench.every(fx.Ack)) == 2


def test_the_log_tells_what_waited_and_what_took_its_place() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(TRUA), daily(CHIEU))
    assert bench.outcomes() == [
        ("lich-1", "succeeded", None),
        (SANG, "superseded", "superseded"),
        ("lich-2", "succeeded", None),
        ("lich-1", "superseded", "superseded"),
    ]
    told = [effect.record.detail for effect in bench.every(fx.CommitRecord)]
    assert told[2:] == ["timetable name=main version=2 entries=2", "timetable name=main version=1 entries=1"]


def test_an_entry_that_both_versions_have_goes_on_undisturbed() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.pass_s(7_200)
    known, play = bench.state.jobs[SANG], bench.play(SANG)
    bench.timetable(2, daily(SANG), serial=9, not_after=UtcMs(makers.NOON + 99 * DAY_MS))
    assert bench.state.jobs[SANG].base == known.base
    assert bench.play(SANG) == play
    assert bench.state.jobs[SANG].job.not_after == makers.NOON + 99 * DAY_MS


def test_an_entry_that_sounds_and_stays_is_not_touched() -> None:
    bench = at_work()
    entry = once(bench, SANG, 60)
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    play = bench.play(SANG)
    assert play.phase is Phase.PLAYING
    bench.timetable(2, entry, daily(TRUA))
    assert bench.play(SANG) == play
    assert bench.every(fx.StopPlay) == []
    bench.end(SANG)
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.job_id, record.outcome, record.digest) == (SANG, Phase.SUCCEEDED, "digest of lich-2")


def test_what_sounds_and_is_gone_is_heard_to_its_end_and_never_again() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG, "12:01:00"))
    bench.pass_s(60)
    bench.pass_s(1)
    bench.timetable(2)
    assert bench.phase(SANG) is Phase.PLAYING
    assert (bench.every(fx.StopPlay), bench.every(fx.RoutePlay)) == ([], [])
    bench.end(SANG)
    commit = bench.every(fx.CommitRecord)[-1]
    assert (commit.record.job_id, commit.record.outcome, commit.job_over) == (SANG, Phase.SUCCEEDED, True)
    assert bench.state.jobs == {}


def test_what_sounds_was_dropped_and_is_listed_again_stays() -> None:
    bench = at_work()
    entry = daily(SANG, "12:01:00")
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    bench.timetable(2)
    bench.timetable(3, entry)
    bench.end(SANG)
    assert not bench.every(fx.CommitRecord)[-1].job_over
    assert jobs(bench) == {SANG}


def test_the_empty_timetable_ends_all_of_it_and_nothing_else() -> None:
    bench = at_work()
    alone = bench.at(3_600)
    bench.timetable(1, daily(SANG), daily(TRUA))
    bench.timetable(2)
    assert jobs(bench) == {alone}


def test_an_issuer_keeps_several_timetables_apart_by_name() -> None:
    bench = at_work()
    bench.timetable(7, daily(SANG))
    bench.timetable(1, daily(TRUA), name="loa-cho")
    assert jobs(bench) == {SANG, TRUA}
    bench.timetable(2, name="loa-cho")
    assert jobs(bench) == {SANG}


def test_timetables_of_two_issuers_are_two() -> None:
    bench = at_work()
    bench.timetable(7, daily(SANG))
    bench.timetable(1, issuer="province")
    assert jobs(bench) == {SANG}


# What is refused


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_or_another_of_the_same_number_is_refused(version: int) -> None:
    bench = at_work()
    bench.timetable(2, daily(SANG))
    bench.timetable(version, order_id="late")
    assert bench.answers()[-1] == ("refused", "superseded")
    assert jobs(bench) == {SANG}


def test_an_expired_one_changes_nothing() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, not_before=makers.NOON - DAY_MS, not_after=makers.NOON - 1)
    assert bench.answers()[-1] == ("refused", "expired")
    assert jobs(bench) == {SANG}


@pytest.mark.deep
def test_the_places_for_jobs_are_counted_as_they_will_be() -> None:
    bench = at_work()
    bench.timetable(1, *(daily(f"cu-{number}") for number in range(60)))
    for number in range(JOBS_MAX - 100):
        bench.at(3_600, job_id=f"job-{number}")
    bench.timetable(2, *(daily(f"moi-{number}") for number in range(60)))
    assert bench.answers()[-1] == ("accepted", None)
    for number in range(40):
        bench.at(3_600, job_id=f"more-{number}")
    bench.timetable(1, daily(SANG), name="loa-cho", order_id="one-more")
    assert bench.answers()[-1] == ("refused", "too_many_jobs")


def test_an_id_keeps_its_meaning_from_version_to_version() -> None:
    """Or the record of what sounds would tell of another programme."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG, volume=40), daily(TRUA))
    assert bench.answers()[-1] == ("refused", "id_reused")
    assert jobs(bench) == {SANG}
    assert bench.state.jobs[SANG].job.volume == 70


def test_an_entry_and_a_single_order_cannot_have_one_id() -> None:
    bench = at_work()
    alone = bench.at(3_600, job_id="tin-1")
    bench.timetable(1, daily(alone))
    assert bench.answers()[-1] == ("refused", "id_reused")
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(SANG))
    bench.at(3_600, job_id=SANG)
    assert bench.answers()[-1] == ("refused", "id_reused")
    bench.send(JobSaved(whole))
    bench.at(3_600, job_id=SANG)
    assert bench.answers()[-1] == ("refused", "id_reused")


def test_of_the_audience_only_the_zones_make_another_programme() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2, daily(SANG), audience={"areas": [makers.AREA, "vn/ha-noi/an-khanh"]})
    assert bench.answers()[-1] == ("accepted", None)
    bench.timetable(3, in_one_zone(SANG))
    assert bench.answers()[-1] == ("refused", "id_reused")


# One entry


def cancel(bench: Bench, target: str) -> None:
    bench.rule(Cancel(JobId(target), UtcMs(bench.now.utc + 90 * DAY_MS)))


def test_one_entry_is_cancelled_by_its_own_id_and_stays_so() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG), daily(TRUA))
    cancel(bench, SANG)
    assert jobs(bench) == {TRUA}
    bench.timetable(2, daily(SANG), daily(TRUA))
    assert jobs(bench) == {TRUA}


def test_the_whole_is_cancelled_by_its_id() -> None:
    bench = at_work()
    alone = bench.at(3_600)
    whole = bench.timetable(1, daily(SANG), daily(TRUA))
    cancel(bench, whole)
    assert jobs(bench) == {alone}
    assert ("lich-1", "cancelled", "cancelled") in bench.outcomes()


def test_what_was_dropped_and_is_listed_again_comes_back() -> None:
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.timetable(2)
    bench.timetable(3, daily(SANG))
    assert jobs(bench) == {SANG}


def test_what_was_played_is_not_played_again_because_it_is_still_listed() -> None:
    bench = at_work()
    entry = once(bench, SANG, 60, missed={"policy": "late", "limit_s": 600})
    bench.timetable(1, entry)
    bench.pass_s(60)
    bench.pass_s(1)
    bench.end(SANG)
    bench.timetable(2, entry, daily(TRUA), not_before=makers.NOON)
    assert jobs(bench) == {TRUA}
    assert len(bench.every(fx.StartPlay)) == 1


def test_a_choice_is_over_with_a_version_that_another_role_plans() -> None:
    """The next power cut behind a third version, which is only offered again, would have obeyed it."""
    bench = at_work()
    offered = {"offered": frozenset({JobClass.NORMAL})}
    bench.timetable(1, daily(SANG), by=offered)
    choice = bench.rule(Choose(SANG, PlayAt(UtcMs(bench.now.utc + HOUR_MS))))
    bench.timetable(2, daily(SANG))
    assert choice not in bench.state.rules
    assert (choice, "superseded", "superseded") in bench.outcomes()
    bench.timetable(3, daily(SANG), by=offered)
    assert bench.state.jobs[SANG].offered


def test_an_entry_that_the_role_may_only_offer_is_chosen_and_stays_chosen() -> None:
    bench = at_work()
    offered = {"offered": frozenset({JobClass.NORMAL})}
    bench.timetable(1, daily(SANG), daily(TRUA, **{"class": "priority"}), by=offered)
    assert jobs(bench) == {TRUA}
    chosen = makers.make_job(when=makers.rule_when(times=["18:00:00"])).when
    bench.rule(Choose(SANG, chosen))
    assert jobs(bench) == {SANG, TRUA}
    bench.timetable(2, daily(SANG), by=offered)
    assert jobs(bench) == {SANG}
    assert bench.state.jobs[SANG].job.when == chosen


def test_what_was_chosen_for_now_is_no_longer_worth_in_the_next_version() -> None:
    bench = at_work()
    offered = {"offered": frozenset({JobClass.NORMAL})}
    bench.timetable(1, daily(SANG), by=offered)
    bench.rule(Choose(SANG, PlayNow()))
    until = bench.state.jobs[SANG].job.not_after
    bench.timetable(2, daily(SANG), by=offered)
    assert until == bench.state.jobs[SANG].job.not_after == bench.now.utc + 600_000


def test_an_entry_after_the_timetables_end_is_refused_and_does_not_just_disappear() -> None:
    bench = at_work()
    bench.timetable(1, once(bench, SANG, 7_200), not_after=UtcMs(bench.now.utc + HOUR_MS))
    assert bench.answers()[-1] == ("refused", "nothing_left")
    assert bench.state.jobs == {}


def test_an_entry_may_not_take_the_id_of_another_order_that_is_over() -> None:
    bench = at_work()
    bench.end(bench.playing(job_id=SANG))
    bench.timetable(1, daily(SANG))
    assert bench.answers()[-1] == ("refused", "id_reused")
    stop = bench.rule(Stop())
    bench.timetable(2, daily(stop))
    assert bench.answers()[-1] == ("refused", "id_reused")


def test_a_warning_that_took_an_entrys_id_while_the_new_version_was_on_its_way_is_known_when_it_comes_again() -> None:
    """It was taken for another order with that id, ended, and sounded once more."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    bench.deaf.add(fx.SaveJob)
    whole = bench.timetable(2, daily(SANG), daily(TRUA))
    bench.deaf.clear()
    warning = bench.accept(bench.make(**{"class": "emergency"}, job_id=SANG), "a warning")
    bench.arrive(warning)
    bench.send(JobSaved(whole))
    bench.arrive(warning)
    assert [verdict for verdict, _ in bench.answers()] == ["accepted", "accepted", "accepted", "known"]
    assert jobs(bench) == {SANG, TRUA}


def test_what_the_newest_version_lists_is_known_as_an_entry_of_that_and_nothing_else_is() -> None:
    """By an older one's digest it would be taken for an order of its own once that is forgotten, and be refused."""
    bench = at_work()
    bench.timetable(1, daily(SANG))
    newest = bench.timetable(2, daily(SANG), once(bench, TRUA, -60))
    assert bench.state.seen[SANG].digest == bench.state.seen[newest].digest
    assert TRUA not in bench.state.seen
