"""Write files so that a power cut leaves the old or the new content, never half. Decides nothing about the content."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from edge_agent import fresh_file

OWNER_ONLY = 0o600
GROUP_READS = 0o640
EVERYBODY_READS = 0o644
PART = ".part"


def write_durably(path: Path, content: bytes, mode: int = OWNER_ONLY, owner: tuple[int, int] | None = None) -> None:
    """Replace ``path`` by ``content``: temporary file with its final mode, fsync, rename, fsync of the directory."""
    beside = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    descriptor = fresh_file.begin(beside, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)  # the umask takes bits away
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        beside.replace(path)
    except BaseException:
        # Left there, it would hold the very room that was wanting: the next try has another number, and room for less.
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_directory(path.parent)


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


def sync_directory(directory: Path) -> None:
    """Make a rename or a new name inside ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
