"""What only a real database can show: death at any instant, rot, foreign files, a disk that says no."""

from __future__ import annotations

import os
import random
import re
import resource
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.port import Contents, JournalError, StoredRecord
from edge_agent.journal.record import ChainPoint, verify_chain
from edge_agent.journal.store import Store
from tests.host.parts import needs
from tests.journal.samples import NOON, ORIGIN, record_of, save_job, save_mark
from tests.journal.writer import JOB, planned_of

ROOT = Path(__file__).resolve().parent.parent.parent
WRITER = [sys.executable, "-m", "tests.journal.writer"]
HANG_S = 120.0
# Only so that a test that hangs ends; nothing is measured by it.


opened: list[Store] = []


@pytest.fixture(autouse=True)
def _close_at_the_end() -> Iterator[None]:
    yield
    while opened:
        opened.pop().close()


def open_store(folder: Path) -> Store:
    opened.append(Store(folder, ORIGIN))
    return opened[-1]


def fill(folder: Path, records: int) -> Contents:
    """A journal with one job, a mark and some records, closed properly."""
    store = open_store(folder)
    store.begin()
    store.save_job(save_job())
    store.save_mark(save_mark())
    for _ in range(records):
        store.append(record_of(), None, job_over=False)
    store.commit()
    contents = store.load()
    opened.remove(store)
    store.close()
    return contents


def everything(store: Store) -> tuple[StoredRecord, ...]:
    return store.records_after(0, 1 << 40)


def check_whole(folder: Path, promised: int) -> Contents:
    """Every promised record is there, in one gapless chain; job and marks belong to the last record."""
    store = open_store(folder)
    contents, records = store.load(), everything(store)
    opened.remove(store)
    store.close()
    assert contents.quarantined == ""
    assert contents.last_seq >= promised
    assert [record.seq for record in records] == list(range(1, contents.last_seq + 1))
    assert verify_chain(records, head=ChainPoint(contents.last_seq, contents.last_hash)) is None
    if contents.last_seq:
        assert contents.jobs[0].base == planned_of(contents.last_seq)
    begun = [mark.planned for mark in contents.marks]
    assert begun in ([], [planned_of(contents.last_seq + 1)])
    return contents


