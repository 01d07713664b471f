"""Make and take away what a station keeps of its identity, so that a power cut brings nothing of it back."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from edge_agent.durable import PART, sync_directory
from edge_agent.trust.keys import draft_of


def make_folder(folder: Path, owner: tuple[int, int] | None = None) -> None:
    """Make a folder, if there is none, in which ``owner`` can put a renewed file in the place of an old one."""
    if not folder.is_dir():
        folder.mkdir(mode=0o750, parents=True)
        if owner is not None:
            os.chown(folder, *owner, follow_symlinks=False)


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
