"""Promises of what comes over a station's network: packets of a broker, answers of a content server."""

from __future__ import annotations

import hashlib
import io
import logging
import socket
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from paho.mqtt.client import Client

from edge_agent.core.events import Connected, Event, MessageArrived
from edge_agent.core.units import ClipKey, StationId
from edge_agent.identity.file_keys import TlsKey
from edge_agent.sync import https
from edge_agent.sync.client import BrokerSettings
from edge_agent.sync.connection import Connection
from edge_agent.sync.download import PART, HttpsFetcher
from edge_agent.sync.guard import LENGTH_BYTES_MAX, PacketGuard, PacketRefused
from edge_agent.sync.https import PATIENCE, Trust
from edge_agent.sync.limits import ANSWER_BYTES_MAX, PACKET_BYTES_MAX, RECEIVE_MAXIMUM
from edge_agent.sync.plain_answers import PlainConnection
from edge_agent.sync.port import Fetched
from edge_agent.sync.topics import subscriptions
from tests.fuzz.parsers.parser import Parser, Promise, workplace
from tests.host.hostile_broker import CONNACK, packet, publish
from tests.sync.rigs import AREA, STATION, host_clock
from tests.trust.makers import signed_job

REPLIES_APART = b"\n~~\n"
# Between the answers of a server to one request after the other.
AUDIO = bytes(range(200))
KEY = ClipKey(hashlib.sha256(AUDIO).hexdigest())
URL = "https://content.test/clip/1"
STREAM_BYTES_MAX = 70_000
SENT_BY_A_SERVER = {2, 3, 4, 9, 11, 13, 14}
# MQTT 5, table 2-1, without what belongs to QoS 2, and without AUTH, which follows on a method that we do not name.
ANSWERS = SENT_BY_A_SERVER - {3, 14}


def _guard() -> Promise:
    def promise(stream: bytes) -> None:
        told = [_followed(stream, step) for step in (len(stream) or 1, 1, 7)]
        assert told[0] == told[1] == told[2], "other portions, another judgement"
        refused, _ = told[0]
        assert bool(refused) == _is_refused(stream)

    return promise


def _followed(stream: bytes, step: int) -> tuple[str, int]:
    guard = PacketGuard()
    with suppress(PacketRefused):
        for at in range(0, len(stream), step):
            guard.feed(stream[at : at + step])
    return guard.refused, guard.answers


def _is_refused(stream: bytes) -> bool:
    """The same by other means: packet for packet, as MQTT 5 writes them."""
    at, kinds = 0, set[int]()
    while at < len(stream):
        first, at = stream[at], at + 1
        if first >> 4 not in SENT_BY_A_SERVER or (first >> 4 == 3 and first & 6 in (4, 6)):
            return True
        if first >> 4 == 2 and kinds & ANSWERS:  # it comes once, and before any other answer
            return True
        length = 0
        for place in range(LENGTH_BYTES_MAX + 1):
            if at >= len(stream):
                return False
            byte, at = stream[at], at + 1
            length += (byte % 128) * 128**place
            if length > (PACKET_BYTES_MAX if first >> 4 == 3 else ANSWER_BYTES_MAX) or place == LENGTH_BYTES_MAX:
                return True
            if byte < 128:
                break
        kinds.add(first >> 4)
        at += length
    return False


class _Wire:
    """The broker's end of a connection: what it has sent, in portions, behind the guard; what it gets is let go."""

    def __init__(self, stream: bytes, guard: PacketGuard) -> None:
        self._stream, self._guard = stream, guard

    def recv(self, most: int) -> bytes:
        block, self._stream = self._stream[:most], self._stream[most:]
        self._guard.feed(block)
        return block

    def send(self, data: bytes) -> int:
        return len(data)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        pass


def _session() -> Promise:
    nowhere = Path("/nowhere")
    settings = BrokerSettings("broker.test", 8883, nowhere, nowhere, TlsKey(nowhere).show, STATION, AREA)
    wanted = subscriptions(StationId(STATION), AREA)

    def promise(stream: bytes) -> None:
        events: list[Event] = []
        connection = Connection(settings, 1, events.append, host_clock, b"will")
        client: Client = connection._client
        client._sock = cast(socket.socket, _Wire(stream, connection._guard))
        while connection._stands(client.loop_read) and connection._stands(client.loop_write) and not connection._detail:
            pass
        arrived = [event for event in events if isinstance(event, MessageArrived)]
        assert all(event.topic in wanted for event in arrived)
        assert len(arrived) <= RECEIVE_MAXIMUM
        assert sum(isinstance(event, Connected) for event in events) <= 1
        assert isinstance(events[0], Connected) if events else not arrived

    def in_silence(data: bytes) -> None:
        disabled = logging.root.manager.disable
        logging.disable()  # what a hostile broker makes it say, thousands of times a second
        try:
            promise(data)
        finally:
            logging.disable(disabled)

    return in_silence


