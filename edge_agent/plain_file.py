"""Open files that another user's process has laid down: what is no plain file of that name is refused, at once.

Decides that nothing there keeps its reader waiting: a pipe without a writer would for ever, a lease that its owner does
not give back for as long as the kernel lets it.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, cast


def begin(path: Path) -> BinaryIO:
    """The file, to be read, unbuffered. OSError for a link, and for whatever else it may be."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=0))
