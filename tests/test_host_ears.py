"""A whole station with an ear at one horn, over real parts: what is heard there, and what is not, ends up upstream."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.ward import Fitting
from edge_agent.headend.listening import Heard
from edge_agent.sync.reports import StateMsg
from tests.host_rig import HostRig
from tests.rig import LEFT, RIGHT, Order, Tone
from tests.scenarios import records_of

LISTENS_ON_THE_LEFT = 'ear = "station_out"\near_channel = "left"'
TONES = Order(tones=(Tone("a", 1.5), Tone("b", 1.5)))


@pytest.mark.host
@pytest.mark.live
def test_what_an_ear_hears_and_what_it_does_not_is_in_the_record_and_in_the_state(tmp_path: Path) -> None:
    """The right zone's ear hangs at the left horn: it hears what is for both, and nothing of what is for its own."""
    with HostRig(tmp_path, fitting=Fitting(framed=False, ears={RIGHT: LISTENS_ON_THE_LEFT})) as rig:
        rig.switch_on()
        both = rig.publish(TONES)
        rig.run_until_told(both, 60)
        broken = rig.publish(Order(tones=TONES.tones, zones=(RIGHT,)))
        rig.run_until_told(broken, 60)
        states = [
            one.said.zones
            for one in rig.ward.headend.noted
            if isinstance(one, Heard) and isinstance(one.said, StateMsg)
        ]
    (first,), (second,) = records_of(rig, both), records_of(rig, broken)
    assert first["outcome"] == second["outcome"] == "succeeded"
    left, right = first["zones"]
    assert (left["zone"], left["evidence"], left.get("level_db")) == (LEFT, 3, None)
    assert (right["zone"], right["evidence"], right["reason"]) == (RIGHT, 4, None)
    assert -40 < right["level_db"] <= 0
    (dead,) = [zone for zone in second["zones"] if zone["zone"] == RIGHT]
    assert (dead["evidence"], dead["reason"], dead["level_db"]) == (3, "not_heard", -96)
    words = {zone: [one.heard for zones in states for one in zones if one.zone == zone] for zone in (LEFT, RIGHT)}
    assert list(dict.fromkeys(words[RIGHT])) == [None, True, False]
    assert set(words[LEFT]) == {None}
