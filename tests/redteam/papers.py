"""The wards that are attacked: their stations, who signs what there, and what of it a thief may have.

Two stations stand in one ward and one in the ward next door; the deputy signs emergencies in both. Beside them there is
a network for training whose officers have the same keys: what they sign there must not sound here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from edge_agent.core.site import Site
from edge_agent.core.units import StationId
from edge_agent.trust.keys import Signer
from tests.trust import makers
from tests.trust.delegation import PROVINCE

WARD, NEXT_WARD = makers.AREA, "vn/ha-noi/tay-thanh"
TRAINING_REALM = "tap-huan-test"
WARM_UP_MS = 1_000
DAY_MS = 86_400_000
RELAYED = "https://live.test/dai/"
# Below it are the live sources that officers may have relayed.
OFFICER, NEW_OFFICER, DEPUTY, OWNER, NEIGHBOUR, SERVER, RADIO = (
    "officer",
    "officer-2",
    "deputy",
    "owner",
    "neighbour",
    "server",
    "radio",
)


@dataclass(frozen=True, slots=True)
class Ward:
    """An area, whose name its orders bear, and who signs them at first."""

    area: str
    issuer: str
    owner: str
    officer: str
    level: str = "commune"


HERE = Ward(WARD, "dong-thanh", "ubnd-dong-thanh", OFFICER)
THERE = Ward(NEXT_WARD, "tay-thanh", "ubnd-tay-thanh", NEIGHBOUR)
ABOVE = Ward(PROVINCE, "dai-ha-noi", "ubnd-ha-noi", RADIO, "province")
# The province's radio, some of whose programmes each ward chooses for itself.
STATIONS = {"dt-01": HERE, "dt-02": HERE, "tt-01": THERE}


@cache
def key(name: str) -> Signer:
    """The key of that name. Officers sign with tokens (P-256), whose signatures have two forms each."""
    return makers.P256Signer(name) if name.startswith("officer") else makers.signer(name)


@cache
def site(station: str, *, polls_home: bool = False) -> Site:
    """One of the stations."""
    return makers.make_site(station=StationId(station), area=STATIONS[station].area, polls_home=polls_home)


@dataclass(frozen=True, slots=True)
class Dates:
    """Of a document."""

    issued_at: int
    expires: int


@dataclass(frozen=True, slots=True)
class Staff:
    """Who orders in a ward: ``officers`` by day, each alone; ``must_warn`` of ``warners`` in an emergency."""

    officers: tuple[str, ...]
    warners: tuple[str, ...]
    must_warn: int


@dataclass(frozen=True, slots=True)
class Radio:
    """Who signs the province's programmes, and of which classes they wait to be chosen."""

    key: str = RADIO
    offered: tuple[str, ...] = ("normal",)


@cache
def root_document(
    version: int,
    holders: tuple[str, ...],
    nation: str,
    epoch: int,
    server: str,
    dates: Dates,
    signers: tuple[str, ...],
) -> bytes:
    """Two of its three holders sign the next one; it names the server, and who signs for provinces."""
    named = {"keyids": [key(name).keyid for name in holders], "threshold": 2}
    given = {
        "signers": named,
        "delegates": makers.delegates(nation, epoch=epoch),
        "roles": [makers.online_role(keyids=[key(server).keyid])],
        "version": version,
        "issued_at": dates.issued_at,
        "expires": dates.issued_at + 700 * DAY_MS,
    }
    document = makers.trust_document(**given) | {"keys": _keys((*holders, nation, server))}
    return makers.signed_trust(document, *signers)


@cache
def province_document(
    place: tuple[int, int], delegates: tuple[str, ...], epoch: int, radio: Radio, dates: Dates, nation: str
) -> bytes:
    """Two of these delegates sign for wards, and the radio offers."""
    given = {"delegates": makers.delegates(*delegates, threshold=2, epoch=epoch)}
    limits = {"areas": [PROVINCE], "classes": ["normal", "priority"], "sources": [RELAYED]}
    limits |= {"offered": [*radio.offered]} if radio.offered else {}
    names = {"issuer": ABOVE.issuer, "level": ABOVE.level}
    role = makers.job_role(role="radio", keyids=[key(radio.key).keyid], limits=limits, **names)
    document = makers.area_document(PROVINCE, roles=[role], **given) | {"keys": _keys((*delegates, radio.key))}
    return makers.signed_trust(document | _heading(place, dates), nation)


@cache
def ward_document(ward: Ward, place: tuple[int, int], staff: Staff, dates: Dates, delegates: tuple[str, ...]) -> bytes:
    """Who orders in a ward, and the owner, who lays down what binds them."""
    areas = [ward.area]
    names = {"issuer": ward.issuer, "level": "commune"}
    officers, warners = ([key(name).keyid for name in some] for some in (staff.officers, staff.warners))
    ordinary = {"areas": areas, "classes": ["normal", "priority"], "sources": [RELAYED]}
    urgent = {"areas": areas, "classes": ["emergency"]}
    roles = [
        makers.job_role(role="day", keyids=officers, limits=ordinary, **names),
        makers.job_role(role="emergency", keyids=warners, threshold=staff.must_warn, limits=urgent, **names),
        makers.command_role(keyids=officers, limits={"areas": areas}, **names),
        makers.owner_role(limits={"areas": areas}, issuer=ward.owner),
    ]
    document = makers.area_document(ward.area, roles=roles)
    keys = {"keys": _keys((*staff.officers, *staff.warners, OWNER))}
    return makers.signed_trust(document | keys | _heading(place, dates), *delegates)


def _heading(place: tuple[int, int], dates: Dates) -> dict[str, Any]:
    return {"epoch": place[0], "version": place[1], "issued_at": dates.issued_at, "expires": dates.expires}


def _keys(names: Iterable[str]) -> dict[str, Any]:
    return {key(name).keyid: key(name).public.to_trust() for name in names}
