"""Group after group (requirement S8), listened to behind the card: each zone hears its own turn, to the very sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio.mixer import risen
from edge_agent.audio.turns import FOR_ALL, Turns, own
from edge_agent.core.programme import EVERYBODY, Part, Pause, ZoneFeed, rest_of
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group
from edge_agent.core.turns import staggered
from tests.audio.player_rig import (
    LEFT,
    RAMP,
    RATE,
    RIGHT,
    Samples,
    VirtualCardsRig,
    VirtualRig,
    begin,
    first_of,
    noise,
    pause,
    route,
    stage,
    stop,
    until_ended,
    until_started,
)

GAP_MS = 400
BOTH = (ZoneFeed(LEFT, 100, Group.A), ZoneFeed(RIGHT, 100, Group.B))
VirtualCard = VirtualRig | VirtualCardsRig


@pytest.fixture(params=[VirtualRig, VirtualCardsRig], ids=["one card", "two cards"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> VirtualCard:
    made: VirtualCard = request.param(tmp_path)
    return made


def in_turns(rig: VirtualCard, chime: Samples, *items: Samples) -> tuple[Part, ...]:
    """A chime for all, each item for the left zone, then each for the right one, and a chime for all."""
    sounds = [stage(rig, f"item-{number}", item) for number, item in enumerate(items)]
    body = staggered(tuple(sounds), GAP_MS)
    return (stage(rig, "chime", chime), Pause(100), *body, Pause(100), stage(rig, "end", chime[::-1].copy()))


def test_the_chimes_are_heard_in_both_zones_at_once_and_each_item_in_one_after_the_other(rig: VirtualCard) -> None:
    chime, one, two = noise(0.5, 1), noise(1.0, 2), noise(0.7, 3)
    begin(rig, "p", in_turns(rig, chime, one, two), BOTH)
    end = until_ended(rig, "p")
    assert end.reason is None
    own_ms = 500 + 100 + 1_000 + 700 + 100 + 500
    assert end.zone_ms == {LEFT: own_ms, RIGHT: own_ms}
    heard = rig.heard()
    at = first_of(heard, 0, chime)
    pause_frames, gap = RATE // 10, RATE * GAP_MS // 1_000
    left = at + len(chime) + pause_frames
    right = left + len(one) + len(two) + gap
    closing = right + len(one) + len(two) + pause_frames
    for channel, turn in ((0, left), (1, right)):
        sound = heard.samples[:, channel]
        assert np.array_equal(sound[at + RAMP : at + len(chime)], chime[RAMP:]), "chimes are simultaneous"
        assert np.array_equal(sound[turn : turn + len(one)], one), "not a sample of its turn is ramped or lost"
        assert np.array_equal(sound[turn + len(one) : turn + len(one) + len(two)], two)
        assert np.array_equal(sound[closing : closing + len(chime) - RAMP], chime[::-1][:-RAMP])
    assert not heard.samples[left : right - gap, 1].any(), "the other's turn is silence"
    assert not heard.samples[right - gap : closing, 0].any()


def test_a_zone_that_is_cut_off_in_its_turn_leaves_the_others_turn_exact(rig: VirtualCard) -> None:
    chime, one = noise(0.5, 4), noise(2.0, 5)
    begin(rig, "p", in_turns(rig, chime, one), BOTH)
    until_started(rig, "p")
    pause(rig, 1_500)
    route(rig, "p", BOTH[1:])
    end = until_ended(rig, "p")
    assert end.zone_ms[RIGHT] == 500 + 100 + 2_000 + 100 + 500
    assert 600 < end.zone_ms[LEFT] < 600 + 2_000
    heard = rig.heard()
    turn = first_of(heard, 1, one, skipped=0)
    assert np.array_equal(heard.samples[turn : turn + len(one), 1], one)
    assert not heard.samples[turn:, 0].any()


def test_what_is_stopped_in_the_first_turn_was_heard_by_the_second_as_far_as_the_chime(rig: VirtualCard) -> None:
    chime, one = noise(0.5, 6), noise(2.0, 7)
    parts = in_turns(rig, chime, one)
    begin(rig, "p", parts, BOTH)
    until_started(rig, "p")
    pause(rig, 1_600)
    stop(rig, "p")
    end = until_ended(rig, "p")
    assert end.reason is Reason.SHUTDOWN
    assert end.zone_ms[RIGHT] == 600
    assert 600 < end.zone_ms[LEFT] < 2_600
    begin(rig, "rest", rest_of(parts, end.zone_ms[LEFT]), BOTH)
    until_ended(rig, "rest")
    heard = rig.heard()
    turn = first_of(heard, 1, one, skipped=0)
    assert np.array_equal(heard.samples[turn : turn + len(one), 1], one), "its own turn is still whole"


def test_the_gap_is_nobodys(rig: VirtualCard) -> None:
    one = noise(1.0, 8)
    begin(rig, "p", staggered((stage(rig, "a", one),), GAP_MS), BOTH)
    end = until_ended(rig, "p")
    assert end.zone_ms == {LEFT: 1_000, RIGHT: 1_000}


def test_without_a_chime_before_it_each_group_rises_out_of_silence_in_its_own_turn(rig: VirtualCard) -> None:
    one = noise(1.0, 9)
    begin(rig, "p", staggered((stage(rig, "a", one),), GAP_MS), BOTH, rise_ms=500)
    until_ended(rig, "p")
    heard = rig.heard()
    rise = RATE // 2
    softly = np.frombuffer(risen(one.tobytes(), 0, rise), np.int16)
    for channel in (0, 1):
        begins = first_of(heard, channel, one, skipped=rise)
        assert np.array_equal(heard.samples[begins + RAMP : begins + len(one) - RAMP, channel], softly[RAMP:-RAMP])


def test_behind_a_chime_that_has_risen_no_turn_rises_again(rig: VirtualCard) -> None:
    chime, one = noise(1.0, 10), noise(1.0, 11)
    begin(rig, "p", in_turns(rig, chime, one), BOTH, rise_ms=500)
    until_ended(rig, "p")
    heard = rig.heard()
    for channel in (0, 1):
        begins = first_of(heard, channel, one, skipped=0)
        assert np.array_equal(heard.samples[begins : begins + len(one), channel], one)


def test_zones_of_one_group_hear_a_turn_together(rig: VirtualCard) -> None:
    one = noise(1.0, 12)
    begin(rig, "p", staggered((stage(rig, "a", one),), GAP_MS), tuple(ZoneFeed(z, 100, Group.B) for z in (LEFT, RIGHT)))
    end = until_ended(rig, "p")
    assert end.zone_ms == {LEFT: 1_000, RIGHT: 1_000}
    heard = rig.heard()
    assert first_of(heard, 0, one) == first_of(heard, 1, one)


bounds = st.lists(st.integers(1, 400), min_size=1, max_size=6)
who = st.sampled_from((EVERYBODY, frozenset({Group.A}), frozenset({Group.B}), frozenset()))


@given(bounds, st.lists(who, min_size=7, max_size=7), st.integers(0, 2_000), st.integers(0, 600))
def test_whoever_hears_it_every_frame_is_in_one_span(
    steps: list[int], heard: list[frozenset[Group]], first: int, frames: int
) -> None:
    starts = [0]
    for step in steps:
        starts.append(starts[-1] + step)
    turns = Turns(tuple(starts), tuple(heard[: len(starts)]))
    spans = list(turns.spans(first, frames))
    assert sum(length for length, _ in spans) == frames
    at = first
    for length, groups in spans:
        assert length > 0
        for frame in (at, at + length - 1):
            assert groups == turns.heard[max(n for n, start in enumerate(starts) if start <= frame)]
        at += length


@given(st.integers(0, 900), st.integers(0, 300), st.integers(0, 500), st.sampled_from(Group))
def test_however_it_is_cut_into_blocks_a_group_hears_the_same(cut: int, rise: int, first: int, group: Group) -> None:
    """What is taken back and written again must be the same."""
    turns = Turns((0, 200, 500, 700), (EVERYBODY, frozenset({Group.A}), frozenset(), frozenset({Group.B})))
    sound = noise(1_000 / RATE, 13)
    whole = own(sound.tobytes(), 0, turns, group, rise)
    cut = max(cut, first)
    pieces = own(sound[first:cut].tobytes(), first, turns, group, rise) + own(
        sound[cut:].tobytes(), cut, turns, group, rise
    )
    assert pieces == whole[first * 2 :]


def test_what_is_for_all_is_handed_on_untouched() -> None:
    sound = noise(0.1, 14).tobytes()
    assert own(sound, 7, FOR_ALL, Group.B, 0) == sound
    assert FOR_ALL.for_all
    assert not Turns((0,), (frozenset({Group.A}),)).for_all


def test_parts_that_no_group_has_are_silence_for_all() -> None:
    assert own(b"\1\1" * 10, 0, Turns((0,), (frozenset(),)), Group.A, 0) == bytes(20)
