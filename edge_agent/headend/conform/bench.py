"""One station on the bench: sends to it, keeps everything it says, and waits for what should come.

While it waits it stands in for the headend: other stations are welcomed and their records kept as ever; the station on
the bench is welcomed and acknowledged only while a trial wants it. Judges nothing.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeVar

from edge_agent.core.events import Rejected
from edge_agent.core.units import SECOND_MS, StationId, UtcMs
from edge_agent.headend.conform.content import Content
from edge_agent.headend.conform.orders import Order, Orders
from edge_agent.headend.conform.pace import Pace
from edge_agent.headend.conform.relay import Relay
from edge_agent.headend.conform.verdicts import CannotTry
from edge_agent.headend.desk import Desk, LogTrouble
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.listening import Heard, LogBatch, Unheard, hear
from edge_agent.headend.logbook import Logbook
from edge_agent.headend.schemas import faults
from edge_agent.headend.session import Arrival, LinkDown, Message, Receipt
from edge_agent.sync.reports import AnswerMsg, StateMsg
from edge_agent.sync.topics import ROOT, Down, Up, down_topic
from edge_agent.trust.envelope import open_envelope
from edge_agent.trust.strict_json import WireError, parse

DELIVER_S = 30
LOOK_S = 0.5
# How long one look into the queue waits, so that a deadline is met.

T = TypeVar("T")


class BenchError(HeadendError):
    """The run cannot go on, and says nothing about the station."""


class Line(Protocol):
    """The way to the broker (``hand.Hand``)."""

    arrivals: queue.SimpleQueue[tuple[float, Arrival]]

    def send(self, topic: str, payload: bytes, expiry_s: int | None = None) -> bool: ...

    def deliver(self, topic: str, payload: bytes, expiry_s: int | None, timeout_s: float) -> Receipt: ...

    def ask_anew(self) -> None: ...

    def lay(self, topic: str, payload: bytes, *, qos: int, retain: bool) -> None: ...

    def forget(self, topic: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A message of the station as it came. ``claims`` is its payload, believed or not; {} where it cannot be read."""

    number: int
    at_s: float
    utc: UtcMs
    kind: str
    qos: int
    retained: bool
    raw: bytes
    heard: Heard | Unheard
    claims: Mapping[str, Any]

    @property
    def told(self) -> Mapping[str, Any]:
        """The payload of a message that is signed and in its form; {} of any other."""
        return self.claims if isinstance(self.heard, Heard) else {}

    @property
    def answer(self) -> AnswerMsg | None:
        """What it answers, if it is an answer."""
        said = self.heard.said if isinstance(self.heard, Heard) else None
        return said if isinstance(said, AnswerMsg) else None

    @property
    def state(self) -> StateMsg | None:
        """The state it tells, if it is a state."""
        said = self.heard.said if isinstance(self.heard, Heard) else None
        return said if isinstance(said, StateMsg) else None

    @property
    def batch(self) -> LogBatch | None:
        """The records in it, if it is a batch."""
        said = self.heard.said if isinstance(self.heard, Heard) else None
        return said if isinstance(said, LogBatch) else None


@dataclass(slots=True)
class Serving:
    """What the station on the bench is given by itself."""

    welcomes: bool = True
    acks: bool = True


