"""A whole station whose broker keeps the welcomes, or is not there: the home server tells the time over HTTPS."""

from __future__ import annotations

from tests.rig import Order, Tone
from tests.sim import SimRig, ward_roles
from tests.trust import makers

BULLETIN = Order(tones=(Tone("a", 20.0),), late_limit_s=600)


def greeted_at_home() -> SimRig:
    """Nobody answers by the broker; the home server would."""
    rig = SimRig(home=True)
    rig.world.home.greets = True
    rig.world.home.renew()
    return rig


def test_a_broker_that_keeps_every_welcome_keeps_no_bulletin_from_the_street() -> None:
    rig = greeted_at_home()
    rig.switch_on(welcome=False)
    rig.run_until(1)
    job = rig.publish(BULLETIN)
    rig.run_until(300)
    assert [one["outcome"] for one in rig.told().records if one["job_id"] == job] == ["succeeded"]


def test_without_any_broker_the_timetable_plays_by_the_home_servers_time() -> None:
    rig = SimRig(home=True)
    rig.world.home.greets = True
    rig.world.supervised = True
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=1_000, tones=(Tone("a", 20.0),)))
    rig.run_until(10)
    rig.world.broker.stop()
    rig.world.cut_power(for_ms=1_000)
    rig.run_until(1_100)
    agent = rig.world.agent
    assert agent is not None
    assert (agent.connected, agent.now().trusted, agent.state.welcomed) == (False, True, True)
    assert {one.what for one in rig.heard()} == {"a"}


def test_a_home_server_that_greets_nobody_leaves_new_orders_waiting() -> None:
    rig = greeted_at_home()
    rig.world.home.greets = False
    rig.switch_on(welcome=False)
    rig.run_until(1)
    rig.publish(BULLETIN)
    rig.run_until(300)
    assert rig.heard() == []


def test_a_revocation_that_the_broker_keeps_back_comes_from_the_home_server() -> None:
    rig = greeted_at_home()
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=7_200, tones=(Tone("a", 20.0),)))
    rig.run_until(60)
    roles = ward_roles()
    without_the_officer = makers.trust_document(version=2, **(roles | {"roles": roles["roles"][1:]}))
    rig.world.home.newer = [makers.signed_trust(without_the_officer, "holder")]
    rig.world.home.renew()
    rig.run_until(3_700)
    assert [one["reason"] for one in rig.told().records if one["job_id"] == job] == ["key_revoked"]
    assert rig.world.agent is not None
    assert [head.version for head in rig.world.agent.state.trust.heads] == [2]
