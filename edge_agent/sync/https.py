"""Decide how the station asks a content server: HTTPS to a pinned authority, few redirects, and never for ever.

Every receive is bounded by the stall time, and none begins after the deadline for the whole file, so that a server
that sends a byte now and then (in the headers too) holds a worker hardly longer than a silent one. What comes is
bounded by the length of what was asked for, whatever the server calls it (``dial``). What the bytes are worth is for
``download``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPS_PORT, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urljoin, urlsplit

from edge_agent.core.clock_trust import Now
from edge_agent.core.look_ahead import FETCH_BYTES_S_MIN, FETCH_SLACK_MS
from edge_agent.core.units import SECOND_MS
from edge_agent.sync.dial import Meter, Tally, TimedSocket, both, counted, dial, up_to_a_body, up_to_a_head
from edge_agent.sync.plain_answers import PlainConnection
from edge_agent.sync.tls import client_context, clock_dates_certificates, dates_trouble
from edge_agent.sync.tls_trouble import DatesTrouble, trouble_in

REDIRECTS_MAX = 2
# One to a mirror, one from there to its storage; more is a loop.
REDIRECTS = frozenset({301, 302, 303, 307, 308})
HTTPS_TROUBLE = (OSError, HTTPException, ValueError, OverflowError)
# Everything that a server, a network or a malformed URL can do to ``get`` and to reading its response. ``http.client``
# takes a chunk's length as it comes, be it longer than any index.
NAME_CHARS_MAX = 253
# Of a host (RFC 1035). A server may redirect to one of 64,000, which is half a second's work of a PC to spell.
WHY_CHARS_MAX = 200
# Of it, in a log: a sentence of our own fits; http.client cites lines of 64 kB.


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server may take."""

    stall_s: float = 30
    # Without a single byte. A 3G cell hands over in up to 10 s; longer silences end in a resume anyway.
    slack_s: float = FETCH_SLACK_MS / SECOND_MS
    rate_bytes_s_min: int = FETCH_BYTES_S_MIN
    # For the whole: slack plus the length at this rate.

    def total_s(self, length_bytes: int) -> float:
        """How long a file of this length may take, connecting included."""
        return self.slack_s + length_bytes / self.rate_bytes_s_min


PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose servers are believed to be the ones they say they are, and by which clock their certificates are judged."""

    ca_file: Path
    clock: Callable[[], Now]


@contextmanager
def get(
    url: str, first_byte: int, bytes_max: int, trust: Trust, stall_s: float, deadline: float, meter: Meter
) -> Iterator[Line]:
    """Ask for ``url`` from ``first_byte`` on; the response has its status and headers. Raises HTTPS_TROUBLE.

    ``bytes_max``: of the whole that lies there. A body may cost hardly more than what it is to bring of that; ``meter``
    is told of all that comes. Redirects are followed: wherever it lies, a digest says what it is.
    """
    for _ in range(REDIRECTS_MAX + 1):
        head = both(up_to_a_head(), meter)
        with _answered(url, first_byte, trust, stall_s, deadline, head, head) as (response, sock):
            if response.status not in REDIRECTS:
                lacking = bytes_max - (first_byte if response.status == HTTPStatus.PARTIAL_CONTENT else 0)
                sock.meter = both(up_to_a_body(lacking), meter)
                yield Line(response, sock, stall_s)
                return
            url = urljoin(url, response.headers.get("Location", ""))
    raise HTTPException(f"more than {REDIRECTS_MAX} redirects")


@dataclass(frozen=True, slots=True)
class Line:
    """A response that is being read. ``read``, of what may go on for hours, is for one thread."""

    response: HTTPResponse
    socket: TimedSocket
    stall_s: float

    @property
    def status(self) -> int:
        return self.response.status

    def read(self, bytes_max: int) -> bytes:
        """What has arrived, after one receive; empty at the end. Raises HTTPS_TROUBLE.

        Where it comes in chunks this takes several, of which none begins after the stall time.
        """
        self.socket.deadline = time.monotonic() + self.stall_s
        return self.response.read1(bytes_max)

    def hang_up(self) -> None:
        """From any thread: whoever reads is told of an end."""
        self.socket.hang_up()


@contextmanager
def listen(url: str, trust: Trust, begin_s: float, stall_s: float, meter: Meter) -> Iterator[Line]:
    """As ``get``, for what never ends: all must have begun within ``begin_s``; then silence and ``meter`` end it.

    No redirect is followed: of a live source nothing is signed but its address.
    """
    head = both(up_to_a_head(), meter)
    # A handshake is paid for and refused to nobody: cut short in debt it would owe what is unread, each time anew.
    with _answered(url, 0, trust, stall_s, time.monotonic() + begin_s, head, counted(head)) as (response, sock):
        sock.meter = meter
        sock.settimeout(stall_s)
        yield Line(response, sock, stall_s)


@contextmanager
def _answered(
    url: str, first_byte: int, trust: Trust, stall_s: float, deadline: float, meter: Meter, greeting: Meter
) -> Iterator[tuple[HTTPResponse, TimedSocket]]:
    """``greeting`` is for the handshake, be it one that fails."""
    target = _checked(url)
    connection = _connect(target, trust, stall_s, deadline, greeting)
    sock = cast(TimedSocket, connection.sock)
    sock.meter = meter
    try:
        with _ask(connection, target, first_byte) as response:
            try:
                yield response, sock
            finally:
                sock.settle()  # here: with its response an answer's socket is closed for good
    finally:
        sock.settle()
        connection.close()


class Visit:
    """Several small things from one server, on one connection as far as it lasts. Redirects are not followed."""

    def __init__(self, base_url: str, trust: Trust, stall_s: float, deadline: float, tally: Tally) -> None:
        self._target = _checked(base_url)
        self._trust = trust
        self._stall_s = stall_s
        self._deadline = deadline
        self._tally = tally
        self._connection: PlainConnection | None = None

    def read(self, path: str, bytes_max: int, body: bytes | None = None) -> bytes:
        """What lies at ``path``, or is answered there to ``body``.

        Raises HTTPS_TROUBLE; the next one is asked for on a new connection then.
        """
        head = both(up_to_a_head(), self._tally)
        if self._connection is None or self._connection.sock is None:
            self._connection = _connect(self._target, self._trust, self._stall_s, self._deadline, head)
        sock = cast(TimedSocket, self._connection.sock)
        sock.meter = head
        try:
            response = _ask(self._connection, self._target._replace(path=path), 0, body)
            sock.meter = both(up_to_a_body(bytes_max), self._tally)
            return _whole(response, bytes_max)
        except HTTPS_TROUBLE:
            sock.settle()
            self.close()
            raise

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            if self._connection.sock is not None:
                cast(TimedSocket, self._connection.sock).settle()
            self._connection.close()


def _whole(response: HTTPResponse, bytes_max: int) -> bytes:
    if response.status != HTTPStatus.OK:
        raise HTTPException(f"HTTP {response.status}")
    body = bytearray()
    # read1 returns after one receive: a server that dribbles cannot keep us from looking at the deadline.
    while block := response.read1(bytes_max + 1 - len(body)):
        body += block
        if len(body) > bytes_max:
            raise HTTPException(f"more than {bytes_max} bytes")
    if response.length:
        raise HTTPException(f"ended {response.length} bytes early")
    return bytes(body)


def words_of(error: Exception, url: str) -> str:
    """What one of HTTPS_TROUBLE is told as."""
    try:
        trouble = trouble_in(error, urlsplit(url).hostname or "")
    except ValueError:
        trouble = None
    return one_line(trouble.en if trouble else f"{type(error).__name__}: {error}")


def is_the_lines(error: Exception) -> bool:
    """Whether one of HTTPS_TROUBLE is the network's, as far as can be told, and no answer of the server.

    What we end ourselves, because it is too much, has no number; nor has a server that hangs up without a word.
    """
    return isinstance(error, TimeoutError) or (isinstance(error, OSError) and error.errno is not None)


def one_line(words: str) -> str:
    """Short, and nothing that moves a cursor: a server may have chosen them."""
    return "".join(char if " " <= char <= "~" else "?" for char in words[:WHY_CHARS_MAX])


def _checked(url: str) -> SplitResult:
    target = urlsplit(url)
    if target.scheme != "https" or not target.hostname:
        raise ValueError(f"not an https URL: {url[:100]!r}")
    if len(target.hostname) > NAME_CHARS_MAX:
        raise ValueError(f"a host of {len(target.hostname)} characters: {url[:100]!r}")
    return target


def _connect(target: SplitResult, trust: Trust, stall_s: float, deadline: float, meter: Meter) -> PlainConnection:
    context = client_context(trust.ca_file)
    # Without a port it would take the last group of an IPv6 address for one.
    connection = PlainConnection(target.hostname or "", target.port or HTTPS_PORT, context=context)
    sock = dial(connection.host, connection.port, context, stall_s, deadline, meter)
    connection.sock = cast(Any, sock)
    now = trust.clock()
    if clock_dates_certificates(now) and (trouble := dates_trouble(sock.tls, now)):
        sock.settle()
        connection.close()
        raise DatesTrouble(trouble)
    return connection


def _ask(connection: PlainConnection, target: SplitResult, first_byte: int, body: bytes | None = None) -> HTTPResponse:
    headers = {"Accept-Encoding": "identity", "User-Agent": "edge-agent"}
    if first_byte:
        headers["Range"] = f"bytes={first_byte}-"
    place = target._replace(scheme="", netloc="", fragment="").geturl() or "/"
    connection.request("GET" if body is None else "POST", place, body, headers)
    return connection.getresponse()
