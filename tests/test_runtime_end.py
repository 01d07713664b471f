"""How the agent ends: what sounds is stopped and recorded, a goodbye is said, and nothing keeps it for ever."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

import pytest

from edge_agent.core.events import ClipStaged
from edge_agent.core.units import ClipKey
from edge_agent.inbox import Inbox
from edge_agent.journal_worker import WAITING_MAX
from edge_agent.runtime import RENEW_MS, STOP_MS_MAX
from tests.agent_rig import PATIENCE_S, Agent
from tests.fakes.journal import FakeDisk
from tests.gated_journal import GatedJournal
from tests.virtual_agent import emergency, virtual

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


def test_a_stop_says_goodbye_and_hangs_up(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
    last = agent.broker.said("state")[-1]
    assert (last["online"], last["why"]) == (False, "goodbye")
    assert not agent.session.running
    assert agent.device.stopped


def test_a_stop_ends_what_sounds_and_records_it(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.publish()
        agent.until(lambda: bool(agent.device.started()))
    assert agent.device.playing == {}
    (record,) = agent.records()
    assert (record["outcome"], record["reason"]) == ("interrupted", "shutdown")


def test_a_stop_does_not_wait_for_ever_for_a_device_that_stops_nothing(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 8_000)
    agent.device.ends_plays = False
    inbox.post(emergency())
    asked_at = agent.readings.boot() + 8_000
    agent.run_in_virtual_time()
    assert len(agent.device.playing) == 1
    assert agent.readings.boot() <= asked_at + STOP_MS_MAX + RENEW_MS
    (record,) = agent.records()
    assert (record["outcome"], record["reason"]) == ("interrupted", "shutdown")


def test_a_stop_ends_while_others_flood_the_inbox(tmp_path: Path) -> None:
    over = threading.Event()

    def flood(inbox: Inbox) -> None:
        while not over.is_set():
            inbox.post(ClipStaged(ClipKey("nobody's"), 1))

    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        flooders = [threading.Thread(target=flood, args=(agent.inbox,), daemon=True) for _ in range(3)]
        for flooder in flooders:
            flooder.start()
        agent.inbox.stop_asked()
        agent.join()
        over.set()
        for flooder in flooders:
            flooder.join(PATIENCE_S)
            assert not flooder.is_alive(), "a thread hangs on an inbox that nobody reads"


def test_what_a_hanging_disk_did_not_take_is_said_at_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.until(lambda: agent.disk.committed.floor > 0)
        agent.disk.refuse_commits = 10_000
        agent.publish(audience={"areas": ["vn/ha-noi/tay-thanh"]})
        agent.until(lambda: bool(agent.broker.said("answer")))
    assert "not everything is recorded" in caplog.text
    assert agent.device.stopped


def test_a_disk_that_stands_still_ends_the_agent(tmp_path: Path) -> None:
    disk = FakeDisk()
    journal = GatedJournal(disk)

    def stand_still() -> None:
        with Agent(tmp_path, disk, journal=journal) as agent:
            agent.until_welcomed()
            agent.until(lambda: disk.committed.floor > 0)
            journal.gate.clear()
            for _ in range(WAITING_MAX + 100):
                agent.inbox.sweep_due()
            agent.until(lambda: not agent.alive)

    with pytest.raises(queue.Full):
        stand_still()
    journal.gate.set()
