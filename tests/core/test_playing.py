"""When an occurrence is staged, armed, started or given up, and by what it is held back."""

from __future__ import annotations

from dataclasses import replace
from datetime import time

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import explain
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.events import (
    ClipFailed,
    DeviceDown,
    DeviceUp,
    Tick,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy, VolumeBand, ZoneSite
from edge_agent.core.switching import RELAY_CONFIRM_MS, RELAY_LEAD_MS
from edge_agent.core.units import HOUR_MS, SECOND_MS, JobId, UtcMs
from edge_agent.core.wall_time import local_time
from tests.core.bench import CHO, DINH, Bench
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def test_first_sample_is_ordered_for_the_planned_instant_and_relays_close_ahead() -> None:
    bench = Bench().boot()
    job = bench.at(60)
    bench.pass_s(58.7)
    assert bench.phase(job) is Phase.STAGED
    bench.pass_s(0.2)
    assert bench.phase(job) is Phase.PLAYING
    (start,) = bench.every(fx.StartPlay)
    assert start.at == bench.now.mono_of(bench.play(job).planned)
    assert {one.zone for one in bench.every(fx.SwitchRelay) if one.on} == set(makers.ZONES)


def test_it_asks_to_be_woken_for_its_relays() -> None:
    bench = Bench().boot()
    bench.at(60)
    bench.pass_s(1)
    assert (
        bench.wakes_in_ms() == 59_000 - max(site.warm_up_ms for site in bench.state.site.zones.values()) - RELAY_LEAD_MS
    )


def test_each_zone_closes_by_its_own_warm_up() -> None:
    zones = {CHO: ZoneSite(CHO, "cho", 500), DINH: ZoneSite(DINH, "dinh", 20_000)}
    bench = Bench(zones=zones).boot()
    bench.at(60)
    bench.pass_s(40)
    assert [one.zone for one in bench.every(fx.SwitchRelay)] == [DINH]
    bench.pass_s(19)
    assert [one.zone for one in bench.every(fx.SwitchRelay)] == [DINH]
    bench.pass_s(0.4)
    assert [one.zone for one in bench.every(fx.SwitchRelay)] == [DINH, CHO]


def test_an_order_too_late_to_start_is_missed() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.at(60)
    bench.pass_s(71)
    assert bench.outcomes() == [(job, "missed", "missed")], "nobody looked between due and late"


def test_the_log_names_a_broadcast_that_is_over_by_its_title_and_its_hour() -> None:
    """The ward asks for the bulletin of five o'clock, and knows no job ids; `next` names it no more."""
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.at(60)
    known = bench.state.jobs[job].job
    due = local_time(bench.play(job).planned, bench.state.site.timezone)
    bench.pass_s(71)
    (over,) = [note for note in bench.every(fx.Note) if note.what == "outcome"]
    assert dict(over.fields)["planned"] == f"{due:%Y-%m-%dT%H:%M}"
    assert dict(over.fields)["title"] == repr(known.items[0].title)
    assert dict(over.fields)["words"].startswith("lỡ lịch phát / ")


def test_what_waits_for_a_lost_device_is_missed_with_that_reason() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.at(60)
    bench.pass_s(60)
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.DEVICE_FAILED)
    bench.pass_s(11)
    assert bench.outcomes() == [(job, "missed", "device_failed")]


def test_a_late_limit_lets_it_play_late() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.at(60, missed={"policy": "late", "limit_s": 300})
    bench.pass_s(200)
    bench.send(DeviceUp())
    assert bench.phase(job) is Phase.PLAYING


def test_an_immediate_order_that_outlives_its_validity_expires() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.order()
    bench.pass_s(601)
    assert bench.outcomes() == [(job, "expired", "device_failed")]


def test_audio_altered_on_the_server_fails_a_single_job_at_once() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    job = bench.at(60)
    bench.send(ClipFailed(bench.every(fx.FetchClip)[0].key, Reason.AUDIO_ALTERED, again=False))
    assert bench.outcomes() == [(job, "failed", "audio_altered")]
    assert bench.every(fx.SwitchRelay) == []


def test_unreachable_audio_is_tried_again_until_it_is_too_late() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    job = bench.at(60)
    key = bench.every(fx.FetchClip)[0].key
    for wait in (5, 10, 20):
        bench.send(ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True))
        bench.pass_s(wait)
    assert len(bench.every(fx.FetchClip)) == 4
    bench.pass_s(36)
    assert bench.outcomes() == [(job, "failed", "audio_unreachable")]


def test_a_recurring_job_waits_for_better_audio_until_its_instant() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    job = bench.order(when=makers.rule_when())
    bench.pass_s(600)
    bench.send(ClipFailed(bench.every(fx.FetchClip)[0].key, Reason.AUDIO_ALTERED, again=False))
    assert bench.phase(job) is Phase.RECEIVED
    bench.pass_s(5 * 3600 + 11 - 600)
    assert bench.outcomes() == [(job, "failed", "audio_altered")]


def test_audio_that_never_came_is_a_miss() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.FetchClip)
    job = bench.at(60)
    bench.pass_s(71)
    assert bench.outcomes() == [(job, "missed", "missed")]


