"""Decide what happens to a ward in one life: a list of happenings, all of it from one seed and written down beforehand.

Nothing is diced while the life runs, so a list can be shortened and played again, and what is left is why it failed.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
BEGINNINGS_MS = (0, 11 * HOUR_MS - 5 * MINUTE_MS, 19 * HOUR_MS - 5 * MINUTE_MS)
# From 10:00 on: mid-morning, five minutes before the quiet hours, five minutes before their end.
EVENING_MS = 10 * MINUTE_MS
TENDAYS_MS = 10 * DAY_MS
# Tết has nine days off (requirement O1).
LASTS_MS, TENDAYS_SCALE = (50, 700, 4_000, 15_000, 70_000), 300
LASTS_MS_MAX = max(LASTS_MS) * TENDAYS_SCALE
# How long a trouble lasts; within ten days so many times as long. None is left when the calm begins.
CALM_MS = 3 * HOUR_MS
# An order of an evening lives for an hour after its instant, and may be as late.
CALM = "calm"
ALONE = "alone"
ALONE_AFTER_MS = 26 * HOUR_MS
# A night is among them: what is due later was fetched in it.
ALONE_MS = TENDAYS_MS
CLOCK_DAYS, CLOCK_SCALE = 2, 180
# A meddled clock stays so for seconds, or up to three and a half hours.
FITTED = "fitted"
RELAYS = "relays"
BESIDE_MS = (-2 * MINUTE_MS, 12 * MINUTE_MS)
# So long before and behind the beginning of a relayed session is when its troubles come.
PAUSES_MS = (1, 5, 30, 200, 1_000, 3_000, 10_000, 30_000)
TEXTS = ("Lũ quét!", "Bà con rời nhà ngay, lên chỗ cao.")
ZONES = ("c1", "c2")


@dataclass(frozen=True, slots=True)
class Happening:
    """``at_ms`` after the life began, ``what`` (a name of ``faults.TABLE``) happens with ``args``."""

    at_ms: int
    what: str
    args: dict[str, Any] = field(default_factory=dict)

    @property
    def troubles(self) -> frozenset[str]:
        """Its name, and that of what it brings about later."""
        return frozenset({self.what, str(self.args.get("what", self.what))})

    def __str__(self) -> str:
        return f"{self.what} " + " ".join(f"{name}={value}" for name, value in self.args.items())


@dataclass(frozen=True, slots=True)
class Setting:
    """How the station is fitted and when the life begins; it ends ``CALM_MS`` after ``chaos_until_ms``.

    ``home``, ``framed``, ``least_off_ms`` and ``stagger_ms`` are as in ``SimRig``.
    """

    begins_ms: int
    chaos_until_ms: int
    wired: bool = False
    drift_ppm: int = 0
    chip: bool = False
    ntp: bool = False
    welcome: bool = True
    home: bool = False
    framed: bool = False
    least_off_ms: int = 0
    stagger_ms: int = 0


@dataclass(frozen=True, slots=True)
class Script:
    """One life."""

    name: str
    setting: Setting
    happenings: tuple[Happening, ...]


def evening(seed: int) -> Script:
    """Ten minutes in which everything happens, then hours in which everything works again."""
    dice = random.Random(f"evening {seed}")
    begins = dice.choice(BEGINNINGS_MS)
    setting = _setting(dice, begins, begins + EVENING_MS)
    happenings = []
    at, serial = begins, 0
    while at < setting.chaos_until_ms:
        if dice.random() < 0.4:
            serial += 1
            happenings.append(Happening(at, "order", _order(dice, serial)))
        elif serial and dice.random() < 0.1:
            happenings.append(Happening(at, "replay", {"serial": dice.randint(1, serial)}))
        else:
            happenings.append(_fault(dice, at, scale=1))
        at += dice.choice(PAUSES_MS)
    return Script("evening", setting, tuple(happenings))


def fitted(seed: int) -> Script:
    """Such an evening where the station has what not every one has: manifests, chimes, relays that rest, turns.

    And a desk that has more to say.
    """
    made, dice = evening(seed), random.Random(f"fitted {seed}")
    setting = _fitted(dice, made.setting)
    words = [_desk_word(dice, setting) for _ in range(4)]
    return Script(FITTED, setting, tuple(sorted((*made.happenings, *words), key=lambda one: one.at_ms)))


def ten_days(seed: int) -> Script:
    """A timetable, an order a day, and some thirty troubles that last for minutes to hours."""
    dice = random.Random(f"ten days {seed}")
    begins = dice.choice(BEGINNINGS_MS)
    setting = _setting(dice, begins, begins + TENDAYS_MS)
    happenings = _timetable(begins, days=10)
    for day in range(10):
        at = begins + day * DAY_MS + dice.randrange(DAY_MS)
        happenings.append(Happening(at, "order", _order(dice, 100 + day)))
    for _ in range(30):
        happenings.append(_fault(dice, begins + dice.randrange(TENDAYS_MS - LASTS_MS_MAX), scale=TENDAYS_SCALE))
    return Script("ten days", setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))


def alone(seed: int) -> Script:
    """A timetable, and after a day ten without anybody: no centre, no content, no time but what the box itself has."""
    dice = random.Random(f"alone {seed}")
    setting = replace(_setting(dice, 0, ALONE_AFTER_MS + ALONE_MS), welcome=True, ntp=False)
    happenings = _timetable(0, days=12)
    happenings += [Happening(ALONE_AFTER_MS, what, {"for_ms": ALONE_MS}) for what in ("network_down", "content_down")]
    for _ in range(dice.choice((0, 1, 3))):
        at = ALONE_AFTER_MS + dice.randrange(ALONE_MS - DAY_MS)
        happenings.append(Happening(at, "power_cut", {"for_ms": dice.choice((50, 70_000, 2 * HOUR_MS))}))
    for _ in range(dice.choice((0, 2))):
        at = ALONE_AFTER_MS + dice.randrange(ALONE_MS - DAY_MS)
        happenings.append(Happening(at, dice.choice(("kill_agent", "kill_io", "kill_both"))))
    return Script(ALONE, setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))


def clocks(seed: int) -> Script:
    """A timetable, and all the time somebody sets the clock, or takes away whoever tells it."""
    dice = random.Random(f"clocks {seed}")
    lasts = CLOCK_DAYS * DAY_MS
    happenings = _timetable(0, CLOCK_DAYS)
    for _ in range(60):
        what = dice.choice(tuple(_CLOCK_FAULTS))
        at = dice.randrange(lasts - max(LASTS_MS) * CLOCK_SCALE)
        happenings.append(Happening(at, what, _CLOCK_FAULTS[what](dice, CLOCK_SCALE)))
    setting = _setting(dice, 0, lasts)
    return Script("clocks", setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))


def relays(seed: int) -> Script:
    """Two days whose sessions are all relayed, and whose orders and troubles come just before, during or after them."""
    dice = random.Random(f"relays {seed}")
    lasts = CLOCK_DAYS * DAY_MS
    happenings = [
        replace(one, args=one.args | {"relay": "vov1", "seconds": dice.choice((60.0, 300.0)), "tone": ""})
        for one in _timetable(0, CLOCK_DAYS)
    ]
    begins = [day * DAY_MS + round(one.args["in_s"] * SECOND_MS) for one in happenings for day in range(CLOCK_DAYS)]
    last = lasts - max(LASTS_MS) * CLOCK_SCALE

    def beside() -> int:
        return min(max(dice.choice(begins) + dice.randrange(*BESIDE_MS), 0), last)

    for number in range(12):
        order = _order(dice, 100 + number)
        relayed = {"relay": dice.choice(("vov1", "tinh")), "loops": 1}
        happenings.append(
            Happening(beside(), "order", order | (relayed if "tone" in order and dice.random() < 0.6 else {}))
        )
    for _ in range(40):
        scale = dice.choice((1, 1, CLOCK_SCALE))
        if dice.random() < 0.3:
            what = dice.choice(tuple(_CLOCK_FAULTS))
            happenings.append(Happening(beside(), what, _CLOCK_FAULTS[what](dice, scale)))
        elif dice.random() < 0.2:
            happenings.append(Happening(beside(), "sources_silent", {"for_ms": dice.choice(LASTS_MS) * scale}))
        else:
            happenings.append(_fault(dice, beside(), scale))
    setting = _fitted(dice, _setting(dice, 0, lasts))
    return Script(RELAYS, setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))


def calm(days: int) -> Script:
    """An ordinary ward: three sessions and a notice a day, a warning a month, nothing breaks."""
    happenings = []
    for month, first in enumerate(range(0, days, 30)):
        length = min(30, days - first)
        happenings += _timetable(first * DAY_MS, length, serial=1 + 1_000 * month)
        happenings.append(Happening(first * DAY_MS + 2 * HOUR_MS, "order", _warning(1_900 + month)))
    for day in range(days):
        notice = {"serial": 100_000 + day, "cls": "normal", "in_s": 4 * 3_600, "tone": "d", "seconds": 120.0}
        happenings.append(Happening(day * DAY_MS + HOUR_MS, "order", notice))
    setting = Setting(0, days * DAY_MS - CALM_MS, ntp=True)
    return Script(CALM, setting, tuple(sorted(happenings, key=lambda one: one.at_ms)))


def _setting(dice: random.Random, begins: int, until: int) -> Setting:
    return Setting(
        begins,
        until,
        wired=dice.random() < 0.5,
        drift_ppm=dice.choice((0, 0, 40, -40, 90)),
        chip=dice.random() < 0.3,
        ntp=dice.random() < 0.5,
        welcome=dice.random() < 0.9,
    )


def _fitted(dice: random.Random, setting: Setting) -> Setting:
    return replace(
        setting,
        home=dice.random() < 0.6,
        framed=dice.random() < 0.5,
        least_off_ms=dice.choice((0, 8_000)),
        stagger_ms=dice.choice((0, 3_000)),
    )


def _timetable(at: int, days: int, serial: int = 1) -> list[Happening]:
    sessions = ((19.5 * 3_600, 600.0), (1 * 3_600, 300.0), (7 * 3_600, 900.0))
    # 05:30, 11:00 and 17:00, counted from 10:00.
    return [
        Happening(
            at,
            "order",
            {
                "serial": serial + index,
                "cls": "normal",
                "in_s": after_s,
                "recurring": True,
                "days": days,
                "tone": "abc"[index],
                "seconds": seconds,
                "late_limit_s": 600,
            },
        )
        for index, (after_s, seconds) in enumerate(sessions)
    ]


def _warning(serial: int) -> dict[str, Any]:
    return {"serial": serial, "cls": "emergency", "spoken": TEXTS[1], "zones": ("c1",)}


def _order(dice: random.Random, serial: int) -> dict[str, Any]:
    cls = dice.choice(("normal", "normal", "priority", "emergency"))
    tampering = dice.choices(("", "forged", "other_ward", "quiet"), (12, 1, 1, 1))[0]
    if cls == "emergency" and dice.random() < 0.1:
        tampering = "under_signed"
    common = {
        "serial": serial,
        "cls": cls,
        "zones": dice.choice(((), (), ("c1",), ("c2",))),
        "preemption": dice.choice(("rejoin", "drop")),
        "loops": dice.choice((1, 1, 2)),
        "tampering": tampering,
    }
    if cls == "emergency":
        return common | {"spoken": dice.choice(TEXTS)}
    return common | {
        "in_s": None if dice.random() < 0.4 else dice.choice((-2, 1, 3, 8, 40, 300)),
        "recurring": dice.random() < 0.3,
        "tone": dice.choice("abc"),
        "seconds": dice.choice((3.0, 12.0, 60.0)),
        "late_limit_s": dice.choice((0, 0, 60, 1_800)),
    }


def _desk_word(dice: random.Random, setting: Setting) -> Happening:
    what = dice.choice(tuple(_DESK_WORDS))
    at = dice.randrange(setting.begins_ms, setting.chaos_until_ms)
    return Happening(at, what, _DESK_WORDS[what](dice, 1))


def _fault(dice: random.Random, at: int, scale: int) -> Happening:
    """One trouble. ``scale`` stretches how long it lasts."""
    name = dice.choices(tuple(_FAULTS), tuple(weight for weight, _ in _FAULTS.values()))[0]
    return Happening(at, name, _FAULTS[name][1](dice, scale))


Args = Callable[[random.Random, int], dict[str, Any]]


def _for(*more: tuple[str, tuple[Any, ...]]) -> Args:
    """How long it lasts, and whatever else is diced."""

    def made(dice: random.Random, scale: int) -> dict[str, Any]:
        args: dict[str, Any] = {"for_ms": dice.choice(LASTS_MS) * scale}
        return args | {name: dice.choice(values) for name, values in more}

    return made


def _just(*more: tuple[str, tuple[Any, ...]]) -> Args:
    return lambda dice, _: {name: dice.choice(values) for name, values in more}


def _what_meets_sound(dice: random.Random, scale: int) -> dict[str, Any]:
    what = dice.choice(("kill_agent", "kill_agent", "kill_io", "hang_agent", "hang_io", "power_cut"))
    args = _FAULTS[what][1](dice, scale)
    return {"what": what, "after_ms": dice.choice((0, 20, 300, 2_000, 8_000)), **args}


_ZONE = ("zone", ZONES)
_FAULTS: dict[str, tuple[int, Args]] = {
    "lock": (2, _just(_ZONE, ("for_s", (60, 600, 3_600)))),
    "silence": (2, _just(_ZONE, ("for_s", (60, 600, 3_600)))),
    "stop": (2, _just()),
    "all_stop": (1, _just(("for_s", (30, 900)))),
    "turn_down": (1, _just(("volume", (0, 30, 100)))),
    "self_test": (2, _just()),
    "kill_agent": (3, _just()),
    "kill_io": (3, _just()),
    "kill_both": (1, _just()),
    "kill_in_step": (4, _just(("effects", (0, 1, 2, 3, 5)))),
    "kill_at_commit": (4, _just(("when", ("before", "after")))),
    "kill_at_ack": (2, _just()),
    "meets_sound": (6, _what_meets_sound),
    "hang_agent": (1, _just()),
    "hang_io": (2, _just()),
    "stop_agent": (1, _just()),
    "key_fails": (2, _for()),
    "power_cut": (3, _for()),
    "network_down": (4, _for()),
    "messages_late": (2, _for(("ms", (300, 4_000, 40_000)))),
    "messages_twice": (2, _for()),
    "messages_reordered": (2, _for()),
    "messages_lost": (2, _for()),
    "broker_down": (2, _for()),
    "broker_wiped": (1, _just()),
    "server_restored": (1, _just(("keeps", (0.0, 0.5, 0.9)))),
    "no_welcome": (2, _for()),
    "welcome_replayed": (2, _just(("age", (1, 3, 100)))),
    "content_down": (2, _for()),
    "content_slow": (2, _for(("ms", (2_000, 20_000)))),
    "content_swapped": (1, _for()),
    "cache_full": (1, _for()),
    "disk_full": (2, _for()),
    "disk_slow": (2, _for(("ms", (300, 1_500)))),
    "write_fails": (2, _just(("commits", (1, 2)))),
    "journal_torn": (1, _just()),
    "ntp_gone": (1, _for()),
    "clock_stepped": (2, _for(("by_s", (-7_200, -300, -30, 30, 300, 7_200)))),
    "relay_stuck": (2, _for(_ZONE)),
    "relay_dead": (2, _for(_ZONE)),
    "relay_unread": (1, _for(_ZONE)),
    "relay_slow": (1, _for(("ms", (150, 900, 5_000)))),
    "relay_bounces": (2, _just(_ZONE, ("ms", (3, 300)))),
    "card_dead": (2, _for()),
    "card_mute": (2, _for()),
    "card_late": (2, _for(("ms", (400, 7_000, 40_000)))),
    "audio_rots": (1, _just(("tone", ("a", "b", "c")))),
}

_DESK_WORDS: dict[str, Args] = {
    "restart": _just(),
    "pause": _just(("for_s", (5, 60, 600))),
    "resume": _just(),
    "next_item": _just(),
}

_STEPS_S = (-400 * 86_400, -86_400, -7_200, -300, -119, -30, 30, 119, 300, 7_200, 86_400, 400 * 86_400)
_CLOCK_FAULTS: dict[str, Args] = {
    "clock_stepped": _for(("by_s", _STEPS_S)),
    "ntp_gone": _for(),
    "no_welcome": _for(),
    "welcome_replayed": _just(("age", (1, 3, 100))),
    "network_down": _for(),
    "power_cut": _for(),
    "kill_agent": _just(),
}
