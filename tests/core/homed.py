"""A station with a home server, and manifests as a test writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core import manifests
from edge_agent.core.events import (
    HeadsFetched,
    JournalFailed,
    ManifestRead,
    PaperRead,
    Rejected,
)
from edge_agent.core.heads import (
    Head,
    ListedOrder,
    ListedTrust,
    Manifest,
    Paper,
    area_scope,
    station_scope,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.units import JobId, UtcMs
from tests.core.bench import Bench
from tests.trust import makers

WARD, STATION = area_scope(makers.AREA), station_scope(makers.STATION)
FLOOD: dict[str, Any] = {"class": "emergency", "event": "flood"}


class Homed(Bench):
    """A station at work with a home server, whose manifests a test writes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = replace(self.state, site=replace(self.state.site, polls_home=True))

    def head(self, scope: str = WARD, counter: int = 1, digest: str = "", **over: Any) -> Head:
        given: dict[str, Any] = {"epoch": 1, "issued_at": self.now.utc, "length": 100}
        return Head(scope=scope, counter=counter, digest=digest or f"body {scope} {counter}", **(given | over))

    def show(self, head: Head | Rejected | Reason, scope: str = WARD) -> list[fx.Effect]:
        """The server gives this as the scope's head."""
        if isinstance(head, Reason):
            return self.send(HeadsFetched(((scope, head),)))
        self._mid += 1
        envelope = f"head {self._mid}".encode()
        self._judgements[envelope] = head
        return self.send(HeadsFetched(((scope, envelope),)))

    def give(self, head: Head, *orders: ListedOrder, upto: int = 0, **over: Any) -> list[fx.Effect]:
        """The server gives a head, and its manifest."""
        self.show(head, head.scope)
        return self.send(ManifestRead(head.digest, manifest(head, *orders, upto=upto, **over), b"body"))


def manifest(head: Head, *orders: ListedOrder, upto: int = 0, trust: tuple[ListedTrust, ...] = ()) -> Manifest:
    marks = {makers.ISSUER: upto, makers.OWNER: upto} if upto else {}
    digests = frozenset(one.digest for one in orders)
    return Manifest(head.scope, head.epoch, head.counter, marks, orders, trust, digests)


def listed(order_id: str, digest: str = "", not_after: int = 2**42) -> ListedOrder:
    return ListedOrder(
        digest or f"digest of {order_id}", JobId(order_id), UtcMs(not_after), Paper(f"sha {order_id}", 900)
    )


def at_work() -> Homed:
    """It has been welcomed, and has looked at the heads: there were none yet."""
    bench = Homed()
    bench.boot()
    bench.pass_s(40)
    bench.send(HeadsFetched(()))
    bench.said.clear()
    return bench


def reason_of(bench: Homed, scope: str = WARD) -> Reason | None:
    return next(one.reason for one in manifests.told(bench.state, bench.now) or () if one.scope == scope)


def lacking(bench: Homed, scope: str = WARD) -> int:
    return next(one.lacking for one in manifests.told(bench.state, bench.now) or () if one.scope == scope)


def fetches_what_the_disk_does_not_take(bench: Homed) -> None:
    """An order that is listed comes, and the card is full."""
    bench.deaf.add(fx.SaveJob)
    bench.give(bench.head(), listed("bulletin"), upto=5)
    job = bench.make(job_id="bulletin", serial=5, when={"kind": "at", "utc": bench.now.utc + 7_200_000})
    bench._judgements[b"envelope"] = bench.accept(job)
    bench.send(PaperRead("sha bulletin", makers.JOB_TOPIC, b"envelope"))
    bench.send(JournalFailed("save a job", job.job_id, "no space left"))
