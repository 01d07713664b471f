"""After any loss (broker wiped, session gone, a month offline, a new journal) a station holds just what is in force.

A whole ward in virtual time: real signatures, the real core and runtime, the headend's own manifests. Here are a few of
the diced losses; ``CONVERGENCE_SEEDS=100 ./run test tests/ward/test_convergence.py`` tries more of them.
"""

from __future__ import annotations

import os
import random

import pytest

from edge_agent.core import manifests
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.reasons import Reason
from edge_agent.core.units import DAY_MS, HOUR_MS
from edge_agent.headend.given import heading_of
from edge_agent.headend.manifests import in_force
from tests.rig import Order, Tone
from tests.sim import SimRig
from tests.ward.agent import Agent

DAY_S, HOUR_S = DAY_MS // 1000, HOUR_MS // 1000
MORNING = Tone("morning", 20)
NEWS = Tone("news", 15)
SEEDS = int(os.environ.get("CONVERGENCE_SEEDS", "4"))
SESSIONS = 4
# As many as the ward's own rules let begin on a day.


def daily(tone: Tone = MORNING, in_s: float = HOUR_S) -> Order:
    """A bulletin at the same time every day for two months, the first one in an hour."""
    return Order(tones=(tone,), at_s=in_s, recurring=True, days=60)


def at_work(*, ntp: bool = False) -> SimRig:
    """A station that has been welcomed and has looked at its manifests."""
    rig = SimRig(home=True, ntp=ntp)
    rig.world.home.renew()
    rig.switch_on()
    rig.run_until(120)
    return rig


def agent_of(rig: SimRig) -> Agent:
    assert rig.world.agent is not None
    return rig.world.agent


def holds(rig: SimRig) -> set[str]:
    """The orders that the station holds, by their digests; not the commands, of which a cancel stays for long."""
    state = agent_of(rig).state
    rules = {one.accepted.digest for one in state.rules.values() if not hasattr(one.accepted.order, "action")}
    return {*(one.accepted.digest for one in state.jobs.values()), *rules}


def should_hold(rig: SimRig) -> set[str]:
    return {one.digest for one in in_force(rig.world.home.orders, rig.world.utc())}


def told(rig: SimRig) -> tuple[ScopeStatus, ...]:
    """What the station says of its scopes."""
    return manifests.told(agent_of(rig).state, agent_of(rig).now()) or ()


def lose_broker(rig: SimRig) -> None:
    """The station is cut off, and nobody keeps anything for it."""
    rig.cut_network()
    rig.world.broker.memories.clear()


def lose_journal(rig: SimRig) -> None:
    """The card dies, and the broker's store with it; the station starts with an empty one."""
    rig.cut_power()
    rig.world.disk.tear()
    rig.world.broker.memories.clear()
    rig.world.run_until(rig.world.mono + 10_000)
    rig.world.boot()


def come_back(rig: SimRig) -> None:
    rig.world.broker.memories.clear()
    rig.restore_network()


def heard(rig: SimRig, since_s: float = 0) -> set[str]:
    return {one.what for one in rig.heard() if one.start_s >= since_s}


def cancel(rig: SimRig, job_id: str) -> None:
    rig.command(what="cancel", target=job_id, until=rig.world.utc() + 100 * DAY_MS)


def test_an_order_that_the_broker_has_lost_is_had_by_https_and_plays() -> None:
    rig = at_work()
    lose_broker(rig)
    rig.publish(daily(NEWS))
    assert should_hold(rig) != holds(rig)
    come_back(rig)
    rig.run_until(HOUR_S + 60)
    assert holds(rig) == should_hold(rig)
    assert heard(rig) == {"news"}


def test_after_a_month_offline_nothing_withdrawn_plays_and_what_is_new_does() -> None:
    rig = at_work(ntp=True)  # else the clock alone would silence it after two weeks
    old = rig.publish(daily())
    rig.run_until(2 * HOUR_S)
    assert heard(rig) == {"morning"}
    lose_broker(rig)
    rig.run_until(DAY_S)
    cancel(rig, old)
    rig.publish(daily(NEWS, 31 * DAY_S + 2 * HOUR_S))
    rig.run_until(31 * DAY_S)
    rig.world.home.renew()
    assert heard(rig, 30 * DAY_S) == {"morning"}, "a manifest that is stale stops nothing"
    come_back(rig)
    rig.run_until(33 * DAY_S)
    assert holds(rig) == should_hold(rig)
    assert heard(rig, 31 * DAY_S) == {"news"}
    assert [one["reason"] for one in rig.told().records if one["job_id"] == old][-1] == "withdrawn"


def test_with_a_new_journal_it_holds_exactly_what_is_in_force() -> None:
    rig = at_work()
    old, news = rig.publish(daily()), rig.publish(daily(NEWS))
    rig.regulate(session_s=600)
    rig.window("silence", 10 * DAY_S, 11 * DAY_S)
    cancel(rig, old)
    rig.run_until(600)
    lose_journal(rig)
    rig.run_until(HOUR_S + 60)
    assert len(holds(rig)) == 3
    assert holds(rig) == should_hold(rig)
    assert news in agent_of(rig).state.jobs
    assert heard(rig) == {"news"}


