"""A whole station whose chip, or whoever answers NTP, is wrong after a start: no order is over by that."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.core.clock_trust import ClockSource
from tests.rig import ATTENTION, LEFT, RIGHT, Order, Tone
from tests.sim import BEGAN, SimRig

DAY_S = 86_400
EVERY_DAY_S = 30 * 60
# When the programme of every day sounds.
ONCE_S = 2 * DAY_S
CUT_S = DAY_S + 3_600
AHEAD_MS = 30 * DAY_S * 1000


def left_alone(**fitted: Any) -> tuple[SimRig, str, str]:
    """A station that has a programme for every day and one for a day, when the network goes."""
    rig = SimRig(**fitted)
    rig.world.supervised = True
    rig.switch_on()
    rig.run_until(1)
    daily = rig.publish(Order(at_s=EVERY_DAY_S, recurring=True, days=60, tones=(Tone("daily", 60.0),)))
    once = rig.publish(Order(at_s=ONCE_S, tones=(Tone("once", 60.0),)))
    rig.run_until(CUT_S)
    rig.cut_network()
    return rig, daily, once


def started_wrong(step_ms: int, **fitted: Any) -> tuple[SimRig, str, str]:
    """It starts anew by a clock that is so far ahead."""
    rig, daily, once = left_alone(**fitted)
    rig.world.machine.step_ms = step_ms
    rig.world.cut_power(for_ms=5_000)
    rig.run_until(CUT_S + 60)
    return rig, daily, once


def put_right(rig: SimRig, after_s: float) -> None:
    rig.run_until(CUT_S + after_s)
    rig.world.machine.step_ms = 0
    rig.restore_network()


def outcomes(rig: SimRig, job: str) -> list[str]:
    return [one["outcome"] for one in rig.told().records if one["job_id"] == job]


def heard(rig: SimRig, name: str, zone: str = LEFT) -> list[int]:
    """When it sounded in a zone, in true seconds."""
    return [round(one.start_s) for one in rig.heard() if one.zone == zone and one.what == name]


@pytest.mark.parametrize("fitted", [{"ntp": True}, {"chip": True}, {"ntp": True, "chip": True}], ids=str)
@pytest.mark.parametrize("years", [1 / 12, 19.6], ids=["a-month", "a-week-number-that-ran-over"])
def test_a_clock_that_is_ahead_at_a_start_ends_nothing(fitted: dict[str, bool], years: float) -> None:
    rig, daily, once = started_wrong(round(years * 365) * DAY_S * 1000, **fitted)
    put_right(rig, 600)
    rig.run_until(4 * DAY_S)
    assert heard(rig, "daily") == [EVERY_DAY_S + day * DAY_S for day in range(4)]
    assert heard(rig, "once") == [ONCE_S]
    assert outcomes(rig, daily) == ["succeeded"] * 4
    assert outcomes(rig, once) == ["succeeded"]


def test_what_was_over_is_said_to_be_once_the_time_is_signed() -> None:
    """Five days without power, and NTP that is right: what recurs plays on at once, and nothing is left unsaid."""
    rig, daily, once = left_alone(ntp=True)
    rig.world.cut_power(for_ms=5 * DAY_S * 1000)
    rig.run_until(CUT_S + 6 * DAY_S)
    alone = rig.world.agent
    assert alone is not None
    assert (alone.now().source, alone.now().signed) == (ClockSource.NTP, False)
    assert heard(rig, "daily")[2:] == [EVERY_DAY_S + 7 * DAY_S], "who is alone plays on"
    rig.restore_network()
    rig.run_until(CUT_S + 6 * DAY_S + 600)
    assert outcomes(rig, daily) == ["succeeded"] * 2 + ["missed"] * 5 + ["succeeded"]
    assert outcomes(rig, once) == ["missed"]


@pytest.mark.deep
@pytest.mark.parametrize("cut_short", ["", "by a crash", "by a power cut"])
def test_what_has_sounded_by_a_clock_a_month_ahead_sounds_again_when_its_day_comes(cut_short: str) -> None:
    """Started anew within the lie, it knows of it by its journal alone."""
    rig, _, once = started_wrong(AHEAD_MS, ntp=True)
    rig.run_until(CUT_S + 2 * DAY_S)
    if cut_short == "by a crash":
        rig.world.kill_agent()
    elif cut_short:
        rig.world.cut_power(for_ms=5_000)
    put_right(rig, 3 * DAY_S)
    rig.run_until(6 * DAY_S)
    assert heard(rig, "daily") == [EVERY_DAY_S + day * DAY_S for day in range(6)], "three of them by the wrong date"
    assert outcomes(rig, once) == ["missed"], "its day has passed, by signed time"
    rig.world.kill_agent()
    rig.run_until(8 * DAY_S)
    assert heard(rig, "daily")[-2:] == [EVERY_DAY_S + day * DAY_S for day in (6, 7)], "the disk knows it too"


def test_what_has_sounded_an_hour_early_does_not_sound_twice() -> None:
    rig, _, _ = left_alone(ntp=True)
    rig.world.machine.step_ms = 3_600_000
    rig.world.cut_power(for_ms=5_000)
    put_right(rig, 2 * DAY_S - CUT_S)  # it sounded half an hour ago
    rig.run_until(4 * DAY_S)
    early = 2 * DAY_S + EVERY_DAY_S - 3_600
    assert heard(rig, "daily") == [EVERY_DAY_S, EVERY_DAY_S + DAY_S, early, EVERY_DAY_S + 3 * DAY_S]


@pytest.mark.deep
@pytest.mark.parametrize("after_s", [-1.5, 30], ids=["while it warms up", "while it sounds"])
@pytest.mark.parametrize("killed", [False, True])
def test_the_time_is_signed_while_a_programme_begins_by_a_clock_a_month_ahead_and_none_is_left_out(
    after_s: float, killed: bool
) -> None:
    """What the card has already been given sounds, unless the agent dies before it; the days go on from today."""
    rig, daily, _ = started_wrong(AHEAD_MS + 3_600_000, ntp=True)
    early = 2 * DAY_S + EVERY_DAY_S - 3_600
    put_right(rig, early + after_s - CUT_S)
    rig.run_until(early + after_s + 1)
    if killed:
        rig.world.kill_agent()
    rig.run_until(6 * DAY_S)
    right = [EVERY_DAY_S + day * DAY_S for day in range(6)]
    assert heard(rig, "daily") == sorted([*right, *([] if killed and after_s < 0 else [early])])
    assert outcomes(rig, daily).count("succeeded") >= 6


def test_a_silence_and_a_lock_hold_through_a_clock_that_is_ahead() -> None:
    rig, _, _ = left_alone(ntp=True)
    rig.restore_network()
    rig.run_until(ONCE_S - 3_600)
    rig.window("silence", ONCE_S - 600, ONCE_S + 600)
    rig.command((LEFT,), what="lock", for_s=4 * 3_600)
    rig.run_until(ONCE_S - 3_500)
    rig.cut_network()
    rig.world.machine.step_ms = AHEAD_MS
    rig.world.cut_power(for_ms=5_000)
    rig.run_until(ONCE_S - 1_800)
    rig.world.machine.step_ms = 0
    rig.restore_network()
    rig.run_until(3 * DAY_S)
    assert (heard(rig, "once"), heard(rig, "once", RIGHT)) == ([], [])
    assert heard(rig, "daily") == [EVERY_DAY_S, EVERY_DAY_S + DAY_S], "somebody stands on the pole"
    assert heard(rig, "daily", RIGHT)[2:] == [EVERY_DAY_S + 2 * DAY_S]


def warnings(rig: SimRig) -> list[int]:
    """When the signal of one sounded, since the cut."""
    return [at for at in heard(rig, ATTENTION) if at > CUT_S]


def test_a_warning_sounds_once_and_late_though_the_centre_does_not_say_the_time() -> None:
    """After a power cut the broker is there, and whoever answers hellos is not."""
    rig, _, _ = left_alone(ntp=True)
    rig.world.headend.welcoming = False
    rig.world.cut_power(for_ms=5_000)
    rig.restore_network()
    rig.run_until(CUT_S + 60)
    warning = rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
    rig.run_until(CUT_S + 600)
    rig.allow_welcome()
    rig.run_until(CUT_S + 1_200)
    (at,) = warnings(rig)
    assert CUT_S + 90 <= at <= CUT_S + 95, "a welcome was waited for"
    assert [one["detail"] for one in rig.told().records if one["job_id"] == warning] == ["freshness_unproven"]


def test_a_warning_that_the_broker_has_kept_does_not_sound_when_a_late_clock_calls_it_new() -> None:
    """The chip is a day behind; the queue comes in before the welcome does."""
    rig, _, _ = left_alone(chip=True)
    rig.world.cut_power(for_ms=DAY_S * 1000)
    warning = rig.publish(Order(cls="emergency", spoken="Lũ quét!"))
    rig.world.machine.step_ms = -DAY_S * 1000
    rig.world.headend.welcoming = False
    rig.restore_network()
    rig.run_until(CUT_S + DAY_S + 20)
    assert "accepted" in {one["verdict"] for one in rig.told().answers if one["job_id"] == warning}
    rig.allow_welcome()
    rig.run_until(CUT_S + DAY_S + 3_600)
    assert warnings(rig) == []
    assert outcomes(rig, warning) == ["expired"]


def test_a_record_tells_by_one_clock_when_it_began_and_when_it_was_over() -> None:
    """A warning sounds where nobody knows the time; the welcome comes in its midst."""
    rig = SimRig()
    rig.switch_on(welcome=False)
    rig.run_until(5)
    warning = rig.publish(Order(cls="emergency", tones=(Tone("flood", 30.0),)))
    rig.run_until(60)
    rig.allow_welcome()
    rig.run_until(120)
    (run,) = rig.world.runs
    (record,) = [one for one in rig.told().records if one["job_id"] == warning]
    assert abs(record["started"] - (BEGAN + run.begins)) <= record["clock_error_ms"]
    assert abs(record["ended"] - (BEGAN + run.ends)) <= record["clock_error_ms"]
    assert record["detail"] == "freshness_unproven", "nobody could tell how old it was when it began"
