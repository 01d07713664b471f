"""The journal's thread on a disk that fails or hangs: what is owed is written later and in order; it ends in time."""

from __future__ import annotations

import queue
import threading
from dataclasses import replace

import pytest

from edge_agent.core.effects import DropMark, KeepManifest, ReleaseJob
from edge_agent.core.events import IntentSaved, JobSaved, JournalFailed, Mark, RecordSaved, TimetableReleased
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal_worker import BATCH_MAX, WAITING_MAX, KeepTrust, Prune, SaveFloor
from tests.gated_journal import PATIENCE_S
from tests.journal.samples import NOON, entries, save_job, save_mark, save_timetable, save_warning
from tests.journal_desk import AT_ONCE_S, NEVER_S, at_work, behind_the_gate, record

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


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
        desk.order(Prune(NOON))
        desk.until(lambda: bool(desk.said))
        assert [(event.what, event.job_id) for event in desk.of(JournalFailed)] == [("Prune", None)]


def test_owed_records_are_committed_in_order_when_the_disk_heals() -> None:
    with at_work() as desk:
        desk.disk.refuse_commits = 4
        desk.order(*(record(f"r{number}") for number in range(10)))
        desk.until_said(RecordSaved(10))
        assert desk.recorded() == [f"r{number}" for number in range(10)]
        assert any("writes owed" in event.what for event in desk.of(JournalFailed))
        assert desk.early == []


def test_a_disk_that_refuses_again_after_it_has_healed_is_told_again() -> None:
    with at_work(retry_s=0.01) as desk:
        for number in (1, 2, 3):
            desk.disk.refuse_commits = 1
            desk.order(record(f"r{number}"))
            desk.until_said(RecordSaved(number))
    assert [event.what.partition(",")[0] for event in desk.of(JournalFailed)] == ["1 writes owed"] * 3


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


def test_that_something_was_dropped_before_it_sounded_is_remembered_when_the_disk_heals() -> None:
    """Forgotten, a restart would begin it, though its key may not plan it any more."""
    with at_work(retry_s=0.01) as desk:
        desk.order(save_job("a"), save_mark("a"))
        desk.until_said(IntentSaved(JobId("a"), save_mark("a").planned))
        desk.disk.refuse_commits = 2
        desk.order(DropMark(JobId("a"), save_mark("a").planned))
        desk.until(lambda: len(desk.of(JournalFailed)) == 2)
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    assert desk.disk.committed.marks == {}


def test_that_an_order_waits_no_more_for_a_welcome_is_remembered_when_the_disk_heals() -> None:
    """Forgotten, a lock would be lifted by a restart on a station that no welcome reaches."""
    waits = save_job("lock")
    waits = replace(waits, saved=replace(waits.saved, held=True))
    with at_work(retry_s=0.01) as desk:
        desk.order(waits)
        desk.until_said(JobSaved(JobId("lock")))
        desk.disk.refuse_commits = 2
        desk.order(ReleaseJob(JobId("lock"), NOON))
        desk.until(lambda: len(desk.of(JournalFailed)) == 2)
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    assert not desk.disk.committed.jobs[JobId("lock")].job.held


def test_a_timetable_whose_day_has_come_takes_effect_when_the_disk_heals() -> None:
    """It was refused, for the centre to send it again, and lay there all the same: the next restart put it in force."""
    with at_work(retry_s=0.01) as desk:
        desk.order(save_timetable())
        desk.until_said(JobSaved(JobId("lich")))
        desk.disk.refuse_commits = 2
        desk.order(ReleaseJob(JobId("lich"), NOON, entries("a b")))
        desk.until_said(TimetableReleased(JobId("lich")))
    assert [event.job_id for event in desk.of(JournalFailed)] == [None, None], "nobody is to send it again"
    assert [row.job.held for row in desk.disk.committed.jobs.values()] == [False] * 3


