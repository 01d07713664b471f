"""What a channel hears: untouched at full volume, ramped at every change, added without wrapping."""

from __future__ import annotations

import math
from array import array
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.audio.mixer import (
    CHANNELS_OF,
    RAMP_MS,
    RISE_STEP,
    Fader,
    Outlet,
    gain_of,
    interleaved,
    outlet_fits,
    placed,
    risen,
    volume_db,
)

RATE = 48_000
RAMP = RATE * RAMP_MS // 1_000


def pcm(*samples: int) -> bytes:
    return array("h", samples).tobytes()


def values(sound: bytes) -> list[int]:
    return list(array("h", sound))


def opened(gain: float = 1.0) -> Fader:
    """A fader whose first ramp is over."""
    fader = Fader(RATE)
    fader.aim(gain)
    fader.pass_on(bytes(2 * RAMP))
    return fader


@pytest.mark.parametrize(("volume", "db"), [(100, 0.0), (50, -12.04), (10, -40.0), (1, -80.0), (0, -math.inf)])
def test_volume_in_decibels(volume: int, db: float) -> None:
    assert volume_db(volume) == pytest.approx(db, abs=0.005)


def test_full_volume_is_exactly_one_and_none_is_exactly_nothing() -> None:
    assert (gain_of(100), gain_of(0)) == (1.0, 0.0)


def test_louder_volume_is_never_quieter() -> None:
    gains = [gain_of(volume) for volume in range(101)]
    assert gains == sorted(set(gains))


def test_full_volume_hands_on_the_very_bytes() -> None:
    sound = pcm(1, -32_768, 32_767)
    assert opened().pass_on(sound) is sound


def test_a_closed_fader_gives_silence() -> None:
    assert Fader(RATE).pass_on(pcm(9, 9)) is None


def test_a_gain_between_scales_every_sample() -> None:
    assert values(opened(0.5).pass_on(pcm(1_000, -1_000, 32_767)) or b"") == [500, -500, 16_383]


RISE = RATE  # a second


def test_a_rise_begins_in_silence_never_falls_makes_no_step_and_then_hands_on_the_very_bytes() -> None:
    loudest = 30_000
    heard = values(risen(pcm(*[loudest] * (RISE + 100)), 0, RISE))
    steps = np.diff(heard[:RISE])
    assert heard[0] == 0
    assert steps.min() >= 0
    assert steps.max() <= math.ceil(loudest * 2 * RISE_STEP / RISE)
    assert heard[RISE:] == [loudest] * 100
    after = pcm(1, 2, 3)
    assert risen(after, RISE, RISE) is after


