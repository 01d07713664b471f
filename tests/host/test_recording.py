"""The ears themselves: what they say sounded did, and when; and they say so where they are deaf."""

from __future__ import annotations

import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.host.pulse import Pulse
from tests.host.recording import Capture, DeafError, Recorder, Recording, lost_sound
from tests.host.served import served

RATE = 48_000
APART_MS = 60
# Two sound servers' worth of buffers on a busy machine; each alone is far better.

pytestmark = [pytest.mark.host, pytest.mark.live]


@pytest.fixture(scope="module")
def pulse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pulse]:
    with served(tmp_path_factory.mktemp("pulse")) as server:
        yield server


def noise(seconds: float) -> np.ndarray:
    """Two different channels that begin and end at once."""
    return np.random.default_rng(3).integers(-9_000, 9_000, (round(seconds * RATE), 2)).astype(np.int16)


def play(pulse: Pulse, sound: np.ndarray, folder: Path) -> None:
    """Play through alsa-lib, to the end."""
    path = folder / "sound.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(sound.tobytes())
    subprocess.run(["aplay", "-q", "-D", "station", path], env=pulse.child_env(), check=True, timeout=60)


def begins_ms(recording: Recording, sound: np.ndarray) -> float:
    """The boot time of the sound's first sample, whose very samples must be there, each channel in its own."""
    places = [recording.find(channel, sound[:, channel]) for channel in (0, 1)]
    assert places[0] == places[1] is not None
    return recording.instant_ms(places[0] or 0)


def test_what_a_card_plays_is_captured_sample_for_sample_and_at_its_time(pulse: Pulse, tmp_path: Path) -> None:
    sound = noise(1.5)
    with Recorder(pulse) as beside, Capture("station_out", pulse.env) as capture:
        play(pulse, sound, tmp_path)
        captured, recorded = capture.stop(), beside.stop()
    assert abs(begins_ms(captured, sound) - begins_ms(recorded, sound)) <= APART_MS


def test_a_recording_can_be_asked_for_twice(pulse: Pulse) -> None:
    with Capture("station_out", pulse.env) as capture:
        first = capture.stop()
        assert capture.stop().zero_ns == first.zero_ns


def test_a_device_that_is_not_there_is_named(pulse: Pulse) -> None:
    absent = Capture("no_such_line_in", pulse.env)
    with pytest.raises(DeafError, match=r"arecord hears nothing.*no_such_line_in"):
        absent.__enter__()


def test_a_recording_with_a_hole_is_no_recording(tmp_path: Path) -> None:
    """A recorder that was too late says so and goes on; what it wrote behind the hole lies at the wrong time."""
    lossy = tmp_path / "arecord"
    lossy.write_text("#!/bin/sh\nhead -c 400000 /dev/zero\nsleep 0.1\necho 'overrun!!! (at least 12.3 ms long)' >&2\n")
    lossy.chmod(0o755)
    capture = Capture("any")
    capture._command[0] = str(lossy)
    with capture:
        capture._thread.join()
        with pytest.raises(DeafError, match=r"lost sound.*overrun"):
            capture.stop()


@pytest.mark.parametrize(
    ("complaint", "lost"),
    [
        ("", False),
        ("overrun!!! (at least 350.001 ms long)", True),
        ("arecord: pcm_read:2272: read error: No such device", False),
        ("overrun!!! (at least 350.001 ms long)\narecord: pcm_read:2272: read error: No such device", False),
        ("overrun!!! (at least 9 ms long)\noverrun!!! (at least 1 ms long)\narecord: read error: No such device", True),
    ],
)
def test_a_card_that_is_taken_away_is_no_sound_that_was_missed(complaint: str, lost: bool) -> None:
    assert lost_sound(complaint) is lost
