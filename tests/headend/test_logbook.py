"""Records at the headend: none lost, none twice, none changed; and the file proves it by itself."""

from __future__ import annotations

import errno
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.headend.listening import LogBatch
from edge_agent.headend.logbook import (
    BLOCK_BYTES,
    CHAINS_MAX,
    NO_CURSOR,
    BatchDoubt,
    Logbook,
    LogbookError,
    NotTaken,
    Taken,
    line_of,
)
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import ChainPoint, chain, hash_of
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.keys import new_signer
from tests.headend.fake_station import RECORD, FakeStation


@pytest.fixture
def records() -> list[StoredRecord]:
    station = FakeStation(new_signer())
    station.play(*(replace(RECORD, job_id=f"job-{number}") for number in range(6)))
    return station.records


def batch(records: list[StoredRecord]) -> LogBatch:
    return LogBatch(records[0].epoch, tuple(records))


def cursor(record: StoredRecord) -> LogCursor:
    return LogCursor(record.epoch, record.seq, record.hash)


def test_batches_are_kept_in_order_and_the_cursor_follows(tmp_path: Path, records: list[StoredRecord]) -> None:
    book = Logbook(tmp_path)
    assert book.of("tram-01").cursor() == NO_CURSOR
    assert book.of("tram-01").add(batch(records[:2])) == Taken(tuple(records[:2]), cursor(records[1]))
    assert book.of("tram-01").add(batch(records[2:])) == Taken(tuple(records[2:]), cursor(records[5]))
    assert list(book.records("tram-01")) == records


def test_a_batch_sent_again_is_stored_once_and_acknowledged_again(tmp_path: Path, records: list[StoredRecord]) -> None:
    log = Logbook(tmp_path).of("tram-01")
    log.add(batch(records[:4]))
    assert log.add(batch(records[:4])) == Taken((), cursor(records[3]))
    assert log.add(batch(records[2:])) == Taken(tuple(records[4:]), cursor(records[5]))
    assert list(Logbook(tmp_path).records("tram-01")) == records


def test_everything_is_still_held_after_a_restart(tmp_path: Path, records: list[StoredRecord]) -> None:
    Logbook(tmp_path).of("tram-01").add(batch(records[:3]))
    again = Logbook(tmp_path).of("tram-01")
    assert again.cursor("epoch-1") == cursor(records[2])
    assert again.add(batch(records[3:])) == Taken(tuple(records[3:]), cursor(records[5]))


