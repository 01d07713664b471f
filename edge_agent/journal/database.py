"""Open the journal's database so that it can be trusted, or put it aside and begin a new one. Knows no table.

A damaged database is kept whole under another name, never deleted. It has a folder of its own because then putting it
aside is one atomic rename: a write-ahead log that stayed behind would be replayed into the new file.
"""

from __future__ import annotations

import logging
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from pathlib import Path

from edge_agent.durable import sync_directory
from edge_agent.journal.port import JournalError
from edge_agent.journal.schema import DamagedError, is_damage, is_older, migrate, prepare
from edge_agent.journal.write_ahead import rotten

FILE_NAME = "journal.db"
BUSY_TIMEOUT_S = 5.0
# Nobody else writes. `doctor` may read, and a reader only delays a checkpoint.
LOG_BYTES_MAX = 16 << 20
# Four times what SQLite lets a write-ahead log grow to before it brings it into the database. To sum it all up took
# 0.19 ms for each page of it on the machine of the tests; the start of a station must not wait for more than that.
EPOCH_BYTES = 8
# No two databases of a station may share an epoch; with 64 random bits they do not.

log = logging.getLogger(__name__)


def new_epoch() -> str:
    """Of a database that is made now."""
    return secrets.token_hex(EPOCH_BYTES)


def open_database(folder: Path, epoch: str, *, hesitates: bool = False) -> tuple[sqlite3.Connection, str]:
    """A connection that is ready for use, and what a damaged predecessor was put aside as ("": there was none).

    ``epoch`` is for a new one. Raises sqlite3.Error or OSError where the disk refuses, NewerError for one of newer
    software; the database may be sound then, so it is left alone. ``hesitates``: so it may be where the disk does not
    give it back.
    """
    _make_folder(folder)
    try:
        return _connect(folder, epoch, hesitates=hesitates), ""
    except DamagedError as exc:
        aside = _put_aside(folder)
        log.error("journal damaged kept=%s error=%s next=new journal, new chain epoch", aside, exc)
    _make_folder(folder)
    return _connect(folder, epoch), aside


def read_whole(folder: Path) -> sqlite3.Connection:
    """A connection that changes nothing to a database that could be gone on with, if the disk took anything.

    Raises DamagedError, sqlite3.Error or OSError.
    """
    with ExitStack() as stack, _damage_named():
        _check_write_ahead(folder / f"{FILE_NAME}-wal")
        connection = read_only(folder)
        stack.callback(connection.close)
        prepare(connection, "")
        stack.pop_all()
        return connection


