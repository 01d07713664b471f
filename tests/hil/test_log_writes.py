"""A log of writes is read as the kernel lays it down, and gives the disk back as it was at any point."""

from __future__ import annotations

import io
import random

import pytest

from hil_tests.drivers.log_writes import (
    ENTRY,
    MAGIC,
    SUPER,
    VERSION,
    Entry,
    Flag,
    Log,
    LogError,
    Replay,
    flushed,
    marks_before,
    put,
    read_log,
    survivors,
)

SECTOR = 512
DISK_SECTORS = 16
PLAIN, FLUSH, FUA = Flag(0), Flag.FLUSH, Flag.FUA


def letters(text: str) -> bytes:
    """A sector for each letter."""
    return b"".join(letter.encode() * SECTOR for letter in text)


def written(*entries: tuple[int, str, Flag] | str, sector_bytes: int = SECTOR) -> io.BytesIO:
    """A log as the kernel writes it: writes (sector, a letter for each sector, flags), and marks."""
    blocks = [SUPER.pack(MAGIC, VERSION, len(entries), sector_bytes).ljust(sector_bytes, b"\0")]
    for entry in entries:
        if isinstance(entry, str):
            head = ENTRY.pack(0, 0, Flag.MARK, len(entry)) + entry.encode()
            blocks.append(head.ljust(sector_bytes, b"\0"))
        else:
            sector, text, flags = entry
            blocks.append(ENTRY.pack(sector, len(text), flags, 0).ljust(sector_bytes, b"\0"))
            if Flag.DISCARD not in flags:
                blocks.append(b"".join(letter.encode() * sector_bytes for letter in text))
    return io.BytesIO(b"".join(blocks) + bytes(4 * sector_bytes))


def on(disk: io.BytesIO, sector_bytes: int = SECTOR) -> str:
    """A letter for each sector that is of one letter, "?" for one that is not."""
    data = disk.getvalue()
    sectors = [data[at : at + sector_bytes] for at in range(0, len(data), sector_bytes)]
    return "".join(chr(one[0] or ord(".")) if len(set(one)) == 1 else "?" for one in sectors)


def blank(sector_bytes: int = SECTOR) -> io.BytesIO:
    return io.BytesIO(bytes(DISK_SECTORS * sector_bytes))


DAY = (
    (0, "aa", PLAIN),
    (4, "b", PLAIN),
    (0, "", FLUSH),
    "first",
    (1, "cc", FUA),
    (4, "", FLUSH),
    (5, "d", FLUSH | FUA),
    "second",
    (0, "xx", Flag.DISCARD),
)
AFTER = ["", "aa", "aa..b", "aa..b", "aa..b", "acc.b", "acc.b", "acc.bd", "acc.bd", "..c.bd"]


def test_entries_and_marks_are_read_in_order() -> None:
    log = read_log(written(*DAY))
    assert log.sector_bytes == SECTOR
    assert [(entry.sector, entry.sectors, entry.flags) for entry in log.entries[:3]] == [
        (0, 2, PLAIN),
        (4, 1, PLAIN),
        (0, 0, FLUSH),
    ]
    assert [entry.mark for entry in log.entries if entry.mark] == ["first", "second"]
    assert marks_before(log.entries) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]


def test_the_disk_is_there_as_it_was_after_any_number_of_writes() -> None:
    log, disk = read_log(written(*DAY)), blank()
    replay, seen = Replay(log, disk), []
    for count in range(len(DAY) + 1):
        replay.to(count)
        seen.append(on(disk).rstrip("."))
    assert seen == AFTER


@pytest.mark.parametrize("count", range(len(DAY) + 1))
def test_many_writes_at_once_leave_what_each_by_itself_leaves(count: int) -> None:
    disk = blank()
    Replay(read_log(written(*DAY)), disk).to(count)
    assert on(disk).rstrip(".") == AFTER[count]


def test_larger_sectors_are_counted_as_the_disk_counts_them() -> None:
    disk = blank(4096)
    Replay(read_log(written((2, "ab", PLAIN), "m", (1, "c", FUA), sector_bytes=4096)), disk).to(3)
    assert on(disk, 4096).rstrip(".") == ".cab"


def test_there_is_no_way_back() -> None:
    replay = Replay(read_log(written(*DAY)), blank())
    replay.to(3)
    with pytest.raises(AssertionError):
        replay.to(2)


def test_a_flush_vouches_for_what_stands_before_it_and_not_for_its_own_data() -> None:
    entries = read_log(written(*DAY)).entries
    assert [flushed(entries, count) for count in range(10)] == [0, 0, 0, 2, 2, 2, 5, 6, 6, 6]


def test_of_what_no_flush_vouches_for_a_card_keeps_all_some_or_nothing_and_always_what_bypassed_its_cache() -> None:
    entries = [Entry(16, 4, PLAIN, 0), Entry(8, 4, FUA, 0), Entry(2, 2, PLAIN, 0)]
    kept, superblocks = set(), set()
    for seed in range(200):
        left = {entry.sector: (begin, end) for entry, begin, end in survivors(entries, random.Random(seed))}
        assert left[8] == (0, 4)
        kept.add(left.get(16))
        superblocks.add(left.get(2))
    assert {None, (0, 4), (0, 2), (1, 3)} <= kept
    assert superblocks == {None, (0, 2)}, "no file system stands one that is torn"


def test_a_torn_write_leaves_its_own_sectors_where_they_belong() -> None:
    log, disk = read_log(written((3, "abcd", PLAIN))), blank()
    put(log, log.entries[0], disk, 1, 3)
    assert on(disk).rstrip(".") == "....bc"


@pytest.mark.parametrize(
    ("file", "named"),
    [
        (io.BytesIO(), "no head"),
        (io.BytesIO(bytes(SECTOR)), "magic 0x0, version 0"),
        (io.BytesIO(written(*DAY).getvalue()[: 2 * SECTOR + 7]), "ends at its entry 1 of 9"),
    ],
)
def test_what_is_no_log_or_is_cut_off_is_named(file: io.BytesIO, named: str) -> None:
    with pytest.raises(LogError, match=named):
        read_log(file)


def test_data_that_is_cut_off_is_named() -> None:
    log = Log(io.BytesIO(letters("a")), SECTOR, (Entry(0, 2, PLAIN, 0),))
    with pytest.raises(LogError, match="ends within the data at 0"):
        Replay(log, blank()).to(1)
