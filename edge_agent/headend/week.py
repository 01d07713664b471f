"""Decide what residents are told of the days to come, from the stations' own plans: the public timetable. Pure.

Only what will sound, when and where; whoever did not answer is named, for a day of which nothing is known is no silent
one. How it looks, ``week_table`` and ``week_page`` decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from edge_agent.core.job import JobClass
from edge_agent.core.outlook import Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MINUTE_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.week_replies import Replies
from edge_agent.headend.words import local, zone_of
from edge_agent.sync.reports import PlanMsg, PolicyStatus

DAYS_MAX = 7
# Requirement N6. A station works out some 10 plans that are asked for at once (aside.ASIDE_MAX), not more.


class Kind(StrEnum):
    """How a line is to be taken. An emergency stands in a plan where it is repeated."""

    PROGRAMME = "programme"
    REHEARSAL = "rehearsal"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True)
class Named:
    """A station or a zone: its id, and what people call it; ``name`` is "" where nobody has said."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is heard: the same zones of each of these stations."""

    stations: tuple[Named, ...]
    zones: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One programme, to the minute, wherever it is heard.

    ``ends`` is where it lasts longest; None while nobody knows: how long words take that no station has spoken yet.
    """

    begins: datetime
    ends: datetime | None
    title: str
    kind: Kind
    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A station that would not tell, and why."""

    station: Named
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Day:
    """What is known of a day. ``told`` are the stations whose plan is in it, ``cut_short`` those that had more to tell
    than a message holds."""

    day: date
    lines: tuple[Line, ...]
    told: tuple[Named, ...]
    unanswered: tuple[Named, ...]
    refused: tuple[Refused, ...]
    cut_short: tuple[Named, ...]

    @property
    def missing(self) -> tuple[Named, ...]:
        """Of whom nothing is known."""
        return (*self.unanswered, *(one.station for one in self.refused))

    @property
    def nothing(self) -> bool:
        """Whether nothing will sound, as far as stations have answered."""
        return bool(self.told) and not self.lines and not self.cut_short


@dataclass(frozen=True, slots=True)
class Paper:
    """By whose paper stations will play from a day to a day; ``regulation`` None: by their own policy."""

    regulation: PolicyStatus | None
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Week:
    """The whole timetable, as it was when it was ``made``."""

    made: datetime
    papers: tuple[Paper, ...]
    days: tuple[Day, ...]


ZoneNames = Mapping[StationId, Mapping[ZoneId, str]]


def week(
    days: Sequence[date], stations: Sequence[Named], replies: Replies, zone_names: ZoneNames, now: UtcMs, zone: ZoneInfo
) -> Week:
    """The timetable of these stations. Instants are told in each station's time, in ``zone`` where it is unknown."""
    table = _Table(stations, replies, zone_names, zone)
    return Week(local(now, zone), _papers(replies.plans.values()), tuple(table.day(day) for day in days))


def unmet(told: Week, zone_names: ZoneNames) -> Mapping[str, tuple[list[str], list[str]]]:
    """For each station the names whose zone is nowhere in the timetable, and the zones there that have none.

    Both, or nothing: only then may a zone be called otherwise than it was meant to be.
    """
    places = [place for day in told.days for line in day.lines for place in line.places]
    found: dict[str, tuple[list[str], list[str]]] = {}
    for station, names in zone_names.items():
        here = [place.zones for place in places if station in [one.id for one in place.stations]]
        heard = {zone.id for zones in here for zone in zones}
        strange, unnamed = set[str](names) - heard, heard - set[str](names)
        if strange and unnamed:
            found[station] = (sorted(strange), sorted(unnamed))
    return found


def as_json(told: Week) -> str:
    """For machines: codes, instants and days as ISO 8601 writes them."""
    return json.dumps(asdict(told), ensure_ascii=False, indent=2, default=_iso) + "\n"


