"""What another user's process may lay in the place of a file, so that whoever opens it waits, or reads elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

Lay = Callable[[Path], AbstractContextManager[None]]
"""While this lasts it lies there."""

HOLDER = """
import fcntl, os, signal, sys
signal.signal(signal.SIGIO, signal.SIG_IGN)
fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def pipe(place: Path) -> Iterator[None]:
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    yield


@contextmanager
def link(place: Path) -> Iterator[None]:
    place.unlink(missing_ok=True)
    place.symlink_to("/dev/zero")
    yield


@contextmanager
def lease(place: Path) -> Iterator[None]:
    """Its owner does not give it back when the kernel asks for it."""
    place.touch()
    command = [sys.executable, "-c", HOLDER, str(place)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.kill()


IN_THE_WAY: list[Lay] = [pipe, link, lease]
