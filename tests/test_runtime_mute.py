"""A station that cannot sign: it warns and plays, says nothing, and tells all of it once it can sign again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agent_rig import Agent
from tests.fakes.journal import FakeDisk

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def mute(folder: Path, disk: FakeDisk) -> Agent:
    """Whose key fails."""
    agent = Agent(folder, disk)
    agent.upstream._sign = lambda kind, payload: None
    return agent


def test_a_station_that_cannot_sign_warns_all_the_same_and_tells_of_it_when_it_can_again(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
    with mute(tmp_path, disk) as agent:
        agent.publish(**{"class": "emergency"})
        agent.until(lambda: bool(agent.device.started()))
        agent.until(lambda: agent.broker.waiting() == 0)
    (record,) = agent.records()
    assert (record["outcome"], record["reason"]) == ("interrupted", "shutdown")
    assert agent.broker.heard == [], "what is not signed is not said"
    assert not agent.status_file.exists()
    with Agent(tmp_path, disk) as agent:
        agent.until(lambda: agent.broker.said("log") != [])
    ((told,),) = [batch["records"] for batch in agent.broker.said("log")]
    assert told["body"]["job_id"] == record["job_id"]


def test_what_needs_another_process_ends_this_one_with_a_goodbye(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.inbox.anew_wanted()
        agent.until(lambda: not agent.alive)
    assert agent.broker.said("state")[-1]["why"] == "goodbye"


def test_not_while_the_disk_has_not_taken_what_this_process_alone_remembers(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.disk.full = True
        agent.inbox.hello_due()
        agent.until(lambda: agent.runtime._journal.owes)
        agent.inbox.anew_wanted()
        looked = agent.steps
        for _ in range(3):
            agent.inbox.heartbeat_due()
        agent.until(lambda: agent.steps >= looked + 3)
        assert agent.runtime._ending_at is None
        agent.disk.full = False
