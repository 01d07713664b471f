"""Listen to what really sounds, behind a sink or at a line-in: samples, and the instant at which each sounded.

The instant comes from the arrival of the recorder's data: what arrives can only be late, so the earliest line through
all arrivals is the clock (0.2 ms against what was ordered, measured idle).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from tests.host.pulse import Pulse

LATENCY_MS = 5
# Also sets how finely the null sink moves: 5 ms steps, where it would take 50 ms by itself.
PERIOD_US = 10_000
BUFFER_US = 2_000_000
# A card that is read two seconds late loses nothing: who reads it starts programs on a slow machine meanwhile.
READ_BYTES = 65_536
START_S_MAX = 30
COMPLAINT_BYTES = 500
SKIPPED_ARRIVALS = 5
# The first reads bring what was buffered while the recorder connected.
FULL_SCALE = 32_768
SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Recording:
    """Interleaved samples as an array (frames, channels) of int16. Frames count from the recorder's begin."""

    samples: NDArray[np.int16]
    rate: int
    zero_ns: int

    def instant_ms(self, frame: float) -> float:
        """Boot time at which the frame sounded; between two of them, in between."""
        return (self.zero_ns + frame * SECOND_NS / self.rate) / 1e6

    def frame_at(self, instant_ms: float) -> int:
        """The frame that sounded at that boot time."""
        return round((instant_ms * 1e6 - self.zero_ns) * self.rate / SECOND_NS)

    def onset(self, channel: int, above: int = 0, start: int = 0) -> int | None:
        """The first frame from ``start`` on whose sample is louder than ``above``."""
        loud = np.flatnonzero(_size(self.samples[start:, channel]) > above)
        return start + int(loud[0]) if len(loud) else None

    def last(self, channel: int, above: int = 0, end: int | None = None) -> int | None:
        """The last frame before ``end`` whose sample is louder than ``above``."""
        loud = np.flatnonzero(_size(self.samples[:end, channel]) > above)
        return int(loud[-1]) if len(loud) else None

    def find(self, channel: int, pattern: NDArray[np.int16], start: int = 0) -> int | None:
        """The frame at which exactly these samples begin."""
        at = _bytes_at(np.ascontiguousarray(self.samples[start:, channel]).tobytes(), pattern.tobytes())
        return None if at is None else start + at

    def level_db(self, channel: int, start: int, end: int) -> float:
        """RMS in dB below full scale; minus infinity for silence."""
        part = self.samples[start:end, channel].astype(np.float64) / FULL_SCALE
        power = float(np.mean(part**2)) if len(part) else 0.0
        return 10 * float(np.log10(power)) if power > 0 else -float("inf")

    def tone_hz(self, channel: int, start: int, end: int) -> float:
        """The strongest frequency, good to about a tenth of its bin."""
        part = self.samples[start:end, channel].astype(np.float64)
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        peak = int(np.argmax(spectrum[1:-1])) + 1
        below, at, above = spectrum[peak - 1 : peak + 2]
        curve = below - 2 * at + above
        shift = 0.5 * (below - above) / curve if curve else 0.0
        return float((peak + shift) * self.rate / len(part))

    def steepest(self, channel: int, start: int, end: int) -> int:
        """The largest step from one sample to the next: what a click is made of."""
        part = self.samples[max(start, 0) : end, channel].astype(np.int32)
        return int(np.max(np.abs(np.diff(part)))) if len(part) > 1 else 0

    def write_wav(self, path: Path, channel: int) -> None:
        """One channel as a mono WAV file."""
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self.rate)
            file.writeframes(np.ascontiguousarray(self.samples[:, channel]).tobytes())


class DeafError(Exception):
    """Nothing can be heard, or not all of it; the message says what the recording program said."""


class _Listening:
    """Records what a command writes, from entering the context until ``stop`` or its end. Holds it all: 192 kB/s."""

    def __init__(self, command: list[str], env: Mapping[str, str], rate: int, channels: int) -> None:
        self._command = command
        self._env = env
        self._rate = rate
        self._channels = channels
        self._data = bytearray()
        self._arrivals: list[tuple[int, int]] = []
        self._running = threading.Event()

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._said
        )
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self._running.wait(START_S_MAX)
        if len(self._arrivals) <= SKIPPED_ARRIVALS:
            self._end()
            raise DeafError(f"{self._command[0]} hears nothing, not even silence: {self._complaint()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def stop(self) -> Recording:
        """End the recording; the same again when it has ended already. Raises DeafError where some of it was lost."""
        self._end()
        if lost_sound(self._complaint()):
            raise DeafError(f"{self._command[0]} lost sound, so the rest proves nothing: {self._complaint()}")
        frames = len(self._data) // (2 * self._channels)
        samples = np.frombuffer(bytes(self._data), np.int16, frames * self._channels).reshape(-1, self._channels)
        return Recording(samples, self._rate, self._zero_ns())

    def _end(self) -> None:
        self._process.terminate()
        self._process.wait()
        self._thread.join()

    def _complaint(self) -> str:
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()[-COMPLAINT_BYTES:]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        while data := os.read(descriptor, READ_BYTES):
            now_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            self._data += data
            self._arrivals.append((len(self._data) // (2 * self._channels), now_ns))
            if len(self._arrivals) > SKIPPED_ARRIVALS:
                self._running.set()
        self._running.set()

    def _zero_ns(self) -> int:
        lines = [now - frames * SECOND_NS // self._rate for frames, now in self._arrivals[SKIPPED_ARRIVALS:]]
        return min(lines, default=0)


def lost_sound(complaint: str) -> bool:
    """Whether a recording program missed any. A card that is taken away ends it, and may be an overrun to it before."""
    lines = complaint.splitlines()
    return any("overrun" in line and "No such device" not in after for line, after in pairwise([*lines, ""]))


class Recorder(_Listening):
    """Records a sink's monitor."""

    def __init__(self, pulse: Pulse, sink: str = "station", rate: int = 48_000, channels: int = 2) -> None:
        form = ["--raw", "--format=s16le", f"--rate={rate}", f"--channels={channels}", f"--latency-msec={LATENCY_MS}"]
        super().__init__(["parec", "-d", f"{sink}.monitor", *form], pulse.child_env(), rate, channels)


class Capture(_Listening):
    """Records an ALSA capture device: a line-in that is looped back from what plays."""

    def __init__(
        self, device: str, env: Mapping[str, str] | None = None, rate: int = 48_000, channels: int = 2
    ) -> None:
        form = ["-q", "-t", "raw", "-f", "S16_LE", "-r", str(rate), "-c", str(channels)]
        timing = [f"--period-time={PERIOD_US}", f"--buffer-time={BUFFER_US}"]
        super().__init__(["arecord", "-D", device, *form, *timing], {**os.environ, **(env or {})}, rate, channels)


def _size(samples: NDArray[np.int16]) -> NDArray[np.int32]:
    return np.abs(samples.astype(np.int32))


def _bytes_at(haystack: bytes, needle: bytes) -> int | None:
    """Where the needle begins, in samples; a match across half a sample is none."""
    at = haystack.find(needle)
    while at >= 0 and at % 2:
        at = haystack.find(needle, at + 1)
    return at // 2 if at >= 0 else None
