"""Begin files that are ours from their first byte, where others may write too (``run_dir``).

Decides what becomes of what lies in the way: it is taken away, and no link is followed. Whoever may write there can
keep us from writing, and cannot choose where we do.
"""

from __future__ import annotations

import os
from pathlib import Path

AS_UMASK_SAYS = 0o666


def begin(path: Path, mode: int = AS_UMASK_SAYS) -> int:
    """The descriptor of a new, empty file in the place of whatever lies there. OSError where that must stay."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)


def replace(path: Path, content: bytes, mode: int = AS_UMASK_SAYS) -> None:
    """Replace ``path`` by ``content``: a reader sees the old file or the new one. Not made to survive a power cut."""
    beside = path.with_suffix(".new")
    with os.fdopen(begin(beside, mode), "wb") as file:
        file.write(content)
    os.replace(beside, path)
