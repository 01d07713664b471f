"""The device process lets go of every relay, whoever dies or hangs (requirement S3): in virtual time, as processes."""

from __future__ import annotations

import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.audio.card import CardHangs
from edge_agent.audio.cards import CardsPlayer, Served
from edge_agent.audio.port import Player, PlayerError, Reports
from edge_agent.clock import boot_ms
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import (
    DeviceDown,
    DeviceUp,
    Event,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    RelayChanged,
    RelayFailed,
    ZonesLost,
)
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId
from edge_agent.device import Stop, run_device
from edge_agent.device.loop import ORDERS_A_TURN, WRITER, Device
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.device.wake import REPORTS_MAX, Inlet
from edge_agent.link import DeviceClient, DeviceServer, LinkError, Renew, ToCore, ToDevice
from edge_agent.link.messages import PACKET_BYTES_MAX, decode_to_core, encode
from edge_agent.link.server import agent_uids
from edge_agent.relay.contacts import SETTLE_MS, Contacts
from edge_agent.relay.interlock import LEASE_MS, Interlock
from edge_agent.relay.simulated import SimulatedRelays, relays_off
from edge_agent.watchdog import Notifier, Progress
from tests.fakes.device import ZONES, FakePlayer, Process, edges
from tests.fakes.relays import FakeRelays
from tests.test_watchdog import ServiceManager

A, B = ZoneId("a"), ZoneId("b")
P = PlayId("p")
T0 = 1_000_000
ON_MS_MAX = 60_000
PATIENCE_S = 60
# Only so that a broken test ends; nothing is measured by it.


class Bench:
    """A device in virtual time with a real socket; ``agent`` is the other end of it."""

    def __init__(self, directory: Path, player: Callable[..., Player] = FakePlayer, **relays) -> None:
        self.now = MonoMs(T0)
        self.relays = FakeRelays((A, B), **relays)
        self.contacts = Contacts(self.relays, (A, B), self.now)
        self.inlet = Inlet()
        self.player = player(self.inlet, lambda: self.now)
        self.server = DeviceServer(directory / "io.sock", agent_uids())
        self.manager = ServiceManager(str(directory / "notify"))
        self.notifier = Notifier(str(directory / "notify"))
        self.device = Device(
            self.contacts,
            self.player,
            self.inlet,
            Interlock({A: ON_MS_MAX, B: ON_MS_MAX}),
            self.server,
            Progress(self.notifier, {WRITER: WRITER_MS_MAX}, self.now),
            lambda: self.now,
        )
        self.path = directory / "io.sock"
        self.agent = self.connect()

    def connect(self) -> socket.socket:
        agent = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        agent.connect(os.fspath(self.path))
        agent.setblocking(False)
        self.device.turn()
        return agent

    def say(self, *orders: ToDevice) -> None:
        for order in orders:
            self.agent.send(encode(order))
        self.device.turn()
        self.device.turn()  # what the player answered at once

    def heard(self) -> list[ToCore]:
        messages = []
        while True:
            try:
                packet = self.agent.recv(PACKET_BYTES_MAX)
            except BlockingIOError:
                return messages
            if not packet:
                return messages
            messages.append(decode_to_core(packet))

    def pass_time(self, ms: int, *, renew: bool = True, step_ms: int = 100) -> None:
        for _ in range(0, ms, step_ms):
            self.now = MonoMs(self.now + step_ms)
            if renew and self.now % 1_000 == 0:
                self.agent.send(encode(Renew()))
            self.device.turn()

    def close(self) -> None:
        self.agent.close()
        self.server.close()
        self.notifier.close()
        self.manager.socket.close()
        self.inlet.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    assert bench.heard() == [DeviceUp()]
    yield bench
    bench.close()


def close_a(off_after_ms: int = 50_000) -> SwitchRelay:
    return SwitchRelay(A, True, off_after_ms)


def play_p(at: int = T0) -> StartPlay:
    return StartPlay(P, (), (ZoneFeed(A, 50),), MonoMs(at))


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


