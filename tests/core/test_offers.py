"""Offers of upper levels: they wait for the commune's choice, sound as it was made, or expire on record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    JobSaved,
    JournalFailed,
    Mark,
    Restored,
    SavedJob,
    SavedMark,
    SavedRule,
    TrustChanged,
)
from edge_agent.core.job import PlayAt, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Cancel, Choose, Pause
from edge_agent.core.reasons import Reason
from edge_agent.core.units import HOUR_MS, JobId, UtcMs
from tests.core.bench import Bench, at_work
from tests.trust import makers


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


def test_a_choice_that_is_taken_back_while_it_sounds_behind_the_offers_validity_ends_the_sound_alone() -> None:
    """The offer was over at once, and the agent ended by the sound whose job was gone."""
    bench = at_work()
    offer = offered(bench, not_after=bench.now.utc + 62_000)
    choice = bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    bench.pass_s(60)
    bench.pass_s(5)
    assert bench.phase(offer) is Phase.PLAYING
    bench.rule(Cancel(choice, UtcMs(bench.now.utc + 60_000)))
    bench.pass_s(1)
    assert bench.wakes_in_ms() > 0
    bench.end(offer)
    assert (offer, "interrupted", "cancelled") in bench.outcomes()
    assert bench.state.jobs == {}


def test_of_two_choices_that_cross_the_second_is_refused_by_name() -> None:
    """Both came before the disk had the first; the second was accepted, and nothing was planned by it."""
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.SaveJob)
    choices = [bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + ms)))) for ms in (30_000, 50_000)]
    for choice in choices:
        bench.send(JobSaved(choice))
    assert bench.answers()[-2:] == [("accepted", None), ("refused", "unknown_job")]
    assert bench.outcomes()[-1] == (choices[1], "rejected", "unknown_job")
    assert bench.play(offer).planned == bench.now.utc + 30_000


def test_an_offer_that_nobody_chooses_expires_on_record() -> None:
    bench = at_work()
    offer = offered(bench, not_after=bench.now.utc + 3_600_000)
    assert bench.wakes_in_ms() <= 3_600_001
    bench.pass_s(3_601)
    assert bench.outcomes()[-1] == (offer, "expired", "expired")
    assert bench.state.jobs == {}


def test_an_offer_that_waits_for_a_welcome_is_not_refused_for_its_own_hour() -> None:
    bench = Bench().boot(welcomed=False)
    made = bench.make(job_id="offer", when={"kind": "at", "utc": bench.now.utc + 12 * HOUR_MS})  # at midnight
    bench.arrive(replace(bench.accept(made), offered=True))
    bench.welcome()
    assert bench.state.jobs[made.job_id].offered


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


def test_what_is_chosen_counts_from_then_on_after_a_restart_too() -> None:
    bench = at_work()
    offer = offered(bench)
    bench.pass_s(30)
    bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    assert fx.ReleaseJob(offer, bench.now.utc) in bench.said


def test_nothing_is_chosen_that_is_not_here() -> None:
    bench = at_work()
    bench.rule(Choose(JobId("nowhere"), PlayAt(UtcMs(bench.now.utc + 60_000))))
    assert bench.answers()[-1] == ("refused", "unknown_job")


def test_only_what_is_offered_is_chosen() -> None:
    bench = at_work()
    job = bench.at(60)
    bench.rule(Choose(job, PlayAt(UtcMs(bench.now.utc + 120_000))))
    assert bench.answers()[-1] == ("refused", "unknown_job")


def test_nothing_is_chosen_for_a_time_that_its_issuer_has_not_signed() -> None:
    bench = at_work()
    offer = offered(bench, not_after=bench.now.utc + HOUR_MS)
    bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 2 * HOUR_MS))))
    assert bench.answers()[-1] == ("refused", "nothing_left")
    assert bench.state.jobs[offer].offered


def test_what_was_chosen_for_now_is_not_played_days_later() -> None:
    bench = at_work()
    bench.deaf.add(fx.FetchClip)
    offer = offered(bench)
    bench.rule(Choose(offer, PlayNow()))
    bench.pass_s(601)
    assert bench.outcomes()[-1] == (offer, "expired", "expired")


def test_what_was_chosen_for_now_before_a_restart_keeps_its_end() -> None:
    bench = at_work()
    bench.deaf.add(fx.FetchClip)
    offer = offered(bench)
    bench.rule(Choose(offer, PlayNow()))
    (saved,) = [effect.saved for effect in bench.every(fx.SaveJob) if isinstance(effect.saved, SavedJob)]
    (rule,) = [effect.saved for effect in bench.every(fx.SaveJob) if isinstance(effect.saved, SavedRule)]
    again = Bench()
    again.deaf.add(fx.FetchClip)
    again.now = bench.now
    again.pass_s(300)
    again.send(Restored((saved,), (), {}, 0, 0, "e1", rules=(rule,)))
    again.pass_s(301)
    assert again.outcomes()[-1] == (offer, "expired", "expired")


def test_what_was_chosen_and_had_begun_goes_on_after_a_restart_as_it_was_chosen() -> None:
    """Not as its issuer had planned it: that would be heard at another hour, and for longer."""
    bench = at_work()
    offer = offered(bench)
    bench.rule(Choose(offer, PlayNow()))
    bench.pass_s(1)
    begun = bench.play(offer)
    saved, rule = (effect.saved for effect in bench.every(fx.SaveJob))
    mark = SavedMark(offer, begun.planned, Mark.INTENT, begun.attempt)
    again = Bench()
    again.now = bench.now
    again.send(Restored((saved,), (mark,), {}, 0, 0, "e1", rules=(rule,)))
    assert again.play(offer).planned == begun.planned
    assert again.state.jobs[offer].job.when == PlayNow()
    assert not again.state.jobs[offer].offered


def test_what_was_about_to_sound_by_a_choice_that_is_over_does_not_come_back_with_the_power() -> None:
    """The cancel was on the disk, and the end of the sound was not: it began all the same."""
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.StartPlay)
    choice = bench.rule(Choose(offer, PlayNow()))
    begun = bench.play(offer)
    bench.rule(Cancel(choice, UtcMs(bench.now.utc + HOUR_MS)))
    saved = bench.every(fx.SaveJob)[0].saved
    again = Bench()
    again.now = bench.now
    mark = SavedMark(offer, begun.planned, Mark.INTENT, begun.attempt)
    again.send(Restored((saved,), (mark,), {}, 0, 0, "e1"))
    assert (again.state.plays, again.state.jobs[offer].offered) == ({}, True)
    assert again.every(fx.DropMark) == [fx.DropMark(offer, begun.planned)]


def test_of_two_choices_that_a_crash_has_left_the_second_is_refused_by_the_next_start() -> None:
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.SaveJob)
    times = [PlayAt(UtcMs(bench.now.utc + ms)) for ms in (60_000, 120_000)]
    first, second = (bench.rule(Choose(offer, when)) for when in times)
    saved, *rules = (effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    again.now = bench.now
    again.send(Restored((saved,), (), {}, 0, 0, "e1", rules=tuple(rules)))
    assert again.state.rules.keys() == {first}
    assert (second, "rejected", "unknown_job") in again.outcomes()
    assert again.state.jobs[offer].job.when == times[0]


def test_what_is_chosen_counts_from_its_choice_on_though_the_disk_had_no_more_of_it() -> None:
    """The instant before the choice came too late, and sounded after a restart, as the offer had come before it."""
    bench = at_work()
    daily = makers.rule_when(times=["12:05:00"])
    made = bench.make(job_id="offer", when=daily, missed={"policy": "late", "limit_s": 1_800})
    bench.arrive(replace(bench.accept(made), offered=True))
    bench.pass_s(1_200)
    bench.rule(Choose(made.job_id, made.when))
    saved, rule = (effect.saved for effect in bench.every(fx.SaveJob))
    again = Bench()
    again.now = bench.now
    again.send(Restored((saved,), (), {}, 0, 0, "e1", rules=(rule,)))
    assert again.state.jobs[made.job_id].base == bench.state.jobs[made.job_id].base


def test_a_choice_that_the_disk_is_taking_is_over_too_when_another_may_plan_what_it_chose() -> None:
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.SaveJob)
    choice = bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 600_000))))
    for only_offered in (False, True):
        today = replace(bench.state.jobs[offer].accepted, offered=only_offered)
        bench.send(TrustChanged(bench.state.trust, frozenset(), changed=(today,)))
    bench.send(JobSaved(choice))
    assert bench.answers()[-1] == ("refused", "key_revoked")
    assert bench.state.jobs[offer].offered


def test_what_sounds_by_a_choice_that_is_revoked_falls_silent_and_waits_to_be_chosen_again() -> None:
    bench = at_work()
    made = bench.make(job_id="offer", when=makers.rule_when())
    bench.arrive(replace(bench.accept(made), offered=True))
    choice = bench.rule(Choose(made.job_id, PlayNow()))
    bench.pass_s(1)
    assert bench.phase(made.job_id) is Phase.PLAYING
    bench.send(TrustChanged(bench.state.trust, frozenset({choice})))
    assert bench.every(fx.StopPlay)
    bench.end(made.job_id, Reason.SHUTDOWN, ms=1_000)
    assert (made.job_id, "interrupted", "key_revoked") in bench.outcomes()
    assert bench.state.jobs[made.job_id].offered
    assert bench.state.jobs[made.job_id].job == made
    bench.rule(Choose(made.job_id, PlayNow()))
    bench.pass_s(1)
    assert bench.phase(made.job_id) is Phase.PLAYING


def test_a_choice_that_came_second_takes_nothing_away_when_it_is_taken_back() -> None:
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.SaveJob)
    first, second = (bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + ms)))) for ms in (60_000, 120_000))
    bench.deaf.clear()
    for choice in (first, second):
        bench.send(JobSaved(choice))
    bench.rule(Cancel(second, UtcMs(bench.now.utc + HOUR_MS)))
    assert not bench.state.jobs[offer].offered
    assert bench.play(offer).planned == bench.now.utc + 60_000


def test_what_may_only_be_offered_from_now_on_falls_silent_though_its_amplifiers_warm_up() -> None:
    bench = at_work()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    assert bench.phase(job) is Phase.ARMED
    today = replace(bench.state.jobs[job].accepted, offered=True)
    bench.send(TrustChanged(bench.state.trust, frozenset(), changed=(today,)))
    assert (bench.state.plays, bench.closed(), bench.outcomes()) == ({}, set(), [])
    assert bench.state.jobs[job].offered, "as what had not begun to warm up: it waits to be chosen"


def test_a_choice_is_over_when_another_may_plan_what_it_chose_and_no_restart_brings_it_back() -> None:
    """It was obeyed again by the first power cut behind two documents that meant the opposite."""
    bench = at_work()
    offer = offered(bench)
    choice = bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 600_000))))
    for only_offered in (False, True):
        today = replace(bench.state.jobs[offer].accepted, offered=only_offered)
        bench.send(TrustChanged(bench.state.trust, frozenset(), changed=(today,)))
    assert bench.state.rules == {}
    assert bench.outcomes()[-1] == (choice, "rejected", "key_revoked")
    assert bench.state.jobs[offer].offered


def test_an_offer_whose_key_is_revoked_together_with_that_of_its_choice_has_one_record() -> None:
    bench = at_work()
    offer = offered(bench)
    choice = bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    bench.pass_s(60)
    bench.pass_s(1)
    bench.rule(Pause(60_000))
    bench.end(offer, Reason.SHUTDOWN, ms=500)
    assert bench.phase(offer) is Phase.QUEUED
    bench.send(TrustChanged(bench.state.trust, frozenset({choice, offer})))
    assert [told for told in bench.outcomes() if told[0] == offer] == [(offer, "interrupted", "key_revoked")]


def test_a_choice_that_the_disk_refuses_has_chosen_nothing() -> None:
    """Its officer is told to send the same bytes again."""
    bench = at_work()
    offer = offered(bench)
    bench.deaf.add(fx.SaveJob)
    choice = bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))))
    bench.send(JournalFailed("save order", choice, "full"))
    assert bench.answers()[-1] == ("refused", "not_saved")
    assert bench.state.jobs[offer].offered
    bench.deaf.clear()
    bench.rule(Choose(offer, PlayAt(UtcMs(bench.now.utc + 60_000))), order_id=choice)
    assert bench.answers()[-1] == ("accepted", None)
    assert bench.phase(offer) is Phase.STAGED
