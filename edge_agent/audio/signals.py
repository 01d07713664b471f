"""Render the sounds that the station makes itself: the attention signal and test tones.

Decides how they sound. Where they lie and when they sound is decided elsewhere. pydub holds its sound in memory, so
everything here is seconds long; it is imported only when a signal is rendered, which a station does once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_agent.core.programme import ATTENTION_MS

if TYPE_CHECKING:
    from pydub import AudioSegment

HIGH_HZ = 960
LOW_HZ = 770
# Two alternating tones, the shape that ISO 7240-16 leaves open and that nobody here takes for music or a siren.
TONE_MS = 500
ATTENTION_DBFS = -6.0
# Peak. As loud as a voice's peaks; 6 dB are left for a mixer that adds two programmes.
FADE_MS = 10
# A tone that begins or ends at full height clicks, and a horn's driver takes the click.
TEST_DBFS = -12.0
TEST_MS_MAX = 10_000
# A test sound is at most 10 s (requirement O6).


def attention(rate: int) -> bytes:
    """The signal before every emergency: exactly ATTENTION_MS of mono s16le at ``rate`` frames per second."""
    pair = _sine(rate, HIGH_HZ, TONE_MS, ATTENTION_DBFS) + _sine(rate, LOW_HZ, TONE_MS, ATTENTION_DBFS)
    pairs = -(-ATTENTION_MS // (2 * TONE_MS))
    return _frames(pair * pairs, rate, ATTENTION_MS)


def tone(rate: int, hz: int, duration_ms: int, dbfs: float = TEST_DBFS) -> bytes:
    """A sine for self-tests, as mono s16le; at most TEST_MS_MAX long, which a longer wish is cut to."""
    wanted_ms = min(duration_ms, TEST_MS_MAX)
    return _frames(_sine(rate, hz, wanted_ms, dbfs), rate, wanted_ms)


def _sine(rate: int, hz: int, duration_ms: int, dbfs: float) -> AudioSegment:
    from pydub.generators import Sine

    wave = Sine(hz, sample_rate=rate, bit_depth=16).to_audio_segment(duration=duration_ms, volume=dbfs)
    return wave.fade_in(FADE_MS).fade_out(FADE_MS)


def _frames(sound: AudioSegment, rate: int, duration_ms: int) -> bytes:
    """Exactly that long, whatever rounding to milliseconds has left or added."""
    wanted = duration_ms * rate // 1_000 * 2
    data: bytes = sound.raw_data
    return data[:wanted].ljust(wanted, b"\0")
