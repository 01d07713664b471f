"""Keep what was published while it may be obeyed, and a day longer: to send it again, and to know what is taken back.

One directory of envelopes, named by the order's id. They are no secrets: every station has them. What is over goes
aside, named by its end too, and not away: this machine's clock may have been ahead, and stations obey what was taken
for over. Left out of a manifest it would be withdrawn. One writes at a time (a lock): two orders may go out at once,
and `watch` lists what is kept meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edge_agent.core.job import Job
from edge_agent.core.order import Cancel, Command, Timetable
from edge_agent.core.units import DAY_MS, UtcMs
from edge_agent.durable import EVERYBODY_READS, write_durably
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.files import Stamp, alone, make_private_directory, stamp
from edge_agent.headend.given import Given, heading_of
from edge_agent.headend.signing import SigningError, digest_of, read_order
from edge_agent.trust.fields import NAME

KEPT_AFTER_MS = DAY_MS
# A lock holds for hours after its command has lapsed, and is taken back by its id.
OVER = "over"


class OutboxError(HeadendError):
    """The directory cannot be written, or an order has the id of another one."""


class Outbox:
    """What is in the directory of a ward's published orders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keep(self, envelope: bytes, now: UtcMs) -> Stamp | None:
        """Remember an order that goes out now, and put aside those that nobody obeys any more; None: it was here.

        Another order of its id stays: stations have that one, and refuse a second (``id_reused``).
        """
        order_id = _id_of(envelope)
        with self._alone():
            self.check(envelope, now)
            is_new = _read(self._lies_at(order_id, now)) is None
            self._put_aside(now)
            path = self._place(order_id)
            if _kept(path) != envelope:
                write_durably(path, envelope, EVERYBODY_READS)
            return stamp(path) if is_new else None

    def went_out(self, envelope: bytes) -> None:
        """A broker has it: whoever hands it over at another terminal, and fails, must not forget it any more."""
        with self._alone():
            path = self._place(_id_of(envelope))
            write_durably(path, _kept(path) or envelope, EVERYBODY_READS)

    def forget(self, envelope: bytes, written: Stamp) -> None:
        """Of an order that was new here, and has reached nobody, at no other terminal either."""
        with self._alone():
            path = self._place(_id_of(envelope))
            if stamp(path) == written:
                path.unlink()

    def check(self, envelope: bytes, now: UtcMs) -> None:
        """Raises OutboxError where another order has its id. The same one may come with more signatures."""
        path = self._lies_at(_id_of(envelope), now)
        there = _kept(path)
        if there is not None and digest_of(there) != digest_of(envelope):
            told = "mã này là của lệnh khác đã gửi / another order was published by this id"
            raise OutboxError(f"{path}: {told}; ký lại với mã khác / sign it anew, by another id")

    def find(self, order_id: str, now: UtcMs) -> Given | None:
        """The order of that id, None where it was not published from here, or is long over."""
        return _read(self._lies_at(order_id, now)) if NAME.pattern.fullmatch(order_id) else None

    def entry(self, job_id: str, now: UtcMs) -> Job | None:
        """The entry of that id in the newest timetable published from here that lists it."""
        orders = [order for order in map(read_order, self._all(now)) if isinstance(order, Timetable)]
        orders.sort(key=lambda order: order.heading.serial, reverse=True)
        return next((job for order in orders for job in order.jobs if job.job_id == job_id), None)

    def envelopes(self, now: UtcMs) -> list[bytes]:
        """Everything that is kept, while nothing is put aside or brought back: that would be in neither place."""
        with self._alone():
            return self._all(now)

    def _all(self, now: UtcMs) -> list[bytes]:
        paths = [*sorted(self.directory.glob("*.json")), *self._too_early(now)]
        return [envelope for envelope in map(_kept, paths) if envelope is not None]

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            make_private_directory(self.directory)
            with alone(self.directory.with_name(f"{self.directory.name}.lock")):
                yield
        except OSError as error:
            told = "không ghi được sổ lệnh đã gửi / the book of published orders cannot be written"
            raise OutboxError(f"{self.directory}: {told} ({error.strerror})") from error

    def _place(self, order_id: str) -> Path:
        return self.directory / f"{order_id}.json"

    def _lies_at(self, order_id: str, now: UtcMs) -> Path:
        place = self._place(order_id)
        if place.exists():
            return place
        return next((path for path in self._too_early(now) if _name_of(path) == place.name), place)

    def _put_aside(self, now: UtcMs) -> None:
        for path in self._too_early(now):
            path.replace(self.directory / _name_of(path))
        for path in self.directory.glob("*.json"):
            order = _read(path)
            if order is not None and (until := _counts_until(order)) + KEPT_AFTER_MS < now:
                make_private_directory(self.directory / OVER)
                path.replace(self.directory / OVER / f"{until}-{path.name}")

    def _too_early(self, now: UtcMs) -> list[Path]:
        """What lies aside and is not over, by a clock that was set right; by their names, for they are many."""
        aside = sorted((self.directory / OVER).glob("*-*.json"))
        return [path for path in aside if _end_of(path) + KEPT_AFTER_MS >= now and not self._has(_name_of(path))]

    def _has(self, name: str) -> bool:
        return (self.directory / name).exists()


def _end_of(aside: Path) -> int:
    end = aside.name.partition("-")[0]
    return int(end) if end.isdecimal() else 0


def _name_of(aside: Path) -> str:
    return aside.name.partition("-")[2]


def _id_of(envelope: bytes) -> str:
    return heading_of(read_order(envelope)).order_id


def _counts_until(order: Given) -> UtcMs:
    """Until when it may be obeyed; a cancel holds for as long as what it has taken back could come again."""
    not_after = heading_of(order).not_after
    if isinstance(order, Command) and isinstance(order.action, Cancel):
        return max(not_after, order.action.until)
    return not_after


def _read(path: Path) -> Given | None:
    envelope = _kept(path)
    return None if envelope is None else read_order(envelope)


def _kept(path: Path) -> bytes | None:
    """The envelope; None where none is, or none of an order."""
    try:
        envelope = path.read_bytes()
        read_order(envelope)
    except (OSError, SigningError):
        return None
    return envelope