def test_a_broker_that_replays_what_was_withdrawn_is_refused_by_name_though_the_journal_is_new() -> None:
    rig = at_work()
    old = rig.publish(daily())
    cancel(rig, old)
    rig.run_until(600)
    lose_journal(rig)
    rig.run_until(900)
    rig.replay(old)
    rig.run_until(2 * HOUR_S)
    assert heard(rig) == set()
    assert ("refused", "withdrawn") in {(one["verdict"], one["reason"]) for one in rig.told().answers}


def test_a_content_server_that_shows_an_old_manifest_is_reported_and_changes_nothing() -> None:
    rig = at_work()
    old = rig.publish(daily())
    shown = dict(rig.world.home.files)
    cancel(rig, old)
    rig.run_until(3 * HOUR_S)
    rig.world.home.files = shown
    rig.run_until(6 * HOUR_S)
    assert holds(rig) == should_hold(rig) == set()
    assert {one.reason for one in told(rig)} == {Reason.HEAD_STALE}


def test_with_a_new_journal_nothing_is_fetched_by_a_manifest_that_is_more_than_a_day_old() -> None:
    rig = at_work()
    rig.publish(daily(NEWS))
    rig.run_until(2 * DAY_S)
    lose_journal(rig)
    rig.run_until(2 * DAY_S + HOUR_S + 600)
    assert holds(rig) == set()
    assert [(one.scope, one.lacking) for one in told(rig) if one.lacking] == [("area/vn/ha-noi/dong-thanh", 1)]
    assert {one.reason for one in told(rig)} == {Reason.HEAD_STALE}
    rig.world.home.renew()
    rig.run_until(2 * DAY_S + 3 * HOUR_S)
    assert holds(rig) == should_hold(rig) != set()


def test_what_cannot_be_had_is_told_and_had_an_hour_later() -> None:
    rig = at_work()
    lose_broker(rig)
    news = rig.publish(daily(NEWS, 4 * HOUR_S))
    files = rig.world.home.files
    (envelope,) = [path for path, content in files.items() if content == rig.sent[news]]
    del files[envelope]
    come_back(rig)
    rig.run_until(2 * HOUR_S)
    assert [(one.lacking, one.reason) for one in told(rig) if one.lacking] == [(1, Reason.MANIFEST_UNREACHABLE)]
    files[envelope] = rig.sent[news]
    rig.run_until(4 * HOUR_S + 60)
    assert heard(rig) == {"news"}


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_was_lost_it_holds_what_is_in_force_after_two_hours_of_calm(seed: int) -> None:
    """Orders and cancels among losses of every kind, all diced from one seed; then nothing fails any more."""
    dice = random.Random(f"converge {seed}")
    rig, jobs = at_work(ntp=dice.random() < 0.5), list[str]()
    for _ in range(30):
        _say(rig, dice, jobs)
        dice.choice(LOSSES)(rig)
        rig.world.run_until(rig.world.mono + dice.choice((500, 20_000, 600_000, 4_000_000)))
    for well in (rig.restore_network, rig.world.broker.start_if_reachable, rig.world.home.renew):
        well()
    rig.world.home.down = False
    calm_s = rig.world.mono // 1000 + 2 * HOUR_S
    rig.run_until(calm_s)
    assert holds(rig) == should_hold(rig)
    rig.run_until(calm_s + DAY_S)
    listed = {heading_of(one.order).order_id for one in in_force(rig.world.home.orders, rig.world.utc())}
    assert heard(rig, calm_s) == {*jobs} & listed


def _say(rig: SimRig, dice: random.Random, jobs: list[str]) -> None:
    """An officer publishes, or takes back; or somebody says again what was said."""
    say = dice.choice(("publish", "cancel", "replay", "nothing"))
    if say == "publish" and len(jobs) < SESSIONS:
        at_s = rig.world.mono // DAY_MS * DAY_S + DAY_S + len(jobs) * HOUR_S
        tone = Tone(f"job-{len(rig.sent) + 1}", 20)
        jobs.append(rig.publish(Order(tones=(tone,), at_s=at_s, recurring=True, days=30)))
    elif say == "cancel" and jobs:
        cancel(rig, dice.choice(jobs))
    elif say == "replay" and jobs:
        rig.replay(dice.choice(jobs))


def _wipe(rig: SimRig) -> None:
    rig.world.broker.stop()
    rig.world.broker.start_if_reachable(wiped=True)


def _crash(rig: SimRig) -> None:
    rig.cut_power()
    rig.world.boot()


def _home_fails_or_heals(rig: SimRig) -> None:
    rig.world.home.down = not rig.world.home.down


def _disk_fails(rig: SimRig) -> None:
    rig.world.disk.refuse_commits = 2


LOSSES = (SimRig.cut_network, SimRig.restore_network, _wipe, lose_journal, _crash, _home_fails_or_heals, _disk_fails)


def test_heads_are_looked_at_hourly_and_after_a_welcome() -> None:
    rig = at_work()
    before = len(rig.world.home.asked)
    rig.run_until(10 * HOUR_S + 120)
    assert len(rig.world.home.asked) - before == 4 * (10 + 1), "four scopes, and the hello of the sixth hour"
