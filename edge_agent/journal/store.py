"""The journal in SQLite: one connection, one user at a time (the journal's thread, once it runs).

Write-ahead log with synchronous FULL: what ``commit`` returned for survives a power cut. The log is the outbox: a
record, the end of its occurrence and its place in the chain are one transaction. Which file may be used, ``database``
decides. Times are UTC ms, sizes bytes.
"""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from edge_agent.core.as_run import AsRun
from edge_agent.core.clock_trust import TIMETABLE_SOURCES, KeptTime
from edge_agent.core.effects import Entries, NewChain, SaveJob, SaveMark
from edge_agent.core.job import OVER_MAX, TOMBSTONE_KEEP_MS
from edge_agent.core.order import is_urgent
from edge_agent.core.units import JobId, MonoMs, UtcMs
from edge_agent.journal.database import disk, new_epoch, open_database
from edge_agent.journal.port import RECORD_KEEP_MS, Contents, JournalError, StoredRecord
from edge_agent.journal.reading import LOAD_META, contents_of
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain

SAVE_JOB = """
INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)
ON CONFLICT (job_id) DO UPDATE SET digest = excluded.digest, envelope = excluded.envelope, topic = excluded.topic,
    base = excluded.base, held = excluded.held, not_after = excluded.not_after, over = 0, urgent = excluded.urgent
"""
# What was over and begins again was received last, here as in memory: of two that are due at once one goes first.
DROP_OVER = "DELETE FROM jobs WHERE job_id = ?2 AND over AND EXISTS (SELECT 1 FROM jobs WHERE job_id = ?1)"
# The bytes of an entry stand in its timetable's row, and are found by the digest of both (reading.LOAD_JOBS).
BEGIN_ENTRY = """
INSERT INTO jobs SELECT ?2, digest, x'', topic, base, 0, not_after, 0, 0 FROM jobs WHERE job_id = ?1
ON CONFLICT (job_id) DO UPDATE SET digest = excluded.digest, envelope = x'', topic = excluded.topic,
    base = excluded.base, held = 0, not_after = excluded.not_after, over = 0, urgent = 0
"""
GO_ON_ENTRY = """
UPDATE jobs SET digest = whole.digest, envelope = x'', topic = whole.topic, not_after = whole.not_after
FROM (SELECT digest, topic, not_after FROM jobs WHERE job_id = ?1) AS whole WHERE job_id = ?2
"""
# A mark without a job: an emergency that sounded although the disk had refused it, and then the power went.
PRUNE_MARKS = "DELETE FROM marks WHERE job_id NOT IN (SELECT job_id FROM jobs WHERE NOT over)"
SAVE_FLOOR = "UPDATE meta SET floor = ?, kept_boot = ?, kept_mono = ?, kept_utc = ?, kept_error_ms = ?"
SAVE_TRUST = """
INSERT INTO trust VALUES (?, ?, ?)
ON CONFLICT (area) DO UPDATE SET envelope = excluded.envelope, anchor = excluded.anchor
"""
# What a chain begins behind is not sent: it was acknowledged, or has rotted.
NEW_CHAIN = "UPDATE meta SET epoch = ?1, chain_from = ?2, forgot_by = ?3, acked_seq = max(acked_seq, ?2)"
SAVE_FORGOTTEN = "INSERT INTO forgotten VALUES (?, ?)"
SAVE_ACK = "UPDATE meta SET acked_seq = ?1, ack = ?3 WHERE epoch = ?2 AND ?1 BETWEEN acked_seq AND head_seq"
# A record's age is told by trusted clocks only. It is past its term when it, or one after it, ended before ?1 by a
# clock that was trusted then, and no record up to that one is younger. Nor is one of after ?2, which no day has reached
# yet: a chip with a flat battery told its time, and the log would grow behind it for years.
PRUNE_RECORDS = """
DELETE FROM records WHERE seq <= (SELECT acked_seq FROM meta) AND seq <= (
    SELECT max(seq) FROM records WHERE trusted_at < ?1 AND seq < (
        SELECT coalesce(min(seq), 9223372036854775807) FROM records WHERE trusted_at BETWEEN ?1 AND ?2))
"""

