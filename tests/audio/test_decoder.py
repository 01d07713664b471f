"""Audio from outside is decoded within its bounds, or named as unreadable; whatever it tries, it gets nowhere."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import FfmpegDecoder
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.sandbox import Sandbox
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.audio.making import ffmpeg, heard_hz, hours_of_silence, needs_decoder, peak_dbfs, sine

pytestmark = [pytest.mark.host, needs_decoder]

RATE = 48_000
KEY = ClipKey("d" * 64)
DECODER = FfmpegDecoder(Sandbox())


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path / "state")


def decode(store: PcmStore, path: Path, ms_max: int, decoder: FfmpegDecoder = DECODER) -> bytes | Trouble:
    """The PCM of a whole file, or why there is none."""
    with open(path, "rb") as source, store.writer(KEY, RATE) as writer:
        trouble = decoder.decode(source, writer, ms_max)
        if trouble:
            return trouble
        writer.commit()
    with store.open(KEY) as clip:
        return clip.read(0, clip.frames)


def refused(store: PcmStore, path: Path, ms_max: int = 60_000) -> Trouble:
    trouble = decode(store, path, ms_max)
    assert isinstance(trouble, Trouble), f"{len(trouble)} bytes of sound came out"
    return trouble


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp3", ("-c:a", "libmp3lame", "-b:a", "64k")),
        ("vbr-stereo.mp3", ("-c:a", "libmp3lame", "-q:a", "4", "-af", "pan=stereo|c0=c0|c1=c0")),
        ("a.aac", ("-c:a", "aac", "-b:a", "64k")),
        ("index-last.m4a", ("-c:a", "aac", "-b:a", "64k")),
        ("index-first.m4a", ("-c:a", "aac", "-b:a", "64k", "-movflags", "+faststart")),
        ("a.flac", ()),
        ("vorbis.ogg", ("-c:a", "libvorbis")),
        ("opus.ogg", ("-c:a", "libopus")),
        ("a.wav", ()),
        ("22k-mono.wav", ("-ar", "22050", "-ac", "1")),
    ],
)
def test_every_format_that_is_let_in_comes_out_whole(
    store: PcmStore, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    pcm = decode(store, sine(tmp_path / name, 5, *options), 6_000)
    assert isinstance(pcm, bytes), pcm
    assert len(pcm) / 2 / RATE == pytest.approx(5, abs=0.15)
    middle = pcm[2 * RATE : 8 * RATE]  # an encoder's first frames overshoot
    assert heard_hz(middle, RATE) == pytest.approx(440, abs=2)
    assert peak_dbfs(middle) == pytest.approx(-18, abs=1.5)


def test_an_older_kind_that_does_not_say_what_it_is_is_read_too(store: PcmStore, tmp_path: Path) -> None:
    """QuickTime's own, of before MP4: at the desk, where a file has a name, it is measured."""
    path = sine(tmp_path / "a.mov", 30, "-c:a", "aac")
    path.write_bytes(path.read_bytes().replace(b"ftyp", b"free", 1))
    pcm = decode(store, path, 31_000)
    assert isinstance(pcm, bytes), pcm
    assert len(pcm) / 2 / RATE == pytest.approx(30, abs=0.15)


def test_an_mp4_with_its_index_behind_many_megabytes_is_read(store: PcmStore, tmp_path: Path) -> None:
    minute, path = sine(tmp_path / "minute.aac", 60, "-c:a", "aac", "-b:a", "64k"), tmp_path / "long.m4a"
    ffmpeg("-stream_loop", "10", "-i", minute, "-c", "copy", "-t", "600", path)
    pcm = decode(store, path, 601_000)
    assert isinstance(pcm, bytes), pcm
    assert len(pcm) / 2 / RATE == pytest.approx(600, abs=0.2)


