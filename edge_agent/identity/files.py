"""Write files so that a power cut leaves the old or the new content, never half. Decides nothing about it."""

from __future__ import annotations

import contextlib
import glob
import os
from pathlib import Path

from edge_agent import fresh_file
from edge_agent.trust.keys import draft_of

OWNER_ONLY = 0o600
GROUP_READS = 0o640
EVERYBODY_READS = 0o644
PART = ".part"


def make_folder(folder: Path, owner: tuple[int, int] | None = None) -> None:
    """Make a folder, if there is none, in which ``owner`` can put a renewed file in the place of an old one."""
    if not folder.is_dir():
        folder.mkdir(mode=0o750, parents=True)
        if owner is not None:
            os.chown(folder, *owner, follow_symlinks=False)


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


def remove_durably(path: Path) -> None:
    """Take a file away, if there is one, and wait until that survives a power cut.

    With it goes what writes of it that were cut short have left beside it: one was a key's draft.
    """
    parts = path.parent.glob(f".{glob.escape(path.name)}.*{PART}")
    there = [one for one in (path, draft_of(path), *parts) if one.exists() or one.is_symlink()]
    for one in there:
        one.unlink()
    if there:
        sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename or a new name inside ``directory`` survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
