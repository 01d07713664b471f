"""Which source the next block of a live part comes from: sources that are late, gone, too fast, too slow, in gusts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.audio.live import (
    BLOCK_MS,
    CALM_MS,
    OLDEST_MS,
    SILENT_MS,
    SPARE_MS,
    STAY_MS,
    TARGET_MS,
    TARGET_MS_MAX,
    WATCH_MS,
    Choice,
    LiveBuffer,
    Source,
)

SECOND = 1_000 // BLOCK_MS
TARGET, TARGET_MAX = TARGET_MS // BLOCK_MS, TARGET_MS_MAX // BLOCK_MS
SILENT, STAY, SPARE, WATCH = SILENT_MS // BLOCK_MS, STAY_MS // BLOCK_MS, SPARE_MS // BLOCK_MS, WATCH_MS // BLOCK_MS
OLDEST = OLDEST_MS // BLOCK_MS
HOUR = 3_600 * SECOND

Given = Callable[[int], int]
"""How many blocks a source has given before a turn."""


def relayed(given: Given, turns: int, *, stands_in: bool = True, buffer: LiveBuffer | None = None) -> list[Choice]:
    """One choice a turn; the ring keeps what was given within the last OLDEST_MS."""
    buffer = buffer or LiveBuffer()
    return [
        buffer.choose(range(given(turn - OLDEST) if turn > OLDEST else 0, given(turn)), stands_in=stands_in)
        for turn in range(turns)
    ]


def steady(turn: int) -> int:
    """A source that was opened well before."""
    return turn + TARGET


def stopping(at: int, blocks: int) -> Given:
    """A steady one that gives nothing for a while, and none of that later."""
    return lambda turn: steady(min(turn, at) + max(turn - at - blocks, 0))


def late(at: int, blocks: int) -> Given:
    """A steady one that is held up, and then gives at once what it owes."""
    return lambda turn: steady(at if at < turn < at + blocks else turn)


def drifting(ppm: int) -> Given:
    return lambda turn: steady(turn) + turn * ppm // 1_000_000


def stretches(choices: list[Choice]) -> list[tuple[Source, int]]:
    return [(source, len(list(run))) for source, run in groupby(choices, lambda choice: choice.source)]


def numbers(choices: list[Choice]) -> list[int]:
    return [choice.number for choice in choices if choice.source is Source.LIVE]


def delays(given: Given, choices: list[Choice]) -> list[int]:
    """For each live block, how many newer ones there were when it was chosen, it included."""
    return [given(turn) - choice.number for turn, choice in enumerate(choices) if choice.source is Source.LIVE]


def test_a_source_that_lies_ready_is_heard_from_the_first_block_on_without_a_hole() -> None:
    choices = relayed(steady, 60 * SECOND)
    assert stretches(choices) == [(Source.LIVE, 60 * SECOND)]
    assert numbers(choices) == list(range(60 * SECOND))


def test_it_begins_with_the_target_ahead_however_much_lies_there() -> None:
    assert numbers(relayed(lambda turn: turn + 9 * SECOND, 1)) == [9 * SECOND - TARGET]


def test_it_does_not_begin_with_less() -> None:
    given = (TARGET - 1).__add__
    first, second = relayed(given, 2)
    assert (first.source, second) == (Source.SILENCE, Choice(Source.LIVE, 0))


def test_a_source_that_never_comes_is_a_moment_of_silence_and_then_the_stand_in() -> None:
    assert stretches(relayed(lambda _: 0, HOUR)) == [(Source.SILENCE, SILENT), (Source.STAND_IN, HOUR - SILENT)]


def test_without_a_stand_in_it_is_silence() -> None:
    assert stretches(relayed(lambda _: 0, HOUR, stands_in=False)) == [(Source.SILENCE, HOUR)]


def test_what_is_held_up_for_less_than_the_target_is_not_heard() -> None:
    choices = relayed(late(5 * SECOND, TARGET - 1), 60 * SECOND)
    assert numbers(choices) == list(range(60 * SECOND))


def test_a_source_that_stops_is_replaced_and_comes_back_with_a_larger_target() -> None:
    buffer = LiveBuffer()
    choices = relayed(stopping(10 * SECOND, 20 * SECOND), 60 * SECOND, buffer=buffer)
    back = 30 * SECOND + TARGET * 3 // 2
    dry = 10 * SECOND + TARGET
    expected = [(Source.LIVE, dry), (Source.SILENCE, SILENT)]
    expected += [(Source.STAND_IN, back - dry - SILENT), (Source.LIVE, 60 * SECOND - back)]
    assert stretches(choices) == expected
    assert numbers(choices) == list(range(dry + 60 * SECOND - back)), "nothing of it was left out"
    assert (buffer.ran_dry, buffer.target_ms) == (1, TARGET_MS * 3 // 2)


def test_what_is_back_within_the_silence_brings_no_stand_in() -> None:
    """It owes a moment more than was ahead, and so gives more than the larger target when it is back."""
    held = TARGET * 3 // 2
    choices = relayed(late(10 * SECOND, held), 60 * SECOND)
    hole = held - TARGET
    assert stretches(choices) == [
        (Source.LIVE, 10 * SECOND + TARGET),
        (Source.SILENCE, hole),
        (Source.LIVE, 50 * SECOND - TARGET - hole),
    ]
    assert hole <= SILENT


def test_the_stand_in_is_heard_for_a_while_though_the_source_is_back_at_once() -> None:
    choices = relayed(late(10 * SECOND, TARGET + SILENT + 1), 60 * SECOND)
    assert stretches(choices)[1:3] == [(Source.SILENCE, SILENT), (Source.STAND_IN, STAY)]


def test_the_target_grows_with_every_stop_and_shrinks_in_a_calm() -> None:
    buffer, blocks, grown, shrunk = LiveBuffer(), 0, [], []
    for stops in range(1, 7):
        blocks += buffer.target_ms // BLOCK_MS
        while buffer.ran_dry < stops:
            buffer.choose(range(blocks), stands_in=False)
        grown.append(buffer.target_ms)
    assert grown == [3_000, 4_500, 6_700, 10_000, 10_000, 10_000]
    for _ in range(5):
        relayed(lambda _: 0, CALM_MS // BLOCK_MS, buffer=buffer)
        shrunk.append(buffer.target_ms)
    assert shrunk == [6_600, 4_400, 2_900, 2_000, 2_000]


def test_a_near_source_has_a_small_target_that_grows_and_shrinks_back_to_itself() -> None:
    buffer, grown = LiveBuffer(300), []
    for stops in range(1, 5):
        while buffer.ran_dry < stops:
            buffer.choose(range(stops * 50), stands_in=False)
        grown.append(buffer.target_ms)
    assert grown == [400, 600, 900, 1_300]
    relayed(lambda _: 0, 6 * CALM_MS // BLOCK_MS, buffer=buffer)
    assert buffer.target_ms == 300


def test_a_target_that_shrank_leaves_nothing_out_of_what_sounds() -> None:
    """Four stops have made it as long as can be; what is ahead then stays, though it is more than is needed by now."""
    holes = [minute * 60 * SECOND for minute in range(4)]
    buffer = LiveBuffer()
    choices = relayed(
        lambda turn: steady(turn - sum(min(max(turn - hole, 0), 30 * SECOND) for hole in holes)), HOUR, buffer=buffer
    )
    heard = numbers(choices)
    assert heard == list(range(len(heard)))
    assert (buffer.ran_dry, buffer.target_ms) == (4, TARGET_MS)
    assert len(heard) > HOUR - 5 * 60 * SECOND


def test_what_is_asked_for_before_time_passes_is_no_reserve() -> None:
    more = 17
    assert LiveBuffer().choose(range(TARGET + more - 1), stands_in=False, at_once=more).source is Source.SILENCE
    assert LiveBuffer().choose(range(99 + TARGET + more), stands_in=False, at_once=more) == Choice(Source.LIVE, 99)


def test_what_comes_at_once_while_it_sounds_is_left_out_but_for_the_target() -> None:
    """A source that owed nothing sends seconds more than time has passed, as at its connecting."""
    burst = 6 * SECOND
    given: Given = lambda turn: steady(turn) + (burst if turn >= 30 * SECOND else 0)  # noqa: E731
    choices = relayed(given, 120 * SECOND)
    assert stretches(choices) == [(Source.LIVE, 120 * SECOND)]
    late = delays(given, choices)
    assert max(late) == TARGET + burst
    assert max(late[30 * SECOND + 2 * WATCH :]) == TARGET
    jumps = [after - before for before, after in pairwise(numbers(choices))]
    assert sorted(jumps)[-2:] == [1, burst + 1]


def test_gusts_are_no_reason_to_leave_anything_out() -> None:
    """Segments that come early: there is always too much right after one."""
    segment = 4 * SECOND - 3
    buffer = LiveBuffer()
    choices = relayed(lambda turn: steady(turn) + -turn % segment, HOUR, buffer=buffer)
    assert numbers(choices) == list(range(HOUR))
    assert buffer.ran_dry == 0


def test_segments_that_are_longer_than_the_target_make_it_grow_until_they_are_heard_whole() -> None:
    segment = 6 * SECOND
    buffer = LiveBuffer()
    choices = relayed(lambda turn: segment * (turn // segment + 1), 20 * 60 * SECOND, buffer=buffer)
    settled = numbers(choices[5 * 60 * SECOND :])
    assert settled == list(range(settled[0], settled[0] + 15 * 60 * SECOND))
    assert 0 < buffer.ran_dry <= 4


@pytest.mark.parametrize("ppm", [1_000, 300])
def test_a_fast_source_is_never_far_behind_and_rarely_cut(ppm: int) -> None:
    given = drifting(ppm)
    choices = relayed(given, 4 * HOUR)
    assert stretches(choices) == [(Source.LIVE, 4 * HOUR)]
    assert max(delays(given, choices)) <= TARGET + SPARE + 2
    cuts = sum(1 for before, after in pairwise(numbers(choices)) if after != before + 1)
    gained = 4 * HOUR * ppm // 1_000_000
    assert 0 < gained / (SPARE + 2) - 1 < cuts <= gained / SPARE


@pytest.mark.parametrize("ppm", [-1_000, -300])
def test_a_slow_source_runs_dry_seldom_and_counts(ppm: int) -> None:
    given, buffer = drifting(ppm), LiveBuffer()
    choices = relayed(given, 4 * HOUR, buffer=buffer)
    lost = 4 * HOUR * -ppm // 1_000_000
    assert 0 < buffer.ran_dry <= lost / TARGET
    assert len(numbers(choices)) > 0.99 * len(choices)
    assert max(delays(given, choices)) <= TARGET_MAX + 1


def test_a_ring_that_began_anew_is_heard_on() -> None:
    """Its numbers go on behind a hole, and what was there before is not found any more."""
    buffer = LiveBuffer()
    heard = [buffer.choose(range(turn + TARGET), stands_in=True) for turn in range(50)]
    new = [buffer.choose(range(1_000, 1_000 + TARGET + turn), stands_in=True) for turn in range(50)]
    assert numbers(heard + new) == [*range(50), *range(1_000, 1_050)]


def test_what_was_overwritten_is_left_out() -> None:
    buffer = LiveBuffer()
    numbers_ = [buffer.choose(there, stands_in=True).number for there in (range(30), range(25, 55), range(26, 56))]
    assert numbers_ == [10, 25, 26]


GUSTS = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 120)), min_size=1, max_size=60)
"""(turns until, blocks of) each gust."""


@given(GUSTS, st.booleans())
@settings(max_examples=300)
def test_whatever_a_source_does(gusts: list[tuple[int, int]], stands_in: bool) -> None:
    given_at: list[int] = [0]
    for wait, blocks in gusts:
        given_at += [given_at[-1]] * wait + [given_at[-1] + blocks]
    turns = len(given_at)

    def given(turn: int) -> int:
        return given_at[min(turn, turns - 1)]

    choices = relayed(given, turns + 60 * SECOND, stands_in=stands_in)
    heard = numbers(choices)
    assert all(before < after for before, after in pairwise(heard)), "no block sounds twice"
    for turn, choice in enumerate(choices):
        if choice.source is Source.LIVE:
            oldest = given(turn - OLDEST) if turn > OLDEST else 0
            assert oldest <= choice.number < given(turn)
    runs = stretches(choices)
    assert stands_in or all(source is not Source.STAND_IN for source, _ in runs)
    for index, (source, length) in enumerate(runs):
        if stands_in and source is Source.SILENCE:
            assert length <= SILENT
        if source is Source.STAND_IN:
            assert length >= STAY or index == len(runs) - 1
            assert runs[index - 1] == (Source.SILENCE, SILENT)
