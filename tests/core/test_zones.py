"""Who has a zone: what an emergency takes, what comes back, which relays stay closed."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.events import RelayChanged, RelayFailed, StopAsked
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Amplify
from edge_agent.core.plays import ZonePart
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.site import ZoneSite
from edge_agent.core.switching import RELAY_LEAD_MS, RELAY_TAIL_MS
from edge_agent.core.units import JobId, MonoMs, ZoneId
from tests.core.bench import CHO, DINH, Bench, at_work, audience

BEN = ZoneId("ben")
THREE = {zone: ZoneSite(zone, zone, 1_000) for zone in (CHO, DINH, BEN)}
FLOOD = {"class": "emergency", "job_id": "flood"}


def test_an_emergency_takes_its_zone_and_the_neighbour_plays_on() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(**FLOOD, audience=audience(CHO))
    assert (bench.phase(bulletin), bench.phase(flood)) == (Phase.PLAYING, Phase.PLAYING)
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [DINH]
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [CHO]


def test_an_emergency_in_a_warm_zone_sounds_at_once() -> None:
    bench = Bench().boot()
    bench.order(job_id="bulletin")
    bench.pass_s(3)
    bench.order(**FLOOD, audience=audience(CHO))
    assert bench.every(fx.StartPlay)[-1].at == bench.now.mono


def test_the_zone_comes_back_into_the_programme_in_one_relay_cycle() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.pass_s(2)
    bench.end(flood)
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [CHO, DINH]
    assert bench.play(bulletin).zones[CHO].part is ZonePart.HEARING
    assert all(one.on for one in bench.every(fx.SwitchRelay) if one.zone == CHO)


def test_a_zone_whose_relay_has_opened_meanwhile_rejoins_only_when_it_is_warm_again() -> None:
    """Its relay opened under the emergency: whoever rejoins at once loses the first words."""
    bench = Bench(zones=THREE).boot()
    bulletin = bench.order(job_id="bulletin", loops=3)
    bench.order(**FLOOD, audience=audience(CHO, DINH))
    bench.pass_s(2)
    bench.deaf.add(fx.SwitchRelay)
    bench.send(RelayFailed(CHO, "does not close", False))
    routed = len(bench.every(fx.RoutePlay))
    assert bench.play(bulletin).zones[CHO].part is ZonePart.CLOSING, "the emergency goes on without it"
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert bench.play(bulletin).zones[CHO].part is ZonePart.READY
    bench.pass_s(0.6)
    assert station.next_wake(bench.state, bench.now) == bench.now.mono + 400
    assert len(bench.every(fx.RoutePlay)) == routed
    bench.pass_s(0.4)
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [CHO, BEN]
    assert bench.play(bulletin).zones[CHO].reason is Reason.PREEMPTED, "it did not hear the whole"


def test_a_zone_that_warms_up_for_a_rejoin_can_be_taken_again() -> None:
    bench = Bench(zones=THREE).boot()
    bulletin = bench.order(job_id="bulletin", loops=3)
    bench.pass_s(2)
    bench.order(**FLOOD, audience=audience(CHO, DINH))
    bench.send(RelayFailed(CHO, "does not close", False))
    assert bench.play(bulletin).zones[CHO].part is ZonePart.READY
    bench.order(**{**FLOOD, "job_id": "fire"}, audience=audience(CHO))
    assert bench.play(bulletin).zones[CHO].part is ZonePart.TAKEN
    assert [feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds] == [BEN]


def test_the_zone_stays_out_where_the_policy_is_to_drop() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin", preemption="drop")
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.end(flood)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.OUT
    assert bench.closed() == {DINH}


def test_a_programme_that_nobody_hears_any_more_is_interrupted() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    bench.order(**FLOOD)
    assert bench.every(fx.StopPlay)
    bench.end(bulletin, Reason.SHUTDOWN, ms=900)
    assert bench.outcomes() == [(bulletin, "interrupted", "preempted")]


def test_a_programme_that_is_stopped_is_given_time_to_say_so() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(5)
    bench.order(**FLOOD)
    bench.pass_s(1.9)
    assert bench.phase(bulletin) is Phase.PLAYING
    bench.pass_s(0.1)
    assert bench.outcomes() == [(bulletin, "interrupted", "preempted")]


def test_a_programme_that_is_being_stopped_is_not_stopped_twice() -> None:
    bench = Bench().boot()
    bench.order(job_id="bulletin")
    bench.order(**FLOOD)
    bench.send(RelayChanged(CHO, False, "max_on", bench.now.mono))
    assert len([one for one in bench.every(fx.StopPlay) if one.play_id.startswith("bulletin")]) == 1


def test_an_equal_emergency_waits_for_the_first_one() -> None:
    bench = Bench().boot()
    first = bench.order(**FLOOD)
    second = bench.order(**{"class": "emergency", "job_id": "fire"})
    assert (bench.phase(first), bench.phase(second)) == (Phase.PLAYING, Phase.QUEUED)
    bench.end(first)
    assert bench.phase(second) is Phase.PLAYING


def test_a_bulletin_due_during_an_emergency_starts_where_it_can_and_joins_later() -> None:
    bench = Bench().boot()
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bulletin = bench.order(job_id="bulletin")
    assert bench.phase(bulletin) is Phase.PLAYING
    assert bench.play(bulletin).zones[CHO].part is ZonePart.TAKEN
    bench.pass_s(2)
    bench.end(flood)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.HEARING


def test_a_bulletin_whose_zones_are_all_taken_waits() -> None:
    bench = Bench().boot()
    flood = bench.order(**FLOOD)
    bulletin = bench.order(job_id="bulletin")
    assert (bench.phase(bulletin), bench.play(bulletin).held_by) == (Phase.QUEUED, Reason.ZONES_BUSY)
    bench.end(flood)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_an_emergency_that_comes_while_a_bulletin_warms_up_goes_first() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(**FLOOD)
    assert (bench.phase(bulletin), bench.phase(flood)) == (Phase.ARMED, Phase.ARMED)
    bench.confirm_relays()
    assert bench.phase(flood) is Phase.PLAYING
    assert bench.phase(bulletin) is not Phase.PLAYING
    bench.deaf.clear()
    bench.end(flood)
    assert bench.phase(bulletin) is Phase.PLAYING


def test_a_broken_relay_is_not_tried_again_and_again_while_an_emergency_has_the_other_zone() -> None:
    """Each try would click the relay and write to the card, for as long as the emergency lasts."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bulletin = bench.order(job_id="bulletin")
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    bench.send(RelayFailed(DINH, "does not close"))
    assert (bench.phase(bulletin), bench.play(bulletin).attempt) == (Phase.QUEUED, 0)
    assert [one.on for one in bench.every(fx.SwitchRelay) if one.zone == DINH] == [True, False]
    bench.deaf.clear()
    bench.end(flood)
    assert [feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds] == [CHO]
    assert bench.play(bulletin).attempt == 1, "to have waited for the emergency was no attempt"


