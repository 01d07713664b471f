"""Say in words where the station stands among others, and why, from nothing but the figures. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.table import number

STATION = "station"
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}


@dataclass(frozen=True)
class Effort:
    """What playing takes: percent of a core, and how often a second it wakes for it."""

    cpu: float
    wakeups: float

    @property
    def each_us(self) -> float:
        """Microseconds of a core that each wake-up takes."""
        return self.cpu * 1e4 / self.wakeups


def place(values: Mapping[str, float], unit: str, name: str = STATION) -> str:
    """Which place one has among all, the least first: "station is 2nd of 3: mpd 9 ms, station 10 ms, mpv 12 ms"."""
    ordered = sorted(values, key=lambda one: values[one])
    listed = ", ".join(f"{one} {number(values[one])} {unit}" for one in ordered)
    return f"{name} is {_ordinal(ordered.index(name) + 1)} of {len(ordered)}: {listed}"


def why(peer: str, theirs: Effort, ours: Effort) -> str:
    """Whether the station costs more or less than a peer, by how often it wakes or by what it does each time."""
    costs, wakes, each = ours.cpu / theirs.cpu, ours.wakeups / theirs.wakeups, ours.each_us / theirs.each_us
    more = costs > 1
    # Both factors make the ratio; the one that pulls further to its side decides.
    by_each = each > wakes if more else each < wakes
    verdict = f"{'more' if more else 'less'} by {'what it does at each of them' if by_each else 'how often it wakes'}"
    return (
        f"{number(costs)} × {peer}: {number(ours.wakeups)} wake-ups a second at {number(ours.each_us)} µs against "
        f"{number(theirs.wakeups)} at {number(theirs.each_us)} µs, so it costs {verdict}"
    )


def _ordinal(at: int) -> str:
    return f"{at}{'th' if at % 100 in (11, 12, 13) else _ENDINGS.get(at % 10, 'th')}"
