"""What the kit does at the broker that a headend never does: retained orders, other QoS, taking a station's session.

Decides nothing about what is sent. The ordinary side (connecting, receipts) is ``headend.session``'s.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.headend.keyring import HEADEND_ID, Keyring
from edge_agent.headend.session import (
    SESSION_EXPIRY_S,
    Arrival,
    BrokerAddress,
    PublishError,
    Session,
    client_tls,
)
from edge_agent.sync.client import properties
from edge_agent.sync.topics import ROOT

HANDSHAKE_S = 30
TURN_S = 0.1
LISTENS_TO = (f"{ROOT}/u/+/#",)


class Hand(Session):
    """The headend's own session, with the freedom to misbehave. What arrives waits in ``arrivals``, each with the
    instant (monotonic) of its arrival: whoever takes it may be busy for a while."""

    def __init__(self, keyring: Keyring, address: BrokerAddress) -> None:
        self.arrivals: queue.SimpleQueue[tuple[float, Arrival]] = queue.SimpleQueue()
        super().__init__(
            address,
            keyring.authority_path,
            keyring.client(HEADEND_ID),
            HEADEND_ID,
            lambda arrival: self.arrivals.put((time.monotonic(), arrival)),
            LISTENS_TO,
            as_published=True,
        )

    def ask_anew(self) -> None:
        """Subscribe from nothing: the broker hands out what it retains, and forgets how we were subscribed before
        (Mosquitto changes no options of a subscription that exists)."""
        self._client.unsubscribe(list(LISTENS_TO))
        self._client.subscribe([(each, self._wanted) for each in LISTENS_TO])

    def lay(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None:
        """Publish as no headend should: retained, or with QoS 0. Returns when it is handed over."""
        sent = self._client.publish(topic, payload, qos=qos, retain=retain)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise PublishError("the session broke while sending: run again")
        sent.wait_for_publish(HANDSHAKE_S)

    def forget(self, topic: str) -> None:
        """Let the broker forget what it retains there; sent later where the session is broken now."""
        self._client.publish(topic, b"", qos=1, retain=True)


class TakenOver(AbstractContextManager["TakenOver"]):
    """The station's session, ended and begun anew by its own certificate: its will is published at once (the session
    ends), and it finds another session when it comes back. Leaves properly; the new session stays."""

    def __init__(self, keyring: Keyring, address: BrokerAddress, station: str) -> None:
        identity = keyring.folder(station).tls
        if not identity.certificate.exists() or not identity.key.exists():
            raise CannotTry(f"the station's certificate is not in {identity.certificate.parent}")
        self._address = address
        self._client = Client(CallbackAPIVersion.VERSION2, station, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.tls_set_context(client_tls(keyring.authority_path, identity))
        self._granted = False

    def __enter__(self) -> TakenOver:
        asked = properties(PacketTypes.CONNECT, SessionExpiryInterval=SESSION_EXPIRY_S)
        self._client.on_subscribe = lambda *_: setattr(self, "_granted", True)
        try:
            self._client.connect(
                self._address.host, self._address.port, HANDSHAKE_S, clean_start=True, properties=asked
            )
        except OSError as error:
            raise CannotTry(f"the broker does not let the station's certificate in: {error}") from error
        self._turn_until(self._client.is_connected)
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._client.disconnect()
        self._client.loop(TURN_S)

    def subscribe(self, topic: str) -> None:
        """Ask for a topic in the station's name, so that what comes now waits for it."""
        wanted = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
        self._client.subscribe([(topic, wanted)])
        self._turn_until(lambda: self._granted)

    def _turn_until(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + HANDSHAKE_S
        while not done():
            if self._client.loop(TURN_S) != MQTTErrorCode.MQTT_ERR_SUCCESS or time.monotonic() > until:
                raise CannotTry("the broker does not let the station's certificate in")
