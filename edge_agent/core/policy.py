"""Decide whether the ward's own rules let something sound, and how loud (requirement B10).

A correct signature is no excuse: a well signed order for 03:15 is the case to prevent. Emergencies are exempt from the
hours, never from the ceiling of a zone.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from edge_agent.core.job import Job, JobClass
from edge_agent.core.reasons import Reason
from edge_agent.core.site import LocalPolicy, Site, VolumeBand
from edge_agent.core.units import UtcMs, ZoneId


def forbids(site: Site, job: Job, start: UtcMs, duration_ms: int) -> Reason | None:
    """Why the job must not sound from ``start`` for ``duration_ms``; None when it may."""
    if job.cls is JobClass.EMERGENCY:
        return None
    if touches_quiet_hours(site.policy, site.timezone, start, duration_ms):
        return Reason.QUIET_HOURS
    return None


def touches_quiet_hours(policy: LocalPolicy, timezone: str, start: UtcMs, duration_ms: int) -> bool:
    """Whether any moment of [start, start + duration) lies in the quiet hours of any day."""
    if policy.quiet_start == policy.quiet_end:
        return False
    first, last = local_time(start, timezone), local_time(UtcMs(start + max(duration_ms, 1) - 1), timezone)
    day = first.date() - timedelta(days=1)
    while day <= last.date():
        opens, closes = _quiet_of(policy, day, _zone(timezone))
        if first < closes and opens <= last:
            return True
        day += timedelta(days=1)
    return False


def volume_at(site: Site, zone: ZoneId, job: Job, start: UtcMs) -> int:
    """The volume (0–100) at which a zone plays: what was ordered, under every ceiling that applies."""
    ceiling = min(job.volume, site.zones[zone].volume_max)
    if job.cls is JobClass.EMERGENCY:
        return ceiling
    wall = local_time(start, site.timezone).time()
    return min([ceiling, *(band.volume_max for band in site.policy.volume_bands if _covers(band, wall))])


def local_time(instant: UtcMs, timezone: str) -> datetime:
    """The wall time of an instant."""
    return datetime.fromtimestamp(instant / 1000, UTC).astimezone(_zone(timezone))


def _quiet_of(policy: LocalPolicy, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The quiet hours that begin on ``day``."""
    over_midnight = policy.quiet_end <= policy.quiet_start
    end_day = day + timedelta(days=1) if over_midnight else day
    return (
        datetime.combine(day, policy.quiet_start, zone),
        datetime.combine(end_day, policy.quiet_end, zone),
    )


def _covers(band: VolumeBand, wall: time) -> bool:
    if band.start == band.end:
        return True
    if band.start < band.end:
        return band.start <= wall < band.end
    return wall >= band.start or wall < band.end


@lru_cache(maxsize=8)
def _zone(timezone: str) -> ZoneInfo:
    return ZoneInfo(timezone)
