"""Facts about real files, by the real ffmpeg."""

from __future__ import annotations

import hashlib
import struct
import wave
from pathlib import Path

import pytest

from edge_agent.audio.decoder import FfmpegDecoder
from edge_agent.audio.loudness import FileSink
from edge_agent.audio.sandbox import Sandbox
from edge_agent.headend.audio_facts import AudioError, facts_of
from tests.audio.making import ffmpeg, needs_decoder

pytestmark = pytest.mark.host


def write_wav(path: Path, frames: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x10\x00\xf0" * (frames // 2) + b"\x00\x10" * (frames % 2))


def test_a_file_is_described_by_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "-i tin.wav"  # a name that a command line could take for an option
    write_wav(path, 12_345)
    facts = facts_of(path)
    assert facts.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts.length_bytes == path.stat().st_size
    assert facts.duration_ms == pytest.approx(1_543, abs=1)
    assert facts.codec == "wav"


def test_what_is_no_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "tin.mp3").write_text("không phải âm thanh")
    with pytest.raises(AudioError, match=r"tin\.mp3: .* is no audio"):
        facts_of(tmp_path / "tin.mp3")


@needs_decoder
@pytest.mark.parametrize("name", ["tin.m4a", "tin.ogg"])
def test_a_pause_that_was_not_recorded_counts_as_little_as_it_does_at_a_station(tmp_path: Path, name: str) -> None:
    """A telephone leaves out silence, and what lay between two presses of a button: the file tells a longer time."""
    written = "aselect=lt(t\\,2)+gt(t\\,7)"
    ffmpeg("-f", "lavfi", "-i", "sine=440:duration=10:sample_rate=48000", "-af", written, tmp_path / name)
    decoder = FfmpegDecoder(Sandbox())
    with (tmp_path / name).open("rb", buffering=0) as source, (tmp_path / "pcm").open("w+b") as pcm:
        assert decoder.decode(source, FileSink(pcm, 48_000), 60_000) is None
        sounds_ms = pcm.tell() // 96
    assert 4_900 < sounds_ms < 5_100
    assert facts_of(tmp_path / name).duration_ms == pytest.approx(sounds_ms, abs=30)


@pytest.mark.parametrize(("frames", "reason"), [(8_000 * 7, "audio_too_short"), (8_000 * 13, "audio_too_long")])
def test_a_length_that_is_not_the_files_is_refused_before_anybody_signs_it(
    tmp_path: Path, frames: int, reason: str
) -> None:
    write_wav(tmp_path / "tin.wav", frames)
    said = rf"\[{reason}\]: {frames / 8_000} s, not 10\.0 s; bỏ duration_s thì máy tự đo / without duration_s"
    with pytest.raises(AudioError, match=said):
        facts_of(tmp_path / "tin.wav", 10_000)


def test_a_length_that_is_the_files_is_signed_as_it_was_given(tmp_path: Path) -> None:
    write_wav(tmp_path / "tin.wav", 8_000 * 10 + 4_000)
    assert facts_of(tmp_path / "tin.wav", 10_000).duration_ms == 10_000


def test_a_length_is_believed_only_where_nothing_can_measure_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wav(tmp_path / "tin.wav", 8_000 * 7)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts_of(tmp_path / "tin.wav", 10_000).duration_ms == 10_000
    with pytest.raises(AudioError, match=r"ffmpeg is not installed"):
        facts_of(tmp_path / "tin.wav")


def test_two_recordings_in_one_file_are_refused_before_anybody_signs_them(tmp_path: Path) -> None:
    write_wav(tmp_path / "tin.wav", 8_000)
    whole = (tmp_path / "tin.wav").read_bytes()
    (tmp_path / "tin.wav").write_bytes(whole + whole)
    with pytest.raises(
        AudioError, match=rf"\[audio_unreadable\]: another recording \(WAV\) begins at byte {len(whole)}"
    ):
        facts_of(tmp_path / "tin.wav")


@pytest.mark.parametrize("given_ms", [None, 1_000])
def test_what_no_station_decodes_is_refused_before_anybody_signs_it(tmp_path: Path, given_ms: int | None) -> None:
    """A recorder's 24 bits, a format that is not let in: this machine's ffmpeg reads both, a station's neither."""
    with wave.open(str(tmp_path / "tin.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(3)
        file.setframerate(8000)
        file.writeframes(b"\0\0\0" * 8000)
    with pytest.raises(AudioError, match=r"tin\.wav: .* stations do not read pcm_s24le: save it as MP3, or as WAV"):
        facts_of(tmp_path / "tin.wav", given_ms)
    (tmp_path / "tin.au").write_bytes(struct.pack(">4s5I", b".snd", 24, 16_000, 3, 8_000, 1) + b"\0\0" * 8_000)
    with pytest.raises(AudioError, match=r"tin\.au: .* stations do not read au: "):
        facts_of(tmp_path / "tin.au", given_ms)


def test_a_given_length_makes_no_sound_of_what_is_none(tmp_path: Path) -> None:
    (tmp_path / "tin.mp3").write_text("không phải âm thanh")
    with pytest.raises(AudioError, match=r"tin\.mp3: .* is no audio"):
        facts_of(tmp_path / "tin.mp3", 5_000)


@pytest.mark.parametrize("given_ms", [None, 2_000])
@pytest.mark.parametrize("right", [b"\0\0", b"\x00\xf0"])
def test_what_no_horn_would_let_anybody_hear_is_refused_before_anybody_signs_it(
    tmp_path: Path, given_ms: int | None, right: bytes
) -> None:
    """A microphone that was off; and two channels that are each other's opposite, of which a horn gets the sum."""
    left = b"\0\0" if right == b"\0\0" else b"\x00\x10"
    with wave.open(str(tmp_path / "tin.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((left + right + right + left) * 8_000)
    with pytest.raises(AudioError, match=r"tin\.wav: .* \[audio_silent\]: -.* LUFS"):
        facts_of(tmp_path / "tin.wav", given_ms)


def test_a_click_that_is_too_short_to_be_measured_is_no_silence(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "tin.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * 800)
    assert facts_of(tmp_path / "tin.wav").duration_ms == 100


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"none\.mp3: không đọc được / cannot be read"):
        facts_of(tmp_path / "none.mp3")
