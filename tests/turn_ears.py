"""What the zones of a group hear of a programme in which groups take turns, by arithmetic not ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edge_agent.core.programme import Gap, Live, Part, Pause, Sound
from edge_agent.core.site import Group


def pieces(parts: tuple[Part, ...], group: Group) -> Iterator[tuple[int, int, Part]]:
    """(from, to, part) of all that a group hears, in ms from the programme's beginning."""
    at = 0
    for part in parts:
        others = not isinstance(part, Gap | Live) and part.group not in (None, group)
        if not isinstance(part, Gap) and not others:
            yield at, at + part.duration_ms, part
        at += part.duration_ms


def heard_ms(parts: tuple[Part, ...], group: Group, since: int, until: int) -> int:
    """How much of the programme's [since, until) a group hears."""
    return sum(max(min(end, until) - max(begin, since), 0) for begin, end, _ in pieces(parts, group))


def sounds(parts: tuple[Part, ...], group: Group) -> list[tuple[int, int, str]]:
    """(from, to, what) of all that is no silence."""
    return [(begin, end, part.key) for begin, end, part in pieces(parts, group) if isinstance(part, Sound)]


def as_ordered(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """What the first to speak hear, as if it were for all."""
    groups = [part.group for part in parts if isinstance(part, Sound | Pause) and part.group is not None]
    if not groups:
        return parts
    return tuple(
        replace(part, group=None) for _, _, part in pieces(parts, groups[0]) if not isinstance(part, Gap | Live)
    )