def test_the_timetable_waits_for_a_trusted_clock_and_says_so() -> None:
    bench = Bench().boot()
    job = bench.at(60)
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    bench.pass_s(90)
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.STAGED, Reason.CLOCK_NOT_TRUSTED), "and not missed"
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    bench.pass_s(1)
    assert bench.outcomes() == [(job, "missed", "clock_not_trusted")]


def test_a_night_instant_of_a_mixed_rule_is_rejected_when_its_time_comes() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when(times=["17:00:00", "23:00:00"], weekdays=[1, 2, 3, 4, 5, 6, 7]))
    bench.pass_s(5 * 3600 - 1)
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]
    bench.pass_s(6 * 3600)
    assert bench.outcomes()[1:] == [(job, "rejected", "quiet_hours")]


def evening(seconds: float, **site: object) -> Bench:
    """So many seconds before the quiet hours; a programme takes 10 s."""
    bench = Bench(**site)
    bench.now = replace(bench.now, utc=UtcMs(makers.NOON + 9 * makers.HOUR_MS - round(seconds * 1000)))
    return bench.boot()


def test_a_slow_amplifier_does_not_carry_an_order_for_now_into_the_quiet_hours() -> None:
    """Ordered 65 s before nine with a warm-up of a minute: it would sound until 21:00:05."""
    bench = evening(65, zones={CHO: ZoneSite(CHO, "cho", 60_000)})
    job = bench.order()
    assert bench.outcomes() == [(job, "rejected", "quiet_hours")]
    assert bench.every(fx.SwitchRelay) == []


def test_a_relay_that_confirms_late_does_not_carry_a_programme_into_the_quiet_hours() -> None:
    bench = evening(71)
    bench.deaf.add(fx.SwitchRelay)
    job = bench.at(59)
    bench.pass_s(58.8)
    bench.pass_s(1)
    bench.confirm_relays()
    assert bench.outcomes() == [(job, "rejected", "quiet_hours")]
    assert bench.every(fx.StartPlay) == []
    assert bench.closed() == set()


def test_an_order_for_now_does_not_begin_after_its_validity() -> None:
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY, not_after=bench.now.utc + 900)
    assert bench.outcomes() == [(flood, "expired", "expired")], "its amplifiers need a second"


def test_an_order_for_now_whose_relays_confirm_too_late_expires() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    flood = bench.order(**EMERGENCY, not_after=bench.now.utc + 1_100)
    bench.pass_s(0.2)
    bench.confirm_relays()
    assert bench.outcomes() == [(flood, "expired", "expired")]


def test_an_order_for_now_expires_while_two_clocks_disagree() -> None:
    """Signed time still tells its validity; to wait for more than that would be to spin."""
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.order()
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    bench.send(Tick())
    assert bench.play(job).held_by is Reason.CLOCK_NOT_TRUSTED
    bench.pass_s(601)
    assert bench.outcomes() == [(job, "expired", "clock_not_trusted")]


def test_a_clock_that_loses_its_trust_during_the_warm_up_holds_routine_back() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    bench.confirm_relays()
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.CLOCK_NOT_TRUSTED)
    assert bench.closed() == set()


