"""Places where journals are kept, for the contract: SQLite on a real file system, and the fake on a disk of its own."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Protocol

from edge_agent.journal.port import Journal
from edge_agent.journal.spare import SpareStore
from edge_agent.journal.store import Store
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.journal.samples import ORIGIN


def name_a_table(file: Path, name: str) -> None:
    """Make a table of a database one that nobody can read, and of which SQLite says what it is called."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET name = ?1, tbl_name = ?1, sql = 'CREATE TABLE (('", (name,))


class Rig(Protocol):
    """A place where journals are kept, and the ways in which it can fail."""

    def boot(self) -> Journal:
        """Open the journal again, as after a power cut: nothing is closed before."""
        ...

    def refusing(self) -> AbstractContextManager[None]:
        """While this lasts, the disk takes nothing."""
        ...

    def tear(self) -> None:
        """Spoil what is on the disk."""
        ...

    def clear_away(self) -> None:
        """Close what was opened; the test is over."""
        ...


class StoreRig:
    """SQLite on a real file system. The kernel itself refuses the writes: no file may grow any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self._opened: list[Store] = []

    def boot(self) -> Journal:
        self._opened.append(Store(self._folder, ORIGIN))
        return self._opened[-1]

    def clear_away(self) -> None:
        for store in self._opened:
            with suppress(sqlite3.ProgrammingError):  # the test itself has closed it
                store.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def tear(self) -> None:
        for file in self._folder.iterdir():
            content = bytearray(file.read_bytes())
            content[: len(content) // 2] = b"\x55" * (len(content) // 2)
            file.write_bytes(content)


class SpareRig(StoreRig):
    """The same, where each start finds no journal at first, and the disk gives it when it is asked again."""

    def boot(self) -> Journal:
        store = SpareStore(self._folder, ORIGIN, "refused at the start")
        store.begin()
        store.rollback()
        self._opened.append(store)
        return store


class FakeRig:
    """The fake on its own disk."""

    def __init__(self) -> None:
        self._disk = FakeDisk()

    def clear_away(self) -> None:
        pass

    def boot(self) -> Journal:
        return FakeJournal(self._disk, ORIGIN)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._disk.refuse_commits = 1_000_000
        try:
            yield
        finally:
            self._disk.refuse_commits = 0

    def tear(self) -> None:
        self._disk.tear()


@contextmanager
def transaction(journal: Journal) -> Iterator[Journal]:
    journal.begin()
    yield journal
    journal.commit()
