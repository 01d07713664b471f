"""Decide, in some campaigns, when keys come and go, and what the attacker does with the documents that say so."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.redteam.offices import CEREMONIES, DELEGATES, HOLDERS, OF_THE_ROOT, ROOTS_MAX
from tests.redteam.papers import DEPUTY, OFFICER, SERVER
from tests.soak.script import Happening

if TYPE_CHECKING:
    from tests.redteam.script import Setting

WITH_EPOCHS = 0.3
# Of the campaigns. Their dice are their own: what a seed does beside it does not change.
STOLEN: tuple[tuple[str, ...], ...] = (
    (),
    (OFFICER,),
    (DEPUTY,),
    (SERVER,),
    (HOLDERS[1],),
    (DELEGATES[0],),
    DELEGATES,
)
"""One of two of each, which is nothing, and the two who sign for wards."""
MOVES = ("old_papers", "mixed_papers", "mixed_papers", "rewrite_paper", "paper_of_his_own", "order_by_his_paper")
BY_OTHER_KEYS = ("order_with_stolen", "order_with_stolen", "welcome_with_stolen")


def of(seed: int, setting: Setting, ends: int) -> tuple[Setting, list[Happening]]:
    """The setting, and what happens beside everything else until then."""
    dice = random.Random(f"red team and key epochs {seed}")
    if dice.random() >= WITH_EPOCHS:
        return setting, []
    setting = replace(setting, epochs=True, stolen=dice.choice(STOLEN))
    some: list[Happening] = []
    roots = 1
    for _ in range(dice.choice((3, 5, 7))):
        at, name = dice.randint(setting.begins_ms, ends), dice.choice([*CEREMONIES])
        roots += name in OF_THE_ROOT and (3 if name == "root_steps" else 1)
        if roots <= ROOTS_MAX or name not in OF_THE_ROOT:
            some.append(Happening(at, "ceremony", {"name": name, **_on_its_way(dice, setting.stations)}))
        some += [_move(dice, at + dice.choice((1_000, 20_000)), setting.stolen) for _ in range(2)]
    for _ in range(dice.choice((0, 1, 2))):
        at, for_ms = dice.randint(setting.begins_ms, ends), dice.choice((60_000, 600_000))
        some.append(Happening(at, "freeze", {"station": dice.choice(setting.stations), "for_ms": for_ms}))
    return setting, some


def _move(dice: random.Random, at: int, stolen: tuple[str, ...]) -> Happening:
    more = BY_OTHER_KEYS if {*stolen} & {OFFICER, DEPUTY, SERVER} else ()
    return Happening(at, "move", {"name": dice.choice((*MOVES, *more)), "dice": dice.getrandbits(24)})


def _on_its_way(dice: random.Random, stations: tuple[str, ...]) -> dict[str, Any]:
    """What becomes of the documents; most arrive, or there would be no epochs."""
    fates: tuple[dict[str, Any], ...] = ({}, {"lost": True}, {"late_ms": 60_000}, {"not_to": (dice.choice(stations),)})
    fate = dice.choices(fates, (5, 1, 2, 2))[0]
    return {"fate": fate, "apart_ms": dice.choice((0, 0, 3_000, 40_000)), "backwards": dice.random() < 0.2}
