"""Decide each block of a live part once, for all cards that relay it: neighbours hear the same moment of it (S4).

Every card asks for itself, when it is ready and as far ahead as its buffer needs. Who comes first to a block has it
decided (``live``), and the answer is remembered, sound and all, for the others: the source may have nothing of it left
by then, or call it by another number. No card waits for another: what the lock is held for lies in memory.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from edge_agent.audio.live import BLOCK_MS, OLDEST_MS, Choice, LiveBuffer, Source
from edge_agent.core.units import ClipKey, PlayId

KEPT = OLDEST_MS // BLOCK_MS
# Blocks; what lies longer is no longer live. Two cards that nothing holds up are less than 4 s apart: what a play needs
# to begin, and twice the deepest buffer. 1.2 MB of memory at 48 kHz for a play that relays, on several cards only.
TORN_MAX = 2
# Blocks that were there and could not be read, one after the other: a ring that is overwritten under our hands, so what
# lies in it is left out.

log = logging.getLogger(__name__)


class LiveReader(Protocol):
    """A live source's blocks; at least ``target_ms`` of them must lie ready before it is heard. Waits for nothing.

    See ``live_ring.RingReader``, and ``line_in.LineInReader``.
    """

    @property
    def target_ms(self) -> int: ...

    def there(self) -> range: ...

    def read(self, number: int) -> bytes | None: ...

    def close(self) -> None: ...


class LiveReaders(Protocol):
    """Where live sources are read. See ``live_ring.LiveRing``."""

    def reader(self, key: ClipKey) -> LiveReader: ...


@dataclass(frozen=True, slots=True)
class Decided:
    """What is heard of a live part: its block ``number``, and the ``sound`` of that where the source is LIVE."""

    number: int
    choice: Choice
    sound: bytes = b""


class LiveShared:
    """The live sources of a station, for all its cards."""

    def __init__(self, sources: LiveReaders, card_ms: Collection[int]) -> None:
        """``card_ms`` are the buffers of the cards. The deepest one counts on all: it is what must be there ahead.

        Counted by blocks as it is, it has the length of one at least.
        """
        self.deepest_ms = max(BLOCK_MS, *card_ms)
        self._sources = sources
        self._kept = KEPT if len(card_ms) > 1 else 1
        self._lock = threading.Lock()  # guards which plays there are, and how many cards are in each
        self._plays: dict[PlayId, _Play] = {}

    def play(self, play_id: PlayId) -> LivePlay:
        """One card's view of a play; nothing is open yet."""
        return LivePlay(self, play_id)

    def join(self, play_id: PlayId) -> _Play:
        """For ``LivePlay``."""
        with self._lock:
            play = self._plays.setdefault(play_id, _Play(self._sources, self._kept))
            play.cards += 1
            return play

    def leave(self, play_id: PlayId) -> None:
        """For ``LivePlay``. With the last card the sources are given back."""
        with self._lock:
            play = self._plays[play_id]
            play.cards -= 1
            if play.cards:
                return
            del self._plays[play_id]
        play.close()  # not under the lock: a line-in that hangs takes a second


class LivePlay:
    """What one card relays in one play. For one thread."""

    def __init__(self, shared: LiveShared, play_id: PlayId) -> None:
        self.deepest_ms = shared.deepest_ms
        self._shared = shared
        self._play_id = play_id
        self._play: _Play | None = None

    def open(self, key: ClipKey) -> None:
        """The source will be relayed: it is to have something ready by then."""
        if self._play is None:
            self._play = self._shared.join(self._play_id)
        self._play.open(key)

    def part(self, key: ClipKey, begin: int) -> LivePart:
        """The live part that begins with the programme's frame ``begin``, of a source that is open."""
        assert self._play is not None, "opened before it is relayed"
        return LivePart(self._play, key, begin)

    def close(self) -> None:
        """This card relays nothing more."""
        if self._play is not None:
            self._play = None
            self._shared.leave(self._play_id)


