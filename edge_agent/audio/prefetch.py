"""Read a programme's sound ahead of the moment it is needed, so that no file is touched on the writer's thread.

An SD card may answer only after seconds while it rearranges itself, and the sound card's buffer holds a tenth of one.
One reader thread per player keeps AHEAD_MS of verified sound in memory for each play, one 64 KiB block at a time and in
turn, so that a play that begins never waits for another's whole store. What it cannot read or verify ends that play
there, and no other.
"""

from __future__ import annotations

import logging
import threading
from queue import SimpleQueue
from typing import Protocol

from edge_agent.audio.clip import BLOCK_BYTES, ClipUnusable
from edge_agent.audio.mixer import SAMPLE_BYTES
from edge_agent.audio.timeline import Span, Timeline, frames_of, lay
from edge_agent.core.programme import Part, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey

AHEAD_MS = 5_000
# Longer than an SD card's worst pause that we have heard of (some 2–3 s); 480 kB of memory for a play at 48 kHz.
PREROLL_MS = 600
# A play begins as soon as it can fill the card's usual buffer; the first block that is read (682 ms) is enough.
KEPT_MS = 1_600
# Sound that was taken and may be wanted again: the deepest buffer that a card may be configured with (4 × 400 ms).
BLOCK_FRAMES = BLOCK_BYTES // SAMPLE_BYTES
REFILL_BLOCKS = 2
# The reader is woken for so many (1.4 s of sound): half the wake-ups, and 3.6 s are always there.

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

    def __init__(self, parts: tuple[Part, ...], clips: Clips, rate: int, wake: threading.Event) -> None:
        self._parts = parts
        self._store = clips
        self._rate = rate
        self._wake = wake
        self._clips: dict[ClipKey, OpenClip] = {}
        self._timeline: Timeline | None = None
        self._fetched = 0
        self._lock = threading.Lock()  # guards _sound and _taken
        self._sound = bytearray()
        self._taken = 0  # bytes at the head of _sound that were handed out
        self._closed = False
        self.given_back = False
        """Whether the files are closed: nothing is left to do for the reader."""
        self.frames: int | None = None
        """Frames of the whole programme, None until its clips were opened; up to the trouble if there is any."""
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
        if self._has_room(REFILL_BLOCKS):
            self._wake.set()
        return sound

    def give_back(self, frames: int) -> None:
        """The last ``frames`` that were taken will be taken again."""
        with self._lock:
            assert frames * SAMPLE_BYTES <= self._taken, "no card holds so much"
            self._taken -= frames * SAMPLE_BYTES

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
        return self._ahead() + blocks * BLOCK_BYTES <= frames_of(AHEAD_MS, self._rate) * SAMPLE_BYTES

    def _ahead(self) -> int:
        """Bytes that lie ready."""
        return len(self._sound) - self._taken

    def _fill(self) -> bool:
        if self._timeline is None:
            self._timeline = self._laid_out()
            self.frames = self._timeline.frames
        # A block's length of one part at a time. Where a part begins within a block, each read ends in one that the
        # clip still holds for the next: no block is read and hashed twice.
        span = next(iter(self._timeline.spans(self._fetched, BLOCK_FRAMES)), None)
        if span is None:
            return False
        sound = self._read(span)
        with self._lock:
            self._sound += sound
        self._fetched += len(sound) // SAMPLE_BYTES
        return True

    def _laid_out(self) -> Timeline:
        for part in self._parts:
            if isinstance(part, Sound) and part.key not in self._clips:
                clip = self._clips[part.key] = self._store.open(part.key)
                if clip.rate != self._rate:
                    raise ClipUnusable(f"clip {part.key} is at {clip.rate} frames/s, the card at {self._rate}")
        return lay(self._parts, {key: clip.frames for key, clip in self._clips.items()}, self._rate)

    def _read(self, span: Span) -> bytes:
        if span.key is None:
            return bytes(span.frames * SAMPLE_BYTES)
        return self._clips[span.key].read(span.first, span.frames)

    def _give_back(self) -> None:
        while self._clips:
            self._clips.popitem()[1].close()
        self.given_back = True


class Reader:
    """The thread that fills every open programme of one player."""

    def __init__(self, clips: Clips, rate: int) -> None:
        self._clips = clips
        self._rate = rate
        self._wake = threading.Event()
        self._closing = False
        self._begun: SimpleQueue[Prefetch] = SimpleQueue()  # at most as many as the player has plays
        self._thread = threading.Thread(target=self._run, name="audio-reader", daemon=True)
        self._thread.start()

    def open(self, parts: tuple[Part, ...]) -> Prefetch:
        """Begin to read a programme."""
        pcm = Prefetch(parts, self._clips, self._rate, self._wake)
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
