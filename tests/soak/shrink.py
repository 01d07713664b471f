"""Find the shortest list of happenings that still breaks the same promise: delta debugging over a script."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from tests.soak.life import Failure, Life
from tests.soak.script import Happening, Script

TRIES_MAX = 400
# A life takes half a second; nobody waits for more than some minutes.
NUMBERS = re.compile(r"\d+")


def live(script: Script) -> Failure | None:
    """One life."""
    return Life(script).live()


def same(one: Failure | None, other: Failure | None) -> bool:
    """Whether they broke the same promise; times and names may differ."""
    return (one is None) == (other is None) and (one is None or other is None or kind(one) == kind(other))


def kind(failure: Failure) -> str:
    """What failures of the same sort have in common."""
    return NUMBERS.sub("#", failure.name)


def shrunk(script: Script, failure: Failure, play: Callable[[Script], Failure | None] = live) -> Script:
    """The script with everything left out that the failure does not need."""
    happenings = list(script.happenings)
    piece, tries = max(1, len(happenings) // 2), 0
    while tries < TRIES_MAX:
        kept = happenings
        for start in range(0, len(happenings), piece):
            without = [one for one in kept if one not in happenings[start : start + piece]]
            tries += 1
            if len(without) < len(kept) and same(play(_with(script, without)), failure):
                kept = without
        if len(kept) == len(happenings) and piece == 1:
            break
        piece = piece if len(kept) < len(happenings) else max(1, piece // 2)
        happenings = kept
    return _with(script, happenings)


def _with(script: Script, happenings: list[Happening]) -> Script:
    return replace(script, happenings=tuple(happenings))
