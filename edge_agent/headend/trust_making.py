"""Write the trust documents of a new network: the root's, and one for each area that a role orders in. Signs nothing.

Each role stands in the document of the area that it orders in, what answers stations in the root's. Whoever signs for
the areas below is bounded by nothing but what any role may do: a network narrows that when it knows its own levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_agent.core.job import JobClass
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import UtcMs
from edge_agent.headend.roles import ROOT_HOLDERS, RoleSpec, delegates_of, written_role
from edge_agent.trust.commands import What
from edge_agent.trust.documents import ROOT, is_above, valid_ms
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.orders import OrderType
from edge_agent.trust.role_limits import VALIDITY_S_MAX
from edge_agent.trust.strict_json import JsonObject, JsonValue

FIRST_EPOCH = 1
Keys = Mapping[str, Sequence[PublicKey]]
"""The public keys of each role that has its own, of the root's holders and of the delegates."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that nobody has signed yet; ``by`` are the keys that must, by their names."""

    area: str
    payload: JsonObject
    by: tuple[str, ...]


def first_documents(
    realm: str, specs: Sequence[RoleSpec], keys: Keys, now: UtcMs, wanted: Callable[[str], bool] = lambda _area: True
) -> tuple[Draft, ...]:
    """The root's document and those of the areas, from above down; only for those that are wanted keys are needed."""
    areas = sorted({_area_of(spec) for spec in specs if spec.orders} | {ROOT}, key=lambda area: area.split("/"))
    return tuple(_draft(realm, area, areas, specs, keys, now) for area in areas if wanted(area))


def _draft(realm: str, area: str, areas: Sequence[str], specs: Sequence[RoleSpec], keys: Keys, now: UtcMs) -> Draft:
    named = {spec.name: spec for spec in specs}
    roles = [spec for spec in specs if spec.orders and _area_of(spec) == area]
    delegates = named.get(delegates_of(area))
    signers = named[ROOT_HOLDERS if area == ROOT else delegates_of(_above(area, areas))]
    listed = [*(spec.keys_of or spec.name for spec in roles), *([delegates.name] if delegates else [])]
    listed += [ROOT_HOLDERS] if area == ROOT else []
    every = {key.keyid: key for name in listed for key in keys[name]}
    payload = _heading(realm, area, now)
    payload["keys"] = {keyid: {**key.to_trust()} for keyid, key in every.items()}
    payload["roles"] = [written_role(spec, keys[spec.keys_of or spec.name]) for spec in roles]
    if area == ROOT:
        payload["signers"] = _quorum(signers, keys)
    if delegates is not None:
        payload["delegates"] = _delegates(delegates, area, areas, keys)
    return Draft(area, payload, signers.key_names)


def _above(area: str, areas: Sequence[str]) -> str:
    """The nearest area above that has a document."""
    return [one for one in areas if is_above(one, area)][-1]


def _area_of(spec: RoleSpec) -> str:
    return spec.areas[0] if spec.areas else ROOT


def _heading(realm: str, area: str, now: UtcMs) -> JsonObject:
    place: dict[str, JsonValue] = {} if area == ROOT else {"area": area, "epoch": FIRST_EPOCH}
    return {**place, "realm": realm, "type": "trust", "version": 1, "issued_at": now, "expires": now + valid_ms(area)}


def _delegates(spec: RoleSpec, area: str, areas: Sequence[str], keys: Keys) -> JsonObject:
    below: list[JsonValue] = [*([area] if area else sorted({one.partition("/")[0] for one in areas if one}))]
    limits: JsonObject = {
        "classes": [cls.value for cls in JobClass],
        "areas": below,
        "volume_max": VOLUME_MAX,
        "validity_max_s": VALIDITY_S_MAX,
        "commands": [what.value for what in What],
    }
    orders: list[JsonValue] = [
        kind.value for kind in (OrderType.JOB, OrderType.REGULATION, OrderType.WINDOW, OrderType.COMMAND)
    ]
    quorum = _quorum(spec, keys)
    return quorum | {"epoch": FIRST_EPOCH, "orders": orders, "levels": ["province", "commune"], "limits": limits}


def _quorum(spec: RoleSpec, keys: Keys) -> JsonObject:
    return {"keyids": [key.keyid for key in keys[spec.name]], "threshold": spec.threshold}
