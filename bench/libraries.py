"""What the station's libraries weigh without it: two interpreters that have imported what its processes import.

This is the floor under the memory figures: nothing that we write can be smaller than what it stands on.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

AGENT = "import edge_agent.cli.agent"
DEVICE = "import edge_agent.cli.io, edge_agent.audio.alsa, edge_agent.relay.simulated"
OWN = "edge_agent"
WAITS = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        pass  # put there by hand by the library that it belongs to
print(flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def running() -> Iterator[dict[str, int]]:
    """The two processes' ids, as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        yield {name: _waiting(stack, names_of(statement)) for name, statement in (("run", AGENT), ("io", DEVICE))}


def names_of(statement: str) -> list[str]:
    """Every module that a fresh interpreter has after ``statement``, but our own."""
    command = [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [name for name in loaded if name.split(".")[0] not in (OWN, "__main__")]


def _waiting(stack: contextlib.ExitStack, names: list[str]) -> int:
    child = subprocess.Popen(
        [sys.executable, "-c", WAITS, *names], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.callback(child.communicate)  # closes its input, and waits for its end
    assert child.stdout is not None
    child.stdout.readline()
    return child.pid
