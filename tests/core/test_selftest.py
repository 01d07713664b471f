"""The self-test: each relay closes in turn without a sound, and gives way to whoever needs its zone."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.events import RelayFailed
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Lock, SelfTest
from edge_agent.core.units import HOUR_MS
from tests.core.bench import CHO, DINH, at_work, audience


def test_a_self_test_closes_one_zone_after_the_other_and_records_what_it_saw() -> None:
    bench = at_work()
    order = bench.rule(SelfTest())
    assert bench.closed() == {CHO}
    bench.pass_s(1)
    assert bench.closed() == {DINH}
    bench.pass_s(1)
    assert bench.closed() == set()
    record = bench.every(fx.CommitRecord)[-1].record
    assert (record.job_id, record.detail) == (order, f"self_test {CHO}=ok {DINH}=ok")
    assert bench.every(fx.StartPlay) == []


def test_a_self_test_names_the_relay_that_fails_and_the_zone_that_is_needed() -> None:
    bench = at_work()
    bench.playing(audience=audience(DINH))
    bench.deaf = {fx.SwitchRelay}
    bench.rule(SelfTest())
    bench.send(RelayFailed(CHO, "no contact"))
    record = bench.every(fx.CommitRecord)[-1].record
    assert record.detail == f"self_test {CHO}=relay_failed {DINH}=busy"


def test_a_self_test_lets_a_zone_go_that_is_needed() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    warning = bench.order(**{"class": "emergency"})
    bench.pass_s(1)
    assert bench.phase(warning) is Phase.PLAYING
    assert bench.every(fx.CommitRecord)[-1].record.detail == f"self_test {CHO}=busy {DINH}=busy"


def test_a_self_test_that_is_ordered_again_ends_the_first_on_record() -> None:
    bench = at_work()
    first = bench.rule(SelfTest())
    bench.rule(SelfTest())
    records = {effect.record.job_id: effect.record.detail for effect in bench.every(fx.CommitRecord)}
    assert records[first] == f"self_test {CHO}=busy {DINH}=busy"


def test_a_self_test_closes_nothing_under_whoever_is_at_the_horn() -> None:
    bench = at_work()
    bench.rule(Lock(HOUR_MS), zones=[CHO])
    bench.rule(SelfTest())
    assert bench.closed() == {DINH}
    bench.pass_s(1)
    assert bench.every(fx.CommitRecord)[-1].record.detail == f"self_test {CHO}=zone_locked {DINH}=ok"


def test_a_self_test_lets_a_zone_go_that_is_locked() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    assert bench.closed() == {CHO}
    bench.rule(Lock(HOUR_MS))
    assert bench.closed() == set()
