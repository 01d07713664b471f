"""The journal's thread: it decides nothing, commits in groups, and posts what became of them.

A record that the disk refuses is kept and tried again, in order, for ever: the log may be late, it may not have a hole.
So is what would be believed, obeyed or heard otherwise behind a restart (``_failed``).
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile

from edge_agent.core.clock_trust import KeptTime
from edge_agent.core.effects import (
    CommitRecord,
    CompareLog,
    DropMark,
    KeepManifest,
    ReleaseJob,
    SaveJob,
    SaveLogAck,
    SaveMark,
    SendLog,
)
from edge_agent.core.events import (
    Event,
    IntentSaved,
    JobSaved,
    JournalFailed,
    LogCompared,
    Mark,
    RecordSaved,
    RecordsRotten,
    TimetableReleased,
)
from edge_agent.core.order import is_urgent
from edge_agent.core.units import JobId, UtcMs
from edge_agent.journal.port import Journal, JournalError, StoredRecord
from edge_agent.journal.record import is_whole

BATCH_MAX = 50
# Ten rows a commit already make 5,000 rows/s; fifty bound the wait of the first one to some 10 ms.
RETRY_S = 5.0
# A full card is not emptied in less; a flash controller's hiccup is over by then.
WAITING_MAX = 2_000
PATIENCE_S = 2.0
# Orders to the disk that may wait: a day's worth, and for so long one more waits for its place, which is shorter than
# the device's lease. A station that was off for months tells of thousands of programmes at once. Later the disk has
# stopped, and then the process ends.


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SaveFloor:
    """Remember before which time it cannot be, and what the next process in this boot goes on from."""

    floor: UtcMs
    kept: KeptTime | None = None


@dataclass(frozen=True, slots=True)
class KeepTrust:
    """Remember an area's newest trust document, for as long as the trust file begins with the root ``anchor``."""

    area: str
    envelope: bytes
    anchor: str


@dataclass(frozen=True, slots=True)
class Prune:
    """Forget what is past its term at ``now``."""

    now: UtcMs


@dataclass(frozen=True, slots=True)
class Afterwards:
    """Do something once the disk has had its say about everything that was ordered before."""

    do: Callable[[], None]


Marked = SaveMark | DropMark
Write = SaveJob | ReleaseJob | Marked | CommitRecord | SaveLogAck | SaveFloor | KeepTrust | KeepManifest | Prune
JournalOrder = Write | SendLog | CompareLog | Afterwards

Newest = SaveFloor | KeepTrust | KeepManifest | SaveJob
"""Whose newest counts alone."""

Owed = CommitRecord | Marked | ReleaseJob | Newest
"""What is tried again until the disk has it."""

Post = Callable[[Event], None]


