"""DSSE by another hand: a library makes the same signed bytes and judges the same signatures. No station carries it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as LibraryEnvelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

from edge_agent.trust.envelope import pae
from edge_agent.trust.keys import Scheme, _crypto
from tests.trust.makers import P256Signer, signer

MESSAGE = b"lenh phat"
SIGNERS = {Scheme.ED25519: signer("officer"), Scheme.ECDSA_P256: P256Signer("token")}
SIGNATURES = {scheme: one.sign(MESSAGE) for scheme, one in SIGNERS.items()}


@given(st.text(), st.binary())
def test_the_signed_bytes_are_the_librarys(kind: str, payload: bytes) -> None:
    assert pae(kind, payload) == LibraryEnvelope(payload, kind, {}).pae()


@pytest.mark.parametrize("scheme", Scheme)
@given(st.data())
def test_a_signature_is_good_for_the_library_where_it_is_good_for_us(scheme: Scheme, data: st.DataObject) -> None:
    key, signature = SIGNERS[scheme].public, bytearray(SIGNATURES[scheme])
    if data.draw(st.booleans(), "spoilt"):
        signature[data.draw(st.integers(0, len(signature) - 1))] ^= data.draw(st.integers(1, 255))
    message = data.draw(st.sampled_from((MESSAGE, b"lenh phut")))
    assert key.signed(message, bytes(signature)) == _library_takes(scheme, key.raw, message, signature)


def _library_takes(scheme: Scheme, raw: bytes, message: bytes, signature: bytearray) -> bool:
    key = SSlibKey.from_crypto(_crypto(scheme, raw), keyid="one")
    try:
        key.verify_signature(Signature("one", signature.hex()), message)
    except UnverifiedSignatureError:
        return False
    return True
