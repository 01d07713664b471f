"""Deviations to be planted into our own agent, one at a time: what a hasty or a hostile vendor's station would do.

Each changes one thing in the running program. CAUGHT_BY names the clause that must fail of each.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from paho.mqtt.client import MQTTMessage
from paho.mqtt.subscribeoptions import SubscribeOptions

from edge_agent.cli import agent
from edge_agent.core import commands, intake, policy, talk
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import SendAnswer
from edge_agent.core.events import Judgement, Rejected
from edge_agent.core.job import Accepted
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Link
from edge_agent.journal.port import StoredRecord
from edge_agent.sync import client, connection
from edge_agent.trust import chain, envelope, judge, keeper
from edge_agent.trust.envelope import Envelope
from edge_agent.trust.keys import PublicKey, new_signer
from edge_agent.trust.orders import OrderType
from edge_agent.upstream import Upstream


def believes_every_signature() -> None:
    """A forged order is as good as a signed one."""

    def believed(_envelope: Envelope, keys: Iterable[PublicKey]) -> frozenset[PublicKey]:
        return frozenset(keys)

    judge.signers_of = believed  # type: ignore[attr-defined]


def counts_signatures_instead_of_keys() -> None:
    """One officer who signs twice is two."""
    honest = judge.enough  # type: ignore[attr-defined]
    counted: dict[str, int] = {}
    opened = keeper.open_envelope  # type: ignore[attr-defined]

    def count(data: bytes) -> Envelope | Rejected:
        found = opened(data)
        if isinstance(found, Envelope):
            counted["signatures"] = len(found.signatures)
        return found

    keeper.open_envelope = count  # type: ignore[attr-defined]
    judge.enough = lambda role, signers: (  # type: ignore[attr-defined]
        honest(role, signers) or bool(role.keys & signers and counted["signatures"] >= role.threshold)
    )


def takes_any_base64() -> None:
    """Spare bits and blanks pass."""
    envelope._decode = lambda fields, name: base64.b64decode(str(fields.value(name)) + "==")


def names_messages_by_their_envelope() -> None:
    """The identity of a message is the hash of its envelope, which anybody on the way may write differently."""
    honest = keeper.open_envelope  # type: ignore[attr-defined]

    def opened(data: bytes) -> Envelope | Rejected:
        found = honest(data)
        return replace(found, digest=hashlib.sha256(data).hexdigest()) if isinstance(found, Envelope) else found

    keeper.open_envelope = opened  # type: ignore[attr-defined]


def knows_no_quiet_hours() -> None:
    """A correctly signed order for 03:15 is obeyed."""
    policy._CHECKS = tuple((check, reason) for check, reason in policy._CHECKS if reason is not Reason.QUIET_HOURS)


def plays_what_it_has_played() -> None:
    """A replayed order is a new one."""
    numbers = itertools.count()

    def forgetful(arrive: Callable[..., None]) -> Callable[..., None]:
        def arrives(turn: Any, event: Any, verify: Callable[[str, bytes], Judgement]) -> None:
            def anew(topic: str, payload: bytes) -> Judgement:
                found = verify(topic, payload)
                if not isinstance(found, Accepted):
                    return found
                number = next(numbers)
                return replace(found, job=replace(found.job, job_id=f"{found.job.job_id}-{number}"))

            arrive(turn, event, anew)

        return arrives

    intake.arrive = forgetful(intake.arrive)


def leaves_its_will_unsigned() -> None:
    """The will is signed, but by nobody's key."""
    honest = Upstream.will

    def will(self: Upstream, now: Now) -> bytes:
        signed, self._sign = (
            self._sign,
            lambda kind, content: envelope.sign(envelope.payload_type(kind), content, [new_signer()]),
        )
        try:
            return honest(self, now)
        finally:
            self._sign = signed

    Upstream.will = will  # type: ignore[method-assign]


def obeys_what_is_retained() -> None:
    """It asks for retained messages, and takes them for orders."""
    SubscribeOptions.RETAIN_DO_NOT_SEND = SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE
    honest = connection.Connection._on_message

    def obeys(self: Any, mqtt: Any, data: Any, message: MQTTMessage) -> None:
        message.retain = False
        honest(self, mqtt, data, message)

    connection.Connection._on_message = obeys  # type: ignore[method-assign]


