"""A day of the journal and of staged sound, and the power cut at every write of it, on a real file system.

The kernel writes down all that the disk is given, and the disk is made again as it was after each of those writes;
and as a card with a cache may leave it. On each the file system recovers, and the station starts.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil_tests.day_of_writes import PLANTS, STEPS, Day, broken, plant_in_clips
from hil_tests.drivers import disks
from hil_tests.drivers.log_writes import Flag, Log, Replay, flushed, marks_before, put, read_log, survivors

SEED = int(os.environ.get("BENCH_SEED", "1"))
DISK_BYTES, LOG_BYTES = 16 << 20, 512 << 20
POINTS = int(os.environ.get("BENCH_POINTS", "1200"))
# Of each kind of cut; where the day has fewer writes, each is tried.
PLANTED_STEPS = 30
TRIES_MAX = 60
SHOWN_MAX = 5

pytestmark = [pytest.mark.shows("bench.6", "U4"), disks.needs_mapper]


@dataclass(frozen=True)
class Written:
    """A day, the disk as it was before it (a file), and the log of all that was written then."""

    day: Day
    before: Path
    log: Log


def written(stack: ExitStack, folder: Path, seed: int, steps: int = STEPS, plant: str = "") -> Written:
    """Live through a day on a disk that writes everything down."""
    folder.mkdir(exist_ok=True)
    disk, log = disks.blank(folder / "disk", DISK_BYTES), folder / "log"
    before = disks.copied(disk, folder / "before")
    with open(log, "wb") as file:
        file.truncate(LOG_BYTES)
    with disks.looped(disk) as device, disks.looped(log) as logged:
        with disks.mapped("day", disks.log_table(device, logged)) as card:
            with disks.mounted(card.path, folder / "state") as root:
                day = Day(root, seed, lambda word: card.message("mark", word), plant)
                day.live(steps)
    return Written(day, before, read_log(stack.enter_context(open(log, "rb"))))


class Bare:
    """Disks as cuts leave them, one after the other, on one and the same file."""

    def __init__(self, written: Written, folder: Path) -> None:
        self.written = written
        self._folder = folder
        self._made = disks.copied(written.before, folder / "made")
        self._file = open(self._made, "r+b")
        self._replay = Replay(written.log, self._file)

    def found(self, count: int, dice: random.Random | None = None) -> list[str]:
        """What is broken after a cut behind so many writes; with ``dice`` a cache has kept only some of the last."""
        log = self.written.log
        self._replay.to(count if dice is None else flushed(log.entries, count))
        left = disks.copied(self._made, self._folder / "left")
        if dice is not None:
            with open(left, "r+b") as disk:
                for entry, begin, end in survivors(log.entries[self._replay.done : count], dice):
                    put(log, entry, disk, begin, end)
        with disks.looped(left) as device, disks.mounted(device, self._folder / "state") as root:
            return broken(root, self.written.day, marks_before(log.entries, count))

    def close(self) -> None:
        self._file.close()


@pytest.fixture(scope="module")
def quiet_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    with ExitStack() as stack:
        yield written(stack, tmp_path_factory.mktemp("day"), SEED)


def points(written: Written, dice: random.Random) -> list[int]:
    """After how many writes the power is cut: each once, or as many of them as are wanted."""
    everywhere = range(len(written.log.entries) + 1)
    return sorted(dice.sample(everywhere, min(POINTS, len(everywhere))))


def test_the_day_writes_in_every_way(quiet_day: Written) -> None:
    entries = quiet_day.log.entries
    kinds = {promise.kind for promise in quiet_day.day.promises}
    assert len(kinds) == 5
    assert sum(Flag.MARK in entry.flags for entry in entries) == len(quiet_day.day.promises) + 1  # the log's own end
    assert len(entries) >= 1_000
    print(f"seed {SEED}: {len(entries)} entries, {len(quiet_day.day.promises)} promises")


@pytest.mark.parametrize("cache", [False, True], ids=["first writes only", "a cache kept some"])
def test_nothing_promised_is_lost_by_a_power_cut_after_any_write(
    quiet_day: Written, tmp_path: Path, cache: bool
) -> None:
    card, found, tried = Bare(quiet_day, tmp_path), {}, 0
    for count in points(quiet_day, random.Random(SEED)):
        wrong = card.found(count, random.Random(f"{SEED} {count}") if cache else None)
        tried += 1
        if wrong:
            found[count] = wrong
    card.close()
    print(f"seed {SEED}: {tried} points of {len(quiet_day.log.entries)} writes, {len(found)} broken")
    assert dict(list(found.items())[:SHOWN_MAX]) == {}


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_fault_loses_what_was_promised(
    plant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_in_clips(plant, monkeypatch)
    with ExitStack() as stack:
        day = written(stack, tmp_path / "day", SEED, PLANTED_STEPS, plant)
        monkeypatch.undo()
        card = Bare(day, tmp_path)
        stack.callback(card.close)
        behind = [at for at, entry in enumerate(day.log.entries, 1) if Flag.MARK in entry.flags]
        assert any("lost" in one or "was staged and is" in one for at in behind for one in card.found(at)), plant
