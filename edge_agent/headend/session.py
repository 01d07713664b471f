"""Hold the central side's session with the broker. Decides nothing about what is said; a callback only passes on.

The network belongs to one thread of its own. It hands everything to ``post`` and never waits for whoever sends; who
wants to know whether the broker took a message waits in his own thread. That a broker took it does not mean that a
station has it: only the station's answer means that.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.headend.errors import HeadendError
from edge_agent.headend.pki import Issued
from edge_agent.sync.bare_client import BareClient
from edge_agent.sync.client import properties
from edge_agent.sync.guard import PUBLISH
from edge_agent.sync.limits import ANSWER_BYTES_MAX, PACKET_BYTES_MAX

SESSION_EXPIRY_S = 24 * 3_600
# What stations say while the headend is restarted waits at the broker; records wait at the stations anyway.
KEEPALIVE_S = 60
CONNECT_TIMEOUT_S = 30
RECONNECT_S = (1, 60)
QUEUED_MAX = 1_000
# Welcomes and acknowledgements for a commune of 50 stations, twenty times over.
RECEIPTS_KEPT = 1_000
# Message ids are given out in a circle of 65,535, so that an old receipt is gone long before its number comes again.
NO_CONNECTION = (
    "không kết nối được: `broker` có chạy, địa chỉ và chứng thư có đúng? / no connection: is it running, are address "
    "and certificates right?"
)
TAKEN_OVER = 0x8E
NO_SUBSCRIBER = 0x10


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The session stands and its subscriptions are asked for."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The broker is gone; ``for_good`` when another client took our session, so that we must not fight for it."""

    detail: str
    for_good: bool


@dataclass(frozen=True, slots=True)
class Message:
    """Something that came. ``retained`` tells more only where the subscription asked for it (``as_published``)."""

    topic: str
    payload: bytes
    qos: int = 1
    retained: bool = False


Arrival = LinkUp | LinkDown | Message


class Receipt(Enum):
    """What the broker said to a message."""

    TAKEN = "taken"
    NOBODY_LISTENS = "nobody_listens"  # taken, but no station has such a subscription: it will reach nobody


class PublishError(HeadendError):
    """The broker did not take the message, or nobody knows. Sending it again is harmless: stations know its id."""


class _ShortPackets(BareClient):
    """Who holds the broker may promise 256 MiB: what no broker of ours sends ends the connection."""

    def _sock_recv(self, bufsize: int) -> bytes:
        most = PACKET_BYTES_MAX if self._in_packet["command"] & 0xF0 == PUBLISH else ANSWER_BYTES_MAX
        if bufsize > most:
            raise ConnectionAbortedError(f"a packet of {bufsize} bytes")
        return super()._sock_recv(bufsize)


