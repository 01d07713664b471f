"""Open and make DSSE v1 envelopes: what exactly was signed, and by which keys. Leaves who may sign what to ``roles``.

The identity of a message is the SHA-256 of its PAE, the bytes that are signed: not of the envelope, which anybody on
the way can write differently without breaking a signature.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.core.events import Rejected
from edge_agent.core.reasons import Reason
from edge_agent.trust.fields import HASH, Fields, Form, form, free_text
from edge_agent.trust.keys import PublicKey, Signer
from edge_agent.trust.strict_json import WireError, dump, parse

ENVELOPE_BYTES_MAX = 65_536
# The broker's packet limit: a larger retained message vanished there without an error.
SIGNATURES_MAX = 16
# Twice the highest threshold: bounds what one message can make us verify.

_TYPE_PREFIX = "application/vnd.loa."
_TYPE_SUFFIX = "+json"
_PAYLOAD_TYPE: Form = form(r"[!-~]{1,128}", "1 to 128 printable ASCII characters")
_BASE64 = free_text(ENVELOPE_BYTES_MAX)


@dataclass(frozen=True, slots=True)
class Signature:
    """A claim that the key ``keyid`` signed."""

    keyid: str
    sig: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """An opened envelope, nothing verified. ``digest`` (hex) is the message's identity."""

    payload: bytes
    payload_type: str
    signatures: tuple[Signature, ...]
    digest: str


def payload_type(message_type: str) -> str:
    """``job`` -> ``application/vnd.loa.job+json``."""
    return f"{_TYPE_PREFIX}{message_type}{_TYPE_SUFFIX}"


def pae(kind: str, payload: bytes) -> bytes:
    """The bytes that a signature covers: DSSE's pre-authentication encoding of type and payload."""
    named = kind.encode()
    return b"DSSEv1 %d %b %d %b" % (len(named), named, len(payload), payload)


def open_envelope(data: bytes) -> Envelope | Rejected:
    """Read an envelope of at most 64 KiB. Refusals are TOO_LARGE and MALFORMED; ``detail`` names the field."""
    if len(data) > ENVELOPE_BYTES_MAX:
        return Rejected(Reason.TOO_LARGE, f"{len(data)} bytes, at most {ENVELOPE_BYTES_MAX}")
    try:
        return _read(Fields(parse(data)))
    except WireError as error:
        return Rejected(Reason.MALFORMED, str(error))


def read_envelope(data: bytes) -> Envelope:
    """The same for whoever reads on in what it holds: a refusal is a ``WireError``."""
    opened = open_envelope(data)
    if isinstance(opened, Rejected):
        raise WireError("envelope", opened.detail)
    return opened


def write_envelope(kind: str, payload: bytes, signatures: Iterable[Signature]) -> bytes:
    """The one way that we write it."""
    claims = [{"keyid": claim.keyid, "sig": _encode(claim.sig)} for claim in signatures]
    return dump({"payload": _encode(payload), "payloadType": kind, "signatures": claims})


def sign(kind: str, payload: bytes, signers: Sequence[Signer]) -> bytes:
    """The envelope around ``payload``, signed by each of ``signers``. ``ValueError``: no receiver would take it."""
    if not 1 <= len(signers) <= SIGNATURES_MAX:
        raise ValueError(f"{len(signers)} signers, 1 to {SIGNATURES_MAX} are possible")
    signed_bytes = pae(kind, payload)
    data = write_envelope(kind, payload, [Signature(one.keyid, one.sign(signed_bytes)) for one in signers])
    if len(data) > ENVELOPE_BYTES_MAX:
        raise ValueError(f"{len(data)} bytes, an envelope has at most {ENVELOPE_BYTES_MAX}")
    return data


def signers_of(envelope: Envelope, keys: Iterable[PublicKey]) -> frozenset[PublicKey]:
    """Those of ``keys`` that really signed. A set of keys, so one key counts once however often it appears."""
    known = {key.keyid: key for key in keys}
    signed_bytes = pae(envelope.payload_type, envelope.payload)
    return frozenset(
        known[claim.keyid]
        for claim in envelope.signatures
        if claim.keyid in known and known[claim.keyid].signed(signed_bytes, claim.sig)
    )


def _read(fields: Fields) -> Envelope:
    kind = fields.text("payloadType", _PAYLOAD_TYPE)
    payload = _decode(fields, "payload")
    claims = fields.records("signatures", 1, SIGNATURES_MAX)
    signatures = tuple(Signature(claim.text("keyid", HASH), _decode(claim, "sig")) for claim in claims)
    return Envelope(payload, kind, signatures, hashlib.sha256(pae(kind, payload)).hexdigest())


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(fields: Fields, name: str) -> bytes:
    text = fields.text(name, _BASE64)
    wrong = fields.wrong(name, "base64 in the standard alphabet, padded and canonical")
    try:
        data = base64.b64decode(text)
    except ValueError as error:
        raise wrong from error
    # The decoder skips foreign characters and unused bits; only what it writes back the same had one way to be written.
    if _encode(data) != text:
        raise wrong
    return data
