"""What plays next, where, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import explain
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import ClipFailed, DeviceDown, PowerReported
from edge_agent.core.job import Accepted, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Lock, Loosening, Pause, Rank, Regulation, SetVolume, Window
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, Clause, IntoQuiet, LocalPolicy, VolumeBand, ZoneSite
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, Bench, audience
from tests.core.long_day import Ward
from tests.trust import makers

TODAY, TOMORROW = date(2026, 10, 1), date(2026, 10, 2)
MIDNIGHT = UtcMs(makers.NOON + 12 * HOUR_MS)
NEVER_QUIET = LocalPolicy((Clause(),))


def at_work(*clauses: Clause, **policy: Any) -> Bench:
    """A station at noon; without a clause nothing is forbidden."""
    return Ward(policy=LocalPolicy(clauses or (Clause(),), **policy)).boot()


def plan(bench: Bench, day: date = TODAY) -> list[Planned]:
    return list(day_plan(bench.state, bench.now, day))


def told(bench: Bench, day: date = TODAY) -> list[tuple[str, str | None]]:
    return [(one.job_id, one.reason and one.reason.value) for one in plan(bench, day)]


def following(bench: Bench) -> list[tuple[str, str | None]]:
    """The same of what is open now, as state and console show it."""
    return [(one.job_id, one.reason and one.reason.value) for one in explain.upcoming(bench.state, bench.now)]


def clip(number: int, seconds: float = 10) -> dict[str, Any]:
    return makers.clip_item(digest=f"{number:064x}", duration_ms=round(seconds * SECOND_MS))


def window(begins_s: float, ends_s: float, loosens: Loosening | None = None) -> Any:
    begins, ends = (UtcMs(makers.NOON + round(at * SECOND_MS)) for at in (begins_s, ends_s))
    return lambda heading: Window(heading, begins, ends, "Công văn 34/UBND", loosens)


def test_what_sounds_comes_first_then_by_instant() -> None:
    bench = Bench().boot()
    bench.at(600, job_id="second")
    bench.at(300, job_id="first")
    bench.order(job_id="playing", audience=audience(CHO))
    shown = explain.upcoming(bench.state, bench.now)
    assert [one.job_id for one in shown] == ["playing", "first", "second"]
    assert shown[0].hearing == (CHO,)
    assert (shown[1].zones, shown[1].reason, shown[1].phase) == ((CHO, DINH), None, Phase.STAGED)
    assert explain.sounding_in(bench.state, CHO) == "playing"
    assert explain.sounding_in(bench.state, DINH) is None


def test_a_rule_that_falls_into_the_quiet_hours_says_so_beforehand() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when(times=["17:00:00", "23:00:00"], weekdays=[1, 2, 3, 4, 5, 6, 7]))
    bench.pass_s(5 * 3600 - 1)
    bench.end(job)
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert shown.reason is Reason.QUIET_HOURS


def test_an_untrusted_clock_is_named() -> None:
    bench = Bench().boot()
    bench.at(600)
    blind = replace(bench.now, source=ClockSource.UNSET)
    (shown,) = explain.upcoming(bench.state, blind)
    assert shown.reason is Reason.CLOCK_NOT_TRUSTED


def test_missing_audio_is_named() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    bench.at(60)
    bench.send(ClipFailed(bench.every(fx.FetchClip)[0].key, Reason.AUDIO_UNREACHABLE, again=True))
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert (shown.reason, shown.lasts_ms) == (Reason.AUDIO_UNREACHABLE, 10_000)


def test_a_lost_device_is_named() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    bench.order()
    (shown,) = explain.upcoming(bench.state, bench.now)
    assert shown.reason is Reason.DEVICE_FAILED


# A whole day beforehand: the cases that people ask for. That it holds is tried at random in ``test_day_ahead``.


def test_when_the_days_sessions_have_run_out_the_rest_is_not_played() -> None:
    bench = at_work(Clause(sessions_per_day=2))
    for hour in (1, 2, 3):
        bench.at(hour * 3600, job_id=f"j{hour}")
    assert told(bench) == [("j1", None), ("j2", None), ("j3", "sessions_per_day")]


def test_minutes_that_an_exception_lets_pass_do_not_count() -> None:
    bench = at_work(Clause(day_ms=CLIP_MS))
    bench.at(3600, job_id="excepted")
    bench.at(7200, job_id="counted")
    exception = bench.rule(window(3000, 4000, Loosening(frozenset({JobClass.NORMAL}), HOUR_MS, volume_max=30)))
    excepted, counted = plan(bench)
    assert (excepted.under, dict(excepted.volumes)) == (exception, {CHO: 30, DINH: 30})
    assert (counted.under, counted.reason) == ("", None)


def test_what_an_exception_lets_in_all_is_counted_from_its_first_day_to_its_last() -> None:
    """Over Tết: two nights of forty seconds are the most of a hundred, and on the fourth they still are."""
    tet = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS, 100 * SECOND_MS)
    ward = Ward(policy=LocalPolicy((Clause(quiet=(time(21), time(5))),)))
    ward.boot()
    ward.rule(window(0, 9 * 86_400, tet), not_after=UtcMs(makers.NOON + 9 * DAY_MS))
    nightly = makers.rule_when(weekdays=[1, 2, 3, 4, 5, 6, 7], times=["22:00:00"])
    night = ward.order(job_id="night", when=nightly, items=[clip(1, 40)])
    days = [TODAY + timedelta(days=day) for day in range(8)]
    expected = [(night, None)] * 2 + [(night, "minutes_per_day")] * 6
    assert [told(ward, day) for day in days] == [[one] for one in expected]
    ward.live_until(UtcMs(makers.NOON + 8 * DAY_MS))
    assert [(job_id, reason) for job_id, _, reason in ward.outcomes() if job_id == night] == expected


def test_a_silence_keeps_its_zone_out_and_where_it_is_everywhere_the_whole() -> None:
    bench = at_work()
    bench.at(3600, job_id="here")
    bench.at(7200, job_id="nowhere")
    bench.rule(window(3000, 4000), zones=[CHO])
    bench.rule(window(7000, 8000))
    here, nowhere = plan(bench)
    assert (dict(here.volumes), dict(here.out), here.reason) == ({DINH: 70}, {CHO: Reason.ZONE_SILENCED}, None)
    assert (nowhere.reason, nowhere.zones) == (Reason.ZONE_SILENCED, (CHO, DINH))


def test_what_runs_into_the_quiet_hours_is_cut_there_or_refused() -> None:
    quiet = Clause(quiet=(time(21), time(5)))
    nine = makers.NOON + 9 * HOUR_MS
    strict, lenient = (at_work(quiet, into_quiet=into) for into in (IntoQuiet.REFUSE, IntoQuiet.CUT))
    for bench in (strict, lenient):
        bench.order(when={"kind": "at", "utc": nine - 5_000})
    assert strict.answers()[-1] == ("refused", "quiet_hours")
    (one,) = plan(lenient)
    assert (one.ends, one.cut, one.reason) == (nine, True, None)


def test_a_band_behind_the_cut_makes_no_evening_bulletin_quieter() -> None:
    """Neither as it is planned nor as it sounds, nor after a command: no moment of it lies in the band."""
    evening = Clause(quiet=(time(21), time(5)), volume_bands=(VolumeBand(time(21), time(5), 10),))
    ward = Ward(policy=LocalPolicy((evening,), IntoQuiet.CUT))
    ward.boot()
    ward.order(when={"kind": "at", "utc": makers.NOON + 9 * HOUR_MS - 5_000})
    assert [dict(one.volumes) for one in plan(ward)] == [{CHO: 70, DINH: 70}]
    ward.live_until(UtcMs(makers.NOON + 9 * HOUR_MS - 4_000))
    (start,) = ward.every(fx.StartPlay)
    assert {feed.zone: feed.volume for feed in start.feeds} == {CHO: 70, DINH: 70}
    ward.rule(SetVolume(60), zones=[CHO])
    (routed,) = ward.every(fx.RoutePlay)
    assert {feed.zone: feed.volume for feed in routed.feeds} == {CHO: 60, DINH: 70}


def test_of_two_that_wait_the_communes_order_says_which_goes_first() -> None:
    bench = at_work()
    bench.at(600, job_id="long", items=[clip(1, 120)], **LATE)
    bench.at(630, job_id="a", items=[clip(2)], **LATE)
    bench.at(660, job_id="b", items=[clip(3)], **LATE)
    assert [one.job_id for one in plan(bench)] == ["long", "a", "b"]
    bench.rule(Rank(("b", "a")))  # type: ignore[arg-type]
    ranked = plan(bench)
    assert [(one.job_id, one.order) for one in ranked] == [("long", None), ("b", 1), ("a", 2)]
    assert ranked[1].starts == ranked[0].ends
    assert ranked[2].starts == ranked[1].ends


LATE: dict[str, Any] = {"missed": {"policy": "late", "limit_s": 600}}


def test_what_may_not_wait_for_an_equal_says_that_its_zones_are_busy() -> None:
    bench = at_work()
    bench.at(600, job_id="long", items=[clip(1, 120)])
    bench.at(630, job_id="skipped", items=[clip(2)])
    assert told(bench) == [("long", None), ("skipped", "zones_busy")]


def test_a_repeated_warning_is_told_at_each_of_its_instants_until_its_sound_is_used_up() -> None:
    bench = at_work()
    every = {"kind": "now", "every_s": 600, "until": makers.NOON + 3_000_000}
    job = bench.make(**{"class": "emergency"}, when=every, not_after=makers.NOON + HOUR_MS)
    bench.arrive(replace(bench.accept(job), sound_max_ms=30_000))
    shown = plan(bench)
    assert [one.planned - shown[0].planned for one in shown] == [600_000 * number for number in range(5)]
    assert [one.reason for one in shown] == [*[None] * 3, *[Reason.TOO_MUCH_SOUND] * 2]


def test_what_waits_to_be_chosen_is_an_offer_and_no_part_of_the_plan() -> None:
    bench = at_work()
    job = bench.make(when={"kind": "at", "utc": bench.now.utc + HOUR_MS})
    bench.arrive(replace(bench.accept(job), offered=True))
    assert plan(bench) == []
    (offer,) = explain.offers(bench.state)
    assert (offer.job_id, offer.expires) == (job.job_id, job.not_after)


def test_what_sounds_now_is_in_it_with_the_beginning_it_had() -> None:
    bench = at_work()
    job = bench.order()
    began = bench.play(job).start_at
    bench.pass_s(5)
    (one,) = plan(bench)
    assert (one.job_id, one.starts, one.reason) == (job, bench.now.utc_of(began), None)
    assert plan(bench, TOMORROW) == []


def test_a_lock_that_will_be_over_by_then_keeps_nobody_out() -> None:
    bench = at_work()
    bench.at(600, job_id="soon")
    bench.at(7200, job_id="later")
    bench.rule(Lock(HOUR_MS))
    assert told(bench) == [("soon", "zone_locked"), ("later", None)]


def test_an_all_stop_and_a_pause_are_told_while_they_hold() -> None:
    bench = at_work()
    bench.at(60, job_id="soon")
    bench.at(7200, job_id="later")
    bench.rule(AllStop(15 * MINUTE_MS))
    assert told(bench) == following(bench) == [("soon", "all_stopped"), ("later", None)]
    bench = at_work()
    bench.at(60, job_id="soon")
    bench.at(7200, job_id="later")
    bench.at(70, job_id="elsewhere", audience=audience(DINH))
    bench.rule(Pause(HOUR_MS), zones=(CHO,))
    assert {*told(bench)} == {*following(bench)} == {("soon", "paused"), ("elsewhere", None), ("later", None)}


def test_what_an_all_stop_and_a_pause_do_not_halt_is_not_told_as_halted() -> None:
    bench = at_work()
    bench.rule(AllStop(15 * MINUTE_MS))
    bench.pass_s(1)
    bench.at(60, job_id="ordered-since")
    assert told(bench) == following(bench) == [("ordered-since", None)]
    bench = at_work()
    bench.rule(Pause(HOUR_MS))
    bench.send(DeviceDown("gone"))
    bench.order(job_id="flood", **{"class": "emergency"})
    assert following(bench) == [("flood", "device_failed")]


def test_a_pause_that_waits_for_a_welcome_is_not_told_as_if_it_held() -> None:
    bench = at_work()
    bench.at(60, job_id="soon")
    bench.state = replace(bench.state, welcomed=False)
    pause = bench.rule(Pause(HOUR_MS))
    assert bench.state.rules[pause].held
    assert following(bench) == [("soon", None)]


def test_a_regulation_that_was_signed_ahead_holds_from_its_own_day_on() -> None:
    bench = at_work()
    times = makers.rule_when(times=["17:00:00"], weekdays=[*range(1, 8)])
    bench.order(when=times)
    holiday = Clause(holidays=frozenset({TODAY, TOMORROW}))
    bench.rule(
        lambda heading: Regulation(heading, 1, "12/QĐ-UBND", TODAY, LocalPolicy((holiday,))),
        not_before=MIDNIGHT,
        not_after=UtcMs(MIDNIGHT + 30 * makers.DAY_MS),
    )
    assert told(bench, TODAY) == [("job-1", None)]
    assert told(bench, TOMORROW) == [("job-1", "holiday")]
    assert explain.day_sheet(bench.state, bench.now, TODAY).regulation is None
    sheet = explain.day_sheet(bench.state, bench.now, TOMORROW)
    assert sheet.regulation is not None
    assert sheet.regulation.number == "12/QĐ-UBND"


def test_a_day_far_ahead_is_told_as_well_as_tomorrow() -> None:
    bench = at_work()
    bench.order(when=makers.rule_when(weekdays=[*range(1, 8)]))
    far = TODAY + timedelta(days=80)
    assert [one.reason for one in plan(bench, far)] == [None, None]


@pytest.mark.parametrize("day", [date.min, date.max, date(2026, 9, 30), date(2040, 1, 1)])
def test_a_day_that_is_past_or_of_another_age_has_no_plan(day: date) -> None:
    bench = at_work()
    years = makers.rule_when(weekdays=[*range(1, 8)], first_day="2026-09-01", last_day="2050-12-31")
    bench.order(when=years, not_before=UtcMs(bench.now.utc - 7 * makers.DAY_MS))
    assert plan(bench, TOMORROW)
    assert plan(bench, day) == []


def test_without_a_trusted_clock_the_plan_says_so() -> None:
    bench = at_work()
    bench.at(600)
    blind = replace(bench.now, source=ClockSource.UNSET)
    assert [one.reason for one in day_plan(bench.state, blind, TODAY)] == [Reason.CLOCK_NOT_TRUSTED]


def test_sound_that_cannot_be_had_is_named_in_the_plan() -> None:
    bench = at_work()
    bench.deaf.add(fx.FetchClip)
    bench.at(60)
    bench.send(ClipFailed(bench.every(fx.FetchClip)[0].key, Reason.AUDIO_UNREACHABLE, again=True))
    assert [one.reason for one in plan(bench)] == [Reason.AUDIO_UNREACHABLE]


def test_a_rehearsal_gives_way_to_a_warning_that_repeats() -> None:
    bench = at_work()
    bench.at(600, job_id="rehearsal", **{"class": "emergency"}, rehearsal=True)
    assert told(bench)[0] == ("rehearsal", None)
    warning = {"kind": "now", "every_s": 3_600, "until": makers.NOON + 3 * HOUR_MS}
    bench.order(job_id="warning", **{"class": "emergency"}, when=warning, not_after=makers.NOON + 4 * HOUR_MS)
    assert ("rehearsal", "emergency_in_force") in told(bench)


def test_a_correction_of_what_nobody_heard_is_not_played() -> None:
    bench = at_work()
    job = bench.make(job_id="correction", when={"kind": "at", "utc": bench.now.utc + HOUR_MS}, corrects="unheard")
    known = bench.order(when={"kind": "at", "utc": bench.now.utc + HOUR_MS})
    accepted = Accepted(job, "digest", ("k1",), "ward")
    state = replace(bench.state, jobs={job.job_id: replace(bench.state.jobs[known], accepted=accepted)}, plays={})
    assert [one.reason for one in day_plan(state, bench.now, TODAY)] == [Reason.NOT_HEARD_HERE]


def test_a_programme_longer_than_a_relay_may_stay_closed_is_refused_when_it_comes() -> None:
    bench = at_work()
    job = bench.at(600, items=[clip(1, 7_200)], loops=2)
    assert bench.outcomes() == [(job, "rejected", "over_limit")]
    assert told(bench) == following(bench) == []


# What holds now


def test_what_holds_now_is_the_stations_own_policy_until_a_regulation_comes() -> None:
    bench = Bench().boot()
    assert explain.in_force(bench.state, bench.now) == InForce("", (time(21), time(5)))
    noon = LocalPolicy((STANDARD, Clause(quiet=(time(11, 30), time(13)))))
    bench.rule(lambda heading: Regulation(heading, 1, "12/QĐ-UBND", TODAY, noon), not_after=MIDNIGHT)
    assert explain.in_force(bench.state, bench.now) == InForce("12/QĐ-UBND", (time(11, 30), time(13)))


def test_locked_and_silenced_zones_are_those_of_now() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.rule(window(-60, 600), zones=[DINH])
    bench.rule(window(3600, 7200), zones=[CHO])
    assert explain.in_force(bench.state, bench.now) == InForce("", None, (CHO,), (DINH,))


def test_what_a_pause_holds_is_planned_for_its_end() -> None:
    bench = at_work()
    bench.at(60, missed={"policy": "late", "limit_s": 3_600})
    bench.rule(Pause(600_000))
    (one,) = plan(bench)
    assert (one.reason, one.starts) == (None, bench.now.utc + 601_000)


def test_what_a_pause_holds_for_too_long_is_told_as_paused() -> None:
    bench = at_work()
    bench.at(60)
    bench.rule(Pause(600_000))
    assert told(bench) == [("job-1", "paused")]


def test_what_was_set_aside_for_the_zones_that_missed_it_is_planned_for_these() -> None:
    bench = at_work()
    late = bench.playing(preemption="drop", missed={"policy": "skip", "zones_s": 3_600})
    bench.order(job_id="flood", audience=audience(CHO), **{"class": "emergency"}, loops=20, gap_s=60)
    bench.pass_s(9)
    bench.end(late)
    (one,) = [one for one in plan(bench) if one.job_id == late]
    assert one.zones == (CHO,)


def test_what_was_set_aside_goes_on_after_its_validity() -> None:
    bench = at_work()
    job = bench.playing()
    bench.rule(Pause(900_000))
    bench.end(job, Reason.SHUTDOWN, ms=2_000)
    bench.pass_s(599)
    assert told(bench) == [(job, None)]


def test_an_alert_of_today_keeps_no_rehearsal_from_tomorrow() -> None:
    bench = at_work()
    bench.order(job_id="flood", not_after=UtcMs(bench.now.utc + HOUR_MS), **{"class": "emergency"})
    rehearsal = {"class": "emergency", "rehearsal": True, "items": [makers.text_item()]}
    bench.order(job_id="tap", when={"kind": "at", "utc": bench.now.utc + 24 * HOUR_MS}, **rehearsal)
    assert told(bench, TOMORROW) == [("tap", None)]


def test_a_battery_that_is_low_today_says_nothing_of_tomorrow() -> None:
    bench = at_work()
    bench.at(24 * 3_600)
    bench.send(PowerReported(reserve=True))
    assert told(bench, TOMORROW) == [("job-1", None)]


def test_what_sounds_over_midnight_is_in_both_days() -> None:
    bench = at_work()
    bench.at(12 * 3_600 - 5, items=[clip(1)])
    assert told(bench) == told(bench, TOMORROW) == [("job-1", None)]
    bench.pass_s(12 * 3_600)
    assert bench.phase("job-1") is Phase.PLAYING
    assert told(bench, TOMORROW) == [("job-1", None)]


def test_what_claims_its_zones_before_midnight_is_told_by_the_day_before() -> None:
    """Its relay rests for a minute before it closes: whoever is due meanwhile finds the zone taken."""
    zones = {CHO: ZoneSite(CHO, "Chợ", 1_000), DINH: ZoneSite(DINH, "Đình", 1_000, least_off_ms=MINUTE_MS)}
    ward = Ward(zones=zones, policy=NEVER_QUIET).boot()
    ward.at(12 * 3_600 - 10, job_id="last", audience=audience(CHO))
    daily = makers.rule_when(times=["00:00:30", "20:00:00"])
    ward.order(job_id="daily", when=daily, items=[clip(1)])
    foretold = told(ward)
    ward.live_until(UtcMs(MIDNIGHT + HOUR_MS))
    assert ("last", "missed", "zones_busy") in ward.outcomes()
    assert foretold == [("daily", None), ("last", "zones_busy")]