def _streams() -> list[bytes]:
    filters = len(subscriptions(StationId(STATION), AREA))
    suback = packet(0x90, b"\0\1\0" + bytes([1] * filters))
    up, job = CONNACK + suback, f"loa/1/d/{STATION}/job"
    return [
        up + CONNACK,
        up + publish(job, signed_job(), 7),
        up + publish(job, b"x", 7) + publish(f"loa/1/d/{STATION}/ack", b"{}", 8) + b"\xd0\x00",
        CONNACK + publish(job, b"early", 3) + suback,
        packet(0x20, b"\0\x87\0"),
        up + packet(0xE0, b"\x8e\0"),
        up + packet(0x32, b"\0\1t\0\1\x02\x01\x01x") + packet(0x62, b"\0\1") + packet(0xF0, b"\x18\0"),
        up + packet(0x40, b"\0\2\x10\0"),
    ]


class _Server:
    """A content server that says one thing after the other, whatever it is asked."""

    def __init__(self, replies: list[bytes]) -> None:
        self._replies = replies

    def connect(self, *_: Any) -> HTTPConnection:
        if not self._replies:
            raise ConnectionRefusedError("nobody there")
        connection = HTTPConnection("content.test")
        connection.response_class = PlainConnection.response_class
        connection.auto_open = PlainConnection.auto_open
        connection.sock = cast(socket.socket, _Reply(self._replies.pop(0)))
        return connection


class _Reply:
    def __init__(self, said: bytes) -> None:
        self._said = said

    def sendall(self, data: bytes) -> None:
        del data

    def makefile(self, mode: str) -> Any:
        del mode
        return io.BufferedReader(cast(io.RawIOBase, io.BytesIO(self._said)))

    def settle(self) -> None:
        pass

    def close(self) -> None:
        pass


def _fetched() -> Promise:
    root = workplace()
    fetcher = HttpsFetcher(root, Trust(Path("/nowhere"), host_clock), PATIENCE, free_bytes_min=0)

    def promise(said: bytes) -> None:
        for path in (root / KEY, root / f"{KEY}{PART}"):
            path.unlink(missing_ok=True)
        with patch.object(https, "_connect", _Server(said.split(REPLIES_APART)).connect):
            fetched = fetcher.fetch(KEY, len(AUDIO), (URL, URL + "/"))
        if isinstance(fetched, Fetched):
            assert fetched.path.read_bytes() == AUDIO
            return
        assert fetched.detail
        assert not (root / KEY).exists(), "it has the name of what is right"
        part = root / f"{KEY}{PART}"
        assert not part.exists() or part.stat().st_size <= len(AUDIO), "more on the disk than was signed"

    return promise


def _replies() -> Iterator[bytes]:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"
    part = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 100\r\nContent-Range: bytes 100-199/200\r\n\r\n"
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n" + AUDIO[:100] + b"\r\n64\r\n" + AUDIO[100:]
    moved = b"HTTP/1.1 302 Found\r\nLocation: https://mirror.test:444/a?b=c#d\r\n\r\n"
    yield whole + AUDIO
    yield whole + AUDIO[:100] + REPLIES_APART + part + AUDIO[100:]
    yield chunks + b"\r\n0\r\n\r\n"
    yield moved + REPLIES_APART + whole + AUDIO
    yield b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */200\r\n\r\n"
    yield b"HTTP/1.1 200 OK\r\nContent-Type: multipart/mixed; boundary*=a; boundary*0=b\r\n\r\n"
    yield b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 OK\r\nContent-Type: multipart/mixed; boundary*0=a\r\n\r\n" + AUDIO


PARSERS = (
    Parser("mqtt-guard", "sync.guard", _guard, _streams, STREAM_BYTES_MAX),
    Parser("mqtt-session", "sync.connection, paho-mqtt", _session, _streams, STREAM_BYTES_MAX),
    Parser("https", "sync.https, sync.plain_answers, http.client", _fetched, lambda: [*_replies()], STREAM_BYTES_MAX),
)
