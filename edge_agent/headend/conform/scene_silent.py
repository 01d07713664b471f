"""The scene of orders that must be taken and can never sound: sent early in a run, looked at when they have ended.

Two have a clip that nobody has. Where the station reaches the kit's content server three more find wrong files, or
none: even whoever played those would play silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.conform.asking import ask, ask_to_sound
from edge_agent.headend.conform.bench import Bench
from edge_agent.headend.conform.content import Clip, Content, particulars, tone
from edge_agent.headend.conform.orders import Order, Orders, rule
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.sync.reports import AnswerMsg

SILENCE_MS = SECOND_MS
SETTLED_S = 45
# From such an order to its record: due in 5 s, late by 10 s at most, and the upload.


@dataclass(frozen=True, slots=True)
class Wrong:
    """Orders for one file with a byte changed, one with a byte more, and one that lies nowhere. ``elsewhere`` is what
    the last one's first address would have."""

    altered: Order
    longer: Order
    absent: Order
    elsewhere: str
    absent_clip: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """The orders, and the answer to the first."""

    once: Order
    answer: AnswerMsg | None
    timetable: Order
    wrong: Wrong | None

    def all(self) -> list[Order]:
        """Every one of them."""
        wrong = [] if self.wrong is None else [self.wrong.altered, self.wrong.longer, self.wrong.absent]
        return [self.once, self.timetable, *wrong]


@dataclass(frozen=True, slots=True)
class Silent:
    """The same with all their records, by digest."""

    ordered: Ordered
    records: Mapping[str, list[Mapping[str, Any]]]

    def of(self, order: Order) -> list[Mapping[str, Any]]:
        return self.records[order.digest]

    def each(self, *orders: Order) -> list[Mapping[str, Any]]:
        """Every record of these. Raises CannotTry where there is none: who writes none claims nothing."""
        found = [record for order in orders for record in self.of(order)]
        if not found:
            raise CannotTry("there was no record")
        return found


def order_in_silence(bench: Bench) -> Ordered:
    """Send them. Raises CannotTry by night, and on a day on which nothing may sound: then none is due soon."""
    bench.orders.by_day()
    due = UtcMs(bench.orders.due() // SECOND_MS * SECOND_MS)  # a timetable is written in whole seconds
    once, timetable = bench.orders.normal(due=due), bench.orders.normal(due=due, when=rule(bench.orders, due))
    answer = ask_to_sound(bench, once)
    ordered = Ordered(once, answer, timetable, None if bench.content is None else _wrong(bench.orders, bench.content))
    for order in ordered.all()[1:]:
        ask(bench, order)
    return ordered


def silent(bench: Bench) -> Silent:
    """Wait until all have ended."""
    ordered = bench.act(order_in_silence)
    for order in ordered.all():
        bench.record(order.digest, SETTLED_S)
    bench.settle(bench.pace.silence_s)
    return Silent(ordered, {order.digest: bench.records(order.digest) for order in ordered.all()})


def _wrong(orders: Orders, content: Content) -> Wrong:
    altered, longer, absent, other = (tone(SILENCE_MS, seed, peak=0) for seed in (1, 2, 3, 4))
    return Wrong(
        _order(orders, altered, content.put(altered.digest, altered.content[:-1] + b"\xff")),
        _order(orders, longer, content.put(longer.digest, longer.content + b"\0")),
        _order(orders, absent, content.url(other.digest), content.url(absent.digest)),
        other.digest,
        absent.digest,
    )


def _order(orders: Orders, clip: Clip, *urls: str) -> Order:
    return orders.normal(items=[{**particulars("Tệp kiểm thử"), **clip.item(*urls)}], volume=0)
