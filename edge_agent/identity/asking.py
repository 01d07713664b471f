"""Ask a headend for an identity, or for the next certificate, over HTTPS. Decides whom to believe, and for how long.

At enrolment there is no authority to check the server by: whoever can prove the code is the right one, whatever line it
came over, and nothing that is said needs to be kept from others. At a renewal the server must be our authority's.
"""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPS_PORT, HTTPSConnection
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from edge_agent.identity import messages
from edge_agent.identity.codes import Code
from edge_agent.identity.messages import ANSWER_BYTES_MAX, ENROL_PATH, REFUSALS, RENEW_PATH, Given
from edge_agent.sync.dial import dial, up_to_a_body, up_to_a_head
from edge_agent.sync.https import HTTPS_TROUBLE, words_of
from edge_agent.sync.tls import client_context
from edge_agent.trust.keys import Signer
from edge_agent.trust.strict_json import WireError

STALL_S, ANSWER_S = 30, 120
# A cell hands over in up to 10 s; a trust file of 100 kB takes half a minute at 32 kbit/s. Then the line is of no use.


class NoIdentity(Exception):
    """The headend gave nothing; the text says why, and what to do."""


class Refused(NoIdentity):
    """It said no, by name."""

    def __init__(self, reason: messages.Refusal) -> None:
        self.reason = reason
        super().__init__(f"{REFUSALS[reason]} [{reason}]")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to ask. ``ca_file`` None: whoever answers is believed only by the code.

    ``answer_s``: its whole answer must be here within so many seconds.
    """

    url: str
    ca_file: Path | None = None
    answer_s: float = ANSWER_S


def enrol(server: Server, code: Code, signer: Signer, csr: bytes) -> Given:
    """Who this station is from now on. Raises NoIdentity."""
    key = code.key()
    body, digest = messages.enrol_request(code, key, signer, csr, secrets.token_hex(16))
    answer = _post(server, ENROL_PATH, body)
    try:
        return messages.read_enrol_answer(answer, key, digest)
    except WireError as error:
        raise NoIdentity(
            f"{server.url}: máy chủ này không phải nơi cấp mã, chưa thay đổi gì / not the server that gave the code; "
            f"nothing was changed ({error})"
        ) from error


def renew(server: Server, realm: str, station: str, signer: Signer, csr: bytes) -> bytes:
    """The next certificate (DER), unchecked. Raises NoIdentity."""
    body, digest = messages.renew_request(realm, station, signer, csr, secrets.token_hex(16))
    answer = _post(server, RENEW_PATH, body)
    try:
        return messages.read_renew_answer(answer, digest)
    except WireError as error:
        raise NoIdentity(f"{server.url}: trả lời không hiểu được / an answer that makes no sense ({error})") from error


def _post(server: Server, path: str, body: bytes) -> bytes:
    try:
        target = urlsplit(server.url)
        if target.scheme != "https" or not target.hostname:
            raise ValueError("an address such as https://mqtt.example.vn:8444")
        context = _unproven() if server.ca_file is None else client_context(server.ca_file)
        connection = HTTPSConnection(target.hostname, target.port or HTTPS_PORT, context=context)
        deadline = time.monotonic() + server.answer_s
        sock = dial(connection.host, connection.port, context, STALL_S, deadline)
        connection.sock = cast(Any, sock)
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json", "User-Agent": "edge-agent"})
            sock.meter = up_to_a_head()
            response = connection.getresponse()
            sock.meter = up_to_a_body(ANSWER_BYTES_MAX)
            answer = response.read(ANSWER_BYTES_MAX + 1)
        finally:
            connection.close()
    except HTTPS_TROUBLE as error:
        raise NoIdentity(
            f"{server.url}: không hỏi được máy chủ / cannot be asked: {words_of(error, server.url)}"
        ) from error
    if response.status == HTTPStatus.OK and len(answer) <= ANSWER_BYTES_MAX:
        return answer
    try:
        refused = messages.read_refusal(answer)
    except WireError:
        raise NoIdentity(
            f"{server.url}: không phải dịch vụ đăng ký trạm / no enrolment service ({response.status})"
        ) from None
    raise Refused(refused)


def _unproven() -> ssl.SSLContext:
    """Only against listeners-in: who is at the other end, the code must prove."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
