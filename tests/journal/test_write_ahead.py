"""A log that a power cut left unfinished is gone on with; one that has rotted is put aside whole."""

from __future__ import annotations

import errno
import io
import os
import random
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_agent.journal import database
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import JournalError
from edge_agent.journal.store import Store
from edge_agent.journal.write_ahead import FRAME, HEAD, PAGE_BYTES, rotten
from tests.journal.samples import ORIGIN, record_of

FRAME_BYTES = FRAME.size + PAGE_BYTES
COMMITS = 12


def log_of(folder: Path, commits: int = COMMITS, *, rounds: int = 1) -> bytearray:
    """The write-ahead log of a journal that was never closed; after more ``rounds``, with frames of earlier ones."""
    store = Store(folder / "journal", ORIGIN)
    for _ in range(rounds):
        store._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        for _ in range(commits):
            store.begin()
            store.append(record_of(), None, job_over=False)
            store.commit()
        commits //= 2
    files = [folder / "journal" / name for name in (FILE_NAME, f"{FILE_NAME}-wal")]
    cut = [file.read_bytes() for file in files]
    store.close()
    for file, content in zip(files, cut, strict=True):  # as a power cut leaves them, and not the end
        file.write_bytes(content)
    return bytearray(cut[1])


def frame_at(log: bytearray, number: int) -> int:
    return HEAD.size + number * FRAME_BYTES


def frames_in(log: bytearray) -> int:
    return (len(log) - HEAD.size) // FRAME_BYTES


def last_commit(log: bytearray) -> int:
    """The first frame behind the last but one commit of a log of one round."""
    commits = [n for n in range(frames_in(log)) if FRAME.unpack_from(log, frame_at(log, n))[1]]
    return commits[-2] + 1


def is_rotten(log: bytes) -> bool:
    return rotten(io.BytesIO(log))


def test_a_log_as_it_was_written_is_whole(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    assert frames_in(log) > COMMITS
    assert not is_rotten(log)


def test_a_log_that_ends_anywhere_is_one_that_a_power_cut_left(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    for end in (*range(60), *range(60, len(log), 997)):
        assert not is_rotten(log[:end]), end


def test_frames_of_an_earlier_round_behind_the_end_are_no_rot(tmp_path: Path) -> None:
    log = log_of(tmp_path, rounds=3)
    salts = {FRAME.unpack_from(log, frame_at(log, n))[2:4] for n in range(frames_in(log))}
    assert len(salts) > 1
    assert not is_rotten(log)


@pytest.mark.parametrize("seed", range(40))
def test_a_last_commit_of_which_only_some_was_written_is_no_rot(tmp_path: Path, seed: int) -> None:
    """A card with a cache writes the sectors of what was not synced in any order."""
    dice, log = random.Random(seed), log_of(tmp_path)
    begin = frame_at(log, last_commit(log))
    for at in range(begin - begin % 512 + 512, len(log), 512):
        if dice.random() < 0.5:
            log[at : at + 512] = bytes(len(log[at : at + 512]))
    assert not is_rotten(log)


@pytest.mark.parametrize("seed", range(40))
def test_a_bit_that_rots_ahead_of_the_last_commit_is_seen(tmp_path: Path, seed: int) -> None:
    dice, log = random.Random(seed), log_of(tmp_path)
    at = dice.randrange(frame_at(log, last_commit(log) - 1))
    log[at] ^= 1 << dice.randrange(8)
    assert is_rotten(log), at


def test_what_was_rolled_back_and_written_over_is_no_rot(tmp_path: Path) -> None:
    """Frames of a transaction that never was committed lie behind the end, with the salts of this round."""
    store = Store(tmp_path / "journal", ORIGIN)
    store._connection.execute("PRAGMA cache_size = 2")
    for records in (30, 1):
        store.begin()
        for _ in range(records):
            store.append(record_of(), None, job_over=False)
        if records > 1:
            store.rollback()
        else:
            store.commit()
    log = bytearray((tmp_path / "journal" / f"{FILE_NAME}-wal").read_bytes())
    store.close()
    assert frames_in(log) > 10
    assert not is_rotten(log)


def head(log: bytearray) -> None:
    log[9] ^= 1


def page(log: bytearray) -> None:
    log[frame_at(log, 2) + 100] ^= 1


@pytest.mark.parametrize("spoil", [head, page])
def test_a_journal_whose_log_has_rotted_is_put_aside_byte_for_byte(
    tmp_path: Path, spoil: Callable[[bytearray], None]
) -> None:
    log = log_of(tmp_path)
    file = tmp_path / "journal" / f"{FILE_NAME}-wal"
    database = (tmp_path / "journal" / FILE_NAME).read_bytes()
    spoil(log)
    file.write_bytes(log)
    store = Store(tmp_path / "journal", ORIGIN)
    contents = store.load()
    store.close()
    assert (contents.quarantined, contents.last_seq) == ("journal.quarantined-1", 0)
    assert (tmp_path / "journal.quarantined-1" / file.name).read_bytes() == log
    assert (tmp_path / "journal.quarantined-1" / FILE_NAME).read_bytes() == database


def test_what_a_killed_process_had_not_synced_is_durable_before_anything_is_written_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a power cut could take that back, and of what came behind it leave enough to make the log look rotten."""
    log_of(tmp_path)
    file = tmp_path / "journal" / f"{FILE_NAME}-wal"
    number, done = file.stat().st_ino, list[str]()
    sync, connect = os.fsync, sqlite3.connect

    def synced(descriptor: int) -> None:
        done.extend(["synced"] if os.fstat(descriptor).st_ino == number else [])
        sync(descriptor)

    def connected(*how: Any, **what: Any) -> sqlite3.Connection:
        done.append("opened")
        return connect(*how, **what)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(sqlite3, "connect", connected)
    Store(tmp_path / "journal", ORIGIN).close()
    assert done[:2] == ["synced", "opened"]


def test_a_disk_that_refuses_to_make_it_durable_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(tmp_path)
    number, sync = (tmp_path / "journal" / f"{FILE_NAME}-wal").stat().st_ino, os.fsync

    def refused(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", refused)
    with pytest.raises(JournalError, match=os.strerror(errno.EIO)):
        Store(tmp_path / "journal", ORIGIN)


def test_a_log_that_would_hold_up_the_start_is_left_to_sqlite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_of(tmp_path)
    page(log)
    (tmp_path / "journal" / f"{FILE_NAME}-wal").write_bytes(log)
    monkeypatch.setattr(database, "LOG_BYTES_MAX", len(log) - 1)
    store = Store(tmp_path / "journal", ORIGIN)
    assert store.load().quarantined == ""
    store.close()


def test_sqlite_itself_says_nothing_of_what_it_forgets(tmp_path: Path) -> None:
    """The reason for all this; should SQLite ever name it, this can go."""
    log = log_of(tmp_path)
    page(log)
    (tmp_path / "journal" / f"{FILE_NAME}-wal").write_bytes(log)
    connection = sqlite3.connect(tmp_path / "journal" / FILE_NAME)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    (records,) = connection.execute("SELECT head_seq FROM meta").fetchone()
    assert records < COMMITS
    connection.close()
