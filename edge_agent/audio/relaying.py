"""Give one live part its sound, block by block: which source each comes from is ``live``'s to decide.

Nothing here fails a play: a source that cannot be read gives nothing, a stand-in that cannot is silence. Where sources
meet, one is faded out and the other in, so that no joint clicks; to fade the last samples of a block once it is known
what follows them, so many are held back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from edge_agent.audio.clip import ClipUnusable
from edge_agent.audio.live import Choice, LiveBuffer, Source
from edge_agent.audio.mixer import RAMP_MS, SAMPLE_BYTES, Fader
from edge_agent.audio.timeline import frames_of
from edge_agent.core.units import SECOND_MS, ClipKey

STAND_IN_PAUSE_MS = SECOND_MS
# Between the stand-in's end and its beginning: long enough to hear that it begins again.
TORN_MAX = 2
# Blocks that were there and could not be read, one after the other: a ring that is overwritten under our hands, so what
# lies in it is left out.

log = logging.getLogger(__name__)

Read = Callable[[int, int], bytes]
"""Frames of a clip, from a frame on. Raises ClipUnusable or OSError."""


class LiveReader(Protocol):
    """A live source's blocks; at least ``target_ms`` of them must lie ready before it is heard.

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


class StandIn:
    """A clip from its beginning, and again after a pause, for as long as it is needed."""

    def __init__(self, frames: int, read: Read, rate: int) -> None:
        assert frames > 0, "an empty clip stands in for nothing"
        self._frames = frames
        self._read = read
        self._round = frames + frames_of(STAND_IN_PAUSE_MS, rate)
        self._at = 0

    def begin(self) -> None:
        """From its beginning."""
        self._at = 0

    def take(self, frames: int) -> bytes:
        """What comes next. Raises ClipUnusable or OSError."""
        return b"".join(self._pieces(frames))

    def _pieces(self, frames: int) -> Iterator[bytes]:
        while frames > 0:
            sounding = self._at < self._frames
            length = min((self._frames if sounding else self._round) - self._at, frames)
            yield self._read(self._at, length) if sounding else bytes(length * SAMPLE_BYTES)
            self._at = (self._at + length) % self._round
            frames -= length


class Relaying:
    """One live part, from its first block to its last."""

    def __init__(self, key: ClipKey, source: LiveReader | None, stand_in: StandIn | None, rate: int) -> None:
        """Without a ``source`` there is nothing to wait for: the stand-in is heard from the first sample on."""
        self._key = key
        self._live = source
        self._stand_in = stand_in
        self._buffer = LiveBuffer() if source is None else LiveBuffer(source.target_ms)
        self._ramp_bytes = frames_of(RAMP_MS, rate) * SAMPLE_BYTES
        self._fader = Fader(rate)
        self._choice: Choice | None = None
        self._torn = 0  # no block before this one is read any more
        self._held = b""

    def next_block(self, frames: int, last: bool, at_once: int = 0) -> list[tuple[Source, bytes]]:
        """So many frames more, 5 ms of them later: with what comes next, or now where it is the ``last`` block.

        ``at_once`` blocks more will be asked for before time passes.
        """
        before = self._choice
        choice, sound = self._chosen(frames, at_once)
        pieces = []
        if before is not None and not _follows(choice, before):
            self._fader.aim(0.0)
            pieces.append((before.source, self._passed(self._held)))
            self._held = b""
        self._told(before, choice)
        self._choice = choice
        self._fader.aim(1.0)
        sound = self._held + sound
        body = max(len(sound) - self._ramp_bytes, 0)
        pieces.append((choice.source, self._passed(sound[:body])))
        self._held = sound[body:]
        if last:
            self._fader.aim(0.0)
            pieces.append((choice.source, self._passed(self._held)))
        return pieces

    def _chosen(self, frames: int, at_once: int) -> tuple[Choice, bytes]:
        if self._live is None:
            return self._without_live(Choice(Source.STAND_IN if self._stand_in else Source.SILENCE), frames)
        there = self._there()
        for _ in range(TORN_MAX):
            choice = self._buffer.choose(there, stands_in=self._stand_in is not None, at_once=at_once)
            if choice.source is not Source.LIVE:
                return self._without_live(choice, frames)
            if sound := self._live.read(choice.number):
                return choice, sound[: frames * SAMPLE_BYTES]
            there = range(choice.number + 1, there.stop)
        self._torn = there.stop
        return self._without_live(self._buffer.choose(range(0), stands_in=self._stand_in is not None), frames)

    def _there(self) -> range:
        assert self._live is not None
        try:
            there = self._live.there()
            return range(max(there.start, self._torn), there.stop)
        except OSError as exc:
            if self._choice is None:  # once for each part
                log.error("live source not readable key=%s error=%r next=stand_in", self._key, str(exc))
            return range(0)

    def _without_live(self, choice: Choice, frames: int) -> tuple[Choice, bytes]:
        if choice.source is Source.STAND_IN and (sound := self._standing_in(frames)) is not None:
            return choice, sound
        return Choice(Source.SILENCE), bytes(frames * SAMPLE_BYTES)

    def _standing_in(self, frames: int) -> bytes | None:
        if self._stand_in is None:
            return None
        if self._choice is None or self._choice.source is not Source.STAND_IN:
            self._stand_in.begin()
        try:
            return self._stand_in.take(frames)
        except (ClipUnusable, OSError) as exc:
            log.error("stand-in failed key=%s error=%r next=silence", self._key, str(exc))
            self._stand_in = None
            return None

    def _passed(self, sound: bytes) -> bytes:
        return self._fader.pass_on(sound) or bytes(len(sound))

    def _told(self, before: Choice | None, choice: Choice) -> None:
        if before is None or before.source is not choice.source:
            told = (self._key, choice.source, self._buffer.target_ms, self._buffer.ran_dry)
            log.info("live part key=%s from=%s target_ms=%d ran_dry=%d", *told)


def _follows(choice: Choice, before: Choice) -> bool:
    """Whether nothing was left out between two blocks."""
    return choice.source is before.source and (choice.source is not Source.LIVE or choice.number == before.number + 1)
