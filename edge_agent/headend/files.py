"""Write files so that a power cut leaves the old or the new content, never half; secrets for their owner only.

Decides nothing about what is written.
"""

from __future__ import annotations

import os
from pathlib import Path

OWNER_ONLY = 0o600
EVERYBODY_READS = 0o644


def make_private_directory(directory: Path) -> None:
    """Make ``directory`` (and its parents); its own mode is owner-only, whether it is new or not."""
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)


def write_durably(path: Path, content: bytes, mode: int = OWNER_ONLY) -> None:
    """Replace ``path`` by ``content``: temporary file with its final mode, fsync, rename, fsync of the directory."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # a leftover of a crash keeps its old mode, and the umask takes bits away
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    beside.replace(path)
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
