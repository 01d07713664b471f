"""A man in the middle of an enrolment: ends the TLS of both sides, sees everything, and changes what he likes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

from edge_agent.headend.https_server import Request, TlsService
from edge_agent.headend.pki import create_authority, issue_server

Change = Callable[[bytes], bytes]


def unchanged(body: bytes) -> bytes:
    return body


class Middle(TlsService):
    """Between a box and the real service on ``port``. What went through is in ``seen``."""

    def __init__(self, folder: Path, port: int, asked: Change = unchanged, answered: Change = unchanged) -> None:
        seen: list[bytes] = []

        class Relayed(Request):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = _forward(port, self.path, asked(body))
                seen.extend((body, answer))
                answer = answered(answer)
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        authority = create_authority(folder / "ca", "middle")
        super().__init__("middle", Relayed, issue_server(authority, folder / "server", "middle"), "127.0.0.1", 0)
        self.seen = seen

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"


def _forward(port: int, path: str, body: bytes) -> tuple[int, bytes]:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = HTTPSConnection("localhost", port, timeout=30, context=context)
    try:
        connection.request("POST", path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
