"""Decide what is in force in a scope, and write it down as a manifest. Pure; files and keys are ``manifest_shelf``'s.

In force is what was published, may still be obeyed, and was neither cancelled nor replaced by a newer version. Commands
are not listed: they are valid for two minutes, and what they have stopped is not listed either.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from edge_agent.core.heads import Head, ListedOrder, ListedTrust, Manifest, Paper, area_scope, station_scope
from edge_agent.core.job import Job, JobClass
from edge_agent.core.order import Cancel, Command, Regulation, Timetable
from edge_agent.core.trust_standing import ROOT_AREA
from edge_agent.core.units import UtcMs
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.trust.bundle import read_document
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.fields import within_areas
from edge_agent.trust.keys import Signer
from edge_agent.trust.manifests import head_payload, write_manifest
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import dump

Replaceable = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """An order as it went out."""

    order: Given
    digest: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Made:
    """A manifest with its head, and its bytes."""

    head: Head
    envelope: bytes
    body: bytes


def published(envelope: bytes) -> Published:
    """What an envelope says that was signed here. Raises SigningError."""
    return Published(read_order(envelope), digest_of(envelope), envelope)


def in_force(orders: Iterable[Published], now: UtcMs, beside: Iterable[Published] = ()) -> list[Published]:
    """Those that stations should hold at ``now``, by their serials. By what is ``beside`` them they are taken back too:
    it reaches the same stations, and is listed elsewhere."""
    listed = list(orders)
    around = [*listed, *beside]
    warnings = [one for one in around if _is_or_ends_a_warning(one.order)]
    by_warnings, by_all = ((_taken_back(some), _newest(some, now)) for some in (warnings, around))
    kept = [
        one
        for one in listed
        if not isinstance(one.order, Command)
        and heading_of(one.order).not_after >= now
        and not _is_replaced(one.order, *(by_warnings if _warns(one.order) else by_all))
    ]
    return sorted(kept, key=lambda one: (heading_of(one.order).issuer, heading_of(one.order).serial))


def addressed_by(scope: str, order: Given) -> bool:
    """Whether an order names the scope."""
    audience = heading_of(order).audience
    return scope in {*map(area_scope, audience.areas), *map(station_scope, audience.stations)}


def can_be_withdrawn(order: Given) -> bool:
    """Whether stations end it by a manifest that does not list it (protocol, 17.6)."""
    return isinstance(order, Timetable) or (isinstance(order, Job) and not _warns(order))


def last_serials(orders: Iterable[Published], before: Mapping[str, int]) -> dict[str, int]:
    """The last serial of each issuer among what was ever published in a scope."""
    upto = dict(before)
    for one in orders:
        heading = heading_of(one.order)
        upto[heading.issuer] = max(heading.serial, upto.get(heading.issuer, 0))
    return upto


def listed_order(one: Published) -> ListedOrder:
    """How an order stands in a manifest."""
    heading = heading_of(one.order)
    return ListedOrder(one.digest, heading.order_id, heading.not_after, paper_of(one.envelope))


def listed_trust(documents: Iterable[bytes], area: str) -> tuple[ListedTrust, ...]:
    """The trust documents around an area, each root's step among them."""
    found = [(read_document(envelope), envelope) for envelope in documents]
    return tuple(
        ListedTrust(one.area, one.epoch, one.version, paper_of(envelope))
        for one, envelope in found
        if one.area == ROOT_AREA or within_areas(area, (one.area,))
    )


def manifest_of(
    scope: str,
    place: tuple[int, int],
    orders: list[Published],
    trust: tuple[ListedTrust, ...],
    now: UtcMs,
    upto: Mapping[str, int],
    beside: Iterable[Published] = (),
) -> Manifest:
    """What is in force at ``now`` of the orders that name a scope; ``upto``: the last serials before them; ``beside``:
    see ``in_force``."""
    listed = tuple(listed_order(one) for one in in_force(orders, now, beside))
    return Manifest(scope, *place, last_serials(orders, upto), listed, trust)


def paper_of(content: bytes) -> Paper:
    """By what it is found on the content server."""
    return Paper(hashlib.sha256(content).hexdigest(), len(content))


def make(manifest: Manifest, realm: str, now: UtcMs, signer: Signer) -> Made:
    """The manifest's bytes, and their signed head."""
    body = write_manifest(manifest, realm)
    paper = paper_of(body)
    head = Head(manifest.scope, manifest.epoch, manifest.counter, now, paper.envelope, paper.length)
    return Made(head, sign(payload_type(OrderType.HEAD), dump(head_payload(head, realm)), [signer]), body)


def _is_replaced(order: Given, taken_back: Set[tuple[str, str]], newest: Mapping[Replaceable, int]) -> bool:
    heading = heading_of(order)
    return (heading.issuer, heading.order_id) in taken_back or _version(order) < newest.get(_series(order), 0)


def _is_or_ends_a_warning(order: Given) -> bool:
    """What a warning is held against: a broadcast replaces none and corrects none, as at a station."""
    return _warns(order) or not isinstance(order, Job)


def _warns(order: Given) -> bool:
    return isinstance(order, Job) and order.plays_as is JobClass.EMERGENCY


def _taken_back(orders: Iterable[Published]) -> frozenset[tuple[str, str]]:
    """Issuer and id of what was cancelled or corrected."""
    return frozenset((heading_of(one.order).issuer, target) for one in orders for target in _takes_back(one.order))


def _takes_back(order: Given) -> tuple[str, ...]:
    """The orders that it ends, of its own issuer."""
    if isinstance(order, Command) and isinstance(order.action, Cancel):
        return (order.action.target,)
    return (order.corrects,) if isinstance(order, Job) and order.corrects else ()


def _newest(orders: Iterable[Published], now: UtcMs) -> dict[Replaceable, int]:
    """The newest version of everything that has versions, and that holds already."""
    newest: dict[Replaceable, int] = {}
    for one in orders:
        series = _series(one.order)
        if series and (isinstance(one.order, Job) or heading_of(one.order).not_before <= now):
            newest[series] = max(_version(one.order), newest.get(series, 0))
    return newest


def _series(order: Given) -> Replaceable:
    """What it is a version of; nothing."""
    issuer = heading_of(order).issuer
    match order:
        case Job(series=series) if series:
            return ("series", issuer, series)
        case Timetable(name=name):
            return ("timetable", issuer, name)
        case Regulation():
            return ("regulation", issuer)
        case _:
            return ()


def _version(order: Given) -> int:
    return order.version if isinstance(order, Job | Timetable | Regulation) else 0
