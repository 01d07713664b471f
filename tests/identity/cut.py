"""``python -m tests.identity.cut N FOLDER URL CODE``: enrol, and lose power at the Nth touch of the disk.

A touch is an fsync, a rename, a link or an unlink; the power goes before it is done. Exit status 0: there is no Nth.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.cli import identity
from edge_agent.cli.identity import Asked
from tests.identity.street import Box


def cutting(touch: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def touched(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return touch(*arguments, **more)

    return touched


def main() -> int:
    number, folder, url, code = sys.argv[1:]
    left = [int(number)]
    for name in ("fsync", "link", "replace", "rename", "unlink"):
        setattr(os, name, cutting(getattr(os, name), left))
    Path.replace = cutting(Path.replace, left)  # type: ignore[method-assign]
    Path.unlink = cutting(Path.unlink, left)  # type: ignore[method-assign]
    box = Box(Path(folder))
    return identity.enrol(box.config, box.file, Asked(url, code))


if __name__ == "__main__":
    sys.exit(main())
