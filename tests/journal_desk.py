"""The journal's worker at work, as a real thread, with everything it said; for the tests of that worker.

Every wait here is for something to happen; PATIENCE_S only keeps a broken worker from hanging the run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_agent.core.effects import CommitRecord
from edge_agent.core.events import Event, IntentSaved, JobSaved, RecordSaved, TimetableReleased
from edge_agent.journal.port import StoredRecord
from edge_agent.journal_worker import JournalOrder, JournalWorker, SaveFloor
from tests.fakes.journal import FakeDisk
from tests.gated_journal import PATIENCE_S, GatedJournal
from tests.journal.samples import NOON, record_of

AT_ONCE_S = 0.002
NEVER_S = 3_600.0


class Desk:
    """A worker at work. ``said`` is everything it posted, in order; ``early`` what it said before it was durable."""

    def __init__(self, retry_s: float = AT_ONCE_S, batch_bytes: int = 1_000_000, patience_s: float = AT_ONCE_S) -> None:
        self.disk = FakeDisk()
        self.journal = GatedJournal(self.disk)
        self.said: list[Event] = []
        self.early: list[Event] = []
        self.uploads: list[tuple[StoredRecord, ...]] = []
        self._more = threading.Condition()
        self.worker = JournalWorker(self.journal, self._post, self._upload, batch_bytes, retry_s, patience_s)

    def order(self, *orders: JournalOrder) -> None:
        for order in orders:
            self.worker.order(order)

    def until(self, condition: Callable[[], bool]) -> None:
        with self._more:
            assert self._more.wait_for(condition, PATIENCE_S), f"never came about; said so far: {self.said}"

    def until_said(self, *events: Event) -> None:
        self.until(lambda: all(event in self.said for event in events))

    def of(self, kind: type) -> list[Event]:
        return [event for event in self.said if isinstance(event, kind)]

    def recorded(self) -> list[str]:
        """What the durable records are about, in the chain's order."""
        return [json.loads(stored.body)["job_id"] for stored, _ in self.disk.committed.records]

    def _post(self, event: Event) -> None:
        with self._more:
            if not self._is_durable(event):
                self.early.append(event)
            self.said.append(event)
            self._more.notify_all()

    def _upload(self, records: tuple[StoredRecord, ...]) -> None:
        with self._more:
            self.uploads.append(records)
            self._more.notify_all()

    def _is_durable(self, event: Event) -> bool:
        """Posted by the only thread that commits, so what is durable now is what was durable when it was said."""
        now = self.disk.committed
        match event:
            case JobSaved():
                return event.job_id in now.jobs
            case TimetableReleased():
                return not now.jobs[event.order_id].job.held
            case IntentSaved(durable=True):
                return (event.job_id, event.planned) in now.marks
            case RecordSaved():
                return event.seq <= now.head.seq
        return True


@contextmanager
def at_work(retry_s: float = AT_ONCE_S, batch_bytes: int = 1_000_000, patience_s: float = AT_ONCE_S) -> Iterator[Desk]:
    desk = Desk(retry_s, batch_bytes, patience_s)
    desk.worker.start()
    try:
        yield desk
    finally:
        desk.journal.gate.set()
        desk.worker.finish(PATIENCE_S)


def record(job_id: str) -> CommitRecord:
    return CommitRecord(record_of(job_id), closes=None, job_over=False)


def behind_the_gate(desk: Desk) -> None:
    """Let the worker stand in the middle of a commit."""
    desk.journal.at_the_gate.clear()  # another commit may have come by it
    desk.journal.gate.clear()
    desk.order(SaveFloor(NOON))
    assert desk.journal.at_the_gate.wait(PATIENCE_S)