def test_a_cover_picture_is_not_decoded_and_does_not_hinder(store: PcmStore, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "color=red:size=300x300", "-frames:v", "1", tmp_path / "cover.png")
    sine(tmp_path / "plain.mp3", 2)
    ffmpeg(
        *("-i", tmp_path / "plain.mp3", "-i", tmp_path / "cover.png", "-map", "0", "-map", "1", "-c", "copy"),
        *("-disposition:v", "attached_pic", "-id3v2_version", "3", tmp_path / "cover.mp3"),
    )
    pcm = decode(store, tmp_path / "cover.mp3", 3_000)
    assert isinstance(pcm, bytes), pcm
    assert len(pcm) / 2 / RATE == pytest.approx(2, abs=0.15)


def test_loud_stereo_is_mixed_down_without_clipping(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "loud.flac", 1, "-af", "volume=17.9dB", "-ac", "2")
    pcm = decode(store, path, 2_000)
    assert isinstance(pcm, bytes), pcm
    assert peak_dbfs(pcm) <= 0
    assert heard_hz(pcm, RATE) == pytest.approx(440, abs=2)


def test_the_rate_is_the_writers(store: PcmStore, tmp_path: Path) -> None:
    with open(sine(tmp_path / "a.mp3", 2), "rb") as source, store.writer(KEY, 32_000) as writer:
        assert DECODER.decode(source, writer, 3_000) is None
        assert writer.frames / 32_000 == pytest.approx(2, abs=0.15)


def test_sound_longer_than_signed_is_stopped_at_its_bound(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "long.mp3", 60)
    with open(path, "rb") as source, store.writer(KEY, RATE) as writer:
        trouble = DECODER.decode(source, writer, 10_000)
        assert writer.frames <= 10 * RATE
    assert trouble == Trouble(Reason.AUDIO_TOO_LONG, again=False, detail="more sound than was signed")


def test_a_bomb_of_hours_in_a_small_file_ends_at_its_bound(store: PcmStore, tmp_path: Path) -> None:
    hours_of_silence(tmp_path / "bomb.flac", 120, 48_000)
    assert (tmp_path / "bomb.flac").stat().st_size < 2_500_000  # two hours: 0.7 GB of sound
    with open(tmp_path / "bomb.flac", "rb") as source, store.writer(KEY, RATE) as writer:
        trouble = DECODER.decode(source, writer, 30_000)
        assert writer.frames <= 30 * RATE
    assert trouble is not None
    assert trouble.reason is Reason.AUDIO_TOO_LONG


def test_an_mp4_whose_index_claims_millions_of_samples_stays_within_its_memory(store: PcmStore, tmp_path: Path) -> None:
    """The index (stsz) of an honest file is blown up; its boxes lie about nothing else."""
    data = bytearray(sine(tmp_path / "a.m4a", 3, "-c:a", "aac").read_bytes())
    at = data.index(b"stsz")
    data[at + 8 : at + 12] = (1).to_bytes(4, "big")  # one size for all: no table is needed
    data[at + 12 : at + 16] = (0x7FFF_FFFF).to_bytes(4, "big")
    (tmp_path / "index.m4a").write_bytes(data)
    assert refused(store, tmp_path / "index.m4a").reason in {Reason.AUDIO_UNREADABLE, Reason.AUDIO_TOO_LONG}


def test_a_clip_cut_off_in_the_middle_gives_what_is_left_or_is_unreadable(store: PcmStore, tmp_path: Path) -> None:
    for name in ("a.mp3", "a.aac", "a.m4a", "a.flac", "a.ogg", "a.wav"):
        whole = sine(tmp_path / name, 4).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        got = decode(store, tmp_path / name, 5_000)
        if isinstance(got, bytes):
            assert 1 < len(got) / 2 / RATE < 3, name
        else:
            assert got.reason is Reason.AUDIO_UNREADABLE, name


