"""A meter of its own for what ffmpeg has measured and limited: ITU-R BS.1770-5, written from the standard, for mono.

Plain: for some seconds of sound at 48 kHz.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.audio.making import samples

RATE = 48_000
SHELF = ((1.53512485958697, -2.69169618940638, 1.19839281085285), (-1.69065929318241, 0.73248077421585))
HIGH_PASS = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
"""BS.1770-5, annex 1, tables 1 and 2."""
BLOCK_S, STEP_S = 0.4, 0.1
ABSOLUTE_LUFS, RELATIVE_LU = -70.0, -10.0
OFFSET_LU = -0.691
TAPS = 24
"""Of the filter between samples, on either side."""


def lufs(pcm: bytes) -> float:
    """Integrated loudness, gated twice."""
    heard = _filtered(_filtered([value / 32_768 for value in samples(pcm)], *SHELF), *HIGH_PASS)
    block, step = round(BLOCK_S * RATE), round(STEP_S * RATE)
    squares = [sum(one * one for one in heard[at : at + step]) for at in range(0, len(heard) - step + 1, step)]
    powers = [sum(squares[at : at + 4]) / block for at in range(len(squares) - 3)]
    loud = [power for power in powers if _lu(power) > ABSOLUTE_LUFS]
    if not loud:
        return -math.inf
    gate = _lu(sum(loud) / len(loud)) + RELATIVE_LU
    kept = [power for power in loud if _lu(power) > gate]
    return _lu(sum(kept) / len(kept))


def true_peak_dbtp(pcm: bytes) -> float:
    """The highest value between samples, at four times the rate, near the loudest samples."""
    values = np.frombuffer(pcm, "<i2").astype(np.float64)
    near = np.abs(values) >= np.abs(values).max() * 0.7
    highest = max(float(np.abs(_between(values, quarter / 4)[near]).max()) for quarter in range(4))
    return 20 * math.log10(highest / 32_768)


def _between(values: NDArray[np.float64], part: float) -> NDArray[np.float64]:
    """What lies that part of a sample behind each of them."""
    x = part - np.arange(1 - TAPS, TAPS + 1)
    windowed = np.sinc(x) * (0.5 + 0.5 * np.cos(np.pi * x / TAPS))
    return np.correlate(np.pad(values, (TAPS - 1, TAPS)), windowed, "valid")


def _filtered(sound: Sequence[float], ahead: tuple[float, float, float], back: tuple[float, float]) -> list[float]:
    out: list[float] = []
    x1 = x2 = y1 = y2 = 0.0
    for x in sound:
        y = ahead[0] * x + ahead[1] * x1 + ahead[2] * x2 - back[0] * y1 - back[1] * y2
        x1, x2, y1, y2 = x, x1, y, y1
        out.append(y)
    return out


def _lu(power: float) -> float:
    return OFFSET_LU + 10 * math.log10(power) if power > 0 else -math.inf