def test_what_is_believed_is_remembered_when_the_disk_heals_the_newest_of_each_once() -> None:
    """Forgotten, a power cut would bring back a key that had been revoked, and an order that had been withdrawn."""
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1_000
        for number in range(3):
            trust = [KeepTrust(area, b"%d" % number, "root") for area in ("ward", "province")]
            shelf = [KeepManifest(scope, b"head", b"%d" % number) for scope in ("area/vn", "station/dt-01")]
            desk.order(*trust, SaveFloor(UtcMs(NOON + number)), *shelf)
        desk.order(save_job("refused"))
        desk.until(lambda: any(event.job_id == "refused" for event in desk.of(JournalFailed)))
        desk.disk.refuse_commits = 0
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
        most = max(event.what for event in desk.of(JournalFailed) if "owed" in event.what)
    assert desk.disk.committed.trust == dict.fromkeys(("ward", "province"), ("root", b"2"))
    assert desk.disk.committed.manifests == dict.fromkeys(("area/vn", "station/dt-01"), (b"head", b"2"))
    assert desk.disk.committed.floor == NOON + 2
    assert most.startswith("5 writes owed")


def test_a_warning_that_the_disk_refused_is_kept_when_it_heals_and_is_over_with_its_record() -> None:
    """It sounds all the same. Not kept, it would be taken for new when it comes again behind a power cut."""
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1_000
        desk.order(save_warning("flood"), save_job("bulletin"))
        desk.until(lambda: len([event for event in desk.of(JournalFailed) if event.what == "save job"]) == 2)
        desk.order(save_warning("flood"), replace(record("flood"), job_over=True))
        desk.until(lambda: any(event.what.startswith("2 writes owed") for event in desk.of(JournalFailed)))
        desk.disk.refuse_commits = 0
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    assert {job_id: row.over for job_id, row in desk.disk.committed.jobs.items()} == {"flood": True, "b": False}


def test_of_two_warnings_that_the_disk_refused_both_are_kept_when_it_heals() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1_000
        desk.order(save_warning("flood"), save_warning("storm"))
        desk.until(lambda: any(event.what.startswith("2 writes owed") for event in desk.of(JournalFailed)))
        desk.disk.refuse_commits = 0
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    assert list(desk.disk.committed.jobs) == ["flood", "storm", "b"]


def test_a_warning_that_comes_again_before_the_disk_heals_is_kept_behind_the_record_that_forgets_it() -> None:
    with at_work(retry_s=NEVER_S) as desk:
        desk.disk.refuse_commits = 1_000
        desk.order(replace(record("flood"), job_over=True, forget=True))
        desk.until(lambda: any(event.what.startswith("1 writes owed") for event in desk.of(JournalFailed)))
        desk.order(save_warning("flood"))
        desk.until(lambda: any(event.what.startswith("2 writes owed") for event in desk.of(JournalFailed)))
        desk.disk.refuse_commits = 0
        desk.order(save_job("b"))
        desk.until_said(JobSaved(JobId("b")))
    assert {job_id: row.over for job_id, row in desk.disk.committed.jobs.items()} == {"flood": False, "b": False}


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


def test_a_card_that_takes_nothing_for_weeks_is_told_of_ever_more_seldom() -> None:
    """A line each five seconds would push out of the system's log, in three days, how it came to that."""
    with at_work() as desk:
        desk.disk.refuse_commits = 200
        desk.order(save_warning("flood"), record("a"))
        desk.until_said(RecordSaved(1))
        told = [event.what.partition(" owed")[0] for event in desk.of(JournalFailed)]
    assert told.count("save job") == 1
    assert told.count("2 writes") in (8, 9), "one write may have failed before the other came"


# -- the bound and the end ---------------------------------------------------------------------------------------------


def test_more_than_may_wait_waits_for_a_disk_that_only_takes_its_time() -> None:
    """A station that was off for months has thousands of missed programmes to record: it ended with each start."""
    with at_work(patience_s=PATIENCE_S) as desk:
        behind_the_gate(desk)
        desk.order(*(record(f"r{number}") for number in range(WAITING_MAX)))
        late = threading.Thread(target=desk.order, args=[record("late")], daemon=True)
        late.start()
        late.join(AT_ONCE_S)
        desk.journal.gate.set()
        desk.until_said(RecordSaved(WAITING_MAX + 1))
        late.join(PATIENCE_S)


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
