"""Real files made to send the decoder elsewhere, or to keep it busy: each ends with its name, or as its own sound."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent.audio import decoder
from edge_agent.audio.confined import Trouble
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.core.reasons import Reason
from tests.audio.making import ffmpeg, heard_hz, hours_of_silence, needs_decoder, peak_dbfs, sine
from tests.audio.test_decoder import RATE, decode, refused

pytestmark = [pytest.mark.host, needs_decoder]

HLS = "no sound but a playlist (HLS, M3U)"
CONCAT = "no sound but a playlist (ffconcat)"
ADDRESS = "no sound but an address of something else"
OWN_HZ, OTHER_HZ = 440, 1_000
INDEX_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref")


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path / "state")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A clip that only whoever reads elsewhere can get at."""
    return sine(tmp_path / "other.wav", 1, hz=OTHER_HZ)


def unreadable(detail: str) -> Trouble:
    return Trouble(Reason.AUDIO_UNREADABLE, again=False, detail=detail)


def assert_its_own(got: bytes | Trouble) -> None:
    assert isinstance(got, bytes), got
    assert heard_hz(got[RATE // 2 : RATE * 3 // 2], RATE) == pytest.approx(OWN_HZ, abs=5)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", HLS),
        ("#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nconcat:{clip}|{clip}\n#EXT-X-ENDLIST\n", HLS),
        ("ffconcat version 1.0\nfile '{clip}'\n", CONCAT),
        ("ffconcat version 1.0\nfile 'file:///etc/passwd'\n", CONCAT),
        ('<?xml version="1.0"?><MPD><BaseURL>{clip}</BaseURL></MPD>', "no sound but a playlist (DASH)"),
        ("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\n", "no sound but a session description (SDP)"),
        ("concat:{clip}|{clip}", ADDRESS),
        ("data:audio/wav;base64,UklGRiQAAABXQVZF", ADDRESS),
        ("rtsp://127.0.0.1/camera\n", ADDRESS),
        ("1\n00:00:01,000 --> 00:00:04,000\nXin chào\n", "no sound but subtitles"),
        ("", "no sound but an empty file"),
    ],
    ids="hls-passwd hls-concat concat concat-passwd dash sdp concat-address data rtsp subtitles empty".split(),
)
def test_what_points_elsewhere_is_refused_by_name_before_anything_reads_it(
    store: PcmStore, tmp_path: Path, other: Path, text: str, detail: str
) -> None:
    for name in ("list.m3u8", "list.mp3", "list.m4a"):
        (tmp_path / name).write_text(text.format(clip=other))
        assert refused(store, tmp_path / name) == unreadable(detail)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("ffconcat version 1.0\nfile '{clip}'\n# \0", "concat is not let in"),
        (
            "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n\0",
            "sdp is not let in",
        ),
        ("WEBVTT\n\n00:01.000 --> 00:04.000\nhello\0\n", "webvtt is not let in"),
    ],
    ids=["concat", "sdp", "subtitles"],
)
def test_what_the_first_bytes_hide_the_decoder_itself_refuses(
    store: PcmStore, tmp_path: Path, other: Path, text: str, detail: str
) -> None:
    """Planted: one byte that no text has."""
    (tmp_path / "list.mp3").write_text(text.format(clip=other))
    assert refused(store, tmp_path / "list.mp3") == unreadable(detail)


@contextmanager
def nobody_calls() -> Iterator[str]:
    """An address on this machine that must not be called while the block lasts."""
    called = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen() -> None:
            try:
                server.accept()
                called.set()
            except OSError:
                pass  # closed at the block's end: nobody called

        listener = threading.Thread(target=listen)
        listener.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        server.shutdown(socket.SHUT_RDWR)
        listener.join()
    assert not called.is_set()


def test_a_playlist_cannot_make_the_decoder_call_anybody(store: PcmStore, tmp_path: Path) -> None:
    with nobody_calls() as url:
        for end in ("", "#\0"):
            text = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}\n#EXT-X-ENDLIST\n{end}"
            (tmp_path / "list.m3u8").write_text(text)
            assert refused(store, tmp_path / "list.m3u8").reason is Reason.AUDIO_UNREADABLE


def test_an_address_in_a_clips_title_is_a_title(store: PcmStore, tmp_path: Path, other: Path) -> None:
    for title in (f"concat:{other}|{other}", f"file://{other}", "#EXTM3U"):
        path = sine(tmp_path / "titled.wav", 1, "-metadata", f"title={title}", "-metadata", f"comment={title}")
        assert title.encode() in path.read_bytes()
        assert_its_own(decode(store, path, 2_000))


