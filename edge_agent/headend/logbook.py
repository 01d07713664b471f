"""Keep the stations' records: one JSONL file each, appended and synced before anything is acknowledged.

A batch is taken only where it continues the chain that is held already; a record that was taken is never changed or
taken twice (requirement U4). Each line has its place, the hash before it and its own; who signed them, ``proof`` keeps.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from edge_agent.durable import append_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import alone, make_private_directory
from edge_agent.headend.listening import LogBatch, read_record
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import GENESIS, ChainPoint, Damage, verify_chain
from edge_agent.sync.reports import LogCursor
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import LOG_EPOCH_OR_NOTHING
from edge_agent.trust.strict_json import WireError, dump, parse

RESTORE = "lấy lại tệp từ bản sao lưu, hoặc chuyển tệp đi chỗ khác / {}; restore the file, or move it away"
NO_CURSOR = LogCursor("", 0, "")
"""What a station is told of which nothing is held."""
LOCK = "records.lock"
BLOCK_BYTES = 64 * 1_024
# As long as the longest line, which came in one packet: the first look mostly finds the end of one.
CHAINS_MAX = 128
# Of one box: it begins a chain when its journal was damaged. Our word of 128 chains still fits an envelope (64 KiB).


class LogbookError(HeadendError):
    """The file on disk is not as it was written; the text names the line and what to do."""


def disk_refused(path: Path, error: OSError) -> str:
    """What a person must know: nothing is lost, for the station keeps what it has no word of ours for."""
    return f"{path}: {error.strerror}; nothing was acknowledged, the station sends it again; look at the disk"


class BatchDoubt(StrEnum):
    """Why a batch is not taken."""

    GAP = "gap"  # records between what is held and what came are missing
    REWRITTEN = "rewritten"  # a record that is held already came again with other content
    BROKEN = "broken"  # the batch itself does not hold together
    CHAINS = "chains"  # one more journal of this box than CHAINS_MAX was damaged


@dataclass(frozen=True, slots=True)
class Taken:
    """The batch is on disk; ``new`` was not there before, ``cursor`` may be acknowledged."""

    new: tuple[StoredRecord, ...]
    cursor: LogCursor


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Nothing was stored. ``cursor`` is what is held."""

    doubt: BatchDoubt
    detail: str
    cursor: LogCursor


@dataclass(frozen=True, slots=True)
class HeldChain:
    """What is held of one epoch: everything behind ``before``, up to and with ``head``."""

    epoch: str
    before: ChainPoint
    head: ChainPoint


@dataclass(slots=True)
class _Chain:
    """The hashes held of one epoch; the first belongs to the record behind ``before``."""

    before: ChainPoint
    hashes: list[str] = field(default_factory=list)

    def head(self) -> ChainPoint:
        return ChainPoint(self.before.seq + len(self.hashes), self.hashes[-1])

    def hash_at(self, seq: int) -> str | None:
        place = seq - self.before.seq - 1
        return self.hashes[place] if 0 <= place < len(self.hashes) else None


class StationLog:
    """One station's file. Made by ``Logbook``, for the one writer; ``to_write`` False only reads and checks."""

    def __init__(self, path: Path, *, to_write: bool = True) -> None:
        self._path = path
        self._chains: dict[str, _Chain] = {}
        self._newest: str | None = None
        if to_write:
            _cut_torn_end(path)
        self._left = _stamp(path)
        for number, record in enumerate(read_lines(path), 1):
            if _fault([record], self._end(record)):
                raise LogbookError(f"{path}:{number}: chuỗi bị đứt ở đây, {RESTORE.format('the chain is broken here')}")
            self._remember(record)

    def is_as_left(self) -> bool:
        """Whether nobody else has written, moved or restored the file since."""
        return _stamp(self._path) == self._left

    def cursor(self, epoch: str | None = None) -> LogCursor:
        """What is held of ``epoch``; of the newest chain that has a name when that is None or unknown."""
        asked = epoch if epoch in self._chains else self._newest
        if asked is None:
            return NO_CURSOR
        head = self._chains[asked].head()
        return LogCursor(asked, head.seq, head.hash)

    def held(self) -> tuple[HeldChain, ...]:
        """Every chain, in the order in which their first records came."""
        return tuple(HeldChain(epoch, chain.before, chain.head()) for epoch, chain in self._chains.items())

    def hash_at(self, epoch: str, seq: int) -> str | None:
        """The hash of a record; None where it is not held."""
        chain = self._chains.get(epoch)
        return chain.hash_at(seq) if chain else None

    def add(self, batch: LogBatch, earlier: Collection[str] = ()) -> Taken | NotTaken:
        """Store what is new of a batch, durably, or say why nothing was.

        ``earlier``: the chains of boxes that stood there before. They leave the present one as many as any.
        """
        begun = sum(epoch not in earlier for epoch in self._chains)
        if batch.epoch not in self._chains and begun >= CHAINS_MAX:
            return self._refuse(BatchDoubt.CHAINS, f"{CHAINS_MAX} chains are held: look at the station's card", batch)
        for record in batch.records:
            held = self.hash_at(record.epoch, record.seq)
            if held is not None and held != record.hash:
                return self._refuse(BatchDoubt.REWRITTEN, f"record {record.seq} is held with another hash", batch)
        # What is held among the new ones too: the day's bytes and the proof both go by the record that comes last.
        if fault := _fault(batch.records, _before(batch.records[0])):
            return self._refuse(*fault, batch)
        new = [record for record in batch.records if self.hash_at(record.epoch, record.seq) is None]
        if new and new[0].seq == 1 and new[0].prev != GENESIS:
            # Only here: what an earlier version took is in the file, and no reason to take nothing more.
            return self._refuse(BatchDoubt.BROKEN, "record 1: it names a record before it", batch)
        if new and (fault := _fault(new, self._end(new[0]))):
            return self._refuse(*fault, batch)
        if new:
            self._append(b"".join(line_of(record) for record in new))
        for record in new:
            self._remember(record)
        return Taken(tuple(new), self.cursor(batch.epoch))

    def _append(self, lines: bytes) -> None:
        """All of it, durably, or nothing: half a line would spoil whatever comes behind it.

        What the disk has refused must not be read back as held either: it would be acknowledged. So what cannot be
        taken away again ends the process; the next one cuts it off.
        """
        size = self._path.stat().st_size if self._path.exists() else 0
        try:
            append_durably(self._path, lines)
        except OSError as error:
            if self._path.exists():
                os.truncate(self._path, size)
            raise LogbookError(disk_refused(self._path, error)) from error
        self._left = _stamp(self._path)

    def _refuse(self, doubt: BatchDoubt, detail: str, batch: LogBatch) -> NotTaken:
        held = self.cursor(batch.epoch)
        return NotTaken(doubt, detail, held if held.epoch == batch.epoch else NO_CURSOR)

    def _end(self, record: StoredRecord) -> ChainPoint:
        """Where the chain ends that the record is of."""
        chain = self._chains.get(record.epoch)
        # A chain that is new to us may begin anywhere: its earlier records were acknowledged to another headend.
        return chain.head() if chain else _before(record)

    def _remember(self, record: StoredRecord) -> None:
        self._chains.setdefault(record.epoch, _Chain(_before(record))).hashes.append(record.hash)
        if record.epoch:  # in a welcome the empty name says that nothing is held
            self._newest = record.epoch


