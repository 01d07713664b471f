"""Read keys and roles out of a trust document: which role may order what, and how many of its keys must sign.

Refuses a document with any doubt in it, naming the field and the remedy. Whether one order is within a role's limits is
decided in ``limits``; whether the document itself is to be believed, and how far it may reach, in ``chain``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.trust.fields import HASH, NAME, Fields, distinct, form
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.orders import GIVEN, OrderType, ordered_as
from edge_agent.trust.role_limits import Limits, read_limits
from edge_agent.trust.strict_json import WireError

KEYS_MAX = 64  # officers of a commune, its district's heirs, the province and the servers: about 20
ROLES_MAX = 64
THRESHOLD_MAX = 8  # half the signatures that an envelope may carry
_ROLE_FIELDS = ("role", "orders", "keyids", "threshold")
_GRANT_FIELDS = ("issuer", "level", "limits")
_BY_ITS_OWNER = "an exception is signed by the policy's owner, never by the job's issuer"
_OWN_NAME = "the policy's owner has a name of its own: cancelling goes by issuer"
PUBLIC_HEX = form(r"([0-9a-f]{2}){1,65}", "lower-case hex digits")

ONLINE = frozenset({OrderType.WELCOME, OrderType.ACK, OrderType.HEAD})
"""What keys that lie on servers may sign. Such a key never starts a sound: whoever breaks into a server has it."""

OWNERS = frozenset({OrderType.REGULATION, OrderType.WINDOW})
"""What binds jobs, or lets them pass: whoever orders jobs must not loosen what binds them (requirement B17)."""


@dataclass(frozen=True, slots=True)
class JobGrant:
    """What makes a role one that people order by: in whose name, at which level, how far."""

    issuer: str
    level: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Quorum:
    """``threshold`` of ``keys`` must sign."""

    keys: frozenset[PublicKey]
    threshold: int


@dataclass(frozen=True, slots=True)
class Role:
    """``threshold`` of ``keys`` must sign. ``grant`` is there exactly when ``orders`` has one of GIVEN."""

    name: str
    orders: frozenset[OrderType]
    keys: frozenset[PublicKey]
    threshold: int
    grant: JobGrant | None


@dataclass(frozen=True, slots=True)
class Trust:
    """All the roles that hold on a station, from the root down. ``version`` is the root's."""

    realm: str
    version: int
    roles: tuple[Role, ...]


def who_may(trust: Trust, order: OrderType, issuer: str = "") -> tuple[Role, ...]:
    """The roles that may give this order (what people order: its issuer's), those that need most signatures first."""
    able = [role for role in trust.roles if ordered_as(order) in role.orders]
    named = [role for role in able if role.grant is None or role.grant.issuer == issuer]
    return tuple(sorted(named, key=lambda role: -role.threshold))


def keys_for(trust: Trust, order: OrderType) -> frozenset[PublicKey]:
    """Every key that has a part in giving such orders, for whichever issuer."""
    return frozenset(key for role in trust.roles if ordered_as(order) in role.orders for key in role.keys)


def enough(role: Role | Quorum, signers: frozenset[PublicKey]) -> bool:
    """Whether as many different keys signed as are needed."""
    return len(role.keys & signers) >= role.threshold


def read_keys(fields: Fields, least: int) -> dict[str, PublicKey]:
    """The keys of a document by their names; each is called by the SHA-256 of its bytes, and stands there once."""
    if not least <= len(fields.values) <= KEYS_MAX:
        raise WireError("keys", f"{least} to {KEYS_MAX} keys")
    keys = {keyid: _read_key(fields.record(keyid)) for keyid in fields.values}
    first_name: dict[bytes, str] = {}
    for keyid, key in keys.items():
        # Before the names are checked, so that the attack (one officer counted as two) is called by its name.
        if first_name.setdefault(key.raw, keyid) != keyid:
            raise fields.wrong(keyid, f"the same key as {first_name[key.raw]}; a key counts once, remove one")
    for keyid, key in keys.items():
        if keyid != key.keyid:
            raise fields.wrong(keyid, f"the SHA-256 of the key's bytes, which is {key.keyid}")
    return keys


def _read_key(fields: Fields) -> PublicKey:
    fields.only("scheme", "public")
    scheme = fields.choice("scheme", Scheme)
    raw = bytes.fromhex(fields.text("public", PUBLIC_HEX))
    try:
        return public_key(scheme, raw)
    except UnusableKey as error:
        raise fields.wrong("public", str(error)) from error


