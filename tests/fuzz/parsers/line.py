"""Promises of what carries a station's connections: the answer to a name, and TLS, before and behind a handshake."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

from edge_agent.headend.pki import create_authority, issue_server
from edge_agent.sync import resolving
from edge_agent.sync.tls import client_context
from edge_agent.sync.tls_stream import BARE_BYTES_MAX, PIECE_BYTES, TlsStream
from tests.fuzz.parsers.parser import Parser, Promise, one_line, workplace
from tests.host.tls_records import CONTENT_BYTES_MAX, HANDSHAKE, TICKET, WORDS, Records

ANSWER_BYTES_MAX = 4_096
TLS_BYTES_MAX = 8_000
# With what each record adds, less than the kernel takes in for a reader who is late.
NAME = "broker.example"
PATIENCE_S = 5
# Nobody waits for it: the other side hangs up.
RAW, NEW_KEY = 0, 2
# In place of a kind of content: bytes as they are, and a new key, without which the next record would be none.
ALERT = 21


def _answered() -> Promise:
    def promise(data: bytes) -> None:
        status, said = data[:1], data[1:].decode("utf-8", "replace")
        try:
            found = resolving._told(NAME, status[0] if status else 0, said)
        except socket.gaierror as refusal:
            one_line(str(refusal))
            return
        assert found
        for one in found:
            address = one.partition("%")[0]
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)

    return promise


def _answers() -> Iterator[bytes]:
    yield b"\0192.0.2.7\n"
    yield b"\x002001:db8::7\n192.0.2.7\nfe80::1%1\n"
    yield b"\0nss: held.example\n127.1\n"
    yield b"\1-2\nName or service not known\n"
    yield b"\1" + b"9" * 300 + b"\n\x1b[2J\n"


class _Line(socket.socket):
    """Our end. Counts what is taken off it."""

    def __init__(self, end: socket.socket) -> None:
        super().__init__(fileno=end.detach())
        self.settimeout(PATIENCE_S)
        self.taken = 0

    def recv(self, bytes_max: int, flags: int = 0) -> bytes:
        came = super().recv(bytes_max, flags)
        self.taken += len(came)
        return came


def _greeted() -> Promise:
    context = client_context(create_authority(workplace(), "test").path)

    def promise(data: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs, _Line(ours) as line:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            stream = TlsStream(line, context, "localhost")
            try:
                stream.do_handshake()
            except OSError as refusal:
                one_line(str(refusal))
            else:
                raise AssertionError("met by whoever has no certificate")
            assert stream.fileno() == -1, "it is not closed"
            assert line.taken <= BARE_BYTES_MAX + PIECE_BYTES

    return promise


def _greetings() -> Iterator[bytes]:
    hello = b"\3\3" + bytes(32) + b"\0\x13\1\0\0\x06\0\x2b\0\2\3\4"
    yield b"\x16\3\3" + (len(hello) + 4).to_bytes(2, "big") + b"\2" + len(hello).to_bytes(3, "big") + hello
    yield b"\x15\3\3\0\2\2\x28" + b"\x15\3\3\0\2\1\x5a"
    yield b"\x14\3\3\0\1\1" * 3
    yield b"HTTP/1.1 400 Bad Request\r\n\r\n"


class _Server:
    """Has our authority's certificate; writes whatever records it is told."""

    def __init__(self) -> None:
        folder = workplace()
        authority = create_authority(folder / "ca", "test")
        identity = issue_server(authority, folder / "server", "server")
        self._keys = folder / "keys"
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(identity.certificate, identity.key)
        self._tls.num_tickets = 0
        self._tls.keylog_filename = str(self._keys)
        self._context = client_context(authority.path)

    def met(self, line: _Line, theirs: socket.socket) -> tuple[TlsStream, ssl.SSLSocket, Records]:
        self._keys.write_bytes(b"")
        stream = TlsStream(line, self._context, "localhost")
        shaking = threading.Thread(target=stream.do_handshake)
        shaking.start()
        server = self._tls.wrap_socket(theirs, server_side=True)
        shaking.join()
        return stream, server, Records(server, self._keys)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A kind, a length of two bytes, and so many: again and again."""
    while data:
        length = int.from_bytes(data[1:3], "big")
        yield data[0], data[3 : 3 + length][:CONTENT_BYTES_MAX]
        data = data[3 + length :]


def _written(*records: tuple[int, bytes]) -> bytes:
    return b"".join(bytes([kind]) + len(content).to_bytes(2, "big") + content for kind, content in records)


def _on_the_line(records: Records, kind: int, content: bytes) -> bytes:
    if kind == NEW_KEY:
        return records.key_updates(1)
    return content if kind == RAW else records.record(kind, content)


def _heard() -> Promise:
    peer = _Server()

    def promise(data: bytes) -> None:
        ours, theirs = socket.socketpair()
        stream, server, records = peer.met(_Line(ours), theirs)
        said, came = bytearray(), bytearray()
        with stream, server:
            for kind, content in _records(data):
                if kind == WORDS:
                    said += content
                records.write(_on_the_line(records, kind, content))
            socket.socket.shutdown(server, socket.SHUT_WR)
            with suppress(OSError):
                while block := stream.recv(1_000):
                    came += block
            with suppress(OSError):
                stream.sendall(b"a word")
        assert stream.fileno() == -1
        assert said.startswith(came), "other words than were written, or in another order"

    return promise


def _sessions() -> Iterator[bytes]:
    yield _written((WORDS, b"one"), (NEW_KEY, b""), (WORDS, b"two"), (ALERT, b"\1\0"), (WORDS, b"after the goodbye"))
    yield _written((HANDSHAKE, TICKET * 3), (WORDS, b"x"), (HANDSHAKE, TICKET[:9]), (HANDSHAKE, TICKET[9:]))
    yield _written((HANDSHAKE, TICKET[:9]))
    yield _written((WORDS, b""), (WORDS, b"x" * 5_000), (RAW, b"\x17\3\3\0\x20" + bytes(32)))
    yield _written((HANDSHAKE, b"\x0d\0\0\3\0\0\0"), (20, b"\1"), (24, b"\1\0\1x"))


PARSERS = (
    Parser("name-answer", "sync.resolving", _answered, _answers, ANSWER_BYTES_MAX),
    Parser("tls-hello", "sync.tls_stream, OpenSSL", _greeted, _greetings, TLS_BYTES_MAX),
    Parser("tls-records", "sync.tls_stream, OpenSSL", _heard, _sessions, TLS_BYTES_MAX),
)
