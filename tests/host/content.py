"""A real HTTPS server with a memory and bad manners, for tests. The well-mannered one is ``headend.content``."""

from __future__ import annotations

import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from edge_agent.headend.pki import Authority, Issued, create_authority, issue_server
from tests.host.tls_records import Records

DRIP_S = 0.05
GIVE_UP_S = 30
# How long a server that stalls keeps the connection, if nobody ends it before.
TICKETS = 2
# Of TLS 1.3, behind each handshake: what OpenSSL's servers send.
FLOOD_BYTES_MAX = 40_000_000
# Where nobody puts an end to it: ten times what anybody takes, and a second or two of this machine.
HELD_BYTES = 64 * 1024
# What the kernel keeps of a flood, so that ``sent`` is nearly what went over the line.


class Manners(Enum):
    """What the server does with a request."""

    HONEST = "honest"
    ALTERED = "altered"  # one bit is another
    LONGER = "longer"  # announces and sends one byte more
    ENDLESS = "endless"  # announces no length and never stops
    STALLED = "stalled"  # sends nothing of the file after its first ``cut_at`` bytes, and does not hang up
    DRIPPING = "dripping"  # a byte now and then
    DRIPPING_HEAD = "dripping_head"  # the same in the headers
    DRIPPING_LENGTH = "dripping_length"  # the same in the length of a chunk
    TRUNCATED = "truncated"  # hangs up after ``cut_at`` bytes of this request
    NO_RANGES = "no_ranges"  # answers 200 with everything
    NEVER_WHOLE = "never_whole"  # answers 200 with other bytes, each time one less, and hangs up
    WRONG_RANGE = "wrong_range"  # answers 206 with another range than asked
    OUTSIDE = "outside"  # answers 416 to every range
    PADDED = "padded"  # the right bytes of what was asked for, and 60 kB of words beside each
    REDIRECT = "redirect"  # to ``location``
    GONE = "gone"  # 404
    RAW = "raw"  # says the first of ``raw``, byte for byte, and hangs up
    FLOOD = "flood"  # says the first of ``raw``, and then the second again and again
    RECORDS = "records"  # says the first of ``raw``, and then writes ``records`` again and again


@dataclass
class Content:
    """What lies on the server, how it behaves, and what it was asked: (path, Range header or None), all headers.

    ``gave_up`` counts the stalled connections that nobody ended before.
    """

    port: int
    authority: Authority
    files: dict[str, bytes] = field(default_factory=dict)
    manners: Manners = Manners.HONEST
    cut_at: int = 0
    location: str = ""
    raw: list[bytes] = field(default_factory=list)
    records: Callable[[Records], bytes] = Records.tickets
    pause_s: float = 0
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    sent: int = 0
    said: threading.Event = field(default_factory=threading.Event)
    """The first of ``raw`` was said to its end."""
    gave_up: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def put(self, name: str, content: bytes) -> str:
        """Lay a file on the server; returns its URL."""
        self.files[f"/{name}"] = content
        return f"https://localhost:{self.port}/{name}"


