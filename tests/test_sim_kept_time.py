"""A whole station with neither NTP nor a clock chip, alone with what a welcome once told it: what dies, what plays."""

from __future__ import annotations

from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS, ClockSource
from edge_agent.core.reasons import Reason
from tests.rig import LEFT, Order, Tone
from tests.sim import SimRig

DAY_S = 86_400
FIRST_S = 30 * 60
# The timetable's first instant; the same every day.
DAYS = 12
CUT_S = DAY_S
ALONE_UNTIL_S = CUT_S + 10 * DAY_S
DRIFT_PPM = 80


def left_alone() -> tuple[SimRig, str]:
    """A station that has been welcomed, has its timetable, and then loses the network."""
    rig = SimRig(drift_ppm=DRIFT_PPM)
    rig.world.supervised = True
    rig.switch_on()
    rig.run_until(1)
    job = rig.publish(Order(at_s=FIRST_S, recurring=True, days=DAYS, tones=(Tone("a", 60.0),)))
    rig.run_until(CUT_S)
    rig.cut_network()
    return rig, job


def outcomes(rig: SimRig, job: str) -> list[tuple[str, str | None]]:
    """Of each day, in order, once the network is back."""
    rig.restore_network()
    rig.run_until(rig.world.mono / 1000 + 120)
    return [(one["outcome"], one["reason"]) for one in rig.told().records if one["job_id"] == job]


def heard_on(rig: SimRig) -> list[int]:
    """The days on which it sounded, by the true time: at most so late as the clock may be off."""
    found = [divmod(round(one.start_s) - FIRST_S, DAY_S) for one in rig.heard() if one.zone == LEFT]
    assert all(min(late_s, DAY_S - late_s) <= TIMETABLE_ERROR_MAX_MS / 1000 for _, late_s in found)
    return [day + (late_s > DAY_S // 2) for day, late_s in found]


def test_an_agent_that_is_killed_while_nobody_tells_the_time_plays_its_timetable_on() -> None:
    rig, job = left_alone()
    for day in (1, 4, 5, 9):
        rig.run_until(day * DAY_S + 7 * 3_600)
        rig.kill_agent()
    rig.run_until(ALONE_UNTIL_S)
    agent = rig.world.agent
    assert agent is not None
    now = agent.now()
    assert (now.source, now.trusted, agent.state.welcomed) == (ClockSource.HOLDOVER, True, False)
    assert abs(now.utc - rig.world.utc()) <= now.max_error_ms
    assert heard_on(rig) == list(range(11))
    assert outcomes(rig, job) == [("succeeded", None)] * 11


def test_after_a_power_cut_it_waits_for_who_tells_the_time() -> None:
    rig, job = left_alone()
    rig.world.cut_power(for_ms=60_000)
    rig.run_until(3 * DAY_S)
    rig.kill_agent()  # by now boot time is later than the one that was kept, and of another boot
    rig.run_until(4 * DAY_S)
    agent = rig.world.agent
    assert agent is not None
    assert agent.now().source is ClockSource.FLOOR
    assert heard_on(rig) == [0]
    said = outcomes(rig, job)
    assert said[0] == ("succeeded", None)
    assert {outcome for outcome, _ in said[1:]} == {"missed"}
    # Who was not there at the instant, or was killed since, knows only that it was missed.
    assert {reason for _, reason in said[1:]} <= {Reason.CLOCK_NOT_TRUSTED, Reason.MISSED}
    assert len(said) == 4


def test_a_power_cut_behind_a_kill_takes_the_time_away_too() -> None:
    rig, _ = left_alone()
    rig.kill_agent()
    rig.run_until(CUT_S + 60)
    assert rig.world.agent is not None
    assert rig.world.agent.now().trusted
    rig.world.cut_power(for_ms=1_000)
    rig.run_until(CUT_S + 120)
    assert rig.world.agent.now().source is ClockSource.FLOOR


def test_a_journal_that_was_torn_keeps_no_time_but_that_of_the_trust_documents() -> None:
    rig, _ = left_alone()
    rig.world.disk.tear()
    rig.kill_agent()
    rig.run_until(CUT_S + 60)
    assert rig.world.agent is not None
    now = rig.world.agent.now()
    assert (now.source, now.utc - now.mono <= rig.world.began) == (ClockSource.FLOOR, True)


def test_kept_time_is_no_welcome_and_new_orders_wait_for_one() -> None:
    rig = SimRig()
    rig.world.supervised = True
    rig.switch_on()
    rig.run_until(1)
    rig.world.headend.welcoming = False
    rig.kill_agent()
    rig.run_until(10)
    assert rig.world.agent is not None
    assert rig.world.agent.now().source is ClockSource.SIGNED
    early = rig.publish(Order(at_s=60, tones=(Tone("a", 3.0),)))
    late = rig.publish(Order(at_s=300, tones=(Tone("b", 3.0),)))
    rig.run_until(120)
    assert (rig.relay_edges(), rig.told().states[-1]["welcomed"]) == ([], False)
    rig.world.headend.welcoming = True  # it asks again every 30 s
    rig.run_until(320)
    assert [one.what for one in rig.heard()] == ["b", "b"]
    records = {one["job_id"]: (one["outcome"], one["reason"]) for one in rig.told().records}
    assert records == {early: ("missed", "missed"), late: ("succeeded", None)}
