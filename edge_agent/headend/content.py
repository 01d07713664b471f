"""Serve over HTTPS, with HEAD and ranges, what is signed or proven by a digest, and nothing else.

Audio by its SHA-256 (``/clip/<64 hex>``), manifests and envelopes likewise (``/paper/…``), heads (``/head/<scope>``),
each root (``/root/<version>``); and where somebody greets, a welcome for a hello (``POST /hello/<station>``).

The server is trusted with nothing: a station checks length and digest itself, so no client certificate is asked for and
no content is checked here. There is no listing and no other path, so nothing can be found that is not already named.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.https_server import Request, TlsService
from edge_agent.headend.pki import Issued

BY_DIGEST = re.compile(r"/(clip|paper)/([0-9a-f]{64})")
HEAD_PATH = re.compile(r"/(head/(?:area|station)(?:/[a-z0-9-]{1,64}){1,6})")
ROOT_PATH = re.compile(r"/(root/[1-9][0-9]{0,14})")
RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
BLOCK_BYTES = 64 * 1024
HEAD_FILE = "head.json"
# With a dot, which no name of an area has: the folders of the areas in it lie beside it.

HELLO_PATH = re.compile(r"/hello/([a-z0-9-]{1,64})")
HELLO_BYTES_MAX = 16 * 1024
# A hello has some 2 kB.
NOTED_CHARS_MAX = 300
# Of a request: the longest that a station sends has 500 bytes of a head's path; http.server takes lines of 64 kB.
Serve = Callable[[str], None]
Greet = Callable[[str, bytes], bytes | None]
"""(station, hello) to the welcome; None for whoever is no station."""


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


def found_at(path: str) -> Path | None:
    """Where it lies in the server's folder; None: no such thing is served."""
    if match := BY_DIGEST.fullmatch(path):
        return Path(match[2]) if match[1] == "clip" else Path("paper", match[2])
    if match := ROOT_PATH.fullmatch(path):
        return Path(match[1])
    match = HEAD_PATH.fullmatch(path)
    return None if match is None else Path(match[1], HEAD_FILE)


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


class _ClipRequest(Request):
    """One connection. HTTP/1.1, so that a station may ask for the next range on the same connection."""

    protocol_version = "HTTP/1.1"
    server_version = "loa-content"
    sys_version = ""
    directory: Path
    note: Serve
    greet: Greet | None

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_POST(self) -> None:
        hello = HELLO_PATH.fullmatch(self.path)
        if hello is None or self.greet is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        body = self.read_body(HELLO_BYTES_MAX)
        if body is None:
            return self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        welcome = self.greet(hello[1], body)
        if welcome is None:
            return self._refuse(HTTPStatus.FORBIDDEN)
        return self.answer_json(HTTPStatus.OK, welcome)

    def log_message(self, format: str, *args: Any) -> None:
        self.note(f"{self.client_address[0]} {_on_one_line(format % args)}")

    def _answer(self, *, with_body: bool) -> None:
        path = found_at(self.path)
        if path is None:
            return self._refuse(HTTPStatus.NOT_FOUND)
        try:
            file = (self.directory / path).open("rb")
        except OSError:
            return self._refuse(HTTPStatus.NOT_FOUND)
        with file:
            return self._send(file, path.name, with_body=with_body)

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


def _on_one_line(told: str) -> str:
    """What anybody may have sent, for an operator's terminal: nothing in it moves a cursor, and it has an end."""
    safe = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in told[:NOTED_CHARS_MAX])
    return safe if len(told) <= NOTED_CHARS_MAX else safe + "…"


class ContentServer(TlsService):
    """Serves ``directory`` until stopped; a context manager. Port 0 takes a free one, see ``port``."""

    def __init__(
        self,
        directory: Path,
        identity: Issued,
        host: str = "127.0.0.1",
        port: int = 0,
        note: Serve = lambda _: None,
        greet: Greet | None = None,
    ) -> None:
        """``greet``: hellos are answered here too; else there is no such path."""
        own = {"directory": directory, "note": staticmethod(note), "greet": greet and staticmethod(greet)}
        request = type("_Request", (_ClipRequest,), own)
        super().__init__("content", request, identity, host, port)
        self.directory = directory

    def url(self, digest: str, host: str = "localhost") -> str:
        """Where a station finds the clip."""
        return f"https://{host}:{self.port}/clip/{digest}"

    def shelf(self, host: str = "localhost") -> Shelf:
        """The same place, seen by whoever writes orders."""
        return Shelf(self.directory, f"https://{host}:{self.port}")
