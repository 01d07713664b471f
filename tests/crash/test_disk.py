"""What the model of a disk leaves after a power cut: it decides what the crash campaign believes, so it is tested."""

from __future__ import annotations

import random
from pathlib import Path

from tests.crash.disk import SECTOR_BYTES, Disk
from tests.crash.shim import Entry, Op

ROOT = "/state"


def entry(op: Op, path: str = "", file: int = 0, *, at: int = 0, data: bytes = b"", to: str = "") -> Entry:
    return Entry(op, 0, "", file, path, to, True, at, data)


def disk_after(*entries: Entry) -> Disk:
    disk = Disk(Path(ROOT))
    disk.follow(entries)
    return disk


MADE = (entry(Op.OPEN, f"{ROOT}/a", 1), entry(Op.WRITE, file=1, data=b"kept"), entry(Op.SYNC, file=1))
NAMED = (entry(Op.OPEN, ROOT, 2), entry(Op.SYNC_FOLDER, file=2))


def test_a_process_sees_what_it_wrote() -> None:
    disk = disk_after(*MADE, entry(Op.WRITE, file=1, at=2, data=b"new"), entry(Op.TRUNCATE, file=1, at=4))
    assert disk.now() == {ROOT: None, f"{ROOT}/a": b"kene"}


def test_bytes_without_a_sync_are_lost() -> None:
    disk = disk_after(*MADE, *NAMED, entry(Op.WRITE, file=1, at=0, data=b"lost"))
    assert disk.cut_power(None) == {ROOT: None, f"{ROOT}/a": b"kept"}


def test_a_name_without_a_sync_of_its_folder_is_lost() -> None:
    assert disk_after(*MADE).cut_power(None) == {ROOT: None}


def test_a_folder_that_is_lost_takes_its_files_along() -> None:
    inner = (
        entry(Op.MKDIR, f"{ROOT}/in"),
        entry(Op.OPEN, f"{ROOT}/in/a", 1),
        entry(Op.OPEN, f"{ROOT}/in", 2),
        entry(Op.SYNC_FOLDER, file=2),
    )
    assert disk_after(*inner).cut_power(None) == {ROOT: None}


def test_a_rename_without_a_sync_leaves_the_old_name() -> None:
    renamed = entry(Op.RENAME, f"{ROOT}/a", to=f"{ROOT}/b")
    assert disk_after(*MADE, *NAMED, renamed).cut_power(None) == {ROOT: None, f"{ROOT}/a": b"kept"}
    assert disk_after(*MADE, *NAMED, renamed, *NAMED).cut_power(None) == {ROOT: None, f"{ROOT}/b": b"kept"}


def test_a_folder_moves_with_what_is_in_it() -> None:
    disk = disk_after(
        entry(Op.MKDIR, f"{ROOT}/in"),
        entry(Op.OPEN, f"{ROOT}/in/a", 1),
        entry(Op.RENAME, f"{ROOT}/in", to=f"{ROOT}/aside"),
        *NAMED,
    )
    assert disk.now() == {ROOT: None, f"{ROOT}/aside": None, f"{ROOT}/aside/a": b""}


def test_an_emptied_file_keeps_its_synced_bytes_until_it_is_synced_again() -> None:
    disk = disk_after(*MADE, *NAMED, entry(Op.OPEN, f"{ROOT}/a", 3, at=1))
    assert disk.now()[f"{ROOT}/a"] == b""
    assert disk.cut_power(None)[f"{ROOT}/a"] == b"kept"


def test_chance_leaves_writes_whole_torn_at_sectors_or_not_at_all() -> None:
    data = bytes([1]) * SECTOR_BYTES + bytes([2]) * SECTOR_BYTES
    fates = set()
    for seed in range(200):
        disk = disk_after(*MADE, *NAMED, entry(Op.WRITE, file=1, at=0, data=data))
        left = disk.cut_power(random.Random(seed))[f"{ROOT}/a"]
        assert left is not None
        fates.add((left[:1] == b"\1", left[SECTOR_BYTES : SECTOR_BYTES + 1] == b"\2"))
    assert fates == {(True, True), (True, False), (False, True), (False, False)}


def test_chance_keeps_names_in_their_order() -> None:
    """As a journalling file system does: never the second of two changes without the first."""
    made = [entry(Op.OPEN, f"{ROOT}/{name}", number) for number, name in enumerate("abc", start=1)]
    found = {tuple(sorted(disk_after(*made).cut_power(random.Random(seed)))) for seed in range(100)}
    assert found == {(ROOT, *(f"{ROOT}/{name}" for name in names)) for names in ("", "a", "ab", "abc")}


def test_what_a_power_cut_left_is_durable() -> None:
    disk = disk_after(*MADE)
    left = disk.cut_power(random.Random(1))
    assert disk.cut_power(None) == left == disk.now()
