"""Carry enrolments and renewals over HTTPS to the registrar: two paths, POST, bounded. Decides nothing about them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from edge_agent.core.units import UtcMs
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.https_server import Request, TlsService
from edge_agent.headend.pki import Issued
from edge_agent.headend.registrar import Answer, Refused, Registrar
from edge_agent.identity.messages import ENROL_PATH, RENEW_PATH, REQUEST_BYTES_MAX, refusal

Serve = Callable[[str], None]


class _Request(Request):
    """One connection, one request."""

    server_version = "loa-enrolment"
    sys_version = ""
    registrar: Registrar
    clock: Callable[[], UtcMs]
    note: Serve

    def do_POST(self) -> None:
        task = {ENROL_PATH: self.registrar.enrol, RENEW_PATH: self.registrar.renew}.get(self.path)
        if task is None:
            return self.answer_json(HTTPStatus.NOT_FOUND, b"")
        body = self.read_body(REQUEST_BYTES_MAX)
        if body is None:
            return self.answer_json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"")
        try:
            answer: Answer = task(body, self.clock())
        except Refused as refused:
            self.note(f"{self.client_address[0]} refused {refused}")
            return self.answer_json(HTTPStatus.FORBIDDEN, refusal(refused.reason))
        except (HeadendError, OSError) as error:
            # Not the client's line, which nobody would be told of, but our own disk or a file in the keyring. He finds
            # his line ended, and asks again.
            self.note(f"{self.client_address[0]} chưa trả lời / not answered: {error}")
            return None
        self.note(f"{self.client_address[0]} {answer.what} {answer.station}")
        return self.answer_json(HTTPStatus.OK, answer.body)

    def log_message(self, format: str, *args: Any) -> None:
        """``note`` says more."""


class EnrolmentServer(TlsService):
    """Serves until stopped; a context manager. Port 0 takes a free one, see ``port``."""

    def __init__(
        self,
        registrar: Registrar,
        identity: Issued,
        clock: Callable[[], UtcMs],
        host: str = "127.0.0.1",
        port: int = 0,
        note: Serve = lambda _: None,
    ) -> None:
        own = {"registrar": registrar, "clock": staticmethod(clock), "note": staticmethod(note)}
        super().__init__("enrolment", type("_Enrolment", (_Request,), own), identity, host, port)
