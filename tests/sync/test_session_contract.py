"""What every session promises the runtime, held against the fake and against Mosquitto over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.events import AckToken, Connected, Disconnected, MessageArrived
from tests.sync.rigs import AREA, STATION, FakeRig, Rig, mosquitto_rig, network_of

JOB = f"loa/1/d/{STATION}/job"
AREA_JOB = f"loa/1/area/{AREA}/job"
STATE = f"loa/1/u/{STATION}/state"


@pytest.fixture(params=["fake", pytest.param("mosquitto", marks=pytest.mark.host)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    with network_of(tmp_path) as network, mosquitto_rig(network) as real:
        yield real


def reconnected(rig: Rig) -> Connected:
    rig.cut()
    rig.mend()
    return rig.inbox.next(Connected)


def test_each_connection_is_a_new_epoch_with_a_fresh_nonce(rig: Rig) -> None:
    first = rig.inbox.next(Connected)
    second = reconnected(rig)
    assert second.epoch > first.epoch
    assert second.nonce != first.nonce
    assert len(first.nonce) == len(second.nonce) == 32
    assert set(first.nonce + second.nonce) <= set("0123456789abcdef")


@pytest.mark.parametrize("topic", [JOB, AREA_JOB, "loa/1/area/vn/job", f"loa/1/d/{STATION}/welcome"])
def test_a_message_arrives_untouched(rig: Rig, topic: str) -> None:
    epoch = rig.inbox.next(Connected).epoch
    rig.send(topic, b"\x00 order")
    arrived = rig.inbox.next(MessageArrived)
    assert (arrived.topic, arrived.payload, arrived.token.epoch) == (topic, b"\x00 order", epoch)


def test_an_acknowledged_message_does_not_come_again(rig: Rig) -> None:
    rig.inbox.next(Connected)
    rig.send(JOB, b"first")
    rig.session.ack(rig.inbox.next(MessageArrived).token)
    # What follows on the same connection is heard, so the acknowledgement before it has arrived as well.
    assert rig.session.publish(STATE, b"after the acknowledgement", qos=1)
    rig.heard()
    rig.send(JOB, b"second")
    assert rig.inbox.next(MessageArrived).payload == b"second"
    reconnected(rig)
    assert rig.inbox.next(MessageArrived).payload == b"second"


def test_an_unacknowledged_message_comes_again_and_the_old_token_means_nothing(rig: Rig) -> None:
    rig.inbox.next(Connected)
    rig.send(JOB, b"order")
    old = rig.inbox.next(MessageArrived).token
    epoch = reconnected(rig).epoch
    again = rig.inbox.next(MessageArrived)
    assert (again.payload, again.token.epoch) == (b"order", epoch)
    rig.session.ack(old)
    reconnected(rig)
    assert rig.inbox.next(MessageArrived).payload == b"order"


def test_a_token_that_was_never_given_is_ignored(rig: Rig) -> None:
    epoch = rig.inbox.next(Connected).epoch
    rig.session.ack(AckToken(epoch, 4711))
    rig.session.ack(AckToken(epoch + 1, 1))
    rig.send(JOB, b"order")
    arrived = rig.inbox.next(MessageArrived)
    rig.session.ack(arrived.token)
    rig.session.ack(arrived.token)
    rig.send(JOB, b"next")
    assert rig.inbox.next(MessageArrived).payload == b"next"


def test_what_was_sent_while_we_were_away_arrives_after_connected(rig: Rig) -> None:
    rig.inbox.next(Connected)
    rig.cut()
    rig.send(JOB, b"away")
    seen = len(rig.inbox.seen)
    rig.mend()
    assert rig.inbox.next(MessageArrived).payload == b"away"
    later = [type(event) for event in rig.inbox.seen[seen:] if not isinstance(event, Disconnected)]
    assert later == [Connected, MessageArrived]


def test_at_most_ten_deliveries_wait_for_an_acknowledgement(rig: Rig) -> None:
    rig.inbox.next(Connected)
    for number in range(11):
        rig.send(JOB, b"%d" % number)
    first_ten = [rig.inbox.next(MessageArrived) for _ in range(10)]
    assert [each.payload for each in first_ten] == [b"%d" % number for number in range(10)]
    # A round trip on the same connection: had the eleventh been sent, it would be here by now.
    assert rig.session.publish(STATE, b"ping", qos=1)
    assert rig.heard() == (STATE, b"ping")
    assert sum(isinstance(event, MessageArrived) for event in rig.inbox.seen) == 10
    rig.session.ack(first_ten[3].token)
    assert rig.inbox.next(MessageArrived).payload == b"10"


def test_publishing_reaches_the_headend(rig: Rig) -> None:
    rig.inbox.next(Connected)
    assert rig.session.publish(STATE, b"state", qos=1, retain=True)
    assert rig.heard() == (STATE, b"state")


def test_publishing_without_a_connection_is_refused_and_never_sent_later(rig: Rig) -> None:
    rig.inbox.next(Connected)
    rig.cut()
    assert not rig.session.publish(STATE, b"too early", qos=1)
    rig.mend()
    rig.inbox.next(Connected)
    assert rig.session.publish(STATE, b"now", qos=1)
    assert rig.heard() == (STATE, b"now")


def test_a_connection_is_a_sign_of_life(rig: Rig) -> None:
    rig.inbox.next(Connected)
    assert rig.session.alive_at() > 0


def test_nothing_is_posted_or_published_after_a_proper_stop(rig: Rig) -> None:
    rig.inbox.next(Connected)
    assert rig.session.publish(STATE, b"goodbye", qos=1, retain=True)
    rig.session.stop()
    posted = len(rig.inbox.seen)
    rig.send(JOB, b"too late")
    assert not rig.session.publish(STATE, b"too late", qos=1)
    assert rig.heard() == (STATE, b"goodbye")
    assert len(rig.inbox.seen) == posted
