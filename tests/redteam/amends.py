"""Decide, in some campaigns, which broadcasts are set right, and which warnings are rehearsed, and cleared."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from tests.redteam import wishes
from tests.soak.script import Happening

WITH_AMENDS = 0.3
# Of the campaigns. Their dice are their own: what a seed does beside it does not change.
SET_RIGHT, VERSION, CLEAR = 2_000, 2_100, 2_200
"""From where on their numbers count."""
REHEARSED = 0.3
# Of the versions, and of the all-clears.
AFTER_MS = (500, 3_000, 10_000, 60_000)


def of(seed: int, orders: Iterable[Happening], stations: tuple[str, ...], begins: int, ends: int) -> list[Happening]:
    """What happens beside everything else, of these orders too."""
    dice = random.Random(f"red team and amends {seed}")
    if dice.random() >= WITH_AMENDS:
        return []
    jobs = [one for one in orders if one.what == "order" and one.args["kind"] == "job"]
    some = [*_set_right(dice, jobs, stations)]
    if dice.random() < 0.6:
        some += _series(dice, dice.randint(begins, ends), stations)
    return some


def _set_right(dice: random.Random, jobs: list[Happening], stations: tuple[str, ...]) -> Iterator[Happening]:
    """Some jobs; what sets one right may be wrong as well."""
    jobs = [*jobs]
    for number in range(dice.choice((1, 3, 5))):
        wrong = dice.choice(jobs)
        cls = wrong.args["cls"] if dice.random() < 0.7 else dice.choice(("normal", "priority", "emergency"))
        right = wishes.job(dice, SET_RIGHT + number, cls)
        right |= {"corrects": wrong.args["serial"], "serial": SET_RIGHT + number, "kind": "job"}
        right |= {"ward": wrong.args["ward"] if dice.random() < 0.9 else "there", "fate": wishes.fate(dice, stations)}
        one = Happening(wrong.at_ms + dice.choice(AFTER_MS), "order", right)
        jobs.append(one)
        yield one


def _series(dice: random.Random, at: int, stations: tuple[str, ...]) -> Iterator[Happening]:
    """Some versions of one warning, and its all-clear."""
    ward: dict[str, Any] = {"ward": dice.choice(wishes.WARDS), "kind": "job", "series": "bao"}
    versions = dice.choice((1, 2, 4))
    for version in range(1, versions + 1):
        warning = _told(dice, VERSION + version, ward, version)
        zones = {"zones": (dice.choice(("cho", "dinh")),)} if dice.random() < 0.4 else {}
        given = {"serial": VERSION + version, "fate": wishes.fate(dice, stations), **zones}
        yield Happening(at, "order", warning | given)
        at += dice.choice(AFTER_MS)
    clear = _told(dice, CLEAR, ward, versions + 1) | {"all_clear": True}
    clear.pop("every_s", None)
    yield Happening(at, "order", clear | {"serial": CLEAR, "fate": wishes.fate(dice, stations)})


def _told(dice: random.Random, serial: int, ward: dict[str, Any], version: int) -> dict[str, Any]:
    """A warning, or a rehearsal of one, which is planned."""
    told = wishes.job(dice, serial, "emergency") | ward | {"version": version}
    if dice.random() < REHEARSED:
        told.pop("every_s", None)
        told |= {"rehearsal": True, "when": dice.choice(("at", "rule")), "in_s": dice.choice((2, 5, 20))}
    return told
