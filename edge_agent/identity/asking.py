"""Ask a headend for an identity, or for the next certificate, over HTTPS. Decides whom to believe, and for how long.

At enrolment there is no authority to check the server by: whoever can prove the code is the right one, whatever line it
came over, and nothing that is said needs to be kept from others. At a renewal the server must be our authority's; so
whoever is believed is then called once more as a renewal will call him, before anything is kept.
"""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

from edge_agent.identity import messages
from edge_agent.identity.address import NoAddress, read_address
from edge_agent.identity.codes import Code
from edge_agent.identity.messages import ANSWER_BYTES_MAX, ENROL_PATH, REFUSALS, RENEW_PATH, Given, Renewed
from edge_agent.sync.dial import dial, up_to_a_body, up_to_a_head
from edge_agent.sync.https import HTTPS_TROUBLE, one_line, words_of
from edge_agent.sync.plain_answers import PlainConnection
from edge_agent.sync.tls import client_context, context_of
from edge_agent.sync.tls_trouble import Kind, TlsTrouble, trouble_in
from edge_agent.trust.keys import Signer
from edge_agent.trust.strict_json import WireError

STALL_S, ANSWER_S = 30, 120
# A cell hands over in up to 10 s; a trust file of 100 kB takes half a minute at 32 kbit/s. Then the line is of no use.


NAMES = (
    "sửa --server ([enrolment] url) thành một tên có trong chứng thư / correct --server ([enrolment] url) to one of "
    "the certificate's names"
)
WRONG_PORT = (
    "cổng MQTT chăng? cổng đó đòi chứng thư của trạm; ghi cổng của dịch vụ đăng ký, thường là 8444 / the broker's "
    "port? that one asks for a station's certificate; use the enrolment service's, most often 8444"
)


NEWER_REASON = (
    "máy chủ từ chối, vì lý do mà phần mềm của trạm chưa biết: cập nhật phần mềm của trạm, hoặc báo trung tâm / "
    "refused for a reason that this software does not know: update the station's, or tell the centre"
)


class NoIdentity(Exception):
    """The headend gave nothing; the text says why, and what to do."""


class Refused(NoIdentity):
    """It said no, by name."""

    def __init__(self, reason: messages.Refusal | str) -> None:
        self.reason = reason
        words = REFUSALS[reason] if isinstance(reason, messages.Refusal) else NEWER_REASON
        super().__init__(f"{words} [{one_line(reason)}]")  # anybody on the way may have chosen it


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
        given = messages.read_enrol_answer(answer, key, digest)
    except WireError as error:
        raise NoIdentity(
            f"{server.url}: máy chủ này không phải nơi cấp mã, chưa thay đổi gì / not the server that gave the code; "
            f"nothing was changed ({error})"
        ) from error
    _check_renewable(server, given.authority)
    return given


def renew(server: Server, realm: str, station: str, signer: Signer, csr: bytes) -> Renewed:
    """The next certificate, and the authority's, unchecked. Raises NoIdentity."""
    body, digest = messages.renew_request(realm, station, signer, csr, secrets.token_hex(16))
    answer = _post(server, RENEW_PATH, body)
    try:
        return messages.read_renew_answer(answer, digest)
    except WireError as error:
        raise NoIdentity(f"{server.url}: trả lời không hiểu được / an answer that makes no sense ({error})") from error


def trouble_at(url: str, context: ssl.SSLContext, within_s: float = ANSWER_S) -> TlsTrouble | None:
    """Why a renewal, which believes by ``context``, would not believe who answers there; None if it would.

    Raises HTTPS_TROUBLE where the line, and no certificate, is the reason.
    """
    address = read_address(url)
    try:
        dial(*address, context, min(STALL_S, within_s), time.monotonic() + within_s, up_to_a_head()).close()
    except OSError as error:
        if trouble := trouble_in(error, address.host):
            return trouble
        raise
    return None


def _check_renewable(server: Server, authority: bytes) -> None:
    """Else the station is well for 550 days, and then can renew nothing."""
    try:
        trouble = trouble_at(server.url, context_of(authority))
    except HTTPS_TROUBLE as error:
        raise _not_asked(server, error) from error
    if trouble is None:
        return
    if trouble.kind is Kind.OTHER_NAME:
        remedy = f"{NAMES}: {', '.join(names_at(server.url, context_of(authority)))}"
    else:
        remedy = (
            "có máy đứng giữa; gõ lại với địa chỉ của chính máy chủ / somebody stands between; repeat with the "
            "server's own address"
        )
    raise NoIdentity(
        f"{server.url}: {trouble.vi}, sau này không gia hạn được; chưa thay đổi gì / {trouble.en}, no renewal would "
        f"ever pass; nothing was changed. Mã còn dùng được ở máy này / the code is still good on this box: {remedy}"
    )


def names_at(url: str, context: ssl.SSLContext) -> list[str]:
    """What the certificate is for that is shown there, if its authority is the right one; else nothing."""
    context.check_hostname = False
    try:
        with dial(*read_address(url), context, STALL_S, time.monotonic() + STALL_S) as sock:
            certificate = sock.tls.getpeercert() or {}
    except HTTPS_TROUBLE:
        return []
    return [one_line(str(name)) for _, name in cast(Any, certificate.get("subjectAltName", ()))]


def _not_asked(server: Server, error: Exception) -> NoIdentity:
    return NoIdentity(f"{server.url}: không hỏi được máy chủ / cannot be asked: {_words(error, server)}")


def _words(error: Exception, server: Server) -> str:
    """No certificate is shown here: whoever refuses one is no enrolment service."""
    if isinstance(error, NoAddress):
        return str(error)
    trouble = trouble_in(error, read_address(server.url).host)
    if trouble is None:
        # Of a broker's two words, the alert and the end of the line, the second may be heard first.
        ended = isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
        return f"{words_of(error, server.url)}; {WRONG_PORT}" if ended else words_of(error, server.url)
    told = f"{trouble.vi} / {trouble.en}"
    if trouble.kind is Kind.OURS_REFUSED:
        return WRONG_PORT
    if trouble.kind is Kind.OTHER_NAME and server.ca_file is not None:
        names = ", ".join(names_at(server.url, client_context(server.ca_file)))
        return f"{told}; {NAMES}: {names}"
    return told


def _post(server: Server, path: str, body: bytes) -> bytes:
    try:
        context = _unproven() if server.ca_file is None else client_context(server.ca_file)
        host, port = read_address(server.url)
        connection = PlainConnection(host, port, context=context)
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
        raise _not_asked(server, error) from error
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
