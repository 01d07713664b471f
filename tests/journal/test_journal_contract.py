"""What every journal promises: these tests run against SQLite and against the fake that other tests trust."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest

from edge_agent.core.as_run import Evidence, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import Mark, SavedMark
from edge_agent.core.job import JobClass
from edge_agent.core.past import Sounded
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, JobId, UtcMs, ZoneId
from edge_agent.journal.port import (
    RECORD_KEEP_MS,
    REFUSALS_AMONG,
    TOMBSTONE_KEEP_MS,
    Contents,
    Journal,
    JournalError,
    StoredJob,
)
from edge_agent.journal.record import GENESIS, ChainPoint, verify_chain
from edge_agent.journal.store import Store
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.journal.samples import NOON, ORIGIN, entries, record_of, save_job, save_mark, save_timetable

JOB = JobId("tiem-chung")
PLANNED = UtcMs(NOON + 1000)


class Rig(Protocol):
    """A place where journals are kept, and the ways in which it can fail."""

    def boot(self) -> Journal:
        """Open the journal again, as after a power cut: nothing is closed before."""
        ...

    def refusing(self) -> AbstractContextManager[None]:
        """While this lasts, the disk takes nothing."""
        ...

    def tear(self) -> None:
        """Spoil what is on the disk."""
        ...

    def clear_away(self) -> None:
        """Close what was opened; the test is over."""
        ...


class StoreRig:
    """SQLite on a real file system. The kernel itself refuses the writes: no file may grow any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "journal"
        self._opened: list[Store] = []

    def boot(self) -> Journal:
        self._opened.append(Store(self._folder, ORIGIN))
        return self._opened[-1]

    def clear_away(self) -> None:
        for store in self._opened:
            with suppress(sqlite3.ProgrammingError):  # the test itself has closed it
                store.close()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    def tear(self) -> None:
        for file in self._folder.iterdir():
            content = bytearray(file.read_bytes())
            content[: len(content) // 2] = b"\x55" * (len(content) // 2)
            file.write_bytes(content)


class FakeRig:
    """The fake on its own disk."""

    def __init__(self) -> None:
        self._disk = FakeDisk()

    def clear_away(self) -> None:
        pass

    def boot(self) -> Journal:
        return FakeJournal(self._disk, ORIGIN)

    @contextmanager
    def refusing(self) -> Iterator[None]:
        self._disk.refuse_commits = 1_000_000
        try:
            yield
        finally:
            self._disk.refuse_commits = 0

    def tear(self) -> None:
        self._disk.tear()


@pytest.fixture(params=["store", "fake"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    rig: Rig = StoreRig(tmp_path) if request.param == "store" else FakeRig()
    yield rig
    rig.clear_away()


@contextmanager
def transaction(journal: Journal) -> Iterator[Journal]:
    journal.begin()
    yield journal
    journal.commit()


def stored_job(**changes: object) -> StoredJob:
    effect = save_job()
    values = {"job_id": JOB, "envelope": effect.envelope, "topic": effect.topic, "base": NOON, "held": False}
    return StoredJob(**(values | changes))


def test_a_new_journal_is_empty_and_names_its_epoch(rig: Rig) -> None:
    contents = rig.boot().load()
    assert contents == Contents((), (), (), contents.epoch, 0, GENESIS, 0, UtcMs(0), "")
    assert len(contents.epoch) == 16
    assert set(contents.epoch) <= set("0123456789abcdef")


def test_what_has_sounded_is_read_back_for_the_days_limits_and_the_series(rig: Rig) -> None:
    """A restart forgets no session of the day, no zone that heard an alert, no version of it."""
    unseen = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, None, 60, None, Reason.POWER_CUT)
    silent = ZoneAsRun(ZoneId("cho"), Evidence.ACCEPTED, 0, 60, None, Reason.QUIET_HOURS)
    with transaction(rig.boot()) as journal:
        journal.append(record_of("bulletin", under="we-1"), None, job_over=False)
        journal.append(record_of("silent", zones=(silent,), played_ms=0, started=None), None, job_over=False)
        alert = {"series": "lu", "version": 3, "cls": JobClass.EMERGENCY, "zones": (silent,), "played_ms": 0}
        journal.append(record_of("alert", **alert), None, job_over=False)
        journal.append(record_of("cut", zones=(unseen,), played_ms=None, started=None), None, job_over=False)
        journal.append(record_of("refused", kind=RecordKind.REFUSAL, zones=()), None, job_over=False)
    cho, started = frozenset({ZoneId("cho")}), UtcMs(NOON + 1_000)
    of_ward = {"issuer": "dong-thanh", "signers": ("k",)}
    assert rig.boot().load().past == (
        Sounded(JobId("bulletin"), JobClass.NORMAL, started, UtcMs(NOON + 11_000), cho, under="we-1", **of_ward),
        Sounded(JobId("alert"), JobClass.EMERGENCY, started, started, frozenset(), series="lu", version=3, **of_ward),
        Sounded(JobId("cut"), JobClass.NORMAL, started, UtcMs(NOON + 21_000), cho, **of_ward),
    )


def test_what_was_committed_is_there_after_a_power_cut(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job(held=True))
        journal.save_mark(save_mark())
        journal.save_floor(NOON)
        record = journal.append(record_of("other"), None, job_over=False)
    contents = rig.boot().load()
    assert contents.jobs == (stored_job(held=True),)
    assert contents.marks == (SavedMark(JOB, PLANNED, Mark.INTENT, 1),)
    assert contents.seen == ((JOB, "digest of tiem-chung"),)
    assert (contents.last_seq, contents.last_hash, contents.floor) == (1, record.hash, NOON)


def test_what_was_not_committed_is_not_there_after_a_power_cut(rig: Rig) -> None:
    journal = rig.boot()
    before = journal.load()
    journal.begin()
    journal.save_job(save_job())
    journal.append(record_of(), None, job_over=False)
    journal.close()
    assert rig.boot().load() == before


def test_a_rollback_drops_the_whole_transaction(rig: Rig) -> None:
    journal = rig.boot()
    before = journal.load()
    journal.begin()
    journal.save_job(save_job())
    journal.save_mark(save_mark())
    journal.append(record_of(), (JOB, PLANNED), job_over=True)
    journal.save_floor(NOON)
    journal.rollback()
    assert journal.load() == before
    journal.rollback()  # again, and without a transaction: no harm


def test_the_epoch_stays_through_every_boot(rig: Rig) -> None:
    assert rig.boot().load().epoch == rig.boot().load().epoch


def test_jobs_come_back_in_order_of_receipt_even_when_one_is_saved_again(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for name in ("c", "a", "b"):
            journal.save_job(save_job(name))
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job("c", held=True))
    assert [(job.job_id, job.held) for job in journal.load().jobs] == [("c", True), ("a", False), ("b", False)]


def test_a_released_job_counts_from_its_release(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job(held=True))
        journal.release_job(JOB, UtcMs(NOON + 7))
    assert rig.boot().load().jobs == (stored_job(base=NOON + 7),)


def test_a_mark_follows_its_occurrence(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.save_mark(save_mark(mark=Mark.INTENT))
        journal.save_mark(save_mark(mark=Mark.FIRST_SAMPLE))
        journal.save_mark(save_mark(planned=NOON + 2000))
    assert rig.boot().load().marks == (
        SavedMark(JOB, PLANNED, Mark.FIRST_SAMPLE, 1),
        SavedMark(JOB, UtcMs(NOON + 2000), Mark.INTENT, 1),
    )


def test_a_record_closes_its_occurrence_and_the_next_one_counts_from_there(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.save_mark(save_mark())
        journal.save_mark(save_mark(planned=NOON + 2000))
        journal.append(record_of(), (JOB, PLANNED), job_over=False)
    contents = rig.boot().load()
    assert contents.jobs == (stored_job(base=PLANNED),)
    assert [mark.planned for mark in contents.marks] == [NOON + 2000]


def test_closing_an_earlier_occurrence_late_does_not_bring_a_later_one_back(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.append(record_of(), (JOB, UtcMs(NOON + 2000)), job_over=False)
        journal.append(record_of(), (JOB, UtcMs(NOON + 1000)), job_over=False)
    assert rig.boot().load().jobs == (stored_job(base=NOON + 2000),)


def test_a_job_that_is_over_leaves_only_its_id_and_digest(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.save_job(save_job("other"))
        journal.save_mark(save_mark())
        journal.append(record_of(), (JOB, PLANNED), job_over=True)
    contents = rig.boot().load()
    assert [job.job_id for job in contents.jobs] == ["other"]
    assert contents.marks == ()
    assert contents.seen == ((JOB, "digest of tiem-chung"), (JobId("other"), "digest of other"))


def test_a_job_that_is_saved_again_after_its_end_begins_without_old_marks(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.save_mark(save_mark(planned=NOON + 2000))
        journal.append(record_of(), (JOB, PLANNED), job_over=True)
        journal.save_job(save_job())
    contents = rig.boot().load()
    assert (contents.jobs, contents.marks) == ((stored_job(),), ())


def test_a_job_refused_before_any_occurrence_is_over_too(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job(held=True))
        journal.append(record_of(), None, job_over=True)
    assert rig.boot().load().jobs == ()


def listed(contents: Contents) -> list[tuple[str, bytes, int, bool]]:
    """What is alive: under which bytes, counting from when."""
    return [(job.job_id, job.envelope, job.base - NOON, job.held) for job in contents.jobs]


def test_a_timetable_and_its_entries_are_one_transaction(rig: Rig) -> None:
    """Each entry is a job, and has the bytes that were signed for all of them."""
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a b")))
    old = [(name, b"envelope of lich-1", 0, False) for name in ("lich-1", "a", "b")]
    assert listed(rig.boot().load()) == old
    journal = rig.boot()
    journal.begin()
    journal.save_job(save_timetable("lich-2", entries("c", "a"), base=NOON + 7))
    journal.close()
    assert listed(rig.boot().load()) == old
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-2", entries("c", "a"), base=NOON + 7))
    assert listed(rig.boot().load()) == [
        ("lich-1", b"envelope of lich-1", 0, False),
        ("a", b"envelope of lich-2", 0, False),
        ("b", b"envelope of lich-1", 0, False),
        ("lich-2", b"envelope of lich-2", 7, False),
        ("c", b"envelope of lich-2", 7, False),
    ]
    assert dict(rig.boot().load().seen)[JobId("a")] == "digest of lich-2"


def test_a_timetable_that_the_disk_refuses_leaves_the_one_before_it(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a b")))
    before = journal.load()
    journal.begin()
    journal.save_job(save_timetable("lich-2", entries("c", "a")))
    with rig.refusing(), pytest.raises(JournalError):
        journal.commit()
    assert journal.load() == before
    assert rig.boot().load() == before


def test_a_held_timetable_has_its_entries_from_its_release_on(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable())
    assert listed(rig.boot().load()) == [("lich", b"envelope of lich", 0, True)]
    with transaction(rig.boot()) as journal:
        journal.release_job(JobId("lich"), UtcMs(NOON + 9), entries("a"))
    assert listed(rig.boot().load()) == [(name, b"envelope of lich", 9, False) for name in ("lich", "a")]


def test_an_entry_is_marked_recorded_and_over_like_any_job(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a b")))
        journal.save_mark(save_mark("a"))
        journal.append(record_of("a"), (JobId("a"), PLANNED), job_over=False)
        journal.save_mark(save_mark("b"))
        journal.append(record_of("b"), (JobId("b"), PLANNED), job_over=True)
        journal.append(record_of("lich-1"), None, job_over=True)
    contents = rig.boot().load()
    assert (listed(contents), contents.marks) == ([("a", b"envelope of lich-1", 1_000, False)], ())
    assert [job_id for job_id, _ in contents.seen] == ["lich-1", "a", "b"]


def test_an_entry_that_is_over_begins_again_only_where_it_is_said_to(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a b")))
        journal.append(record_of("a"), None, job_over=True)
        journal.append(record_of("b"), None, job_over=True)
        journal.save_job(save_timetable("lich-2", entries("a", "b"), base=NOON + 5))
    assert listed(rig.boot().load())[1:] == [
        ("a", b"envelope of lich-2", 5, False),
        ("lich-2", b"envelope of lich-2", 5, False),
    ]


def test_the_bytes_stay_as_long_as_an_entry_may_come_again(rig: Rig) -> None:
    """What sounds when its timetable is replaced has its record later, perhaps after a power cut."""
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a"), not_after=NOON))
        journal.append(record_of("lich-1"), None, job_over=True)
        journal.prune(UtcMs(NOON + TOMBSTONE_KEEP_MS))
    assert listed(rig.boot().load()) == [("a", b"envelope of lich-1", 0, False)]


def test_a_rejection_that_only_names_a_job_leaves_that_job_alone(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.append(record_of(), None, job_over=False)
    assert rig.boot().load().jobs == (stored_job(),)


def test_a_record_about_a_job_that_was_never_saved_is_kept(rig: Rig) -> None:
    """An emergency sounds although the disk refused it; its mark must not come back as a job's that nobody knows."""
    with transaction(rig.boot()) as journal:
        journal.save_mark(save_mark("flood"))
        journal.append(record_of("flood"), (JobId("flood"), UtcMs(5)), job_over=False)
    contents = rig.boot().load()
    assert (contents.jobs, contents.marks, contents.last_seq) == ((), (), 1)


def test_records_form_one_gapless_chain_over_transactions_and_boots(rig: Rig) -> None:
    made = []
    for boot in range(3):
        with transaction(rig.boot()) as journal:
            made += [journal.append(record_of(f"{boot}-{number}"), None, job_over=False) for number in range(4)]
    kept = rig.boot().records_after(0, 1_000_000)
    assert list(kept) == made
    assert [record.seq for record in kept] == list(range(1, 13))
    contents = rig.boot().load()
    assert verify_chain(kept, head=ChainPoint(contents.last_seq, contents.last_hash)) is None
    assert {record.epoch for record in kept} == {contents.epoch}


def test_a_rolled_back_record_leaves_no_gap(rig: Rig) -> None:
    journal = rig.boot()
    journal.begin()
    journal.append(record_of("lost"), None, job_over=False)
    journal.rollback()
    with transaction(journal):
        journal.append(record_of("kept"), None, job_over=False)
    kept = journal.records_after(0, 1_000_000)
    assert [record.seq for record in kept] == [1]
    assert verify_chain(kept) is None


def test_records_for_upload_are_bounded_in_bytes_and_at_least_one(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        made = [journal.append(record_of(), None, job_over=False) for _ in range(5)]
    size = len(made[0].body)
    assert all(len(record.body) == size for record in made)
    assert journal.records_after(0, 1) == tuple(made[:1])
    assert journal.records_after(0, 2 * size) == tuple(made[:2])
    assert journal.records_after(0, 3 * size - 1) == tuple(made[:2])
    assert journal.records_after(3, 1_000_000) == tuple(made[3:])
    assert journal.records_after(5, 1_000_000) == ()


def test_an_ack_moves_the_cursor_and_takes_no_record(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        epoch = journal.load().epoch
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(epoch, 2)
    assert rig.boot().load().acked_seq == 2
    assert len(rig.boot().records_after(0, 1_000_000)) == 3


@pytest.mark.parametrize(("epoch", "seq"), [("another", 3), (None, 1), (None, 4)])
def test_an_ack_of_another_epoch_an_older_record_or_one_that_never_was_changes_nothing(
    rig: Rig, epoch: str | None, seq: int
) -> None:
    with transaction(rig.boot()) as journal:
        ours = journal.load().epoch
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(ours, 2)
        journal.save_ack(epoch or ours, seq)
    assert rig.boot().load().acked_seq == 2


def test_the_floor_never_goes_back(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_floor(NOON)
        journal.save_floor(UtcMs(NOON - 1))
    assert rig.boot().load().floor == NOON


def test_a_full_disk_refuses_the_whole_transaction_and_the_journal_goes_on(rig: Rig) -> None:
    journal = rig.boot()
    with transaction(journal):
        journal.save_job(save_job())
        journal.save_mark(save_mark())
    before = journal.load()
    with rig.refusing():
        journal.begin()
        journal.save_job(save_job("second"))
        journal.append(record_of(), (JOB, PLANNED), job_over=True)
        with pytest.raises(JournalError):
            journal.commit()
        assert journal.load() == before
    journal.rollback()
    with transaction(journal):
        record = journal.append(record_of(), (JOB, PLANNED), job_over=True)
    assert record.seq == 1
    contents = rig.boot().load()
    assert (contents.jobs, contents.marks, contents.last_hash) == ((), (), record.hash)


def test_a_torn_journal_is_put_aside_and_a_new_chain_begins(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.append(record_of(), None, job_over=False)
    old_epoch = journal.load().epoch
    journal.close()
    rig.tear()
    contents = rig.boot().load()
    assert contents.quarantined == "journal.quarantined-1"
    assert contents.epoch != old_epoch
    assert (contents.jobs, contents.seen, contents.last_seq, contents.last_hash) == ((), (), 0, GENESIS)


def test_after_a_quarantine_the_next_boot_goes_on_quietly_with_the_new_chain(rig: Rig) -> None:
    rig.boot().close()
    rig.tear()
    with transaction(rig.boot()) as journal:
        journal.append(record_of(), None, job_over=False)
    again = rig.boot().load()
    assert (again.epoch, again.last_seq, again.quarantined) == (journal.load().epoch, 1, "")


def test_every_torn_journal_is_put_aside_under_its_own_name(rig: Rig) -> None:
    names = []
    for _ in range(3):
        journal = rig.boot()
        names.append(journal.load().quarantined)
        journal.close()
        rig.tear()
    assert names == ["", "journal.quarantined-1", "journal.quarantined-2"]


def test_a_tombstone_stays_for_its_term_and_a_job_that_is_not_over_for_ever(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job(not_after=NOON))
        journal.save_job(save_job("open", not_after=NOON))
        journal.append(record_of(), None, job_over=True)
        journal.prune(UtcMs(NOON + TOMBSTONE_KEEP_MS))
    assert [job_id for job_id, _ in rig.boot().load().seen] == [JOB, "open"]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + TOMBSTONE_KEEP_MS + 1))
    contents = rig.boot().load()
    assert [job_id for job_id, _ in contents.seen] == ["open"]
    assert [job.job_id for job in contents.jobs] == ["open"]


def seqs(journal: Journal) -> list[int]:
    return [record.seq for record in journal.records_after(0, 10_000_000)]


def test_records_are_kept_for_thirteen_months_and_no_longer(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for day in range(3):
            journal.append(record_of(ended=UtcMs(NOON + day * DAY_MS)), None, job_over=False)
        journal.save_ack(journal.load().epoch, 3)
        journal.prune(UtcMs(NOON + 397 * DAY_MS))
    assert seqs(rig.boot()) == [1, 2, 3]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + DAY_MS + RECORD_KEEP_MS))
    assert seqs(rig.boot()) == [2, 3]


def test_a_record_that_was_never_delivered_is_kept_whatever_its_age(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for _ in range(3):
            journal.append(record_of(), None, job_over=False)
        journal.save_ack(journal.load().epoch, 1)
        journal.prune(UtcMs(NOON + 10 * RECORD_KEEP_MS))
    assert seqs(rig.boot()) == [2, 3]


def test_a_record_made_by_an_unset_clock_is_as_old_as_its_neighbours_say(rig: Rig) -> None:
    """A boot without a clock writes 1970; that must not make a fresh record look fifty years old."""
    with transaction(rig.boot()) as journal:
        journal.append(record_of(ended=UtcMs(0), clock=ClockSource.UNSET), None, job_over=False)
        journal.append(record_of(ended=NOON), None, job_over=False)
        journal.append(record_of(ended=UtcMs(0), clock=ClockSource.FLOOR), None, job_over=False)
        journal.save_ack(journal.load().epoch, 3)
        journal.prune(UtcMs(NOON + DAY_MS))
    assert seqs(rig.boot()) == [1, 2, 3]
    with transaction(rig.boot()) as journal:
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS + 1))
    assert seqs(rig.boot()) == [3]


def test_a_clock_that_once_ran_behind_does_not_take_younger_records_with_it(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.append(record_of(ended=UtcMs(NOON + 500 * DAY_MS)), None, job_over=False)
        journal.append(record_of(ended=NOON), None, job_over=False)
        journal.save_ack(journal.load().epoch, 2)
        journal.prune(UtcMs(NOON + RECORD_KEEP_MS + 1))
    assert seqs(rig.boot()) == [1, 2]


def test_the_chain_goes_on_from_its_head_when_every_record_was_pruned(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        first = journal.append(record_of(), None, job_over=False)
        journal.save_ack(first.epoch, 1)
        journal.prune(UtcMs(NOON + 2 * RECORD_KEEP_MS))
    assert seqs(rig.boot()) == []
    with transaction(rig.boot()) as journal:
        second = journal.append(record_of(), None, job_over=False)
    assert (second.seq, second.prev) == (2, first.hash)
    assert rig.boot().load().quarantined == ""


def test_an_untimely_mark_is_forgotten_at_housekeeping(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_mark(save_mark("flood"))
        journal.prune(NOON)
        journal.save_job(save_job("flood"))
    assert rig.boot().load().marks == ()


def test_a_write_outside_of_a_transaction_is_our_own_bug(rig: Rig) -> None:
    journal = rig.boot()
    for act in (journal.commit, lambda: journal.save_job(save_job()), lambda: journal.prune(NOON)):
        with pytest.raises(AssertionError):
            act()
    journal.begin()
    with pytest.raises(AssertionError):
        journal.begin()


def test_the_next_boot_knows_which_orders_were_refused_last(rig: Rig) -> None:
    """Or an order that was refused, and delivered again because of a crash, would be on record twice."""
    journal = rig.boot()
    journal.begin()
    journal.append(record_of(digest="too long ago", kind=RecordKind.REFUSAL), None, job_over=False)
    for number in range(REFUSALS_AMONG - 2):
        journal.append(record_of(digest=f"sounded {number}"), None, job_over=False)
    journal.append(record_of(digest="refused", kind=RecordKind.REFUSAL), None, job_over=False)
    journal.append(record_of(digest="refused too", kind=RecordKind.REFUSAL), None, job_over=False)
    journal.commit()
    assert rig.boot().load().refused == ("refused", "refused too")
