"""A device process in virtual time: its loop with fake relays and a fake player, and a real socket to an agent."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from edge_agent.audio.port import Player
from edge_agent.core.effects import StartPlay, SwitchRelay
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.units import MonoMs, PlayId, ZoneId
from edge_agent.device.loop import WRITER, Device
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.device.wake import Inlet
from edge_agent.link.messages import PACKET_BYTES_MAX, Renew, ToCore, ToDevice, decode_to_core, encode
from edge_agent.link.server import DeviceServer, agent_uids
from edge_agent.relay.contacts import Contacts
from edge_agent.relay.interlock import Interlock
from edge_agent.watchdog import Notifier, Progress
from tests.fakes.device import FakePlayer
from tests.fakes.relays import FakeRelays
from tests.test_watchdog import ServiceManager

A, B = ZoneId("a"), ZoneId("b")
P = PlayId("p")
T0 = 1_000_000
ON_MS_MAX = 60_000


class Bench:
    """A device in virtual time with a real socket; ``agent`` is the other end of it."""

    def __init__(self, directory: Path, player: Callable[..., Player] = FakePlayer, **relays) -> None:
        self.now = MonoMs(T0)
        self.look_ms = 0
        """How much time passes with each look at the clock."""
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
            self._clock,
        )
        self.path = directory / "io.sock"
        self.agent = self.connect()

    def _clock(self) -> MonoMs:
        self.now = MonoMs(self.now + self.look_ms)
        return self.now

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


def close_a(off_after_ms: int = 50_000) -> SwitchRelay:
    return SwitchRelay(A, True, off_after_ms)


def play_p(at: int = T0) -> StartPlay:
    return StartPlay(P, (), (ZoneFeed(A, 50),), MonoMs(at))
