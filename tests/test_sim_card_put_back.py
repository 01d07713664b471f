"""A whole station whose card is put back, copied or replaced, and a broker that sends it what it has heard before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rig import LEFT, Order, Tone
from tests.sim import SimRig
from tests.traffic import Tap
from tests.trust import makers

BULLETIN = Order(tones=(Tone("a", 20.0),), late_limit_s=600)
FLOOD = Order(cls="emergency", tones=(Tone("b", 20.0),))


def heard(rig: SimRig) -> list[str]:
    """What has sounded in the left zone, in order."""
    return [one.what for one in rig.heard() if one.zone == LEFT]


def at_work(**fitted: Any) -> SimRig:
    """A station that has been welcomed, and has played and reported something."""
    rig = SimRig(**fitted)
    rig.world.supervised = True
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(tones=(Tone("c", 5.0),)))
    rig.run_until(60)
    return rig


def off(rig: SimRig) -> None:
    """The power is cut, and stays so until ``switch_on``."""
    rig.world.supervised = False
    rig.world.cut_power()
    rig.world.supervised = True


def put_back(rig: SimRig, copy: Any) -> None:
    """Somebody writes the old copy on the card."""
    off(rig)
    rig.world.disk.committed = copy
    rig.world.headend.card_was_put_back = True
    rig.switch_on()


def reasons(rig: SimRig, job: str) -> list[str | None]:
    """What the station answered to an order, in turn."""
    return [one["reason"] for one in rig.told().answers if one["job_id"] == job]


@pytest.mark.parametrize("replayed_at", ["at once", "later"])
def test_a_bulletin_that_was_heard_does_not_sound_again_when_the_card_is_put_back(replayed_at: str) -> None:
    rig = at_work()
    copy = rig.world.disk.committed
    job = rig.publish(BULLETIN)
    rig.run_until(120)
    assert heard(rig) == ["c", "a"]
    put_back(rig, copy)
    if replayed_at == "at once":
        rig.replay(job)
    rig.run_until(200)
    rig.replay(job)
    rig.run_until(400)
    assert heard(rig) == ["c", "a"]
    assert "maybe_heard" in reasons(rig, job)


def replayed_on_a_new_card(rig: SimRig, order: Order) -> str:
    """It sounds, the card is replaced by an empty one, and it comes again; its id."""
    job = rig.publish(order)
    rig.run_until(120)
    off(rig)
    rig.world.disk.tear()
    rig.switch_on()
    rig.run_until(200)
    rig.replay(job)
    rig.run_until(400)
    return job


def test_what_a_card_that_was_put_back_says_is_as_its_schema_says() -> None:
    """Its record is about no order. A server that holds each batch to the schema would have taken no log any more."""
    rig, tap = at_work(), Tap()
    copy = rig.world.disk.committed
    rig.publish(BULLETIN)
    rig.run_until(120)
    rig.world.broker.taps.append(tap)
    put_back(rig, copy)
    rig.run_until(240)
    assert [record["digest"] for record in rig.told().records if record["kind"] == "chain"] == [""]
    assert tap.seen["log"] > 0
    assert tap.faults == []


def test_a_new_card_does_not_play_again_what_the_old_one_played() -> None:
    rig = at_work()
    job = replayed_on_a_new_card(rig, BULLETIN)
    assert (heard(rig), reasons(rig, job)[-1]) == (["c", "a"], "maybe_heard")


def test_a_station_that_was_put_back_works_on_and_its_log_is_whole_again() -> None:
    rig = at_work()
    copy = rig.world.disk.committed
    rig.publish(BULLETIN)
    rig.run_until(120)
    put_back(rig, copy)
    rig.run_until(200)
    again = rig.publish(BULLETIN)
    rig.run_until(400)
    assert heard(rig) == ["c", "a", "a"]
    headend = rig.world.headend
    assert headend.broken == ""
    old, told = headend.lost_epochs[-1], headend.records
    assert [one["kind"] for one in told if one["kind"] == "chain"] == ["chain"]
    assert f"seq={len(old)} " in next(one["detail"] for one in told if one["kind"] == "chain")
    assert [one["outcome"] for one in told if one["job_id"] == again] == ["succeeded"]


def test_a_card_that_was_put_back_and_wrote_on_without_a_network_is_found_by_its_hash() -> None:
    rig = at_work(chip=True)
    for at_s in (300, 360):
        rig.publish(Order(at_s=at_s, tones=(Tone("b", 5.0),)))
    rig.run_until(70)
    copy = rig.world.disk.committed
    job = rig.publish(BULLETIN)
    rig.run_until(120)
    put_back(rig, copy)
    rig.cut_network()
    rig.run_until(500)
    assert heard(rig) == ["c", "a", "b", "b"]
    assert rig.world.disk.committed.head.seq > len(rig.told().records), "longer than what the server holds"
    rig.restore_network()
    rig.run_until(600)
    rig.replay(job)
    rig.run_until(700)
    assert heard(rig) == ["c", "a", "b", "b"]
    told = rig.told().records
    assert sorted(one["kind"] for one in told) == ["chain", "play", "play", "refusal"], "what it wrote alone has come"
    assert rig.world.headend.broken == ""


def test_what_was_acknowledged_to_the_card_before_keeps_no_record_of_this_one_from_the_centre() -> None:
    """The broker has kept the centre's word for records with the same numbers, or had it still to bring."""
    rig = at_work(chip=True)
    alone = rig.publish(Order(at_s=300, tones=(Tone("b", 5.0),)))
    rig.run_until(70)
    copy, kept = rig.world.disk.committed, []
    rig.world.broker.taps.append(lambda topic, payload: kept.append(payload) if topic == makers.ACK_TOPIC else None)
    rig.publish(BULLETIN)
    rig.run_until(120)
    put_back(rig, copy)
    rig.cut_network()
    rig.run_until(500)
    rig.world.headend.welcoming = False
    rig.restore_network()
    rig.run_until(640)
    rig.world.broker.publish(makers.ACK_TOPIC, kept[-1])
    rig.run_until(650)
    rig.allow_welcome()
    rig.run_until(700)
    assert [one["outcome"] for one in rig.told().records if one["job_id"] == alone] == ["succeeded"]


def test_an_emergency_within_its_validity_may_sound_again_on_a_card_that_was_put_back() -> None:
    """Said so in the protocol: whoever signs welcomes must not be able to silence a warning."""
    rig = at_work()
    copy = rig.world.disk.committed
    job = rig.publish(FLOOD)
    rig.run_until(120)
    put_back(rig, copy)
    rig.run_until(200)
    rig.replay(job)
    rig.run_until(400)
    assert heard(rig).count("b") == 2


def test_an_emergency_within_its_validity_may_sound_again_on_a_new_card() -> None:
    """The same of a station that was reset, or whose card was replaced."""
    rig = at_work()
    replayed_on_a_new_card(rig, FLOOD)
    assert heard(rig).count("b") == 2
