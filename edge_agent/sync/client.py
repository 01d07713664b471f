"""Decide what the MQTT client asks of a broker: how long its session lives, how much may come, which will it leaves."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.core.units import StationId
from edge_agent.sync.bare_client import BareClient
from edge_agent.sync.dial import connected
from edge_agent.sync.guard import GuardedSocket
from edge_agent.sync.limits import PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.tls import Show, client_context
from edge_agent.sync.topics import Up, up_topic
from edge_agent.sync.turns import TurnTakingSocket

SESSION_EXPIRY_S = 24 * 3600
# The broker keeps our queue for a day; what is older comes by the welcome and the headend's repetition.
WILL_DELAY_S = 10
# A short loss of signal is no death: the will is only published when we do not come back within this.
CONNECT_TIMEOUT_S = 30
# Mutual TLS over 3G takes up to 10 s (four round trips of 1–2 s, certificates of 2 kB); the library's 5 s is too short.
DIAL_S = 2 * CONNECT_TIMEOUT_S
# The broker's name, and then its addresses: for each as long as for a handshake.
PING_S_MIN = 5
# However often a broker wants to hear of us: each second is 11 MB of SIM a day.
OUTGOING_MAX = 64
# Messages handed over and not yet acknowledged; a station has one log batch, one state and some answers at a time.
UNSENT_MAX = 4 * OUTGOING_MAX
# Packets of any kind that lie here because the line takes none: our own messages, and what a broker asked for and was
# acknowledged. An honest one has at most OUTGOING_MAX, RECEIVE_MAXIMUM and a ping.
INFLIGHT_MAX = 10
# Under every broker's receive maximum that we know (Mosquitto 20, EMQX 32).


@dataclass(frozen=True, slots=True)
class BrokerSettings:
    """Where the broker is, who we are, and how patient we are."""

    host: str
    port: int
    ca_file: Path
    cert_file: Path
    show: Show
    station: StationId
    area: str
    keepalive_s: int = 60
    reconnect_base_s: float = 5
    reconnect_ceiling_s: float = 120
    # 50,000 stations on one broker node then come back at about 400 TLS handshakes a second, which one core can do.
    taken_over_wait_s: float = 60
    key_in_element: bool = False
    # It is used by turns then: ``turns``.


class _Client(BareClient):
    """Finds and dials the broker's addresses as all else here does: the library would wait for a name for ever.

    TLS still asks for the name, and checks it: the library does that with the socket that it is given here.
    """

    def _create_socket_connection(self) -> socket.socket:
        return connected(self.host, self.port, CONNECT_TIMEOUT_S, time.monotonic() + DIAL_S)


def new_client(settings: BrokerSettings, will: bytes | None) -> Client:
    """A client that has never been connected, without callbacks."""
    client = _Client(
        CallbackAPIVersion.VERSION2, settings.station, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.max_inflight_messages_set(INFLIGHT_MAX)
    client.max_queued_messages_set(OUTGOING_MAX)
    if will is not None:
        delayed = properties(PacketTypes.WILLMESSAGE, WillDelayInterval=WILL_DELAY_S)
        client.will_set(up_topic(settings.station, Up.STATE), will, qos=1, retain=True, properties=delayed)
    return client


def open_client(client: Client, settings: BrokerSettings) -> MQTTErrorCode:
    """Shake hands and ask for our session; blocks up to DIAL_S, and CONNECT_TIMEOUT_S. Raises OSError.

    The certificates are read anew each time, so that a renewed one is used from the next connection on.
    """
    context = client_context(settings.ca_file, settings.cert_file, settings.show)
    made = TurnTakingSocket if settings.key_in_element else GuardedSocket
    client.tls_set_context(cast(ssl.SSLContext, _Wrapping(context, made)))
    asked = properties(
        PacketTypes.CONNECT,
        SessionExpiryInterval=SESSION_EXPIRY_S,
        ReceiveMaximum=RECEIVE_MAXIMUM,
        MaximumPacketSize=PACKET_BYTES_MAX,
    )
    return client.connect(settings.host, settings.port, settings.keepalive_s, clean_start=False, properties=asked)


class _Wrapping:
    """All that the library does with a TLS context; it shakes hands itself, within CONNECT_TIMEOUT_S."""

    def __init__(self, context: ssl.SSLContext, made: type[GuardedSocket]) -> None:
        self.check_hostname = context.check_hostname
        self._context = context
        self._made = made

    def wrap_socket(
        self, plain: socket.socket, server_hostname: str | None = None, *, do_handshake_on_connect: bool
    ) -> GuardedSocket:
        assert not do_handshake_on_connect
        return self._made(plain, self._context, server_hostname)


def keep_pace(client: Client, keepalive_s: int) -> None:
    """Ping as often as was asked for, and sooner where the broker has said so: a proof of life is wanted of it too.

    The library takes over whatever it says, 18 hours too, and after ``keepalive_s`` without an answer we hang up.
    """
    asked_s = client._keepalive or keepalive_s
    client._keepalive = min(keepalive_s, max(PING_S_MIN, asked_s))


def unsent(client: Client) -> int:
    """How many packets of ours wait for the line. The library shows nobody its queue, and gives it no end."""
    return len(client._out_packet)


def properties(packet: int, **values: int) -> Properties:
    """MQTT 5 properties of a packet, by the library's names."""
    made = Properties(packet)  # type: ignore[no-untyped-call]
    for name, value in values.items():
        setattr(made, name, value)
    return made
