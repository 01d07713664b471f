"""The journal's thread: nothing is answered before it is durable, nothing is lost or reordered."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.effects import CommitRecord, CompareLog, NewChain, ReleaseJob, SaveLogAck, SendLog
from edge_agent.core.events import (
    IntentSaved,
    JobSaved,
    JournalFailed,
    LogCompared,
    Mark,
    RecordSaved,
    RecordsRotten,
    TimetableReleased,
)
from edge_agent.core.job import TOMBSTONE_KEEP_MS
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal_worker import BATCH_MAX, Afterwards, Prune, SaveFloor
from tests.gated_journal import PATIENCE_S
from tests.journal.samples import KEPT, NOON, entries, record_of, save_job, save_mark, save_timetable
from tests.journal_desk import NEVER_S, Desk, at_work, behind_the_gate, record

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


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
            JobSaved(JobId("b")),
            RecordSaved(1),
        ]
        assert desk.early == []


def test_a_group_is_bounded_so_that_the_first_of_it_need_not_wait_for_a_hundred() -> None:
    with at_work() as desk:
        behind_the_gate(desk)
        desk.order(*(record(f"r{number}") for number in range(2 * BATCH_MAX + 1)))
        desk.journal.gate.set()
        desk.until_said(RecordSaved(2 * BATCH_MAX + 1))
        assert desk.journal.commits == 1 + 3
        newest = [RecordSaved(seq) for seq in (BATCH_MAX, 2 * BATCH_MAX, 2 * BATCH_MAX + 1)]
        assert desk.of(RecordSaved) == newest, "one of each commit: a thousand would fill the agent's inbox"


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
        desk.order(save_mark("a", mark=Mark.FIRST_SAMPLE), record("a"), SaveFloor(UtcMs(NOON + 9), KEPT))
        desk.order(save_job("over", not_after=NOON - 1), CommitRecord(record_of("over"), None, job_over=True))
        desk.order(save_job("anew"), CommitRecord(record_of("anew"), None, job_over=True, forget=True))
        desk.order(SaveLogAck(desk.disk.committed.epoch, 1, b"the centre's word"), Prune(old), save_job("last"))
        desk.until_said(JobSaved(JobId("last")))
        now = desk.disk.committed
        assert (now.jobs[JobId("a")].job.held, now.jobs[JobId("a")].job.base) == (False, NOON + 7)
        assert [mark.mark for mark in now.marks.values()] == [Mark.FIRST_SAMPLE]
        assert (now.floor, now.kept, now.acked_seq, now.word) == (NOON + 9, KEPT, 1, b"the centre's word")
        assert list(now.jobs) == ["a", "last"]
        assert [event.job_id for event in desk.of(JobSaved)] == ["a", "over", "anew", "last"], "none for its release"
        assert desk.of(IntentSaved) == [], "nobody waits for the mark of what sounds"


def test_a_chain_that_is_begun_anew_is_begun_in_the_journal_with_its_first_record() -> None:
    """Or a card that was put back would go on under the name of the chain that it has forgotten the end of."""
    with at_work() as desk:
        first = NewChain("another", 1, (("xa", 7),), b"a welcome")
        desk.order(record("a"), CommitRecord(record_of("first"), None, job_over=False, chain=first))
        desk.until_said(RecordSaved(2))
        now = desk.disk.committed
        assert (now.epoch, now.chain_from, now.forgotten, now.forgot_by) == ("another", 1, {"xa": 7}, b"a welcome")
        assert [stored.epoch for stored in desk.journal.records][-1] == "another"


def test_a_timetable_that_takes_effect_is_answered_by_its_own_word() -> None:
    with at_work() as desk:
        desk.order(save_timetable())
        desk.order(ReleaseJob(JobId("lich"), UtcMs(NOON + 7), entries("a b")))
        desk.until_said(TimetableReleased(JobId("lich")))
        assert desk.of(JobSaved) == [JobSaved(JobId("lich"))]
        assert [row.job.held for row in desk.disk.committed.jobs.values()] == [False] * 3


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
        desk.disk.refuse_commits = 2  # the one that waits at the gate, and the one with the record
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


def rot(desk: Desk, *seqs: int, **spoilt: Any) -> None:
    now = desk.disk.committed
    records = tuple((replace(one, **spoilt) if one.seq in seqs else one, at) for one, at in now.records)
    desk.disk.committed = replace(now, records=records)


@pytest.mark.parametrize("spoilt", [{"body": b'{"kind'}, {"body": b"\xff"}, {"hash": "f" * 64}])
def test_of_what_has_rotted_on_the_card_nothing_is_sent_and_all_before_it_is(spoilt: dict[str, Any]) -> None:
    with at_work() as desk:
        desk.order(*(record(name) for name in "abcde"))
        desk.until_said(RecordSaved(5))
        rot(desk, 3, 4, **spoilt)
        desk.order(SendLog(0), SendLog(2), SendLog(4))
        desk.until(lambda: len(desk.uploads) == 2 and bool(desk.of(RecordsRotten)))
        assert [[one.seq for one in upload] for upload in desk.uploads] == [[1, 2], [5]]
        second = desk.journal.records[1]
        assert desk.of(RecordsRotten) == [RecordsRotten(second.epoch, 3, 4, second.hash)]


def test_of_the_record_before_what_has_rotted_nothing_is_claimed_that_the_card_does_not_say_twice() -> None:
    with at_work() as desk:
        desk.order(record("a"), record("b"))
        desk.until_said(RecordSaved(2))
        rot(desk, 2, prev="f" * 64)
        desk.order(SendLog(1))
        desk.until(lambda: bool(desk.of(RecordsRotten)))
        assert desk.of(RecordsRotten) == [RecordsRotten(desk.disk.committed.epoch, 2, 2, "")]


def test_what_the_centre_holds_is_another_log_only_where_our_own_record_says_so() -> None:
    """Not where the record is pruned, of another chain, or on a sector that cannot be read: a station that called its
    card put back for that would begin one chain after the other."""
    with at_work() as desk:
        desk.order(record("a"), record("b"))
        desk.until_said(RecordSaved(2))
        epoch, ours, other = desk.disk.committed.epoch, desk.journal.records[0].hash, "f" * 64
        for held in (CompareLog(epoch, 1, ours), CompareLog(epoch, 9, other), CompareLog("another", 1, other)):
            desk.order(held)
            desk.until_said(LogCompared(held.epoch, held.seq, held.hash, same=True))
        desk.order(CompareLog(epoch, 1, other))
        desk.until_said(LogCompared(epoch, 1, other, same=False))
        desk.journal.unreadable = True
        desk.order(CompareLog(epoch, 2, other))
        desk.until_said(LogCompared(epoch, 2, other, same=True))
        assert [event.what for event in desk.of(JournalFailed)] == ["compare the log"]


# -- all at once -------------------------------------------------------------------------------------------------------


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
        desk.until_said(*([RecordSaved(len(wanted))] if wanted else []))
    assert desk.recorded() == wanted
    assert desk.early == []
    answered = [event.job_id for event in desk.said if isinstance(event, JobSaved)]
    refused = [event.job_id for event in desk.said if isinstance(event, JournalFailed) and event.job_id]
    assert sorted([*answered, *refused]) == sorted(jobs)
    assert set(answered) == set(desk.disk.committed.jobs)
