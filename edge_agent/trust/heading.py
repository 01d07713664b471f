"""Read what every order says of itself: who, in whose name, how long, for whom.

Bounds only. Whether it is for this station, and within its role's limits, is decided in ``limits``.
"""

from __future__ import annotations

from edge_agent.core.job import Audience
from edge_agent.core.order import Heading
from edge_agent.core.units import JobId, ZoneId
from edge_agent.trust.fields import AREA, NAME, Fields
from edge_agent.trust.strict_json import INTEGER_MAX
from edge_agent.trust.timetable import read_instant

AUDIENCE_MAX = 64  # stations, areas and zones, each

HEADING_FIELDS = frozenset(
    {"issuer", "level", "key_epoch", "serial", "issued_at", "not_before", "not_after", "audience"}
)
"""The same in every order; its own id is called ``job_id`` in a job and ``order_id`` in the others."""


def read_heading(fields: Fields) -> Heading:
    """The heading of an order that is no job."""
    heading = Heading(
        order_id=JobId(fields.text("order_id", NAME)),
        issuer=fields.text("issuer", NAME),
        level=fields.text("level", NAME),
        key_epoch=fields.integer("key_epoch", 0, INTEGER_MAX),
        serial=fields.integer("serial", 1, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        not_before=read_instant(fields, "not_before"),
        not_after=read_instant(fields, "not_after"),
        audience=read_audience(fields.record("audience")),
    )
    if heading.not_after <= heading.not_before:
        raise fields.wrong("not_after", "later than not_before")
    return heading


def read_audience(fields: Fields) -> Audience:
    """Whom an order is for; somebody must be named."""
    audience = Audience(
        stations=frozenset(fields.texts("stations", NAME, 0, AUDIENCE_MAX)),
        areas=frozenset(fields.texts("areas", AREA, 0, AUDIENCE_MAX)),
        zones=frozenset(ZoneId(zone) for zone in fields.texts("zones", NAME, 0, AUDIENCE_MAX)),
    )
    if not audience.stations and not audience.areas:
        raise fields.wrong("areas", "stations or areas, at least one")
    return audience
