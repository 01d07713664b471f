"""Others at work: loops that never pause and one that writes to the disk all the time.

Each has a session of its own, as each service of a station has: the kernel then shares the processor out among sessions
first, and a nice value counts only within one (sched(7), autogroups).
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

LOOPS = "while True: pass"
WRITES = """
import os, sys
with open(sys.argv[1], "wb") as file:
    while True:
        file.seek(0)
        file.write(bytes(8_000_000))
        file.flush()
        os.fsync(file.fileno())
"""


@contextlib.contextmanager
def busy(loops: int, written: Path | None = None) -> Iterator[None]:
    """So many loops, and a writer where a file is given for it, until the block ends."""
    commands = [[sys.executable, "-c", LOOPS]] * loops
    if written is not None:
        commands.append([sys.executable, "-c", WRITES, str(written)])
    children = [subprocess.Popen(command, start_new_session=True) for command in commands]
    try:
        yield
        assert all(child.poll() is None for child in children), "nobody was busy"
    finally:
        for child in children:
            child.kill()
            child.wait()
