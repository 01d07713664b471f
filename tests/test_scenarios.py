"""Every scenario in virtual time."""

from __future__ import annotations

import pytest

from edge_agent.headend.schemas import DOWN, UP
from tests.rig import Order, Tampering, Tone
from tests.scenarios import ALL, FITTED, Scenario
from tests.sim import BEGAN, SimRig
from tests.traffic import Tap
from tests.trust import makers


@pytest.mark.parametrize("scenario", ALL, ids=lambda scenario: scenario.__name__)
def test_in_virtual_time(scenario: Scenario) -> None:
    rig, tap = SimRig(**FITTED.get(scenario, {})), Tap()
    rig.world.broker.taps.append(tap)
    scenario(rig)
    assert tap.faults == []


def test_the_scenarios_send_every_kind_of_message_and_each_is_as_its_schema_says() -> None:
    rig, tap = SimRig(), Tap()
    rig.world.broker.taps.append(tap)
    rig.switch_on()
    rig.publish(Order(tones=(Tone("a", 3),)))
    rig.publish(Order(tones=(Tone("b", 3),)), Tampering(other_ward=True))
    rig.command(what="ask", day="2026-10-02")
    rig.window("silence", 10_000, 20_000)
    rig.regulate()
    rig.world.broker.publish(makers.JOB_TOPIC, makers.signed_timetable(issued_at=BEGAN, not_before=BEGAN))
    rig.run_until(700)
    rig.kill_agent()
    rig.run_until(720)
    assert tap.faults == []
    assert {kind for kind, count in tap.seen.items() if count > 0} == {*DOWN, *UP}
    assert tap.seen["heartbeat"] >= 2
    assert not rig.told().states[-1]["online"], "the will is traffic too"


def test_the_tap_names_what_is_not_as_its_schema_says() -> None:
    tap = Tap()
    tap("loa/1/u/dt-01/hello", makers.signed(makers.ack_dict(station="Tram"), ["officer"]))
    assert 'loa/1/u/dt-01/hello: station: 1 to 64 of a-z, 0-9 and -, not "Tram"' in tap.faults
    assert "loa/1/u/dt-01/hello: nonce: missing" in tap.faults
