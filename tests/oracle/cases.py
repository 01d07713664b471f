"""Short words for small cases: a policy, a few sounds of one day, and what is expected. 2026-10-06 is a Tuesday."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.oracle.oracle import Expected, expect
from tests.oracle.walltime import local
from tests.oracle.world import At, Clause, IntoQuiet, Life, Play, Policy, Zone

TUESDAY = "2026-10-06"
ZONES = (Zone("C1"), Zone("C2"), Zone("C3"))
ALL = ("C1", "C2", "C3")
FREE = Policy((Clause(),))


def at(wall: str, day: str = TUESDAY) -> int:
    """``HH:MM`` or ``HH:MM:SS`` of a day."""
    return local(f"{day}T{wall}")


def play(wall: str, length_s: int = 60, day: str = TUESDAY, **more: Any) -> Play:
    return Play(f"at {wall}", more.pop("cls", "normal"), more.pop("zones", ALL), At(at(wall, day)), length_s, **more)


def under(*clauses: Clause, into_quiet: IntoQuiet = "refuse", **more: Any) -> Life:
    return Life(ZONES, (), Policy(clauses, into_quiet), **more)


def judged(life: Life, *plays: Play) -> list[Expected]:
    return expect(replace(life, plays=plays))


def told(life: Life, *plays: Play) -> list[str | None]:
    """What a person would say of each: its reason, or ``played``."""
    return [each.reason or each.outcome for each in judged(life, *plays)]


def last(life: Life, *plays: Play) -> str | None:
    return told(life, *plays)[-1]
