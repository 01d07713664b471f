"""Serve HTTPS to stations: TLS 1.3, so many connections at once, none that holds up another. Decides no answer."""

from __future__ import annotations

import ssl
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from types import TracebackType
from typing import Any, TypeVar

from edge_agent.headend.pki import Issued

IDLE_S = 30
# A station on 4G that sends nothing for half a minute has lost its link; it comes back with a range.
CONNECTIONS_MAX = 256
# A commune has at most 50 stations (requirement S1), and four of them may share a server: each fetches one clip at a
# time, or leaves one for a warning's. A connection has two files open at most, of the 1,024 that a process may have.

LENGTH_DIGITS_MAX = 7
# No question of a station has ten megabytes.

Service = TypeVar("Service", bound="TlsService")


def read_body(request: BaseHTTPRequestHandler, bytes_max: int) -> bytes | None:
    """What was sent with a question; None where it is longer, or tells no length: after the answer the line ends."""
    length = request.headers.get("Content-Length", "")
    digits = length.isascii() and length.isdigit() and len(length) <= LENGTH_DIGITS_MAX
    if not digits or int(length) > bytes_max:
        request.close_connection = True  # what follows is not looked at
        return None
    return request.rfile.read(int(length))


def answer_json(request: BaseHTTPRequestHandler, status: HTTPStatus, body: bytes) -> None:
    """Send an answer."""
    request.send_response(status)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


class TlsServer(ThreadingHTTPServer):
    """Shakes hands in the connection's own thread, so that a silent client cannot stop the next one from coming in."""

    daemon_threads = True
    request_queue_size = CONNECTIONS_MAX

    def __init__(self, address: tuple[str, int], request: type[BaseHTTPRequestHandler], tls: ssl.SSLContext) -> None:
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


class TlsService:
    """Serves in a thread of its own until stopped; a context manager. Port 0 takes a free one, see ``port``."""

    def __init__(
        self, name: str, request: type[BaseHTTPRequestHandler], identity: Issued, host: str, port: int
    ) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.minimum_version = ssl.TLSVersion.TLSv1_3
        tls.load_cert_chain(identity.certificate, identity.key)
        self._server = TlsServer((host, port), request, tls)
        self._thread = threading.Thread(target=self._server.serve_forever, name=name, daemon=True)
        self.host = host

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begin to serve in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """End; connections that still send are cut off with the process."""
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self: Service) -> Service:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()