def test_a_bulletin_shortly_after_another_one_finds_its_amplifiers_warm_and_is_on_time() -> None:
    """The relay opened at the end of the first one, and the second one was late by most of the warm-up."""
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 60_000)}).boot()
    first = bench.order(job_id="first")
    second = bench.at(100, job_id="second")
    bench.pass_s(70)
    bench.end(first)
    assert bench.closed() == {CHO}
    bench.pass_s(29.8)
    start = bench.every(fx.StartPlay)[-1]
    assert start.play_id.startswith(second)
    assert start.at == bench.now.mono + 200
    assert all(one.on for one in bench.every(fx.SwitchRelay))


def test_an_emergency_elsewhere_leaves_a_bulletin_alone() -> None:
    bench = Bench().boot()
    bench.order(job_id="bulletin", audience=audience(DINH))
    bench.order(**FLOOD, audience=audience(CHO))
    assert bench.every(fx.RoutePlay) == []


def test_a_relay_may_stay_closed_as_long_as_the_longest_programme_that_claims_it() -> None:
    bench = Bench().boot()
    bench.order(job_id="bulletin", loops=4)
    bench.order(**FLOOD, audience=audience(CHO))
    again = [one for one in bench.every(fx.SwitchRelay) if one.zone == CHO][-1]
    assert again.off_after_ms >= 4 * 10_000, "the emergency may not shorten what the bulletin needs"


def test_no_order_keeps_a_relay_on_for_longer_than_its_zone_allows() -> None:
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 0, on_ms_max=11_000)}).boot()
    bench.order(job_id="bulletin")
    (order,) = bench.every(fx.SwitchRelay)
    assert order.off_after_ms == 11_000


def test_our_own_opening_reported_late_is_no_fault() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    bench.send(RelayChanged(CHO, False, "order", MonoMs(bench.now.mono - 5)))
    assert bench.play(bulletin).zones[CHO].part is ZonePart.HEARING


