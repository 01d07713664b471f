"""The station's own sounds: right length, right pitch, not too loud, and no click."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest

from edge_agent.audio import signals
from edge_agent.core.programme import ATTENTION_MS
from tests.audio.making import heard_hz, peak_dbfs, samples

RATES = [22_050, 44_100, 48_000]
FRAME_BYTES = 2


def piece(pcm: bytes, rate: int, from_ms: int, to_ms: int) -> bytes:
    return pcm[from_ms * rate // 1_000 * FRAME_BYTES : to_ms * rate // 1_000 * FRAME_BYTES]


@pytest.mark.parametrize("rate", RATES)
def test_the_attention_signal_is_exactly_as_long_as_programmes_count_on(rate: int) -> None:
    assert len(signals.attention(rate)) == ATTENTION_MS * rate // 1_000 * FRAME_BYTES


def test_the_attention_signal_alternates_between_two_tones() -> None:
    pcm = signals.attention(48_000)
    pitches = [heard_hz(piece(pcm, 48_000, at + 50, at + 450), 48_000) for at in range(0, ATTENTION_MS, 500)]
    wanted = [signals.HIGH_HZ, signals.LOW_HZ] * 6
    assert pitches == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize("rate", RATES)
def test_the_attention_signal_is_loud_and_leaves_headroom(rate: int) -> None:
    assert -7 <= peak_dbfs(signals.attention(rate)) <= -3


def test_no_step_between_samples_is_larger_than_the_tone_itself_makes() -> None:
    """A click is a step; a 960 Hz sine at half scale moves by at most 2,060 from one sample to the next."""
    pcm = b"\0\0" + signals.attention(48_000) + b"\0\0"
    assert max(abs(two - one) for one, two in pairwise(samples(pcm))) <= 2_100


@pytest.mark.parametrize("rate", RATES)
def test_every_tone_fades_in_and_out(rate: int) -> None:
    pcm = signals.attention(rate)
    for at in range(0, ATTENTION_MS, signals.TONE_MS):
        for edge in (piece(pcm, rate, at, at + 1), piece(pcm, rate, at + signals.TONE_MS - 1, at + signals.TONE_MS)):
            assert peak_dbfs(edge) < -20, at


def test_a_test_tone_has_its_pitch_length_and_level() -> None:
    pcm = signals.tone(48_000, 1_000, 2_000)
    assert len(pcm) == 2 * 48_000 * FRAME_BYTES
    assert heard_hz(piece(pcm, 48_000, 100, 1_900), 48_000) == pytest.approx(1_000, abs=1)
    assert peak_dbfs(pcm) == pytest.approx(signals.TEST_DBFS, abs=0.2)


def test_a_test_tone_is_never_longer_than_ten_seconds() -> None:
    assert len(signals.tone(22_050, 500, 3_600_000)) == 10 * 22_050 * FRAME_BYTES


def test_pydub_is_not_in_memory_until_something_is_rendered() -> None:
    code = "import sys; import edge_agent.audio.staging; sys.exit('pydub' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
