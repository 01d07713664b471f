"""Write the orders that a station must refuse, and the few unusual ones that it must take. Sends nothing.

Each is a good silent order (``orders``) with one thing wrong; which refusal it must meet, ``trials_job`` says.
"""

from __future__ import annotations

from typing import Any

from edge_agent.core.job import JobClass
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from edge_agent.headend.conform.orders import Order, Orders, Pen, rule
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.trust.limits import EMERGENCY_VALIDITY_MS_MAX, TIMETABLE_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.roles import JobGrant, enough

ELSEWHERE = "nuoc-khac/noi-khac/xa-khac"
# In another country too: a role may order all over its own.
NOW = {"kind": "now"}
CLOCKS_APART_MS = 3 * MINUTE_MS
# More than the two minutes that section 5 allows for clocks that are apart.


def grant(pen: Pen) -> JobGrant:
    assert pen.role.grant is not None, "a pen's role may order sound"
    return pen.role.grant


def bound(orders: Orders, pen: Pen) -> JobGrant:
    """How far it reaches. Raises CannotTry where its keys order by another role too: a right station tries that one."""
    keys = frozenset(signer.public for signer in pen.enough)
    for role in orders.keyring.trust.roles:
        same = OrderType.JOB in role.orders and role.grant is not None and role.grant.issuer == grant(pen).issuer
        if same and role != pen.role and enough(role, keys):
            raise CannotTry(f"the keys of role {pen.role.name} may order by role {role.name} too")
    return grant(pen)


def audience(orders: Orders, **over: Any) -> Order:
    given: dict[str, Any] = {"stations": [str(orders.station.station)], "areas": [], "zones": []}
    return orders.normal(audience=given | over)


def of_another_issuer(orders: Orders) -> Order:
    pen = orders.pen()
    roles = [role for role in orders.keyring.trust.roles if OrderType.JOB in role.orders]
    foreign = [role.grant.issuer for role in roles if role.grant and role.grant.issuer != grant(pen).issuer]
    if not foreign:
        raise CannotTry("the trust file has one issuer only")
    return orders.signed(orders.payload(pen, issuer=foreign[0]), pen.enough)


def beyond_class(orders: Orders) -> Order:
    pen = orders.pen()
    if JobClass.EMERGENCY in bound(orders, pen).limits.classes:
        raise CannotTry(f"role {pen.role.name} may order every class")
    now = orders.now()
    more = {"class": "emergency", "event": "kiem-thu", "when": NOW, "not_after": now + MINUTE_MS}
    return orders.signed(orders.payload(pen, **more), pen.enough)


def beyond_volume(orders: Orders) -> Order:
    most = bound(orders, orders.pen()).limits.volume_max
    if most >= VOLUME_MAX:
        raise CannotTry(f"role {orders.pen().role.name} may order every volume")
    return orders.normal(volume=most + 1)


def beyond_hours(orders: Orders) -> Order:
    for pen in orders.pens():
        limits = grant(pen).limits
        if limits.hours and JobClass.NORMAL in limits.classes and len(pen.signers) >= pen.role.threshold:
            bound(orders, pen)
            return orders.signed(orders.payload(pen, due=orders.outside(pen.role)), pen.enough)
    raise CannotTry("no role of the trust file has hours")


def valid_for(orders: Orders, span_ms: int, **over: Any) -> Order:
    now = orders.now()
    return orders.normal(not_before=now, not_after=now + span_ms, **over)


def emergency_for_too_long(orders: Orders) -> Order:
    longest = min(EMERGENCY_VALIDITY_MS_MAX, bound(orders, orders.pen(JobClass.EMERGENCY)).limits.validity_max_ms)
    now = orders.now()
    return orders.emergency(not_before=now, not_after=now + longest + SECOND_MS)


def timetable_for_too_long(orders: Orders) -> Order:
    longest = min(TIMETABLE_VALIDITY_MS_MAX, grant(orders.pen()).limits.validity_max_ms)
    return valid_for(orders, longest + DAY_MS)


def expired(orders: Orders) -> Order:
    now = orders.now()
    return orders.normal(when=NOW, not_before=now - 5 * MINUTE_MS, not_after=now - MINUTE_MS)


def not_yet(orders: Orders) -> Order:
    later = orders.now() + CLOCKS_APART_MS
    return orders.normal(when=NOW, not_before=later, not_after=later + MINUTE_MS)


def at_past(orders: Orders) -> Order:
    now = orders.now()
    return orders.normal(when={"kind": "at", "utc": now - HOUR_MS}, not_before=now - 2 * HOUR_MS)


def at_outside(orders: Orders) -> Order:
    due = orders.due()
    return orders.normal(when={"kind": "at", "utc": due + HOUR_MS}, not_after=due)


def timetable(orders: Orders, **over: Any) -> Order:
    due = orders.due()
    return orders.normal(due=due, when=rule(orders, due, **over))


def rule_of_yesterday(orders: Orders) -> Order:
    return orders.normal(when=rule(orders, orders.now() - DAY_MS))


def by_night(orders: Orders) -> Order:
    return orders.normal(due=orders.night() + 10 * MINUTE_MS)


def rule_by_night(orders: Orders) -> Order:
    at = orders.night() + 10 * MINUTE_MS
    return orders.normal(due=at, when=rule(orders, at))


def into_the_night(orders: Orders) -> Order:
    if orders.rules.cut:
        raise CannotTry("the station cuts a programme where the quiet hours begin (--into-quiet)")
    return orders.normal(due=orders.night() - 30 * SECOND_MS, items=[orders.nothing(duration_ms=MINUTE_MS)])


def item(orders: Orders, **over: Any) -> Order:
    return orders.normal(items=[orders.nothing(**over)])


def text_of(orders: Orders, characters: int) -> Order:
    item = orders.nothing()
    words = {name: item[name] for name in ("title", "field", "language", "source", "approver")}
    return orders.normal(items=[words | {"kind": "text", "text": "a" * characters}])


def without(orders: Orders, name: str) -> Order:
    payload = orders.payload(orders.pen())
    del payload[name]
    return orders.signed(payload, orders.pen().enough)


def emergency_without_event(orders: Orders) -> Order:
    payload = orders.emergency_payload()
    del payload["event"]
    return orders.signed(payload, orders.pen(JobClass.EMERGENCY).enough)


def url(orders: Orders, url: str) -> Order:
    return item(orders, urls=[url])
