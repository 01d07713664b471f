"""TLS keys in a thief's hands, at a real Mosquitto with our files: what each may write and read there, topic by topic.

They tell who is connected, and order nothing: whatever he carries, stations and headend judge what was signed.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId
from edge_agent.headend import pki
from edge_agent.headend.broker import BrokerSetup, Mosquitto
from edge_agent.headend.pki import Authority, Issued
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.mqtt import MqttSession
from edge_agent.sync.tls import client_context
from edge_agent.sync.topics import Up
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import PublicKey, Scheme
from edge_agent.trust.strict_json import dump
from tests.headend.mqtt_client import Client
from tests.sync.rigs import host_clock
from tests.theft.deeds import answers, documents, orders
from tests.theft.network import keeper
from tests.theft.stand import topic_of

pytestmark = pytest.mark.host

MINE, OTHER = "tram-01", "tram-02"
STATIONS = {MINE: "vn/ha-noi/dong-thanh", OTHER: "vn/ha-noi/yen-son"}
AREAS = ("vn", "vn/ha-noi", "vn/ha-noi/dong-thanh", "vn/ha-noi/yen-son", "vn/hue")
DOWN = {f"loa/1/d/{station}/{kind}" for station in STATIONS for kind in ("job", "welcome", "ack")}
OF_AREAS = {f"loa/1/area/{area}/{kind}" for area in AREAS for kind in ("job", "head")}
UP = {f"loa/1/u/{station}/{kind}" for station in STATIONS for kind in Up}
TOPICS = sorted(DOWN | OF_AREAS | UP | {"loa/1/elsewhere", "elsewhere"})
TIMEOUT_S = 30
END = b"that was all"


def own(topics: set[str], station: str) -> set[str]:
    return {topic for topic in topics if f"/{station}/" in topic}


def of_its_areas(station: str) -> set[str]:
    return {one for one in OF_AREAS if STATIONS[station].startswith(one.split("/", 3)[3].rpartition("/")[0])}


WRITES = {
    MINE: own(UP, MINE),
    "publisher": {one for one in DOWN if one.endswith("/job")} | OF_AREAS,
    "headend": DOWN | OF_AREAS,
    "nobody": set[str](),
}
READS = {
    MINE: own(DOWN, MINE) | of_its_areas(MINE),
    "publisher": {one for one in UP if one.endswith(("/answer", "/plan"))},
    "headend": UP,
    "nobody": set[str](),
}
"""What each key may write and read. "nobody" has a certificate of this network, in a name that no list knows."""


@dataclass
class Net:
    """A broker, and whoever has a key of the authority's."""

    directory: Path
    authority: Authority
    mosquitto: Mosquitto
    stack: ExitStack

    def client(self, name: str) -> Client:
        identity = pki.issue_client(self.authority, self.directory / "clients", name)
        client = Client(self.authority.path, identity, self.mosquitto.port, name)
        self.stack.callback(client.close)
        return client

    def server(self, name: str) -> Issued:
        return pki.issue_server(self.authority, self.directory / "servers", name)


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Net]:
    with running(tmp_path) as net:
        yield net


@contextmanager
def running(directory: Path, authority: Authority | None = None, **over: Any) -> Iterator[Net]:
    authority = authority or pki.create_authority(directory / "pki", "demo")
    identity = pki.issue_server(authority, directory / "pki", "broker")
    setup = BrokerSetup(directory / "broker", authority.path, identity, STATIONS, **over)
    with Mosquitto(setup) as mosquitto, ExitStack() as stack:
        yield Net(directory, authority, mosquitto, stack)


def everybody(net: Net) -> dict[str, Client]:
    """All who have a key, each with an ear for everything that the broker lets it hear."""
    clients = {name: net.client(name) for name in (*WRITES, OTHER)}
    for client in clients.values():
        client.subscribe("#", "loa/1/#", "loa/1/u/+/#", "loa/1/d/+/#", "$share/thieves/loa/1/#")
    return clients


def written(client: Client) -> set[str]:
    """Where the broker takes what it says."""
    return {topic for topic in TOPICS if client.publish(topic, topic.encode()) != "Not authorized"}


def heard(client: Client, *, ends: bool) -> set[str]:
    """On which topics something came; up to the last message, where one ``ends`` it."""
    if not ends:
        client.subscribe("loa/1/#")  # its answer comes behind whatever came before
        return {client.next()[0] for _ in range(client.arrived.qsize())}
    topics = set()
    while (message := client.next())[1] != END:
        topics.add(message[0])
    return topics


def test_each_tls_key_writes_and_reads_what_the_table_says_and_nothing_else(net: Net) -> None:
    clients = everybody(net)
    wrote = {name: written(client) for name, client in clients.items()}
    assert {name: wrote[name] for name in WRITES} == WRITES
    assert frozenset().union(*wrote.values()) >= DOWN | OF_AREAS | UP, "each topic was spoken on by somebody"
    clients["headend"].publish(f"loa/1/d/{MINE}/job", END)
    clients[MINE].publish(f"loa/1/u/{MINE}/answer", END)
    assert {name: heard(clients[name], ends=bool(READS[name])) for name in READS} == READS


def test_an_access_list_that_was_widened_is_seen(tmp_path: Path) -> None:
    with running(tmp_path, publishers=("publisher", MINE)) as net:
        assert written(net.client(MINE)) - WRITES[MINE] == WRITES["publisher"]


