"""Decide when to connect to the broker again, and which connection counts. ``connection`` does the talking.

Every attempt is a new epoch. An acknowledgement belongs to the epoch that its message came in; in any other it would
acknowledge another message, since message ids begin anew.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from edge_agent.core.clock_trust import Now
from edge_agent.core.events import AckToken, Disconnected, Event
from edge_agent.core.units import SECOND_MS, MonoMs
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.connection import Connection, Ending
from edge_agent.sync.tls_trouble import TlsTrouble

STABLE_S = 60
# A connection that lasted this long was a good one: the next wait begins small again. A broker that takes us in and
# throws us out at once is no better than one that is down.
DOUBLINGS_MAX = 10
# Far over any ceiling; keeps the arithmetic small after a year of failures.
JOIN_S = 5
# On top of the flush: one turn of the loop (1 s) and the broker's side of the disconnect over a slow link.
CLONE_SUSPECTED = "CLONE_SUSPECTED"

_log = logging.getLogger(__name__)


class MqttSession:
    """A ``sync.port.Session`` over paho-mqtt. Posts Connected, MessageArrived and Disconnected from its own thread.

    ``post`` must take an event without waiting for this session: at most RECEIVE_MAXIMUM messages are on their way
    before one is acknowledged. ``will`` makes the (signed) state that the broker publishes when we vanish (None: none);
    it is called before each attempt; ``on_trouble`` hears after each whether certificates were the reason. A failure of
    these ends the thread through ``threading.excepthook``, on purpose: a session that cannot hand over its messages
    must not look alive.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        post: Callable[[Event], None],
        clock: Callable[[], Now],
        will: Callable[[], bytes | None],
        on_trouble: Callable[[TlsTrouble | None], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._post = post
        self._clock = clock
        self._will = will
        self._on_trouble = on_trouble
        self._stopping = threading.Event()
        self._connection: Connection | None = None
        self._turned_at = MonoMs(0)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect, at once: boards that got their power back together boot seconds apart by themselves."""
        self._turned_at = self._clock().mono
        self._thread.start()

    def publish(self, topic: str, payload: bytes, *, qos: int, retain: bool = False) -> bool:
        """See ``sync.port.Session``. True means handed over, not delivered."""
        connection = self._connection
        return connection is not None and connection.publish(topic, payload, qos, retain)

    def ack(self, token: AckToken) -> None:
        """See ``sync.port.Session``."""
        connection = self._connection
        if connection is not None:
            connection.ack(token)

    def turned_at(self) -> MonoMs:
        """Boot time of the thread's last turn; ahead of now while it waits for something that has its time."""
        connection = self._connection
        return connection.turned_at if connection is not None else self._turned_at

    def stop(self) -> None:
        """Say goodbye properly and end; returns after FLUSH_S + JOIN_S at the latest. Nothing is posted afterwards."""
        self._stopping.set()
        connection = self._connection
        if connection is not None:
            connection.say_goodbye()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        epoch = failures = 0
        while not self._stopping.is_set():
            epoch += 1
            ending = self._one_connection(epoch)
            if self._stopping.is_set():
                return
            failures = 0 if ending.lasted_ms >= STABLE_S * SECOND_MS else failures + 1
            self._part(ending, self._wait_s(ending, failures))

    def _one_connection(self, epoch: int) -> Ending:
        self._connection = Connection(self._settings, epoch, self._post, self._clock, self._will())
        try:
            # ``stop`` sets the flag, then looks for a connection; we the other way round: one sees the other.
            return Ending("stopped", 0, False) if self._stopping.is_set() else self._connection.run()
        finally:
            self._turned_at = self._clock().mono
            self._connection = None

    def _part(self, ending: Ending, wait_s: float) -> None:
        detail = f"{CLONE_SUSPECTED}: {ending.detail}" if ending.taken_over else ending.detail
        _log.warning("event=disconnected detail=%r lasted_ms=%d next_s=%.1f", detail, ending.lasted_ms, wait_s)
        self._on_trouble(ending.trouble)
        self._post(Disconnected(detail))
        self._turned_at = MonoMs(self._clock().mono + round(wait_s * SECOND_MS))
        self._stopping.wait(wait_s)

    def _wait_s(self, ending: Ending, failures: int) -> float:
        """Full jitter: anything from 0 to a span that doubles, so that a commune does not come back in one second."""
        settings = self._settings
        span_s = min(settings.reconnect_ceiling_s, settings.reconnect_base_s * 2 ** min(failures, DOUBLINGS_MAX))
        jitter_s = random.uniform(0, span_s)
        # Two boxes with one identity would throw each other out for ever; who waits leaves room for the alarm.
        return settings.taken_over_wait_s + jitter_s if ending.taken_over else jitter_s
