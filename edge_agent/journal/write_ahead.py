"""Tell a write-ahead log that has rotted from one that a power cut left unfinished. Changes nothing.

SQLite takes a log up to its first frame that is not as it was written, and forgets the rest without a word, for that is
how a power cut leaves the last commit. A bit that rots further ahead takes every commit behind it along, acknowledged
long ago. The two can be told apart: each commit is synced before the next one is begun (``synchronous = FULL``), so
where a frame follows a commit, that commit was whole once. Rot in the very last commit looks like a power cut.

The format is https://www.sqlite.org/fileformat2.html, section 4: a head of 32 bytes, then frames of 24 bytes and a
page each; a frame's sums go on from those of the frame before it.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MAGIC = 0x377F0682
# Its last bit says in which order the bytes of the words lie that are summed up: 1 for the greatest first.
HEAD = struct.Struct(">8I")
# Magic, version, bytes of a page, number of the checkpoint, two salts, two sums.
FRAME = struct.Struct(">6I")
# Page, pages of the database (0 where no commit ends here), two salts, two sums.
SUMMED_OF_FRAME = 8
PAGE_BYTES = 4_096
# SQLite's own default, for a log whose head says nothing.
WORD = 0xFFFF_FFFF

Sums = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Frame:
    """``salts`` are those of the head that it was written under; ``summed`` is what its ``sums`` vouch for."""

    commit: bool
    salts: tuple[int, int]
    sums: Sums
    summed: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Of a log. ``salts`` None: it is not as it was written, so frames of any round may stand behind it."""

    page_bytes: int
    swapped: bool
    salts: tuple[int, int] | None
    sums: Sums

    def follows(self, frame: Frame, before: Sums, salts: tuple[int, int] | None) -> bool:
        """Whether the frame was written behind what has these sums, in that round, and is still as it was."""
        return frame.salts == salts and _sums(frame.summed, self.swapped, before) == frame.sums


def rotten(log: BinaryIO) -> bool:
    """Whether commits that had been synced cannot be read any more. OSError where the disk does not give it back."""
    head = _head(log.read(HEAD.size))
    frames = _frames(log, head.page_bytes)
    before, first = head.sums, next(frames, None)
    while first is not None and head.salts is not None and head.follows(first, before, head.salts):
        before, first = first.sums, next(frames, None)
    last = first
    for frame in frames:
        assert last is not None
        if last.commit and last.salts == (head.salts or last.salts) and head.follows(frame, last.sums, last.salts):
            return True
        last = frame
    return False


def _head(data: bytes) -> Head:
    if len(data) == HEAD.size:
        magic, _, page_bytes, _, salt, pepper, *sums = HEAD.unpack(data)
        swapped = (magic & 1 == 1) != (sys.byteorder == "big")
        summed = _sums(data[: HEAD.size - 8], swapped, (0, 0))
        if magic & ~1 == MAGIC and summed == tuple(sums):
            return Head(page_bytes, swapped, (salt, pepper), summed)
    return Head(PAGE_BYTES, swapped=False, salts=None, sums=(0, 0))


def _frames(log: BinaryIO, page_bytes: int) -> Iterator[Frame]:
    """A whole frame each; what is less stands at the end of a log that was cut off."""
    while len(data := log.read(FRAME.size + page_bytes)) == FRAME.size + page_bytes:
        _, pages, salt, pepper, *sums = FRAME.unpack_from(data)
        summed = data[:SUMMED_OF_FRAME] + data[FRAME.size :]
        yield Frame(pages > 0, (salt, pepper), (sums[0], sums[1]), summed)


def _sums(data: bytes, swapped: bool, before: Sums) -> Sums:
    words = array("I", data)
    if swapped:
        words.byteswap()
    first, second = before
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & WORD
        second = (second + odd + first) & WORD
    return first, second
