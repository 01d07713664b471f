"""What people are shown of a station: what sounds and will, what waits to be chosen, what is laid down. Shapes only.

``explain`` and ``day_ahead`` decide what is in them; the signed state and the plan carry them to the centre.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.past import Sounded
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, UtcMs, ZoneId


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One occurrence as people see it. ``reason`` is why it does not, or may not, sound as planned.

    ``rehearsal``: an emergency that is none.
    """

    job_id: JobId
    title: str
    cls: JobClass
    planned: UtcMs
    lasts_ms: int
    zones: tuple[ZoneId, ...]
    hearing: tuple[ZoneId, ...]
    phase: Phase
    reason: Reason | None
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A job that waits for the commune to choose it, until ``expires``."""

    job_id: JobId
    title: str
    cls: JobClass
    level: str
    expires: UtcMs
    lasts_ms: int


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds now, for people: the regulation's number ("": the station's own policy), and who must be silent.

    ``quiet`` are the general quiet hours: those that hold now, else the first of the policy.
    """

    regulation: str = ""
    quiet: tuple[time, time] | None = None
    locked: tuple[ZoneId, ...] = ()
    silenced: tuple[ZoneId, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """One instant of a day's plan. ``starts`` is when it would begin, ``ends`` its last sample, cut or not.

    As it was ordered: the chimes that the station adds (``framing``) make nobody's timetable longer.

    ``zones`` are those it is for, ``volumes`` those that would hear it, ``out`` those that would not, each with its
    reason; ``reason``: nobody would. ``order`` None: nobody has set one. ``under`` names the exception, ``cut`` says
    that quiet hours end it, ``rehearsal`` that an emergency is none. ``counts`` is what the day's limits see of it, the
    groups' turns once; None where it does not sound, or the plan is another station's.
    """

    job_id: JobId
    title: str
    cls: JobClass
    level: str
    order: int | None
    planned: UtcMs
    starts: UtcMs
    ends: UtcMs
    volumes: Mapping[ZoneId, int]
    out: Mapping[ZoneId, Reason]
    reason: Reason | None
    under: str = ""
    cut: bool = False
    zones: tuple[ZoneId, ...] = ()
    rehearsal: bool = False
    counts: Sounded | None = None
