"""When a frame leaves the card, from answers that are each a little wrong."""

from __future__ import annotations

import random

from edge_agent.audio.stream_clock import WINDOW, StreamClock, mono_ms

RATE = 48_000
PERIOD = 1_920
PERIOD_NS = 40_000_000
ZERO_NS = 5_000_000_000


def observed(clock: StreamClock, periods: int, jitter_ns: list[int]) -> None:
    """A stream whose frame 0 left at ZERO_NS, looked at after each period, each look late by its jitter."""
    for period in range(periods):
        written = (period + 4) * PERIOD
        now = ZERO_NS + period * PERIOD_NS
        clock.observe(now + jitter_ns[period % len(jitter_ns)], written, 4 * PERIOD)


def test_nothing_is_known_before_anything_was_seen() -> None:
    assert StreamClock(RATE).instant_ns(0) is None
    assert StreamClock(RATE).frame_at(ZERO_NS) is None


def test_frames_and_instants_are_each_others_inverse() -> None:
    clock = StreamClock(RATE)
    observed(clock, 20, [0])
    assert clock.instant_ns(48_000) == ZERO_NS + 1_000_000_000
    assert clock.frame_at(ZERO_NS + 1_000_000_000) == 48_000


def test_a_few_late_looks_do_not_move_it() -> None:
    clock = StreamClock(RATE)
    observed(clock, WINDOW, [0, 0, 0, 30_000_000, 0, 12_000_000])
    assert clock.instant_ns(0) == ZERO_NS


def test_small_scatter_averages_out() -> None:
    clock = StreamClock(RATE)
    scatter = random.Random(7)
    observed(clock, WINDOW, [scatter.randrange(-200_000, 200_000) for _ in range(WINDOW)])
    assert abs((clock.instant_ns(0) or 0) - ZERO_NS) < 100_000


def test_it_follows_a_card_that_is_off_the_clock() -> None:
    clock = StreamClock(RATE)
    for period in range(1_000):  # 40 s at +100 ppm
        now = ZERO_NS + period * PERIOD_NS * 10_000 // 10_001
        clock.observe(now, (period + 4) * PERIOD, 4 * PERIOD)
        assert clock.instant_ns(0) is not None
    now = ZERO_NS + 999 * PERIOD_NS * 10_000 // 10_001
    assert abs((clock.instant_ns(999 * PERIOD) or 0) - now) < 150_000


def test_after_a_standstill_the_past_counts_for_nothing() -> None:
    clock = StreamClock(RATE)
    observed(clock, WINDOW, [0])
    clock.forget()
    assert clock.instant_ns(0) is None
    clock.observe(ZERO_NS + 60_000_000_000, 1_000, 1_000)
    assert clock.instant_ns(0) == ZERO_NS + 60_000_000_000


def test_milliseconds_are_those_that_have_passed() -> None:
    assert mono_ms(1_999_999) == 1
