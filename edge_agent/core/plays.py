"""One occurrence on its way to its outcome, and how it stands in each zone. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from edge_agent.core.clock_trust import Now
from edge_agent.core.occurrence import Cause, Phase, follow
from edge_agent.core.programme import NOTHING_RELAYED, Part, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.units import JobId, MonoMs, PlayId, UtcMs, ZoneId

OccurrenceKey = tuple[JobId, UtcMs]


class ZonePart(StrEnum):
    """What a zone is doing in one occurrence."""

    WAITING = "waiting"  # its relay is not closed yet
    CLOSING = "closing"  # ordered, not confirmed
    READY = "ready"  # confirmed; the amplifier warms up
    HEARING = "hearing"  # routed into the programme
    TAKEN = "taken"  # an emergency sounds there
    OUT = "out"  # will not hear this occurrence any more
    SERVED = "served"  # has heard it; others that missed it hear it now


CLAIMS = frozenset({ZonePart.CLOSING, ZonePart.READY, ZonePart.HEARING})
"""The parts in which an occurrence needs the zone's relay closed."""
HOLDS = CLAIMS | {ZonePart.WAITING}
"""Those in which one that is armed, or sounds, has the zone for itself."""


@dataclass(frozen=True, slots=True)
class ZoneRun:
    """One zone in one occurrence. ``played_ms`` counts what left the card for it in the last attempt.

    ``earlier_ms`` counts what it heard before the programme was set aside; ``missed``: an emergency sounded there while
    the others went on. Where the groups take turns, it speaks in that of ``group``, and counts no other's. ``heard`` is
    the newest word of the ear at its horn, at ``level_db``; None: it has said nothing.
    """

    zone: ZoneId
    part: ZonePart = ZonePart.WAITING
    volume: int = 0
    relay_on: MonoMs | None = None
    played_ms: int = 0
    earlier_ms: int = 0
    missed: bool = False
    reason: Reason | None = None
    heard: bool | None = None
    level_db: int | None = None
    group: Group = Group.A


class GoesOn(StrEnum):
    """How a programme that was stopped is to go on."""

    NOT = "not"
    REST = "rest"  # where it was cut off
    ANEW = "anew"
    NEXT = "next"  # with its next item
    MISSED = "missed"  # whole, in the zones that missed it


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a programme is being stopped, and how it goes on."""

    cause: Cause
    reason: Reason
    goes_on: GoesOn = GoesOn.NOT


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One sounding of a job on its way to its one outcome.

    ``held_by`` is why it has not moved on yet, ``ending`` why it is being stopped, ``under`` the exception that lets
    it sound. In boot time: ``start_at`` of its first sample, ``since`` of the phase's beginning, ``again_at`` before
    which it is not tried again, ``cut_at`` where quiet hours end it, ``first_out`` when it was last heard to begin:
    what time that was, the clock at its end knows best.

    What was set aside (at ``aside_at``) goes on in another ``segment`` (the first is 0): ``parts`` are what is left by
    then, ``whole`` what was ordered; ``began`` is the first segment's ``first_out``, ``frames_before``,
    ``underruns_before`` and ``relayed_before`` are those of all before. ``all_out``: it has sounded to its end, and
    waits for zones that missed it.

    ``live_until`` (UTC): when a live source in it is to be over. ``lacked``: when it last began, some of what was
    ordered was not to be had; ``cut_short``: or was shorter than was signed; ``undated``: nobody could tell how old the
    order was.

    ``sounded``: an earlier try was heard, and ``lost_to`` that; ``unseen``: and nobody knows for how long, as the
    process ended meanwhile.
    """

    job_id: JobId
    planned: UtcMs
    phase: Phase
    since: MonoMs
    zones: Mapping[ZoneId, ZoneRun]
    attempt: int = 0
    play_id: PlayId = PlayId("")
    parts: tuple[Part, ...] = ()
    intent_saved: bool = False
    start_at: MonoMs = MonoMs(0)
    started: MonoMs | None = None
    first_out: MonoMs | None = None
    frames: int = 0
    underruns: int = 0
    held_by: Reason | None = None
    again_at: MonoMs = MonoMs(0)
    ending: Ending | None = None
    segment: int = 0
    whole: tuple[Part, ...] = ()
    began: MonoMs | None = None
    frames_before: int = 0
    underruns_before: int = 0
    aside_at: MonoMs = MonoMs(0)
    all_out: bool = False
    under: str = ""
    cut_at: MonoMs | None = None
    sounded: bool = False
    unseen: bool = False
    lost_to: Reason | None = None
    relayed: Relayed = NOTHING_RELAYED
    relayed_before: Relayed = NOTHING_RELAYED
    live_until: UtcMs | None = None
    lacked: bool = False
    cut_short: bool = False
    undated: bool = False

    @property
    def relayed_in_all(self) -> Relayed:
        """What became of its live parts, in all its segments."""
        return self.relayed_before + self.relayed

    @property
    def was_heard(self) -> bool:
        """Whether some of it has sounded before what it is at now."""
        return self.segment > 0 or self.sounded

    @property
    def key(self) -> OccurrenceKey:
        """What an occurrence is found by."""
        return (self.job_id, self.planned)

    def zones_in(self, *parts: ZonePart) -> tuple[ZoneId, ...]:
        """The zones that are in one of ``parts``."""
        return tuple(zone for zone, run in self.zones.items() if run.part in parts)

    def moved(self, cause: Cause, now: Now) -> Occurrence:
        """The occurrence after ``cause``, by the transition table."""
        return replace(self, phase=follow(self.phase, cause), since=now.mono, held_by=None)

    def with_zone(self, zone: ZoneId, part: ZonePart, reason: Reason | None = None) -> Occurrence:
        """The occurrence with one zone in another part."""
        run = replace(self.zones[zone], part=part, reason=reason)
        return replace(self, zones={**self.zones, zone: run})

    def going_on_without(self, zones: Iterable[ZoneId]) -> Occurrence:
        """The occurrence when others hear it, and these zones do not."""
        missing = {zone: replace(self.zones[zone], missed=True) for zone in zones}
        return replace(self, zones={**self.zones, **missing})
