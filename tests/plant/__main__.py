"""``./run plant``: each planted fault must be caught, by the promises at every step and by the street alone.

The street's judges see contacts, sound, disk and what the centre holds, and nothing of the core. What escapes them is
caught at least by the promises that are looked at after every step. Exits with 1 if a fault escapes both, or if
something is caught where nothing is planted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.plant.hunt import LIVES
from tests.plant.plants import PLANTS, Plant

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proof.md"
BEGIN, END = "<!-- planted -->\n", "<!-- end -->\n"
HEAD = "| planted | caught at a step by | in life | caught by the street alone, by | in life |\n|---|---|---|---|---|"
HUNT_S_MAX = 240
# All lives of a hunt take a minute. One that takes longer has caught nothing: a slow machine is no proof.


@dataclass(frozen=True, slots=True)
class Catch:
    """``promise`` None: it escaped."""

    promise: str | None
    lives: int


UNHURT = (Catch(None, LIVES), Catch(None, LIVES))


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="./run plant", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="only faults with this in their name")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    plants = [plant for plant in PLANTS if options.only in plant.name]
    if (sound := hunted(None)) != UNHURT:
        print(f"caught without a fault: {sound}")
        return 1
    rows = []
    escaped = on_the_street = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for plant, (steps, street) in zip(plants, pool.map(hunted, plants), strict=True):
            escaped += steps.promise is None and street.promise is None
            on_the_street += street.promise is not None
            rows.append(f"| {plant.name} | {_cells(steps)} | {_cells(street)} |")
            print(rows[-1], flush=True)
    if options.write and not options.only:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), rows), "utf-8")
    print(f"plant faults={len(plants)} caught={len(plants) - escaped} by-the-street={on_the_street} escaped={escaped}")
    return 1 if escaped else 0


def with_table(text: str, rows: list[str]) -> str:
    """The page with these rows in its table."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    assert found, f"{PAGE.name} has lost the mark before its table"
    assert ended, f"{PAGE.name} has lost the mark after its table"
    return before + BEGIN + "\n".join((HEAD, *rows)) + "\n" + END + after


def hunted(plant: Plant | None) -> tuple[Catch, Catch]:
    """What catches a fault, or the product as it is: with all promises, and with the street's alone."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in ("edge_agent", "tests"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        if plant is not None:
            plant.put_into(root)
        return _hunt(root, "steps"), _hunt(root, "street")


def _hunt(root: Path, how: str) -> Catch:
    command = [sys.executable, "-m", "tests.plant.hunt", how]
    try:
        done = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=HUNT_S_MAX, env={**os.environ, "PYTHONPATH": ""}
        )
    except subprocess.TimeoutExpired:
        return Catch(None, 0)
    if done.returncode != 0:
        raise RuntimeError(f"the hunt itself failed, and has caught nothing: {done.stderr}")
    found = json.loads(done.stdout)
    return Catch(found["promise"], found["lives"])


def _cells(catch: Catch) -> str:
    said = "**escaped**" if catch.promise is None else catch.promise.splitlines()[0].partition(":")[0]
    return f"{said} | {catch.lives}"


if __name__ == "__main__":
    sys.exit(main())
