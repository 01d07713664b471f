"""``./run plant``: each planted fault must be caught, by the promises at every step and by the street alone.

The street's judges see contacts, sound, disk and what the centre holds, and nothing of the core. What escapes them is
caught at least by the promises that are looked at after every step. Faults in the ward's rules are hunted by the oracle
and by the days of docs/days, those that would let somebody order what he may not by the campaigns of ``./run redteam``.
Exits with 1 if a fault escapes its hunts, or if one catches where nothing is planted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.plant.hunt import LIVES, RELAYS
from tests.plant.hunt_rules import LOOKED
from tests.plant.plants import PLANTS, RELAYED, Plant
from tests.plant.rules import RULES
from tests.redteam.hunt import LIVES as CAMPAIGNS
from tests.redteam.plants import PLANTS as ATTACKS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "proof.md"
END = "<!-- end -->\n"
HUNT_S_MAX = 900
# All lives of a hunt take three minutes at most on two idle cores. One that takes longer has caught nothing: a slow
# machine is no proof.


@dataclass(frozen=True, slots=True)
class Catch:
    """``promise`` None: it escaped."""

    promise: str | None
    lives: int


@dataclass(frozen=True, slots=True)
class Field:
    """Where faults are planted, and the hunts for them; ``unhurt`` is what these find where nothing is planted."""

    name: str
    plants: tuple[Plant, ...]
    module: str
    hunts: tuple[str, ...]
    unhurt: tuple[Catch, ...]
    begin: str
    head: str


CHAOS = Field(
    "chaos",
    PLANTS,
    "tests.plant.hunt",
    ("steps", "street"),
    (Catch(None, LIVES), Catch(None, LIVES)),
    "<!-- planted -->\n",
    "| planted | caught at a step by | in life | caught by the street alone, by | in life |\n|---|---|---|---|---|",
)
RELAY = Field(
    "relays",
    RELAYED,
    "tests.plant.hunt",
    ("relays",),
    (Catch(None, RELAYS),),
    "<!-- planted in relays -->\n",
    "| planted | caught by | in life |\n|---|---|---|",
)
DAY = Field(
    "rules",
    RULES,
    "tests.plant.hunt_rules",
    ("years", "days"),
    tuple(Catch(None, count) for count in LOOKED.values()),
    "<!-- planted rules -->\n",
    "| planted | the oracle says | in life | the days say | in day |\n|---|---|---|---|---|",
)
ATTACK = Field(
    "attack",
    ATTACKS,
    "tests.redteam.hunt",
    ("campaigns",),
    (Catch(None, CAMPAIGNS),),
    "<!-- planted for the attacker -->\n",
    "| planted | what was seen | in campaign |\n|---|---|---|",
)
FIELDS = (CHAOS, RELAY, DAY, ATTACK)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="./run plant", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--only", default="", help="only faults with this in their name")
    parser.add_argument("--field", choices=[field.name for field in FIELDS], help="only the faults of this table")
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    faults = caught = 0
    for field in (field for field in FIELDS if options.field in (None, field.name)):
        plants = [plant for plant in field.plants if options.only in plant.name]
        if plants and (sound := hunted(None, field)) != field.unhurt:
            slow = any(catch.promise is None and catch.lives == 0 for catch in sound)
            print(f"did not end in {HUNT_S_MAX} s: busy?" if slow else f"caught without a fault: {sound}")
            return 1
        rows, here = [], 0
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for plant, catches in zip(plants, pool.map(partial(hunted, field=field), plants), strict=True):
                here += any(catch.promise is not None for catch in catches)
                rows.append(f"| {plant.name} | {' | '.join(_cells(catch) for catch in catches)} |")
                print(rows[-1], flush=True)
        if options.write and not options.only:
            PAGE.write_text(with_table(PAGE.read_text("utf-8"), rows, field), "utf-8")
        faults, caught = faults + len(plants), caught + here
    print(f"plant faults={faults} caught={caught} escaped={faults - caught}")
    return 1 if caught < faults else 0


def with_table(text: str, rows: list[str], field: Field) -> str:
    """The page with these rows in the field's table."""
    before, found, rest = text.partition(field.begin)
    _, ended, after = rest.partition(END)
    assert found, f"{PAGE.name} has lost the mark before its table"
    assert ended, f"{PAGE.name} has lost the mark after its table"
    return before + field.begin + "\n".join((field.head, *rows)) + "\n" + END + after


def hunted(plant: Plant | None, field: Field, most_s: float = HUNT_S_MAX) -> tuple[Catch, ...]:
    """What catches a fault, or the product as it is, in each of the field's hunts, which take so long at most."""
    with copied(plant) as root:
        return tuple(_hunt(root, field.module, how, most_s) for how in field.hunts)


@contextmanager
def copied(plant: Plant | None) -> Iterator[Path]:
    """A copy of what is played, with the fault in it."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for name in ("edge_agent", "tests", "docs/days"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        if plant is not None:
            plant.put_into(root)
        yield root


def run_in(root: Path, *module: str, most_s: float = HUNT_S_MAX) -> subprocess.CompletedProcess[str]:
    """A module of that copy, with its arguments. TimeoutExpired."""
    alone = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=most_s, env=alone)


def _hunt(root: Path, module: str, how: str, most_s: float) -> Catch:
    try:
        done = run_in(root, module, how, most_s=most_s)
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
