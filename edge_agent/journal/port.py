"""What the runtime needs of durable memory, whoever keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.core.as_run import AsRun
from edge_agent.core.clock_trust import KeptTime
from edge_agent.core.effects import Entries, NewChain, SaveJob, SaveMark
from edge_agent.core.events import SavedMark
from edge_agent.core.job import Seen
from edge_agent.core.past import PAST_MAX, Sounded
from edge_agent.core.units import DAY_MS, JobId, UtcMs

RECORD_KEEP_MS = 400 * DAY_MS
# Thirteen months are at most 397 days (requirement U3).

PAST_READ_MAX = 2 * PAST_MAX
# Of what sounded, however many refusals came after it: as many warnings and other sounds together as a station
# remembers while it runs.
UNHEARD_AMONG = 3_000
# A version of a series, or a correction, that nobody heard is looked for among so many records: sixteen days of 180. To
# look through them takes a boot some 30 ms.
REFUSALS_AMONG = 100
# A refusal is acknowledged right behind its commit. One that a crash left unacknowledged, and that will be delivered
# again, is among the last few records: ten deliveries may be on their way, and a commit holds fifty writes.


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
    """All that a boot needs. ``floor`` is the last signed time, ``kept`` what a process in the same boot tells it by.

    ``seen`` holds the ids that may come again; ``refused`` holds the digests of the orders that the
    last REFUSALS_AMONG records refuse; ``past`` is what has sounded lately, by the records of it.
    ``trust`` are the envelopes of the newest trust documents, one of each area, the root's first, each behind the root
    it began with.
    ``forgotten`` are the serials, by issuer, up to which this card may have forgotten what it did; ``chain_from``:
    behind this record the chain begins, and it says which one came before; None: it does not say that. ``word`` is the
    centre's signed acknowledgement of ``acked_seq``; b"": of nothing, or nobody kept it. ``forgot_by`` is
    the welcome by which ``forgotten`` stands.
    ``manifests`` are the newest of each scope, each behind its head's envelope.
    ``quarantined`` names what the damaged predecessor of this memory was put aside as; "" when there was none.
    """

    jobs: tuple[StoredJob, ...]
    marks: tuple[SavedMark, ...]
    seen: tuple[tuple[JobId, Seen], ...]
    epoch: str
    last_seq: int
    last_hash: str
    acked_seq: int
    floor: UtcMs
    quarantined: str = ""
    refused: tuple[str, ...] = ()
    past: tuple[Sounded, ...] = ()
    kept: KeptTime | None = None
    trust: tuple[tuple[str, bytes], ...] = ()
    forgotten: tuple[tuple[str, int], ...] = ()
    chain_from: int | None = None
    word: bytes = b""
    forgot_by: bytes = b""
    manifests: tuple[tuple[bytes, bytes], ...] = ()


class Journal(Protocol):
    """One user at a time. Calls between ``begin`` and ``commit`` are one durable transaction (group commit).

    Any call may raise JournalError; after ``rollback`` the journal can be used again.
    """

    def load(self) -> Contents:
        """What is durable now: jobs that are not over in order of receipt, and the ids of those that are."""
        ...

    def begin(self) -> None: ...

    def save_job(self, effect: SaveJob) -> None:
        """Keep an order, and the entries that it may have.

        Each entry is a job of its own, but for its bytes: they are the whole timetable's, and kept once. An entry that
        begins counts from the timetable's base, whatever became of it before; one that goes on is where it was.
        """
        ...

    def release_job(self, job_id: JobId, base: UtcMs, entries: Entries | None = None) -> None:
        """A held job counts from ``base`` and is held no more; a held timetable has its ``entries`` from here on."""
        ...

    def save_mark(self, effect: SaveMark) -> None: ...

    def drop_mark(self, job_id: JobId, planned: UtcMs) -> None:
        """As if that occurrence had never begun."""
        ...

    def append(
        self, record: AsRun, closes: tuple[JobId, UtcMs] | None, job_over: bool, new: NewChain | None = None
    ) -> StoredRecord:
        """Chain the record; if ``closes`` is set, drop that occurrence's mark and move the job's base to its instant.

        ``job_over``: the record's job will never sound again; it stays as a tombstone, so that a redelivery is known.
        ``new``: behind ``new.begins`` this is the chain ``new.epoch``, and its marks are kept. Nothing up to there is
        sent any more.
        """
        ...

    def forget(self, order_id: JobId) -> None:
        """Leave no tombstone of an order that is over: when it comes again it is a new one."""
        ...

    def save_ack(self, epoch: str, seq: int, word: bytes = b"") -> None:
        """Records up to ``seq`` are held elsewhere, says whoever has signed ``word``.

        Of another epoch, older, or beyond the last record: no effect.
        """
        ...

    def save_floor(self, floor: UtcMs, kept: KeptTime | None = None) -> None:
        """It is not before ``floor`` now; both take the place of what was kept before."""
        ...

    def save_trust(self, area: str, envelope: bytes, anchor: str) -> None:
        """The newest trust document of an area; it takes the place of the one before.

        ``anchor`` is the digest of the root that the station's trust file begins with.
        """
        ...

    def save_manifest(self, scope: str, head: bytes, body: bytes) -> None:
        """The newest manifest of a scope, and its head's envelope; it takes the place of the one before."""
        ...

    def prune(self, now: UtcMs) -> None:
        """Forget what nobody needs at ``now`` (trusted time): old tombstones, and delivered records past their term."""
        ...

    def commit(self) -> None:
        """Make it durable (fsync). Raises JournalError, and then nothing of the transaction happened."""
        ...

    def rollback(self) -> None:
        """Drop what was not committed; no harm where there is nothing to drop."""
        ...

    def hash_at(self, epoch: str, seq: int) -> str | None:
        """The hash of a record of the chain that is written now; None where it is of another, not there, or pruned."""
        ...

    def records_after(self, seq: int, bytes_max: int) -> tuple[StoredRecord, ...]:
        """The next records for upload, oldest first, their bodies together at most ``bytes_max`` (at least one)."""
        ...

    def close(self) -> None: ...
