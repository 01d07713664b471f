"""Read how far a role reaches out of the trust file. Which limits a role must have follows from what it orders.

A limit that nobody would read is refused like any other slip of the pen: whoever wrote it believes that it holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

from edge_agent.core.job import JobClass
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import SECOND_MS
from edge_agent.trust.commands import What
from edge_agent.trust.fields import AREA, WALL_MINUTE, Fields
from edge_agent.trust.items import LIVE_SOURCE
from edge_agent.trust.orders import EVENT, OrderType
from edge_agent.trust.strict_json import WireError

AREAS_MAX = 64
HOURS_MAX = 8
VALIDITY_S_MAX = 400 * 86_400  # the built-in ceiling: a year's timetable and the weeks before it
EVENTS_MAX = 32  # kinds of emergency that one office warns of: a dozen or two
SOUND_S_MAX = 86_400  # all the sound of one emergency: a day of it is no warning any more
PER_DAY_MAX = 1_000
SOURCES_MAX = 16  # the national, the provincial and the commune's own programmes, twice over
_PATH_END = re.compile("[?#]")
_WALKS_OUT = re.compile(r"\\|%(2e|2f|5c|25)|/\.{1,2}(?=[/;]|$)", re.IGNORECASE)
# A path that some server reads as one above it: a segment of dots, also before a parameter; a dot, stroke or percent
# sign in disguise. Nobody's programme needs any of them.
_OF_ALL = ("areas", "validity_max_s")
_OF_JOBS = ("classes", "hours", "volume_max", "offered", "sources")
_OF_EMERGENCIES = ("events", "sound_max_s", "per_day")


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a role reaches. ``hours`` are (first, end) of wall time, end excluded; empty means any hour.

    Jobs of the classes in ``offered`` are only offered: the commune chooses and schedules them (requirement B2).
    ``commands`` are the actions that it may command. ``events`` (empty: any), ``sound_max_ms`` for one emergency and
    ``per_day`` for all of a day's (0: no limit) bind its emergencies only. ``sources`` are addresses of live sources
    that it may relay, or their beginnings, which end in "/".
    """

    classes: frozenset[JobClass]
    areas: tuple[str, ...]
    hours: tuple[tuple[time, time], ...]
    volume_max: int
    validity_max_ms: int
    offered: frozenset[JobClass] = frozenset()
    commands: frozenset[What] = frozenset()
    events: frozenset[str] = frozenset()
    sound_max_ms: int = 0
    per_day: int = 0
    sources: tuple[str, ...] = ()

    def may_relay(self, url: str) -> bool:
        """Whether an address is one of ``sources``, or lies below one."""
        above = tuple(source for source in self.sources if source.endswith("/"))
        return url in self.sources or (url.startswith(above) and not _WALKS_OUT.search(_PATH_END.split(url)[0]))


def read_limits(fields: Fields, orders: frozenset[OrderType]) -> Limits:
    """The limits of a role that gives such orders."""
    jobs, commands = OrderType.JOB in orders, OrderType.COMMAND in orders
    of_jobs = (*_OF_JOBS, *_OF_EMERGENCIES) if jobs else ()
    fields.only(*of_jobs, *_OF_ALL, *(("commands",) if commands else ()))
    limits = Limits(
        classes=fields.choices("classes", JobClass) if jobs else frozenset(),
        areas=fields.texts("areas", AREA, 1, AREAS_MAX),
        hours=_read_hours(fields) if "hours" in fields else (),
        volume_max=fields.integer("volume_max", 0, VOLUME_MAX) if jobs else 0,
        validity_max_ms=fields.integer("validity_max_s", 1, VALIDITY_S_MAX) * SECOND_MS,
        offered=fields.choices("offered", JobClass) if "offered" in fields else frozenset(),
        commands=fields.choices("commands", What) if commands else frozenset(),
        events=frozenset(fields.texts("events", EVENT, 1, EVENTS_MAX) if "events" in fields else ()),
        sound_max_ms=fields.integer("sound_max_s", 1, SOUND_S_MAX, default=0) * SECOND_MS,
        per_day=fields.integer("per_day", 1, PER_DAY_MAX, default=0),
        sources=fields.texts("sources", LIVE_SOURCE, 1, SOURCES_MAX) if "sources" in fields else (),
    )
    if not limits.offered <= limits.classes - {JobClass.EMERGENCY}:
        raise fields.wrong("offered", "some of classes, without emergency: that waits for nobody")
    for name in _OF_EMERGENCIES:
        if name in fields and JobClass.EMERGENCY not in limits.classes:
            raise fields.wrong(name, 'remove it, it binds emergencies alone; or add "emergency" to classes')
    return limits


def _read_hours(fields: Fields) -> tuple[tuple[time, time], ...]:
    return tuple(_read_window(where, pair) for where, pair in fields.entries("hours", 1, HOURS_MAX))


def _read_window(where: str, pair: object) -> tuple[time, time]:
    match pair:
        case [str() as first, str() as end] if WALL_MINUTE.pattern.fullmatch(first) and WALL_MINUTE.pattern.fullmatch(
            end
        ):
            return time.fromisoformat(first), time.fromisoformat(end)
        case _:
            raise WireError(where, 'two wall times as ["05:00", "21:00"]')
