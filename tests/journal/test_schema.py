"""A journal that older software has made: it opens without loss, or not at all for now; it is never put aside."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import Contents, JournalError, StoredRecord
from edge_agent.journal.reading import LOAD_PAST, read_journal
from edge_agent.journal.schema import MIGRATIONS, VERSION
from edge_agent.journal.store import Store
from tests.journal.samples import KEPT, NOON, ORIGIN, record_of, save_job, save_mark

VERSION_1 = MIGRATIONS[0]
COLUMNS = {
    "jobs": "job_id, digest, envelope, topic, base, held, not_after, over",
    "marks": "job_id, planned, mark, attempt",
    "records": "seq, prev, hash, body, trusted_at",
    "meta": "one, epoch, head_seq, head_hash, acked_seq, floor",
}
"""The tables as the first version had them."""


def filled(folder: Path) -> tuple[Contents, tuple[StoredRecord, ...]]:
    """What a station of today holds that has never been told the time."""
    store = Store(folder, ORIGIN)
    store.begin()
    store.save_job(save_job())
    store.save_mark(save_mark())
    for _ in range(3):
        store.append(record_of("other"), None, job_over=False)
    store.save_ack(store.load().epoch, 2)
    store.save_floor(NOON)
    store.commit()
    held = store.load(), store.records_after(0, 1 << 40)
    store.close()
    return held


def of_version_1(file: Path, source: Path) -> None:
    """The same rows in the database that the first version made, as it left it."""
    with closing(sqlite3.connect(file, isolation_level=None)) as old:
        old.execute("PRAGMA journal_mode = WAL")
        old.execute("ATTACH ? AS source", (str(source),))
        for statement in VERSION_1:
            old.execute(statement)
        for table, columns in COLUMNS.items():
            old.execute(f"INSERT INTO {table} SELECT {columns} FROM source.{table}")
        old.execute("PRAGMA user_version = 1")


def pipe(file: Path) -> None:
    os.mkfifo(file)


def endless(file: Path) -> None:
    """A table that has no end, in the place of one."""
    filled(file.parent)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("DROP TABLE marks")
        columns = "CREATE VIEW marks (job_id, planned, mark, attempt) AS"
        connection.execute(
            f"{columns} WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i FROM n) SELECT i, i, i, i FROM n"
        )


@pytest.fixture
def old(tmp_path: Path) -> Iterator[tuple[Path, Contents, tuple[StoredRecord, ...]]]:
    """A folder with a journal of the first version, and what is in it."""
    contents, records = filled(tmp_path / "today")
    folder = tmp_path / "journal"
    folder.mkdir()
    of_version_1(folder / FILE_NAME, tmp_path / "today" / FILE_NAME)
    yield folder, contents, records
    assert not list(tmp_path.glob("*quarantined*"))


def test_a_journal_of_the_first_version_opens_without_loss_and_goes_on(old) -> None:
    folder, contents, records = old
    store = Store(folder, ORIGIN)
    assert (store.load(), store.records_after(0, 1 << 40)) == (contents, records)
    store.begin()
    store.save_floor(UtcMs(NOON + 1), KEPT)
    assert store.append(record_of("other"), None, job_over=False).seq == 4
    store.commit()
    store.close()
    again = Store(folder, ORIGIN)
    after = again.load()
    assert (after.quarantined, after.epoch, after.last_seq) == ("", contents.epoch, 4)
    assert (after.floor, after.kept) == (NOON + 1, KEPT)
    again.close()


def test_a_disk_that_takes_nothing_leaves_an_old_journal_as_it_was(old) -> None:
    folder, contents, records = old
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(JournalError):
            Store(folder, ORIGIN)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store = Store(folder, ORIGIN)
    assert (store.load(), store.records_after(0, 1 << 40)) == (contents, records)
    store.close()


def test_whoever_only_looks_reads_an_old_journal_and_leaves_it_to_the_agent(old) -> None:
    """Between an update and the restart `doctor` is the new software's, and the journal still the old one's."""
    folder, contents, _ = old
    before = (folder / FILE_NAME).read_bytes()
    assert read_journal(folder) == contents
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {FILE_NAME: before}
    Store(folder, ORIGIN).close()
    assert read_journal(folder) == contents


def test_whoever_only_looks_is_told_of_what_is_rotten_as_of_any_other_refusal(tmp_path: Path) -> None:
    """Whatever bit it is: SQLite's words for a table's definition may be no text, and a mark no mark."""
    filled(tmp_path / "whole")
    whole, folder, told = (tmp_path / "whole" / FILE_NAME).read_bytes(), tmp_path / "rotten", set[str]()
    folder.mkdir()
    tables = range(whole.index(b"CREATE TABLE"), whole.index(b"CREATE TABLE") + 400, 20)
    for at in (*tables, whole.rindex(b"intent")):
        for bit in (0, 7):
            (folder / FILE_NAME).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            try:
                read_journal(folder)
            except JournalError as error:
                told.add(str(error))
    assert any("can't decode" in one for one in told)
    assert any("is not a valid Mark" in one for one in told)


@pytest.mark.parametrize("lay", [pipe, endless])
def test_nothing_that_lies_in_its_place_keeps_whoever_looks_waiting(
    tmp_path: Path, lay: Callable[[Path], None]
) -> None:
    """Root looks, and whoever has taken the service over lays there what he likes."""
    lay(tmp_path / FILE_NAME)
    with pytest.raises(JournalError):
        read_journal(tmp_path)


def test_one_that_is_only_being_made_is_none_yet(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / FILE_NAME).close()
    with pytest.raises(JournalError, match=f"version 0, this software reads version {VERSION}"):
        read_journal(tmp_path)


def test_what_has_sounded_is_found_without_looking_through_the_refusals(tmp_path: Path) -> None:
    """A boot must not take the longer, the more orders somebody has had refused."""
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {LOAD_PAST}", (1, 1)).fetchall()
    steps = [detail for *_, detail in plan if "records" in detail]
    assert steps == [
        "SEARCH records USING INTEGER PRIMARY KEY (rowid=?)",
        "SCAN records USING INDEX sounded",
        "SEARCH records USING INTEGER PRIMARY KEY (rowid>?)",
    ]
