"""One connection to the broker, from the TLS handshake to its end; the MQTT client lives and dies with it.

The library's outgoing queue lives in memory and is sent again after a reconnect, long after the caller has made other
plans. A client per connection has no such past: what was not sent is gone, and the caller hears of the new connection.
All socket work happens in the thread that calls ``run``; ``publish`` and ``ack`` may come from any thread.
"""

from __future__ import annotations

import logging
import secrets
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from paho.mqtt import MQTTException
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.core.clock_trust import Now
from edge_agent.core.events import AckToken, Connected, Event, MessageArrived
from edge_agent.core.units import SECOND_MS, MonoMs
from edge_agent.sync.client import OUTGOING_MAX, UNSENT_MAX, BrokerSettings, keep_pace, new_client, open_client, unsent
from edge_agent.sync.guard import GuardedSocket, PacketGuard
from edge_agent.sync.limits import PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.tls import clock_dates_certificates, dates_trouble
from edge_agent.sync.tls_trouble import DatesTrouble, TlsTrouble, trouble_in
from edge_agent.sync.topics import subscriptions

DIAL_S_MAX = 24 * 3_600
# Before the first turn, while a name is asked for, connected to and shaken hands with, time is the network's: up to
# DIAL_S and CONNECT_TIMEOUT_S (``client``), far longer than a turn may take. Whoever answers for the name must not be
# able to end a process that plays on from its cache. What hangs for a day all the same hangs for good.
ESTABLISH_S = 60
# From the handshake to the SUBACK: two round trips, and a broker to which a whole commune comes back. Not from the
# start: name, dead addresses and handshake may take longer by themselves, and would at each attempt. What the broker
# has kept for us comes before its SUBACK, and anew at the next attempt: each of these messages, RECEIVE_MAXIMUM at
# most, begins the time anew.
LOOP_S = 1.0
# How often deadlines are looked at; outgoing messages wake the loop at once.
FLUSH_S = 5
# How long a proper goodbye waits for the broker to acknowledge what was sent before it.
TAKEN_OVER = 0x8E
BROKER_NONSENSE = (OSError, ValueError, LookupError, TypeError, AssertionError, struct.error, MQTTException)
# What the library raises while it reads packets that are none. It must cost the connection, not the process.

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a connection ended, how long it was up (0: never), whether another client took our session, and what is wrong
    with certificates, if they are the reason."""

    detail: str
    lasted_ms: int
    taken_over: bool
    trouble: TlsTrouble | None = None


class CallbackFailed(RuntimeError):
    """Our own code failed inside the library's loop. Not the broker's fault, so nobody catches it: the process ends."""


class Connection:
    """One attempt. ``run`` blocks until it is over; the other methods never do.

    ``turned_at`` is when the thread in ``run`` came by last (boot time), or until when it may stand still at most.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        epoch: int,
        post: Callable[[Event], None],
        clock: Callable[[], Now],
        will: bytes | None,
    ) -> None:
        self._settings = settings
        self._epoch = epoch
        self._post = post
        self._clock = clock
        self._filters = subscriptions(settings.station, settings.area)
        self._changed = threading.Condition()
        self._up_since: MonoMs | None = None
        self._leaving = False
        self._outgoing = 0
        self._unacked: set[int] = set()
        self._early: list[MessageArrived] = []
        self._early_at = MonoMs(0)
        self._subscribe_mid: int | None = None
        self._guard = PacketGuard()
        self._answers = 0
        self._dates_checked = False
        self._detail = ""
        self._trouble: TlsTrouble | None = None
        self._taken_over = False
        self._turned_away = 0
        self.proven_at = MonoMs(0)
        self.turned_at = MonoMs(clock().mono + DIAL_S_MAX * SECOND_MS)
        self._client = self._new_client(will)

    def run(self) -> Ending:
        """Connect, serve until the end, and say why it ended. Raises CallbackFailed only."""
        try:
            if self._stands(lambda: open_client(self._client, self._settings)):
                self._serve()
        finally:
            since = self._close()
        lasted_ms = 0 if since is None else self._clock().mono - since
        return Ending(self._detail or "connection lost", lasted_ms, self._taken_over, self._trouble)

    def publish(self, topic: str, payload: bytes, qos: int, retain: bool) -> bool:
        """Hand a message to the library; False if there is no session or too much is under way already."""
        if len(topic) + len(payload) + 16 > PACKET_BYTES_MAX:
            _log.error("event=message_too_large topic=%s bytes=%d next=dropped", topic, len(payload))
            return False
        with self._changed:
            if self._up_since is None or self._leaving or self._outgoing >= OUTGOING_MAX:
                return False
            self._outgoing += 1
        if self._client.publish(topic, payload, qos, retain).rc == MQTTErrorCode.MQTT_ERR_SUCCESS:
            return True
        self._one_out()
        return False

    def ack(self, token: AckToken) -> None:
        """Acknowledge a delivery of this connection, once; any other token is ignored."""
        with self._changed:
            if token.epoch != self._epoch or self._up_since is None or token.mid not in self._unacked:
                return
            self._unacked.remove(token.mid)
        self._client.ack(token.mid, 1)

    def say_goodbye(self) -> None:
        """Wait until what was sent is acknowledged (at most FLUSH_S), then disconnect so that no will is published."""
        with self._changed:
            self._changed.wait_for(lambda: self._outgoing == 0 or self._up_since is None, FLUSH_S)
            self._leaving = True
        self._client.disconnect()

    def _new_client(self, will: bytes | None) -> Client:
        client = new_client(self._settings, will)
        client.on_socket_open = self._on_socket_open
        client.on_socket_register_write = lambda *_: None
        # Without this hook a publish from another thread would write to the socket itself, in the midst of the loop's
        # own packet; with it the library only queues and wakes the loop.
        client.on_connect = _guarded(self._on_connect)
        client.on_subscribe = _guarded(self._on_subscribe)
        client.on_message = _guarded(self._on_message)
        client.on_publish = _guarded(self._on_publish)
        client.on_disconnect = _guarded(self._on_disconnect)
        return client

    def _serve(self) -> None:
        begun = self._clock().mono
        while self._stands(lambda: self._client.loop(LOOP_S)):
            if self._leaving:
                self._client.disconnect()
            self._note_answers()
            self.turned_at = self._clock().mono
            self._detail = self._detail or self._overdue(begun) or self._piled_up() or str(self._dates() or "")
            if self._detail:
                return

    def _stands(self, turn: Callable[[], MQTTErrorCode]) -> bool:
        """Let the library take a turn. False when the connection is over; what the broker made it raise says why."""
        try:
            return turn() == MQTTErrorCode.MQTT_ERR_SUCCESS
        except BROKER_NONSENSE as error:
            self._trouble = trouble_in(error, self._settings.host)
            self._detail = self._detail or str(self._trouble or f"{type(error).__name__}: {error}")
            return False

    def _close(self) -> MonoMs | None:
        """Give everything back; a half-open connection may hold unsent bytes, so nothing more is written to it."""
        with self._changed:
            since, self._up_since = self._up_since, None
            self._changed.notify_all()
        if (sock := self._client.socket()) is not None:
            sock.close()
        client = self._client
        client.on_socket_open = client.on_connect = client.on_subscribe = None
        client.on_message = client.on_publish = client.on_disconnect = None
        if self._turned_away > 1:
            _log.warning("event=turned_away_in_all messages=%d", self._turned_away)
        return since

    def _note_answers(self) -> None:
        """Liveness is a round trip: an answer of the broker, not a socket that still takes bytes."""
        if self._answers != self._guard.answers:
            self._answers = self._guard.answers
            self.proven_at = self._clock().mono

    def _overdue(self, begun: MonoMs) -> str | None:
        now = self._clock().mono
        if self._up_since is None:
            return "no session in time" if now - max(begun, self._early_at) > ESTABLISH_S * SECOND_MS else None
        silent_ms = now - self.proven_at
        # The library pings when a keepalive has passed; 5/12 more is time for the answer, before the broker's 18/12.
        patience_ms = self._settings.keepalive_s * SECOND_MS * 17 // 12
        return f"no answer for {silent_ms} ms" if silent_ms > patience_ms else None

    def _piled_up(self) -> str | None:
        """Whoever asks for answers and takes none would have all our memory: 400 bytes for each of his few."""
        waiting = unsent(self._client)
        return f"broker takes nothing, {waiting} packets wait for it" if waiting > UNSENT_MAX else None

    def _dates(self) -> TlsTrouble | None:
        """The dates of the certificates, as soon as the clock is fit to judge them."""
        now = self._clock()
        sock = self._client.socket()
        if self._dates_checked or not isinstance(sock, GuardedSocket) or not clock_dates_certificates(now):
            return None
        self._dates_checked = True
        self._trouble = dates_trouble(sock.tls, now)
        return self._trouble

    def _on_socket_open(self, _client: Client, _userdata: Any, sock: Any) -> None:
        """After the handshake, before the first byte of MQTT."""
        assert isinstance(sock, GuardedSocket)
        # A small answer after a small message would wait 40 ms for the peer's delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.guard = self._guard
        if trouble := self._dates():
            raise DatesTrouble(trouble)

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._detail = f"broker refused: {reason} (0x{reason.value:02x})"
            return
        keep_pace(client, self._settings.keepalive_s)
        wanted = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        _, self._subscribe_mid = client.subscribe([(each, wanted) for each in self._filters])

    def _on_subscribe(self, _client: Client, _userdata: Any, mid: int, codes: Any, _properties: Any) -> None:
        """The session stands. What was granted is only noted: a broker grants what its ACL forbids, and the reverse."""
        if mid != self._subscribe_mid or self._up_since is not None:
            return
        refused = [each for each, code in zip(self._filters, codes, strict=False) if code.is_failure]
        _log.info("event=subscribed epoch=%d granted=%d refused=%s", self._epoch, len(codes) - len(refused), refused)
        self._note_answers()
        with self._changed:
            self._up_since = self.proven_at
        self._post(Connected(self._epoch, secrets.token_hex(16)))
        for message in self._early:
            self._post(message)
        self._early.clear()

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        topic = _topic(message)
        if message.qos != 1 or message.retain or topic not in self._filters:
            self._turn_away(client, message, topic)
            return
        with self._changed:
            if message.mid in self._unacked:
                # They are counted by their ids: under one id any number of messages would lie in memory.
                self._detail = self._detail or f"broker sent a message under an id that is not free: {message.mid}"
                return
            self._unacked.add(message.mid)
            if len(self._unacked) > RECEIVE_MAXIMUM:
                self._detail = f"broker sent more than {RECEIVE_MAXIMUM} unacknowledged messages"
                return
        arrived = MessageArrived(topic, bytes(message.payload), AckToken(self._epoch, message.mid))
        if self._up_since is None:
            self._early.append(arrived)
            self._early_at = self._clock().mono
        else:
            self._post(arrived)

    def _turn_away(self, client: Client, message: MQTTMessage, topic: str) -> None:
        """Only the first is named: journald takes so many lines in a while, and those are not for a broker to fill."""
        if self._turned_away == 0:
            what = (topic, message.qos, message.retain)
            _log.warning("event=turned_away topic=%.120a qos=%d retain=%s next=others are counted", *what)
        self._turned_away += 1
        if message.qos == 1:
            client.ack(message.mid, 1)

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            _log.warning("event=publish_refused mid=%d reason=%s", mid, reason)
        self._one_out()

    def _on_disconnect(self, _client: Client, _userdata: Any, flags: Any, reason: ReasonCode, _properties: Any) -> None:
        self._taken_over = flags.is_disconnect_packet_from_server and reason.value == TAKEN_OVER
        if self._guard.alert is not None and self._trouble is None:
            self._trouble = trouble_in(self._guard.alert, self._settings.host)
            self._detail = self._detail or str(self._trouble or "")
        who = "broker" if flags.is_disconnect_packet_from_server else "connection"
        self._detail = self._detail or self._guard.refused or f"{who}: {reason} (0x{reason.value:02x})"

    def _one_out(self) -> None:
        with self._changed:
            self._outgoing -= 1
            self._changed.notify_all()


def _topic(message: MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""


def _guarded(callback: Callable[..., None]) -> Callable[..., None]:
    """Tell our own failures from the broker's: whatever a callback raises comes out of the loop as CallbackFailed."""

    def run(*arguments: Any) -> None:
        try:
            callback(*arguments)
        except Exception as error:
            raise CallbackFailed(f"{callback.__qualname__}: {type(error).__name__}: {error}") from error

    return run
