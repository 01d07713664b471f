"""Write files so that a power cut leaves the old or the new content, never half; secrets for their owner only.

And one at a time, where several processes change the same ones; and known as written anew.

Decides nothing about what is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from edge_agent.identity.files import EVERYBODY_READS, OWNER_ONLY, remove_durably, sync_directory, write_durably

__all__ = [
    "EVERYBODY_READS",
    "OWNER_ONLY",
    "Stamp",
    "alone",
    "append_durably",
    "make_private_directory",
    "remove_durably",
    "stamp",
    "sync_directory",
    "write_durably",
]

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


def append_durably(path: Path, content: bytes) -> None:
    """Add ``content`` at the end of ``path`` (made owner-only if new) and wait until it survives a power cut."""
    new = not path.exists()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, OWNER_ONLY)
    with os.fdopen(descriptor, "ab") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    if new:
        sync_directory(path.parent)
