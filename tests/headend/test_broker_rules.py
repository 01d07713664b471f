"""A real Mosquitto with our files: nobody gets at what is another's, and a restart loses nothing."""

from __future__ import annotations

import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.headend import broker as setting_up
from edge_agent.headend import pki
from edge_agent.headend.broker import BrokerError, BrokerSetup, Mosquitto
from tests.headend.mqtt_client import Client
from tests.host.ports import free_port

pytestmark = pytest.mark.host

Connect = Callable[..., Client]
REFUSED = r"(?i)alert|closed|reset|unknown error"  # the last one is what Python 3.11 makes of a reset


@pytest.fixture
def authority(tmp_path: Path) -> pki.Authority:
    return pki.create_authority(tmp_path / "pki", "demo")


@pytest.fixture
def broker(authority: pki.Authority, tmp_path: Path) -> Iterator[Mosquitto]:
    identity = pki.issue_server(authority, tmp_path / "pki", "broker")
    stations = {"tram-01": "vn/ha-noi/dong-thanh", "tram-02": "vn/ha-noi/yen-son"}
    with Mosquitto(BrokerSetup(tmp_path / "broker", authority.path, identity, stations), free_port()) as running:
        yield running


@pytest.fixture
def connect(broker: Mosquitto, authority: pki.Authority, tmp_path: Path) -> Iterator[Connect]:
    with ExitStack() as open_clients:

        def connected(name: str, client_id: str | None = None) -> Client:
            identity = pki.issue_client(authority, tmp_path / "clients", name)
            client = Client(authority.path, identity, broker.port, name if client_id is None else client_id)
            open_clients.callback(client.close)
            return client

        yield connected


def test_a_station_hears_its_own_and_its_areas_orders_only(connect: Connect) -> None:
    headend, station = connect("headend"), connect("tram-01")
    station.subscribe("loa/1/#")  # asked for everything, and granted: what counts is what is delivered
    for topic in ("d/tram-02/job", "area/vn/ha-noi/yen-son/job", "area/vn/ha-noi/job", "d/tram-01/welcome"):
        assert headend.publish(f"loa/1/{topic}", topic.encode()) in ("Success", "No matching subscribers")
    assert [station.next()[0], station.next()[0]] == ["loa/1/area/vn/ha-noi/job", "loa/1/d/tram-01/welcome"]
    assert station.arrived.empty()


@pytest.mark.parametrize(
    "topic",
    [
        "loa/1/u/tram-02/state",
        "loa/1/d/tram-01/job",
        "loa/1/d/tram-02/job",
        "loa/1/area/vn/job",
        "loa/1/area/vn/ha-noi/dong-thanh/job",
        "elsewhere",
    ],
)
def test_a_station_cannot_speak_as_another_or_give_orders(connect: Connect, topic: str) -> None:
    headend, station = connect("headend"), connect("tram-01")
    headend.subscribe("loa/1/u/+/#")
    assert station.publish(topic, b"forged") == "Not authorized"
    assert station.publish("loa/1/u/tram-01/hello", b"honest") == "Success"
    assert headend.next() == ("loa/1/u/tram-01/hello", b"honest")


def test_a_station_cannot_fill_the_broker_with_retained_messages_on_topics_without_number(connect: Connect) -> None:
    headend, station = connect("headend"), connect("tram-01")
    for topic in ("state/1", "other", "state/a/b"):
        assert station.publish(f"loa/1/u/tram-01/{topic}", b"kept for ever", retain=True) == "Not authorized"
    assert station.publish("loa/1/u/tram-01/state", b"its own", retain=True) == "No matching subscribers"
    headend.subscribe("loa/1/u/+/#")
    assert headend.next() == ("loa/1/u/tram-01/state", b"its own")
    assert headend.arrived.empty()


def test_who_publishes_hears_answers_and_plans_and_nothing_else_of_stations(connect: Connect) -> None:
    publisher, station = connect("publisher"), connect("tram-01")
    publisher.subscribe("loa/1/u/+/#")
    for kind in ("state", "log", "answer", "heartbeat", "plan"):
        station.publish(f"loa/1/u/tram-01/{kind}", kind.encode())
    assert publisher.next() == ("loa/1/u/tram-01/answer", b"answer")
    assert publisher.next() == ("loa/1/u/tram-01/plan", b"plan")
    assert publisher.publish("loa/1/u/tram-01/answer", b"forged") == "Not authorized"


def test_a_stations_certificate_cannot_take_anothers_session_and_its_orders(connect: Connect) -> None:
    headend, owner = connect("headend"), connect("tram-01")
    owner.subscribe("loa/1/d/tram-01/job")
    owner.close()
    assert headend.publish("loa/1/d/tram-01/job", b"queued for tram-01") == "Success"
    thief = connect("tram-02", client_id="tram-01")
    thief.subscribe("loa/1/d/tram-02/job")
    headend.publish("loa/1/d/tram-02/job", b"for tram-02")
    assert thief.next() == ("loa/1/d/tram-02/job", b"for tram-02")
    assert connect("tram-01").next() == ("loa/1/d/tram-01/job", b"queued for tram-01")