def read_quorum(fields: Fields, keys: Mapping[str, PublicKey]) -> Quorum:
    """``keyids`` and ``threshold`` of a role, or of whoever signs documents."""
    keyids = fields.texts("keyids", HASH, 1, KEYS_MAX)
    for index, keyid in enumerate(keyids):
        if keyid not in keys:
            raise fields.wrong("keyids", "a keyid that stands under keys", index)
    threshold = fields.integer("threshold", 1, THRESHOLD_MAX)
    if threshold > len(keyids):
        raise fields.wrong("threshold", f"at most {len(keyids)}, the number of its keyids")
    return Quorum(frozenset(keys[keyid] for keyid in keyids), threshold)


def read_role(fields: Fields, keys: Mapping[str, PublicKey]) -> Role:
    """One role; its keys are among ``keys``."""
    orders = _read_role_orders(fields)
    fields.only(*_ROLE_FIELDS, *(_GRANT_FIELDS if orders & GIVEN else ()))
    quorum = read_quorum(fields, keys)
    return Role(
        name=fields.text("role", NAME),
        orders=orders,
        keys=quorum.keys,
        threshold=quorum.threshold,
        grant=_read_grant(fields, orders) if orders & GIVEN else None,
    )


def read_bound_orders(fields: Fields) -> frozenset[OrderType]:
    """What the roles below may order at all; a server's answers are for the root alone to grant."""
    orders = _read_orders(fields)
    if orders & ONLINE:
        raise fields.wrong("orders", "no welcome, ack or head here: who answers stations stands in the root's document")
    return orders


def _read_orders(fields: Fields) -> frozenset[OrderType]:
    orders = fields.choices("orders", OrderType)
    if OrderType.TIMETABLE in orders:
        raise fields.wrong("orders", 'no timetable here: whoever orders "job" orders whole timetables too')
    return orders


def _read_role_orders(fields: Fields) -> frozenset[OrderType]:
    orders = _read_orders(fields)
    if orders & GIVEN and orders & ONLINE:
        raise fields.wrong("orders", "no welcome, ack or head here: who answers stations must not order; two roles")
    if OrderType.JOB in orders and orders & OWNERS:
        raise fields.wrong("orders", f"no job here: {_BY_ITS_OWNER}; make two roles of different keys")
    return orders


def _read_grant(fields: Fields, orders: frozenset[OrderType]) -> JobGrant:
    limits = read_limits(fields.record("limits"), orders)
    return JobGrant(fields.text("issuer", NAME), fields.text("level", NAME), limits)


def check_together(roles: tuple[Role, ...], sign_documents: frozenset[PublicKey]) -> None:
    """What must not meet in one hand: answering and ordering, ordering jobs and laying down what binds them."""
    distinct((f"roles[{index}].role", role.name) for index, role in enumerate(roles))
    online, jobs = _keys_of(roles, ONLINE), _keys_of(roles, frozenset({OrderType.JOB}))
    issuers, owners = _names_of(roles, frozenset({OrderType.JOB})), _names_of(roles, OWNERS)
    for index, role in enumerate(roles):
        where = f"roles[{index}].keyids"
        if role.orders & ONLINE and role.keys & sign_documents:
            raise WireError(where, "no key that signs trust documents: whoever breaks into a server has it")
        if role.grant is not None and role.keys & online:
            raise WireError(where, "no key that also answers stations: a server's key must not start sound")
        if role.orders & OWNERS and role.keys & jobs:
            raise WireError(where, f"no key that also orders jobs: {_BY_ITS_OWNER}")
        if role.grant is not None and role.orders & OWNERS and role.grant.issuer in issuers:
            raise WireError(f"roles[{index}].issuer", f"not {role.grant.issuer}, which also orders jobs: {_OWN_NAME}")
        if role.grant is not None and role.grant.issuer in owners - issuers and role.keys & jobs:
            raise WireError(where, f"no key that also orders jobs acts as {role.grant.issuer}: {_OWN_NAME}")


def _names_of(roles: tuple[Role, ...], orders: frozenset[OrderType]) -> frozenset[str]:
    return frozenset(role.grant.issuer for role in roles if role.grant is not None and role.orders & orders)


def _keys_of(roles: tuple[Role, ...], orders: frozenset[OrderType]) -> frozenset[PublicKey]:
    return frozenset(key for role in roles if role.orders & orders for key in role.keys)
