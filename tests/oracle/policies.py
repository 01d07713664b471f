"""Draw the policies of made-up wards: each kind is strict about something else."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.oracle.world import Band, Clause, Cls, Policy

Kind = Callable[[Random, tuple[str, ...], tuple[str, ...]], Policy]

MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)
MONDAY_TO_SATURDAY = (1, 2, 3, 4, 5, 6)
NORMAL: tuple[Cls, ...] = ("normal",)
PRIORITY: tuple[Cls, ...] = ("priority",)


def _bands(dice: Random) -> tuple[Band, ...]:
    early, day, evening = (dice.randrange(30, 96, 5) for _ in range(3))
    return (("05:00", "06:00", early), ("06:00", "18:30", day), ("18:30", "05:00", evening))


def urban(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """Twice a day for a quarter of an hour, on weekdays."""
    clause = Clause(
        quiet=("21:00", "05:00"),
        holidays=holidays,
        weekdays=MONDAY_TO_FRIDAY,
        sessions_per_day=2,
        session_s=900,
        day_s=dice.choice((None, 1500)),
        volume=_bands(dice),
    )
    return Policy((clause,), dice.choice(("cut", "refuse")))


def rural(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """Every day, long sessions with relays of other stations."""
    clause = Clause(
        quiet=(dice.choice(("21:00", "21:30", "22:00")), dice.choice(("04:30", "05:00"))),
        sessions_per_day=dice.choice((4, 5, None)),
        session_s=2700,
        day_s=dice.choice((4500, 5400)),
        volume=_bands(dice),
    )
    return Policy((clause,))


def by_class(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """Normal sounds are kept short and off holidays, priority ones hardly."""
    return Policy(
        (
            Clause(quiet=("21:00", "05:00"), volume=_bands(dice)),
            Clause(
                classes=NORMAL,
                holidays=holidays,
                weekdays=MONDAY_TO_SATURDAY,
                sessions_per_day=dice.choice((2, 3)),
                session_s=dice.choice((600, 900)),
                day_s=1800,
            ),
            Clause(classes=PRIORITY, sessions_per_day=5, day_s=3600, volume=(("05:00", "21:00", 90),)),
        )
    )


def by_zone(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """One zone beside a hospital, some that share a short budget, and sometimes one where nothing normal may sound."""
    hospital, *others = dice.sample(zones, len(zones))
    clauses = [
        Clause(
            quiet=("21:00", "05:00"), session_s=1800, day_s=5400, holidays=holidays, volume=(("05:00", "21:00", 80),)
        ),
        Clause(zones=(hospital,), quiet=("11:30", "13:30"), sessions_per_day=3, volume=(("18:00", "07:00", 40),)),
        Clause(zones=tuple(others), quiet=(dice.choice(("20:00", "20:30")), "05:30"), session_s=1200, day_s=2400),
    ]
    if dice.random() < 0.3:
        clauses.append(Clause(classes=NORMAL, zones=(dice.choice(others),), quiet=("00:00", "00:00")))
    return Policy(tuple(clauses))


def cutting(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """Whatever runs into the quiet hours is cut there. They speak of all zones: a sound ends everywhere at once.

    What is cut at the edge of a band does not touch it.
    """
    return Policy(
        (
            Clause(quiet=("21:00", "05:00"), session_s=1800, sessions_per_day=6, volume=_bands(dice)),
            Clause(classes=NORMAL, quiet=("20:00", "06:00"), day_s=3000, weekdays=MONDAY_TO_SATURDAY),
            Clause(classes=NORMAL, quiet=("12:00", "13:00"), volume=(("12:00", "13:00", 20), ("20:00", "06:00", 15))),
        ),
        "cut",
    )


def nightly(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """Open over midnight: quiet for a few hours, or never."""
    quiet = dice.choice((None, ("01:00", "04:00"), ("02:00", "03:30")))
    general = Clause(
        quiet=quiet, sessions_per_day=dice.choice((4, 6)), session_s=3600, day_s=6000, volume=(("20:00", "07:00", 50),)
    )
    return Policy((general, Clause(classes=PRIORITY, session_s=1200)), dice.choice(("cut", "refuse")))


def thrifty(dice: Random, zones: tuple[str, ...], holidays: tuple[str, ...]) -> Policy:
    """As often as one likes, within so many minutes a day; one zone has fewer."""
    return Policy(
        (
            Clause(
                quiet=("21:00", "05:00"), holidays=holidays, day_s=dice.choice((900, 1500, 2100)), volume=_bands(dice)
            ),
            Clause(classes=PRIORITY, day_s=600),
            Clause(zones=(dice.choice(zones),), day_s=720),
        )
    )


KINDS: tuple[Kind, ...] = (urban, rural, by_class, by_zone, cutting, nightly, thrifty)
