"""What waits for the welcome, which welcome counts, and what it releases."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import (
    Connected,
    Disconnected,
    HelloDue,
    RecordSaved,
    Tick,
)
from edge_agent.core.job import LogAck
from tests.core.bench import Bench
from tests.trust import makers


def untrusted(bench: Bench) -> Bench:
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    return bench


def trusted(bench: Bench) -> Bench:
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    return bench


def test_before_the_welcome_a_routine_order_waits_and_an_emergency_sounds() -> None:
    bench = Bench().boot(welcomed=False)
    routine = bench.at(60)
    assert bench.state.jobs[routine].held
    flood = bench.order(**{"class": "emergency"}, job_id="flood")
    assert bench.phase(flood).value == "playing"


def test_an_emergency_whose_validity_cannot_be_told_waits_for_the_welcome() -> None:
    bench = untrusted(Bench()).boot(welcomed=False)
    flood = bench.order(**{"class": "emergency"})
    assert bench.state.jobs[flood].held
    trusted(bench).welcome()
    assert bench.phase(flood).value == "playing"


def test_a_routine_order_that_comes_while_the_clock_is_not_trusted_waits_although_there_was_a_welcome() -> None:
    """By a clock that is in dispute nobody can say whether it is still valid, or night."""
    bench = Bench().boot()
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    job = bench.order()
    assert (bench.state.jobs[job].held, bench.answers()) == (True, [("accepted", None)])
    bench.now = replace(bench.now, source=ClockSource.SIGNED)
    bench.pass_s(1)
    assert not bench.state.jobs[job].held


def test_the_welcome_releases_what_waited_and_counts_from_then_on() -> None:
    bench = Bench().boot(welcomed=False)
    job = bench.order(when=makers.rule_when())
    bench.welcome()
    assert not bench.state.jobs[job].held
    assert bench.every(fx.ReleaseJob) == [fx.ReleaseJob(job, bench.now.utc)]
    assert bench.play(job)


def test_what_expired_while_it_waited_is_recorded_and_over() -> None:
    bench = Bench().boot(welcomed=False)
    job = bench.order()
    bench.pass_s(3_600)
    bench.welcome()
    assert bench.outcomes() == [(job, "expired", "expired")]
    assert bench.every(fx.CommitRecord)[0].job_over
    assert bench.state.jobs == {}


def test_a_welcome_for_another_hello_is_refused() -> None:
    bench = Bench().boot(welcomed=False)
    nonce = bench.state.link.nonce
    for other in ("00" * 16, nonce[:-1] + ("1" if nonce.endswith("0") else "0")):
        bench.welcome(other)
        assert not bench.state.welcomed
    assert bench.every(fx.AdoptTime) == []


def test_a_welcome_is_good_only_once() -> None:
    bench = Bench().boot(welcomed=False)
    nonce = bench.state.link.nonce
    bench.welcome(nonce)
    bench.said.clear()
    bench.welcome(nonce)
    assert bench.every(fx.AdoptTime) == []


def test_a_delayed_welcome_does_not_move_the_clock_until_the_line_is_known_to_be_slow() -> None:
    bench = Bench().boot(welcomed=False)
    for _ in range(3):
        nonce = bench.state.link.nonce
        bench.pass_s(8)
        bench.welcome(nonce)
        assert not bench.state.welcomed
        assert bench.state.link.nonce != nonce, "asked again under a fresh nonce"
    nonce = bench.state.link.nonce
    bench.pass_s(8)
    bench.welcome(nonce)
    assert bench.state.welcomed


def test_spoofed_network_time_does_not_silence_an_emergency() -> None:
    bench = Bench().boot()
    bench.now = replace(bench.now, source=ClockSource.DISPUTED)
    flood = bench.order(**{"class": "emergency"})
    assert bench.phase(flood).value == "playing"


def test_an_emergency_that_waited_for_the_time_sounds_when_network_time_comes() -> None:
    bench = untrusted(Bench()).boot(welcomed=False)
    flood = bench.order(**{"class": "emergency"})
    bench.now = replace(bench.now, source=ClockSource.NTP)
    bench.send(Tick())
    assert bench.phase(flood).value == "playing"


def test_an_acknowledgement_of_another_chain_is_ignored() -> None:
    bench = Bench().boot()
    bench.send(RecordSaved(1))
    bench.arrive(LogAck("an older chain", 1, "h"), makers.ACK_TOPIC)
    assert bench.every(fx.SaveLogAck) == []


def test_a_welcome_in_time_makes_the_next_late_one_suspicious_again() -> None:
    bench = Bench().boot(welcomed=False)
    for _ in range(4):
        bench.send(HelloDue())
    bench.welcome()
    assert bench.state.welcomed
    bench.send(HelloDue())
    nonce = bench.state.link.nonce
    bench.pass_s(8)
    bench.said.clear()
    bench.welcome(nonce)
    assert bench.every(fx.AdoptTime) == []


def test_a_log_acknowledgement_that_says_nothing_new_is_ignored() -> None:
    bench = Bench().boot()
    said = bench.arrive(LogAck("e1", 5, "h"), makers.ACK_TOPIC)
    assert [type(one) for one in said] == [fx.Ack]


def test_a_new_connection_asks_under_another_nonce() -> None:
    bench = Bench().boot()
    bench.send(Disconnected("gone"))
    bench.send(Connected(2, "cd" * 16))
    bench.pass_s(31)
    nonces = [one.nonce for one in bench.every(fx.SendHello)]
    assert len(nonces) == len(set(nonces)) == 2
