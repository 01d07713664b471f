"""Build ``shim.c``, arm it in this process, and read what it wrote down. What is done about that, others decide."""

from __future__ import annotations

import ctypes
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
COMPILE = ("gcc", "-O2", "-shared", "-fPIC", "-o")
ENTRY = struct.Struct("=6I2qQ")


class Op(IntEnum):
    """What was done; the numbers are those of ``enum op`` in shim.c."""

    OPEN = 1
    WRITE = 2
    TRUNCATE = 3
    SYNC = 4
    SYNC_FOLDER = 5
    RENAME = 6
    UNLINK = 7
    MKDIR = 8
    SAY = 9


class How(IntEnum):
    """What to do at the chosen call; the numbers are those of ``enum how`` in shim.c."""

    BEFORE = 0
    HALF = 1
    AFTER = 2
    FAIL = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that was made. ``number`` counts changes and messages from 1; ``file`` is a number of this process."""

    op: Op
    number: int
    call: str
    file: int
    path: str
    to: str
    fresh: bool
    at: int
    data: bytes

    @property
    def point(self) -> bool:
        """Whether a process can be killed here: opening counts only where it changes something."""
        return self.op is not Op.OPEN or self.fresh


@dataclass(frozen=True, slots=True)
class Order:
    """Which call, and what then: death before, in the middle of or after it, or ``errors`` calls that fail."""

    number: int = 0
    how: How = How.BEFORE
    error: int = 0
    errors: int = 0


NEVER = Order()


def build(folder: Path) -> Path:
    """Compile the shim; returns what goes into LD_PRELOAD."""
    library = folder / "shim.so"
    subprocess.run([*COMPILE, library, SOURCE], check=True)
    return library


def arm(folder: Path, log_fd: int, line_fd: int, order: Order, dies_in_s: float | None = None) -> None:
    """From now on every change under ``folder`` and every write to ``line_fd`` counts; needs LD_PRELOAD."""
    library = ctypes.CDLL(None)
    library.crash_arm(
        bytes(folder), log_fd, line_fd, ctypes.c_long(order.number), order.how, order.error, ctypes.c_long(order.errors)
    )
    if dies_in_s is not None:
        library.crash_at_random(ctypes.c_long(max(1, round(dies_in_s * 1e9))))


def entries(log: bytes) -> Iterator[Entry]:
    """What the shim has written; a last entry that was cut off with the process's end is left out."""
    at = 0
    while at + ENTRY.size <= len(log):
        op, number, call_len, path_len, to_len, fresh, file, where, data_len = ENTRY.unpack_from(log, at)
        ends = [at + ENTRY.size]
        for length in (call_len, path_len, to_len, data_len):
            ends.append(ends[-1] + length)
        if ends[-1] > len(log):
            return
        call, path, to, data = (log[start:end] for start, end in pairwise(ends))
        yield Entry(Op(op), number, call.decode(), file, path.decode(), to.decode(), bool(fresh), where, data)
        at = ends[-1]
