"""A warning that the card refused for a moment sounds all the same, and is remembered as one that has sounded."""

from __future__ import annotations

import pytest

from tests.rig import Order, Tone
from tests.sim import SimRig


@pytest.mark.parametrize("stopped", [False, True], ids=["heard to its end", "stopped by its officer"])
@pytest.mark.parametrize("refused", [False, True], ids=["a card that takes it", "a card that refuses it for 3 s"])
def test_what_was_heard_is_not_heard_again_when_it_comes_again_behind_a_power_cut(refused: bool, stopped: bool) -> None:
    rig = SimRig()
    rig.switch_on()
    rig.run_until(60)
    rig.world.disk.full = refused
    warning = rig.publish(Order(cls="emergency", tones=(Tone("lu", 10),)))
    rig.run_until(63)
    rig.world.disk.full = False
    rig.run_until(66)
    if stopped:
        rig.command(what="stop")
    rig.run_until(120)
    heard = rig.heard()
    assert heard
    rig.cut_power()
    rig.run_until(130)
    rig.world.boot()
    rig.run_until(200)
    rig.replay(warning)
    rig.run_until(400)
    assert rig.heard() == heard
    assert [one["verdict"] for one in rig.told().answers if one["job_id"] == warning] == ["accepted", "known"]
