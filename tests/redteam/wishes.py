"""Decide what people order in a campaign, and what becomes of it on its way: dice, and what they choose from."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from tests.redteam.papers import RELAYED

MINUTE_MS = 60_000
WARDS = ("here", "here", "there")
SOURCES = (f"{RELAYED}vov1.mp3", f"{RELAYED}tinh.mp3", "https://elsewhere.test/vov1.mp3")
# Two that officers may have relayed, and one that they may not.
VALID_MS = (20_000, 2 * MINUTE_MS, 10 * MINUTE_MS)


def order(dice: random.Random, serial: int, stations: tuple[str, ...]) -> dict[str, Any]:
    """Anything that a ward orders."""
    kind = dice.choices([*_ORDERS], [weight for weight, _ in _ORDERS.values()])[0] if serial > 1 else "job"
    args = {"serial": serial, "kind": kind, "ward": dice.choice(WARDS), **_ORDERS[kind][1](dice, serial)}
    if kind in ("job", "command", "window") and dice.random() < 0.2:
        args["zones"] = (dice.choice(("cho", "dinh")),)
    if kind == "job" and dice.random() < 0.25:
        args["stations"] = (dice.choice(stations),)
    return args | {"fate": fate(dice, stations)}


def taken_back(job: dict[str, Any], serial: int) -> dict[str, Any]:
    """The cancel that overtakes it."""
    cancel = {"what": "cancel", "target": job["serial"], "ward": job["ward"]}
    return {"serial": serial, "kind": "command", **cancel, "fate": {}}


def fate(dice: random.Random, stations: tuple[str, ...]) -> dict[str, Any]:
    """What becomes of it on its way; most arrive, or there would be nothing to attack."""
    return dice.choices(
        (
            {},
            {"lost": True},
            {"late_ms": dice.choice((3_000, 30_000, 300_000, 700_000))},
            {"not_to": (dice.choice(stations),)},
            {"times": 2},
        ),
        (10, 1, 2, 2, 1),
    )[0]


def job(dice: random.Random, serial: int, cls: str = "") -> dict[str, Any]:
    """A broadcast, or a warning; of any class, unless it is given."""
    drawn = dice.choice(("normal", "normal", "priority", "emergency"))
    cls = cls or drawn
    common = {"cls": cls, "loops": dice.choice((1, 1, 2)), "preemption": dice.choice(("rejoin", "drop"))}
    common |= {"volume": dice.choice((30, 70, 70, 100)), "gap_s": dice.choice((0, 0, 4))}
    if cls == "emergency":
        more: dict[str, Any] = {"spoken": dice.choice(("Lũ quét!", "Rời nhà ngay.")), "valid_ms": dice.choice(VALID_MS)}
        if dice.random() < 0.3:
            more |= {"series": "lu", "version": serial}
        if dice.random() < 0.2:
            more |= {"every_s": 60, "valid_ms": 3 * MINUTE_MS}
        return common | more
    if dice.random() < 0.2:
        common |= {"source": dice.choice(SOURCES), "seconds": dice.choice((20.0, 60.0)), "loops": 1, "gap_s": 0}
        common |= {"stand_in": dice.choice(("", "d"))}
    else:
        common |= {"tone": dice.choice("abc"), "seconds": dice.choice((2.0, 5.0, 20.0))}
    if dice.random() < 0.25:
        common["and_words"] = "Hết tin."
    when = dice.choice(("now", "now", "at", "rule"))
    if when == "now":
        return common | {"when": when, "valid_ms": dice.choice(VALID_MS)}
    late_s = dice.choice((0, 120, 120) if "source" in common else (0, 0, 120))
    return common | {"when": when, "in_s": dice.choice((3, 15, 60, 200)), "late_s": late_s}


_DESK = ("volume", "volume", "pause", "pause", "resume", "next_item")


def _command(dice: random.Random, serial: int) -> dict[str, Any]:
    what = dice.choice(("cancel", "cancel", "cancel", "stop", "all_stop", "lock", "amplifier", "self_test", *_DESK))
    more: dict[str, dict[str, Any]] = {
        "cancel": {"target": dice.randint(max(1, serial - 3), serial)},
        "all_stop": {"for_s": dice.choice((30, 300))},
        "lock": {"for_s": dice.choice((60, 600))},
        "amplifier": {"on": True, "for_s": dice.choice((5, 60))},
        "volume": {"volume": dice.choice((0, 40))},
        "pause": {"for_s": dice.choice((8, 60))},
    }
    return {"what": what} | more.get(what, {})


def _window(dice: random.Random, _serial: int) -> dict[str, Any]:
    return {"kind_of": dice.choice(("silence", "silence", "exception")), "from_s": 0, "to_s": dice.choice((60, 900))}


def _regulation(dice: random.Random, _serial: int) -> dict[str, Any]:
    return {"quiet": dice.choice((("21:00", "05:00"), ("00:00", "00:00"), ("20:00", "05:00")))}


def timetable(dice: random.Random, _serial: int) -> dict[str, Any]:
    """One to three entries, for once each."""
    names = dice.sample("pqrs", dice.choice((1, 2, 3)))
    return {"entries": tuple((name, dice.choice((10, 30, 90, 240)), dice.choice(("", "", *SOURCES))) for name in names)}


_ORDERS: dict[str, tuple[int, Callable[[random.Random, int], dict[str, Any]]]] = {
    "job": (12, job),
    "command": (5, _command),
    "window": (1, _window),
    "regulation": (1, _regulation),
    "timetable": (2, timetable),
    "renew": (1, lambda *_: {}),
    "revoke": (1, lambda *_: {}),
}
