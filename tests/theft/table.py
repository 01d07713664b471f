"""The table: who has stolen which keys that sign, what a station obeys him in, what comes of that, and what ends it.

``docs/protocol.md`` 12.30 says it in words. A deed that is not here is refused; a new power is a difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge_agent.core.units import MINUTE_MS
from edge_agent.trust.documents import ROOT
from tests.theft.deeds import COMMANDS, ORDINARY, RULES, Deed, deeds
from tests.theft.network import (
    DRAFTS,
    HAMLET,
    KEY_NAMES,
    NATION,
    OWNER_NAME,
    PROVINCE,
    PROVINCE_NAME,
    WARD,
    WARD_NAME,
    Document,
    changed,
    signed,
)
from tests.theft.stand import (
    BINDS,
    ENDS_FLOOD,
    ENDS_NEWS,
    MOVES_LOG,
    SOUNDS,
    TELLS,
    TRUSTS,
    WARMS,
    WARNS,
)
from tests.trust.makers import DAY_MS, NOON, signer

LATER = NOON - MINUTE_MS
"""When the honest sign what ends a theft: the number of each epoch and version, greater than any that he could give."""


@dataclass(frozen=True, slots=True)
class Thief:
    """Whoever holds the private keys of these names, and nothing else but the network.

    ``quiet`` is what he brings about in quiet hours, ``brings`` at noon. ``ended_by``: what the honest sign then.
    """

    name: str
    keys: tuple[str, ...]
    can: frozenset[Deed] = frozenset()
    brings: frozenset[str] = frozenset()
    quiet: frozenset[str] = frozenset()
    ended_by: tuple[bytes, ...] = ()
    area: str = WARD


def _without(*roles: str) -> bytes:
    """The ward's document, signed by its delegates, without these roles."""
    left = [role for role in DRAFTS[WARD][0]["roles"] if role["role"] not in roles]
    return signed(changed(WARD, roles=left), KEY_NAMES["ha-noi-trust"])


def _dated(payload: Document) -> Document:
    """Signed now, with the numbers that follow from that."""
    numbers = {"version": LATER, "issued_at": LATER, "expires": LATER + 80 * DAY_MS}
    return {**payload, **numbers, **({"epoch": LATER} if "epoch" in payload else {})}


def _handed_on(payload: Document, name: str) -> Document:
    """Its delegates are replaced by a key that he has not got, in an epoch of their own."""
    new = signer(name)
    delegates = {**payload["delegates"], "keyids": [new.keyid], "threshold": 1, "epoch": LATER}
    return {**payload, "keys": {**payload["keys"], new.keyid: new.public.to_trust()}, "delegates": delegates}


def _next_root(*, delegates: str = "", **instead: str) -> bytes:
    """Signed by two of its three holders, with other keys ``instead`` of those that answered stations."""
    payload = {**_dated(DRAFTS[ROOT][0]), "version": 2}
    named = {role["role"]: instead.get(role["role"], f"{role['role']}-1") for role in payload["roles"]}
    answering = {signer(one).keyid: signer(one).public.to_trust() for one in named.values()}
    payload["keys"] = {**payload["keys"], **answering}
    payload["roles"] = [{**role, "keyids": [signer(named[role["role"]]).keyid]} for role in payload["roles"]]
    return signed(_handed_on(payload, delegates) if delegates else payload, ("root-2", "root-3"))


def _another_holder() -> bytes:
    """The next root, with somebody else in the place of the one whose key was stolen."""
    payload, new = changed(ROOT), signer("root-4")
    payload["keys"] = {**payload["keys"], new.keyid: new.public.to_trust()}
    held = [*(signer(name).keyid for name in ("root-2", "root-3")), new.keyid]
    return signed({**payload, "signers": {"keyids": held, "threshold": 2}}, ("root-2", "root-3", "root-4"))


PROVINCE_ANEW = _handed_on(_dated(DRAFTS[PROVINCE][0]), "ha-noi-trust-new")
WARD_ANEW = _dated(DRAFTS[WARD][0])
NEW_WARD = signed(WARD_ANEW, ("ha-noi-trust-new",))
NEW_PROVINCE = signed({**PROVINCE_ANEW, "epoch": 1}, KEY_NAMES["national-trust"])
WARD_HANDED_ON = _handed_on(WARD_ANEW, "dong-thanh-trust-new")
HERE = ("station", "ward")
WITHIN = (
    "broadcasts",
    "warnings alone",
    "long warnings by two",
    "rules",
    "commands",
    "nothing",
    "delegates",
)
"""What delegates may give whom they like: at the levels below, in their own area, below their own bounds."""
OF_ROOT = (*WITHIN, "at the level above", "at the highest level", "elsewhere", "loudest", "long warnings alone")
FALLS_SILENT = frozenset({TRUSTS, ENDS_NEWS, ENDS_FLOOD, BINDS})
"""What comes of taking away the roles by which something sounds, or holds."""

_SOLO_WARNS = deeds(["emergency"], [WARD_NAME], HERE, ["ten minutes", "half an hour", "loud"])
_LONG_WARNS = deeds(["emergency"], [WARD_NAME], HERE, ["six hours", "rehearsed"])
_BROADCASTS = ("ten minutes", "a year")
_DESK = frozenset(COMMANDS) - {"restart"}  # which is for no moment in which a warning sounds

