"""Kill the real agent at every write, sync and message of a scripted day, and at random; see that nothing is lost.

``./run crash`` tries every way at every point, then random deaths. ``--minutes N`` does as much of that as fits, in an
order that the seed gives. ``--point fdatasync:17 --way cut`` replays one case. ``--plant NAME`` puts a fault into the
agent and goes on until it is caught. ``--processes`` kills whole real stations at random. The last line holds the
figures; the status is 1 where anything was broken, or a planted fault was not caught.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.crash import day, plants, shim, station
from tests.crash.case import Case, Point, Way, ways_of
from tests.host.content import running_content

ROOT = Path(__file__).resolve().parents[2]
RANDOM_DAYS = 300
# At the end of a full sweep.
RANDOM_EVERY = 10
# Of a sweep that has a time limit, so many cases are one random day each.
SHOWN_MAX = 10
MEMORY = Path("/dev/shm")
# What a disk keeps is modelled, so nothing is won by waiting for a real one.


class Stand:
    """A process that runs cases, one at a time; see ``stand``."""

    def __init__(self, folder: Path, library: Path, content_ca: Path, content_url: str) -> None:
        folder.mkdir()
        self.content = (str(content_ca), content_url)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.stand", folder, content_ca, content_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "LD_PRELOAD": str(library)},
        )

    def points(self, seed: int, plant: str = "") -> tuple[dict[str, Point], list[str]]:
        """The points of a quiet day, and what that broke."""
        told = self._ask(Case("", Way.BEFORE, seed, plant))
        return {name: Point(**point) for name, point in told["points"].items()}, told["broken"]

    def run(self, case: Case) -> list[str]:
        """What the case broke."""
        broken: list[str] = self._ask(case)["broken"]
        return broken

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, case: Case) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"point": case.point, "way": case.way, "seed": case.seed, "plant": case.plant}
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        told = self._process.stdout.readline()
        if not told:
            raise RuntimeError(f"the stand died, try again with: {case.command}")
        return json.loads(told)


@contextlib.contextmanager
def stands(count: int) -> Iterator[list[Stand]]:
    """So many stands, with a content server for all of them, in a folder that goes with them."""
    with contextlib.ExitStack() as stack:
        where = MEMORY if os.access(MEMORY, os.W_OK) else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-", dir=where)))
        library = shim.build(folder)
        content = stack.enter_context(running_content(folder / "content"))
        content.files = {f"/{name}": data for name, data in day.files().items()}
        url = f"https://localhost:{content.port}"
        made = [Stand(folder / f"stand-{number}", library, content.authority.path, url) for number in range(count)]
        for stand in made:
            stack.callback(stand.close)
        yield made


@dataclass
class Outcome:
    """What a campaign has tried, and what it found."""

    points: int = 0
    tried: set[str] = field(default_factory=set)
    cases: int = 0
    random_days: int = 0
    failed: list[tuple[Case, list[str]]] = field(default_factory=list)

    def note(self, case: Case, broken: list[str]) -> None:
        """A case is over."""
        self.cases += 1
        if case.way is Way.RANDOM:
            self.random_days += 1
        else:
            self.tried.add(case.point)
        if broken:
            self.failed.append((case, broken))
            if len(self.failed) <= SHOWN_MAX:
                print(f"{case.command}\n  " + "\n  ".join(broken), flush=True)


def every_case(points: dict[str, Point], seed: int, plant: str = "") -> list[Case]:
    """Every way at every point, in the day's order."""
    return [Case(name, way, seed, plant) for name, point in points.items() for way in ways_of(point)]


def shuffled(cases: list[Case], seed: int) -> Iterator[Case]:
    """In a random order, every tenth one a random day; first each point once, then the rest."""
    dice = random.Random(seed)
    dice.shuffle(cases)
    seen: set[str] = set()
    first = [case for case in cases if not (case.point in seen or seen.add(case.point))]  # type: ignore[func-returns-value]
    rest = [case for case in cases if case not in set(first)]
    for number, case in enumerate([*first, *rest], start=1):
        yield case
        if number % RANDOM_EVERY == 0:
            yield Case(str(number), Way.RANDOM, seed, case.plant)


def try_all(crew: list[Stand], cases: Iterator[Case], outcome: Outcome, until: float) -> None:
    """Run the cases on all stands until none is left or the time is up."""
    free: SimpleQueue[Stand] = SimpleQueue()
    for stand in crew:
        free.put(stand)

    def one(case: Case) -> None:
        stand = free.get()
        try:
            if time.monotonic() < until:
                outcome.note(case, stand.run(case))
        finally:
            free.put(stand)

    with ThreadPoolExecutor(len(crew)) as pool:
        for done in [pool.submit(one, case) for case in cases]:
            done.result()


def hunt(crew: list[Stand], cases: Iterator[Case], outcome: Outcome) -> None:
    """Try one case after another until the planted fault is caught."""
    for case in cases:
        outcome.note(case, crew[0].run(case))
        if outcome.failed:
            return


def sweep(asked: argparse.Namespace) -> Outcome:
    """What the command line asks for, but for real stations."""
    outcome = Outcome()
    until = time.monotonic() + (asked.minutes * 60 if asked.minutes else float("inf"))
    with stands(asked.jobs) as crew:
        points, broken = crew[0].points(asked.seed, asked.plant)
        outcome.points = len(points)
        if broken:
            outcome.note(Case("none", Way.BEFORE, asked.seed, asked.plant), broken)
        elif asked.point:
            case = Case(asked.point, Way(asked.way), asked.seed, asked.plant)
            outcome.note(case, crew[0].run(case))
        elif asked.plant:
            hunt(crew, shuffled(every_case(points, asked.seed, asked.plant), asked.seed), outcome)
        else:
            cases = every_case(points, asked.seed, asked.plant)
            days = [Case(str(number), Way.RANDOM, asked.seed, asked.plant) for number in range(RANDOM_DAYS)]
            try_all(crew, shuffled(cases, asked.seed) if asked.minutes else iter(cases + days), outcome, until)
    return outcome


def main() -> int:
    """See the file's docstring."""
    parser = argparse.ArgumentParser(
        prog="./run crash", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=float, help="as much as fits; without it every case")
    parser.add_argument("--seed", type=int, default=1, help="the order of the threads, and all dice")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="cases at once")
    parser.add_argument("--point", default="", help="one point, such as fdatasync:17")
    parser.add_argument("--way", default=Way.BEFORE, choices=[*Way], help="what happens at that point")
    parser.add_argument("--plant", default="", choices=["", *plants.NAMES], help="a fault that must be caught")
    parser.add_argument("--processes", action="store_true", help="whole real stations, killed at random instants")
    asked = parser.parse_args()
    if asked.processes:
        return station.main(asked.minutes or station.MINUTES, asked.seed)
    began = time.monotonic()
    outcome = sweep(asked)
    print(
        f"crash: {len(outcome.tried)} of {outcome.points} points, {outcome.cases} cases, {outcome.random_days} of them"
        f" random days, {len(outcome.failed)} broken, seed {asked.seed}, {time.monotonic() - began:.0f} s"
    )
    return int(bool(outcome.failed) != bool(asked.plant and not asked.point))


if __name__ == "__main__":
    sys.exit(main())
