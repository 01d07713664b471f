"""What every session promises the runtime, held against the fake and against Mosquitto over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.core.events import AckToken, Connected, Disconnected, MessageArrived
from tests.sync.rigs import AREA, QUEUED_MAX, STATION, FakeRig, Rig, mosquitto_rig, network_of

JOB = f"loa/1/d/{STATION}/job"
AREA_JOB = f"loa/1/area/{AREA}/job"
STATE = f"loa/1/u/{STATION}/state"
ANSWER = f"loa/1/u/{STATION}/answer"


@pytest.fixture(params=["fake", pytest.param("mosquitto", marks=pytest.mark.host)])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig()
        return
    with network_of(tmp_path, QUEUED_MAX) as network, mosquitto_rig(network) as real:
        yield real


def reconnected(rig: Rig) -> Connected:
    rig.cut()
    rig.mend()
    return rig.inbox.next(Connected)


def round_trip(rig: Rig) -> None:
    """What follows on the same connection is heard, so whatever was acknowledged before it has arrived as well."""
    assert rig.session.publish(STATE, b"round trip", qos=1)
    assert rig.heard() == (STATE, b"round trip")


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
    round_trip(rig)
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
    round_trip(rig)
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


def test_an_old_token_does_not_acknowledge_another_delivery_of_the_same_number(rig: Rig) -> None:
    """A broker that has lost its memory counts anew: the number alone would take an order that nobody has saved."""
    rig.inbox.next(Connected)
    rig.send(JOB, b"saved")
    old = rig.inbox.next(MessageArrived).token
    rig.restart(wiped=True)
    rig.inbox.next(Connected)
    rig.send(JOB, b"not saved")
    fresh = rig.inbox.next(MessageArrived)
    assert (fresh.payload, fresh.token.mid) == (b"not saved", old.mid)
    rig.session.ack(old)
    round_trip(rig)
    reconnected(rig)
    assert rig.inbox.next(MessageArrived).payload == b"not saved"


def test_a_restarted_broker_brings_again_what_was_not_acknowledged_and_nothing_else(rig: Rig) -> None:
    epoch = rig.inbox.next(Connected).epoch
    for payload in (b"first", b"second", b"third"):
        rig.send(JOB, payload)
    tokens = [rig.inbox.next(MessageArrived).token for _ in range(3)]
    rig.session.ack(tokens[1])
    round_trip(rig)
    rig.restart()
    assert rig.inbox.next(Connected).epoch > epoch
    rig.send(JOB, b"fourth")
    assert [rig.inbox.next(MessageArrived).payload for _ in range(3)] == [b"first", b"third", b"fourth"]


def test_a_wiped_broker_has_forgotten_us_and_serves_us_again(rig: Rig) -> None:
    rig.inbox.next(Connected)
    rig.send(JOB, b"forgotten")
    old = rig.inbox.next(MessageArrived).token
    rig.restart(wiped=True)
    epoch = rig.inbox.next(Connected).epoch
    rig.session.ack(old)
    rig.send(AREA_JOB, b"sent again by who was not answered")
    arrived = rig.inbox.next(MessageArrived)
    assert (arrived.payload, arrived.token.epoch) == (b"sent again by who was not answered", epoch)
    assert rig.session.publish(STATE, b"answer", qos=1)
    assert rig.heard() == (STATE, b"answer")


def test_of_a_flood_past_the_queue_the_first_arrive_in_order_and_what_is_lost_stays_unanswered(rig: Rig) -> None:
    """The broker calls every one of them taken. Only the answers tell the headend which ones a station has."""
    rig.inbox.next(Connected)
    rig.cut()
    sent = [b"order %d" % number for number in range(2 * QUEUED_MAX)]
    for payload in sent:
        rig.send(JOB, payload)
    rig.mend()
    rig.inbox.next(Connected)
    answered = [answered_by(rig) for _ in range(QUEUED_MAX)]
    assert answered == sent[:QUEUED_MAX]
    rig.send(JOB, b"the last word")
    assert answered_by(rig) == b"the last word", "more was kept than the queue holds, or the line is dead"
    missing = [payload for payload in sent if payload not in answered]
    for payload in missing:
        rig.send(JOB, payload)
    assert [answered_by(rig) for _ in missing] == missing


def answered_by(rig: Rig) -> bytes:
    """The next order that arrives is acknowledged and answered; what the headend hears of it."""
    arrived = rig.inbox.next(MessageArrived)
    rig.session.ack(arrived.token)
    assert rig.session.publish(ANSWER, arrived.payload, qos=1)
    topic, heard = rig.heard()
    if topic == STATE:
        assert heard == b"will"  # it was away for longer than its will waits
        topic, heard = rig.heard()
    assert topic == ANSWER
    return heard


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


def test_nothing_is_posted_or_published_after_a_proper_stop(rig: Rig) -> None:
    rig.inbox.next(Connected)
    assert rig.session.publish(STATE, b"goodbye", qos=1, retain=True)
    rig.session.stop()
    posted = len(rig.inbox.seen)
    rig.send(JOB, b"too late")
    assert not rig.session.publish(STATE, b"too late", qos=1)
    assert rig.heard() == (STATE, b"goodbye")
    assert len(rig.inbox.seen) == posted