def test_a_rise_is_a_volume_that_goes_up_evenly() -> None:
    heard = values(risen(pcm(*[30_000] * RISE), 0, RISE))
    for percent in (25, 50, 75):
        assert heard[RISE * percent // 100] == pytest.approx(30_000 * gain_of(percent), rel=0.01)


@given(cuts=st.lists(st.integers(1, RISE), max_size=5, unique=True).map(sorted), rise=st.integers(0, RISE))
def test_a_rise_is_the_same_in_whatever_pieces_it_is_written(cuts: list[int], rise: int) -> None:
    sound = pcm(*([12_345, -12_345] * (RISE // 2)))
    edges = [0, *cuts, RISE]
    pieces = [risen(sound[one * 2 : two * 2], one, rise) for one, two in pairwise(edges)]
    assert b"".join(pieces) == risen(sound, 0, rise)


def test_without_a_rise_the_very_bytes_are_heard() -> None:
    sound = pcm(5, -5)
    assert risen(sound, 0, 0) is sound


def test_opening_rises_sample_by_sample_and_then_is_exact() -> None:
    fader = Fader(RATE)
    fader.aim(1.0)
    heard = values(fader.pass_on(pcm(*[10_000] * (RAMP + 10))) or b"")
    assert np.max(np.diff(heard)) <= math.ceil(10_000 / RAMP)
    assert heard == sorted(heard)
    assert heard[RAMP - 1 :] == [10_000] * 11


def test_closing_falls_to_silence() -> None:
    fader = opened()
    fader.aim(0.0)
    heard = values(fader.pass_on(pcm(*[10_000] * (RAMP + 10))) or b"")
    assert heard == sorted(heard, reverse=True)
    assert heard[0] > 9_900
    assert heard[RAMP - 1 :] == [0] * 11
    assert fader.pass_on(pcm(10_000)) is None


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.integers(1, 100), min_size=1, max_size=20))
def test_a_ramp_is_the_same_however_the_sound_is_cut(cuts: list[int]) -> None:
    sound = pcm(*range(-2_000, 2_000))
    whole, cut = Fader(RATE), Fader(RATE)
    whole.aim(0.8)
    cut.aim(0.8)
    pieces, at = [], 0
    while at < len(sound):
        size = 2 * cuts[len(pieces) % len(cuts)]
        pieces.append(cut.pass_on(sound[at : at + size]) or b"")
        at += size
    assert b"".join(pieces) == whole.pass_on(sound)


def test_turning_back_within_a_ramp_makes_no_step() -> None:
    fader = Fader(RATE)
    fader.aim(1.0)
    up = values(fader.pass_on(pcm(*[10_000] * (RAMP // 2))) or b"")
    fader.aim(0.0)
    down = values(fader.pass_on(pcm(*[10_000] * RAMP)) or b"")
    assert np.max(np.abs(np.diff(up + down))) <= math.ceil(10_000 / RAMP)
    assert down[-1] == 0


def test_aiming_at_where_it_stands_starts_no_ramp() -> None:
    fader = opened()
    fader.aim(1.0)
    sound = pcm(5)
    assert fader.pass_on(sound) is sound


def test_sound_is_placed_within_a_block() -> None:
    assert values(placed(pcm(7, 8), 1, 4)) == [0, 7, 8, 0]
    whole = pcm(7, 8)
    assert placed(whole, 0, 2) is whole


def test_left_and_right_do_not_touch() -> None:
    assert values(interleaved(([pcm(1, 2)], [pcm(-3, -4)]), 2)) == [1, -3, 2, -4]
    assert values(interleaved(([pcm(1, 2)], []), 2)) == [1, 0, 2, 0]
    assert values(interleaved(([], [pcm(-3, -4)]), 2)) == [0, -3, 0, -4]


def test_the_same_on_both_channels() -> None:
    assert values(interleaved(([pcm(1, 2)], [pcm(1, 2)]), 2)) == [1, 1, 2, 2]


def test_silence_is_whole_blocks_of_it() -> None:
    assert interleaved(([], []), 3) == bytes(12)
    assert interleaved(([],), 3) == bytes(6)


def test_one_channel_is_not_doubled() -> None:
    assert values(interleaved(([pcm(1, 2), pcm(10, 10)],), 2)) == [11, 12]


def test_a_sum_saturates_and_does_not_wrap() -> None:
    assert values(interleaved(([pcm(30_000, -30_000), pcm(30_000, -30_000)],), 2)) == [32_767, -32_768]


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(-32_768, 32_767), st.integers(-32_768, 32_767)), min_size=1))
def test_any_two_channels_come_out_as_they_went_in(frames: list[tuple[int, int]]) -> None:
    left, right = (pcm(*side) for side in zip(*frames, strict=True))
    heard = values(interleaved(([left], [right]), len(frames)))
    assert (heard[0::2], heard[1::2]) == ([frame[0] for frame in frames], [frame[1] for frame in frames])


def test_outlets_belong_to_cards_that_have_their_channels() -> None:
    assert [outlet for outlet in Outlet if outlet_fits(outlet, 1)] == [Outlet.MONO]
    assert [outlet for outlet in Outlet if outlet_fits(outlet, 2)] == [Outlet.LEFT, Outlet.RIGHT, Outlet.BOTH]
    assert set(CHANNELS_OF) == set(Outlet)
