"""Volumes, amplifiers and the order among programmes, as they were set by command, and until when."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.events import DeviceDown, DeviceUp
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    Amplify,
    Lock,
    Rank,
    SetVolume,
)
from edge_agent.core.switching import RELAY_TAIL_MS
from edge_agent.core.units import HOUR_MS, JobId
from tests.core.bench import CHO, DINH, at_work
from tests.core.papers import LATER
from tests.trust import makers

EMERGENCY = {"class": "emergency"}


def test_the_volume_that_was_set_holds_for_what_sounds_and_what_comes() -> None:
    bench = at_work()
    job = bench.playing(volume=70)
    bench.rule(SetVolume(30), zones=[CHO])
    assert {feed.zone: feed.volume for feed in bench.every(fx.RoutePlay)[-1].feeds} == {CHO: 30, DINH: 70}
    bench.end(job)
    bench.pass_s(120)
    bench.playing(volume=70, job_id="next")
    assert {feed.zone: feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds} == {CHO: 30, DINH: 70}
    bench.rule(SetVolume(100), zones=[CHO])
    assert {feed.zone: feed.volume for feed in bench.every(fx.RoutePlay)[-1].feeds} == {CHO: 70, DINH: 70}


def test_a_zone_that_hears_no_more_was_as_loud_as_it_was() -> None:
    bench = at_work()
    job = bench.playing(volume=70)
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.rule(SetVolume(10))
    bench.end(job)
    (record,) = [one.record for one in bench.every(fx.CommitRecord) if one.record.job_id == job]
    assert {zone.zone: zone.volume for zone in record.zones} == {CHO: 70, DINH: 10}


def test_of_two_commands_the_one_that_holds_from_later_on_counts_whatever_each_says_of_when_it_was_signed() -> None:
    """The station holds the first to its clock; the other is written by whoever signs, and would win for good."""
    bench = at_work()
    bench.rule(SetVolume(70), issued_at=bench.now.utc + 100_000)
    bench.pass_s(1)
    bench.rule(SetVolume(30))
    bench.playing(volume=90)
    assert {feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds} == {30}


def test_a_volume_is_no_limit_for_an_emergency() -> None:
    bench = at_work()
    bench.rule(SetVolume(0))
    bench.playing(**EMERGENCY, volume=90)
    assert {feed.volume for feed in bench.every(fx.StartPlay)[-1].feeds} == {90}


def test_an_amplifier_that_was_switched_on_goes_off_by_itself_and_by_command() -> None:
    """The device process opens it later than the core does, which is busy now and then: it would call it broken."""
    bench = at_work()
    bench.rule(Amplify(True, 60_000), zones=[CHO])
    assert bench.closed() == {CHO}
    assert bench.every(fx.SwitchRelay)[-1] == fx.SwitchRelay(CHO, True, 60_000 + RELAY_TAIL_MS)
    bench.pass_s(59)
    assert bench.closed() == {CHO}
    bench.pass_s(1)
    assert bench.closed() == set()
    bench.rule(Amplify(True, 60_000))
    bench.rule(Amplify(False, 1_000), zones=[CHO])
    assert bench.closed() == {DINH}


def test_an_amplifier_that_went_off_with_the_device_process_is_not_kept_on_behind_the_next_sound() -> None:
    """It opened by itself some seconds later, and was told as a relay that is broken."""
    bench = at_work()
    bench.rule(Amplify(True, 600_000))
    bench.send(DeviceDown("killed"))
    bench.send(DeviceUp())
    assert bench.closed() == set()
    bulletin = bench.playing()
    assert bench.closed() == {CHO, DINH}
    bench.end(bulletin)
    assert bench.closed() == set()


def test_the_order_that_the_commune_sets_decides_among_those_who_wait() -> None:
    bench = at_work()
    first = bench.playing(job_id="first")
    late = {"missed": {"policy": "late", "limit_s": 600}, "class": "priority"}
    bench.at(2, job_id="province", order=1, **late)
    bench.at(3, job_id="commune", order=2, **late)
    bench.pass_s(4)
    bench.rule(Rank((JobId("commune"), JobId("province"))))
    bench.end(first)
    bench.pass_s(1)
    assert bench.phase(JobId("commune")) is Phase.PLAYING
    assert bench.phase(JobId("province")) is Phase.QUEUED


def test_of_two_that_are_due_at_once_the_first_received_begins_whatever_it_has_played_before() -> None:
    bench = at_work()
    bench.order(job_id="first", when=makers.rule_when(times=["12:01:00", "17:00:00"], weekdays=[4]))
    bench.order(job_id="second", when=makers.rule_when(times=["17:00:00"], weekdays=[4]))
    bench.pass_s(60)
    bench.end(JobId("first"))
    bench.pass_s(5 * 3_600 - 70)
    bench.pass_s(10)
    assert bench.phase(JobId("first")) is Phase.PLAYING
    assert bench.phase(JobId("second")) is Phase.QUEUED


def test_no_amplifier_is_switched_on_under_whoever_is_at_the_horn() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.rule(Amplify(True, 60_000))
    assert bench.closed() == {DINH}


def test_a_lock_takes_off_an_amplifier_that_was_switched_on() -> None:
    bench = at_work()
    bench.rule(Amplify(True, 600_000))
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    assert bench.closed() == {DINH}


def test_a_rank_that_comes_before_its_programmes_orders_them_all_the_same() -> None:
    bench = at_work()
    bench.rule(Rank((JobId("second"), JobId("first"))))
    busy = bench.playing(job_id="busy")
    bench.order(job_id="first")
    bench.order(job_id="second")
    bench.pass_s(9)
    bench.end(busy)
    bench.pass_s(1)
    assert bench.phase(JobId("second")) is Phase.PLAYING


def test_a_rank_is_over_with_the_last_of_its_programmes() -> None:
    bench = at_work()
    rank = bench.rule(Rank((JobId("only"),)), not_after=LATER)
    assert rank in bench.state.rules
    bench.end(bench.playing(job_id="only"))
    bench.pass_s(1)
    assert rank not in bench.state.rules


def test_a_rank_waits_for_those_of_its_programmes_that_come_when_others_are_over() -> None:
    """Whether it came before or behind one that was taken back decided who went first."""
    bench = at_work()
    bench.end(bench.playing(job_id="over"))
    bench.rule(Rank((JobId("second"), JobId("first"), JobId("over"))), not_after=LATER)
    busy = bench.playing(job_id="busy")
    bench.order(job_id="first")
    bench.order(job_id="second")
    bench.end(busy)
    bench.pass_s(1)
    assert bench.phase(JobId("second")) is Phase.PLAYING


def test_an_amplifier_that_is_on_is_kept_on_for_as_long_as_the_later_order_says() -> None:
    bench = at_work()
    bench.rule(Amplify(True, 60_000))
    bench.rule(Amplify(True, 600_000))
    assert [one.off_after_ms for one in bench.every(fx.SwitchRelay)[-2:]] == [600_000 + RELAY_TAIL_MS] * 2


def test_a_sound_that_ends_early_does_not_shorten_how_long_the_amplifier_is_on() -> None:
    """The device process opens a relay by itself when the time of its last closing is over."""
    bench = at_work()
    bench.rule(Amplify(True, 900_000))
    bench.end(bench.playing())
    assert bench.closed() == {CHO, DINH}
    last = {one.zone: one.off_after_ms for one in bench.every(fx.SwitchRelay)}
    assert min(last.values()) > 890_000
