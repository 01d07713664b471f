"""What people order, of whichever kind: its heading, its kind, its payload read back. Decides nothing about it.

A job has the fields of a heading in itself; here it is looked at like the others, so that what travels, expires and is
answered the same way is written once.
"""

from __future__ import annotations

from typing import cast

from edge_agent.core.job import Job
from edge_agent.core.order import Command, Heading, Regulation, RuleOrder, Timetable
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import GIVEN, OrderType, parse_order

Given = Job | RuleOrder


def heading_of(order: Given) -> Heading:
    """Who orders it, of whom, and for how long it may be obeyed."""
    if not isinstance(order, Job):
        return order.heading
    return Heading(
        order_id=order.job_id,
        issuer=order.issuer,
        level=order.level,
        key_epoch=order.key_epoch,
        serial=order.serial,
        issued_at=order.issued_at,
        not_before=order.not_before,
        not_after=order.not_after,
        audience=order.audience,
    )


def kind_of(order: Given) -> OrderType:
    """The type that its payload names."""
    match order:
        case Job():
            return OrderType.JOB
        case Regulation():
            return OrderType.REGULATION
        case Command():
            return OrderType.COMMAND
        case Timetable():
            return OrderType.TIMETABLE
        case _:
            return OrderType.WINDOW


def parse_given(fields: Fields, kind: OrderType) -> Given:
    """The order that a payload says, or ``WireError``."""
    assert kind in GIVEN, "a server's answer is no order"
    return cast(Given, parse_order(fields, kind))
