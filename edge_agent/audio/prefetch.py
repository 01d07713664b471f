"""Read a programme's sound ahead of the moment it is needed, so that no file is touched on the writer's thread.

An SD card may answer only after seconds while it rearranges itself, and the sound card's buffer holds a tenth of one.
One reader thread per player keeps AHEAD_MS of verified sound in memory for each play, one 64 KiB block at a time and in
turn, so that a play that begins never waits for another's whole store. What it cannot read or verify ends that play
there, and no other.

A signal ends none: the station adds it to what was ordered, and one bit of the ward's own chime would silence every
programme. What cannot be played of it is silence, so that all else comes at its instant. Nothing here may write, and
only the log is told: whoever stages sound looks after the signals by itself (``fetch_and_stage``).

A live part is no file: what is read of it too early is not there yet. So it is decided block by block, only as long
before it is taken as the card needs, and nothing of it ends a play (``relaying``).
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace
from queue import SimpleQueue
from typing import Protocol

from edge_agent.audio.card import PERIOD_MS, PERIODS
from edge_agent.audio.clip import BLOCK_BYTES, ClipUnusable
from edge_agent.audio.live import BLOCK_MS, Source, block_frames
from edge_agent.audio.live_shared import LivePlay, LiveShared
from edge_agent.audio.mixer import SAMPLE_BYTES
from edge_agent.audio.relaying import Relaying, StandIn
from edge_agent.audio.tally import Tally
from edge_agent.audio.timeline import Span, Timeline, frames_of, lay
from edge_agent.audio.turns import FOR_ALL, Turns
from edge_agent.core.effects import StartPlay
from edge_agent.core.programme import SIGNAL_MS, Live, Part, Relayed, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey

AHEAD_MS = 5_000
# Longer than an SD card's worst pause that we have heard of (some 2–3 s); 480 kB of memory for a play at 48 kHz.
PREROLL_MS = 600
# A play begins as soon as it can fill the card's usual buffer; the first block that is read (682 ms) is enough.
KEPT_MS = 1_700
# Sound that was taken and may be wanted again: the deepest buffer that a card may be configured with (4 × 400 ms), and
# what its driver may round that up by.
BLOCK_FRAMES = BLOCK_BYTES // SAMPLE_BYTES
REFILL_BLOCKS = 2
# The reader is woken for so many (1.4 s of sound): half the wake-ups, and 3.6 s are always there. For a live part it is
# woken with every period.

log = logging.getLogger(__name__)


class OpenClip(Protocol):
    """Staged sound, mono and 16-bit. ``read`` verifies before it returns; it raises ClipUnusable or OSError."""

    rate: int
    frames: int

    def read(self, frame_from: int, frames: int) -> bytes: ...

    def close(self) -> None: ...


class Clips(Protocol):
    """Where staged sound lies. ``open`` raises ClipUnusable or OSError."""

    def open(self, key: ClipKey) -> OpenClip: ...


class Prefetch:
    """One programme's sound: filled on the reader's thread, taken on the writer's."""

    def __init__(
        self,
        parts: tuple[Part, ...],
        clips: Clips,
        rate: int,
        wake: threading.Event,
        live: LivePlay | None = None,
        card_ms: int = PERIOD_MS * PERIODS,
    ) -> None:
        """Without ``live`` nothing is relayed: stand-ins are heard in place of live parts.

        ``card_ms`` is the card's buffer.
        """
        self._parts = parts
        self._store = clips
        self._live = live
        self._rate = rate
        # A live part is decided by whole blocks, and its last 5 ms held back: with less room it would never be ready.
        self._card_ms = max(card_ms, BLOCK_MS)
        self._wake = wake
        self._clips: dict[ClipKey, OpenClip] = {}
        self._left_out: set[ClipKey] = set()  # signals that are silence from now on
        self._timeline: Timeline | None = None
        self._next: Span | None = None  # what is read next; None before it was laid out, and at the end
        self._fetched = 0
        self._relaying: Relaying | None = None
        self._lock = threading.Lock()  # guards what follows
        self._sound = bytearray()
        self._taken = 0  # bytes at the head of _sound that were handed out
        self._laid = 0  # frames of the programme up to the end of _sound
        self._tally = Tally(rate)
        self._closed = False
        self.given_back = False
        """Whether the files are closed: nothing is left to do for the reader."""
        self.frames: int | None = None
        """Frames of the whole programme, None until its clips were opened; up to the trouble if there is any."""
        self.turns: Turns = FOR_ALL
        """Who hears which of them; known before ``frames`` are."""
        self.trouble: Reason | None = None

    def ready(self) -> bool:
        """Whether enough is there to begin."""
        if self.frames is None:
            return False
        return self._ahead() >= min(frames_of(PREROLL_MS, self._rate), self.frames) * SAMPLE_BYTES

    def take(self, frames: int) -> bytes:
        """The next frames; fewer when the reader is behind or the programme ends."""
        with self._lock:
            sound = bytes(self._sound[self._taken : self._taken + frames * SAMPLE_BYTES])
            self._taken += len(sound)
            spent = max(self._taken - frames_of(KEPT_MS, self._rate) * SAMPLE_BYTES, 0)
            del self._sound[:spent]
            self._taken -= spent
            self._tally.settle(self._laid - len(self._sound) // SAMPLE_BYTES)
        if self._has_room(REFILL_BLOCKS):
            self._wake.set()
        return sound

    def give_back(self, frames: int) -> None:
        """The last ``frames`` that were taken will be taken again."""
        with self._lock:
            assert frames * SAMPLE_BYTES <= self._taken, "no card holds so much"
            self._taken -= frames * SAMPLE_BYTES

    @property
    def relayed(self) -> Relayed:
        """What became of the live parts, in what was taken and not given back."""
        with self._lock:
            return self._tally.upto(self._laid - self._ahead() // SAMPLE_BYTES)

    def close(self) -> None:
        """Nobody will take any more. The reader gives the files back."""
        self._closed = True
        self._wake.set()

    def fill(self) -> bool:
        """Read one block more, for the reader's thread. False when there is nothing to do now."""
        if self._closed:
            self._give_back()
            return False
        if self.trouble or not self._has_room():
            return False
        try:
            return self._fill()
        except (ClipUnusable, OSError) as exc:
            log.error("clip failed error=%r frames_good=%d next=play_ends_there", str(exc), self._fetched)
            self.frames = self._fetched
            self.trouble = Reason.AUDIO_ALTERED
            return False

    def _has_room(self, blocks: int = 1) -> bool:
        """Whether so many blocks may be read; of a live part, one."""
        if self._next is not None and self._next.live is not None:
            return self._live_room() > 0
        return self._ahead() + blocks * BLOCK_BYTES <= frames_of(AHEAD_MS, self._rate) * SAMPLE_BYTES

    def _live_room(self) -> int:
        """How many blocks of a live part may be decided now.

        A card takes its whole buffer at once where a play begins or it ran empty. As much as a play needs to begin is
        there besides, for a reader that is held up by a slow file of another's.
        """
        free = frames_of(PREROLL_MS + self._card_ms, self._rate) - self._ahead() // SAMPLE_BYTES
        return free // block_frames(self._rate)

    def _ahead(self) -> int:
        """Bytes that lie ready."""
        return len(self._sound) - self._taken

    def _fill(self) -> bool:
        if self._timeline is None:
            self._timeline = self._laid_out()
            self._next = self._span_after(self._timeline)
            self.turns = self._timeline.turns
            self.frames = self._timeline.frames
        span = self._next
        if span is None:
            return False
        if span.live is None:
            self._lay(self._read(span))
        else:
            self._relay(span, span.live)
        self._fetched += span.frames
        self._next = self._span_after(self._timeline)
        return True

    def _span_after(self, timeline: Timeline) -> Span | None:
        """A block's length of one part at a time.

        Where a part begins within a block, each read ends in one that the clip still holds for the next: no block is
        read and hashed twice.
        """
        span = next(iter(timeline.spans(self._fetched, BLOCK_FRAMES)), None)
        if span is None or span.live is None:
            return span
        return replace(span, frames=min(span.frames, block_frames(self._rate)))

    def _laid_out(self) -> Timeline:
        lengths: dict[ClipKey, int] = {}
        for part in self._parts:
            if isinstance(part, Sound) and part.key not in lengths:
                lengths[part.key] = self._length(part.key)
            elif isinstance(part, Live) and self._live is not None:
                self._live.open(part.key)
        return lay(self._parts, lengths, self._rate)

    def _length(self, key: ClipKey) -> int:
        """Frames of a clip; of a signal that cannot be played those that it would have."""
        try:
            return self._open(key).frames
        except (ClipUnusable, OSError) as exc:
            self._leave_out(key, exc)
            return frames_of(SIGNAL_MS[key], self._rate)

    def _leave_out(self, key: ClipKey, exc: Exception) -> None:
        """Silence in place of a signal, in every loop; without anything else the programme ends there."""
        if key not in SIGNAL_MS:
            raise exc
        log.error("signal left out key=%s error=%r next=silence in its place, the agent makes it anew", key, str(exc))
        self._left_out.add(key)

    def _open(self, key: ClipKey) -> OpenClip:
        if key not in self._clips:
            self._clips[key] = self._store.open(key)
        clip = self._clips[key]
        if clip.rate != self._rate:
            raise ClipUnusable(f"clip {key} is at {clip.rate} frames/s, the card at {self._rate}")
        return clip

    def _read(self, span: Span) -> bytes:
        if span.key is not None and span.key not in self._left_out:
            try:
                return self._clips[span.key].read(span.first, span.frames)
            except (ClipUnusable, OSError) as exc:
                self._leave_out(span.key, exc)
        return bytes(span.frames * SAMPLE_BYTES)

    def _relay(self, span: Span, part: Live) -> None:
        if self._relaying is None:
            shared = None if self._live is None else self._live.part(part.key, self._fetched - span.first)
            self._relaying = Relaying(part.key, shared, self._stand_in(part), self._rate)
        last = span.first + span.frames >= frames_of(part.duration_ms, self._rate)
        for came_from, sound in self._relaying.next_block(span.frames, last, self._at_once()):
            self._lay(sound, came_from)
        if last:
            self._relaying = None  # the next begins anew, of the same source too

    def _at_once(self) -> int:
        """How many blocks of a live part will be decided after this one before time has passed, on whichever card.

        The one with the deepest buffer comes furthest, and what it needs must lie ready. So this is counted from what
        is heard now, as if its card were ours.
        """
        deepest_ms = self._live.deepest_ms if self._live else self._card_ms
        furthest = frames_of(PREROLL_MS + 2 * deepest_ms, self._rate)
        on_card = frames_of(self._card_ms, self._rate) if self._taken else 0
        return (furthest - on_card - self._ahead() // SAMPLE_BYTES) // block_frames(self._rate) - 1

    def _stand_in(self, part: Live) -> StandIn | None:
        if part.stand_in is None:
            return None
        try:
            clip = self._open(part.stand_in)
        except (ClipUnusable, OSError) as exc:
            log.error("stand-in failed key=%s error=%r next=silence", part.key, str(exc))
            return None
        return StandIn(clip.frames, clip.read, self._rate) if clip.frames else None

    def _lay(self, sound: bytes, source: Source | None = None) -> None:
        with self._lock:
            self._sound += sound
            first, self._laid = self._laid, self._laid + len(sound) // SAMPLE_BYTES
            if source is not None:
                self._tally.lay(source, first, self._laid)

    def _give_back(self) -> None:
        if self._live is not None:
            self._live.close()
        while self._clips:
            self._clips.popitem()[1].close()
        self.given_back = True


class Reader:
    """The thread that fills every open programme of one player."""

    def __init__(
        self, clips: Clips, rate: int, live: LiveShared | None = None, card_ms: int = PERIOD_MS * PERIODS
    ) -> None:
        self._clips = clips
        self._rate = rate
        self._live = live
        self._card_ms = card_ms
        self._wake = threading.Event()
        self._closing = False
        self._begun: SimpleQueue[Prefetch] = SimpleQueue()  # at most as many as the player has plays
        self._thread = threading.Thread(target=self._run, name="audio-reader", daemon=True)
        self._thread.start()

    def open(self, play: StartPlay) -> Prefetch:
        """Begin to read a programme."""
        live = None if self._live is None else self._live.play(play.play_id)
        pcm = Prefetch(play.parts, self._clips, self._rate, self._wake, live, self._card_ms)
        self._begun.put(pcm)
        self._wake.set()
        return pcm

    def close(self, timeout_s: float) -> None:
        """End the thread; one that hangs in a read is left to the end of the process."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        reading: list[Prefetch] = []
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            while not self._begun.empty():
                reading.append(self._begun.get())
            self._fill(reading)
            reading = [pcm for pcm in reading if not pcm.given_back]
        for pcm in reading:
            pcm.close()
            pcm.fill()

    def _fill(self, reading: list[Prefetch]) -> None:
        busy = True
        while busy and not self._closing:
            # Every programme gets its block before any gets a second one.
            busy = sum(pcm.fill() for pcm in reading) > 0
            if not self._begun.empty():
                self._wake.set()
                return
