"""A live part in memory, in virtual time: its source on a tape, its stand-in on a shelf, taken as a card takes it."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge_agent.audio.card import PERIOD_MS, PERIODS
from edge_agent.audio.clip import ClipAltered, ClipMissing
from edge_agent.audio.live import BLOCK_MS, OLDEST_MS, TARGET_MS
from edge_agent.audio.live_shared import LivePlay, LiveShared
from edge_agent.audio.prefetch import PREROLL_MS, Prefetch
from edge_agent.core.programme import Live, Part
from edge_agent.core.units import ClipKey, PlayId

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


def alone(tape: Tape) -> LivePlay:
    """A play on the only card that there is."""
    return LiveShared(tape, [CARD_MS]).play(PlayId("p"))


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
        self.pcm = Prefetch(parts, self.shelf, RATE, threading.Event(), alone(self.tape))
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