def test_an_opening_reported_after_a_closing_makes_the_start_wait_for_the_next_one() -> None:
    """on, off, on ordered within a breath, and reported one after the other."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bench.order(job_id="bulletin")
    began = bench.now.mono
    bench.send(RelayChanged(CHO, True, "order", began))
    bench.send(RelayChanged(CHO, False, "order", began))
    bench.send(RelayChanged(DINH, True, "order", began))
    assert bench.every(fx.StartPlay) == []
    bench.pass_s(0.1)
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    (start,) = bench.every(fx.StartPlay)
    assert start.at == began + 100 + 1_000


def test_a_relay_that_is_reported_faulty_is_told_to_open() -> None:
    """A broken read-back says that it does not close; the contact may be closed all the same."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bench.order(job_id="bulletin")
    bench.said.clear()
    bench.send(RelayFailed(CHO, "does not close"))
    assert bench.every(fx.SwitchRelay) == [fx.SwitchRelay(CHO, False, 0)]


def test_a_relay_that_is_open_and_faulty_is_left_alone() -> None:
    bench = Bench().boot()
    bench.send(RelayFailed(CHO, "stuck closed"))
    assert bench.every(fx.SwitchRelay) == [], "the device process opens it again and again by itself"


@pytest.mark.parametrize("seen", [True, False, None])
def test_of_a_relay_that_fails_the_station_says_what_its_contact_shows_and_else_that_nobody_can_tell(
    seen: bool | None,
) -> None:
    """A weld that was there before the device process: it was shown as off, to who works at the horn too."""
    bench = Bench().boot()
    bench.send(RelayFailed(CHO, "stuck closed", seen))
    assert bench.state.relays[CHO].on is seen
    bench.pass_s(1)
    assert bool(bench.every(fx.SendState)) == (seen is not False), "the centre hears of it"
    bench.send(RelayChanged(CHO, False, "start", bench.now.mono))
    assert bench.state.relays[CHO].on is False
    assert bench.state.relays[CHO].opened_at == bench.now.mono


def test_a_relay_that_is_closed_although_nobody_wants_it_is_told_to_open() -> None:
    bench = Bench().boot()
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert bench.every(fx.SwitchRelay) == [fx.SwitchRelay(CHO, False, 0)]


def test_a_closing_that_nobody_waits_for_changes_nothing() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin", audience=audience(DINH))
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert list(bench.play(JobId(bulletin)).zones) == [DINH]


def test_an_amplifier_switched_off_and_on_again_warms_up_again_though_no_opening_was_reported() -> None:
    """A contactor still moving: the closing overtook the opening, and the amplifier was taken for warm for long."""
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 2_000)}).boot()
    first = bench.order(job_id="first")
    bench.pass_s(12)
    bench.deaf.add(fx.SwitchRelay)
    bench.end(first)
    bench.pass_s(0.02)
    bench.order(job_id="second")
    assert [one.on for one in bench.every(fx.SwitchRelay)] == [True, False, True]
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    assert bench.every(fx.StartPlay)[-1].at == bench.now.mono + 2_000


MINUTE = {CHO: ZoneSite(CHO, "cho", 1_000, on_ms_max=60_000), DINH: ZoneSite(DINH, "dinh", 1_000)}


def test_programmes_one_after_the_other_do_not_add_up_to_a_relay_that_opens_in_the_last_one() -> None:
    """Its amplifier stayed on for the next bulletin, and the longest on-time ended in the middle of that."""
    bench = Bench(zones=MINUTE).boot()
    first = bench.order(job_id="first", loops=3)
    bench.order(job_id="second", loops=3)
    bench.pass_s(31)
    bench.end(first)
    assert [one.on for one in bench.every(fx.SwitchRelay) if one.zone == CHO] == [True, False, True]
    assert all(one.on for one in bench.every(fx.SwitchRelay) if one.zone == DINH)
    bench.pass_s(0.8)
    assert bench.every(fx.StartPlay)[-1].at == bench.now.mono + 200


def test_an_emergency_does_not_switch_off_an_amplifier_that_somebody_else_needs() -> None:
    bench = Bench(zones=MINUTE).boot()
    bench.order(job_id="bulletin", loops=5)
    bench.pass_s(51)
    bench.order(**FLOOD)
    assert all(one.on for one in bench.every(fx.SwitchRelay))
    assert bench.every(fx.StartPlay)[-1].at == bench.now.mono


