"""The central side in one object: listens, welcomes, keeps records, publishes orders. For ``watch`` and the demo.

One thread of its own takes what the session brings, of each station in turn (``inbox``), hands it to the desk and sends
the replies; what was noted is remembered here (bounded) and told to ``on_noted``, whose faults end nothing here.
Whoever waits for something uses ``wait_for``.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from types import TracebackType

from edge_agent.core.units import JobId, StationId, UtcMs
from edge_agent.headend.composing import compose, expiry_s, topics_of
from edge_agent.headend.content import Shelf
from edge_agent.headend.desk import Desk, Kept, Noted, Presence
from edge_agent.headend.drafting import Finished
from edge_agent.headend.given import heading_of
from edge_agent.headend.inbox import Inbox, Overrun
from edge_agent.headend.keyring import HEADEND_ID, Keyring
from edge_agent.headend.listening import Heard
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.session import Arrival, BrokerAddress, LinkDown, LinkUp, Message, PublishError, Receipt, Session
from edge_agent.headend.signing import read_order
from edge_agent.journal.port import StoredRecord
from edge_agent.sync.reports import AnswerMsg, StateMsg
from edge_agent.sync.topics import ROOT

LISTENS_TO = (f"{ROOT}/u/+/#",)
NOTED_MAX = 10_000
# What is remembered for whoever asks later; records themselves are on disk.
NOTED_BYTES_MAX = 16 * 1_024 * 1_024
# Of the messages that told it: 10,000 of the usual 1.6 kB. Read, a message takes five times its length in memory
# (measured); 10,000 of the largest, all from one station, would take some 2 GB.
PUBLISH_S = 30
WHY_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class Untold:
    """Something was noted, and telling it failed: our own fault. ``what`` was to be told, ``detail`` says why not."""

    station: str
    what: str
    detail: str


Shown = Noted | LinkUp | LinkDown | Overrun | Untold


def utc_now() -> UtcMs:
    """The central side's own clock, kept by its system."""
    return UtcMs(time.time_ns() // 1_000_000)


class Headend:
    """A running central side; a context manager. Everything public may be used from any thread."""

    def __init__(
        self,
        keyring: Keyring,
        address: BrokerAddress,
        records: Path,
        shelf: Shelf | None = None,
        on_noted: Callable[[Shown], None] = lambda _: None,
        clock: Callable[[], UtcMs] = utc_now,
    ) -> None:
        self.keyring = keyring
        self.logbook = Logbook(records)
        self.noted: deque[Shown] = deque()
        self._told_by: deque[int] = deque()  # of how many bytes each of them was told
        self._noted_bytes = 0
        self.states: dict[StationId, StateMsg] = {}
        self.ended = ""
        self._desk = Desk(keyring, self.logbook)
        self._shelf = shelf
        self._on_noted = on_noted
        self._clock = clock
        self._changed = threading.Condition()
        self._inbox = Inbox()
        identity = keyring.client(HEADEND_ID)
        self._session = Session(address, keyring.authority_path, identity, HEADEND_ID, self._inbox.put, LISTENS_TO)
        self._thread = threading.Thread(target=self._run, name="headend", daemon=True)

    def start(self, timeout_s: float = PUBLISH_S) -> None:
        """Connect and begin to listen. Raises PublishError when the broker does not take us in time."""
        self._thread.start()
        self._session.start()
        try:
            self._session.wait_until_up(timeout_s)
        except PublishError:
            self.stop()
            raise

    def stop(self) -> None:
        """Say goodbye to the broker; records and the broker's queue for us stay."""
        self._session.stop()
        if self._thread.is_alive():
            self._inbox.put(None)
            self._thread.join()

    def compose(self, draft: Mapping[str, object], keys: Sequence[str], base: Path = Path()) -> tuple[Finished, bytes]:
        """Sign a draft without publishing it."""
        return compose(self.keyring, draft, keys, self._shelf, self._clock(), base)

    def publish_order(self, draft: Mapping[str, object], keys: Sequence[str], base: Path = Path()) -> JobId:
        """Sign a draft of any kind and publish it to its whole audience; returns its id when the broker has it."""
        finished, envelope = self.compose(draft, keys, base)
        self.publish(envelope)
        return heading_of(finished.order).order_id

    def publish(self, envelope: bytes, *topics: str) -> tuple[Receipt, ...]:
        """Publish a signed order as it is, to ``topics`` or else to its audience. Raises PublishError, SigningError."""
        order = read_order(envelope)
        return tuple(
            self.publish_raw(envelope, topic, expiry_s(order, self._clock())) for topic in topics or topics_of(order)
        )

    def publish_raw(self, payload: bytes, topic: str, expiry: int | None = None) -> Receipt:
        """Publish any bytes: for tests of what stations refuse."""
        return self._session.deliver(topic, payload, expiry, PUBLISH_S)

    def wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until ``condition`` holds; it is looked at whenever something was noted. False when time is up."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def answers(self, job_id: str = "") -> list[tuple[StationId, AnswerMsg]]:
        """What stations said to an order of any kind (to all of them, without an id), oldest first."""
        heard = [one for one in self._all_noted() if isinstance(one, Heard)]
        said = [(one.station, one.said) for one in heard if isinstance(one.said, AnswerMsg)]
        return [(station, answer) for station, answer in said if job_id in ("", answer.job_id)]

    def presence(self, station: str) -> Presence | None:
        """Whether a station is there, and since which word of its own."""
        return self._desk.presence.get(StationId(station))

    def records(self, station: str) -> list[StoredRecord]:
        """The records of a station that came while this object was running, in the order of arrival."""
        kept = [one for one in self._all_noted() if isinstance(one, Kept) and one.station == station]
        return [record for one in kept for record in one.new]

    def __enter__(self) -> Headend:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while (arrival := self._inbox.get()) is not None:
                self._note(self._handle(arrival), len(arrival.payload) if isinstance(arrival, Message) else 0)
        finally:  # whoever waits must learn that nothing will be noted any more
            self._end("stopped")

    def _handle(self, arrival: Arrival | Overrun) -> list[Shown]:
        if not isinstance(arrival, Message):
            return [arrival]
        noted, replies = self._desk.take(arrival.topic, arrival.payload, self._clock())
        for reply in replies:
            # When it cannot be sent now, the station will ask again.
            self._session.send(reply.topic, reply.envelope)
        return [*noted]

    def _all_noted(self) -> list[Shown]:
        with self._changed:
            return list(self.noted)

    def _end(self, why: str) -> None:
        with self._changed:
            self.ended = self.ended or why
            self._changed.notify_all()

    def _note(self, noted: Sequence[Shown], size_bytes: int) -> None:
        with self._changed:
            for one in noted:
                self._remember(one, size_bytes)
                if isinstance(one, Heard) and isinstance(one.said, StateMsg):
                    self.states[one.station] = one.said
            self._changed.notify_all()
        for one in noted:
            self._tell(one)
            if isinstance(one, LinkDown) and one.for_good:
                self._end(one.detail)

    def _remember(self, one: Shown, size_bytes: int) -> None:
        self.noted.append(one)
        self._told_by.append(size_bytes)
        self._noted_bytes += size_bytes
        while len(self.noted) > NOTED_MAX or self._noted_bytes > NOTED_BYTES_MAX:
            self.noted.popleft()
            self._noted_bytes -= self._told_by.popleft()

    def _tell(self, one: Shown) -> None:
        """Whatever goes wrong with the telling: stations are answered all the same.

        What one station has said must not leave every other one without time and acknowledgements; and a restart would
        be no way out, for the broker hands a state that nobody can tell to each new process again.
        """
        try:
            self._on_noted(one)
        except Exception as error:  # noqa: BLE001
            with contextlib.suppress(Exception):  # then nobody reads what we say
                self._on_noted(Untold(getattr(one, "station", ""), type(one).__name__.lower(), _where_and_why(error)))


def _where_and_why(error: Exception) -> str:
    """words.py:110: OverflowError(…), on one line."""
    at = extract_tb(error.__traceback__)[-1]
    return f"{Path(at.filename).name}:{at.lineno}: {error!r}"[:WHY_CHARS_MAX]
