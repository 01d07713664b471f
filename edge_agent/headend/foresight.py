"""Say before an order travels what the stations it names will answer, by the stations' own judgement. Pure.

It foresees what keys, roles and limits decide, of jobs and of rules. What a station alone knows (its zones, its quiet
hours, what it has seen already) it cannot foresee.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.core.events import Rejected
from edge_agent.core.job import Audience
from edge_agent.core.order import Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import StationId, ZoneId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.headend.given import Given, heading_of, kind_of
from edge_agent.sync.topics import Down, down_topic
from edge_agent.trust.judge import make_judge
from edge_agent.trust.roles import Trust, who_may


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How many enrolled stations an order is for, and which of them will refuse it, with the reason and its detail."""

    addressed: int
    refusals: tuple[tuple[StationId, Reason, str], ...]


def foresee(
    trust: Trust, stations: Mapping[StationId, Enrolled], order: Given, envelope: bytes, timezone: str
) -> Foreseen:
    """Judge the envelope as each enrolled station that the order names would; ``timezone`` is the stations' own."""
    sites = _sites(trust, stations, order, timezone)
    verdicts = [(site.station, make_judge(trust, site)(down_topic(site.station, Down.JOB), envelope)) for site in sites]
    refusals = [(station, it.reason, it.detail) for station, it in verdicts if isinstance(it, Rejected)]
    return Foreseen(len(sites), tuple(refusals))


def refused_by_all(
    trust: Trust, stations: Mapping[StationId, Enrolled], order: Given, envelope: bytes, timezone: str
) -> Rejected | None:
    """Why no station will obey it; None where one will. Where none is enrolled yet that it names, one is imagined."""
    refusal = None
    for site in _sites(trust, stations, order, timezone) or _imagined(trust, order, timezone):
        verdict = make_judge(trust, site)(down_topic(site.station, Down.JOB), envelope)
        if not isinstance(verdict, Rejected):
            return None
        refusal = refusal or verdict
    return refusal


def addressed(stations: Mapping[StationId, Enrolled], order: Given) -> tuple[Enrolled, ...]:
    """The enrolled stations that the order names, by id."""
    audience = heading_of(order).audience
    return tuple(stations[station] for station in sorted(stations) if _names(audience, stations[station]))


def entries_for_nobody(stations: Mapping[StationId, Enrolled], timetable: Timetable) -> tuple[int, ...]:
    """Which entries, from 1, no station plays: those that get the timetable are not whom they name."""
    got_by = addressed(stations, timetable)
    jobs = enumerate(timetable.jobs, 1)
    return tuple(number for number, job in jobs if not any(_names(job.audience, one) for one in got_by))


def _imagined(trust: Trust, order: Given, timezone: str) -> list[Site]:
    """A station in each area that the order names; one that it names itself may be wherever its roles reach."""
    heading = heading_of(order)
    areas = sorted(heading.audience.areas)
    if heading.audience.stations:
        roles = who_may(trust, kind_of(order), heading.issuer)
        areas += sorted({area for role in roles if role.grant is not None for area in role.grant.limits.areas})
    station = StationId(min(heading.audience.stations, default="any"))
    # Where nobody may order it any place will do: that is judged before the place.
    return [_site(station, area, trust.realm, order, timezone) for area in areas or ["anywhere"]]


def _names(audience: Audience, enrolled: Enrolled) -> bool:
    within = any(enrolled.area == area or enrolled.area.startswith(f"{area}/") for area in audience.areas)
    return enrolled.station in audience.stations or within


def _sites(trust: Trust, stations: Mapping[StationId, Enrolled], order: Given, timezone: str) -> list[Site]:
    found = addressed(stations, order)
    return [_site(one.station, one.area, trust.realm, order, timezone) for one in found]


def _site(station: StationId, area: str, realm: str, order: Given, timezone: str) -> Site:
    # Which zones a station has is not known here, so it is taken to have those that the order names.
    zones = {zone: ZoneSite(zone, "", 0) for zone in heading_of(order).audience.zones or {ZoneId("any")}}
    return Site(station, realm, area, timezone, zones)
