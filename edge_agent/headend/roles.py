"""Decide which roles a new network starts with, and write its trust file. Makes and keeps no key itself.

The defaults follow the protocol: a key on a server (welcome, ack) never starts sound; one officer of a ward warns his
own ward for half an hour, two officers for longer; the province schedules, and warns only with keys added later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edge_agent.core.job import JobClass
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import JsonObject, JsonValue

HOUR_S = 3_600
DAY_S = 86_400
TIMETABLE_S = 400 * DAY_S
# A year's timetable and the weeks before it.
ONE_OFFICER_S = HOUR_S // 2
TWO_OFFICERS_S = 6 * HOUR_S
# "A ward's one token warns its own commune for at most 30 minutes; longer takes two officers" (protocol, trust).
TRUST_DAYS = 400
# A year and a month, so that it is renewed with the yearly timetable; delegations of 90 days come with rotation.
ROUTINE_VOLUME = 80
EMERGENCY_VOLUME = 100


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role before it has keys: ``key_count`` of them are made. ``issuer`` "" means that it may order no sound."""

    name: str
    orders: tuple[OrderType, ...]
    threshold: int = 1
    key_count: int = 1
    issuer: str = ""
    level: str = ""
    classes: tuple[JobClass, ...] = ()
    areas: tuple[str, ...] = ()
    volume_max: int = 0
    validity_max_s: int = 0


ONLINE = (RoleSpec("welcome", (OrderType.WELCOME,)), RoleSpec("ack", (OrderType.ACK,)))


def default_roles(area: str, emergency_threshold: int) -> tuple[RoleSpec, ...]:
    """The roles of one ward (``area`` like vn/ha-noi/dong-thanh), its province and its servers."""
    scheduled = (JobClass.NORMAL, JobClass.PRIORITY)
    parts = area.split("/")
    ward = RoleSpec(
        "ward-routine", (OrderType.JOB,), 1, 1, parts[-1], "commune", scheduled, (area,), ROUTINE_VOLUME, TIMETABLE_S
    )
    alone = emergency_threshold == 1
    emergency = RoleSpec(
        "ward-emergency",
        (OrderType.JOB,),
        emergency_threshold,
        emergency_threshold,
        parts[-1],
        "commune",
        (JobClass.EMERGENCY,),
        (area,),
        EMERGENCY_VOLUME,
        ONE_OFFICER_S if alone else TWO_OFFICERS_S,
    )
    return (ward, emergency, *_province(parts), *ONLINE)


def trust_document(
    realm: str, version: int, specs: Sequence[RoleSpec], keys: Mapping[str, Sequence[PublicKey]], now: UtcMs
) -> JsonObject:
    """The trust file that ``trust.roles.load_trust`` reads; ``keys`` maps role names to their public keys."""
    every = {key.keyid: key for owned in keys.values() for key in owned}
    return {
        "realm": realm,
        "type": "trust",
        "version": version,
        "issued_at": now,
        "expires": now + TRUST_DAYS * DAY_MS,
        "keys": {keyid: {**key.to_trust()} for keyid, key in every.items()},
        "roles": [_role(spec, keys[spec.name]) for spec in specs],
    }


def _province(parts: Sequence[str]) -> tuple[RoleSpec, ...]:
    if len(parts) < 3:
        return ()  # country and ward only: there is no province between them
    scheduled = (JobClass.NORMAL, JobClass.PRIORITY)
    area = "/".join(parts[:2])
    jobs = (OrderType.JOB,)
    return (RoleSpec("province", jobs, 1, 1, parts[1], "province", scheduled, (area,), ROUTINE_VOLUME, TIMETABLE_S),)


def _role(spec: RoleSpec, keys: Sequence[PublicKey]) -> JsonObject:
    keyids: list[JsonValue] = [key.keyid for key in keys]
    orders: list[JsonValue] = [order.value for order in spec.orders]
    written: JsonObject = {"role": spec.name, "orders": orders, "keyids": keyids, "threshold": spec.threshold}
    return written | (_grant(spec) if spec.issuer else {})


def _grant(spec: RoleSpec) -> JsonObject:
    classes: list[JsonValue] = [cls.value for cls in spec.classes]
    areas: list[JsonValue] = [*spec.areas]
    return {
        "issuer": spec.issuer,
        "level": spec.level,
        "limits": {
            "classes": classes,
            "areas": areas,
            "volume_max": spec.volume_max,
            "validity_max_s": spec.validity_max_s,
        },
    }
