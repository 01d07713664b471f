"""Capture a line-in as a live source: a microphone in the commune's house, or a receiver's output.

Its blocks never leave the device process. It is open while a programme that relays it is: nobody listens in between. A
device that does not open, or is pulled out, gives nothing until it is back, and ends no play.
"""

from __future__ import annotations

import audioop
import contextlib
import logging
import select
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import alsaaudio

from edge_agent.audio.live import BLOCK_MS, OLDEST_MS
from edge_agent.audio.live_ring import block_frames, boot_ms
from edge_agent.audio.live_shared import LiveReader, LiveReaders
from edge_agent.audio.mixer import SAMPLE_BYTES
from edge_agent.core.units import SECOND_MS, ClipKey

TARGET_MS = 3 * BLOCK_MS
# A period on its way, and two by which a thread of a busy station may be late: there is no line that could hold it up.
PERIODS = 4
AGAIN_S = 1.0
# How soon a device that failed is tried anew; a USB card that was pulled out is back within some seconds, or for hours.
QUIET_MS = SECOND_MS
# A device that gives nothing for so long, ten periods, is opened anew.
CLOSE_S_MAX = 1.0
# The thread sees within a period that it is to end; one that hangs in its driver is left to the end of the process.

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LineInConfig:
    """A capture device by ALSA's name, at the rate of the card that plays it. Of two ``channels`` the mean is taken."""

    device: str
    rate: int
    channels: int = 1


class LineIn:
    """One capture device, open as long as anybody has a reader of it, on whichever thread."""

    def __init__(self, config: LineInConfig, now_ms: Callable[[], int] = boot_ms) -> None:
        self._config = config
        self._now_ms = now_ms
        self._lock = threading.Lock()  # each card reads on a thread of its own
        self._capture: Capture | None = None
        self._readers = 0

    def reader(self) -> LineInReader:
        """Begin to capture, or share what is captured already."""
        with self._lock:
            if self._capture is None:
                self._capture = Capture(self._config, self._now_ms)
            self._readers += 1
            return LineInReader(self._capture.blocks, self._given_back)

    def _given_back(self) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers and self._capture is not None:
                self._capture.close()
                self._capture = None


class LiveSources:
    """Line-ins by their keys; every other live source is the agent's (``live_ring``)."""

    def __init__(self, line_ins: Mapping[ClipKey, LineIn], others: LiveReaders) -> None:
        self._line_ins = line_ins
        self._others = others

    def reader(self, key: ClipKey) -> LiveReader:
        """Of the source with this key."""
        return self._line_ins[key].reader() if key in self._line_ins else self._others.reader(key)


class LineInReader:
    """One programme's view of what is captured."""

    target_ms = TARGET_MS

    def __init__(self, blocks: Blocks, given_back: Callable[[], None]) -> None:
        self._blocks = blocks
        self._given_back: Callable[[], None] | None = given_back

    def there(self) -> range:
        """The blocks that are there to be read."""
        return self._blocks.there()

    def read(self, number: int) -> bytes | None:
        """One block; None where it is not there (any more)."""
        return self._blocks.read(number)

    def close(self) -> None:
        """With the last reader the device is given back."""
        if self._given_back is not None:
            self._given_back()
            self._given_back = None


class Blocks:
    """The last seconds of sound, from one thread to others of the same process."""

    def __init__(self, rate: int, now_ms: Callable[[], int]) -> None:
        self._block_bytes = block_frames(rate) * SAMPLE_BYTES
        self._now_ms = now_ms
        self._waiting = bytearray()
        self._lock = threading.Lock()  # guards what follows
        self._kept: deque[tuple[int, bytes]] = deque(maxlen=OLDEST_MS // BLOCK_MS)  # each with when it came
        self._end = 0

    def feed(self, chunk: bytes) -> None:
        """Append sound of any length."""
        self._waiting += chunk
        while len(self._waiting) >= self._block_bytes:
            block = bytes(self._waiting[: self._block_bytes])
            del self._waiting[: self._block_bytes]
            with self._lock:
                self._kept.append((self._now_ms(), block))
                self._end += 1

    def there(self) -> range:
        """What is young enough to be live."""
        with self._lock:
            while self._kept and self._now_ms() - self._kept[0][0] > OLDEST_MS:
                self._kept.popleft()
            return range(self._end - len(self._kept), self._end)

    def read(self, number: int) -> bytes | None:
        """None where it is not there (any more)."""
        with self._lock:
            index = number - self._end + len(self._kept)
            return self._kept[index][1] if 0 <= index < len(self._kept) else None


class Capture:
    """The thread that reads the device, from its begin to ``close``."""

    def __init__(self, config: LineInConfig, now_ms: Callable[[], int] = boot_ms) -> None:
        self._config = config
        self._now_ms = now_ms
        self._closing = threading.Event()
        self.blocks = Blocks(config.rate, now_ms)
        self._thread = threading.Thread(target=self._run, name="line-in", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give the device back."""
        self._closing.set()
        self._thread.join(CLOSE_S_MAX)
        if self._thread.is_alive():
            log.error("line-in hangs device=%s next=left_to_the_end_of_the_process", self._config.device)

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                self._listen()
            except alsaaudio.ALSAAudioError as exc:
                log.warning("line-in failed device=%s error=%r next=again", self._config.device, str(exc))
                self._closing.wait(AGAIN_S)

    def _listen(self) -> None:
        config = self._config
        pcm = alsaaudio.PCM(
            alsaaudio.PCM_CAPTURE,
            alsaaudio.PCM_NONBLOCK,
            device=config.device,
            rate=config.rate,
            channels=config.channels,
            format=alsaaudio.PCM_FORMAT_S16_LE,
            periodsize=block_frames(config.rate),
            periods=PERIODS,
        )
        with contextlib.closing(pcm):
            given = pcm.info()
            if (given["rate"], given["channels"], given["format_name"]) != (config.rate, config.channels, "S16_LE"):
                raise alsaaudio.ALSAAudioError(
                    f"gives another format than {config.rate} Hz, {config.channels} × S16_LE"
                )
            log.info("line-in opened device=%s", config.device)
            self._read_on(pcm)
        log.info("line-in given back device=%s", config.device)

    def _read_on(self, pcm: alsaaudio.PCM) -> None:
        poll, heard_at = select.poll(), self._now_ms()
        for descriptor, events in pcm.polldescriptors():
            poll.register(descriptor, events)
        while not self._closing.is_set():
            frames, sound = pcm.read()
            if frames > 0:
                self.blocks.feed(self._mono(sound))
                heard_at = self._now_ms()
            elif self._now_ms() - heard_at >= QUIET_MS:
                raise alsaaudio.ALSAAudioError("gives nothing")
            else:  # nothing yet, or it ran over (-EPIPE) and begins again with the next read
                self._wait(pcm, poll)

    def _wait(self, pcm: alsaaudio.PCM, poll: select.poll) -> None:
        if events := poll.poll(BLOCK_MS):
            pcm.polldescriptors_revents(events)  # takes the wake-up back, too

    def _mono(self, sound: bytes) -> bytes:
        return audioop.tomono(sound, SAMPLE_BYTES, 0.5, 0.5) if self._config.channels > 1 else sound
