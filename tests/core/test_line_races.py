"""Races on the line: a welcome, a session or an acknowledgement that comes late, twice or for an earlier one."""

from __future__ import annotations

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import Connected, JobSaved, RecordSaved
from edge_agent.core.job import LogAck
from tests.core.bench import Bench, at_work
from tests.trust import makers


def test_a_welcome_while_an_order_is_in_flight_releases_it_once() -> None:
    bench = Bench().boot(welcomed=False)
    bench.deaf.add(fx.SaveJob)
    order = bench.order(job_id="tren-duong")
    bench.welcome()
    bench.send(JobSaved(order))
    bench.welcome()
    bench.pass_s(2)
    assert len(bench.every(fx.StartPlay)) == 1
    assert [verdict for verdict, _ in bench.answers()].count("accepted") == 1


def test_a_delivery_of_an_earlier_connection_is_delivered_again_and_has_one_effect() -> None:
    bench = at_work()
    bench.deaf.add(fx.SaveJob)
    made = bench.make(job_id="mot", when={"kind": "at", "utc": bench.now.utc + 60_000})
    bench.arrive(bench.accept(made))
    bench.send(Connected(2, "cd" * 16))
    bench.arrive(bench.accept(made))
    bench.send(JobSaved(made.job_id))
    assert len(bench.every(fx.SaveJob)) == 1
    assert len(bench.every(fx.Ack)) == 2
    assert bench.answers() == [("accepted", None)]


@pytest.mark.parametrize("order", [(3, 5, 7), (7, 5, 3), (5, 7, 3), (7, 7, 5)])
def test_acks_in_any_order_move_the_cursor_forward_and_never_back(order: tuple[int, ...]) -> None:
    bench = at_work()
    for seq in range(1, 9):
        bench.send(RecordSaved(seq))
    for seq in order:
        bench.arrive(LogAck("e1", seq, "h"), makers.ACK_TOPIC)
    assert bench.state.link.acked_seq == 7
    moved = [one.seq for one in bench.every(fx.SaveLogAck)]
    assert moved == sorted(set(moved))


def test_an_ack_of_a_chain_that_is_not_written_any_more_moves_nothing() -> None:
    bench = at_work()
    bench.send(RecordSaved(1))
    bench.arrive(LogAck("e0", 1, "h"), makers.ACK_TOPIC)
    assert bench.state.link.acked_seq == 0
