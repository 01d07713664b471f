"""The bodies in docs/examples/enrolment: as their schemas say, and understood by both sides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge_agent.headend.schemas import IDENTITY, faults
from edge_agent.identity import messages
from edge_agent.identity.certificate import take
from edge_agent.identity.codes import read_code, request_proof
from edge_agent.identity.messages import Refusal
from edge_agent.trust.envelope import signers_of
from tests.identity.test_schemas import inside
from tools import example_identity as example
from tools import example_ward

FOLDER = Path(__file__).parents[2] / "docs" / "examples" / example.FOLDER
PROTOCOL = FOLDER.parents[1] / "protocol.md"


def _body(name: str) -> bytes:
    return (FOLDER / f"{name}.json").read_bytes()


def _said() -> list[tuple[str, Any]]:
    """Each body, and what is inside, with the schema that it has."""
    whole: dict[str, Any] = {path.stem: json.loads(path.read_bytes()) for path in FOLDER.iterdir()}
    request, answer, renewal = whole.pop("enrol-request"), whole.pop("enrol-answer"), whole.pop("renew-request")
    outer = [("enrol_request", request), ("enrol_answer", answer), ("envelope", renewal), *whole.items()]
    return [*outer, ("enrol", inside(request["envelope"])), ("enrolled", inside(answer)), ("renew", inside(renewal))]


def test_each_body_is_valid_by_its_schema_and_each_schema_has_one() -> None:
    said = _said()
    assert [(kind, faults(kind, value)) for kind, value in said] == [(kind, []) for kind, _ in said]
    assert {kind for kind, _ in said} == {*IDENTITY, "envelope"}


def test_the_code_in_the_document_is_the_one_of_the_examples() -> None:
    typed = example.CODE.typed()
    assert f"for the code `{typed}`" in PROTOCOL.read_text("utf-8")
    assert read_code(typed) == example.CODE


def test_a_headend_believes_the_requests() -> None:
    request = messages.read_enrol_request(_body("enrol-request"))
    assert request.possessed
    assert request.proof == request_proof(example.CODE.key(), request.proved)
    renewal = messages.read_renew_request(_body("renew-request"))
    assert signers_of(renewal.envelope, [example_ward.key("station").public])


def test_a_station_takes_the_answers() -> None:
    request = messages.read_enrol_request(_body("enrol-request"))
    given = messages.read_enrol_answer(_body("enrol-answer"), example.CODE.key(), request.envelope.digest)
    assert given == example.given()
    key = example.tls_key("station").public_key()
    public = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert take(given.certificate, given.authority, given.station, public)
    renewal = messages.read_renew_request(_body("renew-request"))
    renewed = messages.read_renew_answer(_body("renewed"), renewal.envelope.digest)
    assert renewed == messages.Renewed(given.certificate, given.authority)
    assert messages.read_refusal(_body("refused")) is Refusal.CODE_USED
