"""A whole station whose content server has put other bytes where the signed ones were: what that costs of the SIM.

Or that never sends the last of them: that is called unreachable, and costs as much.
"""

from __future__ import annotations

import pytest

from tests.rig import LEFT, Order, Tone
from tests.sim import SimRig, clip_key

DAY_S = 86_400
EVERY_DAY_S = 8 * 3_600
DAYS = 6
KEY = clip_key("a", 20.0)
TRIES_A_DAY_MAX = 12
# Six in the first hours, then one every three to six.


@pytest.fixture(params=["altered", "unfinished"])
def mood(request: pytest.FixtureRequest) -> str:
    """What the server does with the file: other bytes, or never the last one."""
    return str(request.param)


REASONS = {"altered": "audio_altered", "unfinished": "audio_unreachable"}


def ordered(mood: str) -> tuple[SimRig, str]:
    """A programme for every day, which the server does not give as it was signed."""
    rig = SimRig()
    getattr(rig.world.content, mood).add(KEY)
    rig.switch_on()
    rig.run_until(1)
    return rig, rig.publish(Order(at_s=EVERY_DAY_S, recurring=True, days=DAYS, tones=(Tone("a", 20.0),)))


def test_such_a_server_is_asked_some_times_a_day_and_each_day_says_why_it_was_silent(mood: str) -> None:
    """What never sends the last byte was called unreachable: 196 files a day, none counted among the day's bytes."""
    rig, job = ordered(mood)
    rig.run_until(DAY_S)
    first = rig.world.content.sent[KEY]
    rig.run_until(5 * DAY_S)
    assert 3 <= first <= TRIES_A_DAY_MAX
    assert 4 <= rig.world.content.sent[KEY] - first <= 4 * TRIES_A_DAY_MAX
    reasons = [one["reason"] for one in rig.told().records if one["job_id"] == job]
    assert reasons == [REASONS[mood]] * 5


def test_once_the_signed_bytes_are_there_it_sounds(mood: str) -> None:
    rig, _ = ordered(mood)
    rig.run_until(2 * DAY_S)
    getattr(rig.world.content, mood).clear()
    rig.run_until(3 * DAY_S)
    assert [round(one.start_s) for one in rig.heard() if one.zone == LEFT] == [EVERY_DAY_S + 2 * DAY_S]
