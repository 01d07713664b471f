"""Finding a known sound again: the same sound counts whatever its level, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from demo import sounds
from demo.acts import CUT_IN_AFTER_S
from demo.heard_checks import LEAK_MAX, LEAK_MAX_OVER_ALL
from demo.match import LEAK_S, PRESENT, SILENT, SLACK_S, WINDOW_S, Window, leak, leaks, place, windows
from edge_agent.audio.signals import attention
from tests.demo.rehearsal import RATE, Samples, frame, voice

ORIGINAL = voice(6, seed=11)
STEP = frame(WINDOW_S)


def recorded(*parts: Samples) -> Samples:
    return np.concatenate(parts)


def quiet(seconds: float) -> Samples:
    return np.zeros(frame(seconds), np.int16)


def present(recording: Samples, at: int) -> list[bool]:
    return [window.present for window in windows(ORIGINAL, recording, at, RATE)]


@pytest.mark.parametrize("before_s", [0.0, 0.777, 3.0])
def test_it_is_found_to_the_frame(before_s: float) -> None:
    recording = recorded(quiet(before_s), ORIGINAL, quiet(1))
    assert place(ORIGINAL, recording) == frame(before_s)
    assert all(present(recording, frame(before_s)))


@pytest.mark.parametrize("gain", [3.0, 0.3, 0.02, -1.0])
def test_level_does_not_matter_but_polarity_does(gain: float) -> None:
    recording = recorded(quiet(1), np.asarray(ORIGINAL * gain, np.int16), quiet(1))
    assert all(present(recording, frame(1))) == (gain > 0)


def test_it_is_found_among_other_voices() -> None:
    recording = recorded(voice(4, 21), ORIGINAL, voice(4, 22))
    assert place(ORIGINAL, recording) == frame(4)


def test_under_noise_it_is_still_the_same_sound() -> None:
    noise = np.asarray(np.random.default_rng(5).normal(0, 200, frame(8)), np.int16)
    recording = recorded(quiet(1), ORIGINAL, quiet(1)) + noise
    assert sum(present(recording, frame(1))) >= 11


@pytest.mark.parametrize("seed", range(30, 38))
def test_another_voice_is_not_it(seed: int) -> None:
    recording = recorded(quiet(1), voice(6, seed), quiet(1))
    found = windows(ORIGINAL, recording, frame(1), RATE)
    assert max(window.likeness or 0.0 for window in found) < PRESENT / 2


def test_the_half_that_is_missing_is_missing() -> None:
    recording = recorded(quiet(1), ORIGINAL[: frame(3)], quiet(4))
    assert present(recording, frame(1)) == [True] * 6 + [False] * 6


def test_a_recording_that_ends_too_early_lacks_the_rest() -> None:
    recording = recorded(quiet(1), ORIGINAL[: frame(4)])
    assert present(recording, frame(1)) == [True] * 8 + [False] * 4


def test_the_wrong_place_is_not_the_place() -> None:
    recording = recorded(quiet(1), ORIGINAL, quiet(2))
    assert not any(present(recording, frame(1.25)))


def test_within_the_slack_a_shift_is_allowed() -> None:
    recording = recorded(quiet(1), ORIGINAL, quiet(2))
    for shift_s in (-0.9 * SLACK_S, 0.9 * SLACK_S):
        assert all(present(recording, frame(1 + shift_s)))


def test_a_loud_neighbour_does_not_draw_a_quiet_window_out_of_its_place() -> None:
    """A half second with one faint syllable, and the same syllable loud right behind it: once taken for missing."""
    original, syllable = ORIGINAL.copy(), STEP // 8
    original[3 * STEP : 4 * STEP] = 0
    original[3 * STEP : 3 * STEP + syllable] = ORIGINAL[4 * STEP : 4 * STEP + syllable] // 8
    recording = recorded(quiet(1), original, quiet(1))
    found = windows(original, recording, frame(1), RATE)
    assert [window.likeness for window in found] == [pytest.approx(1.0, abs=0.01)] * len(found)


def test_a_faint_window_is_looked_for_by_likeness_and_not_by_loudness() -> None:
    """A word dies away, and the loud end of it lies just before the window: once taken for missing."""
    original = ORIGINAL.copy()
    original[3 * STEP : 4 * STEP] = ORIGINAL[3 * STEP : 4 * STEP] // 60
    recording = recorded(quiet(1), original, quiet(1))
    found = windows(original, recording, frame(1), RATE)
    assert [window.likeness for window in found] == [pytest.approx(1.0, abs=0.01)] * len(found)


def test_a_pause_of_the_original_proves_nothing() -> None:
    original = recorded(ORIGINAL[: 2 * STEP], quiet(0.5), ORIGINAL[: 2 * STEP])
    found = windows(original, recorded(original, quiet(1)), 0, RATE)
    assert [window.likeness is None for window in found] == [False, False, True, False, False]
    assert not Window(0.0, None).present


def test_what_leaks_is_measured_as_it_is() -> None:
    other = voice(6, seed=12)
    for share in (1.0, 0.5, 0.1, 0.0):
        mixed = np.asarray(other + ORIGINAL * share, np.int16)
        assert leak(ORIGINAL, mixed) == pytest.approx(share, abs=0.05)


def test_a_leak_of_a_second_is_seen_in_its_second() -> None:
    mixed = voice(6, seed=12).copy()
    mixed[2 * STEP : 4 * STEP] += ORIGINAL[2 * STEP : 4 * STEP]
    found = dict(leaks(ORIGINAL, mixed, RATE))
    second = 2 * WINDOW_S
    assert max(found, key=found.__getitem__) == second
    assert found[second] > LEAK_MAX
    assert all(abs(found[at]) < LEAK_MAX / 2 for at in found if abs(at - second) >= LEAK_S)


def test_a_leak_into_silence_is_all_of_it() -> None:
    for share in (1.0, -1.0, 0.5):
        found = leaks(ORIGINAL, np.asarray(ORIGINAL * share, np.int16), RATE)
        assert [ratio for _, ratio in found] == pytest.approx([share] * 11, abs=0.01)


def test_by_chance_a_loud_sound_is_many_times_a_faint_one_and_no_leak_of_it() -> None:
    loud = voice(6, seed=12)
    faint = np.asarray(ORIGINAL * (2 * SILENT / np.max(np.abs(ORIGINAL))), np.int16)
    assert max(abs(leak(faint[at : at + STEP], loud[at : at + STEP]) or 0) for at in range(0, len(loud), STEP)) > 1
    assert max(abs(ratio) for _, ratio in leaks(faint, loud, RATE)) < 0.1


def test_nothing_leaks_out_of_silence() -> None:
    assert leak(np.full(STEP, SILENT - 1, np.int16), ORIGINAL[:STEP]) is None
    assert leak(np.zeros(0, np.int16), np.zeros(0, np.int16)) is None
    assert leaks(quiet(3), ORIGINAL[: frame(3)], RATE) == []


def test_wherever_the_emergency_cuts_in_chance_is_no_leak_and_a_second_of_the_bulletin_is(tmp_path: Path) -> None:
    """One voice speaks both, and they are alike for a moment here and there."""
    bulletin, flood = tmp_path / "bulletin.wav", tmp_path / "flood.wav"
    sounds.speak_wav(sounds.BULLETIN, bulletin)
    sounds.speak_wav(sounds.FLOOD, flood)
    beside, words = sounds.samples_of(bulletin) // 2, sounds.samples_of(flood) // 2
    emergency = recorded(np.frombuffer(attention(sounds.RATE), np.int16) // 2, words)
    last, second = len(beside) - len(emergency), sounds.RATE
    assert last > CUT_IN_AFTER_S * second
    for at in range(0, last, second // 25):
        part = beside[at : at + len(emergency)]
        assert worst(part, emergency) <= LEAK_MAX
        assert abs(leak(part, emergency) or 0) <= LEAK_MAX_OVER_ALL
        mixed, under = emergency.copy(), len(emergency) - len(words) + at % (len(words) - second)
        mixed[under : under + second] += part[under : under + second]
        assert worst(part, mixed) > LEAK_MAX


def worst(source: Samples, other: Samples) -> float:
    return max(abs(ratio) for _, ratio in leaks(source, other, sounds.RATE))
