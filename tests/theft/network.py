"""The network whose keys are stolen: the roles of a new one, and beside them what a ward may have more.

Two of two sign for the wards, one officer may warn alone, the ward has a hamlet with keys of its own. Each thief's
station is a real one: what it believes is the real judge's, and stands in documents that really are signed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from edge_agent.core.job import JobClass
from edge_agent.core.site import LocalPolicy, Site, ZoneSite
from edge_agent.core.units import UtcMs, ZoneId
from edge_agent.headend.roles import ONE_OFFICER_S, RoleSpec, default_roles
from edge_agent.headend.trust_making import first_documents
from edge_agent.trust.bundle import write_file
from edge_agent.trust.documents import ROOT
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keeper import Keeper, believing
from edge_agent.trust.keys import PublicKey
from edge_agent.trust.strict_json import dump
from tests.trust.makers import AREA, DAY_MS, NOON, REALM, make_site, signer

NATION, PROVINCE, WARD = "vn", "vn/ha-noi", AREA
HAMLET, NEXT_WARD, NEXT_PROVINCE, NEXT_NATION = f"{WARD}/thon-mot", f"{PROVINCE}/yen-son", "vn/hue", "la"
WARD_NAME, OWNER_NAME, PROVINCE_NAME = "dong-thanh", "ubnd-dong-thanh", "ha-noi"
SIGNED_AT = UtcMs(NOON - DAY_MS)
LOUDEST_BELOW = 90
"""What the nation lets nobody pass: narrower than anything that software knows."""

ZONES = tuple(map(ZoneId, ("cho", "dinh", "truong")))
SCHEDULED = [JobClass.NORMAL.value, JobClass.PRIORITY.value]
STANDARD_RULES = LocalPolicy()
Document = dict[str, Any]


def _specs() -> tuple[RoleSpec, ...]:
    given = {spec.name: spec for spec in default_roles(WARD, 2)}
    given["ha-noi-trust"] = replace(given["ha-noi-trust"], threshold=2, key_count=2)
    alone = replace(
        given["ward-emergency"],
        name="ward-alone",
        threshold=1,
        key_count=1,
        validity_max_s=ONE_OFFICER_S,
        volume_max=90,
    )
    given["ward-emergency"] = replace(given["ward-emergency"], volume_max=LOUDEST_BELOW)
    hamlet = RoleSpec("dong-thanh-trust", ())
    return (*given.values(), alone, hamlet)


SPECS = _specs()
KEY_NAMES = {spec.name: spec.key_names for spec in SPECS if spec.key_count}


def _drafts() -> dict[str, tuple[Document, tuple[str, ...]]]:
    public: dict[str, Sequence[PublicKey]] = {
        role: [signer(name).public for name in names] for role, names in KEY_NAMES.items()
    }
    drafts = {one.area: (dict(one.payload), one.by) for one in first_documents(REALM, SPECS, public, SIGNED_AT)}
    for area in (ROOT, PROVINCE, WARD):
        delegates: Any = drafts[area][0]["delegates"]
        delegates["limits"]["volume_max"] = LOUDEST_BELOW
        delegates["levels"] = ["commune"] if area else ["province", "commune"]
    return drafts


DRAFTS = _drafts()
"""Each area's payload, and by whose keys it is signed."""


def signed(payload: Document, names: Sequence[str]) -> bytes:
    """The envelope of any payload, signed by the keys of these names."""
    return sign(payload_type(payload["type"]), dump(payload), [signer(name) for name in names])


FIRST = tuple(signed(payload, by) for payload, by in DRAFTS.values())


def site(area: str = WARD, policy: LocalPolicy = STANDARD_RULES) -> Site:
    """A station of three zones in the ward, or elsewhere."""
    return make_site(area=area, policy=policy, polls_home=True, zones={zone: ZoneSite(zone, zone, 0) for zone in ZONES})


def keeper(area: str = WARD) -> Keeper:
    """What a station there believes."""
    return believing(write_file(FIRST), (), site(area))


def changed(area: str, **over: Any) -> Document:
    """The document of an area with something else in it, as a later version."""
    return {**DRAFTS[area][0], "version": 2, **over}
