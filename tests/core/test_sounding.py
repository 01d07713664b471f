"""What becomes of a programme that sounds: lost, tried again, stopped, over; and its one outcome."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    ClipStaged,
    DeviceDown,
    DeviceUp,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    StopAsked,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import Reason
from edge_agent.core.units import PlayId, ZoneId
from tests.core.bench import CHO, DINH, Bench, audience
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def test_success_opens_the_relays_and_ends_a_single_job() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.end(job)
    assert bench.outcomes() == [(job, "succeeded", None)]
    assert bench.closed() == set()
    assert bench.state.jobs == {}
    assert bench.state.clips == {}


def test_a_recurring_job_goes_on_with_its_next_instant() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when())
    first = bench.play(job).planned
    bench.pass_s((first - bench.now.utc) / 1000 - 1)
    bench.end(job)
    assert bench.play(job).planned > first
    assert bench.state.jobs[job].base == first
    assert not bench.every(fx.CommitRecord)[0].job_over


def test_the_last_instant_of_a_rule_ends_the_job() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when(last_day="2026-10-01", times=["17:00:00"]))
    bench.pass_s(5 * 3600 - 1)
    bench.end(job)
    assert bench.every(fx.CommitRecord)[0].job_over
    assert bench.state.jobs == {}


def test_a_relay_that_opens_while_it_plays_takes_its_zone_out() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.send(RelayChanged(CHO, False, "max_on", bench.now.mono))
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [DINH]
    bench.send(RelayChanged(DINH, False, "max_on", bench.now.mono))
    assert bench.every(fx.StopPlay)
    bench.end(job, Reason.SHUTDOWN, ms=2_000)
    assert bench.outcomes() == [(job, "failed", "relay_failed")]


def test_a_routine_job_cut_by_a_dead_device_is_not_begun_again() -> None:
    bench = Bench().boot()
    job = bench.order()
    play_id = bench.play(job).play_id
    bench.send(PlayProgress(play_id, {CHO: 1_500, DINH: 1_500}, 0))
    bench.send(DeviceDown("killed"))
    assert bench.outcomes() == [(job, "failed", "device_failed")]
    assert bench.every(fx.CommitRecord)[0].record.played_ms == 1_500


def test_an_emergency_tries_three_times_then_fails() -> None:
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY)
    for pause_s in (0, 10):
        bench.send(DeviceDown("killed"))
        assert bench.phase(flood) is Phase.QUEUED
        bench.send(DeviceUp())
        bench.pass_s(pause_s)
        assert bench.phase(flood) is Phase.PLAYING
    bench.send(DeviceDown("killed"))
    assert bench.outcomes() == [(flood, "failed", "device_failed")]


def test_an_emergency_whose_relays_open_by_themselves_tries_again() -> None:
    """As after a device that died: three times in all (a lease that lapsed while the agent stood still)."""
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY)
    for attempt in (1, 2, 3):
        assert (bench.phase(flood), bench.play(flood).attempt) == (Phase.PLAYING, attempt)
        for zone in (CHO, DINH):
            bench.send(RelayChanged(zone, False, "lease", bench.now.mono))
        bench.end(flood, Reason.SHUTDOWN, ms=300)
        bench.pass_s(10 if attempt == 2 else 3)
    assert bench.outcomes() == [(flood, "failed", "device_failed")]


@pytest.mark.parametrize(
    ("cause", "reason"), [("lease", "device_failed"), ("stop", "device_failed"), ("max_on", "relay_failed")]
)
def test_no_relay_is_called_broken_of_which_the_device_process_let_go(cause: str, reason: str) -> None:
    """Its writer stands still with the card, or it ends: whoever is sent looks for a relay that does not close."""
    bench = Bench().boot()
    job = bench.order()
    for zone in (CHO, DINH):
        bench.send(RelayChanged(zone, False, cause, bench.now.mono))
    bench.end(job, Reason.DEVICE_FAILED, ms=300)
    (record,) = [one.record for one in bench.every(fx.CommitRecord)]
    assert {record.reason, *(zone.reason for zone in record.zones)} == {Reason(reason)}


@pytest.mark.parametrize(
    ("cause", "told", "hangs_up_s"),
    [("stop", (CHO, DINH), 0), ("stop", (), 0), ("lease", (CHO, DINH), 2.5)],
    ids=["ends", "ends while its contacts still move", "killed as its card hangs"],
)
def test_a_device_process_that_is_about_to_end_costs_a_warning_one_try_and_not_two(
    cause: str, told: tuple[ZoneId, ...], hangs_up_s: float
) -> None:
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY)
    for zone in told:
        bench.send(RelayChanged(zone, False, cause, bench.now.mono))
    bench.end(flood, Reason.SHUTDOWN, ms=300)
    bench.pass_s(hangs_up_s)
    bench.send(DeviceDown("the device process hung up"))
    bench.send(DeviceUp())
    bench.pass_s(3)
    assert (bench.phase(flood), bench.play(flood).attempt) == (Phase.PLAYING, 2)


def test_what_had_not_sounded_yet_gets_a_second_try() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.StartPlay)
    job = bench.order()
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    bench.pass_s(3)
    assert bench.phase(job) is Phase.PLAYING
    bench.send(DeviceDown("killed"))
    assert bench.outcomes() == [(job, "failed", "device_failed")]


def test_a_device_lost_while_relays_close_gets_a_second_try() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    assert bench.phase(job) is Phase.ARMED
    bench.send(DeviceDown("killed"))
    assert bench.phase(job) is Phase.QUEUED


def test_a_device_that_comes_back_before_it_was_missed_has_lost_its_plays() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.send(DeviceUp())
    assert bench.outcomes() == [(job, "failed", "device_failed")]
    assert bench.closed() == set()


def test_staged_audio_found_altered_while_playing_is_staged_again() -> None:
    bench = Bench().boot()
    job = bench.order(when=makers.rule_when())
    bench.pass_s(5 * 3600 - 1)
    fetched = len(bench.every(fx.FetchClip))
    bench.end(job, Reason.AUDIO_ALTERED, ms=500)
    assert bench.outcomes() == [(job, "failed", "audio_altered")]
    assert len(bench.every(fx.FetchClip)) == fetched + 1


def test_an_emergency_whose_sound_was_altered_waits_for_good_sound_before_it_tries_again() -> None:
    """Or its three attempts would be used up within a second, all on the same bad sound."""
    bench = Bench().boot()
    flood = bench.order(**EMERGENCY)
    bench.deaf.add(fx.SpeakText)
    bench.end(flood, Reason.AUDIO_ALTERED, ms=500)
    assert (bench.phase(flood), len(bench.every(fx.StartPlay))) == (Phase.RECEIVED, 1)
    bench.send(ClipStaged(bench.every(fx.SpeakText)[-1].key, 3_100))
    again = bench.every(fx.StartPlay)[1]
    assert again.parts[-1].duration_ms == 3_100
    assert bench.play(flood).attempt == 2


def test_what_shares_altered_sound_waits_for_good_sound_too() -> None:
    bench = Bench().boot()
    waiting = bench.at(60, job_id="waiting")
    playing = bench.order(job_id="playing", audience=audience(CHO))
    bench.deaf |= {fx.SwitchRelay, fx.FetchClip}
    armed = bench.order(job_id="armed", audience=audience(DINH))
    assert bench.phase(armed) is Phase.ARMED
    bench.end(playing, Reason.AUDIO_ALTERED, ms=500)
    bench.send(RelayChanged(DINH, True, "order", bench.now.mono))
    assert (bench.phase(waiting), bench.phase(armed)) == (Phase.RECEIVED, Phase.RECEIVED)
    assert bench.closed() == set()


def test_a_play_without_an_end_is_taken_for_lost_after_its_grace() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.pass_s(10 + 1.2 + 10)
    assert bench.outcomes() == [(job, "failed", "device_failed")]
    assert bench.every(fx.StopPlay)


def test_reports_about_an_earlier_run_are_ignored() -> None:
    bench = Bench().boot()
    old = PlayId("old.1.1")
    for event in (
        PlayStarted(old, bench.now.mono),
        PlayProgress(old, {}, 0),
        PlayEnded(old, {}, 0, 0, bench.now.mono, None),
    ):
        assert bench.send(event) == []


@pytest.mark.parametrize("seconds", [5, 58.9], ids=["waiting", "armed"])
def test_reports_about_a_run_that_never_began_are_ignored(seconds: float) -> None:
    """A device process that talks nonsense, or of the run of an earlier agent, must not end this one."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.at(60)
    bench.pass_s(seconds)
    phase = bench.phase(job)
    run = bench.play(job).play_id
    for event in (
        PlayStarted(run, bench.now.mono),
        PlayProgress(run, {CHO: 5}, 0),
        PlayEnded(run, {CHO: 5}, 240, 0, bench.now.mono, None),
    ):
        bench.send(event)
    assert (bench.phase(job), bench.outcomes()) == (phase, [])
    assert bench.play(job).zones[CHO].played_ms == 0