@dataclass(frozen=True, slots=True)
class _Table:
    stations: Sequence[Named]
    replies: Replies
    zone_names: ZoneNames
    zone: ZoneInfo

    def day(self, day: date) -> Day:
        plans, refusals = self.replies.plans, self.replies.refusals
        told = [one for one in self.stations if _key(one, day) in plans]
        others = [one for one in self.stations if _key(one, day) not in plans]
        return Day(
            day=day,
            lines=self._lines([(one, plans[_key(one, day)]) for one in told]),
            told=tuple(told),
            unanswered=tuple(one for one in others if _key(one, day) not in refusals),
            refused=tuple(Refused(one, refusals[_key(one, day)]) for one in others if _key(one, day) in refusals),
            cut_short=tuple(one for one in told if plans[_key(one, day)].left_out),
        )

    def _lines(self, plans: Iterable[tuple[Named, PlanMsg]]) -> tuple[Line, ...]:
        """What has the same words in the same minute, by the same clock, is one line for whoever hears it."""
        merged: dict[tuple[UtcMs, str, Kind, str], _Merged] = {}
        for station, plan in plans:
            zone = zone_of(plan.timezone, self.zone)
            for entry in plan.entries:
                zones = [id_ for id_, volume in entry.volumes.items() if volume > 0]
                if entry.reason is None and zones:
                    begins = UtcMs(entry.starts // MINUTE_MS * MINUTE_MS)
                    one = merged.setdefault((begins, entry.title, _kind(entry), zone.key), _Merged(zone))
                    if entry.ends > entry.starts:
                        one.ends = UtcMs(max(one.ends or 0, -(-entry.ends // MINUTE_MS) * MINUTE_MS))
                    one.heard.setdefault(station, set()).update(zones)
        return tuple(self._line(*key[:3], merged[key]) for key in sorted(merged))

    def _line(self, begins: UtcMs, title: str, kind: Kind, one: _Merged) -> Line:
        ends = None if one.ends is None else local(one.ends, one.zone)
        return Line(local(begins, one.zone), ends, title, kind, tuple(self._places(one.heard)))

    def _places(self, heard: Mapping[Named, set[ZoneId]]) -> Iterator[Place]:
        alike: dict[tuple[Named, ...], list[Named]] = {}
        for station in self.stations:
            if station in heard:
                names = self.zone_names.get(StationId(station.id), {})
                zones = tuple(Named(zone, names.get(zone, "")) for zone in sorted(heard[station]))
                alike.setdefault(zones, []).append(station)
        return (Place(tuple(stations), zones) for zones, stations in alike.items())


@dataclass(slots=True)
class _Merged:
    zone: ZoneInfo
    ends: UtcMs | None = None
    heard: dict[Named, set[ZoneId]] = field(default_factory=dict)


def _iso(at: object) -> str:
    assert isinstance(at, date)  # or the instant that is one, with its time
    return at.isoformat()


def _key(station: Named, day: date) -> tuple[StationId, date]:
    return StationId(station.id), day


def _kind(entry: Planned) -> Kind:
    if entry.rehearsal:
        return Kind.REHEARSAL
    return Kind.EMERGENCY if entry.cls is JobClass.EMERGENCY else Kind.PROGRAMME


def _papers(plans: Iterable[PlanMsg]) -> tuple[Paper, ...]:
    """Each from its first to its last day, once more where others alone held between: for a fair, or over Tết."""
    held: dict[date, list[PolicyStatus | None]] = {}
    for plan in sorted(plans, key=lambda plan: plan.day):
        held.setdefault(plan.day, []).append(plan.policy)
    papers: list[Paper] = []
    yesterday: dict[PolicyStatus | None, int] = {}
    for day, regulations in held.items():
        today: dict[PolicyStatus | None, int] = {}
        for regulation in dict.fromkeys(regulations):
            if regulation not in yesterday:
                papers.append(Paper(regulation, day, day))
            at = today[regulation] = yesterday.get(regulation, len(papers) - 1)
            papers[at] = replace(papers[at], last=day)
        yesterday = today
    return tuple(papers)
