"""The bodies of enrolment and renewal, and their schemas: one line between sound and wrong, drawn by both alike."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from edge_agent.cli import identity
from edge_agent.cli.identity import Asked
from edge_agent.headend.schemas import IDENTITY, faults
from edge_agent.identity import codes, messages
from edge_agent.identity.messages import Given, Refusal
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import Scheme, Signer
from edge_agent.trust.strict_json import dump
from tests.headend.schema_walk import changes
from tests.headend.test_schemas import agree, unread, untried
from tests.identity.middle import Middle
from tests.identity.street import box, office
from tests.trust.makers import AREA, NONCE, REALM, STATION, P256Signer, signer, trust_file
from tests.trust.strategies import areas, names, unhurried, words
from tools.schema_tree import whole

CODE, KEY, CSR = codes.Code("K7Q", "M4DTX9W2F6HJ"), b"k" * codes.KEY_BYTES, bytes(range(200))
SIGNERS: tuple[Signer, ...] = (signer("station"), P256Signer("element"))
GIVEN = Given(STATION, AREA, REALM, "Trạm loa số 1", "broker.test", 8883, CSR, CSR, trust_file())
DIGEST = "ab" * 32


def inside(outer: Any) -> Any:
    """The payload of an envelope or of an answer."""
    return json.loads(base64.b64decode(outer["payload"]))


REQUESTS = [json.loads(messages.enrol_request(CODE, KEY, one, CSR, NONCE)[0]) for one in SIGNERS]
ANSWER = messages.enrol_answer(KEY, DIGEST, GIVEN)
SAMPLES: dict[str, list[Any]] = {
    "enrol_request": REQUESTS,
    "enrol": [inside(one["envelope"]) for one in REQUESTS],
    "enrol_answer": [json.loads(ANSWER)],
    "enrolled": [inside(json.loads(ANSWER))],
    "renew": [inside(json.loads(messages.renew_request(REALM, STATION, SIGNERS[0], CSR, NONCE)[0]))],
    "renewed": [json.loads(messages.renew_answer(DIGEST, messages.Renewed(CSR, one))) for one in (CSR, None)],
    "refused": [json.loads(messages.refusal(reason)) for reason in Refusal],
}
"""As the code writes them."""


def _enrol(payload: bytes) -> object:
    """Read it where it stands: signed, in a request."""
    envelope = json.loads(_signed("enrol", payload))
    return messages.read_enrol_request(json.dumps(REQUESTS[0] | {"envelope": envelope}).encode())


def _enrolled(payload: bytes) -> object:
    told = {"payload": base64.b64encode(payload).decode(), "proof": codes.answer_proof(KEY, payload)}
    return messages.read_enrol_answer(json.dumps(json.loads(ANSWER) | told).encode(), KEY, DIGEST)


def _renew(payload: bytes) -> object:
    return messages.read_renew_request(_signed("renew", payload))


def _signed(kind: str, payload: bytes) -> bytes:
    # In UTF-8: one letter too many of a CSR must fit the envelope, or the envelope would be what is refused.
    text = json.dumps(json.loads(payload), ensure_ascii=False)
    return sign(payload_type(kind), text.encode(), [SIGNERS[0]])


READ: dict[str, Callable[[bytes], object]] = {
    "enrol_request": messages.read_enrol_request,
    "enrol": _enrol,
    "enrol_answer": lambda data: messages.read_enrol_answer(data, KEY, DIGEST),
    "enrolled": _enrolled,
    "renew": _renew,
    "renewed": lambda data: messages.read_renew_answer(data, DIGEST),
    "refused": messages.read_refusal,
}
BEYOND = {
    "enrol_request": ("JSON and nothing else", "UTF-8"),
    "enrol": ("SEC1 point on the curve",),
    "enrol_answer": ("by the code; this is not the server that made it",),
    "enrolled": ("this answers something else",),
    "renewed": ("this answers something else",),
}
"""What a parser may find that a schema cannot say: what is in the payload, which proof, which digest."""


@pytest.mark.deep
@pytest.mark.parametrize("kind", IDENTITY)
def test_a_body_is_refused_exactly_where_its_schema_says_so(kind: str) -> None:
    both, samples = {True: 0, False: 0}, SAMPLES[kind]
    assert [(faults(kind, one), unread(READ[kind], one)) for one in samples] == [([], None)] * len(samples)
    for change in changes(kind, *samples):
        both[agree(kind, change, unread(READ[kind], change.message), BEYOND.get(kind, ()))] += 1
    assert min(both.values()) > 4


@pytest.mark.parametrize("kind", IDENTITY)
def test_what_a_newer_server_or_station_says_besides_is_ignored(kind: str) -> None:
    """A station that refused its next certificate for one field more would be off the air when the old one ends."""
    for sample in SAMPLES[kind]:
        more = sample | {"more": {"text": 1}}
        assert (faults(kind, more), unread(READ[kind], more)) == ([], None)


def test_the_proof_of_a_request_is_over_what_nobody_here_knows_as_well() -> None:
    more = {name: value for name, value in REQUESTS[0].items() if name != "proof"} | {"more": 1}
    proof = codes.request_proof(KEY, dump(more))
    asked = messages.read_enrol_request(dump(more | {"proof": proof}))
    assert codes.request_proof(KEY, asked.proved) == proof
    for changed in (REQUESTS[0] | {"more": 1}, more | {"proof": proof, "more": 2}):
        asked = messages.read_enrol_request(dump(changed))
        assert codes.request_proof(KEY, asked.proved) != asked.proof


@pytest.mark.parametrize("kind", IDENTITY)
def test_every_field_of_a_body_is_tried_at_its_bounds(kind: str) -> None:
    assert untried(kind, *SAMPLES[kind]) == []


@pytest.mark.parametrize(
    ("name", "bytes_max"),
    [("certificate", messages.DER_BYTES_MAX), ("authority", messages.DER_BYTES_MAX), ("trust", 1_048_576)],
)
def test_the_largest_answer_that_may_be_given_is_valid_and_read_and_a_larger_one_is_neither(
    name: str, bytes_max: int
) -> None:
    largest = _given(replace(GIVEN, **{name: bytes(bytes_max)}))
    assert (faults("enrolled", largest), unread(_enrolled, largest)) == ([], None)
    larger = _given(replace(GIVEN, **{name: bytes(bytes_max + 3)}))
    assert faults("enrolled", larger)
    assert unread(_enrolled, larger)


def _given(given: Given) -> Any:
    return inside(json.loads(messages.enrol_answer(KEY, DIGEST, given)))


def test_an_answer_with_the_largest_of_everything_is_no_larger_than_an_answer_may_be() -> None:
    der = bytes(messages.DER_BYTES_MAX)
    largest = replace(GIVEN, certificate=der, authority=der, trust=bytes(1_048_576))
    body = messages.enrol_answer(KEY, DIGEST, largest)
    assert faults("enrol_answer", json.loads(body)) == []
    assert len(body) <= messages.ANSWER_BYTES_MAX


def test_the_enumerations_of_the_bodies_are_the_codes_own() -> None:
    assert whole("refused")["properties"]["reason"]["anyOf"][0]["enum"] == [reason.value for reason in Refusal]
    assert whole("enrol")["properties"]["scheme"]["enum"] == [scheme.value for scheme in Scheme]


def test_the_slot_is_of_the_alphabet_of_codes() -> None:
    request = REQUESTS[0]
    taken = [one for one in map(chr, range(128)) if faults("enrol_request", request | {"slot": f"K7{one}"}) == []]
    assert "".join(taken) == codes.ALPHABET


@drawn(
    given=st.builds(
        Given,
        *(names, areas, names, words(1, 80), st.from_regex(r"[A-Za-z0-9.:_-]{1,253}", fullmatch=True)),
        *(st.integers(1, 65_535), st.binary(max_size=900), st.binary(max_size=900), st.binary(max_size=9_000)),
    )
)
@settings(unhurried, max_examples=60)
def test_every_answer_that_the_code_can_write_is_valid_and_read_again(given: Given) -> None:
    body = messages.enrol_answer(KEY, DIGEST, given)
    assert faults("enrol_answer", json.loads(body)) == []
    assert faults("enrolled", inside(json.loads(body))) == []
    assert messages.read_enrol_answer(body, KEY, DIGEST) == given


def test_what_really_crosses_the_line_is_as_its_schema_says(tmp_path: Path) -> None:
    made = box(tmp_path / "a")
    with office(tmp_path) as ward, Middle(tmp_path / "middle", ward.server.port) as middle:
        for code in (codes.Code("AAA", "0" * 12), ward.code("dt-01")):
            identity.enrol(made.config, made.file, Asked(middle.url, code.typed()))
    first, no, second, yes = map(json.loads, middle.seen)
    assert [faults("enrol_request", first), faults("refused", no)] == [[], []]
    assert [faults("enrol_request", second), faults("enrol_answer", yes)] == [[], []]
    assert faults("enrol", inside(second["envelope"])) == []
    assert faults("enrolled", inside(yes)) == []
