"""A process that reads this machine's clocks when it is told to, and moves what ``stepped_clock.c`` shows it of them.

One JSON line in (["look"], ["step", ms], ["suspend", ms]), one out: boot and wall time, and the station's own instant.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from edge_agent.clock import THIS_MACHINE, Readings, StationClock
from edge_agent.clock_chip import Chip
from edge_agent.core.units import UtcMs

SOURCE = Path(__file__).with_name("stepped_clock.c")
ROOT = Path(__file__).parents[2]


class SteppedProcess:
    """The process from outside; ``directory`` takes the library that is loaded into it."""

    def __init__(self, directory: Path) -> None:
        library = directory / "stepped_clock.so"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, SOURCE, "-ldl"], check=True)
        self._child = subprocess.Popen(
            [sys.executable, "-m", "tests.host.clock_child"],
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(library)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, *words: object) -> list[int]:
        """[boot, wall, the station's boot, the station's UTC], all in ms."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(json.dumps(words) + "\n")
        self._child.stdin.flush()
        told: list[int] = json.loads(self._child.stdout.readline())
        return told

    def end(self) -> None:
        self._child.communicate()


def main() -> None:
    fitted = Readings(chip=lambda: Chip("rtc0", THIS_MACHINE.utc()))  # few test machines have one
    clock = StationClock(ntp=False, rtc=True, floor=UtcMs(0), readings=fitted)
    moved = {"STEP_MS": 0, "SUSPENDED_MS": 0}
    names = {"step": "STEP_MS", "suspend": "SUSPENDED_MS"}
    for line in sys.stdin:
        word, *by = json.loads(line)
        if word in names:
            moved[names[word]] += by[0]
            os.environ[names[word]] = str(moved[names[word]])
        now = clock.now()
        print(json.dumps([THIS_MACHINE.boot(), THIS_MACHINE.utc(), now.mono, now.utc]), flush=True)


if __name__ == "__main__":
    main()
