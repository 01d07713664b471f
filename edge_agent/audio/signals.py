"""Render the sounds that the station makes itself: the stored signals.

Decides how they sound, and so that nobody takes one signal for another, not even half heard over a horn in the wind:
- attention: two high tones in turn, twice a second, without a rest. Urgent, and neither music nor a siren;
- rehearsal: three slow strokes of a gong, each lower and dying away. A calm shape, nothing like an alarm;
- all-clear: one unbroken tone that sinks by an octave, once. Tension that lets go, and no siren, which rises first;
- the chimes of ordinary programmes: bells above all strokes of the gong, three that climb before and two that come down
  behind, each dying away. As loud as a voice, where the others are louder on purpose: they are to startle nobody.

Where they lie and when they sound is decided elsewhere. pydub holds its sound in memory, so everything here is seconds
long; it is imported only when a signal is rendered, which a station does once.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import TYPE_CHECKING

from edge_agent.core.programme import (
    ALL_CLEAR,
    ALL_CLEAR_MS,
    ATTENTION,
    ATTENTION_MS,
    CLOSING,
    CLOSING_MS,
    OPENING,
    OPENING_MS,
    REHEARSAL,
    REHEARSAL_MS,
)
from edge_agent.core.units import SECOND_MS, ClipKey

if TYPE_CHECKING:
    from pydub import AudioSegment

HIGH_HZ = 960
LOW_HZ = 770
# Two alternating tones, the shape that ISO 7240-16 leaves open and that nobody here takes for music or a siren.
TONE_MS = 500
STROKES_HZ = (660, 550, 440)
# A falling major chord, below both tones of the attention signal, and above what a horn no longer gives (some 350 Hz).
STROKE_MS = REHEARSAL_MS // len(STROKES_HZ)
OPENING_HZ, CLOSING_HZ = (880, 1_109, 1_319), (1_109, 880)
# The chord of a doorbell: out of the gong's reach, and on none of the two tones of the attention signal.
BELL_MS = 500
# The last bell of a chime rings for what is left of it.
SINKS_FROM_HZ, SINKS_TO_HZ = 1_200, 600
# At every moment half an octave above the stroke that a rehearsal would have there.
SIGNAL_DBFS = -6.0
# Peak. As loud as a voice's peaks; 6 dB are left for a mixer that adds two programmes.
CHIME_DBFS = -12.0
# A sine of that peak is as loud as speech at its loudest (-18 LUFS on average, audio.loudness).
FADE_MS = 10
# A tone that begins or ends at full height clicks, and a horn's driver takes the click.
PEAK = 32_767


def attention(rate: int) -> bytes:
    """The signal before every emergency: exactly ATTENTION_MS of mono s16le at ``rate`` frames per second."""
    pair = _sine(rate, HIGH_HZ, TONE_MS, SIGNAL_DBFS) + _sine(rate, LOW_HZ, TONE_MS, SIGNAL_DBFS)
    pairs = -(-ATTENTION_MS // (2 * TONE_MS))
    return _frames(pair * pairs, rate, ATTENTION_MS)


def rehearsal(rate: int) -> bytes:
    """The signal before every rehearsal: exactly REHEARSAL_MS."""
    first, *others = (_dying(rate, hz, STROKE_MS, SIGNAL_DBFS) for hz in STROKES_HZ)
    return _frames(sum(others, first), rate, REHEARSAL_MS)


def all_clear(rate: int) -> bytes:
    """The signal that ends an emergency: exactly ALL_CLEAR_MS."""
    return _frames(_sinking(rate, ALL_CLEAR_MS), rate, ALL_CLEAR_MS)


def opening(rate: int) -> bytes:
    """The chime before an ordinary programme: exactly OPENING_MS."""
    return _frames(_bells(rate, OPENING_HZ, OPENING_MS), rate, OPENING_MS)


def closing(rate: int) -> bytes:
    """The chime behind an ordinary programme: exactly CLOSING_MS."""
    return _frames(_bells(rate, CLOSING_HZ, CLOSING_MS), rate, CLOSING_MS)


SIGNALS: dict[ClipKey, Callable[[int], bytes]] = {
    ATTENTION: attention,
    REHEARSAL: rehearsal,
    ALL_CLEAR: all_clear,
    OPENING: opening,
    CLOSING: closing,
}
"""How each of ``programme.SIGNAL_MS`` is rendered at a rate."""


def _sine(rate: int, hz: int, duration_ms: int, dbfs: float) -> AudioSegment:
    from pydub.generators import Sine

    wave = Sine(hz, sample_rate=rate, bit_depth=16).to_audio_segment(duration=duration_ms, volume=dbfs)
    return wave.fade_in(FADE_MS).fade_out(FADE_MS)


def _bells(rate: int, pitches: tuple[int, ...], duration_ms: int) -> AudioSegment:
    *short, last = pitches
    rings_ms = duration_ms - BELL_MS * len(short)
    first, *others = (_dying(rate, hz, BELL_MS, CHIME_DBFS) for hz in short)
    return sum([*others, _dying(rate, last, rings_ms, CHIME_DBFS)], first)


def _dying(rate: int, hz: int, duration_ms: int, dbfs: float) -> AudioSegment:
    """A stroke that dies away from its beginning on."""
    return _sine(rate, hz, duration_ms, dbfs).fade_out(duration_ms - FADE_MS)


def _sinking(rate: int, duration_ms: int) -> AudioSegment:
    """A tone that sinks by equal intervals in equal times, which the ear finds even."""
    from pydub import AudioSegment

    frames = duration_ms * rate // SECOND_MS
    fall = math.log(SINKS_TO_HZ / SINKS_FROM_HZ)
    radians = 2 * math.pi * SINKS_FROM_HZ * frames / rate / fall
    peak = PEAK * 10 ** (SIGNAL_DBFS / 20)
    wave = array("h", (round(peak * math.sin(radians * math.expm1(fall * at / frames))) for at in range(frames)))
    sound = AudioSegment(data=wave.tobytes(), sample_width=2, frame_rate=rate, channels=1)
    return sound.fade_in(FADE_MS).fade_out(FADE_MS)


def _frames(sound: AudioSegment, rate: int, duration_ms: int) -> bytes:
    """Exactly that long, whatever rounding to milliseconds has left or added."""
    wanted = duration_ms * rate // 1_000 * 2
    data: bytes = sound.raw_data
    return data[:wanted].ljust(wanted, b"\0")
