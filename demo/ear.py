"""Tell by ear what sounded in a zone and when: tones by pitch, signal and chimes by theirs, all else as speech.

Works on a recording behind alsa-lib and never asks the player. Used by the demo and by the host rig.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from edge_agent.audio.signals import CLOSING_HZ, HIGH_HZ, LOW_HZ, OPENING_HZ

ATTENTION, CHIME, SPEECH = "attention", "chime", "speech"
_OF_THE_STATION = {
    **{f"{ATTENTION} {hz}": hz for hz in (HIGH_HZ, LOW_HZ)},
    **{f"{CHIME} {hz}": hz for hz in (*OPENING_HZ, *CLOSING_HZ)},
}
WINDOW_S = 0.040
HOP_S = 0.010
# 25 Hz to a bin: the pitches of the tests are 150 Hz apart.
QUIET = 60
# Peak below which a window is silence: -55 dB of full scale; MP3's ringing stays under it, speech pauses too.
PURE = 0.7
# A tone has this share of its power within two bins of its pitch; speech never has for long.
SHORT_S = 0.12
# A stretch shorter than this between others is a seam, not a sound.
PAUSE_S = 1.5
# Speech goes on over pauses up to this long.
NEAR_S = 0.05


@dataclass(frozen=True)
class Sounding:
    """``what`` sounded from ``start_s`` to ``end_s`` (seconds into the recording)."""

    what: str
    start_s: float
    end_s: float


def listen(samples: NDArray[np.int16], rate: int, tones: Mapping[str, int]) -> list[Sounding]:
    """What one channel of a recording holds; ``tones`` maps names to pitches in Hz."""
    pitches = {**tones, **_OF_THE_STATION}
    labels = [_label(window, rate, pitches) for window in _windows(samples, rate)]
    stretches = _merged(_without_seams(_stretches(labels)))
    return [_exact(one, samples, rate) for one in stretches if one.what]


def _windows(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    length, hop = round(WINDOW_S * rate), round(HOP_S * rate)
    if len(samples) < length:
        return np.empty((0, length), np.int16)
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]


def _label(window: NDArray[np.int16], rate: int, pitches: Mapping[str, int]) -> str:
    if int(np.max(np.abs(window.astype(np.int32)))) < QUIET:
        return ""
    power = np.abs(np.fft.rfft(window.astype(np.float64) * _hanning(len(window)))) ** 2
    total = float(power.sum())
    for name, pitch in pitches.items():
        middle = round(pitch * len(window) / rate)
        if total > 0 and float(power[max(0, middle - 2) : middle + 3].sum()) / total >= PURE:
            return name.partition(" ")[0]
    return SPEECH


_hanning = cache(np.hanning)


def _stretches(labels: list[str]) -> list[Sounding]:
    """Equal labels in a row; a window stands for its middle."""
    found: list[Sounding] = []
    for index, label in enumerate(labels):
        middle = index * HOP_S + WINDOW_S / 2
        if found and found[-1].what == label:
            found[-1] = Sounding(label, found[-1].start_s, middle + HOP_S / 2)
        else:
            found.append(Sounding(label, middle - HOP_S / 2, middle + HOP_S / 2))
    return found


def _without_seams(stretches: list[Sounding]) -> list[Sounding]:
    """Short stretches are a change of sound, seen by windows that hold some of both; silence is never a seam."""
    kept: list[Sounding] = []
    for one in stretches:
        short = one.end_s - one.start_s < SHORT_S
        if one.what and short:
            continue
        kept.append(one)
    return kept


def _merged(stretches: list[Sounding]) -> list[Sounding]:
    """Join equal sounds over what was taken out between them, and speech over its pauses."""
    merged: list[Sounding] = []
    for one in (stretch for stretch in stretches if stretch.what):
        pause_s = PAUSE_S if one.what == SPEECH else SHORT_S
        if merged and merged[-1].what == one.what and one.start_s - merged[-1].end_s <= pause_s:
            merged[-1] = Sounding(one.what, merged[-1].start_s, one.end_s)
        else:
            merged.append(one)
    return merged


def _exact(one: Sounding, samples: NDArray[np.int16], rate: int) -> Sounding:
    """Edges to the sample: where the level rises above and falls below silence, near the window's edge."""
    loud = np.abs(samples.astype(np.int32)) >= QUIET
    start = _edge(loud, one.start_s, rate, rising=True)
    end = _edge(loud, one.end_s, rate, rising=False)
    return Sounding(one.what, start, end)


def _edge(loud: NDArray[np.bool_], about_s: float, rate: int, *, rising: bool) -> float:
    first = max(0, round((about_s - NEAR_S) * rate))
    near = np.flatnonzero(loud[first : round((about_s + NEAR_S) * rate)])
    if not len(near):
        return about_s
    before_quiet = first == 0 or not loud[max(0, first - rate // 50) : first].any()
    after = round((about_s + NEAR_S) * rate)
    after_quiet = not loud[after : after + rate // 50].any()
    if rising:
        return (first + int(near[0])) / rate if before_quiet else about_s
    return (first + int(near[-1]) + 1) / rate if after_quiet else about_s