# Not a timetable of which an entry is left: the entry's bytes stand there.
PRUNE_SURPLUS = """
DELETE FROM jobs WHERE over AND digest NOT IN (SELECT digest FROM jobs WHERE NOT over) AND rowid NOT IN (
    SELECT rowid FROM jobs WHERE over ORDER BY urgent DESC, not_after DESC, rowid DESC LIMIT ?)
"""

NOTHING_KEPT = KeptTime("", MonoMs(0), UtcMs(0), 0)

log = logging.getLogger(__name__)


class Store:
    """The Journal of ``journal.port``; its methods are described there."""

    def __init__(self, folder: Path, origin: Origin, *, hesitates: bool = False) -> None:
        """Open the journal in ``folder``, which is its own and made if need be. Raises JournalError.

        ``hesitates``: also where the disk does not give it back, else put aside then: it may the next time.
        """
        self._origin = origin
        self._pruned = False
        self._hesitates = hesitates
        self._connection, self._quarantined = self._opened(folder)

    def _opened(self, folder: Path) -> tuple[sqlite3.Connection, str]:
        """The database, and what a damaged one before it was put aside as."""
        with disk():
            return open_database(folder, new_epoch(), hesitates=self._hesitates)

    def load(self) -> Contents:
        with disk():
            return contents_of(self._connection, self._quarantined)

    def begin(self) -> None:
        assert not self._connection.in_transaction
        with disk():
            self._connection.execute("BEGIN IMMEDIATE")

    def save_job(self, effect: SaveJob) -> None:
        accepted = effect.saved.accepted
        self._write(DROP_OVER, accepted.order_id, accepted.order_id)
        self._write(
            SAVE_JOB,
            accepted.order_id,
            accepted.digest,
            effect.envelope,
            effect.topic,
            effect.saved.base,
            int(effect.saved.held),
            accepted.not_after,
            int(is_urgent(accepted)),
        )
        self._save_entries(accepted.order_id, effect.entries)

    def release_job(self, job_id: JobId, base: UtcMs, entries: Entries | None = None) -> None:
        self._write("UPDATE jobs SET held = 0, base = ? WHERE job_id = ?", base, job_id)
        self._save_entries(job_id, entries)

    def save_mark(self, effect: SaveMark) -> None:
        self._write(
            "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?)",
            effect.job_id,
            effect.planned,
            effect.mark,
            effect.attempt,
        )

    def drop_mark(self, job_id: JobId, planned: UtcMs) -> None:
        self._write("DELETE FROM marks WHERE job_id = ? AND planned = ?", job_id, planned)

    def append(
        self, record: AsRun, closes: tuple[JobId, UtcMs] | None, job_over: bool, new: NewChain | None = None
    ) -> StoredRecord:
        if new is not None:
            self._write(NEW_CHAIN, new.epoch, new.begins, new.word)
            self._write("DELETE FROM forgotten")
            for issuer, serial in new.marks:
                self._write(SAVE_FORGOTTEN, issuer, serial)
        with disk():
            epoch, seq, head_hash, _, _ = self._meta()
        stored = chain(epoch, ChainPoint(seq, head_hash), body_of(record, self._origin))
        trusted_at = record.ended if record.clock in TIMETABLE_SOURCES else None
        self._write(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?)", stored.seq, stored.prev, stored.hash, stored.body, trusted_at
        )
        self._write("UPDATE meta SET head_seq = ?, head_hash = ?", stored.seq, stored.hash)
        if closes is not None:
            job_id, planned = closes
            self.drop_mark(job_id, planned)
            self._write("UPDATE jobs SET base = max(base, ?) WHERE job_id = ?", planned, job_id)
        if job_over:
            self._write("UPDATE jobs SET over = 1 WHERE job_id = ?", record.job_id)
            self._write("DELETE FROM marks WHERE job_id = ?", record.job_id)
        return stored

    def forget(self, order_id: JobId) -> None:
        self._write("DELETE FROM jobs WHERE job_id = ?", order_id)

    def save_ack(self, epoch: str, seq: int, word: bytes = b"") -> None:
        self._write(SAVE_ACK, seq, epoch, word)

    def save_floor(self, floor: UtcMs, kept: KeptTime | None = None) -> None:
        kept = kept or NOTHING_KEPT
        self._write(SAVE_FLOOR, floor, kept.boot_id, kept.mono, kept.utc, kept.error_ms)

    def save_trust(self, area: str, envelope: bytes, anchor: str) -> None:
        self._write(SAVE_TRUST, area, envelope, anchor)

    def save_manifest(self, scope: str, head: bytes, body: bytes) -> None:
        self._write("INSERT OR REPLACE INTO manifests VALUES (?, ?, ?)", scope, head, body)

    def prune(self, now: UtcMs) -> None:
        self._write("DELETE FROM jobs WHERE over AND not_after < ?", now - TOMBSTONE_KEEP_MS)
        self._write(PRUNE_SURPLUS, OVER_MAX)
        self._write(PRUNE_MARKS)
        self._write(PRUNE_RECORDS, now - RECORD_KEEP_MS, now + RECORD_KEEP_MS)
        self._pruned = True

    def commit(self) -> None:
        assert self._connection.in_transaction
        try:
            with disk():
                self._connection.execute("COMMIT")
        except JournalError:
            self.rollback()
            raise
        if self._pruned:
            self._pruned = False
            self._checkpoint()

    def rollback(self) -> None:
        if self._connection.in_transaction:  # SQLite has often rolled back by itself
            with disk():
                self._connection.execute("ROLLBACK")

    def hash_at(self, epoch: str, seq: int) -> str | None:
        with disk():
            ours, head_seq, head_hash, _, _ = self._meta()
            found = self._connection.execute("SELECT hash FROM records WHERE seq = ?", (seq,)).fetchone()
        if epoch != ours:
            return None
        if seq == head_seq:
            return str(head_hash)
        return None if found is None else str(found[0])

    def records_after(self, seq: int, bytes_max: int) -> tuple[StoredRecord, ...]:
        found: list[StoredRecord] = []
        room = bytes_max
        with disk():
            epoch, *_ = self._meta()
            query = "SELECT seq, prev, hash, body FROM records WHERE seq > ? ORDER BY seq"
            with closing(self._connection.execute(query, (seq,))) as rows:
                for number, prev, digest, body in rows:
                    room -= len(body)
                    if found and room < 0:
                        break
                    found.append(StoredRecord(epoch, number, prev, digest, body))
        return tuple(found)

    def close(self) -> None:
        """Drop what was not committed and close."""
        self.rollback()
        self._checkpoint()
        with disk():
            self._connection.close()

    def _save_entries(self, order_id: JobId, entries: Entries | None) -> None:
        if entries is None:
            return
        for job_id in entries.begin:
            self._write(DROP_OVER, order_id, job_id)
            self._write(BEGIN_ENTRY, order_id, job_id)
        for job_id in entries.go_on:
            self._write(GO_ON_ENTRY, order_id, job_id)

    def _checkpoint(self) -> None:
        """Bring the write-ahead log into the database, daily and at the end, and name what hinders it.

        SQLite does the same by itself at every thousandth page, and tells nobody when it cannot: behind one bad block
        in the database the log would grow until the card is full.
        """
        try:
            with disk():
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except JournalError as exc:
            log.error("journal not checkpointed error=%s next=nothing is lost; look at the card", exc)

    def _write(self, statement: str, *values: object) -> None:
        """One change within the transaction; outside of one it would be durable by itself, which nobody asked for."""
        assert self._connection.in_transaction
        with disk():
            self._connection.execute(statement, values)

    def _meta(self) -> Any:
        return self._connection.execute(LOAD_META).fetchone()
