"""A journal that can be made to wait in the middle of a commit, and to fail in ways that the fake alone does not."""

from __future__ import annotations

import threading

from edge_agent.core.effects import SaveJob
from edge_agent.journal.port import JournalError, StoredRecord
from tests.fakes.journal import FakeDisk, FakeJournal

PATIENCE_S = 60


class GatedJournal(FakeJournal):
    """A journal whose commit waits at a gate, whose reads can fail, and that counts its transactions."""

    def __init__(self, disk: FakeDisk) -> None:
        super().__init__(disk)
        self.gate = threading.Event()
        self.gate.set()
        self.at_the_gate = threading.Event()
        self.commits = 0
        self.unreadable = False
        self.refuses_jobs = False
        self.will_not_close = False
        self.closed = False

    def commit(self) -> None:
        self.at_the_gate.set()
        assert self.gate.wait(PATIENCE_S)
        super().commit()
        self.commits += 1

    def save_job(self, effect: SaveJob) -> None:
        if self.refuses_jobs:
            raise JournalError("SQLITE_FULL: database or disk is full")
        super().save_job(effect)

    def records_after(self, seq: int, bytes_max: int) -> tuple[StoredRecord, ...]:
        if self.unreadable:
            raise JournalError("SQLITE_IOERR_READ: disk I/O error")
        return super().records_after(seq, bytes_max)

    def hash_at(self, epoch: str, seq: int) -> str | None:
        if self.unreadable:
            raise JournalError("SQLITE_IOERR_READ: disk I/O error")
        return super().hash_at(epoch, seq)

    def close(self) -> None:
        self.closed = True
        if self.will_not_close:
            raise JournalError("SQLITE_IOERR: disk I/O error")
        super().close()
