"""The ear that the demo and the host rig judge by: what it calls things, and where it says they begin and end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from demo.ear import ATTENTION, CHIME, SPEECH, Sounding, listen
from edge_agent.audio.signals import closing, opening
from tests.demo.rehearsal import RATE, Samples, chime, frame, signal, voice

TONES = {"a": 500, "b": 650, "c": 1250}
EDGE_S = 0.002


def tone(hz: int, seconds: float, peak: float = 0.5) -> Samples:
    at = np.arange(frame(seconds)) / RATE
    return np.asarray(np.sin(2 * np.pi * hz * at) * peak * 32_767, np.int16)


def silence(seconds: float) -> Samples:
    return np.zeros(frame(seconds), np.int16)


def heard(*parts: Samples) -> list[Sounding]:
    return listen(np.concatenate(parts), RATE, TONES)


def test_silence_is_nothing() -> None:
    assert heard(silence(2)) == []


def test_what_is_shorter_than_a_window_is_nothing() -> None:
    assert heard(tone(500, 0.01)) == []


def test_the_noise_of_a_line_is_silence() -> None:
    noise = np.random.default_rng(1).integers(-55, 56, frame(2)).astype(np.int16)
    assert heard(noise) == []


@pytest.mark.parametrize(("name", "hz"), TONES.items())
def test_a_tone_is_told_by_its_pitch_to_the_sample(name: str, hz: int) -> None:
    (one,) = heard(silence(1), tone(hz, 2), silence(1))
    assert one.what == name
    assert (one.start_s, one.end_s) == (pytest.approx(1, abs=EDGE_S), pytest.approx(3, abs=EDGE_S))


@pytest.mark.parametrize("peak", [0.9, 0.1, 0.005])
def test_a_tone_is_the_same_however_loud(peak: float) -> None:
    assert [one.what for one in heard(silence(1), tone(650, 1, peak), silence(1))] == ["b"]


def test_a_tone_of_no_known_pitch_is_not_taken_for_one() -> None:
    assert [one.what for one in heard(silence(1), tone(575, 1), silence(1))] == [SPEECH]


def test_a_tone_over_a_murmur_is_the_tone_and_under_speech_it_is_speech() -> None:
    murmur = voice(2, 9, peak=0.3)
    assert [one.what for one in heard(silence(1), tone(500, 2, 0.35) + murmur, silence(1))] == ["a"]
    assert {one.what for one in heard(silence(1), tone(500, 2, 0.03) + murmur, silence(1))} == {SPEECH}


def test_the_station_s_own_signal_is_known_and_whole() -> None:
    (one,) = heard(silence(1), signal(), silence(1))
    assert one.what == ATTENTION
    assert (one.start_s, one.end_s) == (pytest.approx(1, abs=0.01), pytest.approx(7, abs=0.01))


@pytest.mark.parametrize(("render", "lasts_s"), [(opening, 3), (closing, 2)])
def test_a_chime_is_one_sound_and_no_signal(render: Callable[[int], bytes], lasts_s: float) -> None:
    (one,) = heard(silence(1), chime(render), silence(1))
    assert one.what == CHIME
    assert (one.start_s, one.end_s) == (pytest.approx(1, abs=0.02), pytest.approx(1 + lasts_s, abs=0.1))


def test_a_chime_that_rises_is_heard_from_its_first_bell_on() -> None:
    (one,) = heard(silence(1), chime(opening, rises=True), silence(1))
    assert (one.what, one.start_s) == (CHIME, pytest.approx(1.1, abs=0.1))


def test_half_a_signal_is_half_as_long() -> None:
    (one,) = heard(silence(1), signal()[: frame(3)], silence(1))
    assert (one.what, one.end_s - one.start_s) == (ATTENTION, pytest.approx(3, abs=0.02))


def test_speech_is_speech_and_goes_on_over_its_pauses() -> None:
    (one,) = heard(silence(1), voice(2, 1), silence(1.2), voice(2, 2), silence(1))
    assert one.what == SPEECH
    assert (one.start_s, one.end_s) == (pytest.approx(1, abs=0.05), pytest.approx(6.2, abs=0.05))


def test_two_items_with_a_long_pause_are_two() -> None:
    assert [one.what for one in heard(voice(2, 1), silence(2), voice(2, 2))] == [SPEECH, SPEECH]


def test_no_speech_is_ever_taken_for_a_signal_or_a_tone() -> None:
    for seed in range(12):
        assert {one.what for one in heard(silence(0.5), voice(5, seed), silence(0.5))} == {SPEECH}


def test_a_seam_between_two_sounds_is_neither() -> None:
    """Windows that hold some of both look like speech; nobody spoke."""
    found = heard(silence(1), tone(500, 2), tone(650, 2), silence(1))
    assert [one.what for one in found] == ["a", "b"]
    assert found[0].end_s == pytest.approx(3, abs=0.03)
    assert found[1].start_s == pytest.approx(3, abs=0.03)


def test_a_programme_that_is_cut_in_on_and_comes_back_is_three_sounds() -> None:
    programme = tone(500, 12)
    found = heard(silence(1), programme[: frame(2)], signal(), voice(2, 3), programme[frame(10) :], silence(1))
    assert [one.what for one in found] == ["a", ATTENTION, SPEECH, "a"]
    starts = [1, 3, 9, 11]
    assert [one.start_s for one in found] == [pytest.approx(start, abs=0.06) for start in starts]


def test_an_underrun_does_not_make_two_sounds_of_one() -> None:
    (one,) = heard(silence(1), tone(1250, 1), silence(0.08), tone(1250, 1), silence(1))
    assert (one.what, one.end_s - one.start_s) == ("c", pytest.approx(2.08, abs=EDGE_S))


def test_a_real_gap_makes_two() -> None:
    assert [one.what for one in heard(tone(1250, 1), silence(0.3), tone(1250, 1), silence(1))] == ["c", "c"]


def test_the_edges_of_a_sound_at_the_recording_s_own_edges_are_those() -> None:
    (one,) = heard(tone(500, 2))
    assert (one.start_s, one.end_s) == (pytest.approx(0, abs=EDGE_S), pytest.approx(2, abs=EDGE_S))