def test_whoever_has_the_authoritys_key_is_whom_he_likes_on_the_broker(net: Net) -> None:
    """He makes himself a certificate in any name: the access list is his."""
    stolen = pki.load_authority(net.directory / "pki")
    forged = pki.issue_client(stolen, net.directory / "forged", "headend")
    thief = Client(net.authority.path, forged, net.mosquitto.port, "headend")
    net.stack.callback(thief.close)
    assert written(thief) == WRITES["headend"]


@pytest.mark.parametrize("name", ["headend", "tram-01", "broker", "content", "ca"])
def test_no_tls_key_signs_what_a_station_obeys(tmp_path: Path, name: str) -> None:
    """It could sign, by its kind: it is a P-256 key as some officers have, and stands in no trust document."""
    authority = pki.create_authority(tmp_path, "test")
    issue = pki.issue_server if name in ("broker", "content") else pki.issue_client
    path = tmp_path / "ca.key" if name == "ca" else issue(authority, tmp_path, name).key
    thief, station = TlsSigner(path), keeper()
    for payload in (*orders().values(), *answers().values(), *documents().values()):
        judgement = station.judge(topic_of(payload), sign(payload_type(payload["type"]), dump(payload), [thief]))
        assert isinstance(judgement, Rejected)
        assert judgement.reason is Reason.SIGNATURE_INVALID


class TlsSigner:
    """A TLS key that signs orders, as a token would."""

    def __init__(self, path: Path) -> None:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        assert isinstance(key, EllipticCurvePrivateKey)
        self._private = key
        form = serialization.PublicFormat.UncompressedPoint
        point = key.public_key().public_bytes(serialization.Encoding.X962, form)
        self.public = PublicKey(Scheme.ECDSA_P256, point)
        self.keyid = self.public.keyid

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, ECDSA(SHA256()))


def test_a_revoked_certificate_connects_no_more(tmp_path: Path) -> None:
    authority = pki.create_authority(tmp_path / "pki", "demo")
    stolen, honest = (pki.issue_client(authority, tmp_path / name, MINE) for name in ("stolen", "honest"))
    pki.revoke(tmp_path / "pki", [x509.load_pem_x509_certificate(stolen.certificate.read_bytes())])
    with running(tmp_path, authority, revoked=pki.revocations(tmp_path / "pki")) as net:
        station = Client(authority.path, honest, net.mosquitto.port, MINE)
        net.stack.callback(station.close)
        assert station.connack == "Success", "the same name goes on, by another key"
        refused_at(net, stolen)


# What is no client's does not connect as one, and what is no server's is believed by no station.


@pytest.mark.parametrize("name", ["broker", "content"])
def test_a_servers_key_is_no_clients_at_the_broker(net: Net, name: str) -> None:
    refused_at(net, net.server(name))


def refused_at(net: Net, identity: Issued) -> None:
    """The broker ends the handshake with whoever shows this."""
    tls = client_context(net.authority.path, identity.certificate, TlsKey(identity.key).show)
    with (
        socket.create_connection(("127.0.0.1", net.mosquitto.port), timeout=TIMEOUT_S) as plain,
        pytest.raises(OSError, match=r"(?i)alert|closed|reset|unknown error"),
    ):
        greet(tls.wrap_socket(plain, server_hostname="localhost"))


def greet(connection: ssl.SSLSocket) -> None:
    """TLS 1.3 tells a client that its certificate is refused only when it reads."""
    connection.send(b"\x10")
    if connection.recv(1) == b"":
        raise ConnectionResetError("closed")


@pytest.mark.parametrize(
    ("kind", "host", "believed"),
    [
        ("broker", "localhost", True),
        ("content", "localhost", True),  # both servers' names are the same host's here, so either key is the other's
        ("content", "127.0.0.2", False),
        ("tram-01", "localhost", False),
        ("headend", "localhost", False),
    ],
)
def test_whom_a_station_believes_to_be_its_broker(tmp_path: Path, kind: str, host: str, believed: bool) -> None:
    """Its session says nothing to anybody else."""
    authority = pki.create_authority(tmp_path, "demo")
    issue = pki.issue_server if kind in ("broker", "content") else pki.issue_client
    mine = pki.issue_client(authority, tmp_path / "mine", MINE)
    with answering(issue(authority, tmp_path, kind), host) as (port, heard):
        shown, name = TlsKey(mine.key).show, StationId(MINE)
        settings = BrokerSettings(host, port, authority.path, mine.certificate, shown, name, STATIONS[MINE])
        session = MqttSession(settings, lambda event: None, host_clock, lambda: b"will")
        session.start()
        said = heard.get(timeout=TIMEOUT_S)
        session.stop()
    assert (MINE.encode() in said) is believed


@contextmanager
def answering(identity: Issued, host: str) -> Iterator[tuple[int, queue.Queue[bytes]]]:
    """A server with this key, on a port of its own: what the first who comes says to it, which may be nothing."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key)
    heard: queue.Queue[bytes] = queue.Queue()

    def answer() -> None:
        said = b""
        with suppress(OSError), tls.wrap_socket(listener.accept()[0], server_side=True) as connection:
            said = connection.recv(1_024)
        heard.put(said)

    with socket.create_server((host, 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1], heard
        thread.join()