class LivePart:
    """One live part on one card, block after block."""

    def __init__(self, play: _Play, key: ClipKey, begin: int) -> None:
        self._play = play
        self._key = key
        self._begin = begin
        self._number = 0

    def next_block(self, *, stands_in: bool, at_once: int) -> Decided:
        """What comes next. See ``live.LiveBuffer.choose``."""
        decided = self._play.decided(self._begin, self._number, self._key, stands_in=stands_in, at_once=at_once)
        self._number = decided.number + 1
        return decided


class _Play:
    """What was decided of one play, on whichever card came first. ``cards`` is ``LiveShared``'s."""

    def __init__(self, sources: LiveReaders, kept: int) -> None:
        self.cards = 0
        self._sources = sources
        self._kept = kept
        self._lock = threading.Lock()  # guards what follows: each card reads on a thread of its own
        self._readers: dict[ClipKey, LiveReader] = {}
        self._deciding: _Deciding | None = None  # the part that has come furthest
        self._newest = (-1, -1)
        self._decided: dict[tuple[int, int], Decided] = {}  # by part and block, the oldest first

    def open(self, key: ClipKey) -> None:
        with self._lock:
            if key not in self._readers:
                self._readers[key] = self._sources.reader(key)

    def close(self) -> None:
        while self._readers:
            self._readers.popitem()[1].close()

    def decided(self, begin: int, number: int, key: ClipKey, *, stands_in: bool, at_once: int) -> Decided:
        with self._lock:
            if (begin, number) > self._newest:
                return self._decide(begin, number, key, stands_in, at_once)
            return self._decided.get((begin, number)) or self._caught_up(begin, number, at_once)

    def _decide(self, begin: int, number: int, key: ClipKey, stands_in: bool, at_once: int) -> Decided:
        if self._deciding is None or begin > self._newest[0]:
            self._deciding = _Deciding(key, self._readers[key])
        decided = Decided(number, *self._deciding.next_block(stands_in, at_once))
        self._newest = begin, number
        self._decided[self._newest] = decided
        if len(self._decided) > self._kept:
            del self._decided[next(iter(self._decided))]
        return decided

    def _caught_up(self, begin: int, number: int, at_once: int) -> Decided:
        """For a card that was held up for so long that nobody knows any more what the others heard: where they are."""
        front, newest = self._newest
        if front != begin:
            return Decided(number, Choice(Source.SILENCE))  # they are past this part
        _, oldest = next(iter(self._decided))  # of this part, or the block would be there
        return self._decided[begin, max(newest - at_once, oldest)]


class _Deciding:
    """One live part, from its first block to its last: what ``live`` chooses, read at once."""

    def __init__(self, key: ClipKey, source: LiveReader) -> None:
        self._key = key
        self._source = source
        self._buffer = LiveBuffer(source.target_ms)
        self._before: Source | None = None
        self._torn = 0  # no block before this one is read any more

    def next_block(self, stands_in: bool, at_once: int) -> tuple[Choice, bytes]:
        choice, sound = self._chosen(self._there(), stands_in, at_once)
        if choice.source is not self._before:
            told = (self._key, choice.source, self._buffer.target_ms, self._buffer.ran_dry)
            log.info("live part key=%s from=%s target_ms=%d ran_dry=%d", *told)
        self._before = choice.source
        return choice, sound

    def _chosen(self, there: range, stands_in: bool, at_once: int) -> tuple[Choice, bytes]:
        for _ in range(TORN_MAX):
            choice = self._buffer.choose(there, stands_in=stands_in, at_once=at_once)
            if choice.source is not Source.LIVE:
                return choice, b""
            if sound := self._source.read(choice.number):
                return choice, sound
            there = range(choice.number + 1, there.stop)
        self._torn = there.stop
        return self._buffer.choose(range(0), stands_in=stands_in), b""

    def _there(self) -> range:
        try:
            there = self._source.there()
            return range(max(there.start, self._torn), there.stop)
        except OSError as exc:
            if self._before is None:  # once for each part
                log.error("live source not readable key=%s error=%r next=stand_in", self._key, str(exc))
            return range(0)
