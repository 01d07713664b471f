"""What an armed occurrence waits for: its intent on the disk, and its relays, which may be late or broken."""

from __future__ import annotations

from edge_agent.core import effects as fx
from edge_agent.core.events import (
    IntentSaved,
    RelayChanged,
    RelayFailed,
)
from edge_agent.core.occurrence import Phase
from edge_agent.core.playing import INTENT_WAIT_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.switching import RELAY_TAIL_MS
from edge_agent.core.units import JobId, UtcMs
from tests.core.bench import CHO, DINH, Bench


def test_intent_that_never_reaches_the_disk_delays_but_does_not_silence() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveMark)
    job = bench.order()
    assert bench.every(fx.SwitchRelay) == []
    bench.pass_s(0.6)
    assert bench.wakes_in_ms() == INTENT_WAIT_MS - 600
    bench.pass_s(0.5)
    assert bench.phase(job) is Phase.PLAYING


def test_an_intent_that_is_late_does_not_make_the_agent_spin() -> None:
    bench = Bench().boot()
    bench.deaf |= {fx.SaveMark, fx.SwitchRelay}
    bench.order()
    bench.pass_s(1.1)
    assert bench.every(fx.SwitchRelay), "nobody waits for the intent any more"
    assert bench.wakes_in_ms() > 0


def test_a_failed_intent_is_said_and_the_play_goes_on() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SaveMark)
    job = bench.order()
    play = bench.play(job)
    bench.send(IntentSaved(play.job_id, play.planned, durable=False))
    assert bench.phase(job) is Phase.PLAYING


def test_an_intent_of_something_else_is_ignored() -> None:
    bench = Bench().boot()
    assert bench.send(IntentSaved(JobId("gone"), UtcMs(1))) == []


def test_relays_that_never_confirm_fail_the_play_after_a_second_try() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    bench.pass_s(4)
    assert (bench.phase(job), bench.play(job).held_by) == (Phase.QUEUED, Reason.RELAY_FAILED)
    assert bench.wakes_in_ms() == 3_000
    bench.pass_s(3)
    assert bench.phase(job) is Phase.ARMED
    bench.pass_s(4)
    assert bench.outcomes() == [(job, "failed", "relay_failed")]
    assert bench.closed() == set()


def test_a_closing_that_is_told_late_is_none_of_the_one_that_was_ordered_since() -> None:
    """The relay was told to open meanwhile: its amplifier is cold again."""
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    first = bench.now.mono
    bench.order()
    bench.pass_s(4)
    bench.pass_s(3)
    for zone in (CHO, DINH):
        bench.send(RelayChanged(zone, True, "order", first))
    assert bench.every(fx.StartPlay) == []
    bench.confirm_relays()
    (start,) = bench.every(fx.StartPlay)
    assert start.at > bench.now.mono, "it warms up first"


def test_one_broken_relay_does_not_stop_the_other_zone() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    job = bench.order()
    bench.send(RelayChanged(CHO, True, "order", bench.now.mono))
    bench.send(RelayFailed(DINH, "stuck"))
    assert bench.phase(job) is Phase.PLAYING
    assert [feed.zone for feed in bench.every(fx.StartPlay)[0].feeds] == [CHO]
    bench.deaf.clear()
    bench.end(job)
    (commit,) = bench.every(fx.CommitRecord)
    assert [(one.zone, one.reason) for one in commit.record.zones] == [(CHO, None), (DINH, Reason.RELAY_FAILED)]


def test_late_confirmation_moves_the_first_sample_behind_the_warm_up() -> None:
    bench = Bench().boot()
    bench.deaf.add(fx.SwitchRelay)
    bench.at(60)
    bench.pass_s(58.8)
    bench.pass_s(1.7)
    bench.confirm_relays()
    (start,) = bench.every(fx.StartPlay)
    assert start.at == bench.now.mono + 1_000
    last = [one for one in bench.every(fx.SwitchRelay) if one.zone == CHO][-1]
    assert bench.now.mono + last.off_after_ms == start.at + 10_000 + RELAY_TAIL_MS, "its relay opens with the end"
