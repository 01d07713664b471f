"""Whatever is staged comes out at one loudness with bounded peaks, by a meter that is not the one that levelled it."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.audio.confined import End, Ended, Limits, Trouble
from edge_agent.audio.decoder import FfmpegDecoder, Sink
from edge_agent.audio.loudness import (
    LIMITED_DB_MAX,
    PEAK_DBTP_MAX,
    RAISED_DB_MAX,
    TARGET_LUFS,
    Change,
    Levelling,
    Loudness,
    change_for,
    levelling,
    spoken,
)
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipStaged
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.making import ffmpeg, needs_decoder, needs_voice, samples
from tests.audio.meter import RATE, lufs, true_peak_dbtp

NEAR_LU = 0.5


class Kept:
    """A ``Sink`` that remembers."""

    rate = RATE

    def __init__(self) -> None:
        self.pcm = bytearray()

    def feed(self, chunk: bytes) -> None:
        self.pcm += chunk


def levelled(tmp_path: Path, path: Path) -> bytes | Trouble:
    kept, store = Kept(), PcmStore(tmp_path / "state")
    with path.open("rb") as source:
        trouble = levelling(Sandbox(), store.scratch).decode(source, kept, 600_000)
    return trouble or bytes(kept.pcm)


def decoded(path: Path) -> bytes:
    kept = Kept()
    with path.open("rb") as source:
        assert FfmpegDecoder(Sandbox()).decode(source, kept, 600_000) is None
    return bytes(kept.pcm)


def voice(path: Path, text: str, gain_db: float) -> Path:
    """Speech, so much louder or quieter than the voice gives it; what does not fit is clipped, as people do."""
    raw = path.with_suffix(".raw.wav")
    subprocess.run(["/usr/bin/espeak-ng", "-v", "vi", "-w", str(raw), text], check=True, timeout=60)
    ffmpeg("-i", raw, "-af", f"volume={gain_db}dB", "-ar", RATE, "-ac", "1", path)
    return path


# What is to be done


@pytest.mark.parametrize(
    ("lufs_before", "peak_dbtp", "change"),
    [
        (TARGET_LUFS, -6.0, None),
        (TARGET_LUFS + 0.4, -6.0, None),
        (-23.0, -12.0, Change(5.0, limited=False)),
        (-10.0, -0.1, Change(-8.0, limited=False)),
        (-23.0, -3.0, Change(5.0, limited=True)),
        (TARGET_LUFS, -0.5, Change(0.0, limited=True)),
        (-50.0, -45.0, Change(RAISED_DB_MAX, limited=False)),
        (-30.0, 0.0, Change(PEAK_DBTP_MAX + LIMITED_DB_MAX, limited=True)),
    ],
    ids=["there", "not heard as a difference", "quiet", "loud", "quiet with peaks", "peaks alone", "noise", "a bang"],
)
def test_what_is_done_to_sound(lufs_before: float, peak_dbtp: float, change: Change | None) -> None:
    assert change_for(Loudness(lufs_before, peak_dbtp)) == change


# By real parts


@pytest.mark.host
@needs_decoder
@needs_voice
@pytest.mark.parametrize("gain_db", [-18, -9, 0, 12])
def test_speech_comes_out_at_one_loudness_however_it_was_recorded(tmp_path: Path, gain_db: int) -> None:
    path = voice(tmp_path / "a.wav", "Kính thưa bà con. Sáng mai, trạm y tế tiêm vắc-xin cho người cao tuổi.", gain_db)
    pcm = levelled(tmp_path, path)
    assert isinstance(pcm, bytes)
    assert lufs(pcm) == pytest.approx(TARGET_LUFS, abs=1.0)
    assert true_peak_dbtp(pcm) <= PEAK_DBTP_MAX + 0.3
    assert len(pcm) == len(decoded(path)), "not a frame more or less"


@pytest.mark.host
@needs_decoder
def test_a_tone_is_raised_and_lowered_exactly(tmp_path: Path) -> None:
    for number, gain in enumerate((-30, -3)):
        path = tmp_path / f"{number}.wav"
        ffmpeg("-f", "lavfi", "-i", f"sine=1000:d=3:r=48000,volume={gain}dB,volume=8", path)
        pcm = levelled(tmp_path, path)
        assert isinstance(pcm, bytes)
        assert lufs(pcm) == pytest.approx(TARGET_LUFS, abs=NEAR_LU)


@pytest.mark.host
@needs_decoder
def test_what_has_the_loudness_already_is_kept_bit_for_bit(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    ffmpeg("-f", "lavfi", "-i", f"sine=1000:d=3:r=48000,volume={TARGET_LUFS + 18.06 + 3.01}dB", path)
    before = decoded(path)
    assert lufs(before) == pytest.approx(TARGET_LUFS, abs=0.3)
    assert levelled(tmp_path, path) == before


@pytest.mark.host
@needs_decoder
def test_silence_is_named_and_not_raised(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    ffmpeg("-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono", "-t", "5", path)
    trouble = levelled(tmp_path, path)
    assert isinstance(trouble, Trouble)
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_SILENT, False)


@pytest.mark.host
@needs_decoder
def test_silence_before_and_after_the_words_does_not_make_them_louder(tmp_path: Path) -> None:
    """The gate of the meter: half a minute of nothing is no reason to shout."""
    path = tmp_path / "a.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=1000:d=3:r=48000,volume=-4dB,apad=pad_dur=12,adelay=8000", path)
    pcm = levelled(tmp_path, path)
    assert isinstance(pcm, bytes)
    assert lufs(pcm[8 * RATE * 2 : 11 * RATE * 2]) == pytest.approx(TARGET_LUFS, abs=NEAR_LU)


@pytest.mark.host
@needs_decoder
def test_a_sound_too_short_to_be_measured_keeps_its_level(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    ffmpeg("-f", "lavfi", "-i", "sine=1000:d=0.3:r=48000,volume=-20dB", path)
    assert levelled(tmp_path, path) == decoded(path)


@pytest.mark.host
@needs_decoder
def test_peaks_between_samples_are_bounded(tmp_path: Path) -> None:
    """Clicks at a quarter of the rate, whose crests no sample shows: by its samples one is 3 dB lower than it is."""
    path = tmp_path / "a.wav"
    click = "if(lt(mod(t,2),0.003),0.5*sin(2*PI*12000*t+PI/4),0.06*sin(2*PI*400*t))"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{click}':d=4:s=48000", path)
    pcm = levelled(tmp_path, path)
    assert isinstance(pcm, bytes)
    assert lufs(pcm) > lufs(decoded(path)) + 5, "raised so far that the limiter works"
    assert true_peak_dbtp(pcm) <= PEAK_DBTP_MAX + 0.3


@pytest.mark.host
@needs_decoder
@needs_voice
@pytest.mark.parametrize("name", ["vi", "vi-vn-x-central", "vi-vn-x-south"])
def test_the_stations_own_voice_has_that_loudness_without_being_measured(tmp_path: Path, name: str) -> None:
    """Else an emergency that is spoken would be quieter, or louder, than a bulletin."""
    store = PcmStore(tmp_path / "state")
    stager = Stager(store, FfmpegDecoder(Sandbox()), EspeakVoice(Sandbox(), name), RATE, spoken(Sandbox()))
    text = "Khẩn cấp! Hồi mười bốn giờ, bão số bảy mạnh cấp mười hai. Các hộ ngoài đê phải sơ tán ngay."
    staged = stager.stage_text(ClipKey("ab" * 32), "vi", text)
    assert isinstance(staged, ClipStaged)
    with store.open(staged.key) as clip:
        pcm = clip.read(0, clip.frames)
    assert lufs(pcm) == pytest.approx(TARGET_LUFS, abs=3)
    assert true_peak_dbtp(pcm) <= PEAK_DBTP_MAX + 0.3


@pytest.mark.host
@needs_decoder
def test_the_click_of_a_stop_button_after_the_last_whole_block_is_a_peak_too(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    click = "if(gt(t,3.03),0.6*sin(2*PI*900*t),0.01*sin(2*PI*400*t))"
    ffmpeg("-f", "lavfi", "-i", f"aevalsrc='{click}':d=3.06:s=48000", path)
    pcm = levelled(tmp_path, path)
    assert isinstance(pcm, bytes)
    assert true_peak_dbtp(pcm) <= PEAK_DBTP_MAX + 0.3


# By a meter that fails


class Failing:
    """A ``Confined`` in which the decoder does its work, and what comes after it ends as told."""

    def __init__(self, *ends: tuple[Ended, bytes]) -> None:
        self.ends = list(ends)

    def run(
        self,
        argv: tuple[str, ...],
        source: BinaryIO,
        limits: Limits,
        take: Callable[[bytes], object],
        stop: int | None = None,
    ) -> Ended:
        ended, output = self.ends.pop(0)
        if output:
            take(output)
        return ended


class Plain:
    """A ``Decoder`` that takes a second of a loud square for whatever it is given."""

    def decode(self, source: BinaryIO, into: Sink, ms_max: int) -> Trouble | None:
        into.feed(b"\xff\x3f\x00\xc0" * (into.rate // 2))
        return None


def ended(status: int = 0, how: End = End.EXITED) -> Ended:
    return Ended(how, status, 0, "")


MEASURED = b"lavfi.r128.I=-5.0\nlavfi.r128.true_peak=0.9\n"


@pytest.mark.parametrize(
    "ends",
    [
        [(ended(1), b"")],
        [(ended(137), b"")],
        [(ended(0, End.NO_SANDBOX), b"")],
        [(ended(), b"nothing of use\n")],
        [(ended(), b"lavfi.r128.I=1.2.3\nlavfi.r128.true_peak=0.9\n")],
        [(ended(), b"lavfi.r128.I=-5.0\nlavfi.r128.true_peak=.\n")],
        [(ended(), b"lavfi.r128.I=-5.0\nlavfi.r128.true_peak=" + b"9" * 400 + b"\n")],
        [(ended(), MEASURED), (ended(1), b"")],
        [(ended(), MEASURED), (ended(), b"half")],
    ],
    ids=[
        *("meter fails", "meter is killed", "no sandbox", "meter is dumb"),
        *("meter taken over: no number", "meter taken over: a point", "meter taken over: no end of digits"),
        *("limiter fails", "limiter loses some"),
    ],
)
def test_what_cannot_be_levelled_is_not_staged_and_is_tried_again(
    tmp_path: Path, ends: list[tuple[Ended, bytes]]
) -> None:
    store = PcmStore(tmp_path / "state")
    levels = Levelling(Plain(), Failing(*ends), store.scratch)
    with (tmp_path / "x").open("w+b") as source:
        trouble = levels.decode(source, Kept(), 1_000)
    assert isinstance(trouble, Trouble)
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_UNREADABLE, True)


def test_the_meter_of_these_tests_is_right() -> None:
    """EBU Tech 3341, cases 1 and 2, in mono: a 1 kHz tone of -23 dBFS on one channel is -26.0 LUFS (-23.0 in both)."""
    for peak_db, expected in ((-23.0, -26.0), (-33.0, -36.0)):
        height, turns = 32_767 * 10 ** (peak_db / 20), 2 * math.pi * 1_000 / RATE
        tone = [round(height * math.sin(turns * at)) for at in range(RATE * 3)]
        pcm = b"".join(value.to_bytes(2, "little", signed=True) for value in tone)
        assert lufs(pcm) == pytest.approx(expected, abs=0.1)
        assert samples(pcm)[1] == tone[1]
