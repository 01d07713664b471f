"""Nothing waits for ever: each of these waited for an answer that never came, and nobody had asked how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import playing, station, waiting
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    DeviceDown,
    DeviceUp,
    Disconnected,
    HelloDue,
    JobSaved,
    JournalFailed,
    RelayFailed,
    Tick,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Action, AllStop, Amplify, Cancel, Lock, Pause, Rank, SelfTest, SetVolume
from edge_agent.core.plays import ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.site import ZoneSite
from edge_agent.core.units import JobId, UtcMs
from tests.core.bench import CHO, DINH, Bench, at_work, audience
from tests.trust import makers

FLOOD = {"class": "emergency", "job_id": "flood"}


def wakes_in(bench: Bench) -> int:
    """Milliseconds until a job or an occurrence wants the core to be woken."""
    wakes = [*waiting.next_wake(bench.state, bench.now), *playing.next_wake(bench.state, bench.now)]
    assert station.next_wake(bench.state, bench.now) <= min(wakes)  # type: ignore[operator]
    return min(wakes) - bench.now.mono


def test_a_first_sample_that_never_comes_is_not_waited_for_until_the_end_of_the_programme() -> None:
    """A quarter of an hour of silence would have been called a failure only when it was over."""
    bench = Bench().boot()
    bench.deaf.add(fx.StartPlay)
    job = bench.order(loops=20)
    at = bench.every(fx.StartPlay)[0].at
    assert wakes_in(bench) == at + 4_000 - bench.now.mono
    bench.pass_s(5)
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.DEVICE_FAILED)
    bench.deaf.clear()
    bench.pass_s(3)
    assert bench.phase(job) is Phase.PLAYING
    assert [play.play_id[-1] for play in bench.every(fx.StartPlay)] == ["1", "2"]
    assert bench.every(fx.StopPlay)[0].play_id == bench.every(fx.StartPlay)[0].play_id


def test_a_disk_that_does_not_answer_does_not_silence_an_emergency() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**FLOOD)
    assert bench.state.plays == {}
    assert wakes_in(bench) == 1_000
    bench.pass_s(1)
    assert bench.phase(flood) is Phase.PLAYING
    assert (bench.answers(), bench.every(fx.Ack)) == ([], []), "nothing is claimed of a disk that has said nothing"
    bench.send(JobSaved(flood))
    assert (bench.answers(), len(bench.every(fx.Ack))) == ([("accepted", None)], 1)


def test_a_disk_that_refuses_an_emergency_late_changes_nothing_any_more() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    flood = bench.order(**FLOOD)
    bench.pass_s(1)
    bench.send(JournalFailed("save job", flood, "full"))
    assert bench.phase(flood) is Phase.PLAYING
    assert len(bench.every(fx.Ack)) == 1


def test_a_routine_order_waits_for_the_disk() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveJob)
    bench.order()
    bench.pass_s(60)
    assert bench.state.plays == {}


def test_what_waits_for_a_welcome_that_never_comes_expires() -> None:
    """It kept one of the places for jobs for ever, and had no record."""
    bench = Bench().boot(welcomed=False)
    job = bench.order()
    assert bench.state.jobs[job].held
    bench.pass_s(599)
    bench.send(HelloDue())
    assert (bench.outcomes(), wakes_in(bench)) == ([], 1_001)
    bench.pass_s(1.001)
    assert bench.outcomes() == [(job, "expired", "expired")]
    assert bench.state.jobs == {}


def test_what_waits_for_a_welcome_does_not_expire_by_a_clock_that_is_not_trusted() -> None:
    bench = Bench().boot(welcomed=False)
    job = bench.order()
    bench.now = replace(bench.now, source=ClockSource.FLOOR)
    bench.pass_s(86_400)
    assert bench.state.jobs[job].held


def test_a_zone_that_is_to_come_back_does_not_wait_for_a_relay_that_does_not_close() -> None:
    """It was called preempted to the end, and nobody heard of the relay."""
    minute = {CHO: ZoneSite(CHO, "cho", 1_000, on_ms_max=60_000), DINH: ZoneSite(DINH, "dinh", 1_000)}
    bench = Bench(zones=minute).boot()
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.pass_s(15)
    bulletin = bench.order(job_id="bulletin", loops=5)
    bench.pass_s(1)
    bench.deaf.add(fx.SwitchRelay)
    bench.end(flood)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.CLOSING
    bench.pass_s(2.9)
    assert wakes_in(bench) == 100
    bench.pass_s(0.1)
    run = bench.play(bulletin).zones[CHO]
    assert (run.part, run.reason) == (ZonePart.OUT, Reason.RELAY_FAILED)
    assert bench.every(fx.SwitchRelay)[-1] == fx.SwitchRelay(CHO, False, 0)
    assert bench.play(bulletin).zones_in(ZonePart.HEARING) == (DINH,)


def test_an_emergency_whose_relay_does_not_answer_is_tried_again() -> None:
    """A lease that had lapsed while the card was stuck refused the closing once; the warning was over for good."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    flood = bench.order(**FLOOD)
    for zone in (CHO, DINH):
        bench.send(RelayFailed(zone, "no lease: the core or the audio writer stands still"))
    assert (bench.phase(flood), bench.play(flood).attempt) == (Phase.ARMED, 2), "the second try does not wait"
    bench.deaf.clear()
    bench.confirm_relays()
    assert bench.phase(flood) is Phase.PLAYING


