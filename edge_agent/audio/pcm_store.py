"""Where staged sound lies, and how it is trusted at the moment it is played.

Decides the layout on disk, what counts as a whole clip, and that no block is handed out unverified. What is staged, and
what may go, is decided elsewhere. One process writes; any number may read, each through its own ``PcmStore``.

    pcm/KEY.pcm      mono, 16-bit little-endian, at the card's rate
    pcm/KEY.blocks   "RATE FRAMES", one SHA-256 (hex) for each 64 KiB of sound, and the SHA-256 of all lines before
    pinned/…         the same for what must never be evicted: the emergency set

The digests find rot and torn writes (a cheap SD card, a power cut), and a file that somebody changed carelessly.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

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
_HEAD = re.compile(rb"([1-9][0-9]{3,5}) ([1-9][0-9]{0,9})\n")


class ClipUnusable(Exception):
    """A clip cannot be played as it lies; staging it again is the remedy."""


class ClipMissing(ClipUnusable):
    """There is no such clip, or its writing never ended."""

    def __init__(self, key: ClipKey) -> None:
        super().__init__(f"clip {key} is not staged")
        self.key = key


class ClipAltered(ClipUnusable):
    """The bytes are not those that were staged. ``block`` counts from 0; None means the digest list or the length."""

    def __init__(self, key: ClipKey, block: int | None) -> None:
        super().__init__(f"clip {key} was altered: {'digest list or length' if block is None else f'block {block}'}")
        self.key = key
        self.block = block


class PcmStore:
    """Staged sound under ``root``. Reading never creates anything, so a reader may lack the right to write."""

    def __init__(self, root: Path) -> None:
        self._evictable = root / "pcm"
        self._pinned = root / "pinned"

    def open(self, key: ClipKey) -> Clip:
        """The clip, pinned ones first. Raises ClipMissing, or ClipAltered when its digest list or length is wrong."""
        for folder in (self._pinned, self._evictable):
            with contextlib.suppress(FileNotFoundError):
                return _open_clip(folder, key)
        raise ClipMissing(key)

    def writer(self, key: ClipKey, rate: int, *, pinned: bool = False) -> PcmWriter:
        """Begin a clip at ``rate`` frames per second, unseen before its ``commit``. OSError if the disk refuses."""
        folder = self._pinned if pinned else self._evictable
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return PcmWriter(folder, key, rate)

    def touch(self, key: ClipKey) -> None:
        """Count the clip as used now, so that eviction takes older ones first. Unknown keys are ignored."""
        with contextlib.suppress(FileNotFoundError):
            os.utime(self._evictable / f"{_checked(key)}.blocks")

    def sizes(self) -> dict[ClipKey, int]:
        """Bytes of sound of every evictable clip, longest unused first."""
        return {entry.key: entry.size for entry in sorted(self._entries())}

    def evict_to(self, bytes_max: int, keep: set[ClipKey]) -> tuple[ClipKey, ...]:
        """Remove clips, longest unused first and none of ``keep``, until at most ``bytes_max`` remain if that can be.

        Returns what went. A clip that is being played stays readable to its player until it closes it.
        """
        sizes = self.sizes()
        total = sum(sizes.values())
        gone: list[ClipKey] = []
        for key, size in sizes.items():
            if total <= bytes_max:
                break
            if key not in keep:
                self.remove(key)
                gone.append(key)
                total -= size
        return tuple(gone)

    def remove(self, key: ClipKey) -> None:
        """Forget an evictable clip. Its digests go first: a power cut in between leaves a clip that is not one."""
        _unlink_clip(self._evictable, key)

    def sweep(self) -> int:
        """Remove what interrupted writing left behind; call it before the first writer. Returns how many files went."""
        leftovers = [path for folder in (self._pinned, self._evictable) for path in _leftovers(folder)]
        for path in leftovers:
            path.unlink()
        return len(leftovers)

    def _entries(self) -> Iterator[_Entry]:
        for blocks in self._evictable.glob("*.blocks"):
            with contextlib.suppress(FileNotFoundError):
                used_at = blocks.stat().st_mtime_ns
                yield _Entry(used_at, ClipKey(blocks.stem), blocks.with_suffix(".pcm").stat().st_size)


class Clip:
    """A staged clip, open. Holds one verified block in memory; for one thread. Use it as a context, or ``close`` it."""

    def __init__(self, key: ClipKey, sound: BinaryIO, listing: _Listing) -> None:
        self.key = key
        self.rate = listing.rate
        self.frames = listing.frames
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
            data = os.pread(self._sound.fileno(), BLOCK_BYTES, block * BLOCK_BYTES)
            promised = self._digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]
            if hashlib.sha256(data).digest() != promised:
                raise ClipAltered(self.key, block)
            self._block_at, self._block = block, data
        return self._block


class PcmWriter:
    """A clip in the making. End it with ``commit`` or ``abort``; leaving it as a context without commit aborts."""

    def __init__(self, folder: Path, key: ClipKey, rate: int) -> None:
        self._folder = folder
        self._key = _checked(key)
        self._rate = rate
        self._part = folder / f"{key}.{secrets.token_hex(4)}.part"
        self._sound = open(self._part, "xb")  # noqa: SIM115 - lives until commit or abort
        self._bytes = 0
        self._block_hash = hashlib.sha256()
        self._digests = bytearray()

    @property
    def frames(self) -> int:
        """Whole frames fed so far."""
        return self._bytes // FRAME_BYTES

    def feed(self, chunk: bytes) -> None:
        """Append sound; any length, frames may be split between chunks. OSError if the disk refuses."""
        rest = memoryview(chunk)
        while rest:
            room = BLOCK_BYTES - self._bytes % BLOCK_BYTES
            piece, rest = rest[:room], rest[room:]
            self._sound.write(piece)
            self._block_hash.update(piece)
            self._bytes += len(piece)
            if len(piece) == room:
                self._close_block()

    def commit(self) -> int:
        """Make the clip durable and visible, in place of any older one. Returns its frames; none is a bug."""
        assert self._bytes > 0, "a clip has sound"
        assert self._bytes % FRAME_BYTES == 0, "a clip is whole frames"
        if self._bytes % BLOCK_BYTES:
            self._close_block()
        _sync_and_close(self._sound)
        listing = self._folder / f"{self._key}.{secrets.token_hex(4)}.part"
        with open(listing, "xb") as file:
            file.write(_listing_bytes(self._rate, self.frames, self._digests))
            _sync_and_close(file)
        _unlink_clip(self._folder, self._key)
        # The sound first: digests without their sound would be an altered clip, sound without digests is none.
        os.replace(self._part, self._folder / f"{self._key}.pcm")
        os.replace(listing, self._folder / f"{self._key}.blocks")
        _sync_folder(self._folder)
        return self.frames

    def abort(self) -> None:
        """Leave nothing behind. Harmless after ``commit``."""
        self._sound.close()
        self._part.unlink(missing_ok=True)

    def __enter__(self) -> PcmWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _close_block(self) -> None:
        self._digests += self._block_hash.digest()
        self._block_hash = hashlib.sha256()


def duration_ms(frames: int, rate: int) -> int:
    """How long so many frames sound, in whole milliseconds, a started one counted."""
    return -(-frames * SECOND_MS // rate)


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    used_at_ns: int
    key: ClipKey
    size: int


@dataclass(frozen=True, slots=True)
class _Listing:
    """A .blocks file. The digests lie end to end, 32 bytes each: 170 kB for an hour."""

    rate: int
    frames: int
    digests: bytes


def _listing_bytes(rate: int, frames: int, digests: bytearray) -> bytes:
    lines = digests.hex("\n", DIGEST_BYTES)
    body = f"{rate} {frames}\n{lines}\n".encode()
    return body + hashlib.sha256(body).hexdigest().encode() + b"\n"


def _parse_listing(data: bytes) -> _Listing | None:
    """None when anything at all is wrong with it."""
    body, seal = data[:-LINE_BYTES], data[-LINE_BYTES:]
    head = _HEAD.match(body)
    if head is None or seal != hashlib.sha256(body).hexdigest().encode() + b"\n":
        return None
    # The seal holds, so the lines are the ones we wrote.
    digests = bytes.fromhex(body[head.end() :].decode("ascii"))
    return _Listing(int(head[1]), int(head[2]), digests)


def _open_clip(folder: Path, key: ClipKey) -> Clip:
    with open(folder / f"{_checked(key)}.blocks", "rb") as file:
        # No more than the file has: read() makes room for all it is asked for.
        listing = _parse_listing(file.read(min(os.fstat(file.fileno()).st_size, BLOCKS_FILE_BYTES_MAX)))
    sound = open(folder / f"{key}.pcm", "rb", buffering=0)  # noqa: SIM115 - lives as long as the Clip
    if listing is None or os.fstat(sound.fileno()).st_size != listing.frames * FRAME_BYTES:
        sound.close()
        raise ClipAltered(key, None)
    return Clip(key, sound, listing)


def _checked(key: ClipKey) -> ClipKey:
    """A key becomes a file name: anything but the two kinds of keys we make would be our own bug."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"not a clip key: {key!r}")
    return key


def _leftovers(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.part")
    for sound in folder.glob("*.pcm"):
        if not sound.with_suffix(".blocks").exists():
            yield sound


def _unlink_clip(folder: Path, key: ClipKey) -> None:
    for suffix in (".blocks", ".pcm"):
        (folder / f"{_checked(key)}{suffix}").unlink(missing_ok=True)


def _sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
