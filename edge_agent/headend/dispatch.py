"""Send a signed order to the broker at once, and hear for some seconds what its stations answer. Decides nothing.

It speaks under the publisher's id, so that it may be run beside a ``watch`` of the same ward.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_agent.core.units import StationId, UtcMs
from edge_agent.headend.composing import expiry_s, topics_of
from edge_agent.headend.foresight import addressed
from edge_agent.headend.headend import PUBLISH_S
from edge_agent.headend.keyring import PUBLISHER_ID, Keyring
from edge_agent.headend.listening import Heard, hear
from edge_agent.headend.session import Arrival, BrokerAddress, Message, Receipt, Session
from edge_agent.headend.signing import digest_of, read_order
from edge_agent.sync.reports import AnswerMsg
from edge_agent.sync.topics import ROOT, Up

ANSWERS = f"{ROOT}/u/+/{Up.ANSWER}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What the broker said on each topic, and which stations answered in time."""

    receipts: tuple[tuple[str, Receipt], ...]
    answers: dict[StationId, AnswerMsg] = field(default_factory=dict)

    @property
    def taken(self) -> bool:
        """Whether it reached anybody's topic at all."""
        return any(receipt is Receipt.TAKEN for _, receipt in self.receipts)


def send(
    keyring: Keyring,
    broker: BrokerAddress,
    envelope: bytes,
    now: UtcMs,
    topics: Sequence[str] = (),
    wait_s: float = 0,
) -> Sent:
    """Publish to ``topics``, else to the order's audience; wait until every station that it names has answered, but
    no longer than ``wait_s``. Raises PublishError, SigningError."""
    order = read_order(envelope)
    expiry = expiry_s(order, now)
    inbox: queue.Queue[Arrival] = queue.Queue()
    identity = keyring.client(PUBLISHER_ID)
    filters = (ANSWERS,) if wait_s > 0 else ()
    session = Session(broker, keyring.authority_path, identity, PUBLISHER_ID, inbox.put, filters, lasting=False)
    session.start()
    try:
        receipts = [
            (topic, session.deliver(topic, envelope, expiry, PUBLISH_S)) for topic in topics or topics_of(order)
        ]
        wanted = {enrolled.station for enrolled in addressed(keyring.stations, order)}
        answers = _answers(keyring, inbox, digest_of(envelope), wanted, time.monotonic() + wait_s)
    finally:
        session.stop()
    return Sent(tuple(receipts), answers)


def _answers(
    keyring: Keyring, inbox: queue.Queue[Arrival], digest: str, wanted: set[StationId], until: float
) -> dict[StationId, AnswerMsg]:
    found: dict[StationId, AnswerMsg] = {}
    while wanted - found.keys() and (left := until - time.monotonic()) > 0:
        try:
            arrival = inbox.get(timeout=left)
        except queue.Empty:
            break
        if isinstance(arrival, Message):
            heard = hear(keyring.stations, keyring.realm, arrival.topic, arrival.payload)
            if isinstance(heard, Heard) and isinstance(heard.said, AnswerMsg) and heard.said.digest == digest:
                found[heard.station] = heard.said
    return found
