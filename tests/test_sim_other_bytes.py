"""A whole station whose content server has put other bytes where the signed ones were: what that costs of the SIM.

Or that never sends the last of them: that is called unreachable, and costs as much.
"""

from __future__ import annotations

from tests.rig import LEFT, Order, Tone
from tests.sim import SimRig, clip_key

DAY_S = 86_400
EVERY_DAY_S = 8 * 3_600
DAYS = 6
KEY = clip_key("a", 20.0)
TRIES_A_DAY_MAX = 12
# Six in the first hours, then one every three to six.


def ordered(**fitted: int) -> tuple[SimRig, str]:
    """A programme for every day, of which the server has another version."""
    rig = SimRig(**fitted)
    rig.world.content.altered.add(KEY)
    return switched_on(rig)


def switched_on(rig: SimRig) -> tuple[SimRig, str]:
    rig.switch_on()
    rig.run_until(1)
    return rig, rig.publish(Order(at_s=EVERY_DAY_S, recurring=True, days=DAYS, tones=(Tone("a", 20.0),)))


def test_a_server_with_other_bytes_is_asked_some_times_a_day_and_each_day_says_why_it_was_silent() -> None:
    rig, job = ordered()
    rig.run_until(DAY_S)
    first = rig.world.content.sent[KEY]
    rig.run_until(5 * DAY_S)
    assert 3 <= first <= TRIES_A_DAY_MAX
    assert 4 <= rig.world.content.sent[KEY] - first <= 4 * TRIES_A_DAY_MAX
    reasons = [one["reason"] for one in rig.told().records if one["job_id"] == job]
    assert reasons == ["audio_altered"] * 5


def test_once_the_right_ones_are_there_it_sounds() -> None:
    rig, _ = ordered()
    rig.run_until(2 * DAY_S)
    rig.world.content.altered.clear()
    rig.run_until(3 * DAY_S)
    assert [round(one.start_s) for one in rig.heard() if one.zone == LEFT] == [EVERY_DAY_S + 2 * DAY_S]


def unfinished(**fitted: int) -> tuple[SimRig, str]:
    """A programme for every day, of which the server never sends the last byte."""
    rig = SimRig(**fitted)
    rig.world.content.unfinished.add(KEY)
    return switched_on(rig)


def test_a_server_that_never_sends_the_last_byte_is_not_asked_every_ten_minutes_for_all_the_others() -> None:
    """It was called unreachable: 196 files a day, and none counted among the day's bytes."""
    rig, job = unfinished()
    rig.run_until(DAY_S)
    first = rig.world.content.sent[KEY]
    rig.run_until(5 * DAY_S)
    assert 3 <= first <= TRIES_A_DAY_MAX
    assert 4 <= rig.world.content.sent[KEY] - first <= 4 * TRIES_A_DAY_MAX
    reasons = [one["reason"] for one in rig.told().records if one["job_id"] == job]
    assert reasons == ["audio_unreachable"] * 5


def test_once_the_last_byte_is_sent_it_sounds() -> None:
    rig, _ = unfinished()
    rig.run_until(2 * DAY_S)
    rig.world.content.unfinished.clear()
    rig.run_until(3 * DAY_S)
    assert [round(one.start_s) for one in rig.heard() if one.zone == LEFT] == [EVERY_DAY_S + 2 * DAY_S]
