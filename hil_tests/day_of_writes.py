"""A seeded day of what a station keeps: its real journal behind its real thread, and its real store of staged sound.

Whatever is promised on the way, to the broker, the centre or the core, is noted the moment the promise is made, and
marked on the disk. ``broken`` then judges a disk on which a power cut has left only some of the day: what was promised
until then is there, what is there is whole, nothing was put aside, and the station goes on. The faults that can be
planted show that this judge sees them. Which disks it is shown, others decide.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from edge_agent.audio import pcm_store
from edge_agent.audio.clip import BLOCK_BYTES, ClipMissing, ClipUnusable
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.core.effects import CommitRecord, SaveJob, SaveLogAck
from edge_agent.core.events import Event, IntentSaved, JobSaved, Mark, RecordSaved
from edge_agent.core.units import ClipKey, JobId, UtcMs
from edge_agent.journal.port import Contents, JournalError, StoredRecord
from edge_agent.journal.record import ChainPoint, Origin, verify_chain
from edge_agent.journal.store import Store
from edge_agent.journal_worker import Afterwards, JournalOrder, JournalWorker, Prune, SaveFloor
from tests.journal.samples import NOON, ORIGIN, entries, record_of, save_job, save_mark, save_timetable

STEPS = 110
RATE = 48_000
CLIPS = 5
CLIP_BYTES_MAX = 2 * BLOCK_BYTES
# Two blocks of digests and a bit: several writes of the kernel's.
BATCH_BYTES = 48_000
PLANTS = {
    "ack-before-commit": r"order \S+ was acknowledged and is lost",
    "unsynced-commits": r"(order|record) \S+ was \w+ and is lost",
    "unsynced-folder": r"clip-\d was staged and is lost",
    "unsynced-clip": r"clip-\d was staged and is (lost|clip clip-\d was altered)",
}
# Faults to plant, and the words in which the judge names what is lost by each.
UNHURRIED_S = 10.0
# What the disk may take for one order; only so that a test that hangs ends.
IDLE_S_MAX = 12.0
# Longer than the file system waits with its own commit (5 s), so that some of these come between the station's.
IDLE_CHANCE = 0.2


class Kind(StrEnum):
    """What a promise is about."""

    OPENED = "the journal is open"
    ACCEPTED = "an order is saved"
    RECORDED = "a record has its place"
    STAGED = "a clip is staged"
    WITHDRAWN = "that clip goes, or is written anew"


@dataclass(frozen=True, slots=True)
class Promise:
    """``what``: the order, the record's number or the clip; ``value``: the epoch, or the digest of the clip's sound."""

    kind: Kind
    what: str = ""
    value: str = ""


class Remembering(Store):
    """The product's journal, which also notes each state that it has made durable."""

    def __init__(self, folder: Path, states: list[Contents]) -> None:
        super().__init__(folder, ORIGIN)
        self._states = states
        states.append(self.load())

    def commit(self) -> None:
        super().commit()
        self._states.append(self.load())


