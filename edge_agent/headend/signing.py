"""Sign what the central side says: orders by officers' keys, welcomes and acknowledgements by the servers' keys.

Several officers may sign one after the other: each adds a signature to the same bytes and changes nothing in them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from edge_agent.core.events import Rejected
from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.drafting import Finished
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.given import Given, kind_of, parse_given
from edge_agent.headend.logbook import HeldChain
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.envelope import (
    ENVELOPE_BYTES_MAX,
    SIGNATURES_MAX,
    Envelope,
    Signature,
    open_envelope,
    pae,
    payload_type,
    sign,
    write_envelope,
)
from edge_agent.trust.fields import Fields
from edge_agent.trust.keys import Signer
from edge_agent.trust.orders import GIVEN, OrderType, parse_welcome
from edge_agent.trust.strict_json import JsonObject, WireError, dump, parse

HELD = "held"
"""The type of our word of what is held; no station knows it."""
_GIVEN_TYPES = {payload_type(kind): kind for kind in OrderType if kind in GIVEN}


class SigningError(HeadendError):
    """An envelope cannot be made or read; the text names the field and what would be right."""


def sign_order(finished: Finished, signers: Sequence[Signer]) -> bytes:
    """The envelope of a finished draft."""
    try:
        return sign(payload_type(kind_of(finished.order)), finished.payload, signers)
    except ValueError as error:
        raise SigningError(f"envelope: {error}") from error


def read_order(envelope: bytes) -> Given:
    """The order in an envelope, its signatures unchecked: for showing it to the next officer, and for its expiry."""
    opened = _opened(envelope)
    kind = _GIVEN_TYPES.get(opened.payload_type)
    try:
        if kind is None:
            raise WireError("payloadType", f"one of {', '.join(_GIVEN_TYPES)}")
        return parse_given(Fields(parse(opened.payload)), kind)
    except WireError as error:
        raise SigningError(f"envelope: {error}") from error


def digest_of(envelope: bytes) -> str:
    """The identity of an order: what its answers and records call it."""
    return _opened(envelope).digest


def add_signature(envelope: bytes, signer: Signer, called: str = "") -> bytes:
    """The same envelope with one more officer's signature; ``called`` is what her key is called."""
    read_order(envelope)
    opened = _opened(envelope)
    if any(claim.keyid == signer.keyid for claim in opened.signatures):
        raise SigningError(
            f"khóa / key {called or signer.keyid[:12]}: đã ký lệnh này, phải là khóa của người khác / has signed this "
            "order already; another officer's key is needed"
        )
    ours = Signature(signer.keyid, signer.sign(pae(opened.payload_type, opened.payload)))
    signatures = (*opened.signatures, ours)
    return _within_bounds(write_envelope(opened.payload_type, opened.payload, signatures), len(signatures))


def welcome(
    realm: str,
    station: StationId,
    nonce: str,
    utc: UtcMs,
    trust: Sequence[TrustVersion],
    marks: Mapping[str, int],
    held: LogCursor,
    signer: Signer,
) -> bytes:
    """The signed answer to a hello: the time, and what only a server remembers. Raises SigningError.

    It is read back as stations read it: what all of them would refuse must not look to people like an answer.
    """
    payload: JsonObject = {
        "realm": realm,
        "type": OrderType.WELCOME.value,
        "station": station,
        "nonce": nonce,
        "utc": utc,
        "trust": [{"area": one.area, "epoch": one.epoch, "version": one.version} for one in trust],
        "serial_marks": {**marks},
        "heads": {},
        "log": _cursor(held),
    }
    try:
        parse_welcome(Fields(payload))
    except WireError as error:
        raise SigningError(f"welcome: {error}; trạm sẽ không nhận / no station would take it, not sent") from error
    return sign(payload_type(OrderType.WELCOME), dump(payload), [signer])


def ack(realm: str, station: StationId, held: LogCursor, signer: Signer) -> bytes:
    """The signed word that every record up to ``held`` is on disk here."""
    payload: JsonObject = {"realm": realm, "type": OrderType.ACK.value, "station": station, "log": _cursor(held)}
    return sign(payload_type(OrderType.ACK), dump(payload), [signer])


def held(realm: str, station: StationId, utc: UtcMs, chains: Sequence[HeldChain], signer: Signer) -> bytes:
    """Our signed word, for auditors, of all that is on disk here at ``utc``. It is kept and never sent."""
    listed = [
        {
            "epoch": one.epoch,
            "before": {"seq": one.before.seq, "hash": one.before.hash},
            "head": {"seq": one.head.seq, "hash": one.head.hash},
        }
        for one in chains
    ]
    payload = {"realm": realm, "type": HELD, "station": station, "utc": utc, "chains": listed}
    return sign(payload_type(HELD), dump(payload), [signer])


def _opened(envelope: bytes) -> Envelope:
    opened = open_envelope(envelope)
    if isinstance(opened, Rejected):
        raise SigningError(f"envelope: {opened.detail}")
    return opened


def _cursor(cursor: LogCursor) -> JsonObject:
    return {"epoch": cursor.epoch, "seq": cursor.seq, "hash": cursor.hash}


def _within_bounds(envelope: bytes, signatures: int) -> bytes:
    if signatures > SIGNATURES_MAX or len(envelope) > ENVELOPE_BYTES_MAX:
        raise SigningError(f"envelope: at most {SIGNATURES_MAX} signatures and {ENVELOPE_BYTES_MAX} bytes")
    return envelope
