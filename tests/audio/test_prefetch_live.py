"""A live part read ahead: no further than the card needs, counted as it is taken, and everything given back."""

from __future__ import annotations

import threading
import time

import pytest

from edge_agent.audio.clip import BLOCK_BYTES
from edge_agent.audio.live import BLOCK_MS, OLDEST_MS
from edge_agent.audio.live_shared import LiveShared
from edge_agent.audio.prefetch import AHEAD_MS, KEPT_MS, PREROLL_MS, REFILL_BLOCKS, Prefetch, Reader
from edge_agent.audio.timeline import frames_of
from edge_agent.core.effects import StartPlay
from edge_agent.core.programme import Part, Pause, Relayed, Sound
from edge_agent.core.units import MonoMs, PlayId
from tests.audio.live_play import (
    CARD_MS,
    CLIP,
    HANG_S,
    RATE,
    RESERVE_MS,
    TURN_MS,
    Play,
    Shelf,
    Tape,
    Time,
    alone,
    level,
    live,
    silent_from,
    steady,
)

# Taking and giving back


def test_what_is_given_back_is_not_counted() -> None:
    play = Play(live(60_000), given=silent_from(0, 10**9))
    for _ in range(RESERVE_MS // BLOCK_MS):
        play.take(BLOCK_MS)
    assert play.pcm.relayed == Relayed(RESERVE_MS, 0, 0)
    play.take()
    assert play.pcm.relayed == Relayed(RESERVE_MS, 0, TURN_MS)
    play.pcm.give_back(RATE * KEPT_MS // 1_000)
    assert play.pcm.relayed == Relayed(RESERVE_MS + TURN_MS - KEPT_MS, 0, 0)
    play.take(KEPT_MS)
    assert play.pcm.relayed == Relayed(RESERVE_MS, 0, TURN_MS)


def test_only_live_parts_are_counted() -> None:
    play = Play(Sound(CLIP, 60_000), live(5_000), Pause(5_000))
    for taken in range(TURN_MS, 71_000, TURN_MS):
        play.take()
        relayed = play.pcm.relayed
        whole = relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms
        assert whole == min(max(taken - 60_000, 0), 5_000)


def test_at_an_odd_rate_the_three_are_the_whole() -> None:
    """Of which a block is no whole number of milliseconds."""
    now, rate = Time(), 11_025
    tape = Tape(now, lambda ms: ms + 9_000 if ms < 9_000 else 0, lambda _: bytes(2 * (rate // 10)))
    pcm = Prefetch((live(30_001),), Shelf(rate=rate), rate, threading.Event(), alone(tape))
    taken = 0
    while True:
        while pcm.fill():
            pass
        frames = len(pcm.take(777)) // 2
        taken += frames
        now.ms = taken * 1_000 // rate
        relayed = pcm.relayed
        assert relayed.live_ms + relayed.stand_in_ms + relayed.silent_ms == taken * 1_000 // rate
        if not frames:
            break
    assert taken == pcm.frames == frames_of(30_001, rate)
    assert min(relayed.live_ms, relayed.stand_in_ms, relayed.silent_ms) > 0


# How far ahead


def ahead_ms(play: Play) -> int:
    return play.pcm._ahead() * 1_000 // (2 * RATE)


def test_no_more_is_decided_than_the_card_needs() -> None:
    play = Play(live(60_000))
    assert play.pcm.ready()
    for _ in range(100):
        assert PREROLL_MS + CARD_MS - TURN_MS < ahead_ms(play) <= PREROLL_MS + CARD_MS
        play.take()


@pytest.mark.parametrize("card_ms", [10, 80, 100, 1_600])
def test_a_play_that_begins_with_a_source_begins_on_whatever_card(card_ms: int) -> None:
    """The last 5 ms of what is decided come with what follows them: a little less lies ready than was decided."""
    tape = Tape(Time(), steady, level)
    relayed = LiveShared(tape, [card_ms]).play(PlayId("p"))
    pcm = Prefetch((live(60_000),), Shelf(), RATE, threading.Event(), relayed, card_ms)
    while pcm.fill():
        pass
    assert pcm.ready()


def test_what_comes_before_is_read_ahead_as_ever_and_the_source_only_when_it_is_needed() -> None:
    play = Play(Sound(CLIP, 60_000), live(60_000))
    assert AHEAD_MS - BLOCK_BYTES * 1_000 // (2 * RATE) < ahead_ms(play) <= AHEAD_MS
    while not play.tape.reads:
        play.take()
        play.now.ms += TURN_MS
    assert 60_000 - PREROLL_MS - CARD_MS <= play.now.ms <= 60_000 - PREROLL_MS - CARD_MS + 2 * TURN_MS


def test_what_comes_after_is_read_ahead_as_ever() -> None:
    play = Play(live(3_000), Sound(CLIP, 60_000))
    for _ in range(2_400 // TURN_MS):
        play.take()
    assert ahead_ms(play) > PREROLL_MS + CARD_MS


@pytest.mark.parametrize("closing", [True, False])
def test_the_source_and_every_file_are_given_back(closing: bool) -> None:
    play = Play(live(10_000), live(5_000), Sound(CLIP, 60_000))
    assert (play.tape.open, play.shelf.open_files) == (1, 2)
    if not closing:
        play.run()
    play.pcm.close()
    play.fill()
    assert (play.tape.open, play.shelf.open_files) == (0, 0)


class Wakes(threading.Event):
    """Counts."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def set(self) -> None:
        self.count += 1
        super().set()


def woken(*parts: Part) -> int:
    """How often a reader is woken within a minute."""
    wake, rate = Wakes(), 48_000  # of which a block of a file is 0.7 s
    tape = Tape(Time(), lambda _: OLDEST_MS, lambda _: bytes(2 * rate // 10))
    pcm = Prefetch(parts, Shelf(rate=rate), rate, wake, alone(tape))
    for _ in range(60_000 // TURN_MS):
        if wake.is_set() or pcm.frames is None:
            wake.clear()
            while pcm.fill():
                pass
        assert pcm.take(rate * TURN_MS // 1_000)
    return wake.count


def test_the_reader_is_woken_for_each_period_of_a_live_part_and_as_seldom_as_ever_for_others() -> None:
    assert woken(live(120_000)) == 60_000 // TURN_MS
    refill_ms = REFILL_BLOCKS * BLOCK_BYTES * 1_000 // (2 * 48_000)
    assert woken(*[Sound(CLIP, 10_000)] * 12) <= 60_000 // refill_ms + 2 * 6  # each of six clips ends within a block


def test_the_readers_thread_keeps_up() -> None:
    now = Time()
    reader = Reader(Shelf(), RATE, LiveShared(Tape(now, steady, level), [CARD_MS]))
    pcm = reader.open(StartPlay(PlayId("p"), (live(60_000),), (), MonoMs(0)))
    taken, until = 0, time.monotonic() + HANG_S
    while taken < 60 * RATE and time.monotonic() < until:
        frames = len(pcm.take(RATE * TURN_MS // 1_000)) // 2
        taken += frames
        now.ms = taken * 1_000 // RATE
        time.sleep(0 if frames else 0.001)
    reader.close(HANG_S)
    assert taken == 60 * RATE
