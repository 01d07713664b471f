"""Sign what the central side says: jobs by officers' keys, welcomes and acknowledgements by the servers' keys.

Several officers may sign one after the other: each adds a signature to the same bytes and changes nothing in them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from edge_agent.core.events import Rejected
from edge_agent.core.job import Job
from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.drafts import Finished
from edge_agent.headend.errors import HeadendError
from edge_agent.sync.messages import LogCursor
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX, SIGNATURES_MAX, open_envelope, payload_type, sign
from edge_agent.trust.fields import Fields
from edge_agent.trust.keys import Signer
from edge_agent.trust.orders import OrderType, parse_job
from edge_agent.trust.strict_json import JsonObject, WireError, dump, parse


class SigningError(HeadendError):
    """An envelope cannot be made or read; the text names the field and what would be right."""


def sign_job(finished: Finished, signers: Sequence[Signer]) -> bytes:
    """The envelope of a finished draft."""
    try:
        return sign(payload_type(OrderType.JOB), finished.payload, signers)
    except ValueError as error:
        raise SigningError(f"envelope: {error}") from error


def read_job(envelope: bytes) -> Job:
    """The job in an envelope, its signatures unchecked: for showing it to the next officer, and for its expiry."""
    opened = open_envelope(envelope)
    if isinstance(opened, Rejected):
        raise SigningError(f"envelope: {opened.detail}")
    try:
        if opened.payload_type != payload_type(OrderType.JOB):
            raise WireError("payloadType", f"{payload_type(OrderType.JOB)}, a job")
        return parse_job(Fields(parse(opened.payload)))
    except WireError as error:
        raise SigningError(f"envelope: {error}") from error


def add_signature(envelope: bytes, signer: Signer) -> bytes:
    """The same envelope with one more officer's signature."""
    read_job(envelope)
    written = json.loads(envelope)
    if any(one["keyid"] == signer.keyid for one in written["signatures"]):
        raise SigningError("key: has signed this order already; another officer's key is needed")
    opened = open_envelope(envelope)
    assert not isinstance(opened, Rejected), "read_job has opened it"
    whole = sign(opened.payload_type, opened.payload, [signer])
    written["signatures"] += json.loads(whole)["signatures"]
    return _within_bounds(dump(written), len(written["signatures"]))


def welcome(
    realm: str,
    station: StationId,
    nonce: str,
    utc: UtcMs,
    trust_version: int,
    marks: Mapping[str, int],
    held: LogCursor,
    signer: Signer,
) -> bytes:
    """The signed answer to a hello: the time, and what only a server remembers."""
    payload: JsonObject = {
        "realm": realm,
        "type": OrderType.WELCOME.value,
        "station": station,
        "nonce": nonce,
        "utc": utc,
        "trust_version": trust_version,
        "serial_marks": {**marks},
        "heads": {},
        "log": _cursor(held),
    }
    return sign(payload_type(OrderType.WELCOME), dump(payload), [signer])


def ack(realm: str, station: StationId, held: LogCursor, signer: Signer) -> bytes:
    """The signed word that every record up to ``held`` is on disk here."""
    payload: JsonObject = {"realm": realm, "type": OrderType.ACK.value, "station": station, "log": _cursor(held)}
    return sign(payload_type(OrderType.ACK), dump(payload), [signer])


def _cursor(cursor: LogCursor) -> JsonObject:
    return {"epoch": cursor.epoch, "seq": cursor.seq, "hash": cursor.hash}


def _within_bounds(envelope: bytes, signatures: int) -> bytes:
    if signatures > SIGNATURES_MAX or len(envelope) > ENVELOPE_BYTES_MAX:
        raise SigningError(f"envelope: at most {SIGNATURES_MAX} signatures and {ENVELOPE_BYTES_MAX} bytes")
    return envelope
