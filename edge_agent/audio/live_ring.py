"""The last seconds of a live source, between the agent that decodes it and the device process that plays it.

Decides how they lie in memory, and that nobody reads half a block: each carries its number and a checksum, so that the
two processes need no lock, and neither can keep the other waiting. A ring never grows; a reader that is too slow finds
its block overwritten, and knows it. A writer that died leaves its ring behind: each block tells when it was laid down,
and one that is too old to be live is not found any more.

    live/KEY.ring     BLOCKS slots of: number + 1 (8 bytes), CRC-32 of all else (4), boot time in ms (4), sound

on a file system in memory (the runtime directory): 96 kB a second would wear out a card of flash in its ten years.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from edge_agent import fresh_file
from edge_agent.audio.clip import FRAME_BYTES, checked
from edge_agent.audio.live import OLDEST_MS, TARGET_MS, block_frames
from edge_agent.boot_time import boot_ms
from edge_agent.core.units import ClipKey

BLOCKS = 300
# Half a minute: the longest buffer, and room for a source that sends its first seconds at once. 2.9 MB at 48 kHz.
HEAD = struct.Struct("<QII")
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
TIMES = 1 << 32
# Boot time in ms begins anew after 49 days; ages are told by what is left of the difference.


class LiveRing:
    """Where the rings of a station lie."""

    def __init__(self, folder: Path, rate: int, now_ms: Callable[[], int] = boot_ms) -> None:
        """``rate`` is the card's, in frames per second; ``folder`` need not exist before something is written."""
        self._folder = folder
        self._rate = rate
        self._now_ms = now_ms

    def empty(self) -> None:
        """Take away what an earlier process left. The folder stays: its name would be free for whoever may take it."""
        self._make_folder()
        for left in self._folder.iterdir():
            left.unlink()

    def writer(self, key: ClipKey) -> RingWriter:
        """A new, empty ring in place of any that is there. OSError where there is no room."""
        self._make_folder()
        return RingWriter(self._path(key), self._rate, self._now_ms)

    def reader(self, key: ClipKey) -> RingReader:
        """Reads the ring that lies there, now or later."""
        return RingReader(self._path(key), self._rate, self._now_ms)

    def _make_folder(self) -> None:
        """OSError where what lies there is not ours: what we write would go where somebody else likes."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        found = self._folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & OTHERS_WRITE
        if not ours:
            raise PermissionError(errno.EPERM, "not the agent's alone", str(self._folder))

    def _path(self, key: ClipKey) -> Path:
        return self._folder / f"{checked(key)}.ring"


class RingWriter:
    """Takes sound of any length and lays it down in blocks. A ``decoder.Sink``; for one thread."""

    def __init__(self, path: Path, rate: int, now_ms: Callable[[], int] = boot_ms) -> None:
        self.rate = rate
        self._path = path
        self._now_ms = now_ms
        self._block_bytes = block_frames(rate) * FRAME_BYTES
        self._waiting = bytearray()
        self._number = 0
        fresh = path.with_suffix(".new")
        self._file = fresh_file.begin(fresh, 0o640)
        try:
            # Now, not in the middle of a programme: a ring that was begun has all the memory that it needs.
            os.posix_fallocate(self._file, 0, _ring_bytes(rate))
            os.rename(fresh, path)
        except OSError:
            os.close(self._file)
            fresh.unlink(missing_ok=True)  # it holds what memory it got
            raise

    def feed(self, chunk: bytes) -> None:
        """Append sound; frames may be split between chunks."""
        self._waiting += chunk
        while len(self._waiting) >= self._block_bytes:
            self._lay(bytes(self._waiting[: self._block_bytes]))
            del self._waiting[: self._block_bytes]

    def close(self) -> None:
        """Nothing more comes: whoever reads has what was laid down, and nobody finds it any more."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._file)):  # not one that was begun in its place
                os.unlink(self._path)
        os.close(self._file)

    def __enter__(self) -> RingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lay(self, sound: bytes) -> None:
        named, laid_at = self._number + 1, self._now_ms() % TIMES
        at = self._number % BLOCKS * (HEAD.size + len(sound))
        # The sound first: what has its number is whole.
        os.pwrite(self._file, sound, at + HEAD.size)
        os.pwrite(self._file, HEAD.pack(named, _checksum(named, laid_at, sound), laid_at), at)
        self._number += 1