THIEVES = (
    Thief("nobody's key", ("stranger-1", "stranger-2")),
    Thief(
        "ward-routine",
        KEY_NAMES["ward-routine"],
        can=deeds(ORDINARY, [WARD_NAME], HERE, _BROADCASTS)
        | deeds(["timetable"], [WARD_NAME], HERE, ["a year"])
        | deeds(_DESK, [WARD_NAME], HERE, ["two minutes"]),
        brings=frozenset({SOUNDS, ENDS_NEWS, ENDS_FLOOD, BINDS, WARMS, TELLS}),
        quiet=frozenset({ENDS_FLOOD, BINDS, WARMS, TELLS}),
        ended_by=(_without("ward-routine", "ward-desk"),),
    ),
    Thief("one of two of ward-emergency", ("ward-emergency-1",), ended_by=(_without("ward-emergency"),)),
    Thief(
        "both of ward-emergency",
        KEY_NAMES["ward-emergency"],
        can=_SOLO_WARNS | _LONG_WARNS,
        brings=frozenset({WARNS, ENDS_NEWS}),
        quiet=frozenset({WARNS}),
        ended_by=(_without("ward-emergency"),),
    ),
    Thief(
        "ward-alone",
        KEY_NAMES["ward-alone"],
        can=_SOLO_WARNS,
        brings=frozenset({WARNS, ENDS_NEWS}),
        quiet=frozenset({WARNS}),
        ended_by=(_without("ward-alone"),),
    ),
    Thief(
        "ward-policy",
        KEY_NAMES["ward-policy"],
        can=deeds(RULES, [OWNER_NAME], HERE, ["a year"])
        | deeds(["cancel of a rule"], [OWNER_NAME], HERE, ["two minutes"]),
        brings=frozenset({BINDS}),
        quiet=frozenset({BINDS}),
        ended_by=(_without("ward-policy", "ward-policy-desk"),),
    ),
    Thief(
        "province",
        KEY_NAMES["province"],
        can=deeds(ORDINARY, [PROVINCE_NAME], (*HERE, "province", "elsewhere"), _BROADCASTS)
        | deeds(["timetable"], [PROVINCE_NAME], (*HERE, "province", "elsewhere"), ["a year"]),
        brings=frozenset({SOUNDS}),
        ended_by=(signed(changed(PROVINCE, roles=[]), KEY_NAMES["national-trust"]),),
    ),
    Thief(
        "welcome",
        KEY_NAMES["welcome"],
        can=deeds(["welcome"], [""], ["own"]),
        ended_by=(_next_root(welcome="welcome-new"),),
    ),
    Thief(
        "ack",
        KEY_NAMES["ack"],
        can=deeds(["ack"], [""], ["own"]),
        brings=frozenset({MOVES_LOG}),
        quiet=frozenset({MOVES_LOG}),
        ended_by=(_next_root(ack="ack-new"),),
    ),
    Thief(
        "head",
        KEY_NAMES["head"],
        can=deeds(["head"], [""], ("station", "ward", "province", "nation")),
        brings=frozenset({ENDS_NEWS}),
        ended_by=(_next_root(head="head-new"),),
    ),
    Thief("one of two of the ward's delegates", ("ha-noi-trust-1",), ended_by=(NEW_PROVINCE, NEW_WARD)),
    Thief(
        "the ward's delegates",
        KEY_NAMES["ha-noi-trust"],
        can=deeds(["document"], [WARD], extent=WITHIN),
        brings=FALLS_SILENT,
        quiet=FALLS_SILENT - {ENDS_NEWS},
        ended_by=(NEW_PROVINCE, NEW_WARD),
    ),
    Thief(
        "the hamlet's delegates",
        KEY_NAMES["dong-thanh-trust"],
        ended_by=(_without(),),
    ),
    Thief(
        "the hamlet's delegates, at the hamlet",
        KEY_NAMES["dong-thanh-trust"],
        can=deeds(["document"], [HAMLET], extent=(*WITHIN,)),
        brings=frozenset({TRUSTS}),
        quiet=frozenset({TRUSTS}),
        ended_by=(signed({**WARD_HANDED_ON, "epoch": 1}, KEY_NAMES["ha-noi-trust"]),),
        area=HAMLET,
    ),
    Thief(
        "the nation's delegates",
        KEY_NAMES["national-trust"],
        can=deeds(["document"], [NATION, PROVINCE], extent=(*WITHIN, "at the level above")),
        brings=FALLS_SILENT,
        quiet=FALLS_SILENT - {ENDS_NEWS},
        ended_by=(
            _next_root(delegates="national-trust-new"),
            signed(PROVINCE_ANEW, ("national-trust-new",)),
            NEW_WARD,
        ),
    ),
    Thief("one of two of the root's holders", ("root-1",), ended_by=(_another_holder(),)),
    Thief(
        "the root's holders",
        ("root-1", "root-2"),
        can=deeds(["document"], [ROOT], extent=(*OF_ROOT, "answers", "delegates of the world", "from the future")),
        brings=FALLS_SILENT,
        quiet=FALLS_SILENT - {ENDS_NEWS},
    ),
)


def differences(found: Iterable[Deed], thief: Thief) -> tuple[list[Deed], list[Deed]]:
    """What he can do that the table does not say, and what it says that he cannot."""
    seen = frozenset(found)
    return sorted(seen - thief.can), sorted(thief.can - seen)
