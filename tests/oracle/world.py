"""Say what one station's life is given: zones, policies, windows, closures and orders. Plain values; decides nothing.

Instants are whole seconds UTC, days are ``YYYY-MM-DD`` and walls ``HH:MM`` in the station's local time. An empty tuple
of classes or zones means all of them, as where the page says "none named".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tests.oracle.walltime import day_name, day_number, instant, iso_weekday, second_of_day

Cls = Literal["normal", "priority", "emergency"]
IntoQuiet = Literal["refuse", "cut"]
Band = tuple[str, str, int]
# From, to, percent.


@dataclass(frozen=True, slots=True)
class Zone:
    name: str
    ceiling: int = 100


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause of a policy. What is left out is not checked."""

    classes: tuple[Cls, ...] = ()
    zones: tuple[str, ...] = ()
    holidays: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    quiet: tuple[str, str] | None = None
    session_s: int | None = None
    sessions_per_day: int | None = None
    day_s: int | None = None
    volume: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    clauses: tuple[Clause, ...]
    into_quiet: IntoQuiet = "refuse"


@dataclass(frozen=True, slots=True)
class Regulation:
    """A signed policy; of those that have taken effect the one with the highest number rules."""

    number: int
    takes_effect: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class ExceptionWindow:
    id: str
    begins: int
    ends: int
    session_s: int
    classes: tuple[Cls, ...] = ()
    zones: tuple[str, ...] = ()
    total_s: int | None = None
    volume: int | None = None


@dataclass(frozen=True, slots=True)
class Closure:
    """A silence or a lock of one zone, [begins, ends)."""

    zone: str
    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when there was no mains and the battery was down to its reserve, [begins, ends)."""

    begins: int
    ends: int


@dataclass(frozen=True, slots=True)
class SetCeiling:
    """A command that caps a zone's volume from an instant on, until the next one."""

    zone: str
    since: int
    percent: int


@dataclass(frozen=True, slots=True)
class At:
    utc: int


@dataclass(frozen=True, slots=True)
class Rule:
    timezone: str
    first_day: str
    last_day: str
    weekdays: tuple[int, ...]
    times: tuple[str, ...]
    excluded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Play:
    """One order. An emergency is ``At`` its arrival."""

    job_id: str
    cls: Cls
    zones: tuple[str, ...]
    when: At | Rule
    sound_s: int
    loops: int = 1
    gap_s: int = 0
    volume: int = 100
    order: int = 0

    @property
    def length_s(self) -> int:
        return self.loops * self.sound_s + (self.loops - 1) * self.gap_s


@dataclass(frozen=True, slots=True)
class Life:
    zones: tuple[Zone, ...]
    plays: tuple[Play, ...]
    own_policy: Policy | None = None
    regulations: tuple[Regulation, ...] = ()
    exceptions: tuple[ExceptionWindow, ...] = ()
    silences: tuple[Closure, ...] = ()
    locks: tuple[Closure, ...] = ()
    reserves: tuple[Span, ...] = ()
    set_ceilings: tuple[SetCeiling, ...] = ()
    first_day: str = "2026-01-01"
    days: int = 365


@dataclass(frozen=True, slots=True)
class Instant:
    """One occurrence of an order. On an excluded day it does not sound."""

    play: Play
    utc: int
    excluded: bool


def instants(play: Play) -> list[Instant]:
    """Every occurrence of an order, excluded days included and marked."""
    if isinstance(play.when, At):
        return [Instant(play, play.when.utc, excluded=False)]
    rule = play.when
    return [
        Instant(play, instant(rule.timezone, day, second_of_day(wall)), day_name(day) in rule.excluded)
        for day in range(day_number(rule.first_day), day_number(rule.last_day) + 1)
        if iso_weekday(day) in rule.weekdays
        for wall in rule.times
    ]


def timeline(plays: tuple[Play, ...]) -> list[Instant]:
    """Every occurrence of every order, by its planned instant."""
    return sorted((each for play in plays for each in instants(play)), key=lambda each: (each.utc, each.play.job_id))
