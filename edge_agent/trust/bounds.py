"""Decide whether a trust document grants no more than its parent allows. Pure; the device itself holds everybody to it.

What a parent leaves open it leaves to nobody: a bound that it does not name binds nobody below it, but what it names
binds everybody, however deep. A commune's one officer warns his own commune for half an hour; two, for longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import time

from edge_agent.core.job import JobClass
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS
from edge_agent.trust.documents import Bounds, Document
from edge_agent.trust.fields import within_areas
from edge_agent.trust.orders import OrderType
from edge_agent.trust.role_limits import Limits
from edge_agent.trust.roles import JobGrant, Role

ALONE_MS_MAX = 30 * MINUTE_MS
# One signature that can wake a ward must not do so for longer than it takes to find a second officer.

DAY_MINUTES = 24 * HOUR_MS // MINUTE_MS


def beyond(document: Document, bounds: Bounds) -> str | None:
    """The first field by which it reaches too far, and what would be right; None when it does not."""
    return next(_excesses(document, bounds), None)


def _excesses(document: Document, bounds: Bounds) -> Iterator[str]:
    for index, role in enumerate(document.roles):
        for excess in _of_role(role, document.area, bounds):
            yield f"roles[{index}].{excess}"
    if document.delegates is not None:
        below = document.delegates.bounds
        for excess in (*_of_kinds(below.orders, below.levels, bounds), *_of_limits(below.limits, below.orders, bounds)):
            yield f"delegates.{excess}"
        yield from (f"delegates.{excess}" for excess in _of_place(below.limits, document.area))
        if OrderType.JOB in below.orders and bounds.limits.sources and not below.limits.sources:
            # A role without sources relays none; who delegates without them would let those below relay any.
            yield f"delegates.limits.sources: {_some_sources(bounds.limits)}"


def _of_role(role: Role, area: str, bounds: Bounds) -> Iterable[str]:
    if role.grant is None:
        return ["orders: what answers stations stands in the root's document alone"]
    return _of_grant(role, role.grant, area, bounds)


def _of_grant(role: Role, grant: JobGrant, area: str, bounds: Bounds) -> Iterator[str]:
    limits = grant.limits
    yield from _of_kinds(role.orders, frozenset({grant.level}), bounds)
    yield from _of_limits(limits, role.orders, bounds)
    yield from _of_place(limits, area)
    if role.threshold == 1 and JobClass.EMERGENCY in limits.classes and limits.validity_max_ms > ALONE_MS_MAX:
        yield f"threshold: 2, or limits.validity_max_s at most {ALONE_MS_MAX // SECOND_MS}: an emergency is one's alone"


def _of_kinds(orders: frozenset[OrderType], levels: frozenset[str], bounds: Bounds) -> Iterator[str]:
    if not orders <= bounds.orders:
        yield f"orders: at most {', '.join(sorted(bounds.orders))}"
    if not levels <= bounds.levels:
        yield f"level: one of {', '.join(sorted(bounds.levels))}"


def _of_place(limits: Limits, area: str) -> Iterator[str]:
    if not all(within_areas(one, (area,)) for one in limits.areas):
        yield f"limits.areas: within the document's own {area}"


def _of_limits(limits: Limits, orders: frozenset[OrderType], bounds: Bounds) -> Iterator[str]:
    most = bounds.limits
    if not all(within_areas(area, most.areas) for area in limits.areas):
        yield f"limits.areas: within {', '.join(most.areas)}"
    if limits.validity_max_ms > most.validity_max_ms:
        yield f"limits.validity_max_s: at most {most.validity_max_ms // SECOND_MS}"
    if OrderType.COMMAND in orders and not limits.commands <= most.commands:
        yield f"limits.commands: at most {', '.join(sorted(most.commands))}"
    if OrderType.JOB in orders:
        yield from _of_jobs(limits, most)


def _of_jobs(limits: Limits, most: Limits) -> Iterator[str]:
    if not limits.classes <= most.classes:
        yield f"limits.classes: at most {', '.join(sorted(most.classes))}"
    if limits.volume_max > most.volume_max:
        yield f"limits.volume_max: at most {most.volume_max}"
    if not most.offered & limits.classes <= limits.offered:
        yield f"limits.offered: at least {', '.join(sorted(most.offered & limits.classes))}"
    if most.sources and not all(most.may_relay(source) for source in limits.sources):
        yield f"limits.sources: {_some_sources(most)}"  # a parent that names none binds nobody
    if not _minutes(limits) <= _minutes(most):  # of emergencies too: they are exempt, and their rehearsals are not
        yield "limits.hours: within the parent's"
    if JobClass.EMERGENCY in limits.classes:
        yield from _of_emergencies(limits, most)


def _some_sources(most: Limits) -> str:
    return f"some of {', '.join(most.sources)}, or below"


def _of_emergencies(limits: Limits, most: Limits) -> Iterator[str]:
    if most.events and not (limits.events and limits.events <= most.events):
        yield f"limits.events: some of {', '.join(sorted(most.events))}"
    if most.sound_max_ms and not 0 < limits.sound_max_ms <= most.sound_max_ms:
        yield f"limits.sound_max_s: at most {most.sound_max_ms // SECOND_MS}"
    if most.per_day and not 0 < limits.per_day <= most.per_day:
        yield f"limits.per_day: at most {most.per_day}"


def _minutes(limits: Limits) -> frozenset[int]:
    """The minutes of a day in which it may plan."""
    if not limits.hours:
        return frozenset(range(DAY_MINUTES))
    return frozenset(minute for window in limits.hours for minute in _window(*window))


def _window(first: time, end: time) -> Iterator[int]:
    begins, ends = (at.hour * 60 + at.minute for at in (first, end))
    span = (ends - begins) % DAY_MINUTES or DAY_MINUTES
    return ((begins + minute) % DAY_MINUTES for minute in range(span))
