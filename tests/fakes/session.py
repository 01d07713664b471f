"""A broker in memory and sessions with it, for virtual time: the same promises as a real one, and the same bad days.

Nothing happens by itself: a session connects when it is started and the broker is up, and again when the test says so.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from edge_agent.core.events import AckToken, Connected, Disconnected, Event, MessageArrived
from edge_agent.core.units import StationId
from edge_agent.headend.broker import QUEUED_MESSAGES_MAX
from edge_agent.sync.limits import PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.topics import Up, subscriptions, up_topic


class Message(NamedTuple):
    """What a client published."""

    topic: str
    payload: bytes


@dataclass
class Memory:
    """What the broker remembers of a client between connections: its filters, and what it has not acknowledged."""

    filters: frozenset[str] = frozenset()
    waiting: deque[Message] = field(default_factory=deque)


class FakeBroker:
    """Sessions that outlive connections, retained states, wills. ``heard`` is everything that stations published.

    For each client ``queued_max`` messages wait beside those that are under way; what comes on top is lost in silence.
    """

    def __init__(self, queued_max: int = QUEUED_MESSAGES_MAX) -> None:
        self.queued_max = queued_max
        self.up = True
        self.heard: list[Message] = []
        self.retained: dict[str, bytes] = {}
        self.memories: dict[str, Memory] = {}
        self.sessions: dict[str, FakeSession] = {}

    def publish(self, topic: str, payload: bytes, times: int = 1) -> None:
        """Deliver to every subscriber, now or when it comes back; ``times`` 2 is a duplicate. Too large: dropped."""
        if len(topic) + len(payload) + 16 > PACKET_BYTES_MAX:
            return
        for station, memory in self.memories.items():
            for _ in range(times if topic in memory.filters else 0):
                if len(memory.waiting) - self.sessions[station].under_way < self.queued_max:
                    memory.waiting.append(Message(topic, payload))
                self.sessions[station].fill_window()

    def cut(self, station: str, detail: str = "cut") -> None:
        """Break a connection; ``reconnect`` heals it."""
        self.sessions[station].lose(detail)

    def reconnect(self, station: str) -> None:
        """Let a started session connect again: what its own thread does in reality after a while."""
        self.sessions[station].connect()

    def vanish(self, station: str) -> None:
        """The station is gone without a goodbye, and the will's delay has passed."""
        session = self.sessions[station]
        session.running = False
        session.lose("vanished")
        if session.will_now is not None:
            self.take(up_topic(session.station, Up.STATE), session.will_now, retain=True)

    def stop(self) -> None:
        """Go down; every session loses its connection and keeps its memory here."""
        self.up = False
        for session in self.sessions.values():
            session.lose("broker down")

    def start(self, *, wiped: bool = False) -> None:
        """Come up again, with empty hands if its store was ``wiped``."""
        self.up = True
        if wiped:
            self.memories.clear()
            self.retained.clear()
        for session in self.sessions.values():
            session.connect()

    def take(self, topic: str, payload: bytes, *, retain: bool) -> None:
        self.heard.append(Message(topic, payload))
        if retain:
            self.retained[topic] = payload


class FakeSession:
    """A ``sync.port.Session``. Message ids begin at 1 in each connection: Mosquitto counts on, other brokers do not."""

    def __init__(
        self,
        broker: FakeBroker,
        station: StationId,
        area: str,
        post: Callable[[Event], None],
        will: Callable[[], bytes | None],
    ) -> None:
        self.station = station
        self.running = False
        self.will_now: bytes | None = None
        self._broker = broker
        self._filters = frozenset(subscriptions(station, area))
        self._post = post
        self._will = will
        self._epoch = 0
        self._connected = False
        self._unacked: dict[int, Message] = {}
        self._last_mid = 0
        broker.sessions[station] = self

    @property
    def connected(self) -> bool:
        """Whether it has a connection now."""
        return self._connected

    @property
    def under_way(self) -> int:
        """How many deliveries were begun on the last connection and not acknowledged."""
        return len(self._unacked)

    def start(self) -> None:
        self.running = True
        self.connect()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        if not self._connected:
            return False
        # A broker takes only what the ACL lets this station write, and does not say so.
        if topic.startswith(f"loa/1/u/{self.station}/"):
            self._broker.take(topic, payload, retain=retain)
        return True

    def ack(self, token: AckToken) -> None:
        if not self._connected or token.epoch != self._epoch or token.mid not in self._unacked:
            return
        self._broker.memories[self.station].waiting.remove(self._unacked.pop(token.mid))
        self.fill_window()

    def stop(self) -> None:
        self.running = False
        self._connected = False

    def connect(self) -> None:
        """Begin a new epoch: nothing is unacknowledged yet, and everything that waits comes again."""
        if not self.running or not self._broker.up or self._connected:
            return
        self._epoch += 1
        self._connected = True
        self.will_now = self._will()
        self._unacked.clear()
        self._last_mid = 0
        self._broker.memories.setdefault(self.station, Memory()).filters = self._filters
        self._post(Connected(self._epoch, f"{self._epoch:032x}"))
        self.fill_window()

    def lose(self, detail: str) -> None:
        """The connection is gone."""
        if self._connected:
            self._connected = False
            if self.running:
                self._post(Disconnected(detail))

    def fill_window(self) -> None:
        """Deliver what waits, as far as the receive maximum lets it."""
        waiting = self._broker.memories[self.station].waiting
        while self._connected and len(self._unacked) < min(RECEIVE_MAXIMUM, len(waiting)):
            message = waiting[len(self._unacked)]
            self._last_mid += 1
            self._unacked[self._last_mid] = message
            self._post(MessageArrived(message.topic, message.payload, AckToken(self._epoch, self._last_mid)))
