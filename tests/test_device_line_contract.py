"""What every line to a device process promises the runtime (``runtime.Device``): the fake, and the real two ends.

Behind the real line runs the device process's own loop in a thread, over relays and a player with memory.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

from edge_agent.audio.port import Reports
from edge_agent.clock import boot_ms
from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import DeviceDown, DeviceUp, Event, PlayEnded, PlayStarted, RelayChanged
from edge_agent.core.programme import Sound, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, PlayId, ZoneId
from edge_agent.device.process import run_device
from edge_agent.device.wake import Stop
from edge_agent.link.client import DeviceClient
from edge_agent.runtime import Device
from tests.fakes.device import PLAY_MS, ZONES, FakePlayer
from tests.fakes.device_line import FakeDeviceLine
from tests.fakes.relays import FakeRelays

PATIENCE_S = 30
# Only there so that a fault cannot hang the tests.
QUIET_S = 0.2
A, P = ZoneId("a"), PlayId("p")
CLOSE, OPEN = SwitchRelay(A, True, 60_000), SwitchRelay(A, False, 0)

E = TypeVar("E", bound=Event)


class Rig(Protocol):
    """A line that has not been started, and the device process behind it, which is not there yet."""

    device: Device
    events: queue.Queue[Event]

    def come_up(self) -> None:
        """The device process is started."""

    def go_away(self) -> None:
        """It ends."""

    def play_out(self) -> None:
        """The last sample of what plays has left the card."""


class FakeRig:
    def __init__(self) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self.fake = FakeDeviceLine(self.events.put, boot_ms)
        self.device: Device = self.fake

    def come_up(self) -> None:
        if not self.fake.orders:
            self.device.start()
        else:
            self.fake.come_up()

    def go_away(self) -> None:
        self.fake.go_away()

    def play_out(self) -> None:
        self.fake.play_out()


class RealRig:
    def __init__(self, directory: Path) -> None:
        self.events: queue.Queue[Event] = queue.Queue()
        self._socket = directory / "io.sock"
        self._players: list[FakePlayer] = []
        self._stop = Stop()
        self._thread: threading.Thread | None = None
        self.device: Device = DeviceClient(self._socket, self.events.put)
        self.started = False

    def come_up(self) -> None:
        self._stop = Stop()
        arguments = (FakeRelays(tuple(ZONES)), self._open_player, ZONES, self._socket, self._stop)
        self._thread = threading.Thread(target=run_device, args=arguments, daemon=True)
        self._thread.start()
        if not self.started:
            self.started = True
            self.device.start()

    def go_away(self) -> None:
        if self._thread is not None:
            self._stop.set()
            self._thread.join(PATIENCE_S)
            self._thread = None

    def play_out(self) -> None:
        for play_id in list(self._players[-1].playing):
            self._players[-1].finish(play_id)

    def _open_player(self, reports: Reports) -> FakePlayer:
        self._players.append(FakePlayer(reports, boot_ms))
        return self._players[-1]


@pytest.fixture(params=["fake", "real"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    real = RealRig(tmp_path)
    yield real
    if real.started:
        real.device.stop()
    real.go_away()


def next_event(rig: Rig, kind: type[E]) -> E:
    """The next event, which must be of that kind."""
    event = rig.events.get(timeout=PATIENCE_S)
    assert isinstance(event, kind), event
    return event


def quiet(rig: Rig) -> bool:
    """Whether nothing more is posted."""
    try:
        rig.events.get(timeout=QUIET_S)
    except queue.Empty:
        return True
    return False


def play(rig: Rig) -> None:
    sound = (Sound(ClipKey("a"), PLAY_MS),)
    assert rig.device.send(StartPlay(P, sound, (ZoneFeed(A, 50),), boot_ms()))


def test_the_device_process_is_the_first_that_is_heard_of(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    assert rig.device.renew()
    assert quiet(rig)


def test_without_a_device_process_nothing_is_taken_and_nothing_happens(rig: Rig) -> None:
    assert not rig.device.send(CLOSE)
    assert not rig.device.renew()
    assert quiet(rig)


def test_a_relay_moves_when_it_is_ordered_to_and_says_so(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    before = boot_ms()
    for order in (CLOSE, OPEN):
        assert rig.device.send(order)
        moved = next_event(rig, RelayChanged)
        assert (moved.zone, moved.on, moved.cause) == (A, order.on, "order")
        assert before <= moved.at <= boot_ms()
    assert quiet(rig)


def test_a_play_begins_and_ends_when_its_last_sample_has_left(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    rig.device.send(CLOSE)
    next_event(rig, RelayChanged)
    play(rig)
    assert next_event(rig, PlayStarted).play_id == P
    assert rig.device.send(RoutePlay(P, (ZoneFeed(A, 30),)))
    rig.play_out()
    ended = next_event(rig, PlayEnded)
    assert (ended.play_id, ended.reason, ended.zone_ms) == (P, None, {A: PLAY_MS})
    assert quiet(rig)


def test_a_play_ends_once_when_it_is_stopped_and_unknown_ones_do_not(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    rig.device.send(CLOSE)
    next_event(rig, RelayChanged)
    play(rig)
    next_event(rig, PlayStarted)
    for name in ("nobody", P, P):
        assert rig.device.send(StopPlay(PlayId(name)))
    ended = next_event(rig, PlayEnded)
    assert (ended.play_id, ended.reason) == (P, Reason.SHUTDOWN)
    assert quiet(rig)


def until_down(rig: Rig) -> None:
    while not isinstance(rig.events.get(timeout=PATIENCE_S), DeviceDown):
        pass


def test_a_device_process_that_ends_is_told_and_takes_nothing_until_it_is_back(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    rig.device.send(CLOSE)
    next_event(rig, RelayChanged)
    rig.go_away()
    until_down(rig)
    assert not rig.device.send(CLOSE)
    assert not rig.device.renew()
    assert quiet(rig)
    rig.come_up()
    next_event(rig, DeviceUp)
    assert rig.device.send(CLOSE)
    assert next_event(rig, RelayChanged).on, "it came back with its relays open"


def test_after_a_stop_nothing_is_taken(rig: Rig) -> None:
    rig.come_up()
    next_event(rig, DeviceUp)
    rig.device.stop()
    assert not rig.device.send(CLOSE)
    assert not rig.device.renew()
