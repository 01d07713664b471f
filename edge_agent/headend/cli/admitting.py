"""Decide whether an order may be noted here: its serial, its bytes, and in manifests that take others out of force.

A manifest is signed by a key that serves a machine, and stations drop ordinary broadcasts that it does not list. So it
must follow from what officers have signed, and from nothing that only lies in a file: an order of which nothing is
noted is judged by the stations alone.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from edge_agent.core.reasons import explain
from edge_agent.headend.foresight import refused_by_all
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.keyring import Keyring
from edge_agent.headend.serials import SERIALS_LEFT
from edge_agent.trust.strict_json import INTEGER_MAX


def why_not_noted(keyring: Keyring, order: Given, envelope: bytes, zone: ZoneInfo) -> str | None:
    """In words: no station would obey it, or it would end its issuer's numbers. None: it may be noted."""
    heading = heading_of(order)
    refusal = refused_by_all(keyring.trust, keyring.stations, order, envelope, zone.key)
    if refusal is not None:
        told = f"không trạm nào sẽ nhận / no station will take it: {explain(refusal.reason)}: {refusal.detail}"
        return f"{heading.order_id}: {told}"
    if heading.serial > INTEGER_MAX - SERIALS_LEFT:
        told = f"serial: {heading.serial}: {heading.issuer} sẽ hết số / would have no numbers left"
        return f"{heading.order_id}: {told}; ký lại / sign it anew"
    return None