@dataclass(frozen=True, slots=True)
class _Head:
    number: int
    laid_at: int


class RingReader:
    """Blocks by number. Numbers go on from ring to ring where one takes another's place. For one thread at a time."""

    target_ms = TARGET_MS

    def __init__(self, path: Path, rate: int, now_ms: Callable[[], int] = boot_ms) -> None:
        self._path = path
        self._now_ms = now_ms
        self._sound_bytes = block_frames(rate) * FRAME_BYTES
        self._ring_bytes = _ring_bytes(rate)
        self._file: int | None = None
        self._base = 0  # how we call the ring's first block
        self._first = 0  # of the ring's own numbers: those that may be there, and the next to come
        self._end = 0

    def there(self) -> range:
        """The blocks that are there to be read, without those that are too old to be live. OSError if it must not."""
        self._find()
        if self._file is None:
            return range(self._base, self._base)
        self._advance()
        self._first = max(self._first, self._end - BLOCKS)
        while self._first < self._end and not self._young(self._first):
            self._first += 1
        return range(self._base + self._first, self._base + self._end)

    def read(self, number: int) -> bytes | None:
        """BLOCK_MS of sound; None where the block is not there (any more), or not whole."""
        own = number - self._base
        if own < 0:
            return None
        slot = self._at(own % BLOCKS, HEAD.size + self._sound_bytes)
        if len(slot) < HEAD.size + self._sound_bytes:
            return None
        named, checksum, laid_at = HEAD.unpack_from(slot)
        sound = slot[HEAD.size :]
        return sound if named == own + 1 and _checksum(named, laid_at, sound) == checksum else None

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _find(self) -> None:
        """Open the ring that lies there; one whose writer has closed it is read on until another takes its place."""
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return
        if self._file is not None and os.path.samestat(found, os.fstat(self._file)):
            return
        with contextlib.suppress(FileNotFoundError):
            # Whatever lies there, opening it keeps nobody waiting.
            self._open(os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW))

    def _open(self, file: int) -> None:
        if os.fstat(file).st_size != self._ring_bytes:  # of another rate: a card that was configured anew
            os.close(file)
            return
        self.close()
        self._file = file
        # One number is left out: what comes next does not go on where the other ring ended.
        self._base += self._end + 1 if self._end else 0
        self._first, self._end = 0, self._newest() + 1

    def _advance(self) -> None:
        for _ in range(BLOCKS):
            head = self._head(self._end % BLOCKS)
            if head is None or head.number < self._end:
                return
            if head.number > self._end:  # it has gone round since we looked
                self._end = self._newest() + 1
                return
            self._end += 1

    def _newest(self) -> int:
        """The number of the last block, -1 where there is none."""
        heads = (self._head(slot) for slot in range(BLOCKS))
        return max((head.number for head in heads if head is not None), default=-1)

    def _young(self, own: int) -> bool:
        head = self._head(own % BLOCKS)
        return head is not None and head.number == own and (self._now_ms() - head.laid_at) % TIMES <= OLDEST_MS

    def _head(self, slot: int) -> _Head | None:
        """None where nothing was laid down yet."""
        head = self._at(slot, HEAD.size)
        named, _, laid_at = HEAD.unpack(head) if len(head) == HEAD.size else (0, 0, 0)
        # A number in another's slot is half of a head: it will be whole when we look again.
        return _Head(named - 1, laid_at) if named and (named - 1) % BLOCKS == slot else None

    def _at(self, slot: int, length: int) -> bytes:
        return b"" if self._file is None else os.pread(self._file, length, slot * (HEAD.size + self._sound_bytes))


def _ring_bytes(rate: int) -> int:
    return BLOCKS * (HEAD.size + block_frames(rate) * FRAME_BYTES)


def _checksum(named: int, laid_at: int, sound: bytes) -> int:
    return zlib.crc32(sound, zlib.crc32(HEAD.pack(named, 0, laid_at)))
