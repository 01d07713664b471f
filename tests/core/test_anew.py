"""When a process may end to begin anew: never where a sound, or what only memory holds, would be lost by it."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core.anew import CLEAR_MS
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import AnewWanted, DeviceDown
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Lock, SelfTest
from edge_agent.core.units import HOUR_MS, SECOND_MS
from tests.core.bench import Bench


def ends(bench: Bench) -> bool:
    """Whether it does, when it is wanted now."""
    before = len(bench.every(fx.EndProcess))
    bench.send(AnewWanted())
    return len(bench.every(fx.EndProcess)) > before


def test_a_process_that_has_nothing_to_do_ends_when_that_mends_something() -> None:
    bench = Bench().boot()
    bench.at(CLEAR_MS / SECOND_MS + 1)
    assert ends(bench)
    assert bench.every(fx.StopPlay) == []


def test_not_while_something_sounds_and_soon_after_it() -> None:
    bench = Bench().boot()
    job = bench.playing()
    assert not ends(bench)
    bench.end(job)
    assert bench.closed() == set()
    assert ends(bench)


def test_not_before_what_is_soon_due() -> None:
    bench = Bench().boot()
    bench.at(CLEAR_MS / SECOND_MS)
    assert not ends(bench)


def test_not_while_what_is_due_waits_for_the_device() -> None:
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    job = bench.order(**{"class": "emergency"})
    assert bench.phase(job) is Phase.QUEUED
    assert not ends(bench)


def test_nor_where_nobody_knows_the_time() -> None:
    """By a clock that is not trusted nothing can be said to be due."""
    bench = Bench().boot()
    bench.send(DeviceDown("gone"))
    warning = bench.order(**{"class": "emergency"})
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    assert bench.phase(warning) is Phase.QUEUED
    assert not ends(bench)


def test_not_while_a_technician_looks_at_a_relay() -> None:
    bench = Bench().boot()
    bench.rule(SelfTest())
    assert bench.closed()
    assert not ends(bench)


def test_not_while_the_disk_has_not_taken_an_order_or_a_rule() -> None:
    """A warning that a full card refuses sounds from memory, at each of its hours."""
    for come in (lambda bench: bench.at(3_600), lambda bench: bench.rule(Lock(HOUR_MS))):
        bench = Bench().boot()
        bench.deaf = {fx.SaveJob}
        come(bench)
        assert not ends(bench)


def test_a_station_that_does_not_know_the_time_is_not_kept_by_what_waits_for_it() -> None:
    bench = Bench().boot()
    bench.at(CLEAR_MS / SECOND_MS / 2)
    bench.now = replace(bench.now, source=ClockSource.UNSET)
    assert ends(bench)
