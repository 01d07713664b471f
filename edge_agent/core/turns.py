"""Decide whether clusters that are heard over each other speak one after the other (requirement S8), and what is left.

The same words from two horns at different distances are an echo that nobody understands. So the items of an ordinary
programme are heard in group A, and then once more in group B; what everybody knows by its first note, chimes and
signals, and whatever is urgent or live, in all zones at once. Like a chime it is added by the station: where it would
keep anything silent, cut it or make it late, everybody speaks at once (``framing``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_agent.core.job import Job
from edge_agent.core.programme import (
    Gap,
    Live,
    Part,
    Sound,
    begun_at,
    heard_by,
    length_ms,
    next_item_at,
    rest_of,
    share_of,
    signal_of,
    unframed,
    without_closing,
    without_opening,
)
from edge_agent.core.site import Group, Site
from edge_agent.core.units import UtcMs, ZoneId


def speakers(
    site: Site, job: Job, zones: Iterable[ZoneId], parts: tuple[Part, ...], *, goes_on: bool = False
) -> frozenset[Group]:
    """The groups whose turns are kept: those of these zones, and that of the neighbouring stations which hear it too.

    What ``goes_on`` keeps the turns that it had: whole, it is this station's own repetition, and no neighbour's.
    """
    if site.neighbours_take_turns and is_for_others_too(job) and (not goes_on or is_staggered(parts)):
        return frozenset(Group)
    return frozenset(site.zones[zone].group for zone in zones)


def is_for_others_too(job: Job) -> bool:
    """Whether more stations than one are meant: an area's, or several by their names."""
    return bool(job.audience.areas) or len(job.audience.stations) > 1


def layouts(
    site: Site, job: Job, groups: frozenset[Group], parts: tuple[Part, ...], whole: tuple[Part, ...]
) -> tuple[tuple[Part, ...], ...]:
    """How a programme may sound where these ``speakers`` hear it, what is understood best first.

    The last is as it was ordered, which is ``whole``. Of what is left of it those who have heard the beginning together
    hear the end so.
    """
    if not is_staggered(parts) and not (site.stagger_ms and takes_turns(job)):
        return (parts,)
    at_once = together(parts)
    if unframed(at_once) != unframed(whole) or _waits(parts):
        return (among(groups, parts),)
    if len(groups) < len(Group):
        return (at_once,)
    return (staggered(at_once, site.stagger_ms), at_once)


def takes_turns(job: Job) -> bool:
    """Whether it is neither urgent, nor a rehearsal of that, nor live."""
    return signal_of(job) is None and not job.live


def cut_off(parts: tuple[Part, ...], ends_at: UtcMs | None) -> bool:
    """Whether it is cut at ``ends_at`` while its last group has the word: that one would hear less than all at once."""
    return ends_at is not None and is_staggered(parts)


def is_staggered(parts: tuple[Part, ...]) -> bool:
    """Whether any of it is one group's own."""
    return any(_turn_of(part) is not None for part in parts)


def staggered(parts: tuple[Part, ...], gap_ms: int) -> tuple[Part, ...]:
    """The chimes for all, and between them everything else for one group after the other."""
    items = unframed(parts)
    before, behind = len(parts) - len(without_opening(parts)), len(without_closing(parts))
    first, then = (tuple(_for(part, group) for part in items) for group in Group)
    return (*parts[:before], *first, Gap(gap_ms), *then, *parts[behind:])


def together(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """What the group hears that is the first to speak, for all."""
    first = next((turn for part in parts if (turn := _turn_of(part)) is not None), None)
    return parts if first is None else tuple(_for(part, None) for part in share_of(parts, first))


def among(groups: frozenset[Group], parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The parts without the turn of a group that does not speak: nobody waits for that."""
    if not is_staggered(parts) or len(groups) != 1:
        return parts
    return tuple(part for part in parts if heard_by(part) & groups)


def reached(parts: tuple[Part, ...], heard_ms: Iterable[tuple[Group, int]]) -> int:
    """How far the programme has come, in ms from its beginning, by what a zone of each of these groups has heard."""
    return max((_place(parts, group, ms) for group, ms in heard_ms), default=0)


def behind_item(parts: tuple[Part, ...], at_ms: int) -> tuple[Part, ...]:
    """What is left behind the item that sounds at ``at_ms``; the group that still waits is spared that item too."""
    next_ms = next_item_at(parts, at_ms)
    if next_ms is None:
        return ()
    skipped = next((part for at, part in begun_at(parts) if at <= at_ms < at + part.duration_ms), None)
    rest = rest_of(parts, next_ms)
    turn = None if skipped is None else _turn_of(skipped)
    return rest if turn is None or not isinstance(skipped, Sound) else _spared(rest, turn)


def _spared(rest: tuple[Part, ...], turn: Group) -> tuple[Part, ...]:
    """The rest without the item of the other turn behind which as many follow as are left in this one."""
    left = sum(isinstance(part, Sound) and _turn_of(part) is turn for part in rest)
    theirs = [at for at, part in enumerate(rest) if isinstance(part, Sound) and _turn_of(part) not in (None, turn)]
    if len(theirs) <= left:
        return rest  # it is the last turn
    if len(theirs) == 1:
        return ()  # it was the only one
    gone = theirs[-1 - left]
    return (*rest[:gone], *rest[gone + 1 :])


def _place(parts: tuple[Part, ...], group: Group, heard_ms: int) -> int:
    """Where a group has heard so much: behind the last of it, and before what is not its own."""
    if not is_staggered(parts):
        return heard_ms
    for at, part in begun_at(parts):
        if group not in heard_by(part):
            continue
        if heard_ms <= part.duration_ms:
            return at + heard_ms if heard_ms else 0
        heard_ms -= part.duration_ms
    return length_ms(parts)


def _waits(parts: tuple[Part, ...]) -> bool:
    """Whether one group has heard all of it, and the other nothing yet."""
    return bool(parts) and isinstance(parts[0], Gap)


def _turn_of(part: Part) -> Group | None:
    return None if isinstance(part, Gap | Live) else part.group


def _for(part: Part, group: Group | None) -> Part:
    assert not isinstance(part, Gap | Live), "a gap is between turns, and what is live is heard at once"
    return replace(part, group=group)
