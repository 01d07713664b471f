"""What every journal promises of orders: jobs and their marks, and whole timetables with their entries."""

from __future__ import annotations

import pytest

from edge_agent.core.events import Mark, SavedMark
from edge_agent.core.job import TOMBSTONE_KEEP_MS
from edge_agent.core.units import DAY_MS, JobId, UtcMs
from edge_agent.journal.port import Contents, JournalError
from tests.journal.rigs import Rig, transaction
from tests.journal.samples import (
    JOB,
    NOON,
    PLANNED,
    entries,
    record_of,
    save_job,
    save_mark,
    save_timetable,
    save_warning,
    stored_job,
)


def test_jobs_come_back_in_order_of_receipt_even_when_one_is_saved_again(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for name in ("c", "a", "b"):
            journal.save_job(save_job(name))
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job("c", held=True))
    assert [(job.job_id, job.held) for job in journal.load().jobs] == [("c", True), ("a", False), ("b", False)]


def test_what_was_over_and_begins_again_was_received_last(rig: Rig) -> None:
    """Of two that are due at once the first is heard: who that is, no restart changes."""
    with transaction(rig.boot()) as journal:
        for name in ("c", "a"):
            journal.save_job(save_job(name))
        journal.append(record_of("c"), None, job_over=True)
        journal.save_job(save_job("c"))
    assert [job.job_id for job in rig.boot().load().jobs] == ["a", "c"]


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


def test_a_mark_that_is_dropped_takes_no_other_along(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job())
        journal.save_mark(save_mark())
        journal.save_mark(save_mark(planned=NOON + 2000))
        journal.drop_mark(JOB, PLANNED)
        journal.drop_mark(JOB, UtcMs(NOON + 3000))
    contents = rig.boot().load()
    assert contents.marks == (SavedMark(JOB, UtcMs(NOON + 2000), Mark.INTENT, 1),)
    assert contents.jobs == (stored_job(),), "it counts from where it did"


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
    assert [(job_id, seen.digest) for job_id, seen in contents.seen] == [
        (JOB, "digest of tiem-chung"),
        (JobId("other"), "digest of other"),
    ]


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


def test_of_what_is_over_only_so_many_are_kept_and_the_soonest_to_end_go_first(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever has stolen a key signs as many as he likes, and a station must start with what lies there."""
    for module in ("edge_agent.journal.store", "edge_agent.journal.reading", "tests.fakes.journal"):
        monkeypatch.setattr(f"{module}.OVER_MAX", 2)
    with transaction(rig.boot()) as journal:
        for number, ends in enumerate((3, 1, 4, 2)):
            journal.save_job(save_job(f"tin-{number}", not_after=NOON + ends))
            journal.append(record_of(f"tin-{number}"), None, job_over=True)
        journal.save_job(save_job("open", not_after=NOON))
    kept = ["tin-0", "tin-2", "open"]
    assert [job_id for job_id, _ in rig.boot().load().seen] == kept
    with transaction(rig.boot()) as journal:
        journal.prune(NOON)
    monkeypatch.undo()
    assert [job_id for job_id, _ in rig.boot().load().seen] == kept


def test_a_warning_that_is_over_is_forgotten_behind_whatever_else_is(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends soonest of all; forgotten, it would be heard again when somebody brings it again."""
    for module in ("edge_agent.journal.store", "edge_agent.journal.reading", "tests.fakes.journal"):
        monkeypatch.setattr(f"{module}.OVER_MAX", 2)
    with transaction(rig.boot()) as journal:
        heap = [save_job(f"tin-{number}", not_after=NOON + DAY_MS * number) for number in (2, 3, 4)]
        for order in (save_warning("flood"), *heap):
            journal.save_job(order)
            journal.append(record_of(order.saved.accepted.order_id), None, job_over=True)
    for _ in range(2):
        assert {job_id: seen.urgent for job_id, seen in rig.boot().load().seen} == {"flood": True, "tin-4": False}
        with transaction(rig.boot()) as journal:
            journal.prune(NOON)


def test_an_untimely_mark_is_forgotten_at_housekeeping(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_mark(save_mark("flood"))
        journal.prune(NOON)
        journal.save_job(save_job("flood"))
    assert rig.boot().load().marks == ()


# -- timetables --------------------------------------------------------------------------------------------------------


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
    assert dict(rig.boot().load().seen)[JobId("a")].digest == "digest of lich-2"


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
        journal.save_job(save_timetable("lich-2", entries("c a", "b"), base=NOON + 5))
    assert listed(rig.boot().load())[1:] == [
        ("lich-2", b"envelope of lich-2", 5, False),
        ("c", b"envelope of lich-2", 5, False),
        ("a", b"envelope of lich-2", 5, False),
    ]


def test_the_bytes_stay_as_long_as_an_entry_may_come_again(rig: Rig) -> None:
    """What sounds when its timetable is replaced has its record later, perhaps after a power cut."""
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a"), not_after=NOON))
        journal.append(record_of("lich-1"), None, job_over=True)
        journal.prune(UtcMs(NOON + TOMBSTONE_KEEP_MS))
    assert listed(rig.boot().load()) == [("a", b"envelope of lich-1", 0, False)]


def test_the_bytes_stay_too_where_there_is_room_for_few_that_are_over(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or whoever signs a heap of broadcasts that end later takes away what a timetable has still to say."""
    for module in ("edge_agent.journal.store", "edge_agent.journal.reading", "tests.fakes.journal"):
        monkeypatch.setattr(f"{module}.OVER_MAX", 1)
    with transaction(rig.boot()) as journal:
        journal.save_job(save_timetable("lich-1", entries("a"), not_after=NOON))
        journal.append(record_of("lich-1"), None, job_over=True)
        for name in ("tin-1", "tin-2"):
            journal.save_job(save_job(name, not_after=NOON + DAY_MS))
            journal.append(record_of(name), None, job_over=True)
        journal.prune(NOON)
    assert listed(rig.boot().load()) == [("a", b"envelope of lich-1", 0, False)]
