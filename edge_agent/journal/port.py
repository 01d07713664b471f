"""What the runtime needs of durable memory, whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.core.as_run import AsRun
from edge_agent.core.effects import SaveJob, SaveMark
from edge_agent.core.events import SavedMark
from edge_agent.core.units import JobId, UtcMs


class JournalError(Exception):
    """The disk refused; nothing of the batch was committed."""


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as bytes: the runtime judges the envelope again at every boot."""

    job_id: JobId
    envelope: bytes
    topic: str
    base: UtcMs
    held: bool


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record in its place: ``hash`` = SHA-256 over ``prev`` and ``body`` (canonical JSON), see ``journal.record``."""

    epoch: str
    seq: int
    prev: str
    hash: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Contents:
    """All that a boot needs. ``seen`` maps the ids of jobs that may come again to digests; ``floor`` is the last signed time."""

    jobs: tuple[StoredJob, ...]
    marks: tuple[SavedMark, ...]
    seen: tuple[tuple[JobId, str], ...]
    epoch: str
    last_seq: int
    last_hash: str
    acked_seq: int
    floor: UtcMs


class Journal(Protocol):
    """One writer thread. Calls between ``begin`` and ``commit`` are one durable transaction (group commit)."""

    def load(self) -> Contents: ...

    def begin(self) -> None: ...

    def save_job(self, effect: SaveJob) -> None: ...

    def release_job(self, job_id: JobId, base: UtcMs) -> None:
        """A held job counts from ``base`` and is held no more."""
        ...

    def save_mark(self, effect: SaveMark) -> None: ...

    def append(self, record: AsRun, closes: tuple[JobId, UtcMs] | None, job_over: bool) -> StoredRecord:
        """Chain the record; if ``closes`` is set, drop that occurrence's mark and move the job's base past it."""
        ...

    def save_ack(self, epoch: str, seq: int) -> None: ...

    def save_floor(self, floor: UtcMs) -> None: ...

    def commit(self) -> None:
        """Make it durable (fsync). Raises JournalError, and then nothing of the transaction happened."""
        ...

    def rollback(self) -> None: ...

    def records_after(self, seq: int, bytes_max: int) -> tuple[StoredRecord, ...]:
        """The next records for upload, oldest first, their bodies together at most ``bytes_max`` (at least one)."""
        ...

    def close(self) -> None: ...