def test_a_card_that_is_gone_for_seconds_does_not_use_up_an_emergencys_tries_at_once() -> None:
    """Three tries within a tenth of a second, all on a card that was just being plugged in again."""
    bench = Bench().boot()
    flood = bench.order(**FLOOD)
    for wait_ms in (3_000, 10_000):
        bench.end(flood, Reason.DEVICE_FAILED, ms=0)
        assert (bench.phase(flood), wakes_in(bench)) == (Phase.QUEUED, wait_ms)
        bench.pass_s((wait_ms - 1) / 1_000)
        assert bench.phase(flood) is Phase.QUEUED
        bench.pass_s(0.001)
    assert (bench.phase(flood), bench.play(flood).attempt) == (Phase.PLAYING, 3)


def test_a_device_that_is_down_for_longer_is_waited_for_without_a_pause() -> None:
    bench = Bench().boot()
    flood = bench.order(**FLOOD)
    for _ in range(2):
        bench.send(DeviceDown("killed"))
        bench.pass_s(11)
        bench.send(DeviceUp())
        assert bench.phase(flood) is Phase.PLAYING


def test_what_only_waits_for_its_instant_is_not_said_to_wait_for_the_clock() -> None:
    """The console named the clock for hours after it had come right."""
    bench = Bench().boot()
    job = bench.at(3_600)
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    bench.pass_s(1)
    assert bench.play(job).held_by is Reason.CLOCK_NOT_TRUSTED
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    bench.pass_s(1)
    assert bench.play(job).held_by is None


def test_a_clock_that_jumps_over_the_instant_is_named_as_the_reason() -> None:
    bench = Bench().boot()
    job = bench.at(60)
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    bench.pass_s(1)
    bench.now = replace(bench.now, source=ClockSource.SIGNED, utc=UtcMs(bench.now.utc + 3_600_000))
    bench.pass_s(1)
    assert bench.outcomes() == [(job, "missed", "clock_not_trusted")]


def test_a_clock_that_is_put_back_frees_the_zones_of_what_was_about_to_begin() -> None:
    bench = Bench().boot()
    job = bench.at(10)
    bench.deaf = {fx.SwitchRelay}
    bench.pass_s(8.8)
    assert bench.phase(job) is Phase.ARMED
    bench.now = replace(bench.now, utc=UtcMs(bench.now.utc - 3_600_000))
    bench.confirm_relays()
    assert bench.every(fx.StartPlay) == []
    assert bench.phase(job) is Phase.QUEUED
    assert bench.closed() == set()


def paused(bench: Bench) -> None:
    job = bench.order()
    bench.pass_s(1)
    bench.rule(Pause(3_600_000))
    bench.end(job, Reason.SHUTDOWN, ms=1_000)


def taken_everywhere(bench: Bench) -> None:
    job = bench.order(preemption="resume")
    bench.pass_s(1)
    bench.order(job_id="flood", loops=5, gap_s=300, **{"class": "emergency"})
    bench.end(job, Reason.SHUTDOWN, ms=1_000)


def missed_in_a_zone(bench: Bench) -> None:
    job = bench.order(missed={"policy": "skip", "zones_s": 600})
    bench.pass_s(1)
    bench.order(job_id="flood", audience=audience(CHO), loops=5, gap_s=300, **{"class": "emergency"})
    bench.pass_s(1)
    bench.end(job)


def offered(bench: Bench) -> None:
    bench.arrive(replace(bench.accept(bench.make()), offered=True))


def repeating(bench: Bench) -> None:
    again = {"kind": "now", "every_s": 60, "until": bench.now.utc + 600_000}
    bench.order(when=again, **{"class": "emergency"})
    bench.pass_s(1)
    bench.end(JobId("job-1"))


def ordered(action: Action) -> Callable[[Bench], object]:
    return lambda bench: bench.rule(action)


def under_test_on_a_deaf_device(bench: Bench) -> None:
    bench.deaf = {fx.SwitchRelay}
    bench.rule(SelfTest())


def laid_down_before_the_welcome(bench: Bench) -> None:
    bench.state = replace(bench.state, welcomed=False)
    bench.rule(Lock(60_000))


@pytest.mark.parametrize(
    "waits",
    [
        *(paused, taken_everywhere, missed_in_a_zone, offered, repeating),
        *(under_test_on_a_deaf_device, laid_down_before_the_welcome),
        *map(ordered, (Lock(60_000), AllStop(60_000), Pause(60_000), Amplify(True, 60_000), SelfTest(), SetVolume(3))),
        *map(ordered, (Cancel(JobId("x"), UtcMs(makers.NOON + 90_000)), Rank((JobId("x"),)))),
    ],
)
def test_whatever_waits_is_woken_and_nothing_spins(waits: Callable[[Bench], object]) -> None:
    bench = Bench().boot()
    bench.send(Disconnected("its hellos would be all that happens"))
    waits(bench)
    assert bench.every(fx.SaveJob), "nothing waits"
    for _ in range(100):
        bench.send(Tick())
        wait_ms = bench.wakes_in_ms()
        if wait_ms == float("inf"):
            break
        assert wait_ms > 0, "it is woken for what it has just looked at"
        bench.pass_s(wait_ms / 1000)
    assert [play for play in bench.state.plays.values() if play.phase is not Phase.PLAYING] == []
    assert all(isinstance(rule.accepted.order.action, SetVolume) for rule in bench.state.rules.values())


def test_a_warning_whose_sound_went_bad_and_never_came_back_names_that_and_not_its_end() -> None:
    bench = at_work()
    flood = bench.playing(**FLOOD)
    bench.deaf |= {fx.FetchClip, fx.SpeakText}
    bench.end(flood, Reason.AUDIO_ALTERED, ms=3_000)
    bench.pass_s(15)
    bench.pass_s(600)
    assert bench.outcomes() == [("flood", "interrupted", "audio_altered")]
