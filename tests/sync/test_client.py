"""What the client of a connection to the broker is made of: how it takes its turn at an element, how often it pings."""

from __future__ import annotations

import socket
import ssl
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import MQTTErrorCode

from edge_agent.core.units import StationId
from edge_agent.sync import client
from edge_agent.sync.client import CONNECT_TIMEOUT_S, DIAL_S, BrokerSettings, keep_pace, new_client, open_client
from edge_agent.sync.guard import GuardedSocket
from edge_agent.sync.turns import TurnTakingSocket

NOWHERE = Path("/nonexistent")
AT_NOWHERE = BrokerSettings("localhost", 1, NOWHERE, NOWHERE, lambda *_: None, StationId("dt-01"), "vn")


class Given:
    """In the place of the library's client: takes a context and goes nowhere."""

    context: Any = None

    def tls_set_context(self, context: Any) -> None:
        self.context = context

    def connect(self, *_: object, **__: object) -> MQTTErrorCode:
        return MQTTErrorCode.MQTT_ERR_SUCCESS


@pytest.mark.parametrize(("in_element", "made"), [(True, TurnTakingSocket), (False, GuardedSocket)])
def test_a_key_in_an_element_is_used_by_turns_and_one_in_a_file_waits_for_nobody(
    monkeypatch: pytest.MonkeyPatch, in_element: bool, made: type[GuardedSocket]
) -> None:
    """An element's library is asked by two threads at once otherwise: whoever signs an answer, and the handshake."""
    monkeypatch.setattr(client, "client_context", lambda *_: ssl.create_default_context())
    settings = replace(AT_NOWHERE, key_in_element=in_element)
    given = Given()
    assert open_client(cast(Client, given), settings) == MQTTErrorCode.MQTT_ERR_SUCCESS
    ours, theirs = socket.socketpair()
    with theirs, given.context.wrap_socket(ours, "localhost", do_handshake_on_connect=False) as line:
        assert type(line) is made


@pytest.mark.parametrize(
    ("broker_says_s", "pings_s"),
    [(0, 60), (1, 5), (30, 30), (60, 60), (65_535, 60)],  # 0: nothing
)
def test_a_broker_is_pinged_as_often_as_it_asks_but_neither_without_end_nor_hardly_ever(
    broker_says_s: int, pings_s: int
) -> None:
    made = SimpleNamespace(_keepalive=broker_says_s)
    keep_pace(cast(Client, made), 60)
    assert made._keepalive == pings_s


def test_a_broker_has_as_long_as_a_handshake_for_its_name_and_each_address_and_twice_as_long_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialled: list[tuple[str, int, float, float]] = []
    ours, theirs = socket.socketpair()

    def noted(host: str, port: int, stall_s: float, deadline: float) -> socket.socket:
        dialled.append((host, port, stall_s, deadline - time.monotonic()))
        return ours

    monkeypatch.setattr(client, "connected", noted)
    made = new_client(AT_NOWHERE, b"will")
    made._host, made._port = "localhost", 1
    with theirs, made._create_socket_connection():
        (asked,) = dialled
    assert asked == ("localhost", 1, CONNECT_TIMEOUT_S, pytest.approx(DIAL_S, rel=0.5))
    assert (CONNECT_TIMEOUT_S, DIAL_S) == (30, 60)
