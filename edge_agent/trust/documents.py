"""Read a trust document (văn bản ủy quyền): the keys and roles of one area, and who may sign for the areas below it.

The root's names no area, and names who signs the next root. Bounds and forms only: whether a document is to be believed
is decided in ``chain``, whether it grants more than its parent may in ``bounds``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_agent.core.trust_standing import ROOT_AREA
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.trust.fields import AREA, NAME, Fields, form
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.orders import OrderType
from edge_agent.trust.role_limits import Limits, read_limits
from edge_agent.trust.roles import (
    ROLES_MAX,
    Quorum,
    Role,
    Trust,
    check_together,
    read_bound_orders,
    read_keys,
    read_quorum,
    read_role,
)
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from edge_agent.trust.timetable import read_instant

DOCUMENT_BYTES_MAX = 46 * 1_024  # what an envelope of 64 KiB holds, in base64 and beside sixteen signatures
ROOT_VALID_MS_MAX = 800 * DAY_MS  # two years: the ceremony with every holder of a root key in one room
AREA_VALID_MS_MAX = 90 * DAY_MS  # and its grace: so long does who is cut off from us play what a revoked key orders
LEVELS_MAX = 8
ROOT = ROOT_AREA

_OF_ALL = ("realm", "type", "version", "issued_at", "expires", "keys", "roles", "delegates")
_OF_ROOT = (*_OF_ALL, "signers")
_OF_AREA = (*_OF_ALL, "area", "epoch")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far the documents below may reach: what their roles order, at which levels, within which limits."""

    orders: frozenset[OrderType]
    levels: frozenset[str]
    limits: Limits


@dataclass(frozen=True, slots=True)
class Delegates:
    """Who signs the documents of the areas below. A new ``epoch`` ends every document that was signed in another."""

    quorum: Quorum
    epoch: int
    bounds: Bounds


@dataclass(frozen=True, slots=True)
class Document:
    """A document that holds together. ``area`` ROOT is the root's, and it alone has ``signers``.

    ``epoch`` is the one of the parent's delegates in which it was signed; ``version`` counts within it.
    """

    realm: str
    area: str
    epoch: int
    version: int
    issued_at: UtcMs
    expires: UtcMs
    roles: tuple[Role, ...]
    signers: Quorum | None
    delegates: Delegates | None


def load_document(payload: bytes) -> Document:
    """Read a document, or raise ``WireError`` with the field and what would be right."""
    if len(payload) > DOCUMENT_BYTES_MAX:
        raise WireError("trust document", f"at most {DOCUMENT_BYTES_MAX} bytes")
    fields = Fields(parse(payload))
    fields.text("type", form("trust", '"trust"'))
    of_area = "area" in fields
    fields.only(*(_OF_AREA if of_area else _OF_ROOT))
    least = 0 if of_area else 1  # an area may be closed; a root that grants nothing lets nobody answer
    keys = read_keys(fields.record("keys"), least)
    document = Document(
        realm=fields.text("realm", NAME),
        area=fields.text("area", AREA) if of_area else ROOT,
        epoch=fields.integer("epoch", 1, INTEGER_MAX) if of_area else 0,
        version=fields.integer("version", 1, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        expires=read_instant(fields, "expires"),
        roles=tuple(read_role(role, keys) for role in fields.records("roles", least, ROLES_MAX)),
        signers=None if of_area else _read_signers(fields.record("signers"), keys),
        delegates=_read_delegates(fields.record("delegates"), keys) if "delegates" in fields else None,
    )
    check_together(document.roles, _sign_documents(document))
    _check_validity(document, fields)
    return document


def valid_ms(area: str) -> int:
    """How long a document of an area may be valid."""
    return ROOT_VALID_MS_MAX if area == ROOT else AREA_VALID_MS_MAX


def is_above(outer: str, area: str) -> bool:
    """Whether an area lies in another one; every area lies in ROOT, but for ROOT itself."""
    return area != ROOT and (outer == ROOT or area.startswith(f"{outer}/"))


def together(documents: Sequence[Document]) -> Trust:
    """What a station believes that holds these, the root first. ``WireError``: what must not meet in one hand does."""
    roles = tuple(role for document in documents for role in document.roles)
    if len(documents) > 1:  # each alone was looked at when it was read
        check_together(roles, frozenset[PublicKey]().union(*map(_sign_documents, documents)))
    return Trust(documents[0].realm, documents[0].version, roles)


def _sign_documents(document: Document) -> frozenset[PublicKey]:
    """Whom it lets sign documents."""
    holders = frozenset[PublicKey]() if document.signers is None else document.signers.keys
    return holders if document.delegates is None else holders | document.delegates.quorum.keys


def _read_signers(fields: Fields, keys: dict[str, PublicKey]) -> Quorum:
    fields.only("keyids", "threshold")
    return read_quorum(fields, keys)


def _read_delegates(fields: Fields, keys: dict[str, PublicKey]) -> Delegates:
    fields.only("keyids", "threshold", "epoch", "orders", "levels", "limits")
    orders = read_bound_orders(fields)
    bounds = Bounds(
        orders=orders,
        levels=frozenset(fields.texts("levels", NAME, 1, LEVELS_MAX)),
        limits=read_limits(fields.record("limits"), orders),
    )
    return Delegates(read_quorum(fields, keys), fields.integer("epoch", 1, INTEGER_MAX), bounds)


def _check_validity(document: Document, fields: Fields) -> None:
    longest = valid_ms(document.area)
    if document.expires <= document.issued_at:
        raise fields.wrong("expires", "later than issued_at")
    if document.expires - document.issued_at > longest:
        raise fields.wrong("expires", f"at most {longest // DAY_MS} days after issued_at")
    _check_numbers(document, fields)


def _check_numbers(document: Document, fields: Fields) -> None:
    """No number runs ahead of the time: whoever has driven one up with a stolen key, the next honest one is later.

    But the epochs of which ``chain`` knows more: the one that a document was signed in is its delegates' own, and a
    root's delegates may go on in one that a root signed by a clock ahead has begun.
    """
    delegates = 0 if document.delegates is None or document.area == ROOT else document.delegates.epoch
    for name, number in (("version", document.version), ("delegates.epoch", delegates)):
        if number > document.issued_at:
            raise fields.wrong(name, "at most issued_at: 1, 2, 3 …, or the time of signing in UTC ms")
