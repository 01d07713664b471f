"""A station whose card takes no sound any more, as real processes: a flood is told all the same, by its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.programme import ATTENTION
from tests.host_rig import HostRig
from tests.rig import SPEECH, Order, Tone
from tests.scenarios import LEFT, records_of, sounds

pytestmark = [pytest.mark.host, pytest.mark.live]


def test_a_warnings_words_sound_where_the_card_takes_none(tmp_path: Path) -> None:
    with HostRig(tmp_path) as rig:
        audio = rig.ward.folder / "state" / "audio"
        audio.mkdir(parents=True)
        (audio / "pcm").write_text("what a card that has gone read-only comes to, for root too")
        rig.switch_on()
        rig.run_until(1)
        flood = rig.publish(Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay."))
        rig.run_until(16)
        assert [sound.what for sound in sounds(rig, LEFT)] == [ATTENTION, SPEECH]
        (record,) = records_of(rig, flood)
        assert record["outcome"] == "succeeded"
        assert "sound not kept on the card" in rig.ward.agent_log()


def test_a_station_that_starts_on_a_card_that_takes_nothing_warns_by_all_that_is_left(tmp_path: Path) -> None:
    """No journal, no sound and no signal can be had of it: neither from before, nor for later."""
    with HostRig(tmp_path) as rig:
        (rig.ward.folder / "state").write_text("no folder can be made here, by root neither")
        rig.switch_on()
        rig.run_until(1)
        flood = rig.publish(Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay."))
        bulletin = rig.publish(Order(at_s=14, tones=(Tone("a", 3.0),)))
        rig.run_until(18)
        assert [sound.what for sound in sounds(rig, LEFT)] == [SPEECH]
        answers = {answer["job_id"]: (answer["verdict"], answer["reason"]) for answer in rig.told().answers}
        assert answers[bulletin] == ("refused", "not_saved")
        assert "journal not to be had" in rig.ward.agent_log()
        assert "emergency not saved, not accepted, sounds all the same" in rig.ward.agent_log(), flood
