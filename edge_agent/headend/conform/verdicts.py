"""What a trial may end as. Decides nothing: the trials do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Mark(StrEnum):
    """How a clause came out."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True)
class Passed:
    """The station did what the protocol says; ``seen`` is what showed it."""

    seen: str


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not: what the protocol lets one expect, and what came instead."""

    expected: str
    seen: str


@dataclass(frozen=True, slots=True)
class NotTried:
    """Nothing can be said, and why."""

    why: str


Verdict: TypeAlias = "Passed | Failed | NotTried"


class CannotTry(Exception):
    """Something that a trial needs is not there (a key, daylight, the content server); becomes ``NotTried``."""


def first_failure(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several looks at the same clause: the first that failed, else the first that saw something."""
    listed = list(verdicts)
    for kind in (Failed, Passed):
        for verdict in listed:
            if isinstance(verdict, kind):
                return verdict
    return listed[0] if listed else NotTried("nothing of the kind was seen")
