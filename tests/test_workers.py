"""The journal's thread, as a real thread: nothing is answered before it is durable, nothing is lost or reordered.

Every wait here is for something to happen; PATIENCE_S only keeps a broken worker from hanging the run.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.effects import CommitRecord, ReleaseJob, SaveJob, SaveLogAck, SendLog
from edge_agent.core.events import Event, IntentSaved, JobSaved, JournalFailed, Mark, RecordSaved
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.port import TOMBSTONE_KEEP_MS, JournalError, StoredRecord
from edge_agent.workers import (
    ASIDE_MAX,
    BATCH_MAX,
    WAITING_MAX,
    Afterwards,
    Aside,
    JournalOrder,
    JournalWorker,
    Prune,
    SaveFloor,
)
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.journal.samples import NOON, entries, record_of, save_job, save_mark, save_timetable

AT_ONCE_S = 0.002
NEVER_S = 3_600.0
PATIENCE_S = 60
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


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

    def close(self) -> None:
        self.closed = True
        if self.will_not_close:
            raise JournalError("SQLITE_IOERR: disk I/O error")
        super().close()


class Desk:
    """A worker at work. ``said`` is everything it posted, in order; ``early`` what it said before it was durable."""

    def __init__(self, retry_s: float = AT_ONCE_S, batch_bytes: int = 1_000_000) -> None:
        self.disk = FakeDisk()
        self.journal = GatedJournal(self.disk)
        self.said: list[Event] = []
        self.early: list[Event] = []
        self.uploads: list[tuple[StoredRecord, ...]] = []
        self._more = threading.Condition()
        self.worker = JournalWorker(self.journal, self._post, self._upload, batch_bytes, retry_s)

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
            case IntentSaved(durable=True):
                return (event.job_id, event.planned) in now.marks
            case RecordSaved():
                return event.seq <= now.head.seq
        return True


@contextmanager
def at_work(retry_s: float = AT_ONCE_S, batch_bytes: int = 1_000_000) -> Iterator[Desk]:
    desk = Desk(retry_s, batch_bytes)
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
    desk.journal.gate.clear()
    desk.order(SaveFloor(NOON))
    assert desk.journal.at_the_gate.wait(PATIENCE_S)


# -- group commit ------------------------------------------------------------------------------------------------------


def test_what_waits_is_committed_together_and_answered_after() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(save_job("a"), save_mark("a"), record("a"), save_job("b"))
        assert desk.said == []
        desk.journal.gate.set()
        desk.until_said(JobSaved(JobId("a")), JobSaved(JobId("b")), RecordSaved(1))
        assert desk.journal.commits == 2
        assert desk.said == [
            JobSaved(JobId("a")),
            IntentSaved(JobId("a"), save_mark("a").planned),
            RecordSaved(1),
            JobSaved(JobId("b")),
        ]
        assert desk.early == []


def test_a_group_is_bounded_so_that_the_first_of_it_need_not_wait_for_a_hundred() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(*(record(f"r{number}") for number in range(2 * BATCH_MAX + 1)))
        desk.journal.gate.set()
        desk.until(lambda: len(desk.of(RecordSaved)) == 2 * BATCH_MAX + 1)
        assert desk.journal.commits == 1 + 3


def test_what_waits_for_the_disk_is_done_after_the_commit_of_all_before_it() -> None:
    with at_work() as desk:
        kept: list[list[str]] = []
        desk.journal.gate.clear()
        desk.order(record("a"), Afterwards(lambda: kept.append(desk.recorded())))
        assert desk.journal.at_the_gate.wait(PATIENCE_S)
        assert kept == []
        desk.journal.gate.set()
        desk.until(lambda: kept != [])
        assert kept == [["a"]]


def test_what_waits_for_the_disk_is_done_too_where_the_disk_says_no() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1
        done = threading.Event()
        desk.order(record("a"), Afterwards(done.set))
        assert done.wait(PATIENCE_S)
        assert desk.recorded() == []


def test_every_order_reaches_the_journal() -> None:
    with at_work() as desk:
        old = UtcMs(NOON + TOMBSTONE_KEEP_MS)
        desk.order(save_job("a", held=True), ReleaseJob(JobId("a"), UtcMs(NOON + 7)))
        desk.order(save_mark("a", mark=Mark.FIRST_SAMPLE), record("a"), SaveFloor(UtcMs(NOON + 9)))
        desk.order(save_job("over", not_after=NOON - 1), CommitRecord(record_of("over"), None, job_over=True))
        desk.order(SaveLogAck(desk.disk.committed.epoch, 1), Prune(old), save_job("last"))
        desk.until_said(JobSaved(JobId("last")))
        now = desk.disk.committed
        assert (now.jobs[JobId("a")].job.held, now.jobs[JobId("a")].job.base) == (False, NOON + 7)
        assert [mark.mark for mark in now.marks.values()] == [Mark.FIRST_SAMPLE]
        assert (now.floor, now.acked_seq) == (NOON + 9, 1)
        assert list(now.jobs) == ["a", "last"]


def test_a_timetable_that_takes_effect_is_answered_as_one_that_is_saved() -> None:
    with at_work() as desk:
        desk.order(save_timetable())
        desk.order(ReleaseJob(JobId("lich"), UtcMs(NOON + 7), entries("a b")))
        desk.until(lambda: len(desk.of(JobSaved)) == 2)
        assert desk.of(JobSaved) == [JobSaved(JobId("lich"))] * 2
        assert [row.job.held for row in desk.disk.committed.jobs.values()] == [False] * 3
        desk.disk.refuse_commits = 1
        desk.order(ReleaseJob(JobId("lich"), UtcMs(NOON + 9), entries("c")))
        desk.until(lambda: len(desk.of(JournalFailed)) == 1)
        (failed,) = desk.of(JournalFailed)
        assert failed == JournalFailed("release timetable", JobId("lich"), "no space left on the fake disk")


def test_the_newest_record_is_the_last_that_is_durable() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        assert desk.worker.newest is None
        desk.order(record("a"), record("b"))
        desk.until_said(RecordSaved(2))
        assert desk.worker.newest == desk.journal.records[-1]
        desk.disk.refuse_commits = 1
        desk.order(record("c"))
        desk.until(lambda: bool(desk.of(JournalFailed)))
        assert desk.worker.newest == desk.journal.records[-1]
        assert desk.worker.newest.seq == 2


# -- a disk that fails -------------------------------------------------------------------------------------------------


def test_a_job_that_the_disk_refused_is_never_called_saved() -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 1
        desk.order(save_job("a"))
        desk.until(lambda: bool(desk.of(JournalFailed)))
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
        (failed,) = desk.of(JournalFailed)
        assert (failed.what, failed.job_id) == ("save job", "a")
        assert "no space left" in failed.error
        assert desk.of(JobSaved) == [JobSaved(JobId("b"))]
        assert list(desk.disk.committed.jobs) == ["b"]


def test_what_stood_in_a_batch_with_a_refused_write_is_not_half_done() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.journal.refuses_jobs = True
        behind_the_gate(desk)
        desk.order(record("before"), save_job("a"), record("after"))
        desk.journal.gate.set()
        desk.until(lambda: len(desk.of(JournalFailed)) == 2)
        assert desk.recorded() == []
        desk.order(SaveFloor(NOON))
        desk.until_said(RecordSaved(2))
        assert desk.recorded() == ["before", "after"]


def test_an_intent_that_the_disk_refused_is_answered_as_not_durable(caplog: pytest.LogCaptureFixture) -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 1
        desk.order(save_mark("a"))
        desk.until_said(IntentSaved(JobId("a"), save_mark("a").planned, durable=False))
        assert desk.disk.committed.marks == {}
        assert len(desk.said) == 1
    assert "intent not saved job=a error=no space left on the fake disk" in caplog.text


def test_what_nobody_waits_for_is_named_when_it_is_lost() -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 1
        desk.order(SaveFloor(NOON))
        desk.until(lambda: bool(desk.said))
        assert [(event.what, event.job_id) for event in desk.of(JournalFailed)] == [("SaveFloor", None)]


def test_owed_records_are_committed_in_order_when_the_disk_heals() -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 4
        desk.order(*(record(f"r{number}") for number in range(10)))
        desk.until_said(RecordSaved(10))
        assert desk.recorded() == [f"r{number}" for number in range(10)]
        assert desk.of(RecordSaved) == [RecordSaved(seq) for seq in range(1, 11)]
        assert any("writes owed" in event.what for event in desk.of(JournalFailed))
        assert desk.early == []


def test_that_something_sounds_is_remembered_when_the_disk_heals() -> None:
    """Forgotten, a power cut would repeat the bulletin, or call it missed after the street has heard it."""
    with at_work(retry_s=0.01) as desk:
        desk.order(save_job("a"))
        desk.until_said(JobSaved(JobId("a")))
        desk.disk.refuse_commits = 2
        desk.order(save_mark("a", mark=Mark.FIRST_SAMPLE))
        desk.until(lambda: len(desk.of(JournalFailed)) == 2)
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    (mark,) = desk.disk.committed.marks.values()
    assert mark.mark is Mark.FIRST_SAMPLE


def test_a_new_record_goes_behind_those_that_are_owed() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1
        desk.order(record("older"))
        desk.until(lambda: bool(desk.of(JournalFailed)))
        desk.order(record("newer"))
        desk.until_said(RecordSaved(2))
        assert desk.recorded() == ["older", "newer"]


def test_a_record_that_is_owed_is_tried_again_by_itself() -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 1
        desk.order(record("alone"))
        desk.until_said(RecordSaved(1))
        assert desk.recorded() == ["alone"]


# -- the upload --------------------------------------------------------------------------------------------------------


def test_an_upload_reads_what_was_ordered_before_it() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(record("a"), SendLog(0))
        desk.journal.gate.set()
        desk.until(lambda: bool(desk.uploads))
        assert [stored.seq for stored in desk.uploads[0]] == [1]


def test_an_upload_behind_owed_records_holds_only_what_is_durable() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.order(record("durable"))
        desk.until_said(RecordSaved(1))
        desk.disk.refuse_commits = 1
        behind_the_gate(desk)
        desk.order(record("owed"), SendLog(0))
        desk.journal.gate.set()
        desk.until(lambda: bool(desk.uploads))
        assert desk.uploads == [desk.journal.records]
        assert desk.recorded() == ["durable"]


def test_an_upload_asks_for_no_more_than_fits() -> None:
    with at_work(batch_bytes=1) as desk:
        desk.order(record("a"), record("b"), SendLog(0), SendLog(1))
        desk.until(lambda: len(desk.uploads) == 2)
        assert [[stored.seq for stored in one] for one in desk.uploads] == [[1], [2]]


def test_a_log_that_cannot_be_read_ends_nothing() -> None:
    with at_work() as desk:
        desk.journal.unreadable = True
        desk.order(SendLog(0))
        desk.until(lambda: bool(desk.said))
        assert [event.what for event in desk.of(JournalFailed)] == ["read the log"]
        desk.journal.unreadable = False
        desk.order(record("a"), SendLog(0))
        desk.until(lambda: bool(desk.uploads))


# -- the bound and the end ---------------------------------------------------------------------------------------------


def test_a_disk_that_stands_still_ends_loudly() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(*(SaveFloor(NOON) for _ in range(WAITING_MAX)))
        with pytest.raises(queue.Full):
            desk.order(record("one too many"))


def test_finish_does_what_was_ordered_and_closes() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(*(record(f"r{number}") for number in range(BATCH_MAX + 3)))
        desk.journal.gate.set()
        assert desk.worker.finish(PATIENCE_S)
        assert len(desk.recorded()) == BATCH_MAX + 3
        assert desk.journal.closed


def test_finish_tries_once_more_what_is_owed() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1
        desk.order(record("a"))
        desk.until(lambda: bool(desk.of(JournalFailed)))
        assert desk.worker.finish(PATIENCE_S)
        assert desk.recorded() == ["a"]


def test_finish_tries_once_more_when_the_very_last_commit_failed() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        behind_the_gate(desk)
        desk.disk.refuse_commits = 2  # the commit that waits at the gate, and the one with the record
        desk.order(record("last"))
        assert not desk.worker.finish(0.01)
        desk.journal.gate.set()
        assert desk.worker.finish(PATIENCE_S)
        assert desk.recorded() == ["last"]


def test_finish_says_when_a_record_stays_owed() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1_000
        desk.order(record("a"))
        assert not desk.worker.finish(PATIENCE_S)
        assert desk.journal.closed


def test_finish_is_bounded_by_its_time_when_the_disk_hangs() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        assert not desk.worker.finish(0.01)
        desk.order(*(SaveFloor(NOON) for _ in range(WAITING_MAX - 1)))
        assert not desk.worker.finish(0.01)


def test_a_journal_that_will_not_close_keeps_nobody_from_the_goodbye() -> None:
    with at_work() as desk:
        desk.journal.will_not_close = True
        desk.order(record("a"))
        assert desk.worker.finish(PATIENCE_S)
        assert desk.journal.closed


ORDERS = st.sampled_from(["record", "record", "job", "mark", "floor", "upload", "fail once", "fail thrice"])


@given(st.lists(ORDERS, max_size=40))
def test_no_interleaving_of_orders_and_failures_loses_or_reorders_a_record(wishes: list[str]) -> None:
    wanted: list[str] = []
    jobs: list[JobId] = []
    with at_work() as desk:
        for number, wish in enumerate(wishes):
            match wish:
                case "record":
                    wanted.append(f"r{number}")
                    desk.order(record(f"r{number}"))
                case "job":
                    jobs.append(JobId(f"j{number}"))
                    desk.order(save_job(f"j{number}"))
                case "mark":
                    desk.order(save_mark(f"m{number}"))
                case "floor":
                    desk.order(SaveFloor(UtcMs(NOON + number)))
                case "upload":
                    desk.order(SendLog(0))
                case _:
                    desk.disk.refuse_commits = 1 if wish == "fail once" else 3
        desk.until(lambda: len(desk.of(RecordSaved)) == len(wanted))
    assert desk.recorded() == wanted
    assert desk.early == []
    answered = [event.job_id for event in desk.said if isinstance(event, JobSaved)]
    refused = [event.job_id for event in desk.said if isinstance(event, JournalFailed) and event.job_id]
    assert sorted([*answered, *refused]) == sorted(jobs)
    assert set(answered) == set(desk.disk.committed.jobs)


def test_what_is_done_aside_is_done_in_order_and_too_much_is_not_taken() -> None:
    aside, gate, done = Aside(), threading.Event(), queue.Queue[int]()

    def wait() -> None:
        gate.wait(PATIENCE_S)

    taken = [aside.order(wait)] + [aside.order(partial(done.put, number)) for number in range(ASIDE_MAX)]
    assert taken == [*[True] * ASIDE_MAX, False]
    aside.start()
    gate.set()
    assert [done.get(timeout=PATIENCE_S) for _ in range(ASIDE_MAX - 1)] == list(range(ASIDE_MAX - 1))
