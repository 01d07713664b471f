"""A broker that shakes hands like an honest one and then does what a test tells it, byte by byte."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edge_agent.headend.pki import Authority, issue_server
from tests.host.tls_records import Records

CONNACK = bytes([0x20, 3, 0, 0, 0])
TIMEOUT_S = 30

Script = Callable[["Wire"], None]


class Wire:
    """One client's connection: whole MQTT packets in, any bytes out."""

    def __init__(self, sock: ssl.SSLSocket, keys: Path) -> None:
        self._sock = sock
        self._keys = keys
        self._records: Records | None = None
        self._file = sock.makefile("rb")

    def read(self) -> tuple[int, bytes]:
        """The next packet: first byte and body. Raises EOFError when the client has hung up."""
        first = self._exactly(1)[0]
        length = shift = 0
        while True:
            byte = self._exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return first, self._exactly(length)

    def read_type(self, kind: int) -> bytes:
        """Skip to the next packet of ``kind`` (its upper four bits)."""
        while True:
            first, body = self.read()
            if first & 0xF0 == kind:
                return body

    def write(self, data: bytes) -> None:
        if self._records is None:
            self._sock.sendall(data)
        else:
            self._records.write(self._records.words(data))

    def own_records(self) -> Records:
        """From now on what is written is written so; to be asked for before anything is."""
        self._records = Records(self._sock, self._keys)
        return self._records

    def establish(self) -> None:
        """CONNECT, CONNACK, SUBSCRIBE, SUBACK: the session stands."""
        self.read_type(0x10)
        self.write(CONNACK)
        self.grant()

    def grant(self) -> None:
        body = self.read_type(0x80)
        filters = count_filters(body)
        self.write(packet(0x90, body[:2] + b"\0" + bytes([1] * filters)))

    def until_hung_up(self) -> None:
        with suppress(EOFError, OSError):
            while True:
                self.read()

    def _exactly(self, count: int) -> bytes:
        data = self._file.read(count)
        if len(data) < count:
            raise EOFError
        return data


def packet(first: int, body: bytes) -> bytes:
    """A whole MQTT packet."""
    return bytes([first]) + var_int(len(body)) + body


def var_int(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = divmod(value, 128)
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def publish(topic: str, payload: bytes, mid: int, qos: int = 1, retain: bool = False) -> bytes:
    name = topic.encode()
    head = len(name).to_bytes(2, "big") + name + (mid.to_bytes(2, "big") if qos else b"") + b"\0"
    return packet(0x30 | qos << 1 | retain, head + payload)


def count_filters(subscribe: bytes) -> int:
    at, count = 3, 0
    while at < len(subscribe):
        at += 2 + int.from_bytes(subscribe[at : at + 2], "big") + 1
        count += 1
    return count


@contextmanager
def hostile_broker(
    directory: Path, authority: Authority, script: Script, made: datetime | None = None
) -> Iterator[tuple[int, queue.Queue[str]]]:
    """Run ``script`` for each connection, one after the other. Gives the port, and how each script ended.

    Its certificate was ``made`` then (default: now).
    """
    identity = issue_server(authority, directory / "hostile", "hostile", now=made)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(identity.certificate, identity.key)
    keys = directory / "hostile" / "keys"
    tls.keylog_filename, tls.num_tickets = str(keys), 0
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.02)
    ended: queue.Queue[str] = queue.Queue()
    over = threading.Event()

    def serve() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                plain, _ = listener.accept()
                ended.put(_one(tls, keys, plain, script))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield int(listener.getsockname()[1]), ended
    finally:
        over.set()
        thread.join(TIMEOUT_S)
        listener.close()


def _one(tls: ssl.SSLContext, keys: Path, plain: socket.socket, script: Script) -> str:
    plain.settimeout(TIMEOUT_S)
    try:
        with tls.wrap_socket(plain, server_side=True) as sock:
            script(Wire(sock, keys))
    except (OSError, EOFError) as error:
        return type(error).__name__
    return "done"
