"""Envelopes: what was signed is what was opened, and its identity cannot be changed on the way."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.trust.envelope import (
    ENVELOPE_BYTES_MAX,
    SIGNATURES_MAX,
    Envelope,
    Signature,
    open_envelope,
    pae,
    payload_type,
    sign,
    signers_of,
)
from tests.trust.makers import P256Signer, signer
from tests.trust.strategies import unhurried

KIND = payload_type("job")
OFFICER = signer("officer")


def opened(data: bytes) -> Envelope:
    envelope = open_envelope(data)
    assert isinstance(envelope, Envelope), envelope
    return envelope


def refused(data: bytes) -> Rejected:
    refusal = open_envelope(data)
    assert isinstance(refusal, Rejected), refusal
    return refusal


def rewritten(**over: Any) -> bytes:
    """A good envelope with some fields replaced."""
    return json.dumps(json.loads(sign(KIND, b"{}", [OFFICER])) | over).encode()


def test_what_is_opened_is_what_was_signed():
    envelope = opened(sign(KIND, b'{"a":1}', [OFFICER]))
    assert envelope.payload == b'{"a":1}'
    assert envelope.payload_type == "application/vnd.loa.job+json"
    assert envelope.digest == hashlib.sha256(b'DSSEv1 28 application/vnd.loa.job+json 7 {"a":1}').hexdigest()
    assert signers_of(envelope, [OFFICER.public]) == {OFFICER.public}


def test_the_published_test_vector_of_dsse_has_the_same_signed_bytes():
    # https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
    assert (
        pae("http://example.com/HelloWorld", b"hello world")
        == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_ed25519_and_ecdsa_p256_sign_side_by_side():
    token = P256Signer("token")
    envelope = opened(sign(KIND, b"{}", [OFFICER, token]))
    assert signers_of(envelope, [OFFICER.public, token.public]) == {OFFICER.public, token.public}


@pytest.mark.parametrize("stranger", [signer("stranger"), P256Signer("stranger")])
def test_a_forged_signature_under_an_officers_keyid_does_not_count(stranger):
    forged = {"keyid": OFFICER.keyid, "sig": base64.b64encode(stranger.sign(pae(KIND, b"{}"))).decode()}
    assert signers_of(opened(rewritten(signatures=[forged])), [OFFICER.public]) == frozenset()


def test_a_signature_of_a_key_we_do_not_have_does_not_count():
    assert signers_of(opened(sign(KIND, b"{}", [signer("stranger")])), [OFFICER.public]) == frozenset()


def test_an_altered_payload_is_not_signed():
    other = base64.b64encode(b"[]").decode()
    assert signers_of(opened(rewritten(payload=other)), [OFFICER.public]) == frozenset()


def test_a_payload_signed_as_another_type_is_not_signed():
    assert signers_of(opened(rewritten(payloadType=payload_type("ack"))), [OFFICER.public]) == frozenset()


def test_a_boundary_moved_between_type_and_payload_is_not_signed():
    # Without the lengths in the PAE, type "a" + payload "b c" and type "a b" + payload "c" would be the same bytes.
    assert pae("a", b"b c") != pae("a b", b"c")


def test_one_signature_written_sixteen_times_counts_once():
    once = json.loads(sign(KIND, b"{}", [OFFICER]))["signatures"]
    assert signers_of(opened(rewritten(signatures=once * SIGNATURES_MAX)), [OFFICER.public]) == {OFFICER.public}


def test_one_key_handed_over_twice_counts_once():
    envelope = opened(sign(KIND, b"{}", [OFFICER, OFFICER]))
    assert signers_of(envelope, [OFFICER.public, OFFICER.public]) == {OFFICER.public}


def test_a_wrong_signature_beside_a_right_one_of_the_same_key_does_not_spoil_it():
    right = json.loads(sign(KIND, b"{}", [OFFICER]))["signatures"]
    wrong = [{"keyid": OFFICER.keyid, "sig": "AAAA"}]
    for written in (wrong + right, right + wrong):  # anybody on the way can put one on either side
        assert signers_of(opened(rewritten(signatures=written)), [OFFICER.public]) == {OFFICER.public}


def test_the_identity_is_the_same_however_the_envelope_is_written():
    first = opened(sign(KIND, b"{}", [OFFICER]))
    again = opened(sign(KIND, b"{}", [signer("deputy"), OFFICER]))
    spaced = opened(json.dumps(json.loads(sign(KIND, b"{}", [OFFICER])), indent=4).encode())
    assert first.digest == again.digest == spaced.digest
    assert first.digest != opened(sign(KIND, b"{ }", [OFFICER])).digest
    assert first.digest != opened(sign(payload_type("ack"), b"{}", [OFFICER])).digest


def test_fields_that_only_a_later_version_knows_are_ignored():
    assert opened(rewritten(extra=[1])) == opened(sign(KIND, b"{}", [OFFICER]))


def test_an_envelope_larger_than_a_packet_is_refused_unread():
    data = rewritten()
    assert opened(data + b" " * (ENVELOPE_BYTES_MAX - len(data)))
    refusal = refused(data + b" " * (ENVELOPE_BYTES_MAX - len(data) + 1))
    assert refusal == Rejected(Reason.TOO_LARGE, "65537 bytes, at most 65536")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("-_8=", id="url-safe"),
        pytest.param("e30", id="unpadded"),
        pytest.param("e31=", id="loose bits"),
        pytest.param("e30=\n", id="line break"),
        pytest.param(" e30=", id="space"),
        pytest.param("e3 0=", id="gap"),
        pytest.param("e30==", id="padded twice"),
        pytest.param("e30=e30=", id="joined"),
        pytest.param("====", id="only padding"),
        pytest.param("e", id="one letter"),
        pytest.param("é30=", id="not ASCII"),
        pytest.param("+/8=A", id="letter after padding"),
    ],
)
@pytest.mark.parametrize("field", ["payload", "sig"])
def test_only_one_way_to_write_base64_is_read(field: str, text: str):
    over = {"payload": text} if field == "payload" else {"signatures": [{"keyid": OFFICER.keyid, "sig": text}]}
    refusal = refused(rewritten(**over))
    assert refusal.reason is Reason.MALFORMED
    assert refusal.detail.startswith("payload" if field == "payload" else "signatures[0].sig")
    assert refusal.digest == ""


@pytest.mark.parametrize(
    ("over", "where"),
    [
        ({"payload": 1}, "payload"),
        ({"payload": None}, "payload"),
        ({"payloadType": ""}, "payloadType"),
        ({"payloadType": "application/vnd.loa.job+json\n"}, "payloadType"),
        ({"payloadType": "ứng dụng"}, "payloadType"),
        ({"payloadType": "x" * 129}, "payloadType"),
        ({"signatures": {}}, "signatures"),
        ({"signatures": []}, "signatures"),
        ({"signatures": [{"keyid": "a" * 64, "sig": ""}] * (SIGNATURES_MAX + 1)}, "signatures"),
        ({"signatures": ["x"]}, "signatures[0]"),
        ({"signatures": [{"sig": ""}]}, "signatures[0].keyid"),
        ({"signatures": [{"keyid": "A" * 64, "sig": ""}]}, "signatures[0].keyid"),
        ({"signatures": [{"keyid": "a" * 63, "sig": ""}]}, "signatures[0].keyid"),
        ({"signatures": [{"keyid": "a" * 64 + "\n", "sig": ""}]}, "signatures[0].keyid"),
        ({"signatures": [{"keyid": "a" * 64}]}, "signatures[0].sig"),
    ],
)
def test_a_malformed_envelope_is_refused_with_the_field(over: dict[str, Any], where: str):
    refusal = refused(rewritten(**over))
    assert refusal.reason is Reason.MALFORMED
    assert refusal.detail.startswith(f"{where}: ")


@pytest.mark.parametrize("name", ["payload", "payloadType", "signatures"])
def test_a_missing_field_is_named(name: str):
    fields = json.loads(rewritten())
    del fields[name]
    assert refused(json.dumps(fields).encode()).detail == f"{name}: missing"


def test_two_payloads_in_one_envelope_are_refused():
    data = sign(KIND, b"{}", [OFFICER])
    assert refused(b'{"payload":"W10=",' + data[1:]).detail == "payload: a field only once"


@pytest.mark.parametrize("count", [0, SIGNATURES_MAX + 1])
def test_nobody_signs_what_no_station_would_read(count: int):
    with pytest.raises(ValueError, match="signers"):
        sign(KIND, b"{}", [OFFICER] * count)


def test_nobody_signs_what_does_not_fit_a_packet():
    with pytest.raises(ValueError, match="65536"):
        sign(KIND, b"x" * 49_000, [OFFICER])
    assert opened(sign(KIND, b"x" * 48_000, [OFFICER])).payload == b"x" * 48_000


@unhurried
@given(st.binary(max_size=400))
def test_random_bytes_are_refused_and_never_raise(data: bytes):
    assert isinstance(open_envelope(data), Rejected)


@unhurried
@given(payload=st.binary(max_size=400), kind=st.from_regex("[!-~]{1,128}", fullmatch=True))
def test_any_payload_comes_out_as_it_went_in(payload: bytes, kind: str):
    envelope = opened(sign(kind, payload, [OFFICER]))
    assert (envelope.payload, envelope.payload_type) == (payload, kind)
    assert envelope.signatures == (Signature(OFFICER.keyid, OFFICER.sign(pae(kind, payload))),)
