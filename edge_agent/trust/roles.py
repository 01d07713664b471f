"""Read the trust file: which keys there are, which role may order what, and how many of its keys must sign.

Refuses a file with any doubt in it, naming the field and the remedy. Whether one job is within a role's limits is
decided in ``limits``; that the file itself is authentic is, for now, a matter of who can write it (owner-only).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from edge_agent.core.job import JobClass
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.trust.fields import AREA, HASH, NAME, WALL_MINUTE, Fields, distinct, form
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.orders import VOLUME_MAX, OrderType
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from edge_agent.trust.timetable import read_instant

TRUST_BYTES_MAX = 65_536
KEYS_MAX = 64  # officers of a commune, its district's heirs, the province and the servers: about 20
ROLES_MAX = 64
THRESHOLD_MAX = 8  # half the signatures that an envelope may carry
AREAS_MAX = 64
HOURS_MAX = 8
VALIDITY_S_MAX = 400 * 86_400  # the built-in ceiling: a year's timetable and the weeks before it
_ROLE_FIELDS = ("role", "orders", "keyids", "threshold")
_GRANT_FIELDS = ("issuer", "level", "limits")
PUBLIC_HEX = form(r"([0-9a-f]{2}){1,65}", "lower-case hex digits")

ONLINE = frozenset({OrderType.WELCOME, OrderType.ACK})
"""What keys that lie on servers may sign. Such a key never starts a sound: whoever breaks into a server has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a role reaches. ``hours`` are (first, end) of wall time, end excluded; empty means any hour."""

    classes: frozenset[JobClass]
    areas: tuple[str, ...]
    hours: tuple[tuple[time, time], ...]
    volume_max: int
    validity_max_ms: int


@dataclass(frozen=True, slots=True)
class JobGrant:
    """What makes a role one that may start sound: in whose name, at which level, how far."""

    issuer: str
    level: str
    limits: Limits


@dataclass(frozen=True, slots=True)
class Role:
    """``threshold`` of ``keys`` must sign. ``grant`` is there exactly when ``orders`` has JOB."""

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
    """The roles that may give this order; of a job those of its issuer, the ones that need most signatures first."""
    able = [role for role in trust.roles if order in role.orders]
    named = [role for role in able if role.grant is None or role.grant.issuer == issuer]
    return tuple(sorted(named, key=lambda role: -role.threshold))


def keys_for(trust: Trust, order: OrderType) -> frozenset[PublicKey]:
    """Every key that has a part in giving such orders, for whichever issuer."""
    return frozenset(key for role in trust.roles if order in role.orders for key in role.keys)


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
    orders = fields.choices("orders", OrderType)
    if OrderType.JOB in orders and orders & ONLINE:
        raise fields.wrong("orders", "job alone: a key that answers stations must not start sound; make two roles")
    fields.only(*_ROLE_FIELDS, *(_GRANT_FIELDS if OrderType.JOB in orders else ()))
    chosen = _read_keyids(fields, keys)
    return Role(
        name=fields.text("role", NAME),
        orders=orders,
        keys=chosen,
        threshold=_read_threshold(fields, len(chosen)),
        grant=_read_grant(fields) if OrderType.JOB in orders else None,
    )


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


def _read_grant(fields: Fields) -> JobGrant:
    return JobGrant(fields.text("issuer", NAME), fields.text("level", NAME), _read_limits(fields.record("limits")))


def _read_limits(fields: Fields) -> Limits:
    fields.only("classes", "areas", "hours", "volume_max", "validity_max_s")
    return Limits(
        classes=fields.choices("classes", JobClass),
        areas=fields.texts("areas", AREA, 1, AREAS_MAX),
        hours=_read_hours(fields) if "hours" in fields else (),
        volume_max=fields.integer("volume_max", 0, VOLUME_MAX),
        validity_max_ms=fields.integer("validity_max_s", 1, VALIDITY_S_MAX) * SECOND_MS,
    )


def _read_hours(fields: Fields) -> tuple[tuple[time, time], ...]:
    return tuple(_read_window(where, pair) for where, pair in fields.entries("hours", 1, HOURS_MAX))


def _read_window(where: str, pair: object) -> tuple[time, time]:
    match pair:
        case [str() as first, str() as end] if WALL_MINUTE.pattern.fullmatch(first) and WALL_MINUTE.pattern.fullmatch(
            end
        ):
            return time.fromisoformat(first), time.fromisoformat(end)
        case _:
            raise WireError(where, 'two wall times as ["05:00", "21:00"]')


def _check_together(trust: Trust, fields: Fields) -> None:
    if trust.expires <= trust.issued_at:
        raise fields.wrong("expires", "later than issued_at")
    distinct((f"roles[{index}].role", role.name) for index, role in enumerate(trust.roles))
    online = frozenset(key for role in trust.roles if role.orders & ONLINE for key in role.keys)
    for index, role in enumerate(trust.roles):
        if role.grant is not None and role.keys & online:
            raise WireError(
                f"roles[{index}].keyids", "no key that also answers stations: a server's key must not start sound"
            )
