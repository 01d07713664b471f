"""A day of the journal and of staged sound, and the power cut at every write of it, on a real file system.

The kernel writes down all that the disk is given, and the disk is made again as it was after each of those writes;
and as a card with a cache may leave it. On each the file system recovers, and the station starts.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from hil_tests.day_of_writes import PLANTS, STEPS, Day, broken, plant_in_clips
from hil_tests.drivers.log_writes import Flag, Log, Replay, flushed, marks_before, put, read_log, survivors
from tests.host import disks

SEED = int(os.environ.get("BENCH_SEED", "1"))
DISK_BYTES, LOG_BYTES = 16 << 20, 512 << 20
# The file system leaves what a day needs of it three times over; the log's file has holes where nothing was written.
CUTS = int(os.environ.get("BENCH_CUTS", "600"))
# Of each kind, beside those behind promises. The day has some two thousand writes: a larger number takes them all.
PLANTED_STEPS = 30
SHOWN_MAX = 5

pytestmark = [pytest.mark.shows("bench.6", "U4"), pytest.mark.wants("disk")]


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
    with ExitStack() as lying:
        device, logged = lying.enter_context(disks.looped(disk)), lying.enter_context(disks.looped(log))
        card = lying.enter_context(disks.mapped("day", disks.log_table(device, logged)))
        root = lying.enter_context(disks.mounted(card.path, folder / "state"))
        day = Day(root, seed, lambda word: card.message("mark", word), plant)
        day.live(steps)
    return Written(day, before, read_log(stack.enter_context(open(log, "rb"))))


class Cuts:
    """Disks as cuts leave them, one after the other, on one and the same file and device."""

    def __init__(self, stack: ExitStack, written: Written, folder: Path) -> None:
        self._log, self._day = written.log, written.day
        self._marks = marks_before(written.log.entries)
        self._folder = folder / "state"
        made, left = (disks.copied(written.before, folder / name) for name in ("made", "left"))
        self._made = stack.enter_context(open(made, "r+b"))  # noqa: SIM115 - the stack closes it
        self._left = stack.enter_context(open(left, "r+b", buffering=0))  # noqa: SIM115
        self._device = stack.enter_context(disks.looped(left))
        self._replay = Replay(written.log, self._made)

    def found(self, count: int, dice: random.Random | None = None) -> list[str]:
        """What is broken after a cut behind so many writes; with ``dice`` a cache has kept only some of the last."""
        entries = self._log.entries
        self._replay.to(count if dice is None else flushed(entries, count))
        disks.refill(self._left, self._made)
        if dice is not None:
            for entry, begin, end in survivors(entries[self._replay.done : count], dice):
                put(self._log, entry, self._left, begin, end)
        with disks.mounted(self._device, self._folder) as root:
            return broken(root, self._day, self._marks[count])


@pytest.fixture(scope="module")
def quiet_day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    with ExitStack() as stack:
        yield written(stack, tmp_path_factory.mktemp("day"), SEED)


def cuts_of(written: Written) -> list[int]:
    """Behind how many writes the power is cut: everywhere, or behind each promise and at chosen places beside these."""
    entries = written.log.entries
    promised = {at for at, entry in enumerate(entries, 1) if Flag.MARK in entry.flags}
    others = sorted(set(range(len(entries) + 1)) - promised)
    return sorted({*promised, *random.Random(SEED).sample(others, min(CUTS, len(others)))})


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
    found, chosen = {}, cuts_of(quiet_day)
    with ExitStack() as stack:
        cuts = Cuts(stack, quiet_day, tmp_path)
        for count in chosen:
            if wrong := cuts.found(count, random.Random(f"{SEED} {count}") if cache else None):
                found[count] = wrong
    print(f"seed {SEED}: {len(chosen)} cuts among {len(quiet_day.log.entries)} writes, {len(found)} lost something")
    assert dict(list(found.items())[:SHOWN_MAX]) == {}


@pytest.mark.parametrize(("plant", "lost"), PLANTS.items(), ids=PLANTS)
def test_a_planted_fault_loses_what_was_promised(
    plant: str, lost: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant_in_clips(plant, monkeypatch)
    with ExitStack() as stack:
        day = written(stack, tmp_path / "day", SEED, PLANTED_STEPS, plant)
        monkeypatch.undo()
        cuts = Cuts(stack, day, tmp_path)
        behind_promises = [at for at, entry in enumerate(day.log.entries, 1) if Flag.MARK in entry.flags]
        found = next((wrong for at in behind_promises if (wrong := cuts.found(at))), [])
    print(f"seed {SEED}: {plant}: {found}")
    assert re.search(lost, " ".join(found)), f"{plant} escaped"
