"""Capture a line-in as a live source: a microphone in the commune's house, or a receiver's output.

Its blocks never leave the device process. It is open while a programme that relays it is: nobody listens in between. A
device that does not open, or is pulled out, gives nothing until it is back, and ends no play.
"""

from __future__ import annotations

import audioop
import threading
from collections import deque
from collections.abc import Callable, Mapping

from edge_agent.audio.capture import Capture, CaptureConfig
from edge_agent.audio.live import BLOCK_MS, OLDEST_MS, block_frames
from edge_agent.audio.live_shared import LiveReader, LiveReaders
from edge_agent.audio.mixer import SAMPLE_BYTES
from edge_agent.boot_time import boot_ms
from edge_agent.core.units import ClipKey

TARGET_MS = 3 * BLOCK_MS


class LineIn:
    """One capture device, open as long as anybody has a reader of it, on whichever thread.

    Of two channels the mean is taken.
    """

    def __init__(self, config: CaptureConfig, now_ms: Callable[[], int] = boot_ms) -> None:
        self._config = config
        self._now_ms = now_ms
        self._lock = threading.Lock()  # each card reads on a thread of its own
        self._open: tuple[Capture, Blocks] | None = None
        self._readers = 0

    def reader(self) -> LineInReader:
        """Begin to capture, or share what is captured already."""
        with self._lock:
            if self._open is None:
                blocks = Blocks(self._config.rate, self._now_ms)
                capture = Capture(self._config, "line-in", lambda sound: blocks.feed(self._mono(sound)), self._now_ms)
                self._open = capture, blocks
            self._readers += 1
            return LineInReader(self._open[1], self._given_back)

    def _given_back(self) -> None:
        with self._lock:
            self._readers -= 1
            if not self._readers and self._open is not None:
                self._open[0].close()
                self._open = None

    def _mono(self, sound: bytes) -> bytes:
        return audioop.tomono(sound, SAMPLE_BYTES, 0.5, 0.5) if self._config.channels > 1 else sound


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