class Session:
    """A session under the id that the certificate names. ``post`` is called in the network thread.

    What is sent to a ``lasting`` one waits at the broker while it is away; any other begins anew each time.
    """

    def __init__(
        self,
        address: BrokerAddress,
        authority: Path,
        identity: Issued,
        client_id: str,
        post: Callable[[Arrival], None],
        filters: Sequence[str] = (),
        *,
        as_published: bool = False,
        lasting: bool = True,
    ) -> None:
        self._address = address
        self._post = post
        self._filters = tuple(filters)
        self._lasting = lasting
        self._wanted = SubscribeOptions(qos=1, retainAsPublished=as_published)
        self._changed = threading.Condition()
        self._connected = False
        self._stopping = False
        self._trouble = "chưa kết nối xong, gửi lại / not connected yet, try again"
        self._receipts: OrderedDict[int, ReasonCode] = OrderedDict()
        self._client = self._new_client(client_id, authority, identity)
        self._thread = threading.Thread(target=self._run, name="headend-mqtt", daemon=True)

    def start(self) -> None:
        """Begin to connect, and to reconnect until stopped. Returns at once."""
        self._client.connect_async(
            self._address.host,
            self._address.port,
            KEEPALIVE_S,
            clean_start=not self._lasting,
            properties=properties(
                PacketTypes.CONNECT,
                SessionExpiryInterval=SESSION_EXPIRY_S if self._lasting else 0,
                MaximumPacketSize=PACKET_BYTES_MAX,
            ),
        )
        self._thread.start()

    def wait_until_up(self, timeout_s: float) -> None:
        """Wait for the session. Raises PublishError with the reason when there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._connected or self._stopping, timeout_s)
            if not self._connected:
                raise PublishError(f"broker {self._address.host}:{self._address.port}: {self._trouble}")

    def send(self, topic: str, payload: bytes, expiry_s: int | None = None) -> bool:
        """Hand a message over (QoS 1, not retained) without waiting; False when there is no session."""
        return self._connected and self._publish(topic, payload, expiry_s) is not None

    def deliver(self, topic: str, payload: bytes, expiry_s: int | None, timeout_s: float) -> Receipt:
        """Send with QoS 1, never retained, and wait for the broker's receipt. Raises PublishError."""
        self.wait_until_up(timeout_s)
        mid = self._publish(topic, payload, expiry_s)
        if mid is None:
            raise PublishError("mất kết nối khi đang gửi, gửi lại / the session broke while sending: publish again")
        with self._changed:
            if not self._changed.wait_for(lambda: mid in self._receipts, timeout_s):
                raise PublishError(
                    f"sau {timeout_s:.0f} giây máy chủ chưa xác nhận đã nhận, gửi lại / no receipt after "
                    f"{timeout_s:.0f} s ({self._trouble or 'connected'}): publish again"
                )
            reason = self._receipts.pop(mid)
        if reason.is_failure:
            raise PublishError(
                f"máy chủ không nhận {topic}, xem quyền của chứng thư / the broker refused it: {reason}; check its "
                "access list"
            )
        return Receipt.NOBODY_LISTENS if reason.value == NO_SUBSCRIBER else Receipt.TAKEN

    def stop(self) -> None:
        """Say goodbye and end the thread; the broker keeps the session."""
        self._stopping = True
        self._client.disconnect()
        if self._thread.is_alive():
            self._thread.join(CONNECT_TIMEOUT_S)

    def _new_client(self, client_id: str, authority: Path, identity: Issued) -> Client:
        tls = client_tls(authority, identity)
        client = _ShortPackets(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTProtocolVersion.MQTTv5)
        client.tls_set_context(tls)
        client.connect_timeout = CONNECT_TIMEOUT_S
        client.reconnect_delay_set(*RECONNECT_S)
        client.max_queued_messages_set(QUEUED_MAX)
        client.on_socket_open = _without_delay
        # Before each connection: ours or the authority's may have been renewed since, and the old one have ended.
        client.on_pre_connect = lambda *_: _load(tls, authority, identity)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        # With this hook a publish from another thread only queues and wakes the loop. Without it that thread would
        # write to the socket itself, in the midst of the loop's own packet.
        client.on_socket_register_write = lambda *_: None
        return client

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._run_until_trouble()
        finally:  # a fault of our own ends this thread: whoever listens must not wait for ever
            if not self._stopping:
                self._fell("the network thread ended", for_good=True)

    def _run_until_trouble(self) -> None:
        # Only loop() makes the pair of sockets by which a publish wakes the network thread: loop_forever() without it
        # sends a second late. Not connected yet, it does nothing else.
        self._client.loop(0)
        try:
            self._client.loop_forever(retry_first_connection=True)
        except (OSError, ValueError) as error:  # the library itself tries again after most, but not after all of them
            self._fell(f"{type(error).__name__}: {error}", for_good=False)
            time.sleep(RECONNECT_S[0])

    def _publish(self, topic: str, payload: bytes, expiry_s: int | None) -> int | None:
        asked = None if expiry_s is None else properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        info = self._client.publish(topic, payload, qos=1, retain=False, properties=asked)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if reason.is_failure:
            self._trouble = f"máy chủ không cho kết nối, xem chứng thư / the broker refused us: {reason}"
            return
        if self._stopping:
            client.disconnect()  # we were told to stop while the connection was being made
            return
        if self._filters:
            client.subscribe([(each, self._wanted) for each in self._filters])
        with self._changed:
            self._connected, self._trouble = True, ""
            self._changed.notify_all()
        self._post(LinkUp())

    def _on_disconnect(self, client: Client, _data: Any, _flags: Any, reason: ReasonCode, _properties: Any) -> None:
        if self._stopping:
            return
        taken_over = reason.value == TAKEN_OVER
        if taken_over:
            self._stopping = True
            client.disconnect()
        self._fell("another client uses our certificate" if taken_over else str(reason), for_good=taken_over)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._trouble = NO_CONNECTION

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return  # no station has such a topic
        self._post(Message(topic, bytes(message.payload), message.qos, message.retain))

    def _on_publish(self, _client: Client, _data: Any, mid: int, reason: ReasonCode, _properties: Any) -> None:
        with self._changed:
            self._receipts[mid] = reason
            while len(self._receipts) > RECEIPTS_KEPT:
                self._receipts.popitem(last=False)
            self._changed.notify_all()

    def _fell(self, detail: str, *, for_good: bool) -> None:
        with self._changed:
            self._connected, self._trouble = False, detail
            self._changed.notify_all()
        self._post(LinkDown(detail, for_good))


def client_tls(authority: Path, identity: Issued) -> ssl.SSLContext:
    """TLS 1.3 with that certificate; the server's must be of that authority."""
    tls = ssl.create_default_context(cafile=authority)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    _load(tls, authority, identity)
    return tls


def _load(tls: ssl.SSLContext, authority: Path, identity: Issued) -> None:
    tls.load_verify_locations(authority)
    tls.load_cert_chain(identity.certificate, identity.key)


def _without_delay(_client: Client, _userdata: Any, sock: Any) -> None:
    """A small message after a small one would wait 40 ms for the peer's delayed acknowledgement."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
