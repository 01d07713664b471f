"""The station's own sounds: right length, right pitch, not too loud, no click, and none to be taken for another."""

from __future__ import annotations

import math
import subprocess
import sys
from itertools import pairwise

import pytest

from edge_agent.audio import signals
from edge_agent.audio.signals import SIGNALS
from edge_agent.core.programme import (
    ALL_CLEAR,
    ALL_CLEAR_MS,
    ATTENTION,
    ATTENTION_MS,
    CLOSING,
    OPENING,
    REHEARSAL,
    SIGNAL_MS,
)
from edge_agent.core.units import ClipKey
from tests.audio.making import heard_hz, peak_dbfs, samples

RATES = [22_050, 44_100, 48_000]
RATE = 48_000
CHIMES = (OPENING, CLOSING)
FRAME_BYTES = 2
MOMENT_MS = 250
LEAPS, GLIDES = "leaps", "glides or stays"
KEEPS_ITS_LEVEL, DIES_AWAY = "keeps its level", "dies away"


def piece(pcm: bytes, rate: int, from_ms: int, to_ms: int) -> bytes:
    return pcm[from_ms * rate // 1_000 * FRAME_BYTES : to_ms * rate // 1_000 * FRAME_BYTES]


def pitches(key: ClipKey) -> list[float]:
    """Moment by moment, without the fades at both ends of a tone."""
    pcm = SIGNALS[key](RATE)
    return [heard_hz(piece(pcm, RATE, at + 50, at + MOMENT_MS - 50), RATE) for at in moments(key)]


def levels(key: ClipKey) -> list[float]:
    pcm = SIGNALS[key](RATE)
    return [peak_dbfs(piece(pcm, RATE, at + 50, at + MOMENT_MS - 50)) for at in moments(key)]


def moments(key: ClipKey) -> range:
    return range(0, SIGNAL_MS[key], MOMENT_MS)


def test_every_signal_that_programmes_count_on_can_be_rendered() -> None:
    assert SIGNALS.keys() == SIGNAL_MS.keys()


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("key", SIGNALS)
def test_a_signal_is_exactly_as_long_as_programmes_count_on(key: ClipKey, rate: int) -> None:
    assert len(SIGNALS[key](rate)) == SIGNAL_MS[key] * rate // 1_000 * FRAME_BYTES


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("key", SIGNALS)
def test_a_signal_is_loud_and_leaves_headroom(key: ClipKey, rate: int) -> None:
    """A chime is as loud as a voice, and startles nobody."""
    loudest, softest = (-11, -13) if key in CHIMES else (-3, -7)
    assert softest <= peak_dbfs(SIGNALS[key](rate)) <= loudest


@pytest.mark.parametrize("key", SIGNALS)
def test_no_step_between_samples_is_larger_than_the_tone_itself_makes(key: ClipKey) -> None:
    """A click is a step; a sine at half scale moves by at most 2.15 times its pitch from one sample to the next."""
    pcm = b"\0\0" + SIGNALS[key](RATE) + b"\0\0"
    assert max(abs(two - one) for one, two in pairwise(samples(pcm))) <= 2.2 * max(pitches(key))


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("key", CHIMES)
def test_every_bell_of_a_chime_fades_in_and_the_last_one_dies_away(key: ClipKey, rate: int) -> None:
    pcm = SIGNALS[key](rate)
    for at in bells_ms(key):
        assert peak_dbfs(piece(pcm, rate, at, at + 1)) < -20, at
    assert peak_dbfs(piece(pcm, rate, SIGNAL_MS[key] - 1, SIGNAL_MS[key])) < -50


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(
    ("key", "tone_ms"), [(ATTENTION, signals.TONE_MS), (REHEARSAL, signals.STROKE_MS), (ALL_CLEAR, ALL_CLEAR_MS)]
)
def test_every_tone_fades_in_and_out(key: ClipKey, tone_ms: int, rate: int) -> None:
    pcm = SIGNALS[key](rate)
    for at in range(0, SIGNAL_MS[key], tone_ms):
        for edge in (piece(pcm, rate, at, at + 1), piece(pcm, rate, at + tone_ms - 1, at + tone_ms)):
            assert peak_dbfs(edge) < -20, at


def test_the_attention_signal_alternates_between_two_tones() -> None:
    pcm = signals.attention(RATE)
    heard = [heard_hz(piece(pcm, RATE, at + 50, at + 450), RATE) for at in range(0, ATTENTION_MS, 500)]
    assert heard == pytest.approx([signals.HIGH_HZ, signals.LOW_HZ] * 6, abs=2)


def test_the_rehearsals_signal_is_three_falling_strokes_that_die_away() -> None:
    assert pitches(REHEARSAL) == pytest.approx([hz for hz in signals.STROKES_HZ for _ in range(6)], abs=2)
    assert list(signals.STROKES_HZ) == sorted(signals.STROKES_HZ, reverse=True)
    heard = levels(REHEARSAL)
    for stroke in (heard[:6], heard[6:12], heard[12:]):
        assert stroke == sorted(stroke, reverse=True)
        assert stroke[0] > -8
        assert stroke[-1] < -20


def test_the_all_clear_sinks_by_an_octave_without_a_break() -> None:
    heard = pitches(ALL_CLEAR)
    steps = [two / one for one, two in pairwise(heard)]
    assert steps == pytest.approx([2 ** (-MOMENT_MS / ALL_CLEAR_MS)] * len(steps), rel=0.01)
    assert (heard[0], heard[-1]) == pytest.approx((signals.SINKS_FROM_HZ, signals.SINKS_TO_HZ), rel=0.03)
    assert levels(ALL_CLEAR) == pytest.approx([signals.SIGNAL_DBFS] * len(heard), abs=0.2)


@pytest.mark.parametrize(("key", "order"), [(OPENING, 1), (CLOSING, -1)])
def test_one_chime_climbs_and_the_other_comes_down(key: ClipKey, order: int) -> None:
    bells = [heard_hz(bell(key, at), RATE) for at in bells_ms(key)]
    assert len(bells) >= 2
    assert all(two > one * 2 ** (3 / 12) for one, two in pairwise(bells[::order]))


@pytest.mark.parametrize("key", CHIMES)
def test_nobody_takes_a_chime_for_another_signal(key: ClipKey) -> None:
    """Above every stroke of a rehearsal, struck faster; neither the attention signal nor the all-clear dies away."""
    assert min(pitches(key)) > max(signals.STROKES_HZ) * 2 ** (2 / 12)
    assert signals.BELL_MS * 2 < signals.STROKE_MS
    for at in bells_ms(key):
        sound = bell(key, at)
        assert peak_dbfs(sound[: len(sound) // 4]) - peak_dbfs(sound[-len(sound) // 4 :]) > 1
    assert SIGNAL_MS[key] < min(ms for other, ms in SIGNAL_MS.items() if other not in CHIMES)


def test_the_chime_that_opens_is_longer_than_the_one_that_closes() -> None:
    assert 2_000 <= SIGNAL_MS[CLOSING] < SIGNAL_MS[OPENING] <= 4_000


def bells_ms(key: ClipKey) -> range:
    """Where the bells of a chime are struck."""
    return range(0, {OPENING: 3, CLOSING: 2}[key] * signals.BELL_MS, signals.BELL_MS)


def bell(key: ClipKey, at: int) -> bytes:
    """One bell, or the first part of the last one, without its fades."""
    return piece(SIGNALS[key](RATE), RATE, at + 20, at + signals.BELL_MS - 20)


@pytest.mark.parametrize(
    ("key", "shapes"),
    [
        (ATTENTION, {(LEAPS, KEEPS_ITS_LEVEL)}),
        (ALL_CLEAR, {(GLIDES, KEEPS_ITS_LEVEL)}),
        (REHEARSAL, {(LEAPS, DIES_AWAY), (GLIDES, DIES_AWAY)}),
        (OPENING, {(LEAPS, DIES_AWAY), (GLIDES, DIES_AWAY)}),
        (CLOSING, {(LEAPS, DIES_AWAY), (GLIDES, DIES_AWAY)}),
    ],
)
def test_any_second_of_a_signal_tells_which_one_it_is(key: ClipKey, shapes: set[tuple[str, str]]) -> None:
    moments_a_second = 1_000 // MOMENT_MS
    semitones, loud = [12 * math.log2(hz) for hz in pitches(key)], levels(key)
    heard = {
        shape(semitones[at : at + moments_a_second], loud[at : at + moments_a_second])
        for at in range(len(loud) - moments_a_second + 1)
    }
    assert heard == shapes


def shape(semitones: list[float], loud: list[float]) -> tuple[str, str]:
    """What an ear makes of it, whatever its pitch: a leap is three semitones within a moment, dying away is 3 dB."""
    leaps = any(abs(two - one) > 3 for one, two in pairwise(semitones))
    return LEAPS if leaps else GLIDES, DIES_AWAY if max(loud) - min(loud) > 3 else KEEPS_ITS_LEVEL


def test_pydub_is_not_in_memory_until_something_is_rendered() -> None:
    code = "import sys; import edge_agent.audio.staging; sys.exit('pydub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
