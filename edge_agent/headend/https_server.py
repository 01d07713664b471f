"""Serve HTTPS to stations: TLS 1.3, so many connections at once, none that holds up another. Decides no answer.

Anybody may connect, and say a byte now and then: a question, from the first byte of the handshake to the last one of
its body, has one deadline in all, and so has each block of an answer. Who keeps a place, ``places`` decides.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import threading
import time
from http import HTTPStatus
from http.client import HTTPMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, TypeVar, cast

from edge_agent.core.look_ahead import FETCH_BYTES_S_MIN
from edge_agent.headend.files import stamp
from edge_agent.headend.pki import Issued
from edge_agent.headend.places import PLACES_MAX, Places

QUESTION_S = 30
# Handshake, head and body together, and from an answer to the end of the next question. TLS over 3G takes up to 10 s; a
# station on 4G that has not asked within half a minute has lost its link, and comes back with a range.
QUESTION_BYTES_MAX = 64 * 1_024
# Head and body. A station's has some 3 kB, and a body no more than 16; http.server takes 6 MB of headers, and all
# places together would hold 2 GB of them.
LENGTH_DIGITS_MAX = 7
# No question of a station has ten megabytes.

Service = TypeVar("Service", bound="TlsService")


class Connection(ssl.SSLSocket):
    """A client's line. What it says has come by ``until`` (of ``time.monotonic``), however it is cut into pieces."""

    until = 0.0
    bytes_left = 0

    def expect_question(self) -> None:
        """From now on there is as long as a question may take, and as much as it may have."""
        self.until, self.bytes_left = time.monotonic() + QUESTION_S, QUESTION_BYTES_MAX

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        if self.bytes_left <= 0:
            raise ConnectionAbortedError("too long")
        self.settimeout(_left(self.until))
        came = super().recv_into(buffer, nbytes, flags)
        self.bytes_left -= came
        return came

    def sendall(self, data: Any, flags: int = 0) -> None:
        """A client that reads more slowly than any station may (protocol, 10.4) is let go."""
        with memoryview(data).cast("B") as whole:
            until = time.monotonic() + QUESTION_S + len(whole) / FETCH_BYTES_S_MIN
            sent = 0
            while sent < len(whole):
                self.settimeout(_left(until))
                sent += self.send(whole[sent:], flags)

    def hang_up(self) -> None:
        """From any thread: its own one finds it ended. Below TLS, which may be in the middle of a receive."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self, socket.SHUT_RDWR)


class _Head(HTTPMessage):
    """Of a question; nobody asks which type its body says it has.

    As mail a ``multipart`` one of 60 kB would keep a PC's core for four seconds, and anybody may ask.
    """

    def get_content_maintype(self) -> str:
        return "text"


class Request(BaseHTTPRequestHandler):
    """One connection, and its questions one after the other."""

    MessageClass = _Head
    server: TlsServer
    connection: Connection
    _answered = False

    def handle_one_request(self) -> None:
        if self._answered:
            self.connection.expect_question()
            self.server.places.owes(self.connection)
        super().handle_one_request()
        self._answered = True

    def parse_request(self) -> bool:
        whole = super().parse_request()
        if whole and self.command != "POST":
            self.server.places.asked(self.connection)
        return whole

    def read_body(self, bytes_max: int) -> bytes | None:
        """What was sent with it; None where it is longer, or tells no length: after the answer the line ends."""
        length = self.headers.get("Content-Length", "")
        digits = length.isascii() and length.isdigit() and len(length) <= LENGTH_DIGITS_MAX
        if not digits or int(length) > bytes_max:
            self.close_connection = True  # what follows is not looked at
            return None
        body = self.rfile.read(int(length))
        self.server.places.asked(self.connection)
        return body

    def answer_json(self, status: HTTPStatus, body: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class TlsServer(ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, so that a silent client cannot stop the next one from coming in."""

    daemon_threads = True
    request_queue_size = PLACES_MAX

    def __init__(self, address: tuple[str, int], request: type[Request], tls: ssl.SSLContext) -> None:
        super().__init__(address, request)
        self.tls = tls
        self.places = Places()

    def process_request(self, request: Any, client_address: Any) -> None:
        connection = self._wrapped(request)
        if not self.places.take(connection, client_address[0]):
            return self.shutdown_request(connection)
        try:
            return super().process_request(connection, client_address)
        except BaseException:  # no thread was to be had
            self.places.leave(connection)
            self.shutdown_request(connection)
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.places.leave(request)

    def _wrapped(self, plain: socket.socket) -> Connection:
        connection = cast(Connection, self.tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False))
        connection.expect_question()
        return connection

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up or talks no TLS is an ordinary day; anything else is our own bug and is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class TlsService:
    """Serves in a thread of its own until stopped; a context manager. Port 0 takes a free one, see ``port``."""

    def __init__(self, name: str, request: type[Request], identity: Issued, host: str, port: int) -> None:
        self._identity, self._shown = identity, stamp(identity.certificate)
        self._server = TlsServer((host, port), request, _tls(identity))
        self._thread = threading.Thread(target=self._server.serve_forever, name=name, daemon=True)
        self.host = host

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to serve in a thread of its own."""
        self._thread.start()

    def see_certificate(self) -> None:
        """Show one that was renewed to whoever connects from now on; costs a look at the file where none was.

        Raises OSError once for one that will not do, and shows the old one.
        """
        newest = stamp(self._identity.certificate)
        if newest not in (self._shown, None):
            self._shown = newest
            self._server.tls = _tls(self._identity)

    def stop(self) -> None:
        """End; connections that still send are cut off with the process."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self: Service) -> Service:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def _tls(identity: Issued) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_3
    tls.load_cert_chain(identity.certificate, identity.key)
    tls.sslsocket_class = Connection
    return tls


def _left(until: float) -> float:
    """Seconds to go. Raises TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("too slow")
    return left
