"""Promises of what station and headend read of each other when a station is given its identity, over anybody's line."""

from __future__ import annotations

import base64
from collections.abc import Callable

from edge_agent.identity import codes
from edge_agent.identity.messages import (
    REQUEST_BYTES_MAX,
    Given,
    Renewed,
    enrol_answer,
    enrol_request,
    read_enrol_answer,
    read_enrol_request,
    read_refusal,
    read_renew_answer,
    read_renew_request,
    refusal,
    renew_answer,
    renew_request,
)
from edge_agent.identity.messages import Refusal as Why
from edge_agent.trust.strict_json import WireError, dump, parse
from tests.fuzz.parsers.parser import Parser, Promise, one_line
from tests.trust.makers import AREA, NONCE, REALM, STATION, signer, trust_file

CODE, KEY, CSR = codes.Code("K7Q", "M4DTX9W2F6HJ"), b"k" * codes.KEY_BYTES, bytes(range(200))
ASKED, DIGEST = enrol_request(CODE, KEY, signer("station"), CSR, NONCE)
GIVEN = Given(STATION, AREA, REALM, "Trạm loa số 1", "broker.test", 8883, CSR, CSR, trust_file())


def _refuses(read: Callable[[bytes], object]) -> Callable[[], Promise]:
    """Reads it, whatever it is, or says in one line why not; the same whichever way it is written."""

    def promise(data: bytes) -> None:
        try:
            found = read(data)
        except WireError as error:
            one_line(str(error))
            return
        assert read(dump(parse(data))) == found

    return lambda: promise


def _enrol_answer() -> Promise:
    """The input is what the proof covers: what the right code proves does no harm, and no other proves anything."""

    def promise(payload: bytes) -> None:
        told = parse(enrol_answer(KEY, DIGEST, GIVEN))
        told |= {"payload": _base64(payload), "proof": codes.answer_proof(KEY, payload)}
        try:
            given = read_enrol_answer(dump(told), KEY, DIGEST)
        except WireError as error:
            one_line(str(error))
            return
        assert read_enrol_answer(enrol_answer(KEY, DIGEST, given), KEY, DIGEST) == given
        told["proof"] = codes.answer_proof(b"x" * codes.KEY_BYTES, payload)
        try:
            read_enrol_answer(dump(told), KEY, DIGEST)
        except WireError:
            return
        raise AssertionError("a server without the code was believed")

    return promise


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _proven() -> list[bytes]:
    return [base64.b64decode(str(parse(enrol_answer(KEY, DIGEST, GIVEN))["payload"]))]


PARSERS = (
    Parser(
        "enrol-request", "identity.messages", _refuses(read_enrol_request), lambda: [ASKED], REQUEST_BYTES_MAX, True
    ),
    Parser("enrol-answer", "identity.messages", _enrol_answer, _proven, REQUEST_BYTES_MAX, True),
    Parser(
        "renew-request",
        "identity.messages",
        _refuses(read_renew_request),
        lambda: [renew_request(REALM, STATION, signer("station"), CSR, NONCE)[0]],
        REQUEST_BYTES_MAX,
        True,
    ),
    Parser(
        "renew-answer",
        "identity.messages",
        _refuses(lambda data: read_renew_answer(data, DIGEST)),
        lambda: [renew_answer(DIGEST, Renewed(CSR, one)) for one in (CSR, None)],
        REQUEST_BYTES_MAX,
        True,
    ),
    Parser(
        "refusal", "identity.messages", _refuses(read_refusal), lambda: [*map(refusal, Why)], REQUEST_BYTES_MAX, True
    ),
)
