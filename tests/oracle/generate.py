"""Draw the life of a ward from a seed: what it forbids, and orders that aim at the edges of what it forbids.

Sounds never overlap in a zone, so that who takes over from whom is no question here. Where the page can be read in two
ways, or where a command would arrive in the middle of a sound, nothing is drawn.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.oracle.orders import Draft, begin, disputed
from tests.oracle.policies import KINDS
from tests.oracle.walltime import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    day_name,
    day_number,
)
from tests.oracle.world import (
    Closure,
    Cls,
    ExceptionWindow,
    Instant,
    Life,
    Regulation,
    SetCeiling,
    Span,
    Zone,
    timeline,
)

FIRST_DAY = "2026-01-01"
YEAR_DAYS = 365
CLEAR_S = 60
# No lock, reserve or set ceiling changes in a sound, or this long before and after it: what is known then is known.


def random_year(seed: int, *, together: bool = True) -> Life:
    return random_days(seed, YEAR_DAYS, together=together)


def random_days(seed: int, days: int, *, together: bool = True) -> Life:
    """``together``: whether sounds in different zones may overlap in time."""
    dice = Random(seed)
    names = tuple(f"C{n + 1}" for n in range(dice.randint(2, 4)))
    life = Life(
        zones=tuple(Zone(name, dice.choice((100, 100, 85, 60, 45))) for name in names),
        plays=(),
        first_day=FIRST_DAY,
        days=days,
    )
    life = _with_policies(dice, seed, life)
    life = replace(life, exceptions=_exceptions(dice, life))
    draft = Draft(dice, life, together)
    draft.order_rules()
    # Drawn between the two, so that single orders can aim at the edges of silences which no rule's sound disputes.
    silences = _silences(dice, life, draft.occurrences())
    draft.order_singly(silences)
    life = replace(life, plays=tuple(draft.plays), silences=silences)
    return _with_commands(dice, life)


def _count(dice: Random, life: Life, per_month: float) -> int:
    """How many of something that happens so often a month: never none."""
    return max(1, round(dice.uniform(0.6, 1.4) * per_month * life.days / 30))


# ---------------------------------------------------------------- what the ward forbids


def _with_policies(dice: Random, seed: int, life: Life) -> Life:
    names = tuple(zone.name for zone in life.zones)
    first = day_number(life.first_day)
    holidays = tuple(sorted({day_name(first + dice.randrange(life.days)) for _ in range(_count(dice, life, 1.0))}))
    home = KINDS[seed % len(KINDS)]
    kinds = [home, *(dice.choice((home, *KINDS)) for _ in range(dice.randint(2, 5)))]
    own = home(dice, names, holidays) if dice.random() < 0.7 else None
    moments = sorted(begin(life) + dice.randrange(life.days) * DAY_S + dice.randint(6, 20) * HOUR_S for _ in kinds)
    if dice.random() < 0.5:
        moments[0] = begin(life)
    regulations = tuple(
        Regulation(number, moment, kind(dice, names, holidays))
        for number, (moment, kind) in enumerate(zip(moments, kinds, strict=True), start=1)
    )
    return replace(life, own_policy=own, regulations=regulations)


def _exceptions(dice: Random, life: Life) -> tuple[ExceptionWindow, ...]:
    windows: list[ExceptionWindow] = []
    for number in range(_count(dice, life, 4)):
        begins = begin(life) + dice.randrange(life.days) * DAY_S + dice.randrange(60, 24 * 12) * 5 * MINUTE_S
        if windows and dice.random() < 0.2:
            begins = windows[-1].begins + dice.choice((0, 0, 600))
        windows.append(_exception(dice, life, f"E{dice.randrange(100):02d}-{number:03d}", begins))
    return tuple(windows)


def _exception(dice: Random, life: Life, window_id: str, begins: int) -> ExceptionWindow:
    names = [zone.name for zone in life.zones]
    classes: tuple[tuple[Cls, ...], ...] = ((), ("normal", "priority"), ("priority",), ("normal",))
    length_s = dice.choice((900, 1800, HOUR_S, 2 * HOUR_S, 4 * HOUR_S, 8 * HOUR_S, 30 * HOUR_S, 7 * DAY_S))
    return ExceptionWindow(
        window_id,
        begins,
        begins + length_s,
        session_s=dice.choice((120, 300, 600, 900, 1800)),
        classes=dice.choice(classes),
        zones=() if dice.random() < 0.5 else tuple(sorted(dice.sample(names, dice.randint(1, len(names))))),
        total_s=dice.choice((None, 300, 600, 900, 1800)),
        volume=dice.choice((None, None, 30, 65, 95)),
    )


def _silences(dice: Random, life: Life, sounds: list[Instant]) -> tuple[Closure, ...]:
    silences = []
    for _ in range(_count(dice, life, 4)):
        begins = begin(life) + dice.randrange(life.days * 24 * 4) * 15 * MINUTE_S
        ends = begins + dice.choice((1, 2, 4, 6, 12)) * HOUR_S
        silence = Closure(dice.choice(life.zones).name, begins, ends)
        if not any(disputed(life, silence, each) for each in sounds):
            silences.append(silence)
    return tuple(silences)


# ---------------------------------------------------------------- what happens meanwhile


def _with_commands(dice: Random, life: Life) -> Life:
    """Locks, times on the reserve and set ceilings: none changes while a sound that it concerns is near."""
    near = _near_by_zone(life)
    everywhere = set().union(*near.values())
    moments = [begin(life) + dice.randrange(life.days * DAY_S // MINUTE_S) * MINUTE_S for _ in range(life.days)]
    locks, reserves, ceilings = [], [], []
    for _ in range(_count(dice, life, 5)):
        zone = dice.choice(life.zones).name
        begins, ends = _stretch(dice, dice.choice(moments), 4 * HOUR_S)
        if near[zone].isdisjoint((begins // MINUTE_S, ends // MINUTE_S)):
            locks.append(Closure(zone, begins, ends))
        begins, ends = _stretch(dice, dice.choice(moments), 6 * HOUR_S)
        if everywhere.isdisjoint((begins // MINUTE_S, ends // MINUTE_S)):
            reserves.append(Span(begins, ends))
        since = dice.choice(moments)
        taken = {(each.zone, each.since) for each in ceilings}
        if since // MINUTE_S not in near[zone] and (zone, since) not in taken:
            ceilings.append(SetCeiling(zone, since, dice.choice((40, 75, 100))))
    ordered = tuple(sorted(ceilings, key=lambda each: each.since))
    return replace(life, locks=tuple(locks), reserves=tuple(reserves), set_ceilings=ordered)


def _stretch(dice: Random, begins: int, max_s: int) -> tuple[int, int]:
    return begins, begins + dice.randrange(10 * MINUTE_S, max_s + 1, MINUTE_S)


def _near_by_zone(life: Life) -> dict[str, set[int]]:
    """The minutes of each zone in or near a sound."""
    near: dict[str, set[int]] = {zone.name: set() for zone in life.zones}
    for each in timeline(life.plays):
        first, last = each.utc - CLEAR_S, each.utc + each.play.length_s + CLEAR_S
        for zone in each.play.zones:
            near[zone].update(range(first // MINUTE_S, last // MINUTE_S + 1))
    return near
