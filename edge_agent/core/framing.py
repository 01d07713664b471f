"""Decide which of its chimes an ordinary programme gets: those that cost nobody anything (requirement N6).

The station adds them by itself, so none may keep a programme silent, cut it, make it quieter or make the next one late.
Where the hours, a silence, an exception or a relay leaves no room, the closing chime is left out first, then the other.
Programmes that are ordered one behind the other are one to whoever listens: no chime between them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.past import LATE_GRACE_MS, Sounded
from edge_agent.core.programme import Part, own_ms, without_closing, without_opening
from edge_agent.core.schedule import next_instant, sounds_once
from edge_agent.core.units import UtcMs, ZoneId

JOINED_MS = LATE_GRACE_MS
# As far as one may be ordered from the end of the other. With chimes between them the third of a session would begin
# later than a programme may that has to be on time.


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Whether a programme goes on where another ended, and whether another goes on where it ends."""

    before: bool
    after: bool


def neighbours(
    job: Job,
    zones: tuple[ZoneId, ...],
    planned: UtcMs,
    ends: UtcMs,
    past: Iterable[Sounded],
    others: Iterable[tuple[UtcMs, tuple[ZoneId, ...]]],
) -> Neighbours:
    """Who is ordered right before and right behind a programme that is over at ``ends``, by what was ordered.

    ``others`` are the ordinary programmes to come. It opens anew while one of its zones was silent before; it does not
    close where any of them goes on, for the next one would wait for that.
    """
    ordinary = [sound for sound in past if sound.cls is not JobClass.EMERGENCY]
    fresh = [
        zone for zone in zones if not any(zone in sound.zones and _meet(sound.ended, planned) for sound in ordinary)
    ]
    before = not isinstance(job.when, PlayNow) and not fresh
    coming = [at for at, where in others if not set(where).isdisjoint(zones)]
    again = None if sounds_once(job) else next_instant(job, planned)
    return Neighbours(before, any(_meet(ends, at) for at in (*coming, again) if at is not None))


def framings(parts: tuple[Part, ...], beside: Neighbours) -> tuple[tuple[Part, ...], ...]:
    """The parts with every chime that their neighbours leave them, then with fewer, the last of them with none."""
    most = without_opening(parts) if beside.before else parts
    most = without_closing(most) if beside.after else most
    fewer = without_closing(most)
    return tuple(dict.fromkeys((most, fewer, without_opening(fewer))))


def is_framed(parts: tuple[Part, ...]) -> bool:
    """Whether there is a chime in it at all."""
    return without_opening(without_closing(parts)) != parts


def fullest(choices: tuple[tuple[Part, ...], ...], ask: Callable[[tuple[Part, ...]], object]) -> tuple[Part, ...]:
    """The first to which the street says the same as to the one without any chime."""
    *framed, bare = choices
    if not framed:
        return bare
    answer = ask(bare)
    return next((parts for parts in framed if ask(parts) == answer), bare)


def over_at(starts: UtcMs, parts: tuple[Part, ...]) -> UtcMs:
    """When it is over, as it was ordered."""
    return UtcMs(starts + own_ms(parts))


def _meet(ends: UtcMs, begins: UtcMs) -> bool:
    return abs(begins - ends) <= JOINED_MS
