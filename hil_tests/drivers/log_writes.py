"""The log of dm-log-writes, and the disk as a power cut would have left it at any point of that log.

The kernel writes down every write that a disk has been given, once a flush or the write itself has made it durable, and
the marks that were put in between. Two kinds of cut are told from that: one after which exactly the first writes of the
log are there, and one that a card with a cache leaves: all that was flushed, and of the rest what chance will have,
torn at sectors. What lies on such a disk is for others to judge. The format is that of drivers/md/dm-log-writes.c.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import accumulate
from typing import BinaryIO

MAGIC, VERSION = 0x6A736677736872, 1
SUPER = struct.Struct("<QQQI")
# Magic, version, number of entries, bytes of a sector.
ENTRY = struct.Struct("<QQQQ")
# First sector, number of sectors, flags, bytes of a mark; a mark's words follow. It takes a whole sector.
LOST_WHOLE, TORN = 0.4, 0.3
# What becomes of a write that lay in a card's cache; the rest of them got through.
SUPERBLOCK_END = 8
# Sectors of 512 bytes. ext4 writes its superblock where it lies, in the first 4 KiB, and a kernel mounts none that
# is torn: fsck mends that with a copy that lies further on, on larger disks than a bench's. It is lost or kept whole.


class LogError(Exception):
    """This is no log, or one that was cut off."""


class Flag(IntFlag):
    """What a write was."""

    FLUSH = 1
    FUA = 2
    DISCARD = 4
    MARK = 8
    METADATA = 16


@dataclass(frozen=True, slots=True)
class Entry:
    """A write (its data begins at byte ``data_at`` of the log), a flush (no sectors), a discard, or a mark."""

    sector: int
    sectors: int
    flags: Flag
    data_at: int
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """All of a log, but for the data, which stays in its file."""

    file: BinaryIO
    sector_bytes: int
    entries: tuple[Entry, ...]

    def data(self, entry: Entry) -> bytes:
        """What was written; zeros where it was a discard."""
        length = entry.sectors * self.sector_bytes
        if Flag.DISCARD in entry.flags:
            return bytes(length)
        self.file.seek(entry.data_at)
        data = self.file.read(length)
        if len(data) != length:
            raise LogError(f"the log ends within the data at {entry.data_at}")
        return data


def read_log(file: BinaryIO) -> Log:
    """Raises LogError."""
    file.seek(0)
    head = file.read(SUPER.size)
    if len(head) < SUPER.size:
        raise LogError("the log has no head")
    magic, version, count, sector_bytes = SUPER.unpack(head)
    if (magic, version) != (MAGIC, VERSION):
        raise LogError(f"magic {magic:#x}, version {version}: no log of dm-log-writes that is known here")
    return Log(file, sector_bytes, tuple(_entries(file, count, sector_bytes)))


def _entries(file: BinaryIO, count: int, sector_bytes: int) -> Iterator[Entry]:
    at = sector_bytes
    for number in range(count):
        file.seek(at)
        head = file.read(sector_bytes)
        if len(head) != sector_bytes:
            raise LogError(f"the log ends at its entry {number} of {count}")
        sector, sectors, bits, length = ENTRY.unpack_from(head)
        flags = Flag(bits)
        mark = head[ENTRY.size : ENTRY.size + length].decode() if Flag.MARK in flags else ""
        at += sector_bytes
        yield Entry(sector, sectors, flags, at, mark)
        at += 0 if Flag.DISCARD in flags else sectors * sector_bytes


def flushed(entries: Sequence[Entry], count: int) -> int:
    """How many of the first ``count`` entries a flush among them vouches for.

    A flush makes durable what stands before it; its own data, where it has any, is one more write.
    """
    return next((number for number in reversed(range(count)) if Flag.FLUSH in entries[number].flags), 0)


def survivors(entries: Sequence[Entry], dice: random.Random) -> Iterator[tuple[Entry, int, int]]:
    """What a card with a cache keeps of writes that nothing vouches for: each with its first and last sector + 1."""
    for entry in entries:
        fate = dice.random()
        whole = LOST_WHOLE if entry.sector < SUPERBLOCK_END else LOST_WHOLE + TORN
        if Flag.FUA in entry.flags or fate >= whole:
            yield entry, 0, entry.sectors
        elif fate >= LOST_WHOLE:
            begin, end = sorted((dice.randint(0, entry.sectors), dice.randint(0, entry.sectors)))
            yield entry, begin, end


class Replay:
    """The disk after the first ``done`` entries of a log, in ``disk``, which begins as the log's own disk began."""

    def __init__(self, log: Log, disk: BinaryIO) -> None:
        self.log = log
        self.done = 0
        self._disk = disk

    def to(self, count: int) -> None:
        """Go on until ``count`` entries are done; there is no way back."""
        assert self.done <= count <= len(self.log.entries)
        for entry in self.log.entries[self.done : count]:
            put(self.log, entry, self._disk)
        self._disk.flush()
        self.done = count


def put(log: Log, entry: Entry, disk: BinaryIO, begin: int = 0, end: int | None = None) -> None:
    """Write an entry, or its sectors from ``begin`` up to ``end``, where it belongs on the disk."""
    data = log.data(entry)[begin * log.sector_bytes : (entry.sectors if end is None else end) * log.sector_bytes]
    if data:
        disk.seek((entry.sector + begin) * log.sector_bytes)
        disk.write(data)


def marks_before(entries: Sequence[Entry]) -> list[int]:
    """For each number of entries from none on: how many marks stand among the first so many."""
    return list(accumulate((Flag.MARK in entry.flags for entry in entries), initial=0))
