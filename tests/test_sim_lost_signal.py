"""A ward whose own signals have rotted on the card: nothing that was ordered is silent for it, and they come back."""

from __future__ import annotations

import pytest

from edge_agent.core.programme import ATTENTION, CLOSING, OPENING
from edge_agent.core.units import DAY_MS, ClipKey
from tests.rig import Order, Tone
from tests.sim import SimRig

DAY_S = DAY_MS // 1_000
AT_S = 3_600


def lasted(rig: SimRig, what: str) -> list[int]:
    return [round(one.end_s - one.start_s) for one in rig.heard() if (one.zone, one.what) == ("c1", what)]


@pytest.mark.parametrize("chime", [OPENING, CLOSING])
def test_a_ward_hears_each_days_programme_although_a_chime_has_rotted_and_the_chime_within_a_day(
    chime: ClipKey,
) -> None:
    rig = SimRig(framed=True)
    rig.switch_on()
    rig.run_until(1)
    rig.publish(Order(at_s=AT_S, tones=(Tone("a", 20.0),), recurring=True, days=3))
    rig.run_until(AT_S - 60)
    rig.world.card_trouble.rotten.add(chime)
    rig.run_until(2 * DAY_S + AT_S + 60)
    assert lasted(rig, "a") == [20, 20, 20]
    assert len(lasted(rig, "chime")) == 5, "two a day, one of them left out once"


def test_a_warning_of_recordings_has_its_rotten_signal_made_anew_on_receipt() -> None:
    rig = SimRig()
    rig.switch_on()
    rig.run_until(1)
    rig.world.card_trouble.rotten.add(ATTENTION)
    rig.publish(Order(tones=(Tone("a", 20.0),), cls="emergency"))
    rig.run_until(60)
    assert (lasted(rig, ATTENTION), lasted(rig, "a")) == ([6], [20])