def referring(path: Path, entry: bytes) -> Path:
    """An MP4 whose samples are said to lie where ``entry`` says; its index is at its end, so nothing else moves."""
    data = bytearray(path.read_bytes())
    begin = data.rindex(b"moov")
    at = data.index(b"dref", begin) + 12
    longer = len(entry) - int.from_bytes(data[at : at + 4], "big")
    for box in INDEX_BOXES:
        size_at = data.index(box, begin) - 4
        size = int.from_bytes(data[size_at : size_at + 4], "big")
        data[size_at : size_at + 4] = (size + longer).to_bytes(4, "big")
    data[at : at + len(entry) - longer] = entry
    path.write_bytes(data)
    return path


def box(kind: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + kind + body


def alias(target: str) -> bytes:
    """A Macintosh alias record with an absolute path, as QuickTime wrote for samples in another file."""
    where = target.encode() + b"\0" * (len(target) % 2)
    head = bytes(4) + bytes(10) + bytes(28) + bytes(12) + bytes(64) + bytes(16) + struct.pack(">hh", 1, 1) + bytes(16)
    return box(b"alis", head + struct.pack(">HH", 2, len(where)) + where + struct.pack(">HH", 0xFFFF, 0))


def test_an_mp4_whose_samples_are_elsewhere_has_none(store: PcmStore, tmp_path: Path, other: Path) -> None:
    with nobody_calls() as url:
        for target in (str(other), f"file://{other}", url):
            path = referring(sine(tmp_path / "a.m4a", 1, "-c:a", "aac"), alias(target))
            assert refused(store, path).reason is Reason.AUDIO_UNREADABLE


def test_an_mp4_that_names_an_address_for_its_samples_is_read_from_itself(
    store: PcmStore, tmp_path: Path, other: Path
) -> None:
    with nobody_calls() as url:
        for target in (f"file://{other}", url):
            entry = box(b"url ", bytes(4) + target.encode() + b"\0")
            assert_its_own(decode(store, referring(sine(tmp_path / "a.m4a", 1, "-c:a", "aac"), entry), 2_000))


def test_a_chain_of_ogg_streams_without_end_ends_at_its_bound(store: PcmStore, tmp_path: Path) -> None:
    link = sine(tmp_path / "link.ogg", 1, "-c:a", "libopus").read_bytes()
    (tmp_path / "chain.ogg").write_bytes(link * 500)
    assert refused(store, tmp_path / "chain.ogg", 10_000).reason is Reason.AUDIO_TOO_LONG


def test_a_chain_of_ogg_streams_that_never_sound_is_unreadable(store: PcmStore, tmp_path: Path) -> None:
    link = sine(tmp_path / "link.ogg", 1, "-c:a", "libopus").read_bytes()
    head = link[: link.index(b"OggS", 4)]
    (tmp_path / "heads.ogg").write_bytes(head * 20_000)
    assert refused(store, tmp_path / "heads.ogg", 10_000).reason is Reason.AUDIO_UNREADABLE


def id3(frames: bytes) -> bytes:
    size = bytes((len(frames) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames


def test_a_tag_of_a_hundred_megabytes_hinders_no_sound(store: PcmStore, tmp_path: Path) -> None:
    """As padding, and as a picture."""
    sound = sine(tmp_path / "a.mp3", 2, "-id3v2_version", "0").read_bytes()
    picture = b"APIC" + (100_000_000).to_bytes(4, "big") + b"\0\0\0image/png\0\x03\0" + bytes(100_000_000 - 14)
    for frames in (bytes(100_000_000), picture):
        (tmp_path / "a.mp3").write_bytes(id3(frames) + sound)
        assert_its_own(decode(store, tmp_path / "a.mp3", 3_000))


def commented(flac: bytes, comments: int) -> bytes:
    """The file with so many Vorbis comments, each with a name of its own, behind its STREAMINFO."""
    made = b"".join(b"\x09\0\0\0%07d=x" % number for number in range(comments))
    block = b"\0\0\0\0" + comments.to_bytes(4, "little") + made
    return flac[:4] + b"\0" + flac[5:42] + b"\x04" + len(block).to_bytes(3, "big") + block + flac[42:]


@pytest.mark.parametrize("kind", ["flac", "mp3"])
def test_metadata_by_the_million_ends_at_the_bound_of_the_decoders_time(
    store: PcmStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(decoder, "CPU_BASE_S", 1)
    sound = sine(tmp_path / f"a.{kind}", 2).read_bytes()
    frames = b"".join(b"TXXX\0\0\0\x0a\0\0\0%06d\0xx" % number for number in range(1_000_000))
    bomb = commented(sound, 1_000_000) if kind == "flac" else id3(frames) + sound
    (tmp_path / f"a.{kind}").write_bytes(bomb)
    trouble = refused(store, tmp_path / f"a.{kind}", 3_000)
    assert trouble == Trouble(Reason.AUDIO_UNREADABLE, again=True, detail="decoder ended with status 137")


def test_comments_by_the_thousand_hinder_no_sound(store: PcmStore, tmp_path: Path) -> None:
    path = sine(tmp_path / "a.flac", 2)
    path.write_bytes(commented(path.read_bytes(), 5_000))
    assert_its_own(decode(store, path, 3_000))


def test_ten_hours_that_were_signed_as_a_minute_end_after_it(store: PcmStore, tmp_path: Path) -> None:
    hours_of_silence(tmp_path / "a.flac", 600, 8_000)
    assert (tmp_path / "a.flac").stat().st_size < 10_000_000  # 3.5 GB of sound
    trouble = refused(store, tmp_path / "a.flac", 61_000)
    assert trouble == Trouble(Reason.AUDIO_TOO_LONG, again=False, detail="more sound than was signed")


@pytest.mark.parametrize("ending", ["wav", "m3u8", "jpg", "txt"])
def test_a_wrong_ending_changes_nothing(store: PcmStore, tmp_path: Path, ending: str) -> None:
    path = sine(tmp_path / "a.mp3", 2).rename(tmp_path / f"a.{ending}")
    assert_its_own(decode(store, path, 3_000))


def test_eight_channels_become_one(store: PcmStore, tmp_path: Path) -> None:
    got = decode(store, sine(tmp_path / "eight.wav", 1, "-ac", "8"), 2_000)
    assert_its_own(got)
    assert isinstance(got, bytes)
    assert peak_dbfs(got) <= 0


@pytest.mark.parametrize("rate", [0, 1, 7, 768_000, 0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_rate_that_no_sound_has_never_does_more_than_fail(store: PcmStore, tmp_path: Path, rate: int) -> None:
    data = bytearray(sine(tmp_path / "a.wav", 1).read_bytes())
    at = data.index(b"fmt ") + 12
    data[at : at + 4] = rate.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(data)
    got = decode(store, tmp_path / "a.wav", 5_000)
    reasons = {Reason.AUDIO_UNREADABLE, Reason.AUDIO_TOO_LONG}
    assert isinstance(got, bytes) or got.reason in reasons, got


@pytest.mark.parametrize("channels", [0, 255, 65_535])
def test_a_number_of_channels_that_no_sound_has_is_unreadable(store: PcmStore, tmp_path: Path, channels: int) -> None:
    data = bytearray(sine(tmp_path / "a.wav", 1).read_bytes())
    at = data.index(b"fmt ") + 10
    data[at : at + 2] = channels.to_bytes(2, "little")
    (tmp_path / "a.wav").write_bytes(data)
    assert refused(store, tmp_path / "a.wav", 5_000).reason is Reason.AUDIO_UNREADABLE


def test_pictures_alone_are_named(store: PcmStore, tmp_path: Path) -> None:
    for name in ("cover.png", "cover.jpg", "cover.gif"):
        ffmpeg("-f", "lavfi", "-i", "color=red:size=30x30", "-frames:v", "1", tmp_path / name)
        assert refused(store, tmp_path / name) == unreadable("no sound but a picture")
    ffmpeg("-f", "lavfi", "-i", "testsrc=duration=1", "-c:v", "mpeg4", tmp_path / "video.mp4")
    assert refused(store, tmp_path / "video.mp4") == unreadable("mpeg4 is not let in")


def test_a_cover_without_its_clip_is_unreadable(store: PcmStore, tmp_path: Path) -> None:
    """An MP3's tag with a picture in it, and not one frame behind it."""
    ffmpeg("-f", "lavfi", "-i", "color=red:size=300x300", "-frames:v", "1", tmp_path / "cover.png")
    picture = b"\0image/png\0\x03\0" + (tmp_path / "cover.png").read_bytes()
    frame = b"APIC" + len(picture).to_bytes(4, "big") + bytes(2) + picture
    size = bytes((len(frame) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    (tmp_path / "cover.mp3").write_bytes(b"ID3\x03\0\0" + size + frame)
    assert refused(store, tmp_path / "cover.mp3").reason is Reason.AUDIO_UNREADABLE


def test_of_two_streams_the_first_is_heard(store: PcmStore, tmp_path: Path) -> None:
    one, two = sine(tmp_path / "one.wav", 1, hz=OWN_HZ), sine(tmp_path / "two.wav", 1, hz=OTHER_HZ)
    ffmpeg("-i", one, "-i", two, "-map", "0", "-map", "1", "-c:a", "aac", tmp_path / "two.m4a")
    assert_its_own(decode(store, tmp_path / "two.m4a", 2_000))
