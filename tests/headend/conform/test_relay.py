"""The kit's relay passes bytes on as they are, and its cut line stays cut until it is mended."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from edge_agent.headend.conform.relay import Relay
from edge_agent.headend.session import BrokerAddress

TIMEOUT_S = 30
# Only there so that a fault cannot hang the tests.
LOCAL = BrokerAddress("127.0.0.1", 0)


@pytest.fixture
def broker() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        yield listener


@pytest.fixture
def relay(broker: socket.socket) -> Iterator[Relay]:
    with Relay(LOCAL, BrokerAddress(*broker.getsockname()[:2])) as relay:
        yield relay


def call(relay: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), TIMEOUT_S)


def test_bytes_pass_both_ways(relay: Relay, broker: socket.socket) -> None:
    with call(relay) as station, broker.accept()[0] as there:
        station.sendall(b"hello")
        assert there.recv(16) == b"hello"
        there.sendall(b"welcome")
        assert station.recv(16) == b"welcome"
    assert relay.joined == 1


def test_a_cut_ends_both_sides_and_takes_nobody_until_it_is_mended(relay: Relay, broker: socket.socket) -> None:
    with call(relay) as station, broker.accept()[0] as there:
        there.settimeout(TIMEOUT_S)
        relay.cut()  # at once: it may be joining them still
        assert (station.recv(16), there.recv(16)) == (b"", b"")
    with call(relay) as refused:
        assert refused.recv(16) == b""
    relay.mend()
    with call(relay) as station, broker.accept()[0] as there:
        station.sendall(b"again")
        assert there.recv(16) == b"again"


def test_a_station_that_hangs_up_is_passed_on_too(relay: Relay, broker: socket.socket) -> None:
    station = call(relay)
    with broker.accept()[0] as there:
        there.settimeout(TIMEOUT_S)
        station.close()
        assert there.recv(16) == b""


def test_the_end_of_a_run_leaves_no_thread_at_the_door(broker: socket.socket) -> None:
    before = set(threading.enumerate())
    with Relay(LOCAL, BrokerAddress(*broker.getsockname()[:2])):
        pass
    assert set(threading.enumerate()) <= before, "one more than before; another test's last may end meanwhile"
