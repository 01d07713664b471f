"""A whole station that fetched its audio ahead: no network when it is to be made ready, nor when it is to sound."""

from __future__ import annotations

from typing import Any

from edge_agent.core.units import DAY_MS
from tests.rig import Order, Tone
from tests.sim import SimRig, clip_key

DAY_S = DAY_MS // 1_000
AT_S = 5 * DAY_S + 3_600
KEY = clip_key("a", 20.0)


def fetched_ahead(**order: Any) -> SimRig:
    """Ordered for five days on; a night and a day have passed, and the network is gone since."""
    rig = SimRig()
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=AT_S, tones=(Tone("a", 20.0),), **order))
    rig.run_until(1.5 * DAY_S)
    rig.cut_network()
    return rig


def lies_there(rig: SimRig) -> tuple[bool, bool]:
    """The original, and the sound that is made of it."""
    return KEY in rig.world.originals, KEY in rig.world.cache


def test_a_bulletin_of_next_week_lies_there_as_it_was_signed_and_sounds_though_the_network_is_gone_for_days() -> None:
    rig = fetched_ahead()
    assert lies_there(rig) == (True, False)
    rig.run_until(AT_S - 36 * 3_600 - 60)
    assert lies_there(rig) == (True, False)
    rig.run_until(AT_S - 36 * 3_600 + 60)
    assert lies_there(rig) == (True, True)
    rig.run_until(AT_S + 60)
    assert {(one.zone, one.what) for one in rig.heard()} == {("c1", "a"), ("c2", "a")}


def test_a_power_cut_on_the_eve_loses_neither_the_original_nor_its_sound() -> None:
    rig = fetched_ahead()
    rig.run_until(AT_S - 6 * 3_600)
    rig.world.supervised = True
    rig.world.cut_power(for_ms=60_000)
    rig.restore_network()
    rig.world.content.down = True
    rig.run_until(AT_S + 60)
    assert {one.what for one in rig.heard()} == {"a"}


def test_sound_that_rots_is_made_anew_of_the_original_without_a_network() -> None:
    """What is found while it plays ends that; the next day's is whole."""
    rig = fetched_ahead(recurring=True, days=2)
    rig.run_until(AT_S - 3_600)
    rig.world.cache.pop(KEY)
    rig.world.card_trouble.rotten.add(KEY)
    rig.run_until(AT_S + 120)
    assert lies_there(rig) == (True, True), "made anew"
    rig.world.card_trouble.rotten.clear()
    rig.run_until(AT_S + DAY_S + 60)
    lasted = [round(one.end_s - one.start_s) for one in rig.heard() if one.zone == "c1"]
    assert lasted[-1] == 20
    assert max(lasted[:-1]) < 20
