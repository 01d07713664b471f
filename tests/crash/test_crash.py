"""The short form of ``./run crash``: some of its cases, and that no planted fault gets past it."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.crash import plants, shim
from tests.crash.__main__ import ROOT, Stand, every_case, stands
from tests.crash.case import SAY, Case, Point, Way
from tests.host.parts import needs

SEED = 1
# Of the day, whose points CAUGHT_AT names.
DICE = 2
# Of what is tried: all of it is the campaign's. A failure names its case's command.
SAMPLE = 6
TRIES_MAX = 15
# A planted fault is looked for in so many cases at most; each shows at a fair part of those that are chosen from.
WAL = "journal.db-wal"
MORNING_NUMBERS = 230
# So many changes and messages it takes until all of the morning's orders have come.
CALLS = ("pwrite64", "write", "fsync", "fdatasync", "ftruncate", "renameat2")
pytestmark = [
    pytest.mark.host,
    needs("gcc"),
]


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    with stands(1) as crew:
        yield crew[0]


@pytest.fixture(scope="module")
def points(stand: Stand) -> dict[str, Point]:
    found, broken = stand.points(SEED)
    assert broken == []
    return found


def test_the_day_writes_in_every_way_and_breaks_nothing(points: dict[str, Point]) -> None:
    calls = Counter(point.call for point in points.values())
    assert set(calls) == {
        "open",
        "write",
        "pwrite",
        "fsync",
        "fdatasync",
        "ftruncate",
        "rename",
        "unlink",
        "mkdir",
        "say",
    }
    assert {point.life for point in points.values()} == {1, 2}
    files = {re.sub(r"[0-9a-f]{8,}", "*", point.file) for point in points.values()}
    assert {WAL, "journal.db", "*.part", "*.*.pcm.part", "*.*.blocks.part", "originals", "pcm"} <= files


def test_the_same_seed_gives_the_same_day(stand: Stand, points: dict[str, Point]) -> None:
    """Or a point would not be where it was when it is replayed."""
    with stands(1) as crew:
        again, _ = crew[0].points(SEED)
    assert [(one.life, one.number, one.call) for one in again.values()] == [
        (one.life, one.number, one.call) for one in points.values()
    ]


def sample() -> list[int]:
    return list(range(SAMPLE))


@pytest.mark.parametrize("number", sample())
def test_a_crash_breaks_no_promise(stand: Stand, points: dict[str, Point], number: int) -> None:
    cases = every_case(points, SEED)
    case = random.Random(f"{DICE} {number}").choice(cases)
    assert stand.run(case) == [], f"replay with: {case.command}"


def test_a_disk_that_refuses_the_write_ahead_log_ends_the_start_by_name(stand: Stand, points: dict[str, Point]) -> None:
    """SQLite would go on with a rollback journal, and say nothing."""
    syncs = [name for name, point in points.items() if (point.call, point.file) == ("fdatasync", "journal.db-journal")]
    assert stand.run(Case(syncs[0], Way.EIO, SEED)) == []


@pytest.mark.parametrize("number", range(2))
def test_random_deaths_break_no_promise(stand: Stand, points: dict[str, Point], number: int) -> None:
    case = Case(str(DICE + number), Way.RANDOM, SEED)
    assert stand.run(case) == [], f"try again with: {case.command}"


@pytest.mark.deep
@needs("strace")
def test_the_kernel_sees_no_call_that_the_shim_has_not_counted(tmp_path: Path) -> None:
    """The shim stands in the library; strace stands behind it, in the same run."""
    trace = tmp_path / "trace"
    library = shim.build(tmp_path)
    with stands(1) as crew:
        asked = json.dumps({"point": "", "way": Way.BEFORE, "seed": SEED, "plant": ""})
        command = ["strace", "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={','.join(CALLS)}"]
        command += ["-E", f"LD_PRELOAD={library}", sys.executable, "-m", "tests.crash.stand"]
        (tmp_path / "here").mkdir()
        command += [str(tmp_path / "here"), *crew[0].content]
        told = subprocess.run(command, input=asked, text=True, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    lines = trace.read_text().splitlines()
    reader = min((line.split()[0] for line in lines), key=int)
    # The stand itself, which looks at the journal when the day is over: the first process of all.
    inside = re.compile(rf"^\d+ +(\w+)\(.*{re.escape(str(tmp_path / 'here' / 'day' / 'state'))}(?!.*-shm)")
    seen = Counter(match[1] for line in lines if (match := inside.match(line)) and line.split()[0] != reader)
    counted = Counter(point["call"] for point in json.loads(told)["points"].values())
    assert seen == {
        "pwrite64": counted["pwrite"],
        "write": counted["write"],
        "fsync": counted["fsync"],
        "fdatasync": counted["fdatasync"],
        "ftruncate": counted["ftruncate"],
        "renameat2": counted["rename"],
    }


def in_the_morning(point: Point) -> bool:
    return (point.life, point.number < MORNING_NUMBERS) == (1, True)


Wanted = Callable[[Point, Point], bool]
"""Whether to look for a fault at this point, which comes after that one."""

CAUGHT_AT = {
    "ack-before-commit": "pwrite:133",
    "refusal-acked-at-once": "pwrite:51",
    "refusals-forgotten": "say:17",
    "no-first-sample": "pwrite:337",
    "unsynced-commits": "pwrite:127",
    "no-transaction": "pwrite:221",
    "unsynced-download": "rename:36",
    "unsynced-clip": "rename:35",
    "straight-to-its-name": "write:16",
    "unsynced-recovery": "fdatasync:38",
}
"""Where each fault was caught last. It is looked for there first, and elsewhere where the day has changed since."""

HUNTS: dict[str, tuple[Way, Wanted]] = {
    "ack-before-commit": (Way.BEFORE, lambda point, last: point.file == WAL and last.call == SAY),
    "refusal-acked-at-once": (
        Way.BEFORE,
        lambda point, last: point.file == WAL and last.call == SAY and in_the_morning(point),
    ),
    "refusals-forgotten": (
        Way.BEFORE,
        lambda point, last: point.call == SAY and last.file == WAL and in_the_morning(point),
    ),
    "no-first-sample": (Way.BEFORE, lambda point, _: point.file == WAL and not in_the_morning(point)),
    "unsynced-commits": (Way.CUT, lambda point, _: point.file == WAL),
    "no-transaction": (Way.BEFORE, lambda point, _: point.file == WAL),
    "unsynced-download": (Way.TORN, lambda point, _: point.call == "rename"),
    "unsynced-clip": (Way.TORN, lambda point, _: point.call == "rename"),
    "unsynced-recovery": (Way.TWICE, lambda point, _: (point.call, point.file) == ("fdatasync", WAL)),
    "straight-to-its-name": (Way.BEFORE, lambda point, last: point.call == "write" and point.file == last.file),
}


@pytest.mark.deep
@pytest.mark.parametrize("plant", plants.NAMES)
def test_a_planted_fault_is_caught(stand: Stand, plant: str) -> None:
    way, wanted = HUNTS[plant]
    found, broken = stand.points(SEED, plant)
    assert broken == [], "it shows without a crash; plant one that does not"
    names = [name for (_, last), (name, point) in pairwise(found.items()) if wanted(point, last)]
    random.Random(SEED).shuffle(names)
    names.sort(key=lambda name: name != CAUGHT_AT[plant])
    assert any(stand.run(Case(name, way, SEED, plant)) for name in names[:TRIES_MAX]), f"{plant} escaped"