def in_memory(epoch: str) -> sqlite3.Connection:
    """A new database that lies nowhere."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    prepare(connection, epoch)
    return connection


def read_only(folder: Path) -> sqlite3.Connection:
    """A connection that changes nothing, beside a running agent or without one; what older software wrote, it shows as
    today's would lie there.

    Where no write-ahead log lies beside it nobody has it open, and the file alone is the whole of it: looked at as one
    that does not change, it needs no files of shared memory, which would have to be made.
    """
    file = folder / FILE_NAME
    how = "mode=ro" if file.with_name(f"{FILE_NAME}-wal").exists() else "mode=ro&immutable=1"
    with ExitStack() as stack:
        connection = sqlite3.connect(
            f"{file.resolve().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False
        )
        stack.callback(connection.close)
        _read_as_ours(connection)
        if is_older(connection):
            return _brought_up(connection)
        stack.pop_all()
        return connection


def _brought_up(connection: sqlite3.Connection) -> sqlite3.Connection:
    """The same in memory, in the shape of today."""
    with ExitStack() as stack:
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        stack.callback(copy.close)
        _read_as_ours(copy)
        connection.backup(copy)
        migrate(copy, "")
        stack.pop_all()
        return copy


@contextmanager
def disk() -> Iterator[None]:
    """The seam: what the database or the disk says becomes a JournalError with its name."""
    try:
        yield
    except sqlite3.Error as exc:
        name = getattr(exc, "sqlite_errorname", type(exc).__name__)
        raise JournalError(f"{name}: {exc}") from exc
    except OSError as exc:
        raise JournalError(str(exc)) from exc


def _read_as_ours(connection: sqlite3.Connection) -> None:
    """What a question needs beside the database lies in memory: in a file it would need room on a card that is full."""
    connection.text_factory = _text
    connection.execute("PRAGMA temp_store = MEMORY")


def _text(raw: bytes) -> str:
    """A rotten letter must not keep the station from starting: what a job says is judged by its signed envelope."""
    return raw.decode("utf-8", "replace")


def _connect(folder: Path, epoch: str, *, hesitates: bool = False) -> sqlite3.Connection:
    with ExitStack() as stack, _damage_named(hesitates=hesitates):
        _check_write_ahead(folder / f"{FILE_NAME}-wal")
        _sync_write_ahead(folder / f"{FILE_NAME}-wal")
        # Opened at boot by one thread, used by another one afterwards: never by two at a time, so the check is off.
        # SQLite reads the head of the file here already, which may lie on a bad sector.
        connection = sqlite3.connect(
            folder / FILE_NAME, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        stack.callback(connection.close)
        _read_as_ours(connection)
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits in a power cut
        prepare(connection, epoch)
        _check_writable(connection)
        sync_directory(folder)
        stack.pop_all()
        return connection


def _check_write_ahead(log: Path) -> None:
    """Before SQLite sees it, which would take what is left for all there ever was, and write over the rest."""
    try:
        with open(log, "rb") as file:
            lost = os.fstat(file.fileno()).st_size <= LOG_BYTES_MAX and rotten(file)
    except OSError:
        return  # there is none, or it lies on a bad sector, which SQLite will name
    if lost:
        raise DamagedError("its write-ahead log has rotted: commits that were synced cannot be read any more")


def _sync_write_ahead(log: Path) -> None:
    """A process that was killed between a commit's last write and its sync leaves it whole, and not durable.

    SQLite goes by it and writes on behind it: we would answer what a power cut may still take back, and of the log
    that one leaves, ``rotten`` could not tell any more that it had not been whole once. OSError where the disk refuses.
    """
    with suppress(FileNotFoundError), open(log, "r+b") as file:
        os.fsync(file.fileno())


@contextmanager
def _damage_named(*, hesitates: bool = False) -> Iterator[None]:
    """What says that the file is damaged becomes a DamagedError; the disk's refusals of a moment pass as they are."""
    try:
        yield
    except sqlite3.DatabaseError as exc:
        if is_damage(exc, hesitates=hesitates):
            raise DamagedError(str(exc)) from exc
        raise
    except UnicodeDecodeError as exc:  # SQLite quotes a rotten table definition in its message
        raise DamagedError(str(exc)) from exc


def _write_ahead(connection: sqlite3.Connection) -> None:
    """SQLite raises nothing where the disk refuses the change of mode: it answers the old one, and stays with it.

    With a rollback journal a power cut may take the last commit back, by bringing the journal's name back.
    """
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(f"no write-ahead log: the disk refused it, journal_mode is still {mode}")


def _check_writable(connection: sqlite3.Connection) -> None:
    """On a disk that is read-only SQLite opens what it may not write, without a word, and stays so for good.

    ``BEGIN IMMEDIATE`` says nothing either; a change does, also of no row.
    """
    connection.execute("UPDATE meta SET floor = floor WHERE 0")


def _make_folder(folder: Path) -> None:
    """Make the folder durably: a new file in a folder that a power cut forgets is lost with it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    sync_directory(folder.parent)


def _put_aside(folder: Path) -> str:
    """Rename the folder to the first free name, and answer that name."""
    names = (f"{folder.name}.quarantined-{number}" for number in count(1))
    name = next(name for name in names if not (folder.parent / name).exists())
    folder.rename(folder.parent / name)
    sync_directory(folder.parent)
    return name
