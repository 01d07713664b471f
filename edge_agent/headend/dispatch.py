"""Send signed orders to the broker at once, and hear for some seconds what stations say to them.

Stations are heard in turn (``inbox``): one that says more than can be read in that time hides no other's answer.
It speaks under the publisher's id, so that it may be run beside a ``watch`` of the same ward.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.composing import expiry_s, topics_of
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.foresight import addressed
from edge_agent.headend.headend import PUBLISH_S
from edge_agent.headend.inbox import Inbox
from edge_agent.headend.keyring import PUBLISHER_ID, Keyring
from edge_agent.headend.listening import Heard, hear
from edge_agent.headend.noting import Handed, Noting
from edge_agent.headend.session import BrokerAddress, Message, Receipt, Session
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import ROOT, Up

Receipts = tuple[tuple[str, Receipt], ...]
"""What the broker said on each topic."""

Tell = Callable[[str, Receipt], None]


def is_taken(receipts: Receipts) -> bool:
    """Whether anybody listens on any of the topics."""
    return any(receipt is Receipt.TAKEN for _, receipt in receipts)


@dataclass(frozen=True, slots=True)
class Sent:
    """What the broker said on each topic, and, for as long as anybody waits for it, which stations answer."""

    receipts: Receipts
    _answers: Callable[[float], dict[StationId, AnswerMsg]]

    @property
    def taken(self) -> bool:
        """Whether it reached anybody's topic at all."""
        return is_taken(self.receipts)

    def answers(self, wait_s: float) -> dict[StationId, AnswerMsg]:
        """Waits until every station that the order names has answered, but no longer than ``wait_s``."""
        return self._answers(wait_s)


@contextmanager
def sending(
    keyring: Keyring,
    broker: BrokerAddress,
    envelope: bytes,
    now: UtcMs,
    noting: Noting,
    tell: Tell,
    topics: Sequence[str] = (),
    *,
    hears: bool = False,
) -> Iterator[Sent]:
    """Publish to ``topics``, else to the order's audience, ``tell`` of each, note the order; answers are heard in the
    block if ``hears``. Raises PublishError, SigningError, and what ``noting`` raises; behind the block where it is out.
    """
    order = read_order(envelope)
    expiry = expiry_s(order, now)
    wanted = {enrolled.station for enrolled in addressed(keyring.stations, order)}
    receipts: Receipts = ()
    trouble: HeadendError | None = None
    with talking(keyring, broker, (Up.ANSWER,) if hears else ()) as talk:
        try:
            with noting as handed:
                receipts = talk.publish(topics or topics_of(order), envelope, expiry, _both(handed, tell))
        except HeadendError as error:
            if not receipts:
                raise
            trouble = error  # of the books: it has gone out, and who has not obeyed it must be known first
        yield Sent(receipts, lambda wait_s: _answers(talk.heard(wait_s), digest_of(envelope), wanted))
    if trouble is not None:
        raise trouble


class Talk:
    """A session while it is open: orders go out, and what enrolled stations say to them comes in."""

    def __init__(self, keyring: Keyring, session: Session, inbox: Inbox) -> None:
        self._keyring = keyring
        self._session = session
        self._inbox = inbox

    def publish(
        self, topics: Sequence[str], envelope: bytes, expiry: int, tell: Tell = lambda _topic, _receipt: None
    ) -> Receipts:
        """Hand an order to the broker, on each topic, and ``tell`` of each at once. Raises PublishError."""
        receipts = []
        for topic in topics:
            receipt = self._session.deliver(topic, envelope, expiry, PUBLISH_S)
            receipts.append((topic, receipt))
            tell(topic, receipt)
        return tuple(receipts)

    def heard(self, wait_s: float) -> Iterator[Heard]:
        """What is said, as it comes; ends after ``wait_s``."""
        until = time.monotonic() + wait_s
        while (left := until - time.monotonic()) > 0:
            arrival = self._inbox.get(left)
            if isinstance(arrival, Message):
                heard = hear(self._keyring.stations, self._keyring.realm, arrival.topic, arrival.payload)
                if isinstance(heard, Heard):
                    yield heard


@contextmanager
def talking(keyring: Keyring, broker: BrokerAddress, kinds: Sequence[Up] = ()) -> Iterator[Talk]:
    """A session in which messages of these kinds are heard; it ends with the block."""
    inbox = Inbox()
    filters = [f"{ROOT}/u/+/{kind}" for kind in kinds]
    identity = keyring.client(PUBLISHER_ID)
    session = Session(broker, keyring.authority_path, identity, PUBLISHER_ID, inbox.put, filters, lasting=False)
    session.start()
    try:
        yield Talk(keyring, session, inbox)
    finally:
        session.stop()


def _both(handed: Handed, tell: Tell) -> Tell:
    def both(topic: str, receipt: Receipt) -> None:
        handed()
        tell(topic, receipt)

    return both


def _answers(heard: Iterator[Heard], digest: str, wanted: set[StationId]) -> dict[StationId, AnswerMsg]:
    found: dict[StationId, AnswerMsg] = {}
    while wanted - found.keys() and (one := next(heard, None)) is not None:
        if isinstance(one.said, AnswerMsg) and one.said.digest == digest:
            found[one.station] = one.said
    return found
