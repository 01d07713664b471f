"""Decide, in some campaigns, what the province's radio offers, what wards choose of it, and when it plans by itself."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.redteam import radio_moves, wishes
from tests.redteam.offices import ON_AIR
from tests.redteam.papers import ABOVE, RADIO
from tests.soak.script import Happening

if TYPE_CHECKING:
    from tests.redteam.script import Setting

WITH_OFFERS = 0.3
# Of the campaigns. Their dice are their own: what a seed does beside it does not change.
STOLEN: tuple[tuple[str, ...], ...] = ((), (RADIO,))
OFFER, CHOICE, TAKEN_BACK = 1_000, 1_100, 1_200
"""From where on their numbers count."""
CHOSEN_AFTER_MS = (1_000, 8_000, 60_000)


def of(seed: int, setting: Setting, ends: int) -> tuple[Setting, list[Happening]]:
    """The setting, and what happens beside everything else until then."""
    dice = random.Random(f"red team and offers {seed}")
    if dice.random() >= WITH_OFFERS:
        return setting, []
    if not setting.stolen:
        setting = replace(setting, stolen=dice.choice(STOLEN))
    some: list[Happening] = []
    chosen = 0
    for number in range(dice.choice((2, 3, 4))):
        at, offer = dice.randint(setting.begins_ms, ends), _offer(dice, OFFER + number, setting.stations)
        some.append(Happening(at, "order", offer))
        for _ in range(dice.choice((1, 1, 2))):
            chosen += 1
            at += dice.choice(CHOSEN_AFTER_MS)
            some += _choice(dice, at, offer, chosen, setting.stations)
        if RADIO in setting.stolen:
            some += [Happening(at, "move", {"name": name, "dice": dice.getrandbits(24)}) for name in radio_moves.MOVES]
    for _ in range(dice.choice((0, 1, 3))):
        at, name = dice.randint(setting.begins_ms, ends), dice.choice([*ON_AIR])
        some.append(Happening(at, "ceremony", {"name": name, "fate": wishes.fate(dice, setting.stations)}))
        if dice.random() < 0.5:
            power = {"station": dice.choice(setting.stations), "for_ms": 5_000}
            some.append(Happening(at + dice.choice((2_000, 30_000)), "power_cut", power))
    return setting, some


def _offer(dice: random.Random, serial: int, stations: tuple[str, ...]) -> dict[str, Any]:
    kind = dice.choice(("job", "job", "timetable"))
    if kind == "timetable":
        what = wishes.timetable(dice, serial)
    else:
        what = wishes.job(dice, serial, dice.choice(("normal", "normal", "priority")))
        what |= {"valid_ms": max(what.get("valid_ms", 0), 5 * wishes.MINUTE_MS)}
    return {"serial": serial, "kind": kind, "ward": "above", **what, "fate": wishes.fate(dice, stations)}


def _choice(
    dice: random.Random, at: int, offer: dict[str, Any], number: int, stations: tuple[str, ...]
) -> Iterator[Happening]:
    """A ward chooses, and may think better of it."""
    ward, fate = dice.choice(wishes.WARDS), wishes.fate(dice, stations)
    names = [f"{ABOVE.issuer}-{offer['serial']}"]
    if offer["kind"] == "timetable":
        names = [f"{ABOVE.issuer}-muc-{name}" for name, _, _ in offer["entries"]]
    when = {"when": dice.choice(("now", "now", "at", "rule")), "in_s": dice.choice((3, 20, 120))}
    chosen = {"what": "choose", "target": dice.choice(names), **when}
    yield Happening(at, "order", {"serial": CHOICE + number, "kind": "command", "ward": ward, **chosen, "fate": fate})
    if dice.random() < 0.3:
        at += dice.choice((2_000, 15_000))
        back = {"what": "cancel", "target": f"lenh-{CHOICE + number}"}
        given = {"serial": TAKEN_BACK + number, "kind": "command", "ward": ward, **back, "fate": {}}
        yield Happening(at, "order", given)
