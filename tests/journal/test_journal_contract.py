"""What every journal promises: a transaction is durable or never was, whatever becomes of the disk.

Of orders and records more stands in ``test_orders_contract`` and ``test_records_contract``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core.events import Mark, SavedMark
from edge_agent.core.units import UtcMs
from edge_agent.journal.port import Contents, JournalError
from edge_agent.journal.record import GENESIS
from tests.journal.rigs import Rig, transaction
from tests.journal.samples import JOB, KEPT, NOON, PLANNED, record_of, save_job, save_mark, stored_job


def test_a_new_journal_is_empty_and_names_its_epoch(rig: Rig) -> None:
    contents = rig.boot().load()
    assert contents == Contents((), (), (), contents.epoch, 0, GENESIS, 0, UtcMs(0), "")
    assert len(contents.epoch) == 16
    assert set(contents.epoch) <= set("0123456789abcdef")


def test_what_was_committed_is_there_after_a_power_cut(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_job(save_job(held=True))
        journal.save_mark(save_mark())
        journal.save_floor(NOON)
        record = journal.append(record_of("other"), None, job_over=False)
    contents = rig.boot().load()
    assert contents.jobs == (stored_job(held=True),)
    assert contents.marks == (SavedMark(JOB, PLANNED, Mark.INTENT, 1),)
    assert [(job_id, seen.digest) for job_id, seen in contents.seen] == [(JOB, "digest of tiem-chung")]
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


def test_a_floor_that_a_thief_has_driven_up_can_be_taken_back(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_floor(NOON, KEPT)
        journal.save_floor(UtcMs(NOON - 1))
    contents = rig.boot().load()
    assert (contents.floor, contents.kept) == (NOON - 1, None)


def test_what_the_next_process_tells_the_time_by_is_kept_beside_the_floor(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        journal.save_floor(NOON, KEPT)
    contents = rig.boot().load()
    assert (contents.floor, contents.kept) == (NOON, KEPT)


def test_of_two_welcomes_the_later_one_is_kept_though_it_tells_an_earlier_time(rig: Rig) -> None:
    later = replace(KEPT, mono=KEPT.mono + 9, utc=UtcMs(NOON - 1))
    with transaction(rig.boot()) as journal:
        journal.save_floor(NOON, KEPT)
        journal.save_floor(NOON, later)
    contents = rig.boot().load()
    assert (contents.floor, contents.kept) == (NOON, later)


def test_signed_time_of_a_boot_without_a_name_takes_away_what_was_kept(rig: Rig) -> None:
    journal = rig.boot()
    with transaction(journal):
        journal.save_floor(NOON, KEPT)
    with transaction(journal):
        journal.save_floor(UtcMs(NOON + 1))
    contents = rig.boot().load()
    assert (contents.floor, contents.kept) == (NOON + 1, None)


def test_the_newest_trust_document_of_each_area_is_kept_the_root_first(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for area, envelope in (("vn/ha-noi", b"p1"), ("", b"r1"), ("vn/ha-noi", b"p2")):
            journal.save_trust(area, envelope, "a1")
    assert rig.boot().load().trust == (("a1", b"r1"), ("a1", b"p2"))


def test_the_newest_manifest_of_each_scope_is_kept_with_its_head(rig: Rig) -> None:
    with transaction(rig.boot()) as journal:
        for scope, number in (("station/dt-017", b"1"), ("area/vn", b"2"), ("station/dt-017", b"3")):
            journal.save_manifest(scope, b"head " + number, b"body " + number)
    assert rig.boot().load().manifests == ((b"head 2", b"body 2"), (b"head 3", b"body 3"))


def test_floor_and_kept_time_are_durable_together_or_not_at_all(rig: Rig) -> None:
    journal = rig.boot()
    with transaction(journal):
        journal.save_floor(NOON, KEPT)
    with rig.refusing():
        journal.begin()
        journal.append(record_of(), None, job_over=False)
        journal.save_floor(UtcMs(NOON + 7), replace(KEPT, utc=UtcMs(NOON + 7)))
        with pytest.raises(JournalError):
            journal.commit()
    contents = rig.boot().load()
    assert (contents.floor, contents.kept) == (NOON, KEPT)


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
        journal.save_floor(NOON, KEPT)
    old_epoch = journal.load().epoch
    journal.close()
    rig.tear()
    contents = rig.boot().load()
    assert contents.quarantined == "journal.quarantined-1"
    assert contents.epoch != old_epoch
    assert (contents.jobs, contents.seen, contents.last_seq, contents.last_hash) == ((), (), 0, GENESIS)
    assert (contents.floor, contents.kept) == (0, None)


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


def test_a_write_outside_of_a_transaction_is_our_own_bug(rig: Rig) -> None:
    journal = rig.boot()
    for act in (journal.commit, lambda: journal.save_job(save_job()), lambda: journal.prune(NOON)):
        with pytest.raises(AssertionError):
            act()
    journal.begin()
    with pytest.raises(AssertionError):
        journal.begin()
