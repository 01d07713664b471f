"""Read the trust file: which keys there are, which role may order what, and how many of its keys must sign.

Refuses a file with any doubt in it, naming the field and the remedy. Whether one order is within a role's limits is
decided in ``limits``; that the file itself is authentic is, for now, a matter of who can write it (owner-only).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.core.units import UtcMs
from edge_agent.trust.fields import HASH, NAME, Fields, distinct, form
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.orders import GIVEN, OrderType, ordered_as
from edge_agent.trust.role_limits import Limits, read_limits
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from edge_agent.trust.timetable import read_instant

TRUST_BYTES_MAX = 65_536
KEYS_MAX = 64  # officers of a commune, its district's heirs, the province and the servers: about 20
ROLES_MAX = 64
THRESHOLD_MAX = 8  # half the signatures that an envelope may carry
_ROLE_FIELDS = ("role", "orders", "keyids", "threshold")
_GRANT_FIELDS = ("issuer", "level", "limits")
_BY_ITS_OWNER = "an exception is signed by the policy's owner, never by the job's issuer"
_OWN_NAME = "the policy's owner has a name of its own: cancelling goes by issuer"
PUBLIC_HEX = form(r"([0-9a-f]{2}){1,65}", "lower-case hex digits")

ONLINE = frozenset({OrderType.WELCOME, OrderType.ACK})
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
class Role:
    """``threshold`` of ``keys`` must sign. ``grant`` is there exactly when ``orders`` has one of GIVEN."""

    name: str
    orders: frozenset[OrderType]
    keys: frozenset[PublicKey]
    threshold: int
    grant: JobGrant | None


@dataclass(frozen=True, slots=True)
class Trust:
    """A trust file that holds together. Whether it has expired is for whoever knows the time."""

    realm: str
    version: int
    issued_at: UtcMs
    expires: UtcMs
    keys: Mapping[str, PublicKey]
    roles: tuple[Role, ...]


def load_trust(data: bytes) -> Trust:
    """Read a trust file, or raise ``WireError`` with the field and what would be right."""
    if len(data) > TRUST_BYTES_MAX:
        raise WireError("trust file", f"at most {TRUST_BYTES_MAX} bytes")
    fields = Fields(parse(data))
    fields.only("realm", "type", "version", "issued_at", "expires", "keys", "roles")
    fields.text("type", form("trust", '"trust"'))
    keys = _read_keys(fields.record("keys"))
    trust = Trust(
        realm=fields.text("realm", NAME),
        version=fields.integer("version", 1, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        expires=read_instant(fields, "expires"),
        keys=keys,
        roles=tuple(_read_role(role, keys) for role in fields.records("roles", 1, ROLES_MAX)),
    )
    _check_together(trust, fields)
    return trust


def who_may(trust: Trust, order: OrderType, issuer: str = "") -> tuple[Role, ...]:
    """The roles that may give this order (what people order: its issuer's), those that need most signatures first."""
    able = [role for role in trust.roles if ordered_as(order) in role.orders]
    named = [role for role in able if role.grant is None or role.grant.issuer == issuer]
    return tuple(sorted(named, key=lambda role: -role.threshold))


def keys_for(trust: Trust, order: OrderType) -> frozenset[PublicKey]:
    """Every key that has a part in giving such orders, for whichever issuer."""
    return frozenset(key for role in trust.roles if ordered_as(order) in role.orders for key in role.keys)


def enough(role: Role, signers: frozenset[PublicKey]) -> bool:
    """Whether as many different keys of the role signed as it needs."""
    return len(role.keys & signers) >= role.threshold


def _read_keys(fields: Fields) -> dict[str, PublicKey]:
    if not 1 <= len(fields.values) <= KEYS_MAX:
        raise WireError("keys", f"1 to {KEYS_MAX} keys")
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


def _read_role(fields: Fields, keys: Mapping[str, PublicKey]) -> Role:
    orders = _read_orders(fields)
    fields.only(*_ROLE_FIELDS, *(_GRANT_FIELDS if orders & GIVEN else ()))
    chosen = _read_keyids(fields, keys)
    return Role(
        name=fields.text("role", NAME),
        orders=orders,
        keys=chosen,
        threshold=_read_threshold(fields, len(chosen)),
        grant=_read_grant(fields, orders) if orders & GIVEN else None,
    )


def _read_orders(fields: Fields) -> frozenset[OrderType]:
    orders = fields.choices("orders", OrderType)
    if OrderType.TIMETABLE in orders:
        raise fields.wrong("orders", 'no timetable here: whoever orders "job" orders whole timetables too')
    if orders & GIVEN and orders & ONLINE:
        raise fields.wrong("orders", "no welcome or ack here: a key that answers stations must not order; two roles")
    if OrderType.JOB in orders and orders & OWNERS:
        raise fields.wrong("orders", f"no job here: {_BY_ITS_OWNER}; make two roles of different keys")
    return orders


def _read_keyids(fields: Fields, keys: Mapping[str, PublicKey]) -> frozenset[PublicKey]:
    keyids = fields.texts("keyids", HASH, 1, KEYS_MAX)
    for index, keyid in enumerate(keyids):
        if keyid not in keys:
            raise fields.wrong("keyids", "a keyid that stands under keys", index)
    return frozenset(keys[keyid] for keyid in keyids)


def _read_threshold(fields: Fields, key_count: int) -> int:
    threshold = fields.integer("threshold", 1, THRESHOLD_MAX)
    if threshold > key_count:
        raise fields.wrong("threshold", f"at most {key_count}, the number of its keyids")
    return threshold


def _read_grant(fields: Fields, orders: frozenset[OrderType]) -> JobGrant:
    limits = read_limits(fields.record("limits"), orders)
    return JobGrant(fields.text("issuer", NAME), fields.text("level", NAME), limits)


def _check_together(trust: Trust, fields: Fields) -> None:
    if trust.expires <= trust.issued_at:
        raise fields.wrong("expires", "later than issued_at")
    distinct((f"roles[{index}].role", role.name) for index, role in enumerate(trust.roles))
    online, jobs = _keys_of(trust, ONLINE), _keys_of(trust, frozenset({OrderType.JOB}))
    issuers, owners = _names_of(trust, frozenset({OrderType.JOB})), _names_of(trust, OWNERS)
    for index, role in enumerate(trust.roles):
        where = f"roles[{index}].keyids"
        if role.grant is not None and role.keys & online:
            raise WireError(where, "no key that also answers stations: a server's key must not start sound")
        if role.orders & OWNERS and role.keys & jobs:
            raise WireError(where, f"no key that also orders jobs: {_BY_ITS_OWNER}")
        if role.grant is not None and role.orders & OWNERS and role.grant.issuer in issuers:
            raise WireError(f"roles[{index}].issuer", f"not {role.grant.issuer}, which also orders jobs: {_OWN_NAME}")
        if role.grant is not None and role.grant.issuer in owners - issuers and role.keys & jobs:
            raise WireError(where, f"no key that also orders jobs acts as {role.grant.issuer}: {_OWN_NAME}")


def _names_of(trust: Trust, orders: frozenset[OrderType]) -> frozenset[str]:
    return frozenset(role.grant.issuer for role in trust.roles if role.grant is not None and role.orders & orders)


def _keys_of(trust: Trust, orders: frozenset[OrderType]) -> frozenset[PublicKey]:
    return frozenset(key for role in trust.roles if role.orders & orders for key in role.keys)
