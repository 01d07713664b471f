"""All that a thief could try with a key that signs: each kind of message, in each name, for each place, how far.

A deed is what a station would do if it obeyed; its payload is what would have to be signed. Nobody here asks who may.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from edge_agent.core.heads import Head, area_scope, station_scope
from edge_agent.core.job import JobClass
from edge_agent.core.units import HOUR_MS, MINUTE_MS, UtcMs
from edge_agent.trust.commands import What
from edge_agent.trust.documents import ROOT
from edge_agent.trust.manifests import head_payload
from tests.theft.network import (
    DRAFTS,
    HAMLET,
    NATION,
    NEXT_NATION,
    NEXT_PROVINCE,
    NEXT_WARD,
    OWNER_NAME,
    PROVINCE,
    PROVINCE_NAME,
    SCHEDULED,
    WARD,
    WARD_NAME,
    Document,
)
from tests.trust import makers
from tests.trust.makers import DAY_MS, NOON, STATION, signer

YEAR_MS = 400 * DAY_MS
NAMES = (WARD_NAME, OWNER_NAME, PROVINCE_NAME, "ai-do")
"""In whose name he orders; the last one is nobody's here."""
PLACES = {
    "station": {"stations": [STATION]},
    "ward": {"areas": [WARD]},
    "province": {"areas": [PROVINCE]},
    "nation": {"areas": [NATION]},
    "elsewhere": {"areas": [NEXT_WARD], "stations": [STATION]},
}
SCOPES = {
    "station": station_scope(STATION),
    **{name: area_scope(area) for name, area in (("ward", WARD), ("province", PROVINCE), ("nation", NATION))},
    "elsewhere": area_scope(NEXT_WARD),
    "other": station_scope("dt-02"),
}
"""Of what a manifest may tell what is in force."""
OTHER_LEVEL = {"commune": "province", "province": "commune"}


@dataclass(frozen=True, order=True, slots=True)
class Deed:
    """``what`` is done, in whose ``name`` (of a document: for which area), ``where``, and how far it goes."""

    what: str
    name: str
    where: str
    extent: str


def deeds(
    what: Iterable[str], name: Iterable[str], where: Iterable[str] = ("",), extent: Iterable[str] = ("",)
) -> frozenset[Deed]:
    """Each of these with each: so a table says in a line what is a hundred messages."""
    return frozenset(Deed(*one) for one in product(what, name, where, extent))


ORDINARY = tuple(SCHEDULED)
CLASSES = tuple(cls.value for cls in JobClass)
RULES = ("regulation", "exception", "silence")
COMMANDS = tuple(what.value for what in What)


@cache
def orders() -> dict[Deed, Document]:
    """Whatever people order."""
    return {deed: payload for one in (_jobs, _timetables, _rules, _commands) for deed, payload in one()}


@cache
def answers() -> dict[Deed, Document]:
    """Whatever a server says to a station."""
    told: dict[Deed, Document] = {}
    for whose, station in (("own", STATION), ("other", "dt-02")):
        told[Deed("welcome", "", whose, "")] = makers.welcome_dict(station=station)
        told[Deed("ack", "", whose, "")] = makers.ack_dict(station=station)
    for whose, scope in SCOPES.items():
        told[Deed("head", "", whose, "")] = head_payload(Head(scope, 1, 1, UtcMs(NOON), "ab" * 32, 100), makers.REALM)
    return told


def _jobs() -> Iterator[tuple[Deed, Document]]:
    for cls, name, where, extent in product(CLASSES, NAMES, PLACES, JOB_EXTENTS):
        over: Document = {**_heading(name, where), "class": cls, "volume": 80, **JOB_EXTENTS[extent]}
        over["audience"] = {**over["audience"], "zones": ["truong"] if cls == "normal" else ["cho", "truong"]}
        if cls == "emergency":
            over |= {"event": "flash-flood", "items": [makers.text_item()]}
        if "rehearsal" in over and cls != "emergency":
            continue  # nothing else has one
        yield Deed(cls, name, where, extent), _levelled(makers.job_dict(**over), extent)


