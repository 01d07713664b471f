"""How much work a packet is: a message comes without its properties, and one packet a turn."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_publish
from paho.mqtt.client import MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from edge_agent.sync.bare_client import BareClient, without_properties
from edge_agent.sync.limits import PACKET_BYTES_MAX
from tests.host.hostile_broker import packet, publish, var_int

TOPIC = b"loa/1/d/st-a/job"
IDENTIFIERS = b"\x0b\x01" * 32_500
# Subscription identifiers, which may be repeated: as many as a packet of 64 KiB holds.
AS_LONG = 20
# Times the work for a packet of that length without them; with them it was more than a thousand.


def body(properties: bytes, payload: bytes, *, has_id: bool = True) -> bytes:
    mid = b"\0\7" if has_id else b""
    return len(TOPIC).to_bytes(2) + TOPIC + mid + var_int(len(properties)) + properties + payload


@contextmanager
def reading() -> Iterator[tuple[BareClient, socket.socket, list[MQTTMessage]]]:
    """A client at one end of a line, the other end, and what has come."""
    client = BareClient(CallbackAPIVersion.VERSION2, "st-a", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    came: list[MQTTMessage] = []
    client.on_message = lambda _client, _data, message: came.append(message)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * PACKET_BYTES_MAX)
        ours.setblocking(False)
        client._sock = ours
        yield client, theirs, came
        client._sock = None


def work_s(properties: bytes, payload: bytes) -> float:
    with reading() as (client, broker, came):
        broker.sendall(packet(0x32, body(properties, payload)))
        begun = time.thread_time()
        while not came:
            assert client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS
        return time.thread_time() - begun


def test_a_packet_full_of_properties_is_no_more_work_than_one_full_of_payload() -> None:
    plain = min(work_s(b"", IDENTIFIERS) for _ in range(3))
    assert min(work_s(IDENTIFIERS, b"") for _ in range(3)) < AS_LONG * plain


def test_however_much_is_under_way_one_turn_reads_one_packet() -> None:
    with reading() as (client, broker, came):
        client._out_messages.update((mid, MQTTMessage(mid)) for mid in range(1, 11))
        broker.sendall(b"".join(publish(TOPIC.decode(), b"%d" % number, number) for number in range(1, 4)))
        counts = []
        for _ in range(4):
            client.loop_read()
            counts.append(len(came))
    assert counts == [1, 2, 3, 3]


def test_a_client_without_a_line_reads_nothing() -> None:
    client = BareClient(CallbackAPIVersion.VERSION2, "st-a", protocol=MQTTProtocolVersion.MQTTv5)
    assert client.loop_read() == MQTTErrorCode.MQTT_ERR_NO_CONN


@given(st.binary(max_size=300), st.booleans())
def test_topic_id_and_payload_stay_whatever_they_hold(payload: bytes, has_id: bool) -> None:
    expiry = b"\x02\0\0\0\x3c"
    bare = without_properties(body(expiry, payload, has_id=has_id), has_id=has_id)
    assert bare == body(b"", payload, has_id=has_id)
    read = decode_publish(0x32 if has_id else 0x30, bare, MQTTProtocolVersion.MQTTv5)
    assert (read.topic, read.mid, bytes(read.payload)) == (TOPIC, 7 if has_id else 0, payload)


@pytest.mark.parametrize(
    "cut",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0", id="half a length"),
        pytest.param(b"\xff\xffx", id="a topic that does not end"),
        pytest.param(b"\0\1t\0", id="half an id"),
        pytest.param(b"\0\1t\0\7", id="no length of properties"),
        pytest.param(b"\0\1t\0\7\x80", id="half a length of properties"),
        pytest.param(b"\0\1t\0\7\x80\x80\x80\x80\x01", id="a length of properties in five bytes"),
        pytest.param(b"\0\1t\0\7\x05\x02\0\0", id="properties that do not end"),
    ],
)
def test_a_message_that_ends_before_its_properties_ends_the_connection(cut: bytes) -> None:
    assert without_properties(cut, has_id=True) is None
    with reading() as (client, broker, came):
        broker.sendall(packet(0x32, cut))
        assert client.loop_read() == MQTTErrorCode.MQTT_ERR_PROTOCOL
        assert came == []
