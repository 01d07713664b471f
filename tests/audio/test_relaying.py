"""A live source as it is heard, in virtual time: exact in length, no click at a joint, no trouble of the play."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from edge_agent.audio.live import BLOCK_MS, SILENT_MS, SPARE_MS, STAY_MS, TARGET_MS, WATCH_MS
from edge_agent.core.programme import Pause, Relayed, Sound
from tests.audio.live_play import (
    CLIP,
    HUM_HZ,
    LOUD,
    RAMP_STEP,
    RATE,
    RESERVE_MS,
    STANDING,
    TURN_MS,
    Play,
    counted,
    hum,
    live,
    ms_at,
    silent_from,
    steady,
    steepest,
)


def test_a_live_part_is_the_source_to_the_sample_but_for_its_ends() -> None:
    play = Play(live(60_000), sound=counted)
    heard = play.run()
    assert len(heard) == 60 * RATE
    first = play.tape.reads[0][1]
    expected = np.frombuffer(b"".join(map(counted, range(first, first + 600))), np.int16)
    ramp = RATE * 5 // 1_000
    assert np.array_equal(heard[ramp:-ramp], expected[ramp:-ramp])
    assert heard[0] == 0 or heard[0] < expected[0] // 10
    assert heard[-1] < expected[-1] // 10
    assert play.pcm.relayed == Relayed(60_000, 0, 0)


@pytest.mark.parametrize("ms", [1, 50, 100, 101, 59_950])
@pytest.mark.parametrize("given", [steady, lambda _: 0])
def test_it_lasts_as_long_as_was_ordered_whatever_comes(ms: int, given: Callable[[int], int]) -> None:
    play = Play(Pause(7), live(ms), Sound(CLIP, 60_000), given=given)
    heard = play.run()
    assert play.pcm.frames == len(heard) == (7 + ms + 60_000) * RATE // 1_000
    relayed = play.pcm.relayed
    assert relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms == ms


def test_a_source_with_a_smaller_target_is_heard_sooner() -> None:
    """A line-in: no line holds it up."""
    owed = RESERVE_MS - TARGET_MS + 300
    near, far = (Play(live(30_000), given=lambda ms: ms + owed, target_ms=target) for target in (300, TARGET_MS))
    near.run()
    far.run()
    assert near.pcm.relayed == Relayed(30_000, 0, 0)
    assert far.pcm.relayed.live_ms < 30_000


def test_a_hole_of_half_a_second_is_not_heard() -> None:
    play = Play(live(60_000), given=lambda ms: steady(20_000 if 20_000 < ms < 20_500 else ms))
    play.run()
    assert play.pcm.relayed == Relayed(60_000, 0, 0)


def test_a_hole_of_five_seconds_is_a_moment_of_silence_and_the_stand_in() -> None:
    play = Play(live(60_000), given=silent_from(20_000, 5_000))
    heard = play.run()
    relayed = play.pcm.relayed
    assert relayed.silent_ms == SILENT_MS
    assert STAY_MS <= relayed.stand_in_ms <= 5_000 + TARGET_MS * 3 // 2 + TURN_MS
    assert relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms == 60_000
    assert (ms_at(heard, LOUD), ms_at(heard, STANDING)) == (relayed.live_ms, relayed.stand_in_ms)


def test_a_source_that_is_lost_for_good_is_replaced_to_the_end() -> None:
    play = Play(live(60_000), given=silent_from(20_000, 10**9))
    heard = play.run()
    lost = 20_000 + RESERVE_MS
    first = play.tape.reads[0][1]
    assert first == 0
    assert play.pcm.relayed == Relayed(lost, 60_000 - lost - SILENT_MS, SILENT_MS)
    assert np.array_equal(heard[-RATE:-100], np.full(RATE - 100, STANDING))


def test_a_source_that_never_comes() -> None:
    play = Play(live(60_000), given=lambda _: 0)
    play.run()
    assert play.pcm.relayed == Relayed(0, 60_000 - SILENT_MS, SILENT_MS)


def test_without_source_and_stand_in_it_is_silence_and_counted() -> None:
    play = Play(live(60_000, None), given=lambda _: 0)
    assert not play.run().any()
    assert play.pcm.relayed == Relayed(0, 0, 60_000)
    assert play.pcm.trouble is None


def test_what_comes_at_once_at_its_connecting_makes_nobody_late() -> None:
    play = Play(live(120_000), given=lambda ms: ms + 9_000)
    play.run()
    assert play.pcm.relayed == Relayed(120_000, 0, 0)
    assert max(delays(play)) <= RESERVE_MS


def delays(play: Play) -> list[int]:
    """How much of the source lay ready at each reading, what was read included."""
    return [play.tape.given(at) - number * BLOCK_MS for at, number in play.tape.reads]


@pytest.mark.parametrize("ppm", [1_000, -1_000])
def test_an_hour_of_a_source_whose_clock_is_off(ppm: int) -> None:
    play = Play(live(3_600_000), given=lambda ms: steady(ms) + ms * ppm // 1_000_000)
    assert len(play.run()) == 3_600 * RATE
    relayed = play.pcm.relayed
    assert relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms == 3_600_000
    assert relayed.live_ms >= 3_600_000 - (0 if ppm > 0 else 3_600_000 * -ppm // 1_000_000 * 4)
    assert (relayed.live_ms < 3_600_000) is (ppm < 0), "3.6 s are more than the target"
    settled = delays(play)[2 * WATCH_MS // BLOCK_MS :]
    assert max(settled) <= TARGET_MS + SPARE_MS + 2 * TURN_MS + WATCH_MS // 1_000


def test_no_joint_clicks() -> None:
    """A source that comes and goes in the middle of its wave, between sounds of full level on both sides."""
    play = Play(Pause(50), live(60_000), Pause(50), given=silent_from(20_033, 5_000), sound=hum)
    heard = play.run()
    assert play.pcm.relayed.stand_in_ms > 0
    wave = math.ceil(LOUD * 2 * math.pi * HUM_HZ / RATE)
    assert steepest(heard) <= wave + RAMP_STEP


def test_what_is_left_out_of_the_source_does_not_click() -> None:
    play = Play(live(60_000), given=lambda ms: steady(ms) + (6_033 if ms >= 20_000 else 0), sound=hum)
    play.tape.torn = {100, 103}
    heard = play.run()
    assert play.pcm.relayed == Relayed(60_000, 0, 0)
    order = [number for _, number in play.tape.reads]
    assert any(after - before > 40 for before, after in pairwise(order)), "something was left out"
    wave = math.ceil(LOUD * 2 * math.pi * HUM_HZ / RATE)
    assert steepest(heard) <= wave + RAMP_STEP


def test_a_torn_block_is_left_out() -> None:
    play = Play(live(30_000), sound=counted)
    play.tape.torn = {150}
    heard = play.run()
    assert play.pcm.relayed == Relayed(30_000, 0, 0)
    assert 10_150 not in heard
    assert {10_149, 10_151} <= set(heard.tolist())


def test_a_ring_that_is_torn_all_over_is_a_source_that_gives_nothing() -> None:
    """It is tried again and again, and each time is a moment of silence; most of the time the stand-in is heard."""
    play = Play(live(60_000), torn=set(range(10_000)))
    play.run()
    relayed = play.pcm.relayed
    assert relayed.live_ms == 0
    assert relayed.stand_in_ms >= STAY_MS // SILENT_MS * relayed.silent_ms


def test_a_source_that_may_not_be_read_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    play = Play(live(30_000), forbidden=True)
    play.run()
    assert play.pcm.trouble is None
    assert play.pcm.relayed == Relayed(0, 30_000 - SILENT_MS, SILENT_MS)
    assert [record.levelname for record in caplog.records].count("ERROR") == 1, "once, not ten times a second"
