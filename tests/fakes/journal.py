"""A journal with memory and no disk: the same promises as ``journal.store``, and a disk that misbehaves on demand.

``FakeDisk`` is what survives; a new ``FakeJournal`` on the same disk is the next boot.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from edge_agent.core.as_run import AsRun, RecordKind
from edge_agent.core.clock_trust import TIMETABLE_SOURCES, KeptTime
from edge_agent.core.effects import Entries, NewChain, SaveJob, SaveMark
from edge_agent.core.events import SavedMark
from edge_agent.core.job import OVER_MAX, TOMBSTONE_KEEP_MS, Seen
from edge_agent.core.order import is_urgent
from edge_agent.core.past import Sounded
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.port import (
    PAST_READ_MAX,
    RECORD_KEEP_MS,
    REFUSALS_AMONG,
    UNHEARD_AMONG,
    Contents,
    JournalError,
    StoredJob,
    StoredRecord,
)
from edge_agent.journal.record import ChainPoint, Origin, body_of, chain, sounded_in

ORIGIN = Origin(station="dt-017", software="1.2.3", boot_id="0123abcd")


@dataclass(frozen=True, slots=True)
class Row:
    """A job with what the port does not show of it."""

    job: StoredJob
    seen: Seen
    over: bool = False

    @property
    def digest(self) -> str:
        return self.seen.digest

    @property
    def not_after(self) -> UtcMs:
        return self.seen.not_after


@dataclass(frozen=True, slots=True)
class Committed:
    """Everything durable, as one value: a commit replaces it whole or not at all."""

    epoch: str
    jobs: dict[JobId, Row] = field(default_factory=dict)
    marks: dict[tuple[JobId, UtcMs], SavedMark] = field(default_factory=dict)
    records: tuple[tuple[StoredRecord, UtcMs | None], ...] = ()
    head: ChainPoint = field(default_factory=ChainPoint)
    acked_seq: int = 0
    floor: UtcMs = UtcMs(0)
    kept: KeptTime | None = None
    trust: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    forgotten: dict[str, int] = field(default_factory=dict)
    chain_from: int | None = None
    word: bytes = b""
    forgot_by: bytes = b""
    manifests: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)


class FakeDisk:
    """What survives. ``commits`` counts what was asked of it, ``refuse_commits`` how many of the next commits fail;
    ``full`` fails them all. ``tear`` spoils what is there; ``slow_ms`` is for who lets time pass.
    """

    def __init__(self) -> None:
        self._epochs = (f"{number:016x}" for number in count(1))
        self.committed = Committed(next(self._epochs))
        self.kept: list[Committed] = []
        self.commits = 0
        self.refuse_commits = 0
        self.full = False
        self.slow_ms = 0
        self._torn = False

    def tear(self) -> None:
        """Whoever opens the journal next finds it damaged."""
        self._torn = True

    def put_in(self, committed: Committed) -> None:
        """Another card, with this on it; what was wrong with the one before goes with that."""
        self._torn = False
        self.committed = committed

    def opened(self) -> str:
        """Put a torn journal aside and begin a new one; answers what it was put aside as."""
        if not self._torn:
            return ""
        self._torn = False
        self.kept.append(self.committed)
        self.committed = Committed(next(self._epochs))
        return f"journal.quarantined-{len(self.kept)}"


class FakeJournal:
    """The Journal of ``journal.port`` on a ``FakeDisk``."""

    def __init__(self, disk: FakeDisk | None = None, origin: Origin = ORIGIN) -> None:
        self.disk = disk or FakeDisk()
        self._origin = origin
        self._quarantined = self.disk.opened()
        self._working: Committed | None = None

    @property
    def records(self) -> tuple[StoredRecord, ...]:
        """All durable records, for tests to look at."""
        return tuple(record for record, _ in self.disk.committed.records)

    def load(self) -> Contents:
        now = self._visible()
        alive = {job_id for job_id, row in now.jobs.items() if not row.over}
        marks = [mark for mark in now.marks.values() if mark.job_id in alive]
        return Contents(
            jobs=tuple(_whole(row, now) for row in now.jobs.values() if not row.over),
            marks=tuple(sorted(marks, key=lambda mark: (mark.planned, mark.job_id))),
            seen=tuple(_seen(now.jobs)),
            epoch=now.epoch,
            last_seq=now.head.seq,
            last_hash=now.head.hash,
            acked_seq=now.acked_seq,
            floor=now.floor,
            kept=now.kept,
            quarantined=self._quarantined,
            refused=tuple(_refused(now.records[-REFUSALS_AMONG:])),
            past=tuple(_past([stored.body for stored, _ in now.records])),
            trust=tuple(kept for _, kept in sorted(now.trust.items())),
            forgotten=tuple(sorted(now.forgotten.items())),
            chain_from=now.chain_from,
            word=now.word,
            forgot_by=now.forgot_by,
            manifests=tuple(kept for _, kept in sorted(now.manifests.items())),
        )

    def begin(self) -> None:
        assert self._working is None
        self._working = self.disk.committed

    def save_job(self, effect: SaveJob) -> None:
        saved, accepted = effect.saved, effect.saved.accepted
        stored = StoredJob(accepted.order_id, effect.envelope, effect.topic, saved.base, saved.held)
        self._begin_row(Row(stored, Seen(accepted.digest, accepted.not_after, is_urgent(accepted))))
        self._save_entries(accepted.order_id, effect.entries)

    def release_job(self, job_id: JobId, base: UtcMs, entries: Entries | None = None) -> None:
        self._change_row(job_id, lambda row: replace(row, job=replace(row.job, base=base, held=False)))
        self._save_entries(job_id, entries)

    def _save_entries(self, order_id: JobId, entries: Entries | None) -> None:
        whole = self._open().jobs.get(order_id)
        if whole is None or entries is None:
            return
        for job_id in entries.begin:
            self._begin_row(replace(whole, job=replace(whole.job, job_id=job_id, envelope=b"", held=False), over=False))
        for job_id in entries.go_on:
            self._change_row(
                job_id,
                lambda row: replace(whole, job=replace(row.job, envelope=b"", topic=whole.job.topic), over=row.over),
            )

    def save_mark(self, effect: SaveMark) -> None:
        mark = SavedMark(effect.job_id, effect.planned, effect.mark, effect.attempt)
        self._write(marks={**self._open().marks, (effect.job_id, effect.planned): mark})

    def drop_mark(self, job_id: JobId, planned: UtcMs) -> None:
        self._write(marks={key: mark for key, mark in self._open().marks.items() if key != (job_id, planned)})

    def append(
        self, record: AsRun, closes: tuple[JobId, UtcMs] | None, job_over: bool, new: NewChain | None = None
    ) -> StoredRecord:
        if new is not None:
            self._begin_chain(new)
        now = self._open()
        stored = chain(now.epoch, now.head, body_of(record, self._origin))
        trusted_at = record.ended if record.clock in TIMETABLE_SOURCES else None
        self._write(records=(*now.records, (stored, trusted_at)), head=ChainPoint(stored.seq, stored.hash))
        if closes is not None:
            job_id, planned = closes
            self.drop_mark(job_id, planned)
            self._change_row(
                job_id, lambda row: replace(row, job=replace(row.job, base=UtcMs(max(row.job.base, planned))))
            )
        if job_over:
            self._change_row(JobId(record.job_id), lambda row: replace(row, over=True))
            self._write(marks={key: mark for key, mark in self._open().marks.items() if key[0] != record.job_id})
        return stored

    def _begin_chain(self, new: NewChain) -> None:
        now = self._open()
        renamed = tuple((replace(record, epoch=new.epoch), at) for record, at in now.records)
        acked = max(now.acked_seq, new.begins)
        self._write(epoch=new.epoch, chain_from=new.begins, acked_seq=acked, records=renamed)
        self._write(forgot_by=new.word, forgotten=dict(new.marks))

    def forget(self, order_id: JobId) -> None:
        now = self._open()
        self._write(jobs={job_id: row for job_id, row in now.jobs.items() if job_id != order_id})

    def save_ack(self, epoch: str, seq: int, word: bytes = b"") -> None:
        now = self._open()
        if epoch == now.epoch and now.acked_seq <= seq <= now.head.seq:
            self._write(acked_seq=seq, word=word)

    def save_floor(self, floor: UtcMs, kept: KeptTime | None = None) -> None:
        self._write(floor=floor, kept=kept)

    def save_trust(self, area: str, envelope: bytes, anchor: str) -> None:
        self._write(trust={**self._open().trust, area: (anchor, envelope)})

    def save_manifest(self, scope: str, head: bytes, body: bytes) -> None:
        self._write(manifests={**self._open().manifests, scope: (head, body)})

    def prune(self, now: UtcMs) -> None:
        jobs = {
            job_id: row
            for job_id, row in self._open().jobs.items()
            if not (row.over and row.not_after < now - TOMBSTONE_KEEP_MS)
        }
        alive = {job_id for job_id, row in jobs.items() if not row.over}
        needed = {jobs[job_id].digest for job_id in alive}
        surplus = {job_id for job_id in _over_first_forgotten(jobs)[:-OVER_MAX] if jobs[job_id].digest not in needed}
        jobs = {job_id: row for job_id, row in jobs.items() if job_id not in surplus}
        marks = {key: mark for key, mark in self._open().marks.items() if key[0] in alive}
        past = self._past_term(UtcMs(now - RECORD_KEEP_MS), UtcMs(now + RECORD_KEEP_MS))
        records = tuple(pair for pair in self._open().records if pair[0].seq > min(past, self._open().acked_seq))
        self._write(jobs=jobs, marks=marks, records=records)

    def commit(self) -> None:
        now, self._working = self._open(), None
        self.disk.commits += 1
        if self.disk.full:
            raise JournalError("no space left on the fake disk")
        if self.disk.refuse_commits > 0:
            self.disk.refuse_commits -= 1
            raise JournalError("no space left on the fake disk")
        self.disk.committed = now

    def rollback(self) -> None:
        self._working = None

    def hash_at(self, epoch: str, seq: int) -> str | None:
        now = self._visible()
        if epoch != now.epoch:
            return None
        known = {record.seq: record.hash for record, _ in now.records} | {now.head.seq: now.head.hash}
        return known.get(seq)

    def records_after(self, seq: int, bytes_max: int) -> tuple[StoredRecord, ...]:
        found: list[StoredRecord] = []
        for record, _ in self._visible().records:
            if record.seq <= seq:
                continue
            if found and sum(len(one.body) for one in found) + len(record.body) > bytes_max:
                break
            found.append(record)
        return tuple(found)

    def close(self) -> None:
        self._working = None

    def _past_term(self, cutoff: UtcMs, to_come: UtcMs) -> int:
        """The last record that ended before ``cutoff`` by a trusted clock, with none before it that is younger.

        One that ended after ``to_come`` tells no age.
        """
        past = 0
        for record, trusted_at in self._open().records:
            if trusted_at is not None and cutoff <= trusted_at <= to_come:
                break
            if trusted_at is not None and trusted_at < cutoff:
                past = record.seq
        return past

    def _visible(self) -> Committed:
        return self._working if self._working is not None else self.disk.committed

    def _open(self) -> Committed:
        assert self._working is not None
        return self._working

    def _write(self, **changes: Any) -> None:
        self._working = replace(self._open(), **changes)

    def _begin_row(self, row: Row) -> None:
        """What was over stands behind all others now."""
        before = self._open().jobs.get(row.job.job_id)
        if before is not None and before.over:
            self.forget(row.job.job_id)
        self._put_row(row)

    def _put_row(self, row: Row) -> None:
        self._write(jobs={**self._open().jobs, row.job.job_id: row})

    def _change_row(self, job_id: JobId, change: Callable[[Row], Row]) -> None:
        row = self._open().jobs.get(job_id)
        if row is not None:
            self._put_row(change(row))


def _whole(row: Row, now: Committed) -> StoredJob:
    """The job with its bytes; those of an entry stand in its timetable's row."""
    if row.job.envelope:
        return row.job
    wholes = [other.job.envelope for other in now.jobs.values() if other.digest == row.digest and other.job.envelope]
    return replace(row.job, envelope=wholes[0]) if wholes else row.job


