"""Decide what happens in one campaign: what is ordered, what the attacker does, what the machines suffer. One seed.

All of it is written down beforehand, so a campaign can be shortened and played again. A move's own dice come from the
number that stands beside it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

from tests.redteam import amends, epochs, offers, wishes
from tests.redteam.door import GIVEN
from tests.redteam.papers import DEPUTY, OFFICER, SERVER, STATIONS
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
            order = wishes.order(dice, serial, stations)
            kept_back = order["kind"] == "job" and dice.random() < KEPT_BACK
            happenings.append(Happening(at, "order", order | ({"fate": {"late_ms": 30_000}} if kept_back else {})))
            if kept_back:
                at, serial = at + dice.choice((1_000, 12_000)), serial + 1
                happenings.append(Happening(at, "order", wishes.taken_back(order, serial)))
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
    happenings += amends.of(seed, happenings, stations, begins, at)
    for more_of in (epochs.of, offers.of):
        setting, more = more_of(seed, setting, at)
        happenings += more
    happenings.sort(key=lambda one: one.at_ms)
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
