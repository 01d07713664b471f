"""A station whose card takes no sound any more, as real processes: a flood is told all the same, by its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.programme import ATTENTION
from tests.host_rig import HostRig
from tests.rig import SPEECH, Order
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
