"""The loop lets go of every relay, whoever is late, hangs or talks nonsense (requirement S3): in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.audio.cards import CardsPlayer, Served
from edge_agent.audio.port import Reports
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import (
    DeviceUp,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    RelayFailed,
    ZonesLost,
)
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, ZoneId
from edge_agent.device.loop import ORDERS_A_TURN, ORDERS_MS_MAX
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.link.messages import Renew, encode
from edge_agent.relay.contacts import SETTLE_MS
from edge_agent.relay.interlock import LEASE_MS
from tests.device.bench import T0, A, B, Bench, P, close_a, play_p
from tests.fakes.device import FakePlayer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    assert bench.heard() == [DeviceUp()]
    yield bench
    bench.close()


def test_lost_zones_are_told_and_the_play_still_owes_its_sign_of_life(bench: Bench) -> None:
    """Which relay opens for it, the core decides: another play may have the zone."""
    bench.say(close_a(), play_p())
    bench.heard()
    bench.inlet(ZonesLost(P, (B,), Reason.DEVICE_FAILED))
    bench.device.turn()
    assert bench.heard() == [ZonesLost(P, (B,), Reason.DEVICE_FAILED)]
    assert bench.relays.contacts[A] is True
    bench.player.wedge()
    bench.pass_time(LEASE_MS)
    assert bench.relays.contacts[A] is False


def test_a_card_that_stands_still_opens_no_relay_of_another_card(tmp_path: Path) -> None:
    """Neither the lease on the slowest writer nor the watchdog takes the others' sound away for it."""
    cards: dict[str, FakePlayer] = {}

    def two_cards(reports: Reports, clock: Callable[[], MonoMs]) -> CardsPlayer:
        def served(name: str, zone: ZoneId) -> Served:
            def opened(own: Reports, needed: Callable[[], bool]) -> FakePlayer:
                cards[name] = FakePlayer(own, clock)
                return cards[name]

            return Served((zone,), opened)

        return CardsPlayer({"one": served("one", A), "other": served("other", B)}, reports, clock)

    bench = Bench(tmp_path, two_cards)
    feeds = (ZoneFeed(A, 50), ZoneFeed(B, 50))
    bench.say(close_a(), SwitchRelay(B, True, 50_000), StartPlay(P, (), feeds, MonoMs(T0)))
    bench.pass_time(1_000)
    cards["other"].wedge()
    bench.heard()
    bench.manager.heard()
    bench.pass_time(3 * LEASE_MS)
    assert bench.relays.contacts[A] is True
    assert ZonesLost(P, (B,), Reason.DEVICE_FAILED) in bench.heard()
    assert bench.manager.heard() == ["WATCHDOG=1"] * (3 * LEASE_MS // 1_000)
    bench.close()


def test_an_order_moves_the_relay_and_is_confirmed(bench: Bench) -> None:
    bench.say(close_a())
    assert bench.relays.contacts == {A: True, B: False}
    bench.say(SwitchRelay(A, False, 0))
    assert bench.heard() == [RelayChanged(A, True, "order", MonoMs(T0)), RelayChanged(A, False, "order", MonoMs(T0))]
    assert bench.relays.contacts == {A: False, B: False}


def test_a_relay_is_dated_by_its_moving_and_not_by_the_begin_of_the_turn(bench: Bench) -> None:
    """Its amplifier would count as warm before it is."""
    bench.look_ms = 50
    bench.say(close_a())
    began = MonoMs(T0 + bench.look_ms)
    assert bench.heard() == [RelayChanged(A, True, "order", MonoMs(began + bench.look_ms))]


def test_a_relay_opens_by_itself_at_the_end_of_its_time(bench: Bench) -> None:
    bench.say(close_a(5_000))
    bench.pass_time(4_900)
    assert bench.relays.contacts[A]
    bench.pass_time(100)
    assert bench.heard()[-1] == RelayChanged(A, False, "max_on", MonoMs(T0 + 5_000))
    assert not bench.relays.contacts[A]


def test_a_core_that_stops_stepping_loses_every_relay_and_its_sound(bench: Bench) -> None:
    bench.say(close_a(), SwitchRelay(B, True, 50_000), play_p())
    bench.heard()
    bench.pass_time(LEASE_MS - 100, renew=False)
    assert bench.relays.contacts == {A: True, B: True}
    bench.pass_time(200, renew=False)
    assert bench.relays.contacts == {A: False, B: False}
    lapse = MonoMs(T0 + LEASE_MS)
    assert bench.heard() == [
        RelayChanged(A, False, "lease", lapse),
        RelayChanged(B, False, "lease", lapse),
        PlayEnded(P, {}, 0, 0, lapse, Reason.SHUTDOWN),
    ]


def test_a_core_that_steps_again_does_not_get_its_relays_back_unasked(bench: Bench) -> None:
    bench.say(close_a())
    bench.pass_time(10_000, renew=False)
    bench.pass_time(5_000)
    assert not bench.relays.contacts[A]
    bench.say(close_a())
    assert bench.relays.contacts[A]


def test_a_wedged_writer_cannot_hold_a_relay_though_the_core_renews(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.pass_time(10_000)
    bench.heard()
    bench.player.wedge()
    bench.pass_time(LEASE_MS)
    assert not bench.relays.contacts[A]
    assert bench.heard() == [RelayChanged(A, False, "lease", bench.now)]
    bench.say(close_a())
    assert isinstance(bench.heard()[0], RelayFailed)
    assert not bench.relays.contacts[A], "nor get one while it stands still"


@pytest.mark.parametrize("fault", ["the writer is wedged", "the agent hangs", "both"])
def test_after_a_lapse_the_loop_rests_and_does_not_spin(bench: Bench, fault: str) -> None:
    """Of a play that was told to stop nothing is due but the player's word; a second is the watchdog's."""
    bench.say(close_a(), play_p())
    if fault != "the agent hangs":
        bench.player.wedge()
    rests = []
    for _ in range(10):
        rests.append(bench.device.rest_ms())
        bench.now = MonoMs(bench.now + rests[-1])
        if fault == "the writer is wedged":
            bench.agent.send(encode(Renew()))
        bench.device.turn()
    assert bench.relays.contacts[A] is False
    assert min(rests) > 0
    assert bench.now >= T0 + 2 * LEASE_MS, rests


def test_a_wedged_play_ends_as_a_fault_of_the_device_and_not_as_told(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.player.wedge()
    bench.pass_time(LEASE_MS + 1_000)
    bench.heard()
    bench.player.unwedge()
    bench.device.turn()
    assert bench.heard() == [PlayEnded(P, {}, 0, 0, bench.now, Reason.DEVICE_FAILED)]


def test_a_play_announced_for_later_does_not_need_progress_yet(bench: Bench) -> None:
    bench.say(close_a(), play_p(T0 + 20_000))
    bench.player.wedge()
    bench.pass_time(20_000 + LEASE_MS - 100)
    assert bench.relays.contacts[A]
    bench.pass_time(100)
    assert not bench.relays.contacts[A]


def test_when_the_agent_hangs_up_relays_open_and_sound_stops_at_once(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.agent.close()
    bench.device.turn()
    assert bench.relays.contacts == {A: False, B: False}
    assert bench.player.orders[-1] == StopPlay(P)


def test_what_sounds_is_stopped_without_an_agent_also_where_its_name_was_given_twice(bench: Bench) -> None:
    """Of the first of that name the end was not heard yet, and would have been taken for the second's."""
    bench.say(close_a(), play_p())
    bench.say(StopPlay(P), play_p())
    bench.agent.close()
    bench.device.turn()
    assert bench.relays.contacts == {A: False, B: False}
    assert bench.player.playing == {}


def test_an_agent_that_speaks_nonsense_is_dropped_as_if_it_had_hung_up(bench: Bench) -> None:
    bench.say(close_a())
    bench.agent.send(b'["SwitchRelay","b",true,"forever"]')
    bench.device.turn()
    assert bench.relays.contacts == {A: False, B: False}
    assert bench.heard()[-1] == RelayChanged(A, True, "order", MonoMs(T0))
    assert bench.server.client is None


def test_an_agent_that_does_not_read_is_dropped_as_if_it_had_hung_up(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    for _ in range(10_000):
        bench.player.progress(P)
        bench.device.turn()
        if bench.server.client is None:
            break
    assert bench.server.client is None
    assert not bench.relays.contacts[A]


def test_the_next_agent_starts_from_open_relays(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.agent.close()
    bench.device.turn()
    bench.agent = bench.connect()
    bench.device.turn()
    assert bench.heard()[0] == DeviceUp()
    bench.pass_time(1_000)
    assert bench.relays.contacts == {A: False, B: False}
    bench.say(close_a())
    assert bench.relays.contacts[A]


def test_the_next_agent_is_told_when_a_relay_was_opened_last(bench: Bench) -> None:
    """It must rest, whoever had it closed."""
    bench.say(close_a())
    bench.agent.close()
    bench.device.turn()
    opened_at = bench.now
    bench.pass_time(1_000, renew=False)
    bench.agent = bench.connect()
    assert bench.heard() == [DeviceUp(), RelayChanged(A, False, "link_lost", opened_at)]


def test_a_second_agent_neither_gets_in_nor_disturbs_the_first(bench: Bench) -> None:
    bench.say(close_a())
    second = bench.connect()
    assert second.recv(1) == b""
    second.close()
    bench.pass_time(2_000)
    assert bench.relays.contacts[A]


def test_a_flood_of_orders_does_not_keep_the_loop_from_opening_a_relay(bench: Bench) -> None:
    bench.say(close_a(1_000))
    for _ in range(2 * ORDERS_A_TURN):
        bench.agent.send(encode(Renew()))
    bench.now = MonoMs(T0 + 1_000)
    bench.device.turn()
    assert not bench.relays.contacts[A]
    assert bench.server.receive() == Renew(), "the rest waits for the next turn"


def test_a_flood_of_orders_that_are_long_to_read_does_not_either(bench: Bench) -> None:
    """Whoever has taken the agent over fills each with all that a packet holds."""
    bench.say(close_a(1_000))
    for _ in range(ORDERS_A_TURN):
        bench.agent.send(encode(Renew()))
    bench.now, bench.look_ms = MonoMs(T0 + 900), 85
    while bench.relays.contacts[A]:
        bench.device.turn()
    assert bench.now < T0 + 1_000 + 2 * ORDERS_MS_MAX + 3 * bench.look_ms


def test_reports_of_the_player_reach_the_agent_in_order(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.player.progress(P)
    bench.player.finish(P)
    bench.device.turn()
    assert bench.heard() == [
        RelayChanged(A, True, "order", MonoMs(T0)),
        PlayStarted(P, MonoMs(T0)),
        PlayProgress(P, {A: 1_000}, 0),
        PlayEnded(P, {A: 5_000}, 240_000, 0, MonoMs(T0), None),
    ]


def test_after_the_last_sample_the_relay_waits_for_the_cores_order(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.player.finish(P)
    bench.pass_time(2_000)
    assert bench.relays.contacts[A]


def test_a_route_and_a_stop_are_handed_on(bench: Bench) -> None:
    route = RoutePlay(P, (ZoneFeed(A, 0), ZoneFeed(B, 70)))
    bench.say(play_p(), route, StopPlay(P))
    assert bench.player.orders == [play_p(), route, StopPlay(P)]


def test_a_zone_of_a_newer_configuration_fails_and_the_others_sound(bench: Bench) -> None:
    new = ZoneId("new")
    bench.say(
        SwitchRelay(new, True, 1_000),
        StartPlay(P, (), (ZoneFeed(new, 50), ZoneFeed(A, 50)), MonoMs(T0)),
        RoutePlay(P, (ZoneFeed(new, 50),)),
    )
    assert bench.player.orders == [play_p(), RoutePlay(P, ())]
    assert bench.heard()[0] == RelayFailed(new, "no such zone")


def test_a_line_that_does_not_answer_fails_its_own_zone_only(bench: Bench) -> None:
    bench.relays.dead.add(A)
    bench.say(close_a(), SwitchRelay(B, True, 50_000))
    assert [type(message) for message in bench.heard()] == [RelayFailed, RelayChanged]
    bench.pass_time(2_000)
    bench.relays.dead.clear()
    bench.pass_time(2_000)
    assert bench.relays.contacts == {A: False, B: True}


def test_a_relay_that_could_not_be_closed_has_no_end_to_come_later(bench: Bench) -> None:
    bench.relays.dead.add(A)
    bench.say(close_a(3_000))
    bench.relays.dead.clear()
    bench.pass_time(10_000)
    told = bench.heard()
    assert [type(message) for message in told] == [RelayFailed, RelayChanged]
    assert isinstance(told[1], RelayChanged)
    assert (told[1].on, told[1].cause) == (False, "order")


def test_a_stuck_relay_is_told_and_told_again_to_the_next_agent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, wired=(A,))
    bench.say(close_a())
    bench.relays.stuck.add(A)
    bench.say(SwitchRelay(A, False, 0))
    told_at = bench.now
    bench.pass_time(SETTLE_MS)
    assert bench.heard()[-1] == RelayFailed(A, "stuck closed", True)
    bench.agent.close()
    bench.device.turn()
    bench.pass_time(SETTLE_MS, renew=False)
    bench.agent = bench.connect()
    opened, failed = RelayChanged(A, False, "order", told_at), RelayFailed(A, "stuck closed", True)
    assert bench.heard() == [DeviceUp(), opened, failed], "what is wrong with it comes last, and holds"
    bench.close()


def test_told_to_stop_it_opens_relays_then_stops_sound_and_says_both(bench: Bench) -> None:
    bench.say(close_a(), play_p())
    bench.heard()
    bench.device.stop()
    assert bench.relays.contacts == {A: False, B: False}
    assert bench.player.closed
    assert bench.heard() == [
        RelayChanged(A, False, "stop", MonoMs(T0)),
        PlayEnded(P, {}, 0, 0, MonoMs(T0), Reason.SHUTDOWN),
    ]


def test_the_watchdog_is_fed_while_idle_and_while_the_writer_moves(bench: Bench) -> None:
    bench.manager.heard()
    bench.pass_time(5_000)
    bench.say(play_p(bench.now))
    bench.pass_time(5_000)
    assert bench.manager.heard() == ["WATCHDOG=1"] * 10


def test_the_watchdog_starves_on_a_wedged_writer(bench: Bench) -> None:
    bench.say(play_p())
    bench.player.wedge()
    bench.manager.heard()
    bench.pass_time(20_000)
    assert bench.manager.heard() == ["WATCHDOG=1"] * (WRITER_MS_MAX // 1_000)
