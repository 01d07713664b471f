"""The last seconds of a live source, between the agent that decodes it and the device process that plays it.

Decides how they lie in memory, and that nobody reads half a block: each carries its number and a checksum, so that the
two processes need no lock, and neither can keep the other waiting. A ring never grows; a reader that is too slow finds
its block overwritten, and knows it.

    live/KEY.ring     BLOCKS slots of: number + 1 (8 bytes), CRC-32 of the sound (4), 4 bytes of nothing, BLOCK_MS of sound

on a file system in memory (the runtime directory): 96 kB a second would wear out a card of flash in its ten years.
"""

from __future__ import annotations

import contextlib
import os
import struct
import zlib
from pathlib import Path
from types import TracebackType

from edge_agent.audio.pcm_store import FRAME_BYTES
from edge_agent.core.units import SECOND_MS, ClipKey

BLOCK_MS = 100
# A tenth of what is buffered at the least: the joint between live and stand-in is as exact as this.
BLOCKS = 300
# Half a minute: the longest buffer, and room for a source that sends its first seconds at once. 2.9 MB at 48 kHz.
HEAD = struct.Struct("<QII")


class LiveRing:
    """Where the rings of a station lie."""

    def __init__(self, folder: Path, rate: int) -> None:
        """``rate`` is the card's, in frames per second; ``folder`` need not exist before something is written."""
        self._folder = folder
        self._rate = rate

    def writer(self, key: ClipKey) -> RingWriter:
        """A new, empty ring in place of any that is there. OSError where there is no room."""
        self._folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return RingWriter(self._folder / f"{key}.ring", self._rate)

    def reader(self, key: ClipKey) -> RingReader:
        """Reads the ring as it lies there now, or later when there is one."""
        return RingReader(self._folder / f"{key}.ring", self._rate)


class RingWriter:
    """Takes sound of any length and lays it down in blocks. A ``decoder.Sink``; for one thread."""

    def __init__(self, path: Path, rate: int) -> None:
        self.rate = rate
        self._path = path
        self._block_bytes = _block_bytes(rate)
        self._waiting = bytearray()
        self._number = 0
        fresh = path.with_suffix(".new")
        self._file = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        try:
            # Now, not in the middle of a programme: a ring that was begun has all the memory that it needs.
            os.posix_fallocate(self._file, 0, BLOCKS * (HEAD.size + self._block_bytes))
            os.rename(fresh, path)
        except OSError:
            os.close(self._file)
            raise

    def feed(self, chunk: bytes) -> None:
        """Append sound; frames may be split between chunks."""
        self._waiting += chunk
        while len(self._waiting) >= self._block_bytes:
            self._lay(bytes(self._waiting[: self._block_bytes]))
            del self._waiting[: self._block_bytes]

    def close(self) -> None:
        """Nothing more comes: whoever reads has what was laid down, and nobody finds it any more."""
        os.close(self._file)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def __enter__(self) -> RingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lay(self, sound: bytes) -> None:
        slot = HEAD.pack(self._number + 1, zlib.crc32(sound), 0) + sound
        os.pwrite(self._file, slot, self._number % BLOCKS * len(slot))
        self._number += 1


class RingReader:
    """Blocks by number, counted from the beginning of the ring that lies there. For one thread."""

    def __init__(self, path: Path, rate: int) -> None:
        self._path = path
        self._slot_bytes = HEAD.size + _block_bytes(rate)
        self._file: int | None = None

    def newest(self) -> int | None:
        """The number of the last block of the ring as it lies there now; None where there is none.

        Looks for the ring anew, which another process may have begun again: numbers from before are void.
        """
        self.close()
        with contextlib.suppress(FileNotFoundError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        numbers = [number for slot in range(BLOCKS) if (number := self._number_in(slot)) is not None]
        return max(numbers, default=None)

    def has(self, number: int) -> bool:
        """Whether that block was laid down, and not overwritten yet."""
        return self._number_in(number % BLOCKS) == number

    def read(self, number: int) -> bytes | None:
        """BLOCK_MS of sound; None where the block is not there (any more), or not whole."""
        slot = self._at(number % BLOCKS, self._slot_bytes)
        if len(slot) < self._slot_bytes:
            return None
        named, checksum, _ = HEAD.unpack_from(slot)
        sound = slot[HEAD.size :]
        return sound if named == number + 1 and zlib.crc32(sound) == checksum else None

    def close(self) -> None:
        """Give the file back."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _number_in(self, slot: int) -> int | None:
        head = self._at(slot, HEAD.size)
        if len(head) < HEAD.size:
            return None
        named: int = HEAD.unpack(head)[0]
        return named - 1 if named else None

    def _at(self, slot: int, length: int) -> bytes:
        return b"" if self._file is None else os.pread(self._file, length, slot * self._slot_bytes)


def _block_bytes(rate: int) -> int:
    return rate * BLOCK_MS // SECOND_MS * FRAME_BYTES
