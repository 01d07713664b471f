"""Find a known sound in a recording, and say for each half second whether it is really there. Level does not matter."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_S = 0.5
LEAK_S = 1.0
# Two sounds of one voice are alike for half of that now and then.
SLACK_S = 0.12
# A late writer puts silence between two samples (an underrun, counted in the record) and shifts what follows.
PRESENT = 0.9
# Correlation of a window with what was recorded: the same sound gives > 0.99, other words < 0.6 (measured).
SILENT = 30
# Peak under which a window of the original is a pause and proves nothing.

Samples = NDArray[np.int16]


@dataclass(frozen=True)
class Window:
    """Half a second of the original: where it begins in it, and how alike the recording is there (None: a pause)."""

    at_s: float
    likeness: float | None

    @property
    def present(self) -> bool:
        """The very sound is there."""
        return self.likeness is not None and self.likeness >= PRESENT


def place(original: Samples, recording: Samples) -> int:
    """The frame of the recording at which the original fits best; the whole of it, if the recording is long enough."""
    return int(np.argmax(_products(original.astype(np.float32), recording.astype(np.float32))))


def windows(original: Samples, recording: Samples, at: int, rate: int) -> list[Window]:
    """How alike original and recording are, half a second by half a second, the original laid at frame ``at``."""
    step = round(WINDOW_S * rate)
    found = []
    for start in range(0, len(original) - step + 1, step):
        a = original[start : start + step].astype(np.float64)
        found.append(Window(start / rate, _best_likeness(a, recording, at + start, round(SLACK_S * rate))))
    return found


def leak(source: Samples, other: Samples) -> float | None:
    """How much of ``source`` lies in ``other``, frame by frame, as a ratio of amplitudes; None: it is silent."""
    a, b = source.astype(np.float64), other.astype(np.float64)
    if not len(a) or float(np.max(np.abs(a))) < SILENT:
        return None
    return float(np.dot(a, b) / np.dot(a, a))


def leaks(source: Samples, other: Samples, rate: int) -> list[tuple[float, float]]:
    """(second, leak) of every second in which ``source`` sounds, a half after a half: no more than the two are alike.

    Of a faint second there is by chance more in a loud other one than there is of it at all.
    """
    size = round(LEAK_S * rate)
    found = []
    for start in range(0, len(source) - size + 1, round(WINDOW_S * rate)):
        a, b = source[start : start + size], other[start : start + size]
        if (ratio := leak(a, b)) is not None:
            back = leak(b, a) or 0.0
            found.append((start / rate, math.copysign(min(abs(ratio), math.sqrt(abs(ratio * back))), ratio)))
    return found


def _best_likeness(a: NDArray[np.float64], recording: Samples, at: int, slack: int) -> float | None:
    """How alike the window is where it is most alike, at most ``slack`` frames from where it belongs."""
    if float(np.max(np.abs(a))) < SILENT:
        return None
    first = max(0, at - slack)
    near = recording[first : at + len(a) + slack].astype(np.float64)
    if len(near) < len(a) or not near.any():
        return 0.0
    # Likeness, not product: a window with one faint syllable must not be drawn to a loud neighbour.
    powers = np.cumsum(np.concatenate(([0.0], near**2)))
    there = np.maximum(powers[len(a) :] - powers[: -len(a)], 1.0)
    return float(np.max(_products(a, near) / np.sqrt(there * np.dot(a, a))))


def _products(original: NDArray[Any], recording: NDArray[Any]) -> NDArray[Any]:
    """The product of both for every frame of the recording at which the whole original can lie."""
    size = 1 << (len(original) + len(recording)).bit_length()
    spectrum = np.fft.rfft(recording, size) * np.conj(np.fft.rfft(original, size))
    whole = max(1, len(recording) - len(original) + 1)
    return np.fft.irfft(spectrum, size)[:whole]
