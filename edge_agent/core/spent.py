"""Hold what a station has spent of what the hour or the day bounds: bytes of its SIM, and writes to its card. Pure.

Whoever can order a restart of the agent must not have each bound begin anew, so one process hands it to the next
(``Restored.spent``). A power cut begins anew: that takes hands, or is rare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs


class Sort(StrEnum):
    """What an order is counted among (``key_hours``)."""

    WARNING = "warning"
    SILENCE = "silence"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Fetched:
    """How many bytes were asked for, or came beside that, since a night began (``look_ahead.night_of``)."""

    night: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Papers:
    """How many bytes of heads, manifests and orders the home server has cost in the hour that ends at ``until``.

    None: no hour has begun.
    """

    until: MonoMs | None = None
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Given:
    """How many orders of each key and sort, and trust documents of each area, came in this ``hour`` of boot time."""

    hour: int = 0
    counts: Mapping[tuple[str, Sort], int] = field(default_factory=dict)
    documents: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How many records of refusals each reason has had on this ``day`` of boot time."""

    day: int = 0
    recorded: Mapping[Reason, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Spent:
    """Each with the while that it counts in: what is of another one counts as nothing.

    ``chain_at`` is the boot time at which the last chain of records was begun by a welcome's word (``freshness``).
    """

    audio: Fetched = Fetched()
    papers: Papers = Papers()
    given: Given = Given()
    refusals: Refusals = Refusals()
    chain_at: MonoMs | None = None


NOTHING_SPENT = Spent()
