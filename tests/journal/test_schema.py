"""A journal that older software has made: it opens without loss, or not at all for now; it is never put aside."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
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


def test_whoever_only_looks_leaves_an_old_journal_to_the_agent(old) -> None:
    folder, contents, _ = old
    with pytest.raises(JournalError, match=f"version 1, this software reads version {VERSION}"):
        read_journal(folder)
    Store(folder, ORIGIN).close()
    assert read_journal(folder) == replace(contents, quarantined="")


def test_what_has_sounded_is_found_without_looking_through_the_refusals(tmp_path: Path) -> None:
    """A boot must not take the longer, the more orders somebody has had refused."""
    filled(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {LOAD_PAST}", (1, 1)).fetchall()
    steps = [detail for *_, detail in plan if "records" in detail]
    assert steps == ["SCAN records USING INDEX sounded", "SEARCH records USING INTEGER PRIMARY KEY (rowid>?)"]