@dataclass(slots=True)
class Bench:
    """Everything that a trial works with. ``take_over`` ends the station's session by its own certificate;
    ``answers_due`` is how often each order may be answered, by its digest."""

    line: Line
    desk: Desk
    logbook: Logbook
    orders: Orders
    pace: Pace
    take_over: Callable[[], Any]
    content: Content | None = None
    relay: Relay | None = None
    audible: bool = False
    clock: Callable[[], float] = time.monotonic
    serving: Serving = field(default_factory=Serving)
    seen: list[Seen] = field(default_factory=list)
    answers_due: dict[str, int] = field(default_factory=dict)
    troubles: list[LogTrouble] = field(default_factory=list)
    _sent_s: dict[str, float] = field(default_factory=dict)
    _acts: dict[Callable[..., Any], Any] = field(default_factory=dict)

    @property
    def station(self) -> StationId:
        return self.orders.station.station

    @property
    def topic(self) -> str:
        """Where the station's own orders come."""
        return down_topic(self.station, Down.JOB)

    def act(self, scene: Callable[[Bench], T]) -> T:
        """What several clauses look at: played once in a run, however many of them are asked for."""
        if scene not in self._acts:
            self._acts[scene] = self._played(scene)
        outcome = self._acts[scene]
        if isinstance(outcome, CannotTry):
            raise outcome
        found: T = outcome
        return found

    def _played(self, scene: Callable[[Bench], T]) -> T | CannotTry:
        try:
            return scene(self)
        except CannotTry as reason:
            return reason

    def send(self, order: Order, topic: str = "", expiry_s: int | None = None) -> int:
        """Publish an order properly (QoS 1, not retained). Returns the mark from which its answer is to be sought."""
        mark = len(self.seen)
        if order.readable:
            self._expect(order.digest)
        self.line.deliver(topic or self.topic, order.envelope, expiry_s, DELIVER_S)
        return mark

    def say(self, kind: Down, envelope: bytes, digest: str = "") -> int:
        """Publish a welcome or an acknowledgement of the trial's own making; with ``digest`` it must be answered."""
        mark = len(self.seen)
        if digest:
            self._expect(digest)
        self.line.deliver(down_topic(self.station, kind), envelope, None, DELIVER_S)
        return mark

    def _expect(self, digest: str) -> None:
        self.answers_due[digest] = self.answers_due.get(digest, 0) + 1
        self._sent_s[digest] = self.clock()

    def _line_broke(self, known_s: float) -> None:
        """Whoever's line broke cannot tell what of the last messages arrived: order and answer may come again (QoS 1).

        That it broke is known by ``known_s``, when a hello comes or the kit's own session is lost.
        """
        since = known_s - self.pace.back_s_max - self.pace.answer_s
        for digest, sent_s in self._sent_s.items():
            self.answers_due[digest] += sent_s >= since

    def wait(self, wanted: Callable[[Seen], bool], seconds: float, since: int = 0) -> Seen | None:
        """The first message from mark ``since`` on that is wanted; None when it does not come in time.

        In time is what has arrived in time, however long the kit took for what came before it.
        """
        until = self.clock() + seconds
        at = since
        while True:
            while at < len(self.seen):
                if wanted(self.seen[at]):
                    return self.seen[at]
                at += 1
            left = max(0.0, until - self.clock())
            came_s = self._look(min(left, LOOK_S))
            if left <= 0 if came_s is None else came_s > until:
                return None

    def settle(self, seconds: float) -> None:
        """Let time pass, and take in what comes."""
        self.wait(lambda _: False, seconds, len(self.seen))

    def of(self, kind: Up, since: int = 0) -> list[Seen]:
        """The messages of a kind from a mark on."""
        return [one for one in self.seen[since:] if one.kind == kind]

    def answers(self, digest: str, since: int = 0) -> list[AnswerMsg]:
        """Every answer to an order so far."""
        said = [one.answer for one in self.of(Up.ANSWER, since)]
        return [answer for answer in said if answer is not None and answer.digest == digest]

    def records(self, digest: str) -> list[Mapping[str, Any]]:
        """The records about an order so far, each place in the log once; those in their form only (LOG-17)."""
        found = {(batch.epoch, one.seq): one for batch in self.batches() for one in batch.records}
        bodies = [parse(found[place].body) for place in sorted(found)]
        return [body for body in bodies if body.get("digest") == digest and not faults("record", body)]

    def batches(self, since: int = 0) -> list[LogBatch]:
        """Every upload so far."""
        return [batch for one in self.of(Up.LOG, since) if (batch := one.batch) is not None]

    def record(self, digest: str, seconds: float) -> Mapping[str, Any] | None:
        """Wait for the first record about an order."""
        self.wait(lambda _: bool(self.records(digest)), seconds, max(0, len(self.seen) - 1))
        return next(iter(self.records(digest)), None)

    def begin(self) -> None:
        """Wait for the station's first word; what waited at the broker from before counts for nothing."""
        self.line.ask_anew()
        first = self.wait(lambda one: one.kind == Up.STATE and one.retained, self.pace.show_s)
        self.settle(LOOK_S)
        if first is not None:
            del self.seen[: first.number]
        self.seen = [replace(one, number=number) for number, one in enumerate(self.seen)]
        if not self._there():
            self._await_connection()
        self._await_welcome()

    def _there(self) -> bool:
        """Whether the station seems to be connected, by its last state, and through the relay where there is one."""
        newest = self.newest_state()
        through = self.relay is None or self.relay.joined > 0
        return newest is not None and newest.told.get("online") is True and through

    def _await_connection(self) -> None:
        born = self.wait(lambda one: one.told.get("online") is True, self.pace.back_s_max, len(self.seen))
        if born is None:
            through = "" if self.relay is None else f" through port {self.relay.port}"
            raise BenchError(
                f"không nghe thấy trạm / no word of station {self.station} on {ROOT}/u/{self.station}/…: đã kết nối "
                f"chưa? / is it connected{through}?"
            )

    def _await_welcome(self) -> None:
        """A station that was switched on before the kit may know no time until it asks again, and keeps what comes
        unjudged until then. Whether it ever takes a welcome is a clause of its own."""
        newest = self.newest_state()
        if newest is None or newest.told.get("welcomed") is not True:
            patience_s = self.pace.hello_again_s + self.pace.slack_s
            self.wait(lambda one: one.told.get("welcomed") is True, patience_s, len(self.seen))

    def newest_state(self) -> Seen | None:
        """What the station said of itself last."""
        told = [one for one in self.of(Up.STATE) if one.state is not None]
        return told[-1] if told else None

    def needs_audible(self) -> None:
        """For trials that sound a horn."""
        if not self.audible:
            raise CannotTry("it would sound the horns: --audible allows it")
        self.orders.by_day()

    def needs_content(self) -> Content:
        """For trials in which the station fetches something."""
        if self.content is None:
            raise CannotTry("the station must reach a content server of the kit: --content HOST:PORT")
        return self.content

    def _look(self, seconds: float) -> float | None:
        """Take in what comes next, and say when it came; None when nothing does."""
        try:
            at_s, arrival = self.line.arrivals.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(arrival, LinkDown) and arrival.for_good:
            raise BenchError(
                f"mất phiên / the session was lost: {arrival.detail}; có `watch` đang chạy ở nơi khác? / is a `watch` "
                "running elsewhere?"
            )
        if isinstance(arrival, LinkDown):
            self._line_broke(at_s)
        if isinstance(arrival, Message):
            self._take(at_s, arrival)
        return at_s

    def _take(self, at_s: float, message: Message) -> None:
        ours = message.topic.startswith(f"{ROOT}/u/{self.station}/")
        if ours:
            self.seen.append(self._seen(at_s, message))
            if self.seen[-1].kind == Up.HELLO:
                self._line_broke(at_s)
        noted, replies = self.desk.take(message.topic, message.payload, self.orders.now())
        for reply in replies:
            if not ours or self._served(reply.topic):
                self.line.send(reply.topic, reply.envelope)
        if ours:
            self.troubles += [one for one in noted if isinstance(one, LogTrouble)]

    def _served(self, topic: str) -> bool:
        return self.serving.acks if topic.endswith(f"/{Down.ACK}") else self.serving.welcomes

    def _seen(self, at_s: float, message: Message) -> Seen:
        keyring = self.orders.keyring
        return Seen(
            number=len(self.seen),
            at_s=at_s,
            utc=UtcMs(self.orders.now() - round((self.clock() - at_s) * SECOND_MS)),
            kind=message.topic.rpartition("/")[2],
            qos=message.qos,
            retained=message.retained,
            raw=message.payload,
            heard=hear(keyring.stations, keyring.realm, message.topic, message.payload),
            claims=_payload(message.payload),
        )


def _payload(message: bytes) -> Mapping[str, Any]:
    """What the message says, believed or not."""
    opened = open_envelope(message)
    if isinstance(opened, Rejected):
        return {}
    try:
        return parse(opened.payload)
    except WireError:
        return {}
