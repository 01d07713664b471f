"""A disk that gives no journal at a start: what can be read of it counts, nothing is written, and it is asked again."""

from __future__ import annotations

import errno
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_agent.journal import database, spare
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import Contents, JournalError
from edge_agent.journal.record import verify_chain
from edge_agent.journal.schema import VERSION, NewerError
from edge_agent.journal.spare import SpareStore
from edge_agent.journal.store import Store
from tests.journal.samples import ORIGIN, record_of, save_job

WHY = "Read-only file system"


def written(store: Store) -> None:
    """A job and a record, as one transaction."""
    store.begin()
    store.save_job(save_job())
    store.append(record_of(), None, job_over=False)
    store.commit()


def closed(folder: Path) -> Contents:
    """A journal with a job and a record, as a proper end leaves it."""
    store = Store(folder, ORIGIN)
    written(store)
    contents = store.load()
    store.close()
    assert [path.name for path in folder.iterdir()] == [FILE_NAME], "without the files that only a writer can make"
    return contents


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether it is read-only: then it gives no journal to be written."""
    state, real = [True], spare.open_database

    def asked(folder: Path, epoch: str) -> tuple[sqlite3.Connection, str]:
        if state[0]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(folder, epoch)

    monkeypatch.setattr(spare, "open_database", asked)
    return state


def test_what_a_read_only_card_holds_counts_and_nothing_is_written(tmp_path: Path, card: list[bool]) -> None:
    folder = tmp_path / "journal"
    kept = closed(folder)
    before = (folder / FILE_NAME).read_bytes()
    store = SpareStore(folder, ORIGIN, WHY)
    assert store.load() == kept
    assert [one.seq for one in store.records_after(0, 1 << 20)] == [1]
    for _ in range(2):
        with pytest.raises(JournalError, match=WHY):
            store.begin()
        store.rollback()
    store.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {FILE_NAME: before}


def test_once_the_card_can_be_written_the_chain_goes_on_where_it_was(tmp_path: Path, card: list[bool]) -> None:
    folder = tmp_path / "journal"
    closed(folder)
    store = SpareStore(folder, ORIGIN, WHY)
    with pytest.raises(JournalError):
        store.begin()
    card[0] = False
    written(store)
    store.close()
    again = Store(folder, ORIGIN)
    records = again.records_after(0, 1 << 20)
    assert [one.seq for one in records] == [1, 2]
    assert verify_chain(records) is None
    again.close()


@pytest.mark.parametrize("lies", ["nothing", "rot", "a file in the folder's place"])
def test_where_nothing_can_be_read_it_is_as_on_a_new_card(tmp_path: Path, card: list[bool], lies: str) -> None:
    folder = tmp_path / "journal"
    if lies == "rot":
        closed(folder)
        (folder / FILE_NAME).write_bytes(b"\x55" * 8_192)
    elif lies != "nothing":
        folder.write_text("no folder")
    store = SpareStore(folder, ORIGIN, WHY)
    empty = store.load()
    assert (empty.jobs, empty.seen, empty.trust, empty.last_seq, len(empty.epoch)) == ((), (), (), 0, 16)
    assert store.records_after(0, 1 << 20) == ()
    with pytest.raises(JournalError, match=WHY):
        store.begin()
    if lies == "a file in the folder's place":
        folder.unlink()
    card[0] = False
    written(store)
    assert (store.load().epoch, store.load().last_seq) == (empty.epoch, 1)
    store.close()
    assert [path.name for path in tmp_path.glob("journal.quarantined-*")] == ["journal.quarantined-1"] * (lies == "rot")


@pytest.mark.parametrize("lies", ["nothing", "today's", "an older one"])
def test_the_journals_thread_may_read_what_the_start_has_opened(tmp_path: Path, card: list[bool], lies: str) -> None:
    """Else the station that starts on a worn card ends as soon as it has begun."""
    folder = tmp_path / "journal"
    if lies != "nothing":
        closed(folder)
    if lies == "an older one":
        with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
            connection.execute("ALTER TABLE jobs DROP COLUMN urgent")
        of_version(folder, VERSION - 1)
    store = SpareStore(folder, ORIGIN, WHY)
    with ThreadPoolExecutor(1) as journal:
        records = journal.submit(store.records_after, 0, 1 << 20).result()
        assert [one.seq for one in records] == ([] if lies == "nothing" else [1])
        journal.submit(store.close).result()


def test_what_cannot_be_read_is_told_once_and_not_at_each_try(
    tmp_path: Path, card: list[bool], caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "journal"
    closed(folder)
    (folder / FILE_NAME).write_bytes(b"\x55" * 8_192)
    store = SpareStore(folder, ORIGIN, WHY)
    for _ in range(3):
        with pytest.raises(JournalError):
            store.begin()
        store.rollback()
    store.close()
    assert sum("journal not to be read" in line for line in caplog.messages) == 1


@pytest.mark.parametrize("read_only", [False, True])
def test_a_journal_that_comes_back_and_was_not_read_before_is_left_for_the_next_start(
    tmp_path: Path, card: list[bool], read_only: bool
) -> None:
    """Its chain is another one, and what it forbids is not known here."""
    folder = tmp_path / "journal"
    store = SpareStore(folder, ORIGIN, WHY)
    kept = closed(folder)
    card[0] = read_only
    for _ in range(2):
        with pytest.raises(JournalError, match="another journal than this process began with: restart edge-agent"):
            store.begin()
        store.rollback()
    assert store.load().jobs == ()
    store.close()
    again = Store(folder, ORIGIN)
    assert again.load() == kept
    again.close()


def test_one_that_rots_after_it_was_read_is_put_aside_and_no_chain_has_its_name_again(
    tmp_path: Path, card: list[bool]
) -> None:
    folder = tmp_path / "journal"
    kept = closed(folder)
    store = SpareStore(folder, ORIGIN, WHY)
    (folder / FILE_NAME).write_bytes(b"\x55" * 8_192)
    card[0] = False
    with pytest.raises(JournalError, match="restart edge-agent"):
        store.begin()
    store.rollback()
    again = Store(folder, ORIGIN)
    assert again.load().epoch != kept.epoch
    again.close()


def test_a_database_that_sqlite_opened_for_reading_alone_is_not_taken_for_a_journal(tmp_path: Path) -> None:
    """As it does, without a word, where a card is read-only and its write-ahead log lies there."""
    folder = tmp_path / "journal"
    closed(folder)
    with closing(database.read_only(folder)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            database._check_writable(connection)


def test_nor_does_a_station_go_on_with_it_as_it_would_never_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sqlite3.connect

    def reading_alone(file: Path | str, **how: Any) -> sqlite3.Connection:
        return real(file, **how) if file == ":memory:" else real(f"{Path(file).as_uri()}?mode=ro", uri=True, **how)

    folder = tmp_path / "journal"
    switched_off = Store(folder, ORIGIN)
    written(switched_off)
    monkeypatch.setattr(sqlite3, "connect", reading_alone)
    with pytest.raises(JournalError, match="readonly"):
        Store(folder, ORIGIN)
    switched_off.close()


def test_what_older_software_has_written_counts_too_where_an_update_finds_a_card_that_takes_nothing(
    tmp_path: Path, card: list[bool]
) -> None:
    folder = tmp_path / "journal"
    kept = closed(folder)
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.execute("ALTER TABLE jobs DROP COLUMN urgent")
    of_version(folder, VERSION - 1)
    before = (folder / FILE_NAME).read_bytes()
    store = SpareStore(folder, ORIGIN, WHY)
    assert store.load() == kept
    with pytest.raises(JournalError, match=WHY):
        store.begin()
    store.rollback()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {FILE_NAME: before}
    card[0] = False
    written(store)
    store.close()
    again = Store(folder, ORIGIN)
    assert verify_chain(again.records_after(0, 1 << 20)) is None
    assert (again.load().epoch, again.load().last_seq) == (kept.epoch, 2)
    again.close()


def test_a_journal_of_newer_software_is_left_as_it_is_and_goes_on_when_that_is_back(tmp_path: Path) -> None:
    """An update that was taken back must lose no order, no record, and nothing that is known to have sounded."""
    folder = tmp_path / "journal"
    kept = closed(folder)
    of_version(folder, VERSION + 1)
    before = (folder / FILE_NAME).read_bytes()
    with pytest.raises(NewerError, match="newer software"):
        Store(folder, ORIGIN)
    store = SpareStore(folder, ORIGIN, WHY)
    assert (store.load().jobs, store.load().last_seq) == ((), 0)
    for _ in range(2):
        with pytest.raises(JournalError, match="newer software"):
            store.begin()
        store.rollback()
    store.close()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {FILE_NAME: before}
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]
    of_version(folder, VERSION)
    again = Store(folder, ORIGIN)
    assert again.load() == kept
    again.close()


def of_version(folder: Path, version: int) -> None:
    with closing(sqlite3.connect(folder / FILE_NAME)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")
