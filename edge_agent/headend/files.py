"""Write files so that a power cut leaves the old or the new content, never half; secrets for their owner only.

And one at a time, where several processes change the same ones.

Decides nothing about what is written.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from edge_agent.identity.files import EVERYBODY_READS, OWNER_ONLY, remove_durably, sync_directory, write_durably

__all__ = [
    "EVERYBODY_READS",
    "OWNER_ONLY",
    "alone",
    "append_durably",
    "make_private_directory",
    "remove_durably",
    "sync_directory",
    "write_durably",
]


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