@contextmanager
def running_content(
    directory: Path,
    authority: Authority | None = None,
    identity: Issued | None = None,
    newest_tls: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED,
    tickets: int = TICKETS,
) -> Iterator[Content]:
    """Serve until the block ends; with an authority and an identity of its own unless they are given.

    Without ``tickets`` it can write RECORDS.
    """
    authority = authority or create_authority(directory / "content-ca", "test")
    identity = identity or issue_server(authority, directory / "content", "content")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.maximum_version = newest_tls
    tls.num_tickets = tickets
    tls.load_cert_chain(identity.certificate, identity.key)
    keys = directory / "content.keys"
    if tickets == 0:
        tls.keylog_filename = str(keys)
    with _Server(("127.0.0.1", 0), _Request, tls) as server:
        server.content, server.keys = Content(server.server_address[1], authority), keys
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield server.content
        server.content.ended.set()
        server.shutdown()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    content: Content
    keys: Path

    def __init__(self, address: tuple[str, int], request: type[BaseHTTPRequestHandler], tls: ssl.SSLContext) -> None:
        super().__init__(address, request)
        self._tls = tls

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        wrapped = self._tls.wrap_socket(request, server_side=True, do_handshake_on_connect=False)
        super().process_request_thread(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what these tests are about."""


class _Request(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: tests read ``asked``."""

    def do_GET(self) -> None:
        content = self.server.content
        content.asked.append((self.path, self.headers.get("Range")))
        content.headers.append(dict(self.headers))
        body = content.files.get(self.path)
        if content.manners is Manners.RAW:
            self._say(content.raw.pop(0))
        elif content.manners is Manners.FLOOD:
            self._flood(content, *content.raw)
        elif content.manners is Manners.RECORDS:
            self._records(content, content.raw[0])
        elif content.manners is Manners.REDIRECT and body is None:
            self._head(302, Location=content.location)
        elif content.manners is Manners.GONE or body is None:
            self._head(404)
        else:
            self._serve(content, body)

    def do_POST(self) -> None:
        if self.server.content.manners in (Manners.FLOOD, Manners.RAW, Manners.RECORDS):
            self.do_GET()
        else:
            self.send_error(501)

    def _say(self, raw: bytes) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.write(raw)
        self.server.content.said.set()

    def _flood(self, content: Content, begin: bytes, again: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
        self._say(begin)
        with suppress(OSError):
            while content.sent < FLOOD_BYTES_MAX:
                self._send(content, again)

    def _records(self, content: Content, begin: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
        self.close_connection = True
        records = Records(self.connection, self.server.keys)
        with suppress(OSError):
            records.write(records.words(begin))
            while content.sent < FLOOD_BYTES_MAX and not content.ended.wait(content.pause_s):
                piece = content.records(records)
                records.write(piece)
                content.sent += len(piece)

    def _serve(self, content: Content, body: bytes) -> None:
        match content.manners:
            case Manners.DRIPPING_HEAD:
                self._drip(content, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000)
            case Manners.DRIPPING_LENGTH:
                self._drip(content, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", pause_s=0)
                self._drip(content, b"0" * 10_000)
            case Manners.ENDLESS:
                self._head(200)
                self._send_for_ever(content, body)
            case Manners.ALTERED:
                self._answer(content, bytes([body[0] ^ 1]) + body[1:])
            case Manners.NEVER_WHOLE:
                self._head(200, **{"Content-Length": str(len(body))})
                self._send(content, bytes(len(body) - len(content.asked)))
            case Manners.LONGER:
                self._answer(content, body + b"!")
            case _:
                self._answer(content, body)

    def _answer(self, content: Content, body: bytes) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        first = int(asked[1]) if asked and content.manners is not Manners.NO_RANGES else 0
        if first and content.manners is Manners.OUTSIDE:
            return self._head(416)
        if first and content.manners is Manners.WRONG_RANGE:
            first -= 1
        rest = body[first:]
        padded = content.manners is Manners.PADDED
        length = {"Transfer-Encoding": "chunked"} if padded else {"Content-Length": str(len(rest))}
        if first:
            where = {"Content-Range": f"bytes {first}-{len(body) - 1}/{len(body)}"}
            self._head(206, **where, **length)
        else:
            self._head(200, **length)
        return self._body(content, rest, first)

    def _body(self, content: Content, rest: bytes, first: int) -> None:
        match content.manners:
            case Manners.DRIPPING:
                self._drip(content, rest)
            case Manners.TRUNCATED:
                self._send(content, rest[: content.cut_at])
            case Manners.STALLED:
                self._send(content, rest[: max(0, content.cut_at - first)])
                content.gave_up += not content.ended.wait(GIVE_UP_S)
            case Manners.PADDED:
                self._pad(content, rest)
            case _:
                self._send(content, rest)

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, content: Content, data: bytes) -> None:
        self.wfile.write(data)
        content.sent += len(data)

    def _pad(self, content: Content, data: bytes) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HELD_BYTES)
        with suppress(OSError):
            for byte in data:
                self._send(content, b"1;%b\r\n%c\r\n" % (b"x" * 60_000, byte))

    def _drip(self, content: Content, data: bytes, pause_s: float = DRIP_S) -> None:
        with suppress(OSError):
            for byte in data:
                self._send(content, bytes([byte]))
                if content.ended.wait(pause_s):
                    return

    def _send_for_ever(self, content: Content, data: bytes) -> None:
        with suppress(OSError):
            while not content.ended.wait(content.pause_s):
                self._send(content, data)
