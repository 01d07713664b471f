"""What the contract test of a session runs on: the fake broker, or Mosquitto behind a proxy that can cut the line."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import Disconnected, Event
from edge_agent.core.units import MonoMs, StationId, UtcMs
from edge_agent.headend.broker import QUEUED_MESSAGES_MAX
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.port import Session
from tests.fakes.session import FakeBroker, FakeSession
from tests.headend.mqtt_client import Client
from tests.host.broker import HEADEND, Network, running_broker
from tests.host.proxy import Proxy, running_proxy

STATION = StationId("st-a")
AREA = "vn/ha-noi/dong-thanh"
TIMEOUT_S = 30
# Only there so that a fault cannot hang the tests.
E = TypeVar("E", bound=Event)


def host_clock() -> Now:
    """This machine's clocks, believed."""
    mono = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return Now(MonoMs(mono), UtcMs(time.time_ns() // 1_000_000), ClockSource.NTP, 50)


class Inbox:
    """Collects what a session posts; ``next`` waits for a kind of event and skips none of that kind."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self.seen: list[Event] = []

    def post(self, event: Event) -> None:
        self.seen.append(event)
        self._events.put(event)

    def next(self, kind: type[E], timeout_s: float = TIMEOUT_S) -> E:
        until = time.monotonic() + timeout_s
        while True:
            event = self._events.get(timeout=max(0.001, until - time.monotonic()))
            if isinstance(event, kind):
                return event


QUEUED_MAX = 20
# What the contract's broker keeps for an absent station; the product's keeps 10,000.


class Rig(Protocol):
    """A started session of STATION, and both ends of its world."""

    session: Session
    inbox: Inbox

    def send(self, topic: str, payload: bytes) -> None:
        """The headend publishes, QoS 1."""

    def heard(self) -> tuple[str, bytes]:
        """The next message that reached the headend."""

    def cut(self) -> None:
        """Break the connection and keep it broken."""

    def mend(self) -> None:
        """Let it connect again."""

    def restart(self, *, wiped: bool = False) -> None:
        """The broker goes down, which the session has noticed, and comes up again; ``wiped``: without its memory."""


class FakeRig:
    def __init__(self) -> None:
        self.inbox = Inbox()
        self.broker = FakeBroker(QUEUED_MAX)
        self.session: Session = FakeSession(self.broker, STATION, AREA, self.inbox.post, lambda: b"will")
        self._read = 0
        self.session.start()

    def send(self, topic: str, payload: bytes) -> None:
        self.broker.publish(topic, payload)

    def heard(self) -> tuple[str, bytes]:
        self._read += 1
        return self.broker.heard[self._read - 1]

    def cut(self) -> None:
        self.broker.cut(STATION)

    def mend(self) -> None:
        self.broker.reconnect(STATION)

    def restart(self, *, wiped: bool = False) -> None:
        self.broker.stop()
        self.broker.start(wiped=wiped)


class MosquittoRig:
    def __init__(self, network: Network, proxy: Proxy) -> None:
        self.inbox = Inbox()
        self.network = network
        self.proxy = proxy
        self.headend = listening_headend(network)
        settings = network.settings(STATION, port=proxy.port)
        self.session: Session = MqttSession(settings, self.inbox.post, host_clock, lambda: b"will")
        self.session.start()

    def send(self, topic: str, payload: bytes) -> None:
        assert self.headend.publish(topic, payload) in ("Success", "No matching subscribers")

    def heard(self) -> tuple[str, bytes]:
        return self.headend.next()

    def cut(self) -> None:
        self.proxy.open = False
        self.proxy.cut()
        self.inbox.next(Disconnected)

    def mend(self) -> None:
        self.proxy.open = True

    def restart(self, *, wiped: bool = False) -> None:
        self.headend.close()
        self.proxy.open = False
        self.network.mosquitto.stop()
        self.inbox.next(Disconnected)
        if wiped:
            (self.network.directory / "broker" / "mosquitto.db").unlink()
        self.network.mosquitto.start()
        self.headend = listening_headend(self.network)
        self.proxy.open = True


def listening_headend(network: Network) -> Client:
    """A central side that hears every station."""
    client = headend(network)
    client.subscribe("loa/1/u/#")
    return client


def headend(network: Network) -> Client:
    """An honest central side."""
    return Client(network.authority.path, network.client(HEADEND), network.mosquitto.port, HEADEND)


@contextmanager
def mosquitto_rig(network: Network) -> Iterator[MosquittoRig]:
    with running_proxy(network.mosquitto.port) as proxy:
        rig = MosquittoRig(network, proxy)
        try:
            yield rig
        finally:
            rig.session.stop()
            rig.headend.close()


@contextmanager
def running_session(network: Network, **changes: object) -> Iterator[tuple[MqttSession, Inbox]]:
    """A started session of STATION over the real broker (or another ``port``), stopped at the end."""
    inbox = Inbox()
    session = MqttSession(network.settings(STATION, **changes), inbox.post, host_clock, lambda: b"will")
    session.start()
    try:
        yield session, inbox
    finally:
        session.stop()


@contextmanager
def thread_failures() -> Iterator[queue.Queue[BaseException | None]]:
    """What ended threads in the block; stands in for the hook that ends the process."""
    failures: queue.Queue[BaseException | None] = queue.Queue()
    before, threading.excepthook = threading.excepthook, lambda failed: failures.put(failed.exc_value)
    try:
        yield failures
    finally:
        threading.excepthook = before


@contextmanager
def network_of(directory: Path, queued_max: int = QUEUED_MESSAGES_MAX) -> Iterator[Network]:
    with running_broker(directory, {STATION: AREA, "st-b": "vn/ha-noi/khac"}, queued_max) as network:
        yield network
