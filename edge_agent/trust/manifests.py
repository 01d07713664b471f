"""Turn heads and manifests into types: every field bounded, or one error that names the field and what would be right.

A head is signed like a welcome. A manifest has no signature of its own: whoever reads it has compared its SHA-256 with
the head's. What follows from them is decided in ``core.manifests``.
"""

from __future__ import annotations

from edge_agent.core.heads import (
    MANIFEST_BYTES_MAX,
    MANIFEST_ORDERS_MAX,
    MANIFEST_TRUST_MAX,
    Head,
    ListedOrder,
    ListedTrust,
    Manifest,
    Paper,
)
from edge_agent.core.units import JobId
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX
from edge_agent.trust.fields import AREA, AREA_OR_ROOT, HASH, NAME, Fields, distinct, form
from edge_agent.trust.strict_json import INTEGER_MAX, JsonObject, WireError, dump, parse
from edge_agent.trust.timetable import read_instant

ISSUERS_MAX = 64
# As many as a welcome has marks for.
SCOPE = form(
    rf"area/{AREA.pattern.pattern}|station/{NAME.pattern.pattern}",
    '"area/" and an area, or "station/" and a station id',
)
HEAD_FIELDS = frozenset({"scope", "epoch", "counter", "issued_at", "digest", "length"})


def parse_head(fields: Fields) -> Head:
    """A head; realm, type and critical are the caller's to check."""
    return Head(
        scope=fields.text("scope", SCOPE),
        epoch=fields.integer("epoch", 1, INTEGER_MAX),
        counter=fields.integer("counter", 1, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        digest=fields.text("digest", HASH),
        length=fields.integer("length", 1, MANIFEST_BYTES_MAX),
    )


def head_payload(head: Head, realm: str) -> JsonObject:
    """The payload that ``parse_head`` reads back."""
    return {
        "realm": realm,
        "type": "head",
        "scope": head.scope,
        "epoch": head.epoch,
        "counter": head.counter,
        "issued_at": head.issued_at,
        "digest": head.digest,
        "length": head.length,
    }


def read_manifest(body: bytes) -> Manifest:
    """The manifest that these bytes say, or ``WireError``."""
    if len(body) > MANIFEST_BYTES_MAX:
        raise WireError("manifest", f"at most {MANIFEST_BYTES_MAX} bytes")
    fields = Fields(parse(body))
    fields.text("type", form("manifest", '"manifest"'))
    fields.text("realm", NAME)  # the head's, which proves these bytes
    orders = tuple(_read_order(one) for one in fields.records("orders", 0, MANIFEST_ORDERS_MAX))
    digests = distinct((f"orders[{index}].digest", one.digest) for index, one in enumerate(orders))
    return Manifest(
        scope=fields.text("scope", SCOPE),
        epoch=fields.integer("epoch", 1, INTEGER_MAX),
        counter=fields.integer("counter", 1, INTEGER_MAX),
        upto=_read_upto(fields.record("upto")),
        orders=orders,
        trust=tuple(_read_trust(one) for one in fields.records("trust", 0, MANIFEST_TRUST_MAX)),
        digests=frozenset(digests),
    )


def write_manifest(manifest: Manifest, realm: str) -> bytes:
    """The bytes that ``read_manifest`` reads back: canonical JSON."""
    payload: JsonObject = {
        "realm": realm,
        "type": "manifest",
        "scope": manifest.scope,
        "epoch": manifest.epoch,
        "counter": manifest.counter,
        "upto": {**manifest.upto},
        "orders": [_order(one) for one in manifest.orders],
        "trust": [_trust(one) for one in manifest.trust],
    }
    return dump(payload)


def _read_upto(fields: Fields) -> dict[str, int]:
    if len(fields.values) > ISSUERS_MAX:
        raise WireError(fields.where, f"at most {ISSUERS_MAX} issuers")
    for issuer in fields.values:
        if NAME.pattern.fullmatch(issuer) is None:
            raise fields.wrong(issuer, NAME.rule)
    return {issuer: fields.integer(issuer, 1, INTEGER_MAX) for issuer in fields.values}


def _read_order(fields: Fields) -> ListedOrder:
    return ListedOrder(
        digest=fields.text("digest", HASH),
        order_id=JobId(fields.text("order_id", NAME)),
        not_after=read_instant(fields, "not_after"),
        paper=_read_paper(fields),
    )


def _read_trust(fields: Fields) -> ListedTrust:
    return ListedTrust(
        area=fields.text("area", AREA_OR_ROOT),
        epoch=fields.integer("epoch", 0, INTEGER_MAX),
        version=fields.integer("version", 1, INTEGER_MAX),
        paper=_read_paper(fields),
    )


def _read_paper(fields: Fields) -> Paper:
    return Paper(fields.text("envelope", HASH), fields.integer("length", 1, ENVELOPE_BYTES_MAX))


def _order(one: ListedOrder) -> JsonObject:
    return {
        "digest": one.digest,
        "order_id": one.order_id,
        "not_after": one.not_after,
        "envelope": one.paper.envelope,
        "length": one.paper.length,
    }


def _trust(one: ListedTrust) -> JsonObject:
    return {
        "area": one.area,
        "epoch": one.epoch,
        "version": one.version,
        "envelope": one.paper.envelope,
        "length": one.paper.length,
    }