def test_a_relay_is_dated_by_its_moving_and_not_by_the_begin_of_the_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its amplifier would count as warm before it is."""
    receive = bench.server.receive

    def late() -> ToDevice | None:
        bench.now = MonoMs(bench.now + 50)
        return receive()

    monkeypatch.setattr(bench.server, "receive", late)
    bench.say(close_a())
    assert bench.heard() == [RelayChanged(A, True, "order", MonoMs(T0 + 50))]


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
    bench.pass_time(SETTLE_MS)
    assert bench.heard()[-1] == RelayFailed(A, "stuck closed")
    bench.agent.close()
    bench.device.turn()
    bench.pass_time(SETTLE_MS, renew=False)
    bench.agent = bench.connect()
    assert bench.heard() == [DeviceUp(), RelayFailed(A, "stuck closed")]
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


def test_reports_that_nobody_fetches_are_bounded_and_the_end_of_a_play_is_not_lost_in_silence() -> None:
    inlet = Inlet()
    for _ in range(REPORTS_MAX + 10):
        inlet(PlayProgress(P, {}, 0))
    with pytest.raises(queue.Full):
        inlet(PlayEnded(P, {}, 0, 0, MonoMs(0), None))
    assert len(inlet.drain()) == REPORTS_MAX
    assert inlet.drain() == []
    inlet.close()


# -- put together -----------------------------------------------------------------------------------------------------


def test_relays_open_before_the_player_is_opened_and_a_missing_card_leaves_them_open(tmp_path: Path) -> None:
    relays = FakeRelays((A, B), on=(A, B))

    def no_card(_reports: object) -> FakePlayer:
        assert relays.contacts == {A: False, B: False}
        raise PlayerError("no such card")

    with pytest.raises(PlayerError):
        run_device(relays, no_card, ZONES, tmp_path / "io.sock", Stop())
    assert relays.closed
    assert not (tmp_path / "io.sock").exists()


class HungPlayer(FakePlayer):
    """One of its cards hangs, and as soon as the other has played out, only a new process helps."""

    def alive_at(self) -> int:
        if self.playing:
            self.finish(next(iter(self.playing)))
            raise CardHangs("card second shows no sign of life")
        return super().alive_at()


def test_a_process_that_ends_for_a_hung_card_opens_its_relays_and_tells_what_has_ended(tmp_path: Path) -> None:
    """Else the core would take for lost, and repeat, what was heard to its end."""
    relays = FakeRelays((A, B))
    told: queue.SimpleQueue[Event] = queue.SimpleQueue()
    agent = DeviceClient(tmp_path / "io.sock", told.put)

    def order() -> None:
        assert told.get(timeout=PATIENCE_S) == DeviceUp()
        agent.send(close_a())
        agent.send(play_p(boot_ms()))

    agent.start()
    threading.Thread(target=order, daemon=True).start()
    with pytest.raises(PlayerError, match="second"):
        run_device(relays, lambda reports: HungPlayer(reports, boot_ms), ZONES, tmp_path / "io.sock", Stop())
    assert relays.closed
    assert relays.contacts[A] is False
    events = [told.get(timeout=PATIENCE_S)]
    while not isinstance(events[-1], DeviceDown):
        events.append(told.get(timeout=PATIENCE_S))
    (end,) = [event for event in events if isinstance(event, PlayEnded)]
    assert end.reason is None
    agent.stop()


def test_a_stop_asked_before_the_first_turn_is_obeyed(tmp_path: Path) -> None:
    relays = FakeRelays((A, B))
    stop = Stop()
    stop.set()
    assert run_device(relays, lambda reports: FakePlayer(reports, boot_ms), ZONES, tmp_path / "io.sock", stop) == 0
    assert relays.closed


# -- as real processes ------------------------------------------------------------------------------------------------


class Station:
    """Both processes, playing on zone a."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.io = Process("io", directory)
        self.io.expect("ready")
        self.agent = Process("agent", directory)
        self.agent.expect("PlayStarted")
        assert self.state() == "1"

    def state(self) -> str:
        return (self.directory / "relays" / "a").read_text()

    def opened_after(self, since_ms: int) -> int:
        """How long after ``since_ms`` (boot time) relay a opened; waits until it has."""
        give_up = time.monotonic() + PATIENCE_S
        while time.monotonic() < give_up:
            offs = [edge["mono_ms"] for edge in edges(self.directory) if edge["zone"] == "a" and not edge["on"]]
            if offs:
                return offs[-1] - since_ms
            time.sleep(0.01)  # a file tells nobody when it changes
        raise AssertionError("the relay stayed closed")

    def end(self) -> None:
        self.agent.end()
        self.io.end()


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Station]:
    station = Station(tmp_path)
    yield station
    station.end()