def _over_first_forgotten(jobs: Mapping[JobId, Row]) -> list[JobId]:
    """What is over, the soonest to end first, and emergencies last."""
    return sorted((job_id for job_id, row in jobs.items() if row.over), key=lambda job_id: jobs[job_id].seen.worth)


def _seen(jobs: Mapping[JobId, Row]) -> Iterator[tuple[JobId, Seen]]:
    forgotten = {*_over_first_forgotten(jobs)[:-OVER_MAX]}
    return ((job_id, row.seen) for job_id, row in jobs.items() if job_id not in forgotten)


def _past(bodies: list[bytes]) -> Iterator[Sounded]:
    """The newest of what sounded, or may have, and versions and corrections that nobody heard, among the last."""
    sounded = [at for at, body in enumerate(bodies) if _may_have_sounded(body)][-PAST_READ_MAX:]
    first = max(0, len(bodies) - UNHEARD_AMONG)
    unheard = [at for at, body in enumerate(bodies[first:], first) if _is_asked_for(body)]
    for at in sorted({*sounded, *unheard}):
        sound = sounded_in(bodies[at])
        if sound is not None:
            yield sound


def _may_have_sounded(body: bytes) -> bool:
    return b'"kind":"play"' in body and (b'"started":null' not in body or b'"played_ms":null' in body)


def _is_asked_for(body: bytes) -> bool:
    return b'"series":""' not in body or (b'"corrects":"' in body and b'"corrects":""' not in body)


def _refused(records: tuple[tuple[StoredRecord, UtcMs | None], ...]) -> Iterator[str]:
    for stored, _ in records:
        body = json.loads(stored.body)
        if body["kind"] == RecordKind.REFUSAL:
            yield body["digest"]
