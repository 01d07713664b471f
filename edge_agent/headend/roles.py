"""Decide which roles a new network starts with. Makes and keeps no key itself.

The defaults follow the protocol: a key on a server (welcome, ack, head) never starts sound; one officer of a ward warns
his own ward for half an hour, two officers for longer; the province schedules, and warns only with keys added later.

Cancelling goes by issuer. So the desk commands in the name in which the ward orders jobs, by the same officer's key;
and whoever lays down the ward's policy has a name, a key and a way to take his windows back of his own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from edge_agent.core.job import JobClass
from edge_agent.trust.commands import What
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
ROOT_HOLDERS = "root"
ROUTINE_VOLUME = 80
EMERGENCY_VOLUME = 100
EMERGENCY_SOUND_S = 2 * HOUR_S
# A short text every few minutes through a night of flood; more than that nobody listens to.
EMERGENCIES_PER_DAY = 24
# One an hour: who warns more often sends new versions of something that belongs into one order.
COMMAND_S = 120
# As long as the protocol lets a command be valid.


@dataclass(frozen=True, slots=True)
class RoleSpec:
    """A role before it has keys: ``key_count`` of them are made, or it has those of the role ``keys_of``.

    ``issuer`` "" means that it orders nothing: it answers stations; without ``orders`` too, it signs trust documents.
    """

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
    keys_of: str = ""
    commands: tuple[What, ...] = ()
    sound_max_s: int = 0
    per_day: int = 0
    sources: tuple[str, ...] = ()

    @property
    def of_officers(self) -> bool:
        """Whether people sign by it, and not a server; what orders nothing signs trust documents."""
        return bool(self.issuer) or not self.orders

    @property
    def key_names(self) -> tuple[str, ...]:
        """``ROLE-1``, ``ROLE-2`` …: the keys of its own."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.key_count + 1))


PROVINCE_PARTS = 2
# Country and province.
SCHEDULED = (JobClass.NORMAL, JobClass.PRIORITY)
ONLINE = (
    RoleSpec("welcome", (OrderType.WELCOME,)),
    RoleSpec("ack", (OrderType.ACK,)),
    RoleSpec("head", (OrderType.HEAD,)),
)


def default_roles(area: str, emergency_threshold: int, sources: tuple[str, ...] = ()) -> tuple[RoleSpec, ...]:
    """The roles of one ward (``area`` like vn/ha-noi/dong-thanh), its province and its servers.

    ``sources`` are the live sources that ward and province may relay in what they schedule.
    """
    parts = area.split("/")
    ward = (*_of_jobs(area, parts[-1], emergency_threshold), *_of_rules(area, parts[-1]))
    given = (
        replace(spec, sources=sources) if spec.classes == SCHEDULED else spec for spec in (*ward, *_province(parts))
    )
    return (*given, *ONLINE, *_of_trust(parts))


def delegates_of(area: str) -> str:
    """What those are called who sign trust documents below an area; ROOT's are the nation's."""
    return f"{area.rpartition('/')[2]}-trust" if area else "national-trust"


def province_of(area: str) -> str:
    """The area of the document right above a ward's, as networks are usually made; "" where that is the root's."""
    parts = area.split("/")
    return "/".join(parts[:PROVINCE_PARTS]) if len(parts) > PROVINCE_PARTS else ""


def written_role(spec: RoleSpec, keys: Sequence[PublicKey]) -> JsonObject:
    """A role as it stands in a trust document."""
    keyids: list[JsonValue] = [key.keyid for key in keys]
    orders: list[JsonValue] = [order.value for order in spec.orders]
    written: JsonObject = {"role": spec.name, "orders": orders, "keyids": keyids, "threshold": spec.threshold}
    return written | (_grant(spec) if spec.issuer else {})


def _of_trust(parts: Sequence[str]) -> tuple[RoleSpec, ...]:
    """Who signs trust documents: two of three hold the root, the nation signs provinces, a province its wards."""
    holders = RoleSpec(ROOT_HOLDERS, (), threshold=2, key_count=3)
    province = province_of("/".join(parts))
    above = ["", province] if province else [""]
    return (holders, *(RoleSpec(delegates_of(area), ()) for area in above))


def _of_jobs(area: str, ward: str, emergency_threshold: int) -> tuple[RoleSpec, ...]:
    """Who broadcasts, and what the same officers may command."""
    jobs = (OrderType.JOB,)
    routine = RoleSpec("ward-routine", jobs, 1, 1, ward, "commune", SCHEDULED, (area,), ROUTINE_VOLUME, TIMETABLE_S)
    emergency = RoleSpec(
        "ward-emergency",
        jobs,
        emergency_threshold,
        emergency_threshold,
        ward,
        "commune",
        (JobClass.EMERGENCY,),
        (area,),
        EMERGENCY_VOLUME,
        ONE_OFFICER_S if emergency_threshold == 1 else TWO_OFFICERS_S,
        sound_max_s=EMERGENCY_SOUND_S,
        per_day=EMERGENCIES_PER_DAY,
    )
    # Every action: who may start a programme may stop it, and a lock must not wait for a second officer.
    return (routine, emergency, _desk("ward-desk", routine, tuple(What)))


def _of_rules(area: str, ward: str) -> tuple[RoleSpec, ...]:
    """Who lays down the ward's policy, opens windows in it, and takes them back."""
    orders = (OrderType.REGULATION, OrderType.WINDOW)
    owner = RoleSpec("ward-policy", orders, 1, 1, f"ubnd-{ward}", "commune", (), (area,), 0, TIMETABLE_S)
    return (owner, _desk("ward-policy-desk", owner, (What.CANCEL,)))


def _desk(name: str, of: RoleSpec, commands: tuple[What, ...]) -> RoleSpec:
    """A role that commands in another one's name, by that one's keys."""
    return replace(
        of,
        name=name,
        orders=(OrderType.COMMAND,),
        key_count=0,
        keys_of=of.name,
        classes=(),
        volume_max=0,
        validity_max_s=COMMAND_S,
        commands=commands,
    )


def _province(parts: Sequence[str]) -> tuple[RoleSpec, ...]:
    area = province_of("/".join(parts))
    if not area:
        return ()  # country and ward only: there is no province between them
    jobs = (OrderType.JOB,)
    return (RoleSpec("province", jobs, 1, 1, parts[1], "province", SCHEDULED, (area,), ROUTINE_VOLUME, TIMETABLE_S),)


def _grant(spec: RoleSpec) -> JsonObject:
    return {"issuer": spec.issuer, "level": spec.level, "limits": _limits(spec)}


def _limits(spec: RoleSpec) -> JsonObject:
    """Only those that bind what the role orders: the trust file may have no other."""
    limits: dict[str, JsonValue] = {"areas": [*spec.areas], "validity_max_s": spec.validity_max_s}
    if OrderType.JOB in spec.orders:
        limits |= {"classes": [cls.value for cls in spec.classes], "volume_max": spec.volume_max}
        limits |= {"sources": [*spec.sources]} if spec.sources else {}
    if OrderType.COMMAND in spec.orders:
        limits["commands"] = [what.value for what in spec.commands]
    return limits | {name: value for name, value in _of_emergencies(spec) if value}


def _of_emergencies(spec: RoleSpec) -> tuple[tuple[str, int], ...]:
    return (("sound_max_s", spec.sound_max_s), ("per_day", spec.per_day))
