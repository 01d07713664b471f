"""A welcome told a wrong time for a moment (a stolen key, or a server's own clock): the timetable goes on as signed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.events import Tick
from edge_agent.core.units import DAY_MS, SECOND_MS, UtcMs
from tests.core.long_day import Ward
from tests.rig import Order, Tone
from tests.sim import SimRig, ward_roles
from tests.test_sim_home_welcome import root_of_another_server
from tests.trust import makers

DAY_S = DAY_MS // SECOND_MS


@pytest.mark.deep
@pytest.mark.parametrize("restarted", [False, True], ids=["it runs on", "it is started anew"])
@pytest.mark.parametrize("days", [2, 10])
def test_a_welcome_that_is_days_ahead_for_a_minute_takes_no_day_from_the_timetable(days: int, restarted: bool) -> None:
    """Each of its days was told as missed, and the next instant was the one behind them."""
    rig = SimRig()
    rig.switch_on()
    rig.run_until(10)
    rig.publish(Order(at_s=7_200, recurring=True, days=30, tones=(Tone("a", 20.0),)))
    rig.run_until(3_600)
    right = rig.world.utc
    for until_s, utc in ((3_640, lambda: UtcMs(right() + days * DAY_MS)), (3_760, right)):
        rig.world.utc = utc  # type: ignore[method-assign]  # by it the headend tells the time
        rig.cut_network()
        rig.run_until(until_s - 30)
        rig.restore_network()
        rig.run_until(until_s)
    if restarted:
        rig.cut_power()
        rig.run_until(3_900)
        rig.world.boot()
    rig.run_until(13 * DAY_S)
    heard = sorted({round(one.start_s) // DAY_S for one in rig.heard() if one.zone == "c1"})
    assert heard == [*range(13)]


def lived(days: int) -> Ward:
    """A daily programme, heard on so many days; orders came on each of them."""
    ward = Ward().wake_at(UtcMs(makers.NOON))
    when = makers.rule_when(weekdays=[*range(1, 8)], times=["17:00:00"], excluded=[])
    ward.timetable(1, makers.entry_dict(when=when), not_after=ward.now.utc + 90 * DAY_MS)
    for day in range(days):
        ward.live_until(UtcMs(makers.NOON + (day + 1) * DAY_MS))
        ward.at(3_600, job_id=f"order-{day}")
    return ward


def set_to(ward: Ward, utc: int) -> None:
    """By a welcome."""
    ward.now = replace(ward.now, utc=UtcMs(utc))
    ward.welcome()
    ward.send(Tick())


def test_a_version_that_is_signed_after_a_wrong_welcome_plays_from_its_first_day() -> None:
    ward = lived(1)
    right = ward.now.utc
    set_to(ward, right + 10 * DAY_MS)
    set_to(ward, right)
    when = makers.rule_when(weekdays=[*range(1, 8)], times=["17:00:00"], excluded=[])
    ward.timetable(2, makers.entry_dict(when=when), not_after=right + 90 * DAY_MS)
    ward.said.clear()
    ward.live_until(UtcMs(right + 5 * DAY_MS))
    assert sum(outcome[:2] == ("sang", "succeeded") for outcome in ward.outcomes()) == 5


def test_a_welcome_that_is_days_behind_has_nothing_heard_twice_that_is_older_than_the_last_order() -> None:
    ward = lived(5)
    ward.said.clear()
    set_to(ward, ward.now.utc - 4 * DAY_MS)
    ward.live_until(UtcMs(makers.NOON + 5 * DAY_MS - 3_600_000))
    assert not [outcome for outcome in ward.outcomes() if outcome[0] == "sang"]


def thief_was_here() -> SimRig:
    """A welcome told a time 300 days ahead, and then an honest one by the same key the right one."""
    rig = SimRig(ntp=True)
    rig.switch_on()
    rig.run_until(10)
    right = rig.world.utc
    for until_s, utc in ((70, lambda: UtcMs(right() + 300 * DAY_MS)), (130, right)):
        rig.world.utc = utc  # type: ignore[method-assign]
        rig.cut_network()
        rig.run_until(until_s - 30)
        rig.restore_network()
        rig.run_until(until_s)
    return rig


def after_a_power_cut(rig: SimRig, at_s: float) -> Now:
    """What the station knows then of the time, while nobody welcomes it."""
    rig.cut_power()
    rig.run_until(at_s)
    rig.switch_on(welcome=False)
    rig.run_until(at_s + 60)
    assert rig.world.agent is not None
    return rig.world.agent.now()


def test_a_welcome_far_ahead_has_network_time_disbelieved_after_each_power_cut_though_an_honest_one_has_come() -> None:
    rig = thief_was_here()
    assert rig.world.agent is not None
    assert rig.world.agent.now().utc == rig.world.utc(), "while the machine stays on, it has ended the wrong time"
    now = after_a_power_cut(rig, 200)
    assert (now.source, now.trusted, now.utc > rig.world.utc() + 200 * DAY_MS) == (ClockSource.FLOOR, False, True)


def test_a_root_that_takes_the_key_away_leaves_nothing_of_what_it_told() -> None:
    rig = thief_was_here()
    agent = rig.world.agent
    assert agent is not None
    assert agent.now().source is ClockSource.SIGNED
    rig.world.broker.publish(makers.JOB_TOPIC, root_of_another_server(2))
    rig.run_until(140)
    (root,) = agent.state.trust.heads
    floor = agent.state.trust.floor(agent.state.floor)
    assert (agent.now().source, floor) == (ClockSource.NTP, root.issued_at)
    now = after_a_power_cut(rig, 200)
    assert (now.source, now.trusted, abs(now.utc - rig.world.utc()) < 1_000) == (ClockSource.NTP, True, True)


def dated(version: int, utc: int) -> bytes:
    """The same root again, signed at a time."""
    return makers.signed_trust(makers.trust_document(version=version, issued_at=utc, **ward_roles()), "holder")


def test_network_time_is_believed_as_soon_as_a_right_root_has_passed_one_that_was_signed_by_a_clock_ahead() -> None:
    """It was at the next start only: until then the station kept to the date of a root that it believed no more."""
    rig = SimRig(ntp=True)
    rig.switch_on(welcome=False)
    rig.run_until(10)
    rig.world.broker.publish(makers.JOB_TOPIC, dated(2, rig.world.utc() + 30 * DAY_MS))
    rig.run_until(20)
    assert after_a_power_cut(rig, 60).source is ClockSource.FLOOR
    rig.world.broker.publish(makers.JOB_TOPIC, dated(3, rig.world.utc()))
    rig.run_until(130)
    assert rig.world.agent is not None
    now = rig.world.agent.now()
    assert (now.source, now.trusted, now.utc) == (ClockSource.NTP, True, rig.world.utc())
