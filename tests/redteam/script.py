"""Decide what happens in one campaign: what is ordered, what the attacker does, what the machines suffer. One seed.

All of it is written down beforehand, so a campaign can be shortened and played again. A move's own dice come from the
number that stands beside it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tests.redteam import epochs
from tests.redteam.door import GIVEN
from tests.redteam.papers import DEPUTY, OFFICER, RELAYED, SERVER, STATIONS
from tests.redteam.shelf import SHOWN
from tests.soak.script import Happening

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
BEGINS_MS = (0, 0, 11 * HOUR_MS - 6 * MINUTE_MS, 19 * HOUR_MS - 6 * MINUTE_MS)
# From 10:00 on: mid-morning, before the quiet hours, before their end.
CHAOS_MS = 12 * MINUTE_MS
STEPS = 26
PAUSES_MS = (50, 1_000, 5_000, 12_000, 40_000)
LONG_PAUSE_MS = 11 * MINUTE_MS
# Longer than what is ordered for now is valid.
AFTERS_MS = (MINUTE_MS, LONG_PAUSE_MS, 3 * HOUR_MS, 26 * HOUR_MS)
STOLEN: tuple[tuple[str, ...], ...] = ((), (), (), (), (), (SERVER,), (DEPUTY,), (DEPUTY, SERVER), (OFFICER,))
CLOCKS: tuple[tuple[str, ...], ...] = ((), (), ("ntp",), ("chip",), ("ntp", "chip"))
WARDS = ("here", "here", "there")
SOURCES = (f"{RELAYED}vov1.mp3", f"{RELAYED}tinh.mp3", "https://elsewhere.test/vov1.mp3")
# Two that officers may have relayed, and one that they may not.
AT_HOME = 0.4
# Of the campaigns. Their dice are their own: what a seed does beside it does not change.
KEPT_BACK = 0.15
# Of the jobs: they arrive when they have been taken back.


@dataclass(frozen=True, slots=True)
class Setting:
    """Which stations there are, what was stolen, and when it all begins; ``after_ms`` passes before the last replay.

    ``clocks``: what else than the centre tells them the time. ``home``: whether the content server answers hellos too.
    ``epochs``: whether keys come and go.
    """

    stations: tuple[str, ...]
    stolen: tuple[str, ...]
    begins_ms: int
    after_ms: int
    clocks: tuple[str, ...] = ()
    home: bool = False
    epochs: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """One campaign."""

    name: str
    setting: Setting
    happenings: tuple[Happening, ...]


def campaign(seed: int) -> Script:
    """Twelve minutes of orders and attacks, and what the attacker does with all of it in the end."""
    dice = random.Random(f"red team {seed}")
    stations = dice.choice((("dt-01", "dt-02"), ("dt-01", "tt-01"), tuple(STATIONS)))
    begins = dice.choice(BEGINS_MS)
    setting = Setting(stations, dice.choice(STOLEN), begins, dice.choice(AFTERS_MS), dice.choice(CLOCKS))
    happenings, at, serial = [], begins, 0
    for step in range(STEPS):
        at += dice.choice(PAUSES_MS) + (LONG_PAUSE_MS if step and dice.random() < 0.03 else 0)
        what = dice.choices(("order", "move", "machine"), (9, 12, 5))[0]
        if what == "order" or serial < 2:
            serial += 1
            order = _order(dice, serial, stations)
            kept_back = order["kind"] == "job" and dice.random() < KEPT_BACK
            happenings.append(Happening(at, "order", order | ({"fate": {"late_ms": 30_000}} if kept_back else {})))
            if kept_back:
                at, serial = at + dice.choice((1_000, 12_000)), serial + 1
                happenings.append(Happening(at, "order", _taken_back(order, serial)))
        elif what == "move":
            happenings.append(
                Happening(at, "move", {"name": _move(dice, setting.stolen), "dice": dice.getrandbits(24)})
            )
        else:
            name, args = dice.choice(_MACHINES)
            args = {key: dice.choice(values) for key, values in args.items()}
            happenings.append(Happening(at, name, {"station": dice.choice(stations), **args}))
    at_home = random.Random(f"red team at home {seed}")
    if at_home.random() < AT_HOME:
        setting = replace(setting, home=True)
        happenings += _doors(at_home, stations, begins, at)
        happenings += _shelves(random.Random(f"red team on the shelf {seed}"), stations, begins, at)
        happenings.sort(key=lambda one: one.at_ms)
    setting, more = epochs.of(seed, setting, at)
    happenings = sorted([*happenings, *more], key=lambda one: one.at_ms)
    return Script("campaign", setting, tuple(happenings))


def _doors(dice: random.Random, stations: tuple[str, ...], begins: int, ends: int) -> list[Happening]:
    """The broker keeps welcomes for a while, so that stations ask the content server, which has its own answers."""
    some = []
    for _ in range(dice.choice((1, 2, 3))):
        at, station = dice.randint(begins, ends), dice.choice(stations)
        for_ms = dice.choice((60_000, 300_000))
        some.append(Happening(at, "door", {"station": station, "gives": dice.choice([*GIVEN]), "for_ms": for_ms}))
        some.append(Happening(at + 1, "no_welcomes", {"station": station, "for_ms": for_ms}))
        some.append(Happening(at + 2, dice.choice(("network_cut", "power_cut")), {"station": station, "for_ms": 500}))
    return some


def _shelves(dice: random.Random, stations: tuple[str, ...], begins: int, ends: int) -> list[Happening]:
    """The content server shows other manifests, or other papers, to stations that look anew for a while."""
    some = []
    for _ in range(dice.choice((1, 2, 4))):
        at, station = dice.randint(begins, ends), dice.choice(stations)
        for_ms = dice.choice((90_000, 300_000))
        some.append(Happening(at, "shelf_shows", {"station": station, "shows": dice.choice(SHOWN), "for_ms": for_ms}))
        some.append(Happening(at + 1, "network_cut", {"station": station, "for_ms": 500}))
    return some


def _move(dice: random.Random, stolen: tuple[str, ...]) -> str:
    names = (
        "replay",
        "replay_later",
        "burst",
        "rewrite",
        "rewrite_answer",
        "old_welcomes",
        "forge",
        "trains",
        "rubbish",
    )
    more = ("order_with_stolen", "welcome_with_stolen") if stolen else ()
    weights = (5, 2, 2, 9, 2, 1, 4, 1, 1) + ((5, 3) if stolen else ())
    return dice.choices((*names, *more), weights)[0]


def _order(dice: random.Random, serial: int, stations: tuple[str, ...]) -> dict[str, Any]:
    kind = dice.choices([*_ORDERS], [weight for weight, _ in _ORDERS.values()])[0] if serial > 1 else "job"
    args = {"serial": serial, "kind": kind, "ward": dice.choice(WARDS), **_ORDERS[kind][1](dice, serial)}
    if kind in ("job", "command", "window") and dice.random() < 0.2:
        args["zones"] = (dice.choice(("cho", "dinh")),)
    if kind == "job" and dice.random() < 0.25:
        args["stations"] = (dice.choice(stations),)
    return args | {"fate": _fate(dice, stations)}


def _taken_back(job: dict[str, Any], serial: int) -> dict[str, Any]:
    """The cancel that overtakes it."""
    cancel = {"what": "cancel", "target": job["serial"], "ward": job["ward"]}
    return {"serial": serial, "kind": "command", **cancel, "fate": {}}


def _fate(dice: random.Random, stations: tuple[str, ...]) -> dict[str, Any]:
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


def _job(dice: random.Random, serial: int) -> dict[str, Any]:
    cls = dice.choice(("normal", "normal", "priority", "emergency"))
    common = {"cls": cls, "loops": dice.choice((1, 1, 2)), "preemption": dice.choice(("rejoin", "drop"))}
    common |= {"volume": dice.choice((30, 70, 70, 100)), "gap_s": dice.choice((0, 0, 4))}
    if cls == "emergency":
        more: dict[str, Any] = {"spoken": dice.choice(("Lũ quét!", "Rời nhà ngay.")), "valid_ms": dice.choice(_VALID)}
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
        return common | {"when": when, "valid_ms": dice.choice(_VALID)}
    late_s = dice.choice((0, 120, 120) if "source" in common else (0, 0, 120))
    return common | {"when": when, "in_s": dice.choice((3, 15, 60, 200)), "late_s": late_s}


_VALID = (20_000, 2 * MINUTE_MS, 10 * MINUTE_MS)


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


def _timetable(dice: random.Random, _serial: int) -> dict[str, Any]:
    names = dice.sample("pqrs", dice.choice((1, 2, 3)))
    return {"entries": tuple((name, dice.choice((10, 30, 90, 240)), dice.choice(("", "", *SOURCES))) for name in names)}


_ORDERS: dict[str, tuple[int, Callable[[random.Random, int], dict[str, Any]]]] = {
    "job": (12, _job),
    "command": (5, _command),
    "window": (1, _window),
    "regulation": (1, _regulation),
    "timetable": (2, _timetable),
    "renew": (1, lambda *_: {}),
    "revoke": (1, lambda *_: {}),
}

_OFF_MS = (-26 * HOUR_MS, -3 * HOUR_MS, -4 * MINUTE_MS, 4 * MINUTE_MS, 3 * HOUR_MS, 50 * HOUR_MS, 400 * 24 * HOUR_MS)

_MACHINES: tuple[tuple[str, dict[str, tuple[Any, ...]]], ...] = (
    ("power_cut", {"for_ms": (100, 5_000, 60_000)}),
    ("power_cut", {"for_ms": (100, 5_000, 60_000)}),
    ("kill_agent", {}),
    ("kill_io", {}),
    ("copy_card", {}),
    ("copy_card", {}),
    ("restore_card", {"which": (0, 1, 2)}),
    ("restore_card", {"which": (0, 1, 2)}),
    ("factory_reset", {}),
    ("network_cut", {"for_ms": (500, 20_000, 90_000)}),
    ("welcomes", {"late_ms": (0, 2_000, 4_900, 6_000, 40_000), "for_ms": (30_000, 300_000)}),
    ("no_welcomes", {"for_ms": (30_000, 300_000)}),
    ("wrong_start", {"by_ms": _OFF_MS, "for_ms": (20_000, 50_000, 300_000)}),
    ("wrong_start", {"by_ms": _OFF_MS, "for_ms": (20_000, 50_000, 300_000)}),
    ("wrong_time", {"by_ms": _OFF_MS, "for_ms": (30_000, 300_000)}),
    ("silent_sources", {"for_ms": (3_000, 20_000, 90_000)}),
    ("content", {"mood": ("swaps", "down", "slow_ms"), "for_ms": (10_000, 100_000)}),
)
