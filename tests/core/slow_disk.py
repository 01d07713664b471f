"""A journal that commits or refuses when it is told to, on a disk that survives."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.events import Event, IntentSaved, JobSaved, JournalFailed, Mark, RecordSaved, TimetableReleased
from edge_agent.core.plays import OccurrenceKey
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.port import Contents
from tests.fakes.journal import FakeDisk, FakeJournal

Write = fx.SaveJob | fx.ReleaseJob | fx.SaveMark | fx.DropMark | fx.CommitRecord | fx.SaveLogAck


@dataclass(frozen=True)
class Told:
    """A record on the disk, as far as the watch needs it."""

    job_id: JobId
    digest: str
    planned: UtcMs | None


class SlowDisk:
    """The journal's thread and its disk. ``waiting`` orders wait for a commit, ``answers`` for being fetched."""

    def __init__(self) -> None:
        self.disk = FakeDisk()
        self.closed: set[OccurrenceKey] = set()
        self.heard: set[OccurrenceKey] = set()
        self.boot()

    def boot(self) -> Contents:
        """A new process: what was not committed is gone."""
        self.journal = FakeJournal(self.disk)
        self.waiting: deque[Write] = deque()
        self.owed: deque[Write] = deque()
        self.answers: deque[Event] = deque()
        return self.journal.load()

    @property
    def jobs(self) -> dict[JobId, Any]:
        """Every job that is durable, over or not."""
        return self.disk.committed.jobs

    def told(self) -> list[Told]:
        """Every record that is durable, in order."""
        bodies = [json.loads(record.body) for record in self.journal.records]
        return [Told(body["job_id"], body["digest"], body["planned"]) for body in bodies]

    def commit(self, count: int) -> None:
        """Commit what is owed and the next orders, in one transaction; answers wait."""
        batch = self._batch(count)
        self.journal.begin()
        for write in batch:
            self._apply(write)
        self.journal.commit()

    def refuse(self, count: int) -> None:
        """Refuse a transaction: what ``journal_worker`` owes stays owed, whoever waits for another answer is told."""
        for write in self._batch(count):
            match write:
                case fx.CommitRecord() | fx.SaveMark(mark=Mark.FIRST_SAMPLE) | fx.DropMark() | fx.ReleaseJob():
                    self.owed.append(write)
                case fx.SaveJob(saved=saved):
                    self.answers.append(JournalFailed("save job", saved.accepted.order_id, "full"))
                case fx.SaveMark(mark=Mark.INTENT):
                    self.answers.append(IntentSaved(write.job_id, write.planned, durable=False))
                case _:
                    self.answers.append(JournalFailed(type(write).__name__, None, "full"))

    def _batch(self, count: int) -> list[Write]:
        batch = [*self.owed, *(self.waiting.popleft() for _ in range(min(count, len(self.waiting))))]
        self.owed.clear()
        return batch

    def _mark(self, write: fx.SaveMark | fx.DropMark) -> None:
        if isinstance(write, fx.DropMark):
            self.journal.drop_mark(write.job_id, write.planned)
            return
        self.journal.save_mark(write)
        if write.mark is Mark.INTENT:
            self.answers.append(IntentSaved(write.job_id, write.planned))
        else:
            self.heard.add((write.job_id, write.planned))

    def _apply(self, write: Write) -> None:
        match write:
            case fx.SaveJob(saved=saved):
                self.journal.save_job(write)
                self.answers.append(JobSaved(saved.accepted.order_id))
            case fx.ReleaseJob():
                self.journal.release_job(write.job_id, write.base, write.entries)
                if write.entries is not None:
                    self.answers.append(TimetableReleased(write.job_id))
            case fx.SaveMark() | fx.DropMark():
                self._mark(write)
            case fx.CommitRecord():
                stored = self.journal.append(write.record, write.closes, write.job_over, write.chain)
                if write.forget:
                    self.journal.forget(JobId(write.record.job_id))
                if write.closes is not None:
                    self.closed.add(write.closes)
                self.answers.append(RecordSaved(stored.seq))
            case fx.SaveLogAck(epoch=epoch, seq=seq, word=word):
                self.journal.save_ack(epoch, seq, word)
