"""The wards that are attacked: their stations, who signs what there, and what of it a thief may have.

Two stations stand in one ward and one in the ward next door; the deputy signs emergencies in both. Beside them there is
a network for training whose officers have the same keys: what they sign there must not sound here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from edge_agent.core.site import Site
from edge_agent.core.units import StationId
from edge_agent.trust.bundle import write_file
from edge_agent.trust.keys import Signer
from tests.trust import makers
from tests.trust.delegation import HANOI, PROVINCE_1, ROOT_1

WARD, NEXT_WARD = makers.AREA, "vn/ha-noi/tay-thanh"
TRAINING_REALM = "tap-huan-test"
WARM_UP_MS = 1_000
RELAYED = "https://live.test/dai/"
# Below it are the live sources that officers may have relayed.
OFFICER, NEW_OFFICER, DEPUTY, OWNER, NEIGHBOUR, SERVER = (
    "officer",
    "officer-2",
    "deputy",
    "owner",
    "neighbour",
    "server",
)


@dataclass(frozen=True, slots=True)
class Ward:
    """An area, whose name its orders bear, and who signs them at first."""

    area: str
    issuer: str
    owner: str
    officer: str


HERE = Ward(WARD, "dong-thanh", "ubnd-dong-thanh", OFFICER)
THERE = Ward(NEXT_WARD, "tay-thanh", "ubnd-tay-thanh", NEIGHBOUR)
STATIONS = {"dt-01": HERE, "dt-02": HERE, "tt-01": THERE}


@cache
def key(name: str) -> Signer:
    """The key of that name. Officers sign with tokens (P-256), whose signatures have two forms each."""
    return makers.P256Signer(name) if name.startswith("officer") else makers.signer(name)


@cache
def site(station: str, *, polls_home: bool = False) -> Site:
    """One of the stations."""
    return makers.make_site(station=StationId(station), area=STATIONS[station].area, polls_home=polls_home)


@cache
def trust_file(ward: Ward) -> bytes:
    """What lies on the ward's stations when they are new."""
    return write_file([ROOT_1, PROVINCE_1, ward_document(ward, 1, ward.officer)])


@cache
def ward_document(ward: Ward, version: int, officer: str) -> bytes:
    """Who orders in a ward: the officer by day, he and the deputy in an emergency, the owner what binds them."""
    areas = [ward.area]
    names = {"issuer": ward.issuer, "level": "commune"}
    one, both = [key(officer).keyid], [key(officer).keyid, key(DEPUTY).keyid]
    ordinary = {"areas": areas, "classes": ["normal", "priority"], "sources": [RELAYED]}
    roles = [
        makers.job_role(role="day", keyids=one, limits=ordinary, **names),
        makers.job_role(
            role="emergency", keyids=both, threshold=2, limits={"areas": areas, "classes": ["emergency"]}, **names
        ),
        makers.command_role(keyids=one, limits={"areas": areas}, **names),
        makers.owner_role(limits={"areas": areas}, issuer=ward.owner),
    ]
    document = makers.area_document(ward.area, roles=roles, version=version)
    keys = {key(name).keyid: key(name).public.to_trust() for name in (officer, DEPUTY, OWNER)}
    return makers.signed_trust(document | {"keys": keys}, HANOI)