def test_a_zone_whose_longest_on_time_ends_in_a_warning_that_took_it_comes_back_into_it() -> None:
    """The others hear it to its end; there it was cut off, and nobody said the rest."""
    bench = Bench(zones=MINUTE).boot()
    bench.order(job_id="bulletin", loops=5)
    bench.pass_s(45)
    flood = bench.order(**FLOOD, loops=2)
    bench.pass_s(15)
    bench.said.clear()
    bench.send(RelayChanged(CHO, False, "max_on", bench.now.mono))
    assert [(one.zone, one.on) for one in bench.every(fx.SwitchRelay)] == [(CHO, True)]
    assert {feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds} == {DINH}
    bench.pass_s(1)
    assert {feed.zone for feed in bench.every(fx.RoutePlay)[-1].feeds} == {CHO, DINH}
    bench.end(flood)
    record = bench.every(fx.CommitRecord)[-1].record
    assert {zone.zone: zone.reason for zone in record.zones} == {CHO: Reason.RELAY_FAILED, DINH: None}


def test_a_zone_comes_back_through_a_fresh_closing_where_the_old_one_would_not_last() -> None:
    bench = Bench(zones=MINUTE).boot()
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bench.pass_s(15)
    bulletin = bench.order(job_id="bulletin", loops=5)
    bench.pass_s(1)
    bench.end(flood)
    assert [one.on for one in bench.every(fx.SwitchRelay) if one.zone == CHO] == [True, False, True]
    assert bench.play(bulletin).zones[CHO].part is not ZonePart.HEARING
    bench.pass_s(1)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.HEARING


@pytest.mark.parametrize("later_ms", [RELAY_LEAD_MS + 1, RELAY_LEAD_MS + 3, 700])
def test_a_second_order_for_an_amplifier_that_warms_up_is_waited_for_and_not_counted_down(later_ms: int) -> None:
    """What the amplifier still needs shrinks with the clock; an instant counted from that ran ahead of it by 1 ms."""
    bench = at_work()
    bench.order(job_id="bulletin", audience=audience("dinh"))
    bench.pass_s(later_ms / 1_000)
    flood = bench.order(**FLOOD)
    steps = 0
    while bench.phase(flood) is Phase.ARMED:
        bench.pass_s(bench.wakes_in_ms() / 1_000)
        steps += 1
        assert steps < 20
    assert bench.phase(flood) is Phase.PLAYING


def test_a_programme_for_a_busy_and_a_free_zone_waits_for_both() -> None:
    bench = Bench().boot()
    first = bench.order(job_id="first", audience=audience(CHO))
    second = bench.order(job_id="second", audience=audience(CHO, DINH))
    assert bench.phase(second) is Phase.QUEUED
    assert bench.closed() == {CHO}
    bench.pass_s(11)
    bench.end(first)
    bench.pass_s(1)
    assert bench.phase(second) is Phase.PLAYING
    assert {feed.zone for feed in bench.every(fx.StartPlay)[-1].feeds} == {CHO, DINH}


def test_a_relay_is_told_to_open_by_itself_once_its_programme_is_over() -> None:
    bench = Bench().boot()
    bulletin = bench.order(job_id="bulletin")
    play = bench.play(bulletin)
    (closing,) = [one for one in bench.every(fx.SwitchRelay) if one.zone == CHO]
    assert closing.off_after_ms == play.start_at + length_ms(play.parts) - bench.now.mono + RELAY_TAIL_MS


def test_an_emergency_that_takes_the_zone_of_what_only_warms_up_tells_the_device_nothing_of_it() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bulletin = bench.order(job_id="bulletin", audience=audience(DINH))
    bench.deaf.clear()
    bench.order(**FLOOD, audience=audience(CHO, DINH))
    assert bench.phase(bulletin) is not Phase.PLAYING
    assert bench.every(fx.StopPlay) == bench.every(fx.RoutePlay) == []


def test_a_programme_that_is_being_stopped_gets_no_zone_back() -> None:
    bench = Bench().boot()
    flood = bench.order(**FLOOD, audience=audience(CHO))
    bulletin = bench.order(job_id="bulletin")
    bench.pass_s(2)
    bench.send(StopAsked())
    assert bench.play(bulletin).ending is not None
    bench.end(flood, Reason.SHUTDOWN)
    assert bench.play(bulletin).zones[CHO].part is ZonePart.TAKEN
    assert all(CHO not in {feed.zone for feed in one.feeds} for one in bench.every(fx.RoutePlay))


def test_a_relay_that_nobody_has_confirmed_counts_as_closed_since_it_was_ordered() -> None:
    """The device is slow to say so; its longest on-time runs all the same, and would end in the middle of the sound."""
    bench = Bench(zones=MINUTE).boot()
    bench.deaf.add(fx.SwitchRelay)
    bench.rule(Amplify(True, 600_000), zones=(CHO,))
    bench.pass_s(30)
    bench.order(job_id="bulletin", loops=5, audience=audience(CHO))
    assert [one.on for one in bench.every(fx.SwitchRelay)] == [True, False, True]