@pytest.mark.deep
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_any_instant_no_committed_record_is_lost(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder, epochs, promised = tmp_path / "journal", set(), 0
    for _ in range(3):
        wanted = chance.randrange(1, 60)
        with subprocess.Popen([*WRITER, str(folder), "1000000"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for _ in range(wanted):
                promised = int(writer.stdout.readline())
            writer.kill()
            promised = max([promised, *(int(line) for line in writer.stdout if line.endswith("\n"))])
        epochs.add(check_whole(folder, promised).epoch)
    assert len(epochs) == 1


@pytest.mark.deep
@pytest.mark.host
@needs("strace")
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync", "fsync", "openat", "unlink", "rename"])
def test_killed_at_each_call_to_the_kernel_no_committed_record_is_lost(tmp_path: Path, call: str) -> None:
    """The sharpest places to die: in front of every single write and sync, from the making of the database on.

    There are some eighty writes: the suite takes every fourth, others each time; with ``EACH_WRITE=1`` every one.
    """
    apart = 4 if call == "pwrite64" and "EACH_WRITE" not in os.environ else 1
    first = random.randint(1, apart)
    print(f"killed at {call} number {first}, and each {apart} later")
    for number in range(first, 200, apart):
        folder = tmp_path / f"{call}-{number}"
        # Not with --seccomp-bpf: it would be quicker, and deliver no signal.
        inject = ["strace", "-f", "-qq", "-o", os.devnull]
        inject += ["-P", str(folder), "-P", str(folder / FILE_NAME)]
        inject += ["-P", str(folder / f"{FILE_NAME}-wal"), "-e", f"trace={call}"]
        inject += ["-e", f"inject={call}:signal=SIGKILL:when={number}"]
        killed = subprocess.run(
            [*inject, *WRITER, str(folder), "4"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            timeout=HANG_S,
            check=False,
        )
        promised = max([0, *(int(line) for line in killed.stdout.splitlines())])
        check_whole(folder, promised)
        if killed.returncode == 0:
            assert promised == 4
            assert number > first or call == "rename", "nobody was killed"  # this writer renames nothing
            return
    pytest.fail("the writer never came to its end")


def test_a_disk_that_is_full_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    store = open_store(tmp_path / "journal")
    (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    store.begin()
    large = record_of(detail="ệ" * 500, signers=("ab" * 2_000,))  # more than the free room of its page
    with pytest.raises(JournalError, match="SQLITE_FULL"):
        store.append(large, None, job_over=False)
    store.rollback()
    assert store.load().last_seq == 0
    store._connection.execute("PRAGMA max_page_count = 1000000")
    store.begin()
    store.append(record_of(), None, job_over=False)
    store.commit()
    assert store.load().last_seq == 1


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    """NORMAL would lose the last commits in a power cut, and no test on a running machine would see it."""
    store = open_store(tmp_path / "journal")
    assert store._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert store._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    fill(tmp_path / "journal", 1)
    assert stat.S_IMODE((tmp_path / "journal").stat().st_mode) == 0o700


def test_a_journal_opened_by_one_thread_is_used_by_another(tmp_path: Path) -> None:
    store = open_store(tmp_path / "journal")
    seen: list[int] = []

    def work() -> None:
        store.begin()
        seen.append(store.append(record_of(), None, job_over=False).seq)
        store.commit()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(HANG_S)
    assert seen == [1]


def test_somebody_who_reads_meanwhile_neither_blocks_nor_is_blocked(tmp_path: Path) -> None:
    store = open_store(tmp_path / "journal")
    reader = sqlite3.connect(f"file:{tmp_path / 'journal' / FILE_NAME}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (0,)
    store.begin()
    store.append(record_of(), None, job_over=False)
    store.commit()
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (0,)
    reader.execute("COMMIT")
    assert reader.execute("SELECT count(*) FROM records").fetchone() == (1,)
    reader.close()


def spoil_header(file: Path) -> None:
    file.write_bytes(b"not a database at all" * 100)


def cut_in_half(file: Path) -> None:
    os.truncate(file, file.stat().st_size // 2)


OTHER_SIGN = 1_790_830_000_000 - 2**47
# An instant of 2026 in the six bytes that SQLite gives it, the first bit of which has turned.


def rot_a_table_definition(file: Path) -> None:
    content = file.read_bytes()
    assert content.count(b"planned INTEGER") == 1
    file.write_bytes(content.replace(b"planned INTEGER", b"planned \x9eNTEGER"))


def in_database(*statements: str):
    def spoil(file: Path) -> None:
        connection = sqlite3.connect(file, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(spoil_header, id="not a database"),
        pytest.param(cut_in_half, id="cut in half"),
        pytest.param(rot_a_table_definition, id="a rotten table definition"),
        pytest.param(in_database("DROP TABLE marks"), id="a table is missing"),
        pytest.param(in_database("DELETE FROM meta"), id="no head"),
        pytest.param(in_database("DELETE FROM records WHERE seq = 3"), id="a record is missing"),
        pytest.param(in_database("DELETE FROM records WHERE seq = 5"), id="the last record is missing"),
        pytest.param(in_database("UPDATE records SET hash = 'x' WHERE seq = 5"), id="the head is another record"),
        pytest.param(in_database("PRAGMA user_version = -1"), id="of no version"),
        pytest.param(in_database(f"UPDATE meta SET kept_utc = {OTHER_SIGN}"), id="the time that was kept is none"),
        pytest.param(in_database(f"UPDATE meta SET floor = {2**63 - 1}"), id="the last signed time is none"),
        pytest.param(in_database(f"INSERT INTO jobs VALUES ('a', 'd', x'', '', {2**63 - 1}, 0, 0, 0, 0)"), id="a base"),
        pytest.param(in_database(f"INSERT INTO marks VALUES ('a', {OTHER_SIGN}, 'intent', 0)"), id="a mark"),
    ],
)
def test_a_file_that_cannot_be_gone_on_with_is_kept_whole_and_a_new_chain_begins(tmp_path: Path, spoil) -> None:
    folder = tmp_path / "journal"
    old = fill(folder, 5)
    spoil(folder / FILE_NAME)
    spoiled = (folder / FILE_NAME).read_bytes()
    store = open_store(folder)
    new = store.load()
    assert (new.quarantined, new.last_seq) == ("journal.quarantined-1", 0)
    assert new.epoch != old.epoch
    assert (tmp_path / "journal.quarantined-1" / FILE_NAME).read_bytes() == spoiled
    store.begin()
    assert store.append(record_of(), None, job_over=False).seq == 1
    store.commit()


@pytest.mark.parametrize("seed", range(40))
def test_rot_anywhere_in_the_file_ends_in_a_journal_that_works(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    folder = tmp_path / "journal"
    old = fill(folder, 40)
    file = folder / FILE_NAME
    content = bytearray(file.read_bytes())
    start = chance.randrange(len(content))
    for position in range(start, min(len(content), start + chance.choice([1, 16, 512, 4096]))):
        content[position] ^= chance.randrange(1, 256)
    file.write_bytes(content)
    store = open_store(folder)
    contents = store.load()
    if contents.quarantined:
        assert contents.epoch != old.epoch
        assert (tmp_path / contents.quarantined / FILE_NAME).exists()
    store.begin()
    store.append(record_of(), None, job_over=False)
    store.commit()
    kept = store.records_after(contents.last_seq, 1 << 40)
    assert verify_chain(kept, start=ChainPoint(contents.last_seq, contents.last_hash)) is None


def test_a_rotten_record_keeps_no_station_from_starting(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    fill(folder, 2)
    in_database("UPDATE records SET body = x'7b9e22'")(folder / FILE_NAME)
    assert open_store(folder).load().refused == ()


def test_a_rotten_letter_in_a_jobs_row_keeps_no_station_from_starting(tmp_path: Path) -> None:
    """What the job says is judged by its signed envelope, which is no text."""
    folder = tmp_path / "journal"
    fill(folder, 2)
    in_database("UPDATE jobs SET topic = CAST(x'6c6f61ff' AS TEXT)")(folder / FILE_NAME)
    contents = open_store(folder).load()
    assert (contents.quarantined, [job.topic for job in contents.jobs]) == ("", ["loa\ufffd"])


def test_the_name_of_a_new_journal_and_of_one_that_was_put_aside_outlive_a_power_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A record that was promised durable in a folder that the card then does not know is lost with it."""
    folder, fsync, synced = tmp_path / "journal", os.fsync, list[tuple[str, set[str]]]()

    def noted(descriptor: int) -> None:
        where = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced.append((where.name, {path.name for path in where.iterdir()} - {f"{FILE_NAME}-shm", f"{FILE_NAME}-wal"}))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    above, aside, made = tmp_path.name, "journal.quarantined-1", ("journal", {FILE_NAME})
    fill(folder, 1)
    assert synced == [(above, {"journal"}), made]
    synced.clear()
    spoil_header(folder / FILE_NAME)
    open_store(folder)
    assert synced == [(above, {"journal"}), (above, {aside}), (above, {"journal", aside}), made]


def test_a_name_that_is_taken_is_never_overwritten(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    fill(folder, 1)
    (tmp_path / "journal.quarantined-1").mkdir()
    spoil_header(folder / FILE_NAME)
    assert open_store(folder).load().quarantined == "journal.quarantined-2"


def test_a_disk_that_refuses_to_open_is_no_reason_to_put_a_sound_journal_aside(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    old = fill(folder, 2)
    (folder / FILE_NAME).rename(folder / "elsewhere")
    (folder / FILE_NAME).mkdir()  # cannot be opened as a file, by root either
    with pytest.raises(JournalError):
        open_store(folder)
    assert not list(tmp_path.glob("*quarantined*"))
    (folder / FILE_NAME).rmdir()
    (folder / "elsewhere").rename(folder / FILE_NAME)
    assert open_store(folder).load().epoch == old.epoch


@pytest.mark.parametrize("said", ["SQLITE_IOERR_CORRUPTFS", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ"])
def test_a_head_on_a_bad_sector_is_put_aside_or_no_start_would_ever_succeed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """The head is read as the file is opened; a kernel's EIO is what SQLite calls CORRUPTFS."""
    folder = tmp_path / "journal"
    fill(folder, 2)
    connect = sqlite3.connect

    def refused_once(*args: object, **kwargs: object) -> sqlite3.Connection:
        monkeypatch.setattr(sqlite3, "connect", connect)
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = getattr(sqlite3, said)
        raise error

    monkeypatch.setattr(sqlite3, "connect", refused_once)
    contents = open_store(folder).load()
    assert (contents.quarantined, contents.last_seq) == ("journal.quarantined-1", 0)
    assert (tmp_path / "journal.quarantined-1" / FILE_NAME).exists()


def test_a_database_that_takes_no_write_ahead_log_is_not_written_and_not_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite only answers the mode that it stays with; in that one a power cut may take the last commit back."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *_where, **_how: connect(":memory:", isolation_level=None))
    with pytest.raises(JournalError, match="no write-ahead log: the disk refused it, journal_mode is still memory"):
        open_store(tmp_path / "journal")
    assert [path.name for path in tmp_path.iterdir()] == ["journal"]


def test_a_disk_that_takes_nothing_while_the_journal_is_made_is_no_damage(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(JournalError):
            open_store(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    contents = open_store(folder).load()
    assert (contents.quarantined, contents.last_seq) == ("", 0)


def test_a_start_asks_a_card_on_which_nothing_is_free_for_no_room(tmp_path: Path) -> None:
    """SQLite puts what a question needs beside, from 2 MB on, into a file in /var/tmp: no station would start there."""
    folder = tmp_path / "journal"
    store = open_store(folder)
    store.begin()
    for number in range(40):
        store.save_job(replace(save_job(f"job-{number}"), envelope=bytes(64_000)))
    for _ in range(400):
        store.append(record_of(detail="d" * 8_000), None, job_over=False)
    store.commit()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        contents = store.load()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (len(contents.jobs), len(contents.past)) == (40, 400)


def test_what_cannot_be_brought_into_the_database_is_named_and_not_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """SQLite keeps to itself what hinders its checkpoints; the log would grow until the card is full."""
    folder = tmp_path / "journal"
    store = open_store(folder)
    for _ in range(30):
        store.begin()
        store.append(record_of(), None, job_over=False)
        store.commit()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / FILE_NAME).stat().st_size, hard))
    try:
        opened.remove(store)
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "journal not checkpointed error=SQLITE_" in caplog.text
    assert open_store(folder).load().last_seq == 30


def test_the_daily_tidying_brings_the_log_into_the_database_and_no_commit_after_it_does(tmp_path: Path) -> None:
    """At each commit it would write every page twice, on a card that wears."""
    folder = tmp_path / "journal"
    store = open_store(folder)
    size = (folder / FILE_NAME).stat().st_size
    store.begin()
    for _ in range(30):
        store.append(record_of(), None, job_over=False)
    store.commit()
    assert (folder / FILE_NAME).stat().st_size == size
    store.begin()
    store.prune(NOON)
    store.commit()
    tidied = (folder / FILE_NAME).stat()
    assert tidied.st_size > size
    store.begin()
    store.append(record_of(), None, job_over=False)
    store.commit()
    assert (folder / FILE_NAME).stat().st_mtime_ns == tidied.st_mtime_ns


def test_a_folder_that_cannot_be_made_is_a_journal_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match=re.escape(str(tmp_path / "file"))):
        open_store(tmp_path / "file" / "journal")


def test_a_database_that_was_begun_and_never_finished_is_simply_made(tmp_path: Path) -> None:
    """The power went between making the file and its first commit: nothing was promised, nothing is lost."""
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / FILE_NAME).touch()
    contents = open_store(folder).load()
    assert (contents.quarantined, contents.last_seq) == ("", 0)


def test_a_writer_that_waits_too_long_is_refused_by_name(tmp_path: Path) -> None:
    store = open_store(tmp_path / "journal")
    store._connection.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "journal" / FILE_NAME, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="SQLITE_BUSY"):
        store.begin()
    other.execute("ROLLBACK")
    other.close()
    store.begin()
    store.save_floor(UtcMs(NOON))
    store.commit()
    assert store.load().floor == NOON


def test_marks_and_jobs_are_those_of_the_writer(tmp_path: Path) -> None:
    """The writer that is killed above does what a station does; without a kill it ends with nothing begun."""
    folder = tmp_path / "journal"
    subprocess.run([*WRITER, str(folder), "3"], cwd=ROOT, stdout=subprocess.DEVNULL, timeout=HANG_S, check=True)
    contents = check_whole(folder, 3)
    assert (contents.last_seq, contents.marks, contents.jobs[0].job_id) == (3, (), JOB)