class JournalWorker:
    """The only user of the journal. ``send_log(records)`` is called with what an upload asked for.

    ``newest`` is the last record that this process made durable.
    """

    def __init__(
        self,
        journal: Journal,
        post: Post,
        send_log: Callable[[tuple[StoredRecord, ...]], None],
        batch_bytes: int,
        retry_s: float = RETRY_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._journal = journal
        self._post = post
        self._send_log = send_log
        self._batch_bytes = batch_bytes
        self._retry_s = retry_s
        self._patience_s = patience_s
        self._orders: queue.Queue[JournalOrder | None] = queue.Queue(WAITING_MAX)
        self._over = False
        self._owed: list[Owed] = []
        self._told: tuple[int, str] | None = None
        self._tries = 0
        self._appended: StoredRecord | None = None
        self.newest: StoredRecord | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @property
    def owes(self) -> bool:
        """Whether something waits in memory that the disk has refused."""
        return bool(self._owed)

    def start(self) -> None:
        """Begin to take orders."""
        self._thread.start()

    def order(self, order: JournalOrder) -> None:
        """Hand an order over. A queue that stays full is a disk that stands still: the exception ends the process."""
        self._orders.put(order, timeout=self._patience_s)

    def finish(self, timeout_s: float) -> bool:
        """Do what was ordered so far and end the thread. False where records are still owed, or the disk hangs."""
        try:
            self._orders.put(None, timeout=timeout_s)
        except queue.Full:
            return False
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and not self._owed

    def _run(self) -> None:
        while not self._over:
            self._commit(self._next_batch())
        if self._owed:
            self._commit([])
        try:
            self._journal.close()
        except JournalError as exc:
            log.error("journal not closed properly error=%s next=its own recovery at the next boot", exc)

    def _next_batch(self) -> list[JournalOrder]:
        """What waits, at least one order; empty where it is time to try again what is owed, or at the end."""
        batch: list[JournalOrder] = []
        try:
            order = self._orders.get(timeout=self._retry_s if self._owed else None)
        except queue.Empty:
            return batch
        while order is not None:
            batch.append(order)
            if len(batch) >= BATCH_MAX or self._orders.empty():
                return batch
            order = self._orders.get_nowait()
        self._over = True
        return batch

    def _commit(self, batch: list[JournalOrder]) -> None:
        """One transaction for the whole batch, what is owed first; answers go out only after it is durable."""
        owed, self._owed = self._owed, []
        writes: list[Write] = [
            *owed,
            *(order for order in batch if not isinstance(order, SendLog | CompareLog | Afterwards)),
        ]
        try:
            answers = self._write(writes)
        except JournalError as exc:
            self._journal.rollback()
            self._failed(writes, len(owed), str(exc))
        else:
            self._told = None
            for answer in answers:
                self._post(answer)
        for order in batch:
            match order:
                case SendLog():
                    self._upload(order)
                case CompareLog():
                    self._compare(order)
                case Afterwards():
                    order.do()

    def _upload(self, order: SendLog) -> None:
        """Hand out what is durable and whole. A disk that cannot be read delays the log; it must end no sound."""
        try:
            records = self._journal.records_after(order.after_seq, self._batch_bytes)
            whole = tuple(takewhile(is_whole, records))
            if whole or not records:
                self._send_log(whole)
            else:
                self._post(self._rotten(records))
        except JournalError as exc:
            self._post(JournalFailed("read the log", None, str(exc)))

    def _rotten(self, records: tuple[StoredRecord, ...]) -> RecordsRotten:
        """Of records of which the first is not whole. What it says of the one before it may have rotted too."""
        *_, last = takewhile(lambda record: not is_whole(record), records)
        first = records[0]
        same = self._journal.hash_at(first.epoch, first.seq - 1) == first.prev
        return RecordsRotten(first.epoch, first.seq, last.seq, first.prev if same else "")

    def _compare(self, order: CompareLog) -> None:
        """A disk that cannot be read, and a record that is there no more, say nothing against the log."""
        ours: str | None = None
        try:
            ours = self._journal.hash_at(order.epoch, order.seq)
        except JournalError as exc:
            self._post(JournalFailed("compare the log", None, str(exc)))
        self._post(LogCompared(order.epoch, order.seq, order.hash, ours in (None, order.hash), order.word))

    def _write(self, writes: list[Write]) -> list[Event]:
        if not writes:
            return []
        self._journal.begin()
        answers = [answer for order in writes if (answer := self._apply(order)) is not None]
        self._journal.commit()
        if self._appended is not None and self._appended is not self.newest:
            answers.append(RecordSaved(self._appended.seq))  # of hundreds the newest tells enough, and fills no inbox
        self.newest = self._appended
        return answers

    def _append(self, order: CommitRecord) -> None:
        self._appended = self._journal.append(order.record, order.closes, order.job_over, order.chain)
        if order.forget:
            self._journal.forget(JobId(order.record.job_id))

    def _mark(self, order: Marked) -> IntentSaved | None:
        if isinstance(order, DropMark):
            self._journal.drop_mark(order.job_id, order.planned)
            return None
        self._journal.save_mark(order)
        return IntentSaved(order.job_id, order.planned) if order.mark is Mark.INTENT else None

    def _apply(self, order: Write) -> Event | None:
        match order:
            case SaveJob():
                self._journal.save_job(order)
                return JobSaved(order.saved.accepted.order_id)
            case ReleaseJob():
                self._journal.release_job(order.job_id, order.base, order.entries)
                return None if order.entries is None else TimetableReleased(order.job_id)
            case SaveMark() | DropMark():
                return self._mark(order)
            case CommitRecord():
                self._append(order)
            case SaveLogAck():
                self._journal.save_ack(order.epoch, order.seq, order.word)
            case SaveFloor():
                self._journal.save_floor(order.floor, order.kept)
            case KeepTrust():
                self._journal.save_trust(order.area, order.envelope, order.anchor)
            case KeepManifest():
                self._journal.save_manifest(order.scope, order.head, order.body)
            case Prune():
                self._journal.prune(order.now)
        return None

    def _failed(self, writes: list[Write], tried_before: int, error: str) -> None:
        """Nothing was written. Records stay owed, and so does what is in force or believed; who waits is told, once.

        Without its mark a bulletin that sounds would be repeated after a crash, or called missed, and with one that was
        dropped what nobody may plan any more would begin after one; a lock that was in
        force would wait for a welcome again, and a timetable whose day has come would be in force from the next restart
        on; a key that was revoked would be believed again, and so would a clock that
        is behind what was signed, and a manifest that lists what has been withdrawn since. A warning that sounds all
        the same, and was not kept, would be taken for new when it comes again.
        """
        for place, order in enumerate(writes):
            match order:
                case CommitRecord() | SaveMark(mark=Mark.FIRST_SAMPLE) | DropMark() | ReleaseJob():
                    self._owed.append(order)
                case SaveFloor() | KeepTrust() | KeepManifest():
                    self._owe(order)
                case SaveJob():
                    if place >= tried_before:
                        self._post(JournalFailed("save job", order.saved.accepted.order_id, error))
                    if is_urgent(order.saved.accepted):
                        self._owe(order)
                case SaveMark(mark=Mark.INTENT):
                    log.error("intent not saved job=%s error=%s next=it sounds all the same", order.job_id, error)
                    self._post(IntentSaved(order.job_id, order.planned, durable=False))
                case _:
                    self._post(JournalFailed(type(order).__name__, None, error))
        if self._owed:
            self._tell_owed(error)

    def _tell_owed(self, error: str) -> None:
        """When it changes, else ever more seldom: it may stay so for weeks, and the system's log holds 50,000 lines."""
        told = len(self._owed), error
        self._tries = self._tries + 1 if told == self._told else 1
        self._told = told
        if self._tries & (self._tries - 1) == 0:
            self._post(JournalFailed(f"{told[0]} writes owed, next try in {self._retry_s:.0f} s", None, error))

    def _owe(self, order: Newest) -> None:
        self._owed = [*(older for older in self._owed if not _replaces(order, older)), order]


def _replaces(order: Newest, older: Owed) -> bool:
    """Whether nobody needs ``older`` any more: so a disk that is broken for good is not owed more and more of it."""
    match order, older:
        case (SaveFloor(), SaveFloor()):
            return True
        case (KeepTrust(area=area), KeepTrust(area=of)):
            return area == of
        case (KeepManifest(scope=scope), KeepManifest(scope=of)):
            return scope == of
        case (SaveJob(), SaveJob()):
            return order.saved.accepted.order_id == older.saved.accepted.order_id
    return False
