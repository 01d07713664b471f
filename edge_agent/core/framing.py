"""Decide which of its chimes an ordinary programme gets: those that cost nobody anything (requirement N6).

The station adds them by itself, so none may keep a programme silent, cut it, make it quieter or the next one too late.
Where the hours, a silence, an exception or a relay leaves no room, the closing chime is left out first, then the other.
Programmes that are ordered one behind the other are one to whoever listens: no chime between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.past import LATE_GRACE_MS, Sounded
from edge_agent.core.programme import Part, length_ms, own_ms, unframed, without_closing, without_opening
from edge_agent.core.schedule import next_instant, sounds_once
from edge_agent.core.site import Site
from edge_agent.core.switching import cold_lead_ms
from edge_agent.core.units import UtcMs, ZoneId

JOINED_MS = LATE_GRACE_MS
# As far as one may be ordered from the end of the other. With chimes between them the third of a session would begin
# later than a programme may that has to be on time.


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Whether a programme goes on where another ended, and whether another goes on where it ends."""

    before: bool
    after: bool


@dataclass(frozen=True, slots=True)
class Comer:
    """An ordinary programme to come: when, where, how long it was ordered to be, and how late it may begin.

    Where it also sounds ``beside`` whom it waits for, it claims its zones ``lead_ms`` ahead, and needs ``warm_up_ms``
    for those when it has had to wait. Meanwhile others may take them.
    """

    planned: UtcMs
    zones: tuple[ZoneId, ...]
    lasts_ms: int
    patience_ms: int
    beside: bool = False
    lead_ms: int = 0
    warm_up_ms: int = 0


def comers(job: Job, planned: UtcMs, zones: tuple[ZoneId, ...], parts: tuple[Part, ...]) -> list[Comer]:
    """A job at one of its instants, and at the next: whoever sounds long enough meets both."""
    this = Comer(planned, zones, own_ms(parts), max(job.late_limit_ms, LATE_GRACE_MS))
    again = None if sounds_once(job) else next_instant(job, planned)
    return [this] if again is None else [this, replace(this, planned=again)]


def behind(site: Site, this: list[Comer], others: Iterable[Comer]) -> list[Comer]:
    """Who waits for one of a programme's zones, its own next occurrence included, the first to be due first."""
    begins, *again = this
    coming = [_waiting(site, begins, other) for other in others if not set(other.zones).isdisjoint(begins.zones)]
    return sorted([*coming, *again], key=lambda comer: comer.planned)


def _waiting(site: Site, begins: Comer, other: Comer) -> Comer:
    cold = [zone for zone in other.zones if zone not in begins.zones]
    if not cold:
        return other
    lead_ms, warm_up_ms = (max(cold_lead_ms(site, zone) for zone in zones) for zones in (other.zones, cold))
    return replace(other, beside=True, lead_ms=lead_ms, warm_up_ms=warm_up_ms)


def neighbours(
    job: Job,
    zones: tuple[ZoneId, ...],
    planned: UtcMs,
    ends: UtcMs,
    past: Iterable[Sounded],
    coming: Iterable[Comer],
) -> Neighbours:
    """Who is ordered right before and right behind a programme that is over at ``ends``, by what was ordered.

    It opens anew while one of its zones was silent before; it does not close where any of them goes on, for whoever is
    ``coming`` would wait for that.
    """
    ordinary = [sound for sound in past if sound.cls is not JobClass.EMERGENCY]
    fresh = [
        zone for zone in zones if not any(zone in sound.zones and _meet(sound.ended, planned) for sound in ordinary)
    ]
    before = not isinstance(job.when, PlayNow) and not fresh
    return Neighbours(before, any(_meet(ends, comer.planned) for comer in coming))


def made_late(ends: UtcMs, coming: Iterable[Comer]) -> tuple[tuple[UtcMs, UtcMs], ...]:
    """Who begins later than on time, each with its beginning (0: never), if a programme sounds until ``ends``.

    Where programmes are somewhat longer than the officer thought, a chime would be what makes the last of them missed.
    Who also sounds beside it is late from when it would have claimed its zones: a third may take those it does not get.
    """
    late = []
    for comer in coming:
        if ends - comer.planned > comer.patience_ms:
            late.append((comer.planned, UtcMs(0)))
        elif comer.planned - comer.lead_ms < ends:
            begins = max(comer.planned, UtcMs(ends + comer.warm_up_ms))
            if comer.beside or begins - comer.planned > LATE_GRACE_MS:
                late.append((comer.planned, begins))
            ends = UtcMs(begins + comer.lasts_ms)
    return tuple(late)


def framings(parts: tuple[Part, ...], beside: Neighbours) -> tuple[tuple[Part, ...], ...]:
    """The parts with every chime that their neighbours leave them, then with fewer, the last of them with none."""
    most = without_opening(parts) if beside.before else parts
    most = without_closing(most) if beside.after else most
    fewer = without_closing(most)
    return tuple(dict.fromkeys((most, fewer, without_opening(fewer))))


def is_framed(parts: tuple[Part, ...]) -> bool:
    """Whether there is a chime in it at all."""
    return unframed(parts) != parts


def fullest(choices: tuple[tuple[Part, ...], ...], ask: Callable[[tuple[Part, ...]], object]) -> tuple[Part, ...]:
    """The first to which the street says the same as to the one without any chime."""
    *framed, bare = choices
    if not framed:
        return bare
    answer = ask(bare)
    return next((parts for parts in framed if ask(parts) == answer), bare)


def over_at(starts: UtcMs, parts: tuple[Part, ...]) -> UtcMs:
    """When it is over, but for its chimes."""
    return UtcMs(starts + length_ms(unframed(parts)))


def _meet(ends: UtcMs, begins: UtcMs) -> bool:
    return abs(begins - ends) <= JOINED_MS