def test_a_stop_ends_what_sounds_and_starts_nothing_more() -> None:
    bench = Bench().boot()
    playing = bench.order(job_id="playing")
    waiting = bench.at(60, job_id="waiting")
    bench.send(StopAsked())
    bench.end(playing, Reason.SHUTDOWN, ms=700)
    assert bench.outcomes() == [(playing, "interrupted", "shutdown")]
    bench.pass_s(61)
    assert bench.phase(waiting) is Phase.STAGED
    assert bench.closed() == set()


@pytest.mark.parametrize("seconds", [70, 59.5], ids=["too late", "due"])
def test_what_waits_while_we_stop_does_not_make_the_agent_spin(seconds: float) -> None:
    bench = Bench().boot()
    bench.at(60)
    bench.send(StopAsked())
    bench.pass_s(seconds)
    assert bench.wakes_in_ms() > 0


def test_a_stop_while_relays_close_opens_them_and_leaves_the_job_for_the_next_start() -> None:
    """A crash there would have begun it again; an orderly restart during the warm-up lost a warning for good."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    flood = bench.order(**EMERGENCY)
    bench.send(StopAsked())
    assert (bench.phase(flood), bench.outcomes()) == (Phase.QUEUED, [])
    assert bench.closed() == set()
    assert not any(one.closes for one in bench.every(fx.CommitRecord))


def test_a_stop_that_the_device_does_not_answer_ends_by_its_grace() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.pass_s(5)
    bench.send(StopAsked())
    bench.send(StopAsked())
    bench.pass_s(1.9)
    assert (bench.outcomes(), bench.wakes_in_ms()) == ([], 100)
    bench.pass_s(0.1)
    assert bench.outcomes() == [(job, "interrupted", "shutdown")]


def test_a_device_lost_while_stopping_ends_it_by_the_stops_reason() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.send(StopAsked())
    bench.send(DeviceDown("gone"))
    assert bench.outcomes() == [(job, "interrupted", "shutdown")]


def test_a_card_that_fails_ends_a_routine_play_by_its_name() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.end(job, Reason.DEVICE_FAILED, ms=300)
    assert bench.outcomes() == [(job, "failed", "device_failed")]


def test_a_device_that_stops_a_play_by_itself_has_failed() -> None:
    """Its lease had lapsed, and the contacts were still moving: the log said that the station had been told to stop."""
    bench = Bench().boot()
    job = bench.order()
    bench.end(job, Reason.SHUTDOWN, ms=300)
    assert bench.outcomes() == [(job, "failed", "device_failed")]


def test_relays_that_open_while_we_stop_change_nothing() -> None:
    bench = Bench().boot()
    job = bench.order()
    bench.send(StopAsked())
    for zone in (CHO, DINH):
        bench.send(RelayChanged(zone, False, "lease", bench.now.mono))
    assert len(bench.every(fx.StopPlay)) == 1
    bench.end(job, Reason.SHUTDOWN, ms=300)
    assert bench.outcomes() == [(job, "interrupted", "shutdown")]


def test_an_emergency_that_cannot_begin_again_in_time_was_cut_off_by_what_cut_it_off() -> None:
    bench = Bench().boot()
    job = bench.order(**EMERGENCY, not_after=bench.now.utc + 10_000)
    bench.pass_s(1)
    assert bench.phase(job) is Phase.PLAYING
    bench.pass_s(8.5)
    bench.send(DeviceDown("killed"))
    assert bench.phase(job) is Phase.QUEUED
    bench.send(DeviceUp())
    assert bench.outcomes() == [(job, "interrupted", "device_failed")], "its amplifiers would be warm too late"
