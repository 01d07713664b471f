"""Recordings joined in one file: heard whole and at the right pitch, or refused by name; never heard wrongly."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.audio import joined
from edge_agent.audio.confined import Trouble
from edge_agent.audio.joined import BLOCK_BYTES, another_begins
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.core.reasons import Reason
from tests.audio.making import ffmpeg, heard_hz, needs_decoder
from tests.audio.test_decoder import RATE, decode, refused

FIRST_HZ, SECOND_HZ, HALF_S = 440, 880, 2

real = [pytest.mark.host, needs_decoder]
MP3 = ("a.mp3", "-c:a", "libmp3lame")
PLAIN_MP3 = ("a.mp3", "-c:a", "libmp3lame", "-write_xing", "0", "-id3v2_version", "0")
AAC = ("a.aac", "-c:a", "aac")
VORBIS = ("a.ogg", "-c:a", "libvorbis")
OPUS = ("a.ogg", "-c:a", "libopus")
FLAC = ("a.flac", "-c:a", "flac")
OGG_FLAC = ("a.ogg", "-c:a", "flac")
WAV = ("a.wav", "-c:a", "pcm_s16le")
M4A = ("a.m4a", "-c:a", "aac")
FRAGMENTS = ("a.m4a", "-c:a", "aac", "-movflags", "frag_keyframe+empty_moov")

Kind = tuple[str, ...]
Sort = tuple[int, int]


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path / "state")


def half(folder: Path, kind: Kind, sort: Sort, hz: int) -> bytes:
    """A tone in a format, with its own rate and channels."""
    rate, channels = sort
    path = folder / f"{hz}-{kind[0]}"
    tone = f"sine={hz}:duration={HALF_S}:sample_rate={rate}"
    ffmpeg("-f", "lavfi", "-i", tone, "-ac", str(channels), *kind[1:], path)
    return path.read_bytes()


def both(folder: Path, first: Kind, second: Kind, sorts: tuple[Sort, Sort]) -> Path:
    path = folder / first[0]
    path.write_bytes(half(folder, first, sorts[0], FIRST_HZ) + half(folder, second, sorts[1], SECOND_HZ))
    return path


SORTS = {
    "44-48": ((44_100, 1), (48_000, 1)),
    "48-44": ((48_000, 1), (44_100, 1)),
    "22-48-stereo": ((22_050, 1), (48_000, 2)),
    "stereo-mono": ((48_000, 2), (48_000, 1)),
}
OPUS_SORTS = {name: sorts for name, sorts in SORTS.items() if name == "stereo-mono"} | {
    "48-16": ((48_000, 1), (16_000, 1)),
    "8-stereo-48": ((8_000, 2), (48_000, 1)),
}
HEARD = [
    pytest.param(kind, sorts, marks=real, id=f"{name}-{how}")
    for name, kind, of in (
        ("mp3", MP3, SORTS),
        ("plain-mp3", PLAIN_MP3, SORTS),
        ("aac", AAC, SORTS),
        ("vorbis", VORBIS, SORTS),
        ("opus", OPUS, OPUS_SORTS),
    )
    for how, sorts in of.items()
]


@pytest.mark.parametrize(("kind", "sorts"), HEARD)
def test_joined_recordings_of_other_rates_and_channels_are_heard_whole_and_at_their_pitch(
    store: PcmStore, tmp_path: Path, kind: Kind, sorts: tuple[Sort, Sort]
) -> None:
    pcm = decode(store, both(tmp_path, kind, kind, sorts), 10_000)
    assert isinstance(pcm, bytes), pcm
    assert len(pcm) / 2 / RATE == pytest.approx(2 * HALF_S, abs=0.2)  # each encoder adds up to 0.1 s
    second = 2 * RATE * HALF_S
    assert heard_hz(pcm[RATE // 2 : second - RATE // 2], RATE) == pytest.approx(FIRST_HZ, abs=2)
    # 0.25 s behind the join, for the first frames' overshoot.
    assert heard_hz(pcm[second + RATE // 2 : -RATE // 2], RATE) == pytest.approx(SECOND_HZ, abs=4)


MIXED = ((44_100, 1), (48_000, 1))
BLOCKS = ((22_050, 1), (48_000, 1))
REFUSED = {
    "flac": (FLAC, FLAC, MIXED, "FLAC"),
    "flac-of-other-blocks": (FLAC, FLAC, BLOCKS, "FLAC"),
    "ogg-flac": (OGG_FLAC, OGG_FLAC, BLOCKS, "FLAC"),
    "wav": (WAV, WAV, MIXED, "WAV"),
    "m4a": (M4A, M4A, MIXED, "MP4"),
    "m4a-in-fragments": (FRAGMENTS, FRAGMENTS, MIXED, "MP4"),
    "vorbis-opus": (VORBIS, OPUS, MIXED, "Opus"),
    "opus-vorbis": (OPUS, VORBIS, ((48_000, 1), (44_100, 1)), "Vorbis"),
    "opus-of-six": (OPUS, OPUS, ((48_000, 1), (48_000, 6)), "Opus, 6 channels"),
    "mp3-wav": (PLAIN_MP3, WAV, MIXED, "WAV"),
    "mp3-flac": (MP3, FLAC, MIXED, "FLAC"),
    "mp3-ogg": (MP3, VORBIS, MIXED, "Ogg"),
    "aac-m4a": (AAC, M4A, MIXED, "MP4"),
}


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize(("first", "second", "sorts", "named"), REFUSED.values(), ids=REFUSED)
def test_what_would_be_heard_in_part_or_at_another_pitch_is_refused_and_told_where(
    store: PcmStore, tmp_path: Path, first: Kind, second: Kind, sorts: tuple[Sort, Sort], named: str
) -> None:
    path = both(tmp_path, first, second, sorts)
    at = len((tmp_path / f"{FIRST_HZ}-{first[0]}").read_bytes())
    told = f"another recording ({named}) begins at byte {at}: export both as one file"
    assert refused(store, path) == Trouble(Reason.AUDIO_UNREADABLE, again=False, detail=told)


@pytest.mark.host
@needs_decoder
def test_a_wav_without_a_length_does_not_play_what_follows_at_its_own_pitch(store: PcmStore, tmp_path: Path) -> None:
    """As a recorder writes it that was not stopped: all that follows is its sound."""
    first, second = (half(tmp_path, WAV, sort, hz) for sort, hz in zip(BLOCKS, (FIRST_HZ, SECOND_HZ), strict=True))
    at = first.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(first[:at] + b"\xff" * 4 + first[at + 4 :] + second)
    assert "another recording (WAV)" in refused(store, tmp_path / "a.wav").detail


@pytest.mark.host
@needs_decoder
@pytest.mark.parametrize(
    "kind", [OGG_FLAC, FLAC, OPUS, VORBIS, M4A, FRAGMENTS, WAV], ids=lambda kind: "".join(kind[:3])
)
def test_one_recording_is_one(tmp_path: Path, kind: Kind) -> None:
    half(tmp_path, kind, (48_000, 2), FIRST_HZ)
    with open(tmp_path / f"{FIRST_HZ}-{kind[0]}", "rb") as source:
        assert another_begins(source) is None


# -- in bytes ----------------------------------------------------------------------------------------------------------

RIFF = b"RIFF\x24\x00\x00\x00WAVEfmt "
STREAM = b"fLaC\x00\x00\x00\x22"
BOX = b"\x00\x00\x00\x1cftypM4A "
PAGE = b"OggS\x00\x02" + bytes(20) + b"\x01\x1e\x01vorbis" + bytes(23)


def found(path: Path, content: bytes) -> str | None:
    path.write_bytes(content)
    with open(path, "rb") as source:
        return another_begins(source)


@pytest.mark.parametrize("begins", [RIFF, STREAM, BOX, PAGE], ids=["wav", "flac", "mp4", "ogg"])
def test_a_beginning_is_found_wherever_it_lies_between_two_looks(tmp_path: Path, begins: bytes) -> None:
    for at in range(BLOCK_BYTES - 40, BLOCK_BYTES + 20):
        told = found(tmp_path / "a", bytes(at) + begins + bytes(100))
        assert told is not None, at
        assert f"at byte {at}:" in told


def test_the_stream_in_an_ogg_page_is_no_second_one_wherever_a_look_ends(tmp_path: Path) -> None:
    mapped = b"\x7fFLAC\x01\x00\x00\x01"
    for at in range(BLOCK_BYTES - 40, BLOCK_BYTES + 20):
        assert found(tmp_path / "a", bytes(at) + mapped + STREAM + bytes(100)) is None, at


def tag(body: bytes, flags: int = 0) -> bytes:
    size = bytes((len(body) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00" + bytes([flags]) + size + body


def test_what_lies_in_tags_before_the_file_begins_nothing(tmp_path: Path) -> None:
    tags = tag(RIFF + STREAM) + tag(BOX, flags=0x10) + b"3DI" + bytes(7)
    assert found(tmp_path / "a", tags + bytes(100)) is None
    assert found(tmp_path / "a", tags + RIFF + bytes(100)) is None
    told = found(tmp_path / "a", tags + RIFF + bytes(100) + RIFF)
    assert told is not None
    assert f"at byte {len(tags) + len(RIFF) + 100}:" in told


def test_tags_without_end_cost_no_more_than_a_few_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def pread(fd: int, length: int, at: int) -> bytes:
        looks.append(at)
        return tag(b"") if length == 10 else b""

    monkeypatch.setattr(joined.os, "pread", pread)
    assert found(tmp_path / "a", b"") is None
    assert len(looks) == joined.TAGS_MAX + 1


FRAGMENTS_OF_FILES = st.sampled_from([RIFF, STREAM, BOX, PAGE, PAGE[:28], b"OggS", b"WAVE", tag(b""), tag(RIFF)[:14]])


@given(st.lists(FRAGMENTS_OF_FILES | st.binary(max_size=40), max_size=12).map(b"".join))
def test_whatever_the_bytes_are_they_have_an_answer(content: bytes) -> None:
    with tempfile.TemporaryFile() as source:
        source.write(content)
        source.flush()
        told = another_begins(source)
    assert told is None or 0 < int(told.split(" at byte ")[1].split(":")[0]) < len(content)


def test_words_that_are_no_beginning_are_sound(tmp_path: Path) -> None:
    for words in (
        b"RIFFWAVE",
        b"RIFF\0\0\0\0AVI ",
        b"fLaC\x04\0\0\x22",
        b"\0\0\x01\x1cftypM4A ",
        b"OggS\0\0" + bytes(40),
    ):
        assert found(tmp_path / "a", bytes(100) + words + bytes(100)) is None, words


def cpu_s(content: bytes, path: Path) -> float:
    """What looking through so much takes of this thread's time."""
    path.write_bytes(content)
    with open(path, "rb") as source:
        begun = time.thread_time()
        another_begins(source)
        return time.thread_time() - begun


@pytest.mark.parametrize("word", [b"WAVE", b"fLaC", b"ftyp", b"OggS"])
def test_half_beginnings_by_the_million_take_no_more_than_a_few_times_the_time_of_sound(
    tmp_path: Path, word: bytes
) -> None:
    """They are looked for in the agent itself: a clip of 200 MB of them would keep it busy for minutes."""
    sound = cpu_s(os.urandom(4_000_000), tmp_path / "sound")
    assert cpu_s(word * 1_000_000, tmp_path / "words") < 10 * sound + 0.05


def test_an_ogg_chain_of_more_links_than_anybody_records_is_refused_after_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joined, "LINKS_MAX", 10)
    link = b"OggS\x00\x02" + bytes(20) + b"\x01\x07" + b"\x01vorbis"
    (tmp_path / "few").write_bytes(link * 10)
    (tmp_path / "many").write_bytes(link * 11)
    with open(tmp_path / "few", "rb") as few, open(tmp_path / "many", "rb") as many:
        assert another_begins(few) is None
        assert another_begins(many) == "more than 10 recordings in one file: export them as one"
