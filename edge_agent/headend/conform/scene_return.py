"""The scene of a lost session: the station is thrown out, comes back, and asks for the time.

One loss serves the clauses of a dozen lines, because each costs the minute that the protocol makes a station wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.units import MINUTE_MS, SECOND_MS
from edge_agent.headend.conform.asking import awaited
from edge_agent.headend.conform.bench import Bench, Seen
from edge_agent.headend.conform.orders import Order
from edge_agent.headend.conform.scene_greeting import Greeting, greet
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import Up

SHORT_MS = SECOND_MS
# How long the order is valid that is to be void by the time the station is back.


class NeverBack(CannotTry):
    """The station stays away: that fails one clause, and leaves the others untried."""


@dataclass(frozen=True, slots=True)
class Return:
    """What was seen. ``mark`` is where the scene began in the bench's memory; ``taken_s`` the instant of the loss."""

    mark: int
    taken_s: float
    hello: Seen
    birth: Seen | None
    queued: Order
    queued_answer: AnswerMsg | None
    void_answer: AnswerMsg | None
    retained: Order
    unacknowledged: frozenset[tuple[str, int, str]]
    greeting: Greeting


def come_back(bench: Bench) -> Return:
    """Play the scene. Raises CannotTry when there is no certificate to take the session with, or nobody comes back."""
    bench.serving.acks = False
    try:
        return _lost_and_back(bench, _leave_unacknowledged(bench))
    finally:
        bench.serving.acks = bench.serving.welcomes = True


def _leave_unacknowledged(bench: Bench) -> frozenset[tuple[str, int, str]]:
    """Records that the station has uploaded and nobody acknowledged: (epoch, place, hash) of each."""
    mark = len(bench.seen)
    order = bench.orders.for_nobody()
    bench.send(order)
    bench.record(order.digest, bench.pace.answer_s)
    return places(bench, mark)


def places(bench: Bench, since: int) -> frozenset[tuple[str, int, str]]:
    """The records that came from a mark on."""
    return frozenset((batch.epoch, one.seq, one.hash) for batch in bench.batches(since) for one in batch.records)


def _lost_and_back(bench: Bench, unacknowledged: frozenset[tuple[str, int, str]]) -> Return:
    retained, mark = bench.orders.normal(), len(bench.seen)
    bench.serving.welcomes = False
    try:
        with bench.take_over() as session:
            taken_s = bench.clock()
            # Nobody is subscribed now, so that this one is kept and reaches nobody as an ordinary message.
            bench.line.lay(bench.topic, retained.envelope, qos=1, retain=True)
            session.subscribe(bench.topic)
        queued, void = _fill_the_queue(bench)
        hello = _await_hello(bench, mark, taken_s)
        birth = bench.wait(lambda one: one.kind == Up.STATE, bench.pace.show_s, hello.number)
        answers = [awaited(bench, order, hello.number) for order in (queued, void)]
        greeting = greet(bench, hello)
    finally:
        bench.line.forget(bench.topic)
    return Return(mark, taken_s, hello, birth, queued, answers[0], answers[1], retained, unacknowledged, greeting)


def _await_hello(bench: Bench, mark: int, taken_s: float) -> Seen:
    hello = bench.wait(lambda one: one.kind == Up.HELLO and one.at_s >= taken_s, bench.pace.back_s_max, mark)
    if hello is None:
        raise NeverBack(f"no hello within {bench.pace.back_s_max:.0f} s of the session taken over")
    return hello


def _fill_the_queue(bench: Bench) -> tuple[Order, Order]:
    """One order that will be good when the station is back, and one that will be void."""
    orders, now = bench.orders, bench.orders.now()
    queued = orders.normal(due=orders.due(round(bench.pace.back_s_max * SECOND_MS) + MINUTE_MS))
    void = orders.normal(when={"kind": "now"}, not_after=now + SHORT_MS)
    bench.send(queued)
    bench.send(void)
    return queued, void