def test_a_killed_agent_leaves_no_relay_closed(station: Station) -> None:
    killed = boot_ms()
    station.agent.signal(signal.SIGKILL)
    # The promise is 1 s (threats-and-faults, "relay stuck on"); what remains is for a loaded machine.
    assert station.opened_after(killed) < 5_000
    station.io.expect("cause=")  # the first that it says of a relay that opens by itself
    assert station.io.said.endswith("cause=link_lost"), "at once, and not when the lease has run out"


def test_a_hanging_agent_loses_its_relay_with_the_lease(station: Station) -> None:
    hung = boot_ms()
    station.agent.signal(signal.SIGSTOP)
    took = station.opened_after(hung)
    assert took >= LEASE_MS - 1_100, "the last renewal was at most a second and a bit old"
    assert took < LEASE_MS + 5_000


def test_a_wedged_writer_loses_the_relay_though_both_processes_live(station: Station) -> None:
    wedged = boot_ms()
    station.io.signal(signal.SIGUSR1)
    assert LEASE_MS - 100 <= station.opened_after(wedged) < LEASE_MS + 5_000
    station.agent.expect("cause='lease'")


def test_a_killed_device_process_leaves_its_line_and_the_hook_opens_it(station: Station) -> None:
    station.io.signal(signal.SIGKILL)
    station.agent.expect("DeviceDown")
    assert station.state() == "1", "as a Raspberry Pi's kernel leaves it"
    assert relays_off(station.directory / "relays") == (A,)
    assert station.state() == "0"


def test_a_killed_device_process_opens_its_relays_when_it_starts_again_and_the_agent_finds_it(station: Station) -> None:
    station.io.signal(signal.SIGKILL)
    station.agent.expect("DeviceDown")
    station.io.end()
    station.io = Process("io", station.directory)
    station.agent.expect("DeviceUp")
    assert [(edge["on"], edge["cause"]) for edge in edges(station.directory)][1] == (False, "claim")
    station.agent.expect("PlayStarted")


def test_sigterm_opens_relays_ends_the_play_and_exits_with_0(station: Station) -> None:
    station.io.signal(signal.SIGTERM)
    assert station.io.wait() == 0
    assert station.state() == "0"
    station.agent.expect("cause='stop'")
    station.agent.expect("PlayEnded")
    station.agent.expect("DeviceDown")


def test_the_service_manager_hears_ready_and_stopping(tmp_path: Path) -> None:
    manager = ServiceManager(str(tmp_path / "notify"))
    io = Process("io", tmp_path, env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
    manager.socket.settimeout(PATIENCE_S)
    assert manager.socket.recv(100) == b"READY=1"
    io.signal(signal.SIGTERM)
    assert io.wait() == 0
    manager.socket.setblocking(False)
    assert manager.heard()[-1] == "STOPPING=1"
    manager.socket.close()


def test_two_device_processes_do_not_share_relays(station: Station) -> None:
    second = SimulatedRelays(station.directory / "other", ZONES)
    with pytest.raises(LinkError, match="in use"):
        run_device(second, lambda reports: FakePlayer(reports, boot_ms), ZONES, station.directory / "io.sock", Stop())
    assert station.state() == "1"
