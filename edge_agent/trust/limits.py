"""Decide whether an order is for this station and within its role's limits. Reads no clock.

A role's hours bind the planned instants. The ward's quiet hours bind the sound itself and are the core's (B10).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from edge_agent.core.events import Rejected
from edge_agent.core.job import Job, JobClass, LiveItem, PlayAt, PlayNow, Rule
from edge_agent.core.order import Command, Heading, RuleOrder, Timetable
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, UtcMs
from edge_agent.trust.commands import what_of
from edge_agent.trust.fields import within_areas
from edge_agent.trust.role_limits import Limits
from edge_agent.trust.roles import JobGrant

NOW_VALIDITY_MS_MAX = 10 * MINUTE_MS  # an order to play now is worth nothing to whoever kept it for later
EMERGENCY_VALIDITY_MS_MAX = 6 * HOUR_MS  # long enough for a station that was dark to hear of the flood
TIMETABLE_VALIDITY_MS_MAX = 400 * DAY_MS  # a year's timetable and the weeks before it
COMMAND_VALIDITY_MS_MAX = 2 * MINUTE_MS  # somebody waits for it; as much as two trusted clocks may be apart
RULE_VALIDITY_MS_MAX = 400 * DAY_MS  # a regulation, and next year's windows, are signed anew with the timetable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def addressed(order: Job | RuleOrder, site: Site) -> str | None:
    """None when the order is for this station and for at least one of its zones, else why not."""
    audience = _heading(order).audience
    if site.station not in audience.stations and not audience.areas & site.areas():
        return "audience: neither this station nor its area"
    if audience.zones and not audience.zones & site.zones.keys():
        return "audience.zones: none of this station's zones"
    return None


def over_limit(order: Job | RuleOrder, grant: JobGrant, site: Site) -> Rejected | None:
    """The first limit of its role, or of the software itself, that the order breaks."""
    heading, limits = _heading(order), grant.limits
    if heading.level != grant.level:
        return _over(f"level: {heading.level}, the role's is {grant.level}")
    return (
        _beyond_kind(order, limits)
        or _beyond_areas(heading, limits, site)
        or _valid_too_long(heading, min(limits.validity_max_ms, _ceiling_ms(order)))
        or (_outside_hours(order, limits, site) if isinstance(order, Job) else None)
        or (_beyond_entry(order, grant, site) if isinstance(order, Timetable) else None)
    )


def _beyond_entry(order: Timetable, grant: JobGrant, site: Site) -> Rejected | None:
    """The first entry that its role may not order: it refuses the whole, wherever that entry is to sound."""
    for index, job in enumerate(order.jobs):
        refusal = over_limit(job, grant, site)
        if refusal is not None:
            return replace(refusal, detail=f"entries[{index}].{refusal.detail}")
    return None


def _heading(order: Job | RuleOrder) -> Job | Heading:
    """Where level, validity and audience stand."""
    return order if isinstance(order, Job) else order.heading


def _beyond_kind(order: Job | RuleOrder, limits: Limits) -> Rejected | None:
    if isinstance(order, Job):
        return _beyond_job(order, limits)
    if isinstance(order, Command) and what_of(order.action) not in limits.commands:
        return _over(f"do.what: {what_of(order.action)} is not among the role's commands")
    return None


def _beyond_job(job: Job, limits: Limits) -> Rejected | None:
    if job.cls not in limits.classes:
        return _over(f"class: {job.cls.value} is not among the role's")
    if job.event and limits.events and job.event not in limits.events:
        return _over(f"event: {job.event} is not among the role's")
    if job.volume > limits.volume_max:
        return _over(f"volume: {job.volume} is above the role's {limits.volume_max}")
    return _beyond_sources(job, limits)


def _beyond_sources(job: Job, limits: Limits) -> Rejected | None:
    """Nobody signs what a live source says, so those who delegate say which ones there are."""
    for index, item in enumerate(job.items):
        if isinstance(item, LiveItem):
            for url in item.urls:
                if not limits.may_relay(url):
                    return _over(f"items[{index}].urls: {url} is none of the role's live sources")
    return None


def _over(detail: str) -> Rejected:
    return Rejected(Reason.OVER_LIMIT, detail)


def _beyond_areas(heading: Job | Heading, limits: Limits, site: Site) -> Rejected | None:
    for area in sorted(heading.audience.areas):
        if not within_areas(area, limits.areas):
            return _over(f"audience.areas: {area} is outside the role's areas")
    # Other stations that are named will check their own area; here only ours is known.
    if site.station in heading.audience.stations and not within_areas(site.area, limits.areas):
        return _over("audience.stations: this station is outside the role's areas")
    return None


def _valid_too_long(heading: Job | Heading, longest_ms: int) -> Rejected | None:
    valid_ms = heading.not_after - heading.not_before
    if valid_ms > longest_ms:
        detail = f"not_after: valid for {valid_ms // 1_000} s, at most {longest_ms // 1_000} s"
        return Rejected(Reason.VALIDITY_TOO_LONG, detail)
    return None


def _ceiling_ms(order: Job | RuleOrder) -> int:
    if not isinstance(order, Job):
        return COMMAND_VALIDITY_MS_MAX if isinstance(order, Command) else RULE_VALIDITY_MS_MAX
    if isinstance(order.when, PlayNow):
        return EMERGENCY_VALIDITY_MS_MAX if order.cls is JobClass.EMERGENCY else NOW_VALIDITY_MS_MAX
    return TIMETABLE_VALIDITY_MS_MAX  # of emergencies only a rehearsal is planned


def _outside_hours(job: Job, limits: Limits, site: Site) -> Rejected | None:
    # Requirement B1: an emergency plays at any hour. A rehearsal is none, and nobody is to be woken by it.
    if not limits.hours or (job.cls is JobClass.EMERGENCY and not job.rehearsal):
        return None
    if isinstance(job.when, Rule) and job.when.timezone != site.timezone:
        # Otherwise 05:30 in Tokyo would be a way to 03:30 here.
        return _over(f"when.timezone: {job.when.timezone}; a role with hours plans in the station's {site.timezone}")
    for instant in _wall_times(job, site):
        if not any(_in_window(instant, first, end) for first, end in limits.hours):
            return _over(f"when: {instant.isoformat('seconds')} is outside the role's hours")
    return None


def _wall_times(job: Job, site: Site) -> tuple[time, ...]:
    if isinstance(job.when, Rule):
        return job.when.times
    if isinstance(job.when, PlayAt):
        return (_wall(job.when.at, site),)
    # It may begin at any instant of its validity, whose last one is just before not_after.
    return _wall(job.not_before, site), _wall(UtcMs(job.not_after - 1), site)


def _wall(at: UtcMs, site: Site) -> time:
    return (_EPOCH + timedelta(milliseconds=at)).astimezone(ZoneInfo(site.timezone)).time()


def _in_window(instant: time, first: time, end: time) -> bool:
    if first < end:
        return first <= instant < end
    return instant >= first or instant < end  # over midnight, or the whole day when both are the same
