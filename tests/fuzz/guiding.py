"""Start guided campaigns in a process of their own, and read what comes of them; or say why there can be none.

Instrumented code must be imported after the instrument, so it never runs in the process that asks.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.host.parts import ABSENT

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
CORPUS = Path(__file__).parent / "corpus"
"""Every input that once broke a promise, by parser: a campaign begins with them, and a test tries them all."""
SHORT_RUNS = 200
# Of each parser, where no time is given: a quarter of a minute of CPU for all of them together.
PLANT_RUNS = 60_000
# What hides best was found within 13,000 inputs by each of three seeds.


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a parser has stood. ``finding`` is the file with the input that broke its promise; "" if none did."""

    parser: str
    plant: str
    executions: int
    edges: int
    cpu_s: float
    finding: str
    told: str


def why_not(machine: str = platform.machine()) -> str:
    """Why nothing can be guided here; "" if it can."""
    if machine != "x86_64":
        return f"Atheris is built for x86_64 alone, and this machine is {machine}"
    return "" if find_spec("atheris") else f"{ABSENT}atheris"


def guided(
    parsers: Iterable[str], seconds: float, seed: int, folder: Path = FOLDER, *, planted: bool = False
) -> Iterator[Outcome]:
    """One parser after the other, ``seconds`` each; 0: SHORT_RUNS inputs each, the same ones for the same seed.

    ``planted``: and then every fault of ``plants`` in the parser that it breaks, until it is found, or PLANT_RUNS.
    """
    bound = ["--seconds", str(max(1, round(seconds)))] if seconds else ["--runs", str(SHORT_RUNS)]
    command = [sys.executable, "-m", "tests.fuzz.guided", *bound, "--seed", str(seed), "--folder", str(folder)]
    command += ["--plant-runs", str(PLANT_RUNS)] if planted else []
    with subprocess.Popen(
        [*command, *parsers], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    ) as worker:
        assert worker.stdout is not None
        for line in worker.stdout:
            yield Outcome(**json.loads(line))
    if worker.returncode not in (0, 1):
        raise ChildProcessError(f"{' '.join(command)} ended with status {worker.returncode}")