def _before(record: StoredRecord) -> ChainPoint:
    """The place that it follows, by its own word."""
    return ChainPoint(record.seq - 1, record.prev)


def _fault(records: Sequence[StoredRecord], start: ChainPoint) -> tuple[BatchDoubt, str] | None:
    """Why they are no chain that goes on from ``start``."""
    fault = verify_chain(records, start)
    if fault is None:
        return None
    if fault.damage is Damage.CUT:
        return BatchDoubt.GAP, f"record {fault.seq} is missing"
    return BatchDoubt.BROKEN, f"record {fault.seq}: {fault.damage}"


class Logbook:
    """A directory with one ``<station>.jsonl`` for each station."""

    def __init__(self, directory: Path) -> None:
        make_private_directory(directory)
        self.directory = directory
        self._logs: dict[str, StationLog] = {}

    def of(self, station: str) -> StationLog:
        """The log of an enrolled station. Raises LogbookError if its file is damaged, or the disk does not give it."""
        path = self.directory / f"{station}.jsonl"
        try:
            if station not in self._logs or not self._logs[station].is_as_left():
                self._logs[station] = StationLog(path)
        except OSError as error:
            raise LogbookError(disk_refused(path, error)) from error
        return self._logs[station]

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Whoever reads in order to write, or may cut a torn end off, is in here, and no other `watch` with him.

        One takes over from the other, or each has a broker of its own: what both wrote would stand there twice.
        """
        with ExitStack() as held:
            try:
                held.enter_context(alone(self.directory / LOCK))
            except OSError as error:
                raise LogbookError(disk_refused(self.directory / LOCK, error)) from error
            yield

    def records(self, station: str) -> tuple[StoredRecord, ...]:
        """Everything held of a station, in the order of arrival."""
        return tuple(read_lines(self.directory / f"{station}.jsonl"))


def checked_records(path: Path) -> tuple[StoredRecord, ...]:
    """The records of a file that somebody else may be writing. Raises LogbookError where the chain does not hold."""
    StationLog(path, to_write=False)
    return tuple(read_lines(path))


def read_lines(path: Path) -> Iterator[StoredRecord]:
    """The records of a file, hashes unchecked; none if it is not there. Raises LogbookError for a line that is none.

    Records of an epoch without a name are read as well: an earlier version took them, and what was taken stays.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return  # it is being written, or a power cut tore it
            try:
                fields = Fields(parse(line))
                yield read_record(fields, fields.text("epoch", LOG_EPOCH_OR_NOTHING))
            except WireError as error:
                raise LogbookError(f"{path}:{number}: dòng hỏng, {RESTORE.format(error)}") from error


def line_of(record: StoredRecord) -> bytes:
    """The one way to write a record: a line that is written otherwise was not written here."""
    body = dict(parse(record.body))
    whole = {"epoch": record.epoch, "seq": record.seq, "prev": record.prev, "hash": record.hash, "body": body}
    return dump(whole) + b"\n"


def _stamp(path: Path) -> tuple[int, int] | None:
    """Which file it is, and how long; None: there is none."""
    try:
        file = path.stat()
    except FileNotFoundError:
        return None
    return file.st_ino, file.st_size


def _cut_torn_end(path: Path) -> None:
    """A power cut may leave the last line unfinished. It was never acknowledged, so the station sends it again."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        whole = _end_of_lines(file, size)
        if whole < size:
            file.truncate(whole)
            os.fsync(file.fileno())


def _end_of_lines(file: BinaryIO, size: int) -> int:
    """Where the last whole line ends. Looked for from the end: a file of a year may be larger than the memory."""
    end = size
    while end > 0:
        begin = max(0, end - BLOCK_BYTES)
        file.seek(begin)
        found = file.read(end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
