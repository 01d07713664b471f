"""The central side's session with a real broker, and a station that has gone over to the attacker."""

from __future__ import annotations

import queue
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_agent.headend import pki
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.session import Arrival, BrokerAddress, LinkDown, LinkUp, Message, Session
from edge_agent.sync.limits import ANSWER_BYTES_MAX, PACKET_BYTES_MAX
from tests.headend.mqtt_client import TIMEOUT_S, Client
from tests.host.hostile_broker import Wire, hostile_broker, packet, var_int

pytestmark = pytest.mark.host

STATION = "tram-01"
TOPIC = f"loa/1/u/{STATION}/heartbeat"
USER_PROPERTIES = b"\x26\0\0\0\0" * 13_000
# As many as a packet of 64 KiB holds; a broker passes them on unread.
PACKETS = 10
HUNG_UP_S = 20
# Else it would be waited for as long as the broker answers pings; this one gives up after 30.
AS_LONG = 20
# Times the work for packets of that length without them; with them it was some hundred.


@pytest.fixture
def authority(tmp_path: Path) -> pki.Authority:
    return pki.create_authority(tmp_path / "pki", "demo")


@pytest.fixture
def broker(authority: pki.Authority, tmp_path: Path) -> Iterator[Mosquitto]:
    identity = pki.issue_server(authority, tmp_path / "pki", "broker")
    with Mosquitto(
        BrokerSetup(tmp_path / "broker", authority.path, identity, {STATION: "vn/ha-noi/dong-thanh"})
    ) as running:
        yield running


def heartbeat(properties: bytes, payload: bytes) -> bytes:
    topic = len(TOPIC).to_bytes(2) + TOPIC.encode()
    return packet(0x30, topic + var_int(len(properties)) + properties + payload)


def test_a_station_whose_messages_are_full_of_properties_keeps_the_centre_from_no_other(
    broker: Mosquitto, authority: pki.Authority, tmp_path: Path
) -> None:
    came: queue.Queue[Arrival] = queue.Queue()
    headend = pki.issue_client(authority, tmp_path / "clients", "headend")
    address = BrokerAddress("localhost", broker.port)
    session = Session(address, authority.path, headend, "headend", came.put, ["loa/1/u/+/heartbeat"])
    session.start()
    station = pki.issue_client(authority, tmp_path / "clients", STATION)
    stolen = Client(authority.path, station, broker.port, STATION)
    stolen.mqtt.loop_stop()  # from here on we write to its line ourselves
    line = stolen.mqtt.socket()
    assert isinstance(line, ssl.SSLSocket)
    line.setblocking(True)

    def work_s(message: bytes) -> float:
        begun = time.process_time()
        line.sendall(message * PACKETS)
        for _ in range(PACKETS):
            assert isinstance(came.get(timeout=TIMEOUT_S), Message)
        return time.process_time() - begun

    try:
        assert isinstance(came.get(timeout=TIMEOUT_S), LinkUp)
        session.deliver(f"loa/1/d/{STATION}/ack", b"", None, TIMEOUT_S)  # behind the subscription
        plain = min(work_s(heartbeat(b"", USER_PROPERTIES)) for _ in range(3))
        assert min(work_s(heartbeat(USER_PROPERTIES, b"")) for _ in range(3)) < AS_LONG * plain
    finally:
        line.close()
        session.stop()


def test_a_certificate_that_was_renewed_is_shown_at_the_next_connection(
    broker: Mosquitto, authority: pki.Authority, tmp_path: Path
) -> None:
    # Of a `watch` that has run for years the first one has ended; stations would have no time until it is restarted.
    came: queue.Queue[Arrival] = queue.Queue()
    headend = pki.issue_client(authority, tmp_path / "clients", "headend", datetime.now(UTC) - timedelta(days=900))
    session = Session(BrokerAddress("localhost", broker.port), authority.path, headend, "headend", came.put)
    session.start()
    try:
        assert isinstance(came.get(timeout=TIMEOUT_S), LinkDown)
        pki.renew(authority, headend)
        while not isinstance(came.get(timeout=TIMEOUT_S), LinkUp):
            pass  # tried once more with the old one
    finally:
        session.stop()


@pytest.mark.parametrize(
    "begins",
    [b"\x30" + var_int(PACKET_BYTES_MAX + 1), b"\x90" + var_int(ANSWER_BYTES_MAX + 1)],
    ids=["a message", "an answer"],
)
def test_a_packet_longer_than_any_that_a_broker_sends_is_neither_waited_for_nor_kept(
    authority: pki.Authority, tmp_path: Path, begins: bytes
) -> None:
    """Whoever holds the broker would have 256 MiB of each in memory, or properties that take days to unpack."""

    def promises_much(wire: Wire) -> None:
        wire.establish()
        wire.write(begins + bytes(100))
        wire.until_hung_up()

    headend = pki.issue_client(authority, tmp_path / "clients", "headend")
    with hostile_broker(tmp_path, authority, promises_much) as (port, ended):
        address = BrokerAddress("localhost", port)
        session = Session(address, authority.path, headend, "headend", lambda _: None, ["loa/1/u/+/heartbeat"])
        session.start()
        try:
            ended.get(timeout=HUNG_UP_S)
        finally:
            session.stop()
