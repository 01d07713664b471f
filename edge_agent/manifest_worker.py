"""The thread that asks the home server: heads, manifests, envelopes, roots. It decides nothing about them.

A manifest is read here, at the edge: what arrives in the core has the digest that was asked for, and is typed.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from edge_agent.core.effects import FetchHeads, FetchManifest, FetchPaper, FetchRoot
from edge_agent.core.events import (
    Event,
    HeadsFetched,
    HomeAnswered,
    ManifestRead,
    MessageArrived,
    PaperMissed,
    PaperRead,
    RootFetched,
)
from edge_agent.core.heads import HEAD_BYTES_MAX, Head, Kept
from edge_agent.core.intake import Verify
from edge_agent.core.manifests import HEAD_TOPIC, NO_DELIVERY
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId
from edge_agent.sync.port import HomeServer, NotRead
from edge_agent.sync.topics import Down, area_job_topic, down_topic
from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX
from edge_agent.trust.manifests import read_manifest
from edge_agent.trust.strict_json import WireError

log = logging.getLogger(__name__)

WELCOME_BYTES_MAX = 16 * 1_024
# A welcome with 64 serial marks of the longest names has some 8 kB, and a third more as base64.


@dataclass(frozen=True, slots=True)
class PostHello:
    """A signed hello, for the home server to answer."""

    station: StationId
    envelope: bytes


HomeOrder = FetchHeads | FetchManifest | FetchPaper | FetchRoot | PostHello


class ManifestWorker:
    """Asks on a thread of its own: a slow home server keeps neither the core nor a download waiting."""

    def __init__(self, home: HomeServer, post: Callable[[Event], None]) -> None:
        self._home = home
        self._post = post
        self._orders: queue.Queue[HomeOrder] = queue.Queue()  # bounded by the core, which asks one thing at a time

    def start(self) -> None:
        """Begin to take orders."""
        threading.Thread(target=self._run, name="manifests", daemon=True).start()

    def order(self, order: HomeOrder) -> None:
        """Hand an order over."""
        self._orders.put(order)

    def _run(self) -> None:
        while True:
            self._post(answer(self._home, self._orders.get()))


def answer(home: HomeServer, order: HomeOrder) -> Event:
    """What became of an order, and what that has cost."""
    before = home.came_bytes
    event = _answer(home, order)
    return event if isinstance(event, HomeAnswered) else replace(event, came_bytes=home.came_bytes - before)


def _answer(
    home: HomeServer, order: HomeOrder
) -> HeadsFetched | ManifestRead | PaperRead | PaperMissed | RootFetched | HomeAnswered:
    match order:
        case FetchHeads():
            got = home.get([f"/head/{scope}" for scope in order.scopes], HEAD_BYTES_MAX)
            heads = [Reason.MANIFEST_UNREACHABLE if isinstance(one, NotRead) else one for one in got]
            return HeadsFetched(tuple(zip(order.scopes, heads, strict=True)))
        case FetchRoot():
            (root,) = home.get([f"/root/{order.version}"], ENVELOPE_BYTES_MAX)
            if isinstance(root, NotRead):
                return RootFetched(order.version, None, root.broke_off)
            return RootFetched(order.version, MessageArrived(topic_of(order.scope), root, NO_DELIVERY))
        case FetchManifest():
            body = _paper(home, order.digest, order.length)
            return body if isinstance(body, PaperMissed) else _read(order.digest, body)
        case PostHello():
            welcome = home.post(f"/hello/{order.station}", order.envelope, WELCOME_BYTES_MAX)
            if isinstance(welcome, NotRead):
                log.info("no welcome from the home server detail=%s next=asked again later", welcome.detail)
                return HomeAnswered(None)
            return HomeAnswered(MessageArrived(down_topic(order.station, Down.WELCOME), welcome, NO_DELIVERY))
        case FetchPaper():
            envelope = _paper(home, order.envelope, order.length)
            if isinstance(envelope, PaperMissed):
                return envelope
            return PaperRead(order.envelope, topic_of(order.scope), envelope)


def topic_of(scope: str) -> str:
    """Where the orders of a scope would come by the broker."""
    kind, _, name = scope.partition("/")
    return area_job_topic(name) if kind == "area" else down_topic(StationId(name), Down.JOB)


def kept_manifests(stored: Iterable[tuple[bytes, bytes]], verify: Verify) -> tuple[Kept, ...]:
    """What the journal holds (head, manifest), as far as it is believed today: its keys may have been revoked since."""
    found: list[Kept] = []
    for envelope, body in stored:
        head = verify(HEAD_TOPIC, envelope)
        if isinstance(head, Head) and hashlib.sha256(body).hexdigest() == head.digest:
            read = _read(head.digest, body)
            found += [Kept(head, envelope, read.manifest)] if isinstance(read, ManifestRead) else []
    return tuple(found)


def _paper(home: HomeServer, digest: str, length: int) -> bytes | PaperMissed:
    (got,) = home.get([f"/paper/{digest}"], length)
    if isinstance(got, NotRead):
        return PaperMissed(digest, Reason.MANIFEST_UNREACHABLE, got.detail, got.broke_off)
    if hashlib.sha256(got).hexdigest() != digest:
        return PaperMissed(digest, Reason.MANIFEST_ALTERED, "SHA-256 differs")
    return got


def _read(digest: str, body: bytes) -> ManifestRead | PaperMissed:
    try:
        return ManifestRead(digest, read_manifest(body), body)
    except WireError as error:
        return PaperMissed(digest, Reason.MANIFEST_ALTERED, str(error))
