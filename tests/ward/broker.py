"""The broker in virtual time: ``tests/fakes/session.py`` (held to Mosquitto's contract) with a network's delays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_agent.core.events import AckToken, Connected, Event, MessageArrived
from tests.fakes.session import FakeBroker, FakeSession
from tests.ward.timing import NET_MS, WILL_DELAY_MS

if TYPE_CHECKING:
    from tests.ward.world import World

Tap = Callable[[str, bytes], None]


class Broker(FakeBroker):
    """``late_ms`` delays what goes down; while ``losing`` nothing arrives anywhere; ``repeats`` delivers twice.

    ``taps`` are shown every message that crosses it.
    """

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.late_ms = 0
        self.losing = False
        self.repeats = False
        self.taps: list[Tap] = []
        self._held: list[tuple[str, bytes]] | None = None
        self._life = 0

    @property
    def reachable(self) -> bool:
        """Whether there is a way to it."""
        return self._world.network

    @property
    def session(self) -> FakeSession | None:
        """The station's session, whoever holds it."""
        return self.sessions.get(self._world.site.station)

    def session_for(self, post: Callable[[Event, int], None], will: Callable[[], bytes | None]) -> FakeSession:
        """A new process's session: the connection epoch begins anew, what waits is the broker's."""
        site = self._world.site
        self._life += 1
        life = self._life

        def posted(event: Event) -> None:
            if isinstance(event, Connected):
                event = replace(event, nonce=f"{life:016x}{event.epoch:016x}")  # as random as it is in reality
            post(event, NET_MS + (self.late_ms if isinstance(event, MessageArrived) else 0))

        return _Session(self, site.station, site.area, posted, will)

    def publish(self, topic: str, payload: bytes, times: int = 1) -> None:
        for tap in self.taps:
            tap(topic, payload)
        if self._held is not None:
            self._held.append((topic, payload))
        elif not self.losing:
            super().publish(topic, payload, times=2 if self.repeats else times)

    def hold_back(self) -> None:
        """Keep what is published until ``let_go_backwards``."""
        if self._held is None:
            self._held = []

    def let_go_backwards(self) -> None:
        """The last comes first."""
        held, self._held = self._held or [], None
        for topic, payload in reversed(held):
            super().publish(topic, payload)

    def start_if_reachable(self, *, wiped: bool = False) -> None:
        """Come up again; who cannot reach it stays out."""
        self.up = True
        if wiped:
            self.memories.clear()
            self.retained.clear()
        self.let_in()

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        for tap in self.taps:
            tap(topic, payload)
        if retain:
            self.retained[topic] = payload
        if not self.losing:
            self._world.after(NET_MS, lambda: self._world.headend.receive(topic, payload))

    def let_in(self) -> None:
        """Whoever is out comes in, if there is a way."""
        if self._world.network and self.session is not None and self._world.agent is not None:
            self.session.connect()

    def acknowledged(self) -> None:
        """An order is the broker's no more: who had promised too early dies in the worst moment."""
        if self._world.dies_at_ack:
            self._world.dies_at_ack = False
            self._world.kill_agent()

    def lose(self) -> None:
        """The way is cut: the connection breaks, and the will follows unless it is back in time."""
        if self.session is not None:
            self.session.lose("network cut")
            self._bury(self.session)

    def gone(self) -> None:
        """The process is gone without a goodbye."""
        session = self.session
        if session is not None and session.running:
            session.running = False
            session.lose("killed")
            self._bury(session)

    def _bury(self, session: FakeSession) -> None:
        life, will = self._life, session.will_now
        if will is None:
            return

        def publish_will() -> None:
            if self._life == life and not session.connected:
                self.take(f"loa/1/u/{session.station}/state", will, retain=True)

        self._world.after(WILL_DELAY_MS, publish_will)


class _Session(FakeSession):
    """The station's; it can be where its process dies, and a new process finds no way where there is none."""

    def connect(self) -> None:
        broker = self._broker
        assert isinstance(broker, Broker)
        if broker.reachable:
            super().connect()

    def ack(self, token: AckToken) -> None:
        message = self._unacked.get(token.mid)
        super().ack(token)
        broker = self._broker
        assert isinstance(broker, Broker)
        if message is not None and message.topic.endswith("/job"):
            broker.acknowledged()