class Day:
    """``mark`` puts a word into the disk's log; ``states`` is all that ever was durable, ``promises`` what was said."""

    def __init__(self, root: Path, seed: int, mark: Callable[[str], None], plant: str = "") -> None:
        self.states: list[Contents] = []
        self.promises: list[Promise] = []
        self._root = root
        self._dice = random.Random(seed)
        self._mark = mark
        self._plant = plant
        self._clips = PcmStore(root / "audio")
        self._open: list[JobId] = []
        self._orders = 0
        self._failed: list[str] = []
        self._happenings: dict[Callable[[], None], int] = {
            self._accept: 5,
            self._play: 8,
            self._list: 2,
            self._refuse: 2,
            self._deliver: 2,
            self._tell_time: 1,
            self._tidy: 1,
            self._stage: 4,
            self._evict: 1,
            self._restart: 1,
        }

    def live(self, steps: int = STEPS) -> None:
        """From one morning on."""
        self._begin()
        for _ in range(steps):
            (happen,) = self._dice.choices(list(self._happenings), list(self._happenings.values()))
            happen()
            if self._dice.random() < IDLE_CHANCE:
                time.sleep(self._dice.uniform(0, IDLE_S_MAX))
        self._end()
        assert self._failed == []

    def _promise(self, kind: Kind, what: str = "", value: str = "") -> None:
        self.promises.append(Promise(kind, what, value))
        self._mark(str(len(self.promises)))

    def _begin(self) -> None:
        journal = Remembering(self._root / "journal", self.states)
        if self._plant == "unsynced-commits":
            unsynced_commits(journal)
        self._promise(Kind.OPENED, value=self.states[-1].epoch)
        self._worker = JournalWorker(journal, self._said, _ignored, BATCH_BYTES)
        if self._plant == "ack-before-commit":
            ack_before_commit(self._worker)
        self._worker.start()

    def _end(self) -> None:
        assert self._worker.finish(UNHURRIED_S)

    def _said(self, event: Event) -> None:
        """What the core would act upon: acknowledge to the broker, begin to sound, send the log."""
        match event:
            case JobSaved():
                self._promise(Kind.ACCEPTED, event.job_id)
            case RecordSaved():
                self._promise(Kind.RECORDED, str(event.seq))
            case IntentSaved(durable=True):
                pass
            case _:
                self._failed.append(str(event))

    def _order(self, *orders: JournalOrder) -> None:
        """Have it all done, and said."""
        done = threading.Event()
        for order in (*orders, Afterwards(done.set)):
            self._worker.order(order)
        assert done.wait(UNHURRIED_S)

    def _name(self) -> str:
        self._orders += 1
        return f"lenh-{self._orders}"

    def _accept(self) -> None:
        """Up to three orders at once; some as long as an order may well be."""
        names = [self._name() for _ in range(self._dice.randint(1, 3))]
        self._open += map(JobId, names)
        self._order(*(self._enveloped(save_job(name)) for name in names))

    def _enveloped(self, order: SaveJob) -> SaveJob:
        envelope = self._dice.randbytes(self._dice.choice((200, 900, 6_000)))
        return SaveJob(order.saved, envelope, order.topic, order.entries)

    def _play(self) -> None:
        """An occurrence begins, sounds and ends on record; its order may be over with it."""
        if not self._open:
            return
        job, over = self._dice.choice(self._open), self._dice.random() < 0.5
        planned = UtcMs(NOON + self._dice.randrange(86_400_000))
        self._order(save_mark(job, planned))
        self._order(save_mark(job, planned, Mark.FIRST_SAMPLE))
        self._order(CommitRecord(record_of(job, planned=planned), (job, planned), job_over=over))
        if over:
            self._open.remove(job)

    def _list(self) -> None:
        """A timetable and its entries."""
        name = self._name()
        rows = [f"{name}-{number}" for number in range(self._dice.randint(1, 6))]
        self._open += map(JobId, rows)
        self._order(self._enveloped(save_timetable(name, entries(begin=" ".join(rows)))))

    def _refuse(self) -> None:
        self._order(CommitRecord(record_of(self._name(), detail="x" * self._dice.randrange(400)), None, job_over=True))

    def _deliver(self) -> None:
        """The centre has some of the log."""
        newest = self.states[-1]
        upto = self._dice.randint(newest.acked_seq, newest.last_seq)
        self._order(SaveLogAck(newest.epoch, upto, self._dice.randbytes(90)))

    def _tell_time(self) -> None:
        self._order(SaveFloor(UtcMs(NOON + self._dice.randrange(86_400_000))))

    def _tidy(self) -> None:
        """Nothing is old enough to go, but the write-ahead log is brought into the database."""
        self._order(Prune(NOON))

    def _restart(self) -> None:
        self._end()
        self._begin()

    def _stage(self) -> None:
        """A clip, or one of the same name anew."""
        key = ClipKey(f"clip-{self._dice.randrange(CLIPS)}")
        sound = self._dice.randbytes(2 * self._dice.randint(1, CLIP_BYTES_MAX // 2))
        with self._clips.writer(key, RATE) as writer:
            writer.feed(sound)
            self._promise(Kind.WITHDRAWN, key)
            writer.commit()
        self._promise(Kind.STAGED, key, hashlib.sha256(sound).hexdigest())

    def _evict(self) -> None:
        key = ClipKey(f"clip-{self._dice.randrange(CLIPS)}")
        self._promise(Kind.WITHDRAWN, key)
        self._clips.remove(key)


def broken(root: Path, day: Day, promised: int) -> list[str]:
    """What does not hold on this disk, on which the day's first ``promised`` promises had been made."""
    kept = day.promises[:promised]
    found = [*_of_the_journal(root, day, kept), *_of_the_clips(root, day, kept)]
    if aside := [path.name for path in root.glob("*quarantined*")]:
        found.append(f"put aside although nothing had rotted: {aside}")
    return found


def _of_the_journal(root: Path, day: Day, kept: list[Promise]) -> list[str]:
    try:
        with closing(Store(root / "journal", Origin("reader", "", ""))) as store:
            contents, records = store.load(), store.records_after(0, 1 << 40)
            found = _of_the_records(contents, records)
            store.begin()
            store.append(record_of("after the cut"), None, job_over=False)
            store.commit()
    except JournalError as exc:
        return [f"no station starts here: {exc}"]
    if kept and contents not in day.states:
        found.append(f"half of something: {contents.last_seq} records, {len(contents.seen)} orders")
    seen = {job_id for job_id, _ in contents.seen}
    for promise in kept:
        match promise.kind:
            case Kind.OPENED if contents.epoch != promise.value:
                found.append("another journal than was opened")
            case Kind.ACCEPTED if promise.what not in seen:
                found.append(f"order {promise.what} was acknowledged and is lost")
            case Kind.RECORDED if int(promise.what) > contents.last_seq:
                found.append(f"record {promise.what} was told and is lost")
    return found


def _of_the_records(contents: Contents, records: tuple[StoredRecord, ...]) -> list[str]:
    fault = verify_chain(records, head=ChainPoint(contents.last_seq, contents.last_hash))
    return [] if fault is None else [f"the chain is broken: {fault}"]


def _of_the_clips(root: Path, day: Day, kept: list[Promise]) -> list[str]:
    """Each is whole or is not there, and what was staged last and not withdrawn is there."""
    staged: dict[str, str] = {}
    for promise in kept:
        if promise.kind is Kind.STAGED:
            staged[promise.what] = promise.value
        elif promise.kind is Kind.WITHDRAWN:
            staged.pop(promise.what, None)
    store, found = PcmStore(root / "audio"), []
    store.sweep()
    sounds = {promise.value for promise in day.promises if promise.kind is Kind.STAGED}
    for key in (f"clip-{number}" for number in range(CLIPS)):
        lies = _digest_of(store, ClipKey(key))
        if key in staged and lies != staged[key]:
            found.append(f"{key} was staged and is {lies or 'lost'}")
        elif lies and lies not in sounds:
            found.append(f"{key} is {lies}, which nobody has staged")
    return found


def _digest_of(store: PcmStore, key: ClipKey) -> str:
    """Of its sound; "" where there is none, and in words what is wrong with it."""
    try:
        with store.open(key) as clip:
            return hashlib.sha256(clip.read(0, clip.frames)).hexdigest()
    except ClipMissing:
        return ""
    except ClipUnusable as exc:
        return str(exc)


def unsynced_commits(store: Store) -> None:
    """To plant: a commit waits for no disk. A killed process would never show it."""
    store._connection.execute("PRAGMA synchronous = NORMAL")


def ack_before_commit(worker: JournalWorker) -> None:
    """To plant: an order is acknowledged, and then saved."""
    eager: Any = worker
    write = eager._write

    def early(writes: list[Any]) -> list[Event]:
        for order in writes:
            if isinstance(order, SaveJob):
                eager._post(JobSaved(order.saved.accepted.order_id))
        return [event for event in write(writes) if not isinstance(event, JobSaved)]

    eager._write = early


def plant_in_clips(plant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To plant: a clip is said to be staged before its folder, or its bytes, are durable."""
    if plant == "unsynced-folder":
        monkeypatch.setattr(pcm_store, "sync_directory", _ignored)
    if plant == "unsynced-clip":
        monkeypatch.setattr(pcm_store, "_sync_and_close", lambda file: file.close())


def _ignored(_: object) -> None:
    """Nobody asked for an upload; nothing is synced."""
