"""One case: at which point of the day a life ends, or a call fails, and in which way. Decides what is tried; runs it.

A point is a change of a file or a message outward, named by its call and which of the day it is: ``fdatasync:17``.
"""

from __future__ import annotations

import contextlib
import errno
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.crash import checks
from tests.crash.shim import How, Order
from tests.crash.street import Fate, Place, Street

LONG_CALLS = 40
# A disk that refuses for a while: several commits, or a download and its staging.
SECOND_LIFE_CALLS = 60
# A second death within the boot, the recovery and the first things that follow.
DEATHS_MAX = 4
DIES_IN_S = (0.01, 0.6)
# An unhindered life takes some 0.3 s.
TAKES_ROOM = frozenset({"write", "pwrite", "open", "mkdir"})
ERRNO_WORDS = re.compile(
    r"SQLITE_(IOERR|FULL|CANTOPEN)|Input/output error|No space left on device|no write-ahead log: the disk refused it"
)
SAY = "say"
JOURNAL = "journal"


class Way(StrEnum):
    """How a life ends at a point, or what its call answers."""

    BEFORE = "before"  # SIGKILL in front of the call
    HALF = "half"  # SIGKILL when half of a write is done, in whole sectors
    AFTER = "after"  # SIGKILL when the call is done
    CUT = "cut"  # power cut after the call: only what was synced is left
    TORN = "torn"  # the same, and of the rest what chance leaves, torn at sectors
    TWICE = "twice"  # SIGKILL in front of the call, and again, or a power cut, while the next life recovers
    EIO = "eio"  # the call fails once
    EIO_LONG = "eio-long"  # and the next forty as well
    FULL = "full"  # no room, once
    FULL_LONG = "full-long"  # no room for forty calls
    RANDOM = "random"  # threads as they like, up to four deaths at random instants; the point is a number


FAILURES = {Way.EIO: (errno.EIO, 1), Way.EIO_LONG: (errno.EIO, LONG_CALLS)}
FAILURES |= {Way.FULL: (errno.ENOSPC, 1), Way.FULL_LONG: (errno.ENOSPC, LONG_CALLS)}
FULL = frozenset({Way.FULL, Way.FULL_LONG})


@dataclass(frozen=True, slots=True)
class Case:
    """``seed`` orders the threads of the day and rolls whatever dice the way needs."""

    point: str
    way: Way
    seed: int
    plant: str = ""

    @property
    def command(self) -> str:
        """What replays it."""
        plant = f" --plant {self.plant}" if self.plant else ""
        return f"./run crash --point {self.point} --way {self.way} --seed {self.seed}{plant}"


@dataclass(frozen=True, slots=True)
class Point:
    """Where in the day it is: the ``number``-th change of a life, and what it changes."""

    life: int
    number: int
    call: str
    file: str
    nameless: bool = False

    @property
    def survived(self) -> bool:
        """Python makes a named file where the disk takes no nameless one; a log that was not deleted is empty."""
        return self.nameless or (self.call == "unlink" and self.file.endswith("-wal"))

    @property
    def synced_again(self) -> bool:
        """SQLite does not listen to what a folder's sync answers; we sync the journal's ourselves, a moment later."""
        return self.call == "fdatasync" and self.file == JOURNAL


def points_of(street: Street) -> dict[str, Point]:
    """Every point of a day, by its name."""
    seen: Counter[str] = Counter()
    found = {}
    for life, entry in street.points:
        seen[entry.call] += 1
        found[f"{entry.call}:{seen[entry.call]}"] = Point(
            life, entry.number, entry.call, Path(entry.path).name, entry.to == "nameless"
        )
    return found


def ways_of(point: Point) -> Iterator[Way]:
    """Everything that can be tried there."""
    yield from (Way.BEFORE, Way.AFTER, Way.CUT, Way.TORN, Way.TWICE)
    if point.call in ("write", "pwrite"):
        yield Way.HALF
    if point.call != SAY:
        yield from (Way.EIO, Way.EIO_LONG)
    if point.call in TAKES_ROOM:
        yield from FULL


def run(case: Case, points: dict[str, Point], place: Place) -> list[str]:
    """Live through the day; what it broke."""
    shutil.rmtree(place.folder, ignore_errors=True)
    seed = None if case.way is Way.RANDOM else case.seed
    point = points.get(case.point)
    street = Street(place, seed, _random_fates(case) if point is None else _fates(case, point), case.plant)
    with contextlib.closing(street):
        street.live()
    found = checks.of_day(street, refusals=case.way in FAILURES)
    if case.way in FAILURES and point is not None and not _named(place.folder, case, point):
        found.append("nobody was told that the disk had failed")
    return found


def quiet_day(seed: int, place: Place, plant: str = "") -> Street:
    """The day without any trouble."""
    shutil.rmtree(place.folder, ignore_errors=True)
    street = Street(place, seed, {}, plant)
    with contextlib.closing(street):
        street.live()
    return street


def _fates(case: Case, point: Point) -> dict[int, Fate]:
    dice = random.Random(f"{case.seed} {case.point} {case.way}")
    match case.way:
        case Way.BEFORE | Way.TWICE:
            fate = Fate(Order(point.number, How.BEFORE))
        case Way.HALF:
            fate = Fate(Order(point.number, How.HALF))
        case Way.AFTER:
            fate = Fate(Order(point.number, How.AFTER))
        case Way.CUT:
            fate = Fate(Order(point.number, How.AFTER), power=True)
        case Way.TORN:
            fate = Fate(Order(point.number, How.AFTER), power=True, dice=dice.getrandbits(32))
        case _:
            error, calls = FAILURES[case.way]
            return {point.life: Fate(Order(point.number, How.FAIL, error, calls))}
    fates = {point.life: fate}
    if case.way is Way.TWICE:
        again = Order(dice.randint(1, SECOND_LIFE_CALLS), How.BEFORE)
        fates[point.life + 1] = Fate(again, power=dice.random() < 0.5, dice=dice.getrandbits(32))
    return fates


def _random_fates(case: Case) -> dict[int, Fate]:
    dice = random.Random(f"{case.seed} {case.point} random")
    return {
        life: Fate(dies_in_s=dice.uniform(*DIES_IN_S), power=dice.random() < 0.5, dice=dice.getrandbits(32))
        for life in range(1, 1 + dice.randint(1, DEATHS_MAX))
    }


def _named(folder: Path, case: Case, point: Point) -> bool:
    """Whether the agent's log names the error, unless another way was found at once and nothing came of it."""
    if point.survived or (point.synced_again and case.way is Way.EIO):
        return True
    logs = "".join(path.read_text() for path in sorted(folder.glob("life-*.log")))
    return ERRNO_WORDS.search(logs) is not None
