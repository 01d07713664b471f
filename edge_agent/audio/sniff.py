"""Name by its first bytes what is certainly no sound: a playlist, an address, a subtitle, a picture.

Decides only the refusal and its name. That something is sound, no name and no first byte can say: what is not refused
here is tried by ffmpeg, which finds the format in the content and knows only those that are let in (``decoder``).
"""

from __future__ import annotations

import codecs
import re

HEAD_BYTES = 512

_TEXTS = (
    (re.compile(r"#EXTM3U"), "a playlist (HLS, M3U)"),
    (re.compile(r"ffconcat"), "a playlist (ffconcat)"),
    (re.compile(r"\[playlist\]", re.I), "a playlist (PLS)"),
    (re.compile(r"<asx", re.I), "a playlist (ASX)"),
    (re.compile(r"(<\?xml[^>]*>\s*)?<mpd", re.I), "a playlist (DASH)"),
    (re.compile(r"v=0\s"), "a session description (SDP)"),
    (re.compile(r"WEBVTT|\[Script Info\]|\d+\s+\d+:\d\d:\d\d[,.]\d"), "subtitles"),
    (re.compile(r"(concat|data):\S|[a-z][a-z0-9+.-]{1,15}://", re.I), "an address of something else"),
    (re.compile(r"<"), "a document (HTML, XML)"),
)
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8")
_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\f\r")
# In the first bytes of every kind of sound: lengths and versions are small numbers.


def not_sound(head: bytes) -> str | None:
    """What a file is that begins with ``head`` (all of a short file, else HEAD_BYTES of it), or None."""
    if not head:
        return "an empty file"
    if head.startswith(_PICTURES):
        return "a picture"
    if _CONTROLS.intersection(head):
        return None
    text = head.decode("utf-8", "ignore").removeprefix("\ufeff").lstrip()
    return next((name for begins, name in _TEXTS if begins.match(text)), None) or _plain(head)


def _plain(head: bytes) -> str | None:
    """Text in whatever letters; that the last one is cut off is no matter."""
    try:
        codecs.utf_8_decode(head)
    except UnicodeDecodeError:
        return None
    return "a text"