JOB_EXTENTS: dict[str, Document] = {
    "half an hour": {"not_after": NOON + 30 * MINUTE_MS},
    "ten minutes": {"not_after": NOON + 10 * MINUTE_MS},
    "six hours": {"not_after": NOON + 6 * HOUR_MS},
    "longer": {"not_after": NOON + 7 * HOUR_MS},
    "loud": {"not_after": NOON + 10 * MINUTE_MS, "volume": 90},
    "loudest": {"not_after": NOON + 10 * MINUTE_MS, "volume": 100},
    "a year": {"not_after": NOON + YEAR_MS, "when": makers.rule_when()},
    "years": {"not_after": NOON + YEAR_MS + 1_000, "when": makers.rule_when()},
    "rehearsed": {"not_after": NOON + HOUR_MS, "when": {"kind": "at", "utc": NOON + MINUTE_MS}, "rehearsal": True},
    "other level": {"not_after": NOON + 10 * MINUTE_MS},
}


def _timetables() -> Iterator[tuple[Deed, Document]]:
    for name, where, extent in product(NAMES, PLACES, ("a year", "years", "loudest", "other level")):
        entry = makers.entry_dict(volume=100 if extent == "loudest" else 80)
        over = {**_heading(name, where), "not_after": NOON + YEAR_MS + (1_000 if extent == "years" else 0)}
        yield Deed("timetable", name, where, extent), _levelled(makers.timetable_dict(entries=[entry], **over), extent)


def _rules() -> Iterator[tuple[Deed, Document]]:
    for what, name, where, extent in product(RULES, NAMES, PLACES, ("a year", "years", "other level")):
        over = {**_heading(name, where), "not_after": NOON + YEAR_MS + (1_000 if extent == "years" else 0)}
        if what == "regulation":
            made = makers.regulation_dict(**over)
        else:
            made = makers.window_dict(kind=what, begins=over["not_after"] - DAY_MS, ends=over["not_after"], **over)
        yield Deed(what, name, where, extent), _levelled(made, extent)


def _commands() -> Iterator[tuple[Deed, Document]]:
    for what, name, where in product(COMMANDS, NAMES, PLACES):
        yield Deed(what, name, where, "two minutes"), _command(what, name, where)
    for (what, do), name, where in product(TOO_MUCH.items(), NAMES, PLACES):
        yield Deed(what, name, where, "too long"), {**_command(what, name, where), "do": {"what": what, **do}}
    for name, where in product(NAMES, PLACES):
        rule = {"do": {"what": "cancel", "target": "honest-window", "until": NOON + DAY_MS}}
        yield Deed("cancel of a rule", name, where, "two minutes"), {**_command("cancel", name, where), **rule}
        yield Deed("stop", name, where, "longer"), {**_command("stop", name, where), "not_after": NOON + 121_000}
        yield Deed("stop", name, where, "other level"), _levelled(_command("stop", name, where), "other level")


DOES: dict[str, Document] = {
    "cancel": {"target": "honest-flood", "until": NOON + DAY_MS},
    "pause": {"for_s": 3_600},
    "volume": {"volume": 0},
    "amplifier": {"on": True, "for_s": 600},
    "all_stop": {"for_s": 900},
    "lock": {"for_s": 14_400},
    "rank": {"job_ids": ["honest-news"]},
    "choose": {"target": "honest-offer", "when": {"kind": "now"}},
    "ask": {"day": "2026-10-02"},
}
"""The most that each action can ask for."""
TOO_MUCH: dict[str, Document] = {
    "pause": {"for_s": 3_601},
    "amplifier": {"on": True, "for_s": 601},
    "all_stop": {"for_s": 901},
    "lock": {"for_s": 14_401},
}


def _command(what: str, name: str, where: str) -> Document:
    do = {"what": what, **DOES.get(what, {})}
    return _levelled(makers.command_dict(do=do, **_heading(name, where)), "")


def _heading(name: str, where: str) -> Document:
    return {"issuer": name, "audience": PLACES[where]}


def _levelled(payload: Document, extent: str) -> Document:
    level = "province" if payload["issuer"] == PROVINCE_NAME else "commune"
    return {**payload, "level": OTHER_LEVEL[level] if extent == "other level" else level}


