"""Name a file in the middle of which another recording begins that would not be heard, or not as it is.

Decides only that. ffmpeg plays MP3 and AAC on whatever rate and channels come, and an Ogg chain of one codec; of joined
MP4 and WAV it plays the first, or the second at the first one's pitch; of joined FLAC what happens to fit the first
one's blocks; of an Ogg chain it drops what has another codec, and spoils Opus of other channels than two [each tried,
ffmpeg 7.1]. Behind another kind of file MP3 and AAC have no beginning that could be told from sound.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import BinaryIO

BLOCK_BYTES = 64 * 1_024
TAGS_MAX = 16
# Nobody writes more than two before a file; each costs a look.
_HEAD_BYTES = 16
# The longest beginning that is looked for, and more than what must not stand before one.
_PAGE_BYTES = 27 + 255 + 32
# An Ogg page's header, its segment table, and what tells the codec.
LINKS_MAX = 1_000
# Of an Ogg chain: seven seconds each of the longest clip. Each costs a look, and 200 MB hold three million.
_BEGINS = {
    # What is looked for, and how far before it the file begins. A word first and what stands before it afterwards: so
    # only bytes that have the word cost more than a look [measured: 20 to 60 ms for each MB of them].
    "WAV": (re.compile(rb"WAVE(?<=(?:RIFF|RIFX|RF64|BW64).{4}WAVE)", re.DOTALL), 8),
    "FLAC": (re.compile(rb"fLaC(?<!\x7fFLAC.{4}fLaC)[\x00\x80]\x00\x00\x22", re.DOTALL), 0),
    "MP4": (re.compile(rb"ftyp(?<=\x00\x00\x00.ftyp)[ -~]{4}", re.DOTALL), 4),
    "Ogg": (re.compile(rb"OggS\x00[\x02\x06]\x00{8}"), 0),
}
# More than 60 bits each: no sound has them by chance.


def another_begins(source: BinaryIO) -> str | None:
    """Which recording begins in the middle of the file and where, or None. Reads it all, from no position."""
    first = _behind_tags(source)
    own, own_codec, links = "", "", 0
    for at, kind in _beginnings(source, first):
        if at == first:
            own = kind
        if not own == kind == "Ogg":
            if at != first:
                return _told(kind, at)
            continue
        links += 1
        if links > LINKS_MAX:
            return f"more than {LINKS_MAX} recordings in one file: export them as one"
        codec = _codec(source, at)
        if codec and own_codec and (codec != own_codec or codec == "FLAC"):
            return _told(codec, at)
        own_codec = own_codec or codec
    return None


def _told(what: str, at: int) -> str:
    return f"another recording ({what}) begins at byte {at}: export both as one file"


def _beginnings(source: BinaryIO, first: int) -> Iterator[tuple[int, str]]:
    """Where in the file something begins, and what kind of file has that beginning."""
    at, seen = first, b""
    while block := os.pread(source.fileno(), BLOCK_BYTES, at):
        text = seen + block
        for begins, kind in sorted(_marked(text, len(seen))):
            yield at - len(seen) + begins, kind
        at += len(block)
        seen = text[-2 * _HEAD_BYTES :]


def _marked(text: bytes, told: int) -> Iterator[tuple[int, str]]:
    """The beginnings that end behind so many bytes."""
    for kind, (mark, before) in _BEGINS.items():
        for found in mark.finditer(text):
            if found.end() > told:
                yield found.start() - before, kind


def _behind_tags(source: BinaryIO) -> int:
    """Where the file itself begins: ID3 tags before it may have pictures, and whatever else, in them."""
    at = 0
    for _ in range(TAGS_MAX):
        tag = os.pread(source.fileno(), 10, at)
        if not tag.startswith(b"ID3") or len(tag) < 10:
            break
        foot = 10 if tag[5] & 0x10 else 0
        at += 10 + foot + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:], (21, 14, 7, 0), strict=True))
    return at


def _codec(source: BinaryIO, at: int) -> str:
    """What a stream of an Ogg file has in it; "" if that is no sound, or none that the decoder lets in."""
    page = os.pread(source.fileno(), _PAGE_BYTES, at)
    packet = page[27 + page[26] :] if len(page) > 27 else b""
    if packet.startswith(b"\x01vorbis"):
        return "Vorbis"
    if packet.startswith(b"OpusHead") and len(packet) > 18:
        return "Opus" if packet[18] == 0 else f"Opus, {packet[9]} channels"
    return "FLAC" if packet.startswith(b"\x7fFLAC") else ""
