"""The scene of a cut line: the will appears after its delay, and the station comes back when the line is whole."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.units import MINUTE_MS, SECOND_MS
from edge_agent.headend.conform.asking import ask
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.orders import Order
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.sync.reports import AnswerMsg, Why
from edge_agent.sync.topics import Up

NO_RELAY = "the station must connect through the kit, so that its line can be cut: --relay HOST:PORT"


@dataclass(frozen=True, slots=True)
class Cut:
    """What was seen. ``cut_s`` is the instant of the cut, ``order`` was sent a moment before it and once more after."""

    before: Seen
    cut_s: float
    will: Seen | None
    mended_s: float
    hello: Seen | None
    order: Order
    again: AnswerMsg | None


def cut_off(bench: Bench) -> Cut:
    """Cut, wait for the will, mend, wait for the hello. Raises CannotTry where the station does not come this way."""
    if bench.relay is None or not bench.relay.joined:
        raise CannotTry(NO_RELAY)
    before = bench.newest_state()
    if before is None:
        raise CannotTry("no state was seen before")
    order = bench.orders.normal(due=bench.orders.due(round(bench.pace.back_s_max * SECOND_MS) + MINUTE_MS))
    mark = bench.send(order)
    cut_s = bench.clock()
    bench.relay.cut()
    try:
        will = bench.wait(_is_will, bench.pace.will_delay_s + bench.pace.answer_s, mark)
    finally:
        bench.relay.mend()
    mended_s = bench.clock()
    hello = bench.wait(lambda one: one.kind == Up.HELLO, bench.pace.back_s_max, len(bench.seen))
    return Cut(before, cut_s, will, mended_s, hello, order, None if hello is None else ask(bench, order))


def _is_will(one: Seen) -> bool:
    # Believed or not: that it is signed is a clause of its own. One that nobody can read is a will too.
    return one.kind == Up.STATE and one.claims.get("why", Why.CONNECTION_LOST) == Why.CONNECTION_LOST