# Trust documents: he writes himself in, wherever he can.

AREAS = (ROOT, NATION, PROVINCE, WARD, HAMLET, NEXT_WARD, NEXT_PROVINCE)
THIEF, ACCOMPLICE = "thief-1", "thief-2"
MINE = {signer(name).keyid: signer(name).public.to_trust() for name in (THIEF, ACCOMPLICE)}


def _mine(count: int = 1) -> dict[str, Any]:
    return {"keyids": list(MINE)[:count], "threshold": count}


def _role(orders: list[str], limits: Document, count: int = 1, level: str = "commune") -> Document:
    return {"role": "mine", "orders": orders, "issuer": "ke-trom", "level": level, "limits": limits, **_mine(count)}


def _job_limits(area: str, **over: Any) -> Document:
    return {"classes": ["normal", "priority"], "areas": [area], "volume_max": 80, "validity_max_s": 1_800, **over}


def _grants(area: str) -> dict[str, Document]:
    """What he has a document grant, by its name."""
    own = area or NATION
    urgent = {"classes": ["emergency"], "volume_max": 90}
    desk = {"areas": [own], "validity_max_s": 120, "commands": list(COMMANDS)}
    outside = NEXT_NATION if area == NATION else NEXT_PROVINCE
    below = DRAFTS[PROVINCE][0]["delegates"] | _mine() | {"levels": ["commune"]}
    wide = {**below["limits"], "areas": [own]}
    return {
        "broadcasts": {"roles": [_role(["job"], _job_limits(own))]},
        "at the level above": {"roles": [_role(["job"], _job_limits(own), level="province")]},
        "at the highest level": {"roles": [_role(["job"], _job_limits(own), level="central")]},
        "elsewhere": {"roles": [_role(["job"], _job_limits(outside))]},
        "loudest": {"roles": [_role(["job"], _job_limits(own, volume_max=100))]},
        "warnings alone": {"roles": [_role(["job"], _job_limits(own, **urgent))]},
        "long warnings alone": {"roles": [_role(["job"], _job_limits(own, **urgent, validity_max_s=21_600))]},
        "long warnings by two": {"roles": [_role(["job"], _job_limits(own, **urgent, validity_max_s=21_600), 2)]},
        "rules": {"roles": [_role(["regulation", "window"], {"areas": [own], "validity_max_s": 86_400})]},
        "commands": {"roles": [_role(["command"], desk)]},
        "answers": {"roles": [{"role": "mine", "orders": ["welcome", "ack", "head"], **_mine()}]},
        "nothing": {"roles": [] if area else DRAFTS[ROOT][0]["roles"]},
        "delegates": {"delegates": {**below, "limits": wide, "epoch": 2}},
        "delegates of the world": {"delegates": {**below, "limits": {**wide, "areas": [outside]}, "epoch": 2}},
    }


@cache
def documents() -> dict[Deed, Document]:
    """Every document that he could write: of each area, with each grant; and with numbers that go back or far ahead."""
    made: dict[Deed, Document] = {}
    for area in AREAS:
        for grant, over in _grants(area).items():
            made[Deed("document", area, "", grant)] = _document(area, over)
        ahead, before = {"epoch": 2} if area else {}, _grants(area)["broadcasts"]
        made[Deed("document", area, "", "in another epoch")] = _document(area, {**before, **ahead, "version": 3})
        if area in DRAFTS:
            made[Deed("document", area, "", "the same version")] = _document(area, {**before, "version": 1})
        made[Deed("document", area, "", "from the future")] = _document(area, {**before, **_times(NOON + DAY_MS)})
    return made


def _times(issued_at: int) -> Document:
    return {"issued_at": issued_at, "expires": issued_at + 10 * DAY_MS}


def _document(area: str, over: Document) -> Document:
    base = dict(DRAFTS[area][0]) if area in DRAFTS else _blank(area)
    base |= {"version": 2, **_times(NOON - HOUR_MS), **over}
    base["keys"] = {**base["keys"], **MINE}
    return base


def _blank(area: str) -> Document:
    return {"area": area, "epoch": 1, "realm": makers.REALM, "type": "trust", "keys": {}, "roles": []}
