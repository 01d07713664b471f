"""The pace of the agent: its lease tells of its steps alone, idle it sleeps, and what has changed is shown at once."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.core.switching import RELAY_LEAD_MS
from edge_agent.core.units import ZoneId
from edge_agent.relay.interlock import LEASE_MS
from edge_agent.runtime import LOOP_MS_MAX, RENEW_MS
from edge_agent.status_file import STATUS_MS
from tests.agent_rig import PATIENCE_S, Agent
from tests.trust import makers
from tests.virtual_agent import emergency, virtual

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
IDLE_STEPS = 4
# Of which the first may still be those that show the welcome.
CHO, DINH = (ZoneId(zone) for zone in makers.ZONES)


# -- the lease and the clock of the loop -------------------------------------------------------------------------------


def test_a_core_that_does_not_step_renews_no_lease(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.device.open_line.clear()
        agent.publish()
        assert agent.device.blocked.wait(PATIENCE_S)
        renewals = len(agent.device.renewals)
        agent.device.renewed.clear()
        by_itself = agent.device.renewed.wait(1.5 * RENEW_MS / 1000)  # as a thread or a timer of its own would
        assert (by_itself, len(agent.device.renewals)) == (False, renewals)
        agent.device.open_line.set()
        agent.until(lambda: len(agent.device.renewals) > renewals)


def test_an_idle_agent_sleeps(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 60 * LOOP_MS_MAX)
    agent.run_in_virtual_time()
    assert agent.steps < 1.5 * 60
    assert all(0 <= wait <= LOOP_MS_MAX for wait in inbox.waits)


@pytest.mark.deep
def test_an_idle_agent_does_not_turn_in_real_time_either(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.until(lambda: agent.status_file.exists() and agent.status()["welcomed"])
        steps, began = agent.steps, time.monotonic()
        agent.until(lambda: agent.steps >= steps + IDLE_STEPS)
        idle_ms = (time.monotonic() - began) * 1000
        assert idle_ms > LOOP_MS_MAX, "it turns more than twice a second"


def test_what_waited_for_the_time_goes_on_in_the_moment_in_which_it_is_known(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 2_000)
    switched_on = agent.readings.boot()
    inbox.post(emergency())
    agent.run_in_virtual_time()
    (play,) = agent.device.started()
    assert play.at - switched_on <= 1.5 * RELAY_LEAD_MS


def test_while_a_relay_is_closed_the_lease_is_renewed_three_times_as_often_as_needed(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 25_000)
    inbox.post(emergency())
    agent.run_in_virtual_time()
    renewals = agent.device.renewals  # until the next one also where that finds the relay open: its play is lost once
    while_closed = [later - at for (at, is_closed), (later, _) in pairwise(renewals) if is_closed]
    assert len(while_closed) > 15
    assert max(while_closed) <= 1.1 * RENEW_MS
    assert 3 * RENEW_MS <= LEASE_MS


# -- the status file ---------------------------------------------------------------------------------------------------


def test_the_status_file_shows_the_station_and_goes_with_it(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until(lambda: agent.status_file.exists() and agent.status()["welcomed"])
        assert [zone["zone"] for zone in agent.status()["zones"]] == [CHO, DINH]
        assert agent.status()["online"]
    assert not agent.status_file.exists()
    assert list(tmp_path.iterdir()) == []


def test_what_has_changed_is_shown_within_a_second_and_not_at_the_next_idle_step(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 25_000)
    late: list[int] = []
    pictures = 0

    def look(timeout_ms: int) -> None:
        nonlocal pictures
        shown, truth = agent.status(), agent.truth()
        pictures += 1
        age_ms = truth["clock"]["utc"] - shown["clock"]["utc"]
        told = [(one["playing"], one["zones"], one["welcomed"], one["next"]) for one in (shown, truth)]
        if told[0] != told[1] and shown["clock"]["source"] == "signed" and age_ms + timeout_ms > STATUS_MS:
            late.append(age_ms + timeout_ms)

    inbox.on_wait = look
    inbox.post(emergency())
    agent.run_in_virtual_time()
    assert pictures > 15
    assert late == []


def test_a_status_that_cannot_be_written_stops_no_broadcast(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Agent(tmp_path / "absent") as agent:
        agent.until_welcomed()
        agent.publish()
        agent.until(lambda: bool(agent.device.started()))
    assert caplog.text.count("status not written") == 1
