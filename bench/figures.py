"""What a measurement hands back: figures with units, the aim each is held against, and how it was taken. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number. ``at_most`` is the aim, None where nothing was promised; ``among`` tells of how many it is made.

    Figures with a ``column`` stand beside others of the same name.
    """

    name: str
    value: float
    unit: str
    at_most: float | None = None
    among: str = ""
    column: str = ""

    @property
    def whole_name(self) -> str:
        return f"{self.name}, {self.column}" if self.column else self.name

    @property
    def held(self) -> bool | None:
        """Whether the aim is held; None where there is none."""
        return None if self.at_most is None else self.value <= self.at_most


@dataclass(frozen=True)
class Section:
    """What one measurement found. ``how`` is for whoever doubts it, ``commands`` for whoever repeats it.

    ``missing`` says why nothing was measured, where that is so.
    """

    title: str
    how: str
    figures: tuple[Figure, ...] = ()
    commands: tuple[str, ...] = ()
    missing: str = ""
    notes: tuple[str, ...] = ()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of all do not exceed (nearest rank)."""
    assert values, "nothing was measured"
    assert 0 < percent <= 100
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def median(values: Sequence[float]) -> float:
    """The middle value; of an even number the mean of the two in the middle."""
    assert values, "nothing was measured"
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def spread(
    name: str, values: Sequence[float], unit: str, *, median_max: float | None = None, p99_max: float | None = None
) -> tuple[Figure, ...]:
    """Median, 99th percentile and worst of many."""
    among = f"of {len(values)}"
    return (
        Figure(name, median(values), unit, median_max, among, "median"),
        Figure(name, percentile(values, 99), unit, p99_max, among, "p99"),
        Figure(name, max(values), unit, None, among, "worst"),
    )


def missed(sections: Sequence[Section]) -> list[Figure]:
    """Every figure that does not hold its aim."""
    return [figure for section in sections for figure in section.figures if figure.held is False]
