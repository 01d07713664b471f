"""Say before an order travels what the stations it names will answer, by the stations' own judgement. Pure.

It foresees what keys, roles and limits decide. What a station alone knows (its zones, its quiet hours, what it has seen
already) it cannot foresee.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_agent.core.events import Rejected
from edge_agent.core.job import Job
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site, ZoneSite
from edge_agent.core.units import StationId, ZoneId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.sync.topics import Down, down_topic
from edge_agent.trust.judge import make_judge
from edge_agent.trust.roles import Trust


@dataclass(frozen=True, slots=True)
class Foreseen:
    """How many enrolled stations an order is for, and which of them will refuse it, with the reason and its detail."""

    addressed: int
    refusals: tuple[tuple[StationId, Reason, str], ...]


def foresee(trust: Trust, stations: Mapping[StationId, Enrolled], job: Job, envelope: bytes, timezone: str) -> Foreseen:
    """Judge the envelope as each enrolled station that the job names would; ``timezone`` is the stations' own."""
    found = [_site(enrolled, trust.realm, job, timezone) for enrolled in stations.values()]
    addressed = [site for site in found if _names(job, site)]
    verdicts = [
        (site.station, make_judge(trust, site)(down_topic(site.station, Down.JOB), envelope)) for site in addressed
    ]
    refusals = [(station, it.reason, it.detail) for station, it in verdicts if isinstance(it, Rejected)]
    return Foreseen(len(addressed), tuple(refusals))


def _site(enrolled: Enrolled, realm: str, job: Job, timezone: str) -> Site:
    # Which zones a station has is not known here, so it is taken to have those that the order names.
    zones = {zone: ZoneSite(zone, "", 0) for zone in job.audience.zones or {ZoneId("any")}}
    return Site(enrolled.station, realm, enrolled.area, timezone, zones)


def _names(job: Job, site: Site) -> bool:
    return site.station in job.audience.stations or bool(job.audience.areas & site.areas())
