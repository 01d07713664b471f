"""Read and write ``stations.json``: which stations there are, where they stand, and by which key each one signs.

And by which it signed before: what it says now counts by its present key alone, what it signed in its time stands.

Knows no private key. An entry is what a station's word is checked against, so a file with any doubt in it is refused.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.core.units import StationId
from edge_agent.durable import write_durably
from edge_agent.trust.fields import AREA, NAME, Fields, form, free_text
from edge_agent.trust.keys import PublicKey, Scheme, UnusableKey, public_key
from edge_agent.trust.roles import PUBLIC_HEX
from edge_agent.trust.strict_json import WireError, dump, parse

STATION_NAME = free_text(80)
BEFORE_MAX = 128
# One box a month, for ten years.


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A station the headend knows: ``area`` like vn/ha-noi/dong-thanh, ``key`` the public half of its signing key.

    ``before``: those of the boxes that stood in its place before, the last one first. ``gone``: it was taken off, and
    what it says now counts no more than a stranger's.
    """

    station: StationId
    area: str
    name: str
    key: PublicKey
    before: tuple[PublicKey, ...] = ()
    gone: bool = False

    @property
    def every_key(self) -> tuple[PublicKey, ...]:
        """By which it has ever signed."""
        return self.key, *self.before

    def in_place_of(self, earlier: Enrolled | None) -> Enrolled:
        """The same, with what is known of the keys before."""
        known = () if earlier is None else tuple(key for key in earlier.every_key if key != self.key)
        return replace(self, before=known[:BEFORE_MAX])


def read_stations(path: Path, realm: str) -> dict[StationId, Enrolled]:
    """Every station, also one that is gone; none when there is no file yet. ``WireError`` names what is wrong in it."""
    if not path.exists():
        return {}
    fields = Fields(parse(path.read_bytes()))
    fields.only("realm", "type", "stations")
    fields.text("type", form("stations", '"stations"'))
    fields.text("realm", form(realm, f'"{realm}", as trust.json says'))
    listed = fields.record("stations")
    return {StationId(station): _read_one(station, listed) for station in listed.values}


def station_name(text: str) -> str:
    """A name for people as the file takes it, or ``WireError``. Some keyboards write Vietnamese marks apart: in NFC."""
    composed = {"name": unicodedata.normalize("NFC", text)}
    return Fields(parse(dump(composed))).text("name", STATION_NAME)


def write_stations(path: Path, realm: str, stations: Mapping[StationId, Enrolled]) -> None:
    """Replace the file durably."""
    entries = {station: _entry(enrolled) for station, enrolled in stations.items()}
    write_durably(path, dump({"realm": realm, "type": "stations", "stations": entries}))


def _read_one(station: str, listed: Fields) -> Enrolled:
    if NAME.pattern.fullmatch(station) is None:
        raise listed.wrong(station, f"a station id has {NAME.rule}")
    fields = listed.record(station)
    fields.only("area", "name", "scheme", "public", "before", "gone")
    listed_before = fields.records("before", 1, BEFORE_MAX) if "before" in fields else ()
    try:
        key, before = _key(fields), tuple(_key(one) for one in listed_before)
    except UnusableKey as error:
        raise WireError(f"stations.{station}.public", str(error)) from error
    area, name = fields.text("area", AREA), fields.text("name", STATION_NAME)
    return Enrolled(StationId(station), area, name, key, before, fields.boolean("gone", default=False))


def _key(fields: Fields) -> PublicKey:
    return public_key(fields.choice("scheme", Scheme), bytes.fromhex(fields.text("public", PUBLIC_HEX)))


def _entry(enrolled: Enrolled) -> dict[str, Any]:
    entry: dict[str, Any] = {"area": enrolled.area, "name": enrolled.name, **enrolled.key.to_trust()}
    if enrolled.before:
        entry["before"] = [key.to_trust() for key in enrolled.before]
    return {**entry, "gone": True} if enrolled.gone else entry
