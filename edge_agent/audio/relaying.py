"""Give one live part its sound on one card, block by block: which source each comes from is told (``live_shared``).

Nothing here fails a play: a source that cannot be read gives nothing, a stand-in that cannot is silence. Where sources
meet, one is faded out and the other in, so that no joint clicks; to fade the last samples of a block once it is known
what follows them, so many are held back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from edge_agent.audio.clip import ClipUnusable
from edge_agent.audio.live import Choice, Source
from edge_agent.audio.live_shared import LivePart
from edge_agent.audio.mixer import RAMP_MS, SAMPLE_BYTES, Fader
from edge_agent.audio.timeline import frames_of
from edge_agent.core.units import SECOND_MS, ClipKey

STAND_IN_PAUSE_MS = SECOND_MS
# Between the stand-in's end and its beginning: long enough to hear that it begins again.

log = logging.getLogger(__name__)

Read = Callable[[int, int], bytes]
"""Frames of a clip, from a frame on. Raises ClipUnusable or OSError."""


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
    """One live part on one card, from its first block to its last."""

    def __init__(self, key: ClipKey, part: LivePart | None, stand_in: StandIn | None, rate: int) -> None:
        """Without a live ``part`` there is nothing to wait for: the stand-in is heard from the first sample on."""
        self._key = key
        self._part = part
        self._stand_in = stand_in
        self._ramp_bytes = frames_of(RAMP_MS, rate) * SAMPLE_BYTES
        self._fader = Fader(rate)
        self._choice: Choice | None = None
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
        if self._part is None:
            return self._without_live(Choice(Source.STAND_IN if self._stand_in else Source.SILENCE), frames)
        decided = self._part.next_block(stands_in=self._stand_in is not None, at_once=at_once)
        if decided.choice.source is not Source.LIVE:
            return self._without_live(decided.choice, frames)
        return decided.choice, decided.sound[: frames * SAMPLE_BYTES]

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


def _follows(choice: Choice, before: Choice) -> bool:
    """Whether nothing was left out between two blocks."""
    return choice.source is before.source and (choice.source is not Source.LIVE or choice.number == before.number + 1)
