"""A staged clip as it lies on disk, and how it is trusted at the moment it is played.

Decides where clips lie, the format of a clip's two files, and that no block is handed out unverified. Nothing here
writes; ``pcm_store`` does.

    pcm/KEY.pcm, pcm/KEY.blocks   a clip
    pinned/…                      the same for what must never be evicted: the emergency set, recorded stems

    KEY.pcm      mono, 16-bit little-endian, at the card's rate
    KEY.blocks   "RATE FRAMES" or "RATE FRAMES STAMP", one SHA-256 (hex) for each 64 KiB of sound, and the SHA-256 of
                 all lines before; the stamp says what made this sound of a text (16 hex digits)

The digests find rot and torn writes (a cheap SD card, a power cut), and a file that somebody changed carelessly.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from edge_agent import plain_file
from edge_agent.core.units import SECOND_MS, ClipKey

FRAME_BYTES = 2
BLOCK_BYTES = 65_536
# 0.68 s at 48 kHz: hashed in well under a millisecond, and a digest list of 0.05 % of the sound.
CLIP_BYTES_MAX = 48_000 * FRAME_BYTES * 3 * 3_600
# A job may sign for two hours of one clip; half as much again is room for what a decoder adds. 1.04 GB.
DIGEST_BYTES = 32
LINE_BYTES = 2 * DIGEST_BYTES + 1
BLOCKS_FILE_BYTES_MAX = 64 + LINE_BYTES * (CLIP_BYTES_MAX // BLOCK_BYTES + 2)

_KEY = re.compile(r"[a-z0-9-]{1,64}")
_HEAD = re.compile(rb"([1-9][0-9]{3,5}) ([1-9][0-9]{0,9})(?: ([0-9a-f]{16}))?\n")
_LINES = re.compile(rb"([0-9a-f]{64}\n)*+")


class ClipUnusable(Exception):
    """A clip cannot be played as it lies; staging it again is the remedy."""


class ClipMissing(ClipUnusable):
    """There is no such clip, or its writing never ended."""

    def __init__(self, key: ClipKey) -> None:
        super().__init__(f"clip {key} is not staged")
        self.key = key


class ClipAltered(ClipUnusable):
    """The bytes are not those that were staged. ``block`` counts from 0; None means the digest list or the length.

    A card that cannot give back what it was given (``refusal``) is no better than one that gives something else.
    """

    def __init__(self, key: ClipKey, block: int | None, refusal: OSError | None = None) -> None:
        what = "was altered" if refusal is None else f"cannot be read ({refusal})"
        super().__init__(f"clip {key} {what}: {'digest list or length' if block is None else f'block {block}'}")
        self.key = key
        self.block = block


class Shelf:
    """Where staged sound lies, to be read only: creates nothing, so a reader may lack the right to write.

    ``beside`` is the root of what lies elsewhere, because the card has not taken it: it is newer than what lies there.
    """

    def __init__(self, root: Path, beside: Path | None = None) -> None:
        self._evictable = root / "pcm"
        self._pinned = root / "pinned"
        self._beside = () if beside is None else (beside / "pcm",)

    def open(self, key: ClipKey) -> Clip:
        """The clip, pinned ones first. Raises ClipMissing, or ClipAltered when its digest list or length is wrong."""
        for folder in (*self._beside, self._pinned, self._evictable):
            with contextlib.suppress(FileNotFoundError):
                return open_clip(folder, key)
        raise ClipMissing(key)


class Clip:
    """A staged clip, open. Holds one verified block in memory; for one thread. Use it as a context, or ``close`` it."""

    def __init__(self, key: ClipKey, sound: BinaryIO, listing: Listing) -> None:
        self.key = key
        self.rate = listing.rate
        self.frames = listing.frames
        self.stamp = listing.stamp
        self._digests = listing.digests
        self._sound = sound
        self._block_at = -1
        self._block = b""

    @property
    def duration_ms(self) -> int:
        """Whole milliseconds; a started one counts, so that the last sample is always within."""
        return duration_ms(self.frames, self.rate)

    def read(self, frame_from: int, frames: int) -> bytes:
        """Sound from a frame on, b"" past the end. Raises ClipAltered before any altered byte is out."""
        begin = max(frame_from, 0) * FRAME_BYTES
        end = min(frame_from + frames, self.frames) * FRAME_BYTES
        pieces = []
        while begin < end:
            block, offset = divmod(begin, BLOCK_BYTES)
            piece = self._verified(block)[offset : offset + end - begin]
            pieces.append(piece)
            begin += len(piece)
        return b"".join(pieces)

    def verify(self) -> None:
        """Read the whole clip once. Raises ClipAltered at the first block that is wrong."""
        for block in range(len(self._digests) // DIGEST_BYTES):
            self._verified(block)

    def close(self) -> None:
        """Give the file back. Reading afterwards is a bug."""
        self._sound.close()

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _verified(self, block: int) -> bytes:
        if block != self._block_at:
            data = self._as_it_lies(block)
            promised = self._digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]
            if hashlib.sha256(data).digest() != promised:
                raise ClipAltered(self.key, block)
            self._block_at, self._block = block, data
        return self._block

    def _as_it_lies(self, block: int) -> bytes:
        try:
            return os.pread(self._sound.fileno(), BLOCK_BYTES, block * BLOCK_BYTES)
        except OSError as exc:
            raise ClipAltered(self.key, block, exc) from exc


def duration_ms(frames: int, rate: int) -> int:
    """How long so many frames sound, in whole milliseconds, a started one counted."""
    return -(-frames * SECOND_MS // rate)


def open_clip(folder: Path, key: ClipKey) -> Clip:
    try:
        return _opened(folder, key)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise ClipAltered(key, None, exc) from exc


def _opened(folder: Path, key: ClipKey) -> Clip:
    # One thread reads for a card: what would keep it waiting there would keep every later warning silent.
    with plain_file.begin(folder / f"{checked(key)}.blocks") as file:
        # No more than the file has: read() makes room for all it is asked for.
        listing = _parse_listing(file.read(min(os.fstat(file.fileno()).st_size, BLOCKS_FILE_BYTES_MAX)))
    sound = plain_file.begin(folder / f"{key}.pcm")
    if listing is None or os.fstat(sound.fileno()).st_size != listing.frames * FRAME_BYTES:
        sound.close()
        raise ClipAltered(key, None)
    return Clip(key, sound, listing)


@dataclass(frozen=True, slots=True)
class Listing:
    """A .blocks file. The digests lie end to end, 32 bytes each: 170 kB for an hour. ``stamp`` may be ""."""

    rate: int
    frames: int
    digests: bytes
    stamp: str = ""


def listing_bytes(rate: int, frames: int, digests: bytearray, stamp: str = "") -> bytes:
    lines = digests.hex("\n", DIGEST_BYTES)
    head = f"{rate} {frames} {stamp}".rstrip()
    body = f"{head}\n{lines}\n".encode()
    return body + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _parse_listing(data: bytes) -> Listing | None:
    """None when anything at all is wrong with it."""
    body, seal = data[:-LINE_BYTES], data[-LINE_BYTES:]
    head = _HEAD.match(body)
    if head is None or seal != hashlib.sha256(body).hexdigest().encode() + b"\n":
        return None
    # The seal tells rot from what was written, not who wrote it: who plays a clip has another user than who stages it.
    lines = body[head.end() :]
    if _LINES.fullmatch(lines) is None:
        return None
    return Listing(int(head[1]), int(head[2]), bytes.fromhex(lines.decode("ascii")), (head[3] or b"").decode())


def is_key(name: str) -> bool:
    """Whether a file of that name may be a clip's."""
    return _KEY.fullmatch(name) is not None


def checked(key: ClipKey) -> ClipKey:
    """A key becomes a file name: anything but the two kinds of keys we make would be our own bug."""
    if not is_key(key):
        raise ValueError(f"not a clip key: {key!r}")
    return key
