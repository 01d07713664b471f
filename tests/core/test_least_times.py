"""How long a relay stays closed, and open, at least: no amplifier is switched to and fro, no emergency waits (S3)."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import Connected, DeviceDown, DeviceUp, RelayChanged, RelayFailed, Restored, StopAsked
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AllStop, Amplify, Lock, SelfTest, Stop
from edge_agent.core.plays import ZonePart
from edge_agent.core.site import ZoneSite
from edge_agent.core.switching import RELAY_LEAD_MS, RELAY_TAIL_MS
from edge_agent.core.units import JobId, MonoMs
from tests.core.bench import CHO, DINH, Bench, audience
from tests.trust import makers

FLOOD = {"class": "emergency", "job_id": "flood"}


def ward(on_s: float = 0, off_s: float = 0, warm_up_s: float = 0) -> Bench:
    """One zone with these least times."""
    least = {"least_on_ms": round(on_s * 1000), "least_off_ms": round(off_s * 1000)}
    return Bench(zones={CHO: ZoneSite(CHO, "cho", round(warm_up_s * 1000), **least)}).boot()


def moves(bench: Bench) -> list[bool]:
    """Every move of the relay as ordered, without what only puts its end off."""
    ordered = [one.on for one in bench.every(fx.SwitchRelay)]
    return [on for number, on in enumerate(ordered) if number == 0 or on is not ordered[number - 1]]


def heard(bench: Bench, seconds: float) -> None:
    """A bulletin of this length sounds, and is over."""
    bulletin = bench.playing(job_id=f"bulletin-{bench.now.mono}")
    bench.pass_s(seconds - 1)
    bench.end(bulletin)


def test_a_relay_that_has_opened_stays_open_for_its_least_time() -> None:
    bench = ward(off_s=5)
    heard(bench, 10)
    assert bench.closed() == set()
    bench.pass_s(1)
    second = bench.order(job_id="second")
    assert bench.closed() == set()
    assert bench.wakes_in_ms() <= 4_000
    bench.pass_s(4)
    assert bench.closed() == {CHO}
    assert bench.phase(second) is Phase.PLAYING
    assert bench.every(fx.StartPlay)[-1].at <= bench.now.mono + RELAY_LEAD_MS


@pytest.mark.parametrize("when", ["just after it opened", "while another waits for it"])
def test_no_emergency_waits_for_a_relay_to_rest(when: str) -> None:
    bench = ward(off_s=60)
    heard(bench, 10)
    if when.startswith("while"):
        bench.order(job_id="second")
    bench.order(**FLOOD)
    start = bench.every(fx.StartPlay)[-1]
    assert (start.play_id.startswith("flood"), start.at) == (True, bench.now.mono)


def test_an_emergency_that_comes_while_a_relay_is_held_closed_sounds_at_once() -> None:
    bench = ward(on_s=10, warm_up_s=2)
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(3)
    bench.end(bulletin, ms=1_000)
    bench.order(**FLOOD)
    assert bench.every(fx.StartPlay)[-1].at == bench.now.mono
    assert moves(bench) == [True]


def test_a_relay_that_has_closed_stays_closed_for_its_least_time_in_silence() -> None:
    bench = ward(on_s=10)
    heard(bench, 2)
    assert bench.closed() == {CHO}
    assert bench.wakes_in_ms() == 8_000
    bench.pass_s(7.9)
    assert bench.closed() == {CHO}
    bench.pass_s(0.1)
    assert bench.closed() == set()


def test_a_relay_that_is_closed_for_a_moment_does_not_open_by_itself_before_its_least_time() -> None:
    bench = ward(on_s=10)
    bench.rule(Amplify(True, 1_000))
    assert bench.every(fx.SwitchRelay)[-1].off_after_ms == 10_000 + RELAY_TAIL_MS
    bench.pass_s(9.9)
    assert bench.closed() == {CHO}
    bench.pass_s(0.1)
    assert bench.closed() == set()


@pytest.mark.parametrize(
    "order", [Lock(60_000), AllStop(60_000)], ids=["somebody is at the horn", "all is to be silent"]
)
def test_what_must_open_at_once_waits_for_no_least_time(order: Lock | AllStop) -> None:
    bench = ward(on_s=10)
    bulletin = bench.playing()
    bench.rule(order)
    bench.end(bulletin)
    assert bench.closed() == set()


def test_a_service_that_ends_opens_at_once() -> None:
    bench = ward(on_s=10)
    bulletin = bench.playing()
    bench.send(StopAsked())
    bench.end(bulletin)
    assert bench.closed() == set()


def test_a_programme_that_is_stopped_is_silent_at_once_and_its_relay_opens_in_its_time() -> None:
    bench = ward(on_s=10)
    bulletin = bench.playing()
    bench.rule(Stop())
    assert bench.every(fx.StopPlay)
    bench.end(bulletin)
    assert bench.closed() == {CHO}
    bench.pass_s(9)
    assert bench.closed() == set()


@pytest.mark.parametrize("between_s", [0.5, 4, 60])
def test_what_is_known_in_time_is_on_time_and_costs_no_second_cycle(between_s: float) -> None:
    """The relay that would have to close again too soon does not open."""
    bench = ward(off_s=60, warm_up_s=1)
    first = bench.order(job_id="first")
    bench.pass_s(1)
    second = bench.at(10 + between_s, job_id="second")
    due = bench.now.mono + 10_000 + round(between_s * 1000)
    bench.pass_s(10)
    bench.end(first)
    for _ in range(round(between_s * 10) + 20):
        bench.pass_s(0.1)
    start = bench.every(fx.StartPlay)[-1]
    assert (start.play_id.startswith(second), start.at) == (True, due)
    assert moves(bench) == [True]


def test_a_relay_that_is_kept_for_the_next_programme_does_not_open_by_itself_before_it_is_over() -> None:
    """It did, five seconds behind the first one: the second was late by most of its warm-up."""
    bench = ward(warm_up_s=60)
    first = bench.order(job_id="first")
    bench.at(100, job_id="second")
    bench.pass_s(70)
    bench.end(first)
    kept = bench.every(fx.SwitchRelay)[-1]
    assert kept.on
    assert kept.off_after_ms == 30_000 + 10_000 + RELAY_TAIL_MS


def test_what_is_due_later_than_that_lets_the_relay_open_and_rest() -> None:
    bench = ward(off_s=10, warm_up_s=1)
    first = bench.order(job_id="first")
    bench.pass_s(1)
    bench.at(35, job_id="second")
    due = bench.now.mono + 35_000
    bench.pass_s(10)
    bench.end(first)
    assert bench.closed() == set()
    for _ in range(250):
        bench.pass_s(0.1)
    assert bench.every(fx.StartPlay)[-1].at == due
    assert moves(bench) == [True, False, True]


def test_an_amplifier_that_is_switched_on_too_soon_closes_when_it_has_rested() -> None:
    bench = ward(off_s=5)
    heard(bench, 10)
    bench.rule(Amplify(True, 60_000))
    assert bench.closed() == set()
    bench.pass_s(4.9)
    assert bench.closed() == set()
    bench.pass_s(0.1)
    assert bench.closed() == {CHO}
    assert bench.every(fx.SwitchRelay)[-1].off_after_ms == 55_000 + RELAY_TAIL_MS
    bench.pass_s(55)
    assert bench.closed() == set()


def test_an_amplifier_that_rests_stays_open_where_somebody_is_at_the_horn() -> None:
    bench = ward(off_s=5)
    heard(bench, 10)
    bench.rule(Amplify(True, 60_000))
    bench.rule(Lock(30_000))
    bench.said.clear()
    bench.pass_s(10)
    assert bench.every(fx.SwitchRelay) == []


def test_a_self_test_leaves_alone_what_rests() -> None:
    bench = ward(off_s=5)
    heard(bench, 10)
    bench.said.clear()
    bench.rule(SelfTest())
    assert bench.every(fx.SwitchRelay) == []
    (record,) = [one.record for one in bench.every(fx.CommitRecord) if "cho=" in one.record.detail]
    assert "cho=resting" in record.detail


def test_a_relay_that_opened_by_itself_rests_and_is_closed_for_sound_alone() -> None:
    bench = ward(off_s=5)
    bench.rule(Amplify(True, 600_000))
    bench.send(RelayChanged(CHO, False, "max_on", bench.now.mono))
    bench.pass_s(10)
    assert bench.closed() == set(), "not for warmth"
    bench.end(bench.playing(job_id="first"))
    bench.pass_s(10)
    bench.playing(job_id="second")
    bench.send(RelayChanged(CHO, False, "max_on", bench.now.mono))
    bench.end(JobId("second"))
    bench.order(job_id="third")
    bench.pass_s(4.9)
    assert bench.closed() == set()
    bench.pass_s(0.1)
    assert bench.closed() == {CHO}


def test_a_relay_that_failed_rests_though_nobody_says_that_it_has_opened() -> None:
    bench = ward(off_s=5)
    bulletin = bench.playing(job_id="bulletin")
    bench.deaf.add(fx.SwitchRelay)
    bench.send(RelayFailed(CHO, "does not move"))
    bench.end(bulletin)
    bench.order(job_id="next")
    bench.pass_s(4.9)
    assert bench.closed() == set()
    bench.pass_s(0.1)
    assert bench.closed() == {CHO}


def test_no_emergency_waits_behind_a_relay_that_failed() -> None:
    bench = ward(off_s=5)
    bulletin = bench.playing(job_id="bulletin")
    bench.send(RelayFailed(CHO, "does not move"))
    bench.end(bulletin)
    bench.order(**FLOOD)
    assert bench.closed() == {CHO}


def test_the_time_counts_on_when_the_device_process_ends() -> None:
    bench = ward(off_s=5)
    bench.playing()
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    bench.order(job_id="next")
    bench.pass_s(4)
    assert bench.closed() == set()
    bench.pass_s(1)
    assert bench.closed() == {CHO}


def test_the_time_counts_on_when_the_agent_ends() -> None:
    """The device process opened the relay as that one died, and tells the next one when."""
    bench = ward(off_s=5)
    bench.send(RelayChanged(CHO, False, "link_lost", MonoMs(bench.now.mono - 1_000)))
    bench.order(job_id="next")
    bench.pass_s(3.9)
    assert bench.closed() == set()
    bench.pass_s(0.1)
    assert bench.closed() == {CHO}


def test_no_warning_takes_what_was_opened_before_it_for_its_own_relay() -> None:
    """It was ordered as soon as the device process answered, which tells next what it opened when the agent died."""
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 0, least_off_ms=5_000)})
    bench.deaf.add(fx.SwitchRelay)
    bench.send(Restored((), (), {}, 0, 0, "e1"))
    bench.send(Connected(1, "ab" * 16))
    bench.welcome()
    flood = bench.order(**FLOOD)
    bench.send(DeviceUp())
    assert bench.closed() == {CHO}
    bench.send(RelayChanged(CHO, False, "link_lost", MonoMs(bench.now.mono - 1_000)))
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert (bench.phase(flood), bench.play(flood).attempt) == (Phase.PLAYING, 1)


def test_a_zone_comes_back_after_an_emergency_only_when_its_worn_relay_has_rested() -> None:
    worn = ZoneSite(CHO, "cho", 1_000, on_ms_max=60_000, least_off_ms=5_000)
    bench = Bench(zones={CHO: worn, DINH: ZoneSite(DINH, "dinh", 1_000)}).boot()
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.pass_s(15)
    bulletin = bench.order(job_id="bulletin", loops=5)
    bench.pass_s(1)
    bench.end(flood)
    assert bench.closed() == {DINH}
    assert bench.wakes_in_ms() > 0, "it goes round and round"
    bench.pass_s(4.9)
    assert bench.closed() == {DINH}
    bench.pass_s(0.1)
    assert bench.closed() == {CHO, DINH}
    assert bench.play(bulletin).zones[CHO].part is not ZonePart.HEARING
    bench.pass_s(1)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.HEARING


def test_no_relay_opens_for_a_programme_that_may_not_begin() -> None:
    """It has closed only just now, for an amplifier; what is due would need a fresh closing, and a rule forbids it."""
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 0, on_ms_max=60_000, least_on_ms=30_000)}).boot()
    bench.rule(Amplify(on=True, for_ms=20_000))
    bulletin = bench.order(items=[makers.clip_item(duration_ms=70_000)])
    assert bench.outcomes()[-1] == (bulletin, "rejected", "over_limit")
    assert moves(bench) == [True]


def test_a_closing_that_was_given_up_and_is_told_all_the_same_rests_from_its_own_opening_on() -> None:
    bench = ward(off_s=8)
    bench.deaf.add(fx.SwitchRelay)
    bench.order(job_id="first")
    bench.send(RelayFailed(CHO, "the line does not answer"))
    bench.pass_s(3)
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert [one.on for one in bench.every(fx.SwitchRelay)] == [True, False, False]
    bench.order(job_id="second")
    bench.pass_s(7.9)
    assert moves(bench) == [True, False], "eight seconds from the first opening are over"
    bench.pass_s(0.1)
    assert moves(bench) == [True, False, True]