def test_what_waits_for_its_instant_to_come_again_asks_to_be_woken_for_its_relays() -> None:
    """The clock was put back while they closed; without a wake of its own it began with whatever came next."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.at(60)
    bench.pass_s(59)
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - HOUR_MS))
    bench.confirm_relays()
    bench.pass_s(1)
    assert bench.phase(job) is Phase.QUEUED
    lead_ms = max(site.warm_up_ms for site in bench.state.site.zones.values()) + RELAY_LEAD_MS
    assert bench.wakes_in_ms() == bench.play(job).planned - bench.now.utc - lead_ms


@pytest.mark.parametrize(
    ("late_s", "outcomes"),
    [(HOUR_MS // SECOND_MS, [("job-1", "missed", "missed")]), (60, [("job-1", "succeeded", None)])],
    ids=["behind its late limit", "within it"],
)
def test_what_the_clock_has_left_behind_while_its_relays_close_begins_only_within_its_late_limit(
    late_s: int, outcomes: list[tuple[str, str, str | None]]
) -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.at(60, missed={"policy": "late", "limit_s": 120})
    bench.pass_s(59)
    assert bench.phase(job) is Phase.ARMED
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc + late_s * SECOND_MS))
    bench.confirm_relays()
    bench.pass_s(1)
    if bench.state.plays:
        bench.end(job)
    assert bench.outcomes() == outcomes


def test_what_takes_its_zones_in_time_begins_though_its_relays_confirm_late() -> None:
    """By then its late limit is over, and it had waited for the device for all of it."""
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.at(60, missed={"policy": "late", "limit_s": 120})
    bench.pass_s(180)
    bench.deaf.add(fx.SwitchRelay)
    bench.send(DeviceUp())
    assert bench.phase(job) is Phase.ARMED
    bench.pass_s((RELAY_CONFIRM_MS - 100) / SECOND_MS)
    bench.confirm_relays()
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING


def test_a_programme_longer_than_a_relay_may_stay_on_is_rejected() -> None:
    zones = {CHO: ZoneSite(CHO, "cho", 500, on_ms_max=5_000)}
    bench = Bench(zones=zones).boot()
    job = bench.order(audience={"areas": [makers.AREA]})
    assert bench.outcomes() == [(job, "rejected", "over_limit")]


def test_the_warm_up_counts_as_time_that_a_relay_stays_on() -> None:
    """Or its relay would open by itself before the last words."""
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 2_000, on_ms_max=12_000)}).boot()
    job = bench.order()
    assert bench.outcomes() == [(job, "rejected", "over_limit")]


MINUTE_AND_SECONDS = {
    CHO: ZoneSite(CHO, "cho", 500, on_ms_max=5_000),
    DINH: ZoneSite(DINH, "dinh", 500, on_ms_max=60_000),
}


def test_a_relay_that_may_not_stay_on_for_so_long_silences_its_own_zone_and_no_other() -> None:
    bench = Bench(zones=MINUTE_AND_SECONDS).boot()
    job = bench.at(60)
    (foreseen,) = day_plan(bench.state, bench.now, local_time(bench.now.utc, bench.state.site.timezone).date())
    assert (foreseen.reason, foreseen.out) == (None, {CHO: Reason.OVER_LIMIT})
    assert [one.reason for one in explain.upcoming(bench.state, bench.now)] == [None]
    bench.pass_s(59)
    assert bench.closed() == set()
    bench.pass_s(0.5)
    assert bench.closed() == {DINH}
    bench.pass_s(0.5)
    bench.end(job)
    (record,) = [one.record for one in bench.every(fx.CommitRecord)]
    assert (record.outcome, record.reason) == (Phase.SUCCEEDED, None)
    assert {zone.zone: zone.reason for zone in record.zones} == {CHO: Reason.OVER_LIMIT, DINH: None}


def test_a_warning_that_is_too_long_for_one_relay_is_heard_where_it_is_not() -> None:
    bench = Bench(zones=MINUTE_AND_SECONDS).boot()
    flood = bench.order(**EMERGENCY)
    assert bench.closed() == {DINH}
    bench.pass_s(1)
    assert bench.phase(flood) is Phase.PLAYING


def test_the_time_that_a_relay_rests_is_none_of_the_time_that_it_stays_on() -> None:
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 500, on_ms_max=60_000, least_off_ms=60_000)}).boot()
    job = bench.order()
    bench.pass_s(1)
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]


def test_an_equal_waits_until_the_zones_are_free() -> None:
    bench = Bench().boot()
    first = bench.order(job_id="first")
    second = bench.order(job_id="second")
    assert (bench.phase(first), bench.phase(second)) == (Phase.PLAYING, Phase.QUEUED)
    bench.end(first)
    assert bench.phase(second) is Phase.PLAYING
    assert [one.on for one in bench.every(fx.SwitchRelay) if one.zone == CHO] == [True, True], "no open in between"


def test_a_repeated_programme_comes_before_what_has_waited_for_its_end_where_the_commune_says_so() -> None:
    """B3. It is planned anew in the step in which it ended; whoever waited was asked first, and had the zones."""
    bench = Bench().boot()
    twice = [f"{local_time(UtcMs(bench.now.utc + s * SECOND_MS), 'Asia/Ho_Chi_Minh'):%H:%M:%S}" for s in (60, 70)]
    news = bench.order(when=makers.rule_when(times=twice, weekdays=[*range(1, 8)]), order=0)
    other = bench.at(70, job_id="other", order=1)
    bench.pass_s(60)
    bench.pass_s(9.9)
    assert (bench.phase(news), bench.phase(other)) == (Phase.PLAYING, Phase.QUEUED)
    bench.end(news)
    assert (bench.phase(news), bench.phase(other)) == (Phase.PLAYING, Phase.QUEUED)
    assert bench.play(news).planned == bench.play(other).planned


def test_the_communes_order_decides_among_those_who_wait() -> None:
    bench = Bench().boot()
    first = bench.order(job_id="first")
    bench.order(job_id="later", order=2)
    bench.order(job_id="sooner", order=1)
    bench.end(first)
    assert bench.phase(JobId("sooner")) is Phase.PLAYING
    assert bench.phase(JobId("later")) is Phase.QUEUED


def test_a_programme_that_begins_late_is_as_loud_as_is_allowed_when_it_begins() -> None:
    policy = LocalPolicy((Clause(volume_bands=(VolumeBand(time(12, 1), time(13), 40),)),))
    bench = Bench(policy=policy).boot()
    bench.deaf.add(fx.SwitchRelay)
    bench.at(58)
    bench.pass_s(57.8)
    bench.pass_s(1.9)
    bench.confirm_relays()
    assert bench.now.utc + 1_000 >= makers.NOON + 60_000
    assert [feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds] == [40, 40]


def test_what_waits_for_its_instant_does_not_mind_a_lost_device() -> None:
    bench = Bench().boot()
    job = bench.at(60)
    bench.send(DeviceDown("restarting"))
    bench.send(DeviceUp())
    bench.pass_s(59)
    assert bench.phase(job) is Phase.PLAYING
