"""``python -m tests.identity.cut URL PRICE``: boxes that enrol at URL, and lose power at the Nth touch of the disk.

Without a code they are reset.

Takes ``[N, FOLDER, CODE]`` on a line of its standard input, and answers with the exit status of a process that did so:
-9 when its power was cut, 0 when there was no Nth touch. A touch is an fsync, a rename, a link or an unlink; power goes
before it is done. It forks each of them: a process of its own would load everything anew. PRICE is scrypt's N, the same
as at the desk that gave the codes.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge_agent.cli import identity
from edge_agent.cli.identity import Asked
from edge_agent.identity import codes
from tests.identity.street import Box


def cutting(touch: Callable[..., Any], left: list[int]) -> Callable[..., Any]:
    def touched(*arguments: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return touch(*arguments, **more)

    return touched


def enrol(number: int, folder: Path, url: str, code: str) -> int:
    left = [number]
    for name in ("fsync", "link", "replace", "rename", "unlink", "rmdir"):
        setattr(os, name, cutting(getattr(os, name), left))
    Path.replace = cutting(Path.replace, left)  # type: ignore[method-assign]
    Path.unlink = cutting(Path.unlink, left)  # type: ignore[method-assign]
    box = Box(folder)
    if not code:
        return identity.factory_reset(box.config, sure=True)
    return identity.enrol(box.config, box.file, Asked(url, code))


def in_a_process(number: int, folder: Path, url: str, code: str) -> int:
    """Its exit status; what it says goes to standard error."""
    child = os.fork()
    if child == 0:
        status = 70
        try:
            os.dup2(2, 1)
            status = enrol(number, folder, url, code)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(url: str, price: str) -> None:
    codes.SCRYPT_N = int(price)
    for line in sys.stdin:
        number, folder, code = json.loads(line)
        print(in_a_process(number, Path(folder), url, code), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
