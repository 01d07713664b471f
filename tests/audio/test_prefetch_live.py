"""A live part in memory, in virtual time: exact in length, no click at a joint, no trouble of the play, and counted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.audio.card import PERIOD_MS, PERIODS
from edge_agent.audio.clip import BLOCK_BYTES, ClipAltered, ClipMissing
from edge_agent.audio.live import (
    BLOCK_MS,
    OLDEST_MS,
    SILENT_MS,
    SPARE_MS,
    STAY_MS,
    TARGET_MS,
    WATCH_MS,
)
from edge_agent.audio.prefetch import AHEAD_MS, KEPT_MS, PREROLL_MS, REFILL_BLOCKS, Prefetch, Reader
from edge_agent.audio.relaying import STAND_IN_PAUSE_MS
from edge_agent.audio.timeline import frames_of
from edge_agent.core.programme import Live, Part, Pause, Relayed, Sound
from edge_agent.core.units import ClipKey

RATE = 8_000
BLOCK = RATE * BLOCK_MS // 1_000
TURN_MS = 200
CARD_MS = PERIOD_MS * PERIODS
RESERVE_MS = TARGET_MS + PREROLL_MS + CARD_MS + CARD_MS - BLOCK_MS
# What a source must have given when a play begins with it: the target, and what else is decided before time passes.
SOURCE, STAND_IN, CLIP = ClipKey("source"), ClipKey("stand-in"), ClipKey("clip")
LOUD, STANDING, CLIPPED = 6_000, 2_999, 1_000
HUM_HZ = 103
# No block begins where another does in its wave.
HANG_S = 30

Samples = NDArray[np.int16]


class Time:
    """What has been played, in ms."""

    def __init__(self) -> None:
        self.ms = 0


@dataclass
class Tape:
    """A source in virtual time: ``given`` tells how many ms it has given by then. Its sound goes on without a step."""

    now: Time
    given: Callable[[int], int]
    sound: Callable[[int], bytes]
    reads: list[tuple[int, int]] = field(default_factory=list)
    """(when, which) block was read."""
    torn: set[int] = field(default_factory=set)
    open: int = 0
    forbidden: bool = False
    target_ms: int = TARGET_MS

    def reader(self, key: ClipKey) -> Tape:
        assert key == SOURCE
        self.open += 1
        return self

    def there(self) -> range:
        if self.forbidden:
            raise PermissionError(13, "Permission denied")
        old = max(self.now.ms - OLDEST_MS, -1)
        return range(self.given(old) // BLOCK_MS if old >= 0 else 0, self.given(self.now.ms) // BLOCK_MS)

    def read(self, number: int) -> bytes | None:
        self.reads.append((self.now.ms, number))
        return None if number in self.torn else self.sound(number)

    def close(self) -> None:
        self.open -= 1


@dataclass
class LevelClip:
    """Sound of one level; may fail from a frame on, at which it is altered."""

    shelf: Shelf
    level: int
    frames: int
    fails_at: int | None
    rate: int = RATE

    def read(self, frame_from: int, frames: int) -> bytes:
        if self.fails_at is not None and frame_from + frames > self.fails_at:
            raise ClipAltered(STAND_IN, 0)
        return np.full(frames, self.level, np.int16).tobytes()

    def close(self) -> None:
        self.shelf.open_files -= 1


@dataclass
class Shelf:
    """A stand-in that lasts ``stand_in_ms`` (None: there is none), and another clip."""

    stand_in_ms: int | None = 600_000
    fails_at: int | None = None
    rate: int = RATE
    open_files: int = 0

    def open(self, key: ClipKey) -> LevelClip:
        ms, level = {STAND_IN: (self.stand_in_ms, STANDING), CLIP: (60_000, CLIPPED)}[key]
        if ms is None:
            raise ClipMissing(key)
        self.open_files += 1
        return LevelClip(self, level, ms * RATE // 1_000, self.fails_at, self.rate)


def level(number: int) -> bytes:
    return np.full(BLOCK, LOUD, np.int16).tobytes()


def counted(number: int) -> bytes:
    """Each block is known by its samples."""
    return np.full(BLOCK, 10_000 + number, np.int16).tobytes()


def hum(number: int) -> bytes:
    at = np.arange(number * BLOCK, (number + 1) * BLOCK)
    return np.round(LOUD * np.sin(2 * np.pi * HUM_HZ * at / RATE)).astype(np.int16).tobytes()


def steady(ms: int) -> int:
    return ms + RESERVE_MS


def silent_from(at: int, lasting: int) -> Callable[[int], int]:
    """Nothing for a while, and nothing of that later."""
    return lambda ms: steady(min(ms, at) + max(ms - at - lasting, 0))


class Play:
    """One programme, taken as a card takes it: its whole buffer at once, then a period at a time."""

    def __init__(
        self,
        *parts: Part,
        given: Callable[[int], int] = steady,
        sound: Callable[[int], bytes] = level,
        shelf: Shelf | None = None,
        torn: set[int] | None = None,
        forbidden: bool = False,
        target_ms: int = TARGET_MS,
    ) -> None:
        self.now = Time()
        self.tape = Tape(self.now, given, sound, torn=torn or set(), forbidden=forbidden, target_ms=target_ms)
        self.shelf = shelf or Shelf()
        self.pcm = Prefetch(parts, self.shelf, RATE, threading.Event(), self.tape)
        self.heard = bytearray()
        self.fill()

    def fill(self) -> None:
        while self.pcm.fill():
            pass

    def take(self, ms: int = TURN_MS) -> bytes:
        sound = self.pcm.take(RATE * ms // 1_000)
        self.heard += sound
        self.fill()
        return sound

    def run(self) -> Samples:
        """To its end."""
        for _ in range(PERIODS):
            self.take()
        while self.take():
            self.now.ms += TURN_MS
        return np.frombuffer(bytes(self.heard), np.int16)


def live(ms: int, stand_in: ClipKey | None = STAND_IN) -> Live:
    return Live(SOURCE, ms, stand_in)


def ms_at(samples: Samples, level: int) -> int:
    """For how long it was heard, to the block: ramps are 5 ms."""
    return round(int(np.count_nonzero(samples == level)) * 1_000 / RATE / 100) * 100


def steepest(samples: Samples) -> int:
    return int(np.max(np.abs(np.diff(samples.astype(np.int32), prepend=0, append=0))))


RAMP_STEP = math.ceil(LOUD / (RATE * 5 // 1_000)) + 1


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


# The stand-in


def test_the_stand_in_begins_again_after_a_pause() -> None:
    play = Play(live(20_000), given=lambda _: 0, shelf=Shelf(stand_in_ms=1_730))
    heard = play.run()
    changes = np.flatnonzero(np.diff((heard != 0).astype(int))) * 1_000 / RATE
    begins, ends = changes[::2], changes[1::2]
    assert begins[0] == pytest.approx(SILENT_MS, abs=1)
    assert np.diff(begins) == pytest.approx(1_730 + STAND_IN_PAUSE_MS, abs=1)
    assert ends[0] - begins[0] == pytest.approx(1_730, abs=1)
    assert play.pcm.relayed == Relayed(0, 20_000 - SILENT_MS, SILENT_MS)


def test_the_stand_in_is_heard_from_its_beginning_at_each_loss() -> None:
    twice = lambda ms: steady(min(ms, 20_000) + max(min(ms, 60_000) - 30_000, 0))  # noqa: E731
    play = Play(live(90_000), given=twice, shelf=Shelf(stand_in_ms=2_500))
    heard = play.run()
    on = np.flatnonzero(np.diff((heard == STANDING).astype(int)) == 1)
    off = np.flatnonzero(np.diff((heard == STANDING).astype(int)) == -1)
    lengths = np.round((off - on) * 1_000 / RATE, -2)
    live_at = np.flatnonzero(heard == LOUD)
    first_after = [int(np.argmax(on > at)) for at in live_at[np.flatnonzero(np.diff(live_at) > RATE)]]
    assert len(first_after) == 1
    assert lengths[0] == lengths[first_after[0]] == 2_500
    lost_at = live_at[np.flatnonzero(np.diff(live_at) > RATE)[0]], live_at[-1]
    again = [int(on[np.argmax(on > at)] - at) * 1_000 / RATE for at in lost_at]
    assert again == pytest.approx([SILENT_MS, SILENT_MS], abs=2 * 5 + 1)


@pytest.mark.parametrize(
    "shelf", [Shelf(stand_in_ms=None), Shelf(stand_in_ms=0), Shelf(rate=44_100), Shelf(fails_at=0)]
)
def test_a_stand_in_that_is_missing_or_unfit_is_silence_and_no_trouble(shelf: Shelf) -> None:
    play = Play(live(30_000), given=lambda _: 0, shelf=shelf)
    assert len(play.run()) == 30 * RATE
    assert play.pcm.relayed == Relayed(0, 0, 30_000)
    assert play.pcm.trouble is None


def test_a_stand_in_that_turns_out_altered_is_silence_from_there_on() -> None:
    play = Play(live(30_000), given=silent_from(20_000, 10**9), shelf=Shelf(fails_at=2 * RATE))
    heard = play.run()
    relayed = play.pcm.relayed
    assert relayed.stand_in_ms == 2_000
    assert relayed.live_ms + relayed.silent_ms == 28_000
    assert play.pcm.trouble is None
    assert steepest(heard) <= RAMP_STEP


def test_an_unfit_stand_in_stays_unfit_in_the_next_part() -> None:
    play = Play(live(5_000), live(5_000), given=lambda _: 0, shelf=Shelf(rate=44_100))
    play.run()
    assert play.pcm.relayed == Relayed(0, 0, 10_000)


def test_where_nothing_is_relayed_the_stand_in_is_heard_from_the_first_sample_on() -> None:
    """A preview."""
    pcm = Prefetch((live(3_000), live(2_000, None)), Shelf(), RATE, threading.Event())
    sound = b""
    while pcm.fill() or sound[-1:] != b"?":
        taken = pcm.take(RATE)
        sound += taken or b"?"
        if not taken:
            break
    heard = np.frombuffer(sound[:-1], np.int16)
    assert ms_at(heard, STANDING) == 3_000
    assert len(heard) == 5 * RATE
    assert pcm.relayed == Relayed(0, 3_000, 2_000)


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
    pcm = Prefetch((live(30_001),), Shelf(rate=rate), rate, threading.Event(), tape)
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
    pcm = Prefetch(parts, Shelf(rate=rate), rate, wake, tape)
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
    reader = Reader(Shelf(), RATE, Tape(now, steady, level))
    pcm = reader.open((live(60_000),))
    taken, until = 0, time.monotonic() + HANG_S
    while taken < 60 * RATE and time.monotonic() < until:
        frames = len(pcm.take(RATE * TURN_MS // 1_000)) // 2
        taken += frames
        now.ms = taken * 1_000 // RATE
        time.sleep(0 if frames else 0.001)
    reader.close(HANG_S)
    assert taken == 60 * RATE