def test_a_cut_mp4_without_its_index_is_unreadable(store: PcmStore, tmp_path: Path) -> None:
    whole = sine(tmp_path / "a.m4a", 4, "-c:a", "aac").read_bytes()
    (tmp_path / "a.m4a").write_bytes(whole[: len(whole) // 2])
    assert refused(store, tmp_path / "a.m4a").reason is Reason.AUDIO_UNREADABLE


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 4_096, 1_000_000])
def test_random_bytes_are_unreadable(store: PcmStore, tmp_path: Path, size: int) -> None:
    (tmp_path / "noise.mp3").write_bytes(random.Random(size).randbytes(size))
    trouble = refused(store, tmp_path / "noise.mp3")
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_UNREADABLE, False)


def test_damaged_clips_of_every_format_never_do_more_than_fail(store: PcmStore, tmp_path: Path) -> None:
    chance = random.Random(20_261_125)
    for name in ("a.mp3", "a.m4a", "a.flac", "a.ogg", "a.wav"):
        whole = sine(tmp_path / name, 2).read_bytes()
        for _ in range(8):
            data = bytearray(whole)
            for _ in range(20):
                data[chance.randrange(len(data))] = chance.randrange(256)
            (tmp_path / name).write_bytes(data)
            got = decode(store, tmp_path / name, 10_000)
            reasons = {Reason.AUDIO_UNREADABLE, Reason.AUDIO_TOO_LONG}
            assert isinstance(got, bytes) or got.reason in reasons, (name, got)


def test_formats_that_are_not_let_in_are_named_whatever_the_file_is_called(store: PcmStore, tmp_path: Path) -> None:
    names = {"mkv": "matroska,webm", "ts": "mpegts", "aiff": "aiff", "au": "au", "avi": "avi"}
    for ending, name in names.items():
        path = sine(tmp_path / f"a.{ending}", 1)
        path.rename(tmp_path / "a.mp3")  # a name makes no difference
        trouble = Trouble(Reason.AUDIO_UNREADABLE, again=False, detail=f"{name} is not let in")
        assert refused(store, tmp_path / "a.mp3") == trouble


def test_codecs_that_are_not_let_in_are_unreadable(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "adpcm.wav", 1, "-c:a", "adpcm_ms")
    assert refused(store, path) == Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="adpcm_ms is not let in")


def test_without_the_sandbox_nothing_is_decoded_and_the_reason_says_so(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "a.mp3", 1)
    trouble = decode(store, path, 2_000, FfmpegDecoder(Sandbox("/nonexistent/bwrap")))
    assert isinstance(trouble, Trouble)
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_UNREADABLE, True)
    assert trouble.detail.startswith("no sandbox, so no decoding: ")


def test_without_ffmpeg_the_reason_names_it(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "a.mp3", 1)
    trouble = decode(store, path, 2_000, FfmpegDecoder(Sandbox(), "/usr/bin/no-ffmpeg"))
    assert isinstance(trouble, Trouble)
    assert (trouble.reason, trouble.again) == (Reason.AUDIO_UNREADABLE, True)
    assert "/usr/bin/no-ffmpeg" in trouble.detail


def test_a_decoder_that_was_taken_over_can_make_neither_half_frames_nor_none(store: PcmStore, tmp_path: Path) -> None:
    """Planted: echo says back its arguments, one byte more at 48000 than at 8000, and ends well; true says nothing."""
    (tmp_path / "x").write_bytes(b"\0")

    def ended(program: str, rate: int) -> Trouble | None:
        with open(tmp_path / "x", "rb") as source, store.writer(KEY, rate) as writer:
            return FfmpegDecoder(Sandbox(), program).decode(source, writer, 1_000)

    refused_ones = [ended("/usr/bin/echo", 8_000), ended("/usr/bin/echo", 48_000)]
    nothing = Trouble(Reason.AUDIO_UNREADABLE, again=False, detail="no sound in it")
    assert refused_ones in ([None, nothing], [nothing, None])
    assert ended("/usr/bin/true", 48_000) == nothing
