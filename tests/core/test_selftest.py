"""The self-test: each relay closes in turn without a sound, and gives way to whoever needs its zone."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core import selftest
from edge_agent.core.events import RelayChanged, RelayFailed, Restored, SavedRule
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Amplify, Lock, SelfTest
from edge_agent.core.site import ZoneSite
from edge_agent.core.switching import RELAY_CONFIRM_MS
from edge_agent.core.units import HOUR_MS, SECOND_MS
from tests.core.bench import CHO, DINH, Bench, at_work, audience


def seen_by(bench: Bench) -> str:
    """What the record of the self-test says; "" before there is one."""
    told = [one.record.detail for one in bench.every(fx.CommitRecord)]
    return next((detail for detail in reversed(told) if detail.startswith("self_test ")), "")


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


def test_a_self_test_that_the_power_cut_off_says_so() -> None:
    """What it closes may be what takes the power away. That its validity was over says nothing of that."""
    before = at_work()
    order = before.rule(SelfTest())
    (saved,) = [one.saved for one in before.every(fx.SaveJob) if isinstance(one.saved, SavedRule)]
    bench = Bench()
    bench.send(Restored((), (), {}, 0, 0, "e1", rules=(saved,)))
    assert bench.outcomes() == [(order, "interrupted", "power_cut")]
    assert bench.state.rules == {}


def test_a_self_test_names_the_relay_that_fails_and_the_zone_that_is_needed() -> None:
    bench = at_work()
    bench.playing(audience=audience(DINH))
    bench.deaf = {fx.SwitchRelay}
    bench.rule(SelfTest())
    bench.send(RelayFailed(CHO, "no contact"))
    record = bench.every(fx.CommitRecord)[-1].record
    assert record.detail == f"self_test {CHO}=relay_failed {DINH}=busy"


def test_a_relay_that_closes_and_does_not_open_again_has_failed_its_test() -> None:
    """Welded, it is closed whenever that is asked for, and passes every test that only closes it."""
    bench = at_work()
    bench.rule(SelfTest())
    bench.deaf = {fx.SwitchRelay}
    bench.pass_s(1)
    assert bench.closed() == set()
    bench.send(RelayFailed(CHO, "stuck closed"))
    assert seen_by(bench) == ""
    bench.deaf = set()
    bench.pass_s(RELAY_CONFIRM_MS / SECOND_MS)
    assert bench.closed() == {DINH}
    bench.pass_s(1)
    assert seen_by(bench) == f"self_test {CHO}=relay_failed {DINH}=ok"


def test_a_relay_of_which_nobody_can_tell_whether_it_has_opened_does_not_pass() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    bench.deaf = {fx.SwitchRelay}
    bench.pass_s(1)
    bench.send(RelayFailed(CHO, "the read-back does not answer"))
    assert seen_by(bench) == ""
    (wake_at,) = selftest.next_wake(bench.state, bench.now)
    assert wake_at - bench.now.mono == RELAY_CONFIRM_MS, "nobody spins until then"
    bench.deaf = set()
    bench.pass_s(RELAY_CONFIRM_MS / SECOND_MS)
    bench.pass_s(1)
    assert seen_by(bench) == f"self_test {CHO}=relay_failed {DINH}=ok"


def test_a_relay_that_is_to_stay_closed_for_longer_is_seen_opening_then() -> None:
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 0, least_on_ms=5_000)}).boot()
    bench.rule(SelfTest())
    bench.pass_s(4.9)
    assert bench.closed() == {CHO}
    assert seen_by(bench) == ""
    bench.pass_s(0.1)
    assert bench.closed() == set()
    assert seen_by(bench) == f"self_test {CHO}=ok"


def test_a_relay_that_is_said_to_be_open_before_it_is_told_to_open_keeps_the_next_zone_waiting_for_nothing() -> None:
    bench = Bench(zones={CHO: ZoneSite(CHO, "cho", 0, least_on_ms=5_000), DINH: ZoneSite(DINH, "dinh", 0)}).boot()
    bench.rule(SelfTest())
    bench.pass_s(1)
    bench.send(RelayChanged(CHO, False, "order", bench.now.mono))
    bench.deaf = {fx.SwitchRelay}
    bench.pass_s(4)
    assert bench.wakes_in_ms() == 0
    bench.pass_s(0)
    assert [(order.zone, order.on) for order in bench.every(fx.SwitchRelay)][-2:] == [(CHO, False), (DINH, True)]


def test_an_amplifier_that_is_switched_on_meanwhile_is_not_waited_for() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    bench.rule(Amplify(True, 60_000))
    bench.pass_s(1)
    assert bench.closed() == {CHO, DINH}
    assert seen_by(bench) == f"self_test {CHO}=busy {DINH}=busy"


def test_a_warning_that_comes_while_a_tested_relay_opens_is_not_waited_for() -> None:
    bench = at_work()
    bench.rule(SelfTest())
    bench.deaf = {fx.SwitchRelay}
    bench.pass_s(1)
    bench.deaf = set()
    bench.order(**{"class": "emergency"})
    assert seen_by(bench) == f"self_test {CHO}=busy {DINH}=busy"


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