def test_without_a_certificate_of_this_network_there_is_no_connection(broker: Mosquitto, tmp_path: Path) -> None:
    other = pki.create_authority(tmp_path / "other", "demo")
    stranger = pki.issue_client(other, tmp_path / "other", "tram-01")
    tls = ssl.create_default_context(cafile=str(tmp_path / "pki" / "ca.pem"))
    tls.load_cert_chain(stranger.certificate, stranger.key)
    with (
        socket.create_connection(("127.0.0.1", broker.port), timeout=30) as plain,
        pytest.raises(OSError, match=REFUSED),
    ):
        _say_hello(tls.wrap_socket(plain, server_hostname="localhost"))


def _say_hello(connection: ssl.SSLSocket) -> None:
    """TLS 1.3 tells a client that its certificate is refused only when it reads."""
    connection.send(b"\x10")
    if connection.recv(1) == b"":
        raise ConnectionResetError("closed")


def test_an_order_queued_for_an_absent_station_survives_a_restart_of_the_broker(
    broker: Mosquitto, connect: Connect
) -> None:
    headend, station = connect("headend"), connect("tram-01")
    station.subscribe("loa/1/d/tram-01/job")
    station.close()
    headend.publish("loa/1/d/tram-01/job", b"wait for me")
    headend.close()
    broker.restart()
    assert connect("tram-01").next() == ("loa/1/d/tram-01/job", b"wait for me")


@pytest.mark.parametrize(
    "damaged",
    [lambda whole: whole[: len(whole) // 2], lambda whole: b"\0" * len(whole)],
    ids=["cut-short", "all-zeros"],
)
def test_queues_that_a_sick_disk_has_damaged_keep_no_ward_off_the_network(
    broker: Mosquitto, connect: Connect, damaged: Callable[[bytes], bytes]
) -> None:
    station = connect("tram-01")
    station.subscribe("loa/1/d/tram-01/job")
    station.close()
    broker.stop()
    queues = broker.setup.directory / "mosquitto.db"
    spoilt = damaged(queues.read_bytes())
    queues.write_bytes(spoilt)
    broker.start()
    connect("tram-01")
    assert broker.put_aside is not None
    assert broker.put_aside.read_bytes() == spoilt
    broker.restart()
    assert broker.put_aside is None


def test_more_orders_than_a_default_queue_holds_all_arrive(connect: Connect) -> None:
    headend, station = connect("headend"), connect("tram-01")
    station.subscribe("loa/1/d/tram-01/job")
    station.close()
    sent = [f"{number}".encode() for number in range(1200)]
    for payload in sent:
        assert headend.publish("loa/1/d/tram-01/job", payload) == "Success"
    back = connect("tram-01")
    assert [back.next()[1] for _ in sent] == sent


def test_a_new_station_is_admitted_without_a_restart(broker: Mosquitto, connect: Connect) -> None:
    headend = connect("headend")
    headend.subscribe("loa/1/u/+/#")
    setup = broker.setup
    broker.admit(replace(setup, stations={**setup.stations, "tram-03": "vn/ha-noi/dong-thanh"}))
    while connect("tram-03").publish("loa/1/u/tram-03/hello", b"new") != "Success":
        pass  # the broker reads its list when it gets to the signal
    assert headend.next() == ("loa/1/u/tram-03/hello", b"new")


def test_whoever_knocks_without_end_fills_no_disk_with_the_brokers_log(
    broker: Mosquitto, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, most = broker.setup.directory / "mosquitto.log", 2_000
    monkeypatch.setattr(setting_up, "LOG_BYTES_MAX", most)
    while log.stat().st_size <= most:
        with socket.create_connection(("127.0.0.1", broker.port), timeout=30) as stranger:
            stranger.send(b"no TLS")
            with suppress(ConnectionResetError):
                stranger.recv(1)
    broker.keep_log_short()
    while not log.exists():
        connect("tram-01")  # the broker begins another one when it gets to the signal
    assert log.stat().st_size <= most < log.with_name("mosquitto.log.1").stat().st_size


def test_the_thousandth_station_is_let_in_too(authority: pki.Authority, tmp_path: Path) -> None:
    """Each connection is a file, and a shell or a service lets a process have 1,024 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    identity = pki.issue_server(authority, tmp_path / "pki", "broker")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft - 1, hard))
    try:
        with Mosquitto(BrokerSetup(tmp_path / "broker", authority.path, identity, {})) as broker:
            assert resource.prlimit(broker.pid or 0, resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_broker_that_cannot_start_says_why(authority: pki.Authority, tmp_path: Path) -> None:
    missing = pki.Issued(tmp_path / "no.pem", tmp_path / "no.key")
    broker = Mosquitto(BrokerSetup(tmp_path / "broker", authority.path, missing, {}))
    with pytest.raises(BrokerError, match=r"no\.pem"):
        broker.start()