def begins_every_session_anew() -> None:
    """Clean start: what was queued for it is lost."""
    from paho.mqtt.client import Client

    honest = Client.connect
    Client.connect = lambda self, *args, **words: honest(  # type: ignore[method-assign]
        self, *args, **(words | {"clean_start": True})
    )
    assert client.Client is Client, "the station connects by this class"


def believes_any_welcome() -> None:
    """Whatever nonce it has, a welcome tells the time."""

    def is_answer(_link: Link, _nonce: str) -> bool:
        return True

    talk.is_answer = is_answer


def leaves_a_gap_in_its_log() -> None:
    """Every second record is never uploaded, and those behind it no later for want of an acknowledgement."""
    talk.LOG_DOUBLINGS_MAX = 0
    honest = Upstream.records

    def records(self: Upstream, stored: tuple[StoredRecord, ...]) -> None:
        shown = tuple(one for one in stored if one.seq % 2)
        if shown:
            honest(self, shown)

    Upstream.records = records  # type: ignore[method-assign]


def answers_twice() -> None:
    """Each answer goes out two times."""
    honest = Upstream.answer

    def answer(self: Upstream, said: SendAnswer, now: Now) -> None:
        honest(self, said, now)
        honest(self, said, now)

    Upstream.answer = answer  # type: ignore[method-assign]


def keeps_rubbish_unacknowledged() -> None:
    """What it refuses it does not acknowledge, so that ten of them fill the window."""
    honest = agent.MqttSession.ack
    refused: set[object] = set()
    rejected = intake._rejected

    def note(turn: Any, found: Rejected) -> None:
        refused.update(effect.token for effect in turn.effects if hasattr(effect, "token"))
        rejected(turn, found)

    def ack(self: Any, token: Any) -> None:
        if token not in refused:
            honest(self, token)

    intake._rejected = note
    agent.MqttSession.ack = ack  # type: ignore[method-assign]


def obeys_no_cancel() -> None:
    """What was taken is played, whatever is said since."""
    commands._do = lambda *_: None


def lets_officers_write_the_policy() -> None:
    """Who may sign something may sign a regulation."""
    honest = judge.keys_for  # type: ignore[attr-defined]
    judge.keys_for = lambda trust, _order: honest(trust, OrderType.JOB)  # type: ignore[attr-defined]
    judge.who_may = lambda trust, *_: trust.roles[-1:]  # type: ignore[attr-defined]
    judge.enough = lambda *_: True  # type: ignore[attr-defined]


def believes_any_trust_document() -> None:
    """A trust document is as good as whoever carries it."""

    def believed(_envelope: Envelope, keys: Iterable[PublicKey]) -> frozenset[PublicKey]:
        return frozenset(keys)

    chain.signers_of = believed  # type: ignore[attr-defined]


DEVIATIONS: dict[str, Callable[[], None]] = {}
CAUGHT_BY: dict[str, str] = {}
for _plant, _clause in (
    (believes_every_signature, "ENV-1"),
    (counts_signatures_instead_of_keys, "ENV-5"),
    (takes_any_base64, "ENV-7"),
    (names_messages_by_their_envelope, "ENV-23"),
    (knows_no_quiet_hours, "JOB-21"),
    (plays_what_it_has_played, "REP-1"),
    (keeps_rubbish_unacknowledged, "REP-5"),
    (answers_twice, "ANS-1"),
    (leaves_a_gap_in_its_log, "LOG-14"),
    (leaves_its_will_unsigned, "SES-4"),
    (begins_every_session_anew, "SES-8"),
    (obeys_what_is_retained, "SES-10"),
    (believes_any_welcome, "HEL-4"),
    (obeys_no_cancel, "CMD-1"),
    (lets_officers_write_the_policy, "RUL-1"),
    (believes_any_trust_document, "TRU-1"),
):
    DEVIATIONS[_plant.__name__] = _plant
    CAUGHT_BY[_plant.__name__] = _clause
