"""Share files between processes: one changes them at a time, what was written anew is known, secrets lie apart."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]
"""By which a file that was written since is known: its number, its length, when it was written."""


def stamp(path: Path) -> Stamp | None:
    """Another one after each writing, which puts a new file in the old one's place; None: there is none to look at."""
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_size, seen.st_mtime_ns


def make_private_directory(directory: Path) -> None:
    """Make ``directory`` (and its parents); its own mode is owner-only, whether it is new or not."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Wait until no other process, and no other thread, is in such a block of this lock file."""
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