def test_what_the_disk_does_not_sync_is_neither_acknowledged_nor_read_back_as_held(
    tmp_path: Path, records: list[StoredRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    logbook = Logbook(tmp_path)
    logbook.of("tram-01").add(batch(records[:3]))

    def refused(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(os, "fsync", refused)
        with pytest.raises(LogbookError, match="nothing was acknowledged"):
            logbook.of("tram-01").add(batch(records[3:]))
    assert list(logbook.records("tram-01")) == records[:3]
    assert logbook.of("tram-01").add(batch(records[3:])) == Taken(tuple(records[3:]), cursor(records[5]))


def test_a_batch_after_a_gap_is_not_taken(tmp_path: Path, records: list[StoredRecord]) -> None:
    log = Logbook(tmp_path).of("tram-01")
    log.add(batch(records[:2]))
    assert log.add(batch(records[3:])) == NotTaken(BatchDoubt.GAP, "record 3 is missing", cursor(records[1]))
    assert list(Logbook(tmp_path).records("tram-01")) == records[:2]


@pytest.mark.parametrize("position", range(6))
def test_a_changed_record_is_found_wherever_it_stands(
    tmp_path: Path, records: list[StoredRecord], position: int
) -> None:
    records[position] = replace(records[position], body=records[position].body.replace(b"succeeded", b"failed"))
    result = Logbook(tmp_path).of("tram-01").add(batch(records))
    assert isinstance(result, NotTaken)
    assert result.doubt is BatchDoubt.BROKEN
    assert not (tmp_path / "tram-01.jsonl").exists()


@pytest.mark.parametrize("position", range(1, 5))
def test_a_record_cut_out_is_found(tmp_path: Path, records: list[StoredRecord], position: int) -> None:
    del records[position]
    result = Logbook(tmp_path).of("tram-01").add(batch(records))
    assert isinstance(result, NotTaken)
    assert result.doubt is BatchDoubt.GAP


def test_records_in_another_order_are_found(tmp_path: Path, records: list[StoredRecord]) -> None:
    records[2], records[3] = records[3], records[2]
    result = Logbook(tmp_path).of("tram-01").add(batch(records))
    assert isinstance(result, NotTaken)
    assert result.doubt is BatchDoubt.BROKEN


def test_history_that_is_written_anew_under_a_held_number_is_found(tmp_path: Path, records: list[StoredRecord]) -> None:
    log = Logbook(tmp_path).of("tram-01")
    log.add(batch(records[:3]))
    body = records[2].body.replace(b"succeeded", b"failed")
    forged = replace(records[2], body=body, hash=hash_of(records[2].prev, body))
    for sent in ([forged], [records[1], forged]):
        result = log.add(batch(sent))
        assert result == NotTaken(BatchDoubt.REWRITTEN, "record 3 is held with another hash", cursor(records[2]))


def test_a_new_chain_is_kept_beside_the_old_one(tmp_path: Path, records: list[StoredRecord]) -> None:
    station = FakeStation(new_signer())
    station.new_chain("epoch-2")
    station.play(RECORD)
    log = Logbook(tmp_path).of("tram-01")
    log.add(batch(records))
    assert log.add(batch(station.records)) == Taken(tuple(station.records), cursor(station.records[0]))
    again = Logbook(tmp_path).of("tram-01")
    assert again.cursor("epoch-1") == cursor(records[5])
    assert again.cursor("epoch-9") == cursor(station.records[0])  # unknown: the newest chain


def without_a_name() -> list[StoredRecord]:
    """What an earlier version took of whoever had a station's key, and its file still has."""
    station = FakeStation(new_signer())
    station.new_chain("")
    station.play(RECORD, RECORD)
    return station.records


def test_a_chain_without_a_name_that_is_held_already_is_kept_and_never_told(
    tmp_path: Path, records: list[StoredRecord]
) -> None:
    old = without_a_name()
    (tmp_path / "tram-01.jsonl").write_bytes(b"".join(map(line_of, old)))
    log = Logbook(tmp_path).of("tram-01")
    assert log.cursor() == NO_CURSOR
    assert log.add(batch(records)) == Taken(tuple(records), cursor(records[5]))
    again = Logbook(tmp_path).of("tram-01")
    assert again.cursor() == cursor(records[5])
    assert [one.epoch for one in again.held()] == ["", "epoch-1"]
    assert list(Logbook(tmp_path).records("tram-01")) == [*old, *records]


def test_the_chains_of_an_earlier_box_leave_the_next_one_as_many_as_any(tmp_path: Path) -> None:
    log, station = Logbook(tmp_path).of("tram-01"), FakeStation(new_signer())
    began: dict[str, list[str]] = {"a": [], "b": []}
    for box, epochs in began.items():
        for number in range(CHAINS_MAX + 1):
            station.new_chain(f"{box}{number}")
            station.play(RECORD)
            if isinstance(log.add(batch(station.records), earlier=began["a"] if box == "b" else ()), Taken):
                epochs.append(station.epoch)
    assert [len(one) for one in began.values()] == [CHAINS_MAX] * 2


def test_a_new_headend_takes_over_a_chain_in_its_middle(tmp_path: Path, records: list[StoredRecord]) -> None:
    log = Logbook(tmp_path).of("tram-01")
    assert log.add(batch(records[3:])) == Taken(tuple(records[3:]), cursor(records[5]))


def test_a_first_record_that_names_one_before_it_is_not_taken(tmp_path: Path, records: list[StoredRecord]) -> None:
    """Signed or not: whoever begins at 1 has nothing before it, so something was cut off or put in its place."""
    log = Logbook(tmp_path).of("tram-01")
    first = chain("epoch-2", ChainPoint(0, "ab" * 32), records[0].body)
    then = chain("epoch-2", ChainPoint(1, first.hash), records[1].body)
    for batch_ in ([first, then], [first]):
        result = log.add(batch(batch_))
        assert result == NotTaken(BatchDoubt.BROKEN, "record 1: it names a record before it", NO_CURSOR)
    assert list(Logbook(tmp_path).records("tram-01")) == []


def test_what_an_earlier_version_took_of_such_a_chain_is_read_and_goes_on(
    tmp_path: Path, records: list[StoredRecord]
) -> None:
    first = chain("epoch-2", ChainPoint(0, "ab" * 32), records[0].body)
    then = chain("epoch-2", ChainPoint(1, first.hash), records[1].body)
    (tmp_path / "tram-01.jsonl").write_bytes(line_of(first))
    assert Logbook(tmp_path).of("tram-01").add(batch([first, then])) == Taken((then,), cursor(then))


def test_a_line_torn_by_a_power_cut_is_cut_off_and_sent_again(tmp_path: Path, records: list[StoredRecord]) -> None:
    Logbook(tmp_path).of("tram-01").add(batch(records[:3]))
    file = tmp_path / "tram-01.jsonl"
    content = file.read_bytes()
    for cut in (1, 20, len(content.splitlines()[-1])):
        file.write_bytes(content[:-cut])
        log = Logbook(tmp_path).of("tram-01")
        assert log.cursor() == cursor(records[1])
        assert log.add(batch(records[1:3])) == Taken((records[2],), cursor(records[2]))
        assert file.read_bytes() == content


@pytest.mark.parametrize("torn", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES])
@pytest.mark.parametrize("whole", [0, 1, 2])
def test_a_torn_end_of_any_length_is_cut_off_and_nothing_before_it(
    tmp_path: Path, records: list[StoredRecord], torn: int, whole: int
) -> None:
    file = tmp_path / "tram-01.jsonl"
    lines = b"".join(line_of(record) for record in records[:whole])
    file.write_bytes(lines + b"\0" * torn)
    assert Logbook(tmp_path).of("tram-01").cursor() == (cursor(records[whole - 1]) if whole else NO_CURSOR)
    assert file.read_bytes() == lines


def test_a_start_needs_no_memory_for_the_length_of_a_log(tmp_path: Path, records: list[StoredRecord]) -> None:
    long = 32 * 1_024 * 1_024
    (tmp_path / "tram-01.jsonl").write_bytes(line_of(records[0]) + b"\0" * long)
    tracemalloc.start()
    try:
        Logbook(tmp_path).of("tram-01")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < long / 8


@pytest.mark.parametrize("line", range(3))
def test_an_edited_file_is_refused_and_the_line_is_named(
    tmp_path: Path, records: list[StoredRecord], line: int
) -> None:
    Logbook(tmp_path).of("tram-01").add(batch(records[:3]))
    file = tmp_path / "tram-01.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"succeeded", b"failed")
    file.write_bytes(b"".join(lines))
    with pytest.raises(LogbookError, match=rf"tram-01\.jsonl:{line + 1}: "):
        Logbook(tmp_path).of("tram-01")


def test_a_line_that_is_no_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "tram-01.jsonl").write_bytes(b"nothing\n")
    with pytest.raises(LogbookError, match=r"tram-01\.jsonl:1: "):
        Logbook(tmp_path).of("tram-01")
