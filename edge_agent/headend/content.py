"""Serve signed audio over HTTPS by its SHA-256: ``/clip/<64 hex>``, with HEAD and ranges, and nothing else.

The server is trusted with nothing: a station checks length and digest itself, so no client certificate is asked for and
no content is checked here. There is no listing and no other path, so nothing can be found that is not already named.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket
from types import TracebackType
from typing import Any, BinaryIO

from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.files import EVERYBODY_READS, write_durably
from edge_agent.headend.pki import Issued

CLIP_PATH = re.compile(r"/clip/([0-9a-f]{64})")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
IDLE_S = 30
# A station on 4G that sends nothing for half a minute has lost its link; it comes back with a range.
CONNECTIONS_MAX = 64
# A commune has at most 50 stations (requirement S1); each fetches one clip at a time.
BLOCK_BYTES = 64 * 1024

Serve = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes to send: from ``first`` to ``last``, both included."""

    first: int
    last: int

    @property
    def length(self) -> int:
        return self.last - self.first + 1


def add_clip(directory: Path, audio: Path) -> str:
    """Put a copy of ``audio`` where the server finds it. Returns its SHA-256 in hex."""
    directory.mkdir(parents=True, exist_ok=True)
    content = audio.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    write_durably(directory / digest, content, EVERYBODY_READS)
    return digest


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where clips are put, and under which address stations find them (``https://host:port``)."""

    directory: Path
    base_url: str

    def publish(self, audio: Path, facts: AudioFacts) -> tuple[str, ...]:
        """Put a copy of ``audio`` on the shelf. Returns the URLs that go into the order."""
        add_clip(self.directory, audio)
        return (f"{self.base_url}/clip/{facts.digest}",)


def wanted_span(header: str | None, size: int) -> Span | None:
    """What a Range header asks of ``size`` bytes; everything when it is absent or of a form we need not know.

    None: the range lies outside (416).
    """
    match = RANGE.fullmatch(header or "")
    if match is None or match.groups() == ("", ""):
        return Span(0, size - 1)
    first, last = match.groups()
    if first == "":
        wanted = min(int(last), size)
        return Span(size - wanted, size - 1) if wanted else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return Span(int(first), min(int(last), size - 1) if last else size - 1)


class _ClipRequest(BaseHTTPRequestHandler):
    """One connection. HTTP/1.1, so that a station may ask for the next range on the same connection."""

    protocol_version = "HTTP/1.1"
    server_version = "loa-content"
    sys_version = ""
    timeout = IDLE_S
    directory: Path
    note: Serve

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:
        self.note(f"{self.client_address[0]} {format % args}")

    def _answer(self, *, with_body: bool) -> None:
        match = CLIP_PATH.fullmatch(self.path)
        if match is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            file = (self.directory / match[1]).open("rb")
        except OSError:
            return self._refuse(HTTPStatus.NOT_FOUND)
        with file:
            return self._send(file, match[1], with_body=with_body)

    def _send(self, file: BinaryIO, digest: str, *, with_body: bool) -> None:
        size = file.seek(0, 2)
        asked = self.headers.get("Range")
        if self.headers.get("If-Range", f'"{digest}"') != f'"{digest}"':
            asked = None
        span = wanted_span(asked, size)
        if span is None:
            return self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, ("Content-Range", f"bytes */{size}"))
        self._head(span, size, digest, partial=RANGE.fullmatch(asked or "-") is not None)
        if with_body:
            file.seek(span.first)
            self._copy(file, span.length)
        return None

    def _head(self, span: Span, size: int, digest: str, *, partial: bool) -> None:
        self.send_response(HTTPStatus.PARTIAL_CONTENT if partial else HTTPStatus.OK)
        if partial:
            self.send_header("Content-Range", f"bytes {span.first}-{span.last}/{size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(span.length))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{digest}"')
        self.end_headers()

    def _copy(self, file: BinaryIO, length: int) -> None:
        while length > 0:
            block = file.read(min(BLOCK_BYTES, length))
            if not block:
                self.close_connection = True  # the file shrank under us: the client sees a short body and asks again
                return
            self.wfile.write(block)
            length -= len(block)

    def _refuse(self, status: HTTPStatus, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()


class _TlsServer(ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, so that a silent client cannot stop the next one from coming in."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, address: tuple[str, int], request: type[_ClipRequest], tls: ssl.SSLContext) -> None:
        super().__init__(address, request)
        self._tls = tls
        self._places = threading.BoundedSemaphore(CONNECTIONS_MAX)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(self._wrapped(request), client_address)
        except OSError:
            self.shutdown_request(request)  # it hung up before the first byte
        finally:
            self._places.release()

    def _wrapped(self, plain: socket) -> ssl.SSLSocket:
        plain.settimeout(IDLE_S)
        return self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up or talks no TLS is an ordinary day; anything else is our own bug and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class ContentServer:
    """Serves ``directory`` until stopped; a context manager. Port 0 takes a free one, see ``port``."""

    def __init__(
        self, directory: Path, identity: Issued, host: str = "127.0.0.1", port: int = 0, note: Serve = lambda _: None
    ) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.load_cert_chain(identity.certificate, identity.key)
        request = type("_Request", (_ClipRequest,), {"directory": directory, "note": staticmethod(note)})
        self._server = _TlsServer((host, port), request, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, name="content", daemon=True)
        self.directory = directory
        self.host = host

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, digest: str, host: str = "localhost") -> str:
        """Where a station finds the clip."""
        return f"https://{host}:{self.port}/clip/{digest}"

    def shelf(self, host: str = "localhost") -> Shelf:
        """The same place, seen by whoever writes orders."""
        return Shelf(self.directory, f"https://{host}:{self.port}")

    def start(self) -> None:
        """Begin to serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End; connections that still send are cut off with the process."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> ContentServer:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
