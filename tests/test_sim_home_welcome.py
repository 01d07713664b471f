"""A whole station whose broker keeps the welcomes, or is not there: the home server tells the time over HTTPS."""

from __future__ import annotations

import pytest

from edge_agent.core.reasons import Reason
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


def root_of_another_server(version: int) -> bytes:
    """What is signed when the server's key was stolen."""
    robbed, other = (makers.signer(name) for name in ("server", "another server"))
    roles = ward_roles()
    by_another = [
        role | {"keyids": [other.keyid]} if role["keyids"] == [robbed.keyid] else role for role in roles["roles"]
    ]
    named = roles | {"roles": by_another, "keys": [*roles.get("keys", ()), other.public]}
    return makers.signed_trust(makers.trust_document(version=version, **named), "holder")


@pytest.mark.parametrize("roots", [1, 3])
def test_roots_that_name_another_server_than_the_thief_of_its_key_and_of_the_broker_come_over_https_alone(
    roots: int,
) -> None:
    rig = greeted_at_home()
    rig.switch_on()
    rig.run_until(1)
    rig.world.broker.stop()
    home = rig.world.home
    home.newer = [root_of_another_server(2 + step) for step in range(roots)]
    home.signs = "another server"
    rig.publish(Order(at_s=6 * 3_600, tones=(Tone("a", 20.0),)))
    rig.run_until(2 * 3_600)
    agent = rig.world.agent
    assert agent is not None
    assert [head.version for head in agent.state.trust.heads] == [1 + roots]
    assert agent.state.home.trouble == {}
    rig.run_until(7 * 3_600)
    assert {one.what for one in rig.heard()} == {"a"}


def test_a_forged_head_makes_a_station_ask_for_the_next_root_once_an_hour_and_no_more() -> None:
    rig = greeted_at_home()
    rig.switch_on()
    rig.run_until(60)
    home = rig.world.home
    assert "/root/2" not in home.asked
    home.signs = "a stranger"
    home.renew()
    rig.run_until(60 + 4 * 3_600)
    assert home.asked.count("/root/2") == 4
    assert {path for path in home.asked if path.startswith("/root/")} == {"/root/2"}


def test_a_forged_root_from_the_home_is_refused_and_changes_nothing() -> None:
    rig = greeted_at_home()
    rig.switch_on()
    rig.run_until(60)
    home = rig.world.home
    home.signs = "another server"
    home.renew()
    document = makers.trust_document(version=2, **ward_roles())
    home.files["/root/2"] = makers.signed_trust(document, "another server")
    rig.run_until(2 * 3_600)
    agent = rig.world.agent
    assert agent is not None
    assert [head.version for head in agent.state.trust.heads] == [1]
    assert set(agent.state.home.trouble.values()) == {Reason.SIGNATURE_INVALID}
