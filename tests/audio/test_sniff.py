"""What is certainly no sound is named by its first bytes, whatever it is called; sound never is."""

from __future__ import annotations

import pytest

from edge_agent.audio.sniff import HEAD_BYTES, not_sound

HLS = "a playlist (HLS, M3U)"
ADDRESS = "an address of something else"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"", "an empty file"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", HLS),
        (b"\xef\xbb\xbf\r\n  #EXTM3U\n", HLS),
        (b"ffconcat version 1.0\nfile 'file:/etc/passwd'\n", "a playlist (ffconcat)"),
        (b"[Playlist]\nFile1=http://a.test/\n", "a playlist (PLS)"),
        (b'<ASX version="3.0">', "a playlist (ASX)"),
        (b'<?xml version="1.0"?>\n<MPD xmlns="x">', "a playlist (DASH)"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\n", "a session description (SDP)"),
        (b"WEBVTT\n\n00:01.000 --> 00:04.000\nhello\n", "subtitles"),
        (b"[Script Info]\nTitle: x\n", "subtitles"),
        (b"1\n00:00:01,000 --> 00:00:04,000\nhello\n", "subtitles"),
        (b"concat:/etc/passwd|/etc/hosts", ADDRESS),
        (b"data:audio/wav;base64,UklGRg==", ADDRESS),
        (b"rtsp://camera.test/1\n", ADDRESS),
        (b"file:///etc/passwd", ADDRESS),
        (b"RTSPtextrtsp://camera.test/1\r\n", ADDRESS),
        (b"<!doctype html><title>404</title>", "a document (HTML, XML)"),
        (b"\x89PNG\r\n\x1a\n\x00", "a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "a picture"),
        (b"GIF89a\x01\x00", "a picture"),
        ("Thông báo của ủy ban".encode(), "a text"),
        (("ủ" * HEAD_BYTES).encode()[:HEAD_BYTES], "a text"),
    ],
)
def test_what_is_no_sound_has_a_name(head: bytes, name: str) -> None:
    assert not_sound(head) == name


@pytest.mark.parametrize(
    "head",
    [
        b"ID3\x04\x00\x00\x00\x00\x00\x23TSSE",
        b"\xff\xfb\x90\x64\x00\x0f",
        b"\xff\xf1\x50\x80\x02\x1f\xfc",
        b"\x00\x00\x00\x20ftypM4A \x00\x00\x02\x00",
        b"fLaC\x00\x00\x00\x22",
        b"OggS\x00\x02\x00\x00",
        b"RIFF\x24\x08\x00\x00WAVEfmt \x10\x00\x00\x00",
        b"\xff\xfb" + b"U" * 300,
    ],
)
def test_sound_is_left_to_the_decoder(head: bytes) -> None:
    assert not_sound(head) is None
