"""A bare MQTT 5 client with a memory, for tests: whoever its certificate says, honest or not."""

from __future__ import annotations

import queue
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.headend.pki import Issued

TIMEOUT_S = 30
# Only there so that a fault cannot hang the tests.


class Client:
    """Connected from construction to ``close``; what arrives waits in ``arrived``."""

    def __init__(
        self, authority: Path, identity: Issued, port: int, client_id: str, will: tuple[str, bytes] | None = None
    ) -> None:
        self.arrived: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._connected: queue.Queue[str] = queue.Queue()
        self._granted: queue.Queue[int] = queue.Queue()
        self._receipts: queue.Queue[tuple[int, str]] = queue.Queue()
        self.mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5)
        tls = ssl.create_default_context(cafile=str(authority))
        tls.load_cert_chain(identity.certificate, identity.key)
        self.mqtt.tls_set_context(tls)
        if will is not None:
            self.mqtt.will_set(will[0], will[1], qos=1, retain=True)
        self.mqtt.on_connect = lambda client, data, flags, code, properties: self._connected.put(str(code))
        self.mqtt.on_message = lambda client, data, message: self.arrived.put((message.topic, message.payload))
        self.mqtt.on_subscribe = lambda client, data, mid, codes, properties: self._granted.put(mid)
        self.mqtt.on_publish = lambda client, data, mid, code, properties: self._receipts.put((mid, str(code)))
        session = Properties(PacketTypes.CONNECT)
        session.SessionExpiryInterval = 3600
        self.mqtt.connect("localhost", port, clean_start=False, properties=session)
        self.mqtt.loop_start()
        self.connack = self._connected.get(timeout=TIMEOUT_S)

    def subscribe(self, *filters: str) -> None:
        self.mqtt.subscribe([(topic, SubscribeOptions(qos=1)) for topic in filters])
        self._granted.get(timeout=TIMEOUT_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> str:
        """Send with QoS 1; returns the reason in the broker's receipt ("Success", "Not authorized", …)."""
        sent = self.mqtt.publish(topic, payload, qos=1, retain=retain).mid
        while True:
            mid, reason = self._receipts.get(timeout=TIMEOUT_S)
            if mid == sent:
                return reason

    def next(self) -> tuple[str, bytes]:
        return self.arrived.get(timeout=TIMEOUT_S)

    def break_off(self) -> None:
        """Vanish without a goodbye, so that the broker sends the will."""
        self.mqtt.socket().shutdown(2)  # type: ignore[union-attr]
        self.mqtt.loop_stop()

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()
