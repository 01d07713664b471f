"""A station whose signing key is gone, over real parts: it warns, is shown as it is, and tells of all of it later."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.ward import STATION
from tests.host_rig import HostRig
from tests.rig import ATTENTION, LEFT, RIGHT, SPEECH, Order, Tone

pytestmark = [pytest.mark.host, pytest.mark.live]

ANSWERED_S_MAX = 20
# With a key; long before the bulletin is due.


def test_a_station_that_cannot_sign_warns_and_plays_and_its_records_come_once_it_can(tmp_path: Path) -> None:
    with HostRig(tmp_path) as rig:
        rig.switch_on()
        bulletin = rig.publish(Order(at_s=28, tones=(Tone("a", 3.0),)))
        assert rig.ward.headend.wait_for(lambda: bool(rig.ward.headend.answers(bulletin)), ANSWERED_S_MAX)
        key = rig.ward.keyring.folder(STATION).sign
        gone = key.rename(tmp_path / "gone")
        restarted(rig)
        rig.run_until(11)
        flood = rig.publish(Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay."))
        rig.run_until(34)
        assert "trung tâm không nhận được gì từ trạm" in " ".join(rig.ward.command("status").split())
        assert rig.told().records == []
        gone.rename(key)
        restarted(rig)
        rig.run_until_told(bulletin, 60)
    for zone in (LEFT, RIGHT):
        assert [one.what for one in rig.heard() if one.zone == zone] == [ATTENTION, SPEECH, "a"]
    told = [(one["job_id"], one["outcome"], one["reason"]) for one in rig.told().records]
    assert told == [(flood, "succeeded", None), (bulletin, "succeeded", None)]


def restarted(rig: HostRig) -> None:
    """Both processes, as after a power cut."""
    rig.cut_power()
    rig.switch_on()
