"""The agent as a whole, welcomed and at work: from an order to its sound, what is acknowledged when, what it tells.

How it begins, its pace and its end have files of their own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge_agent.core.effects import RoutePlay, SwitchRelay
from edge_agent.core.programme import ATTENTION
from edge_agent.core.units import ZoneId
from tests.agent_rig import Agent
from tests.fakes.journal import FakeDisk
from tests.gated_journal import GatedJournal
from tests.trust import makers

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
CHO, DINH = (ZoneId(zone) for zone in makers.ZONES)


# -- from the order to the sound ---------------------------------------------------------------------------------------


def test_an_order_is_saved_acknowledged_staged_armed_played_recorded_and_reported(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.publish()
        agent.until(lambda: bool(agent.device.started()))
        assert [(answer["verdict"], answer["job_id"]) for answer in agent.broker.said("answer")] == [
            ("accepted", "job-1")
        ]
        assert agent.broker.waiting() == 0
        assert agent.staging.asked == ["ab" * 32]
        (play,) = agent.device.started()
        before = agent.device.orders[: agent.device.orders.index(play)]
        assert {(order.zone, order.on) for order in before if isinstance(order, SwitchRelay)} == {
            (CHO, True),
            (DINH, True),
        }
        assert [feed.zone for feed in play.feeds] == [CHO, DINH]
        agent.device.play_out()
        agent.until(lambda: bool(agent.records()) and not agent.device.closed)
        (record,) = agent.records()
        assert (record["outcome"], record["reason"], record["played_ms"]) == ("succeeded", None, 10_000)
        agent.until(lambda: agent.disk.committed.acked_seq == 1)
        (log,) = agent.broker.said("log")
        assert [one["body"]["job_id"] for one in log["records"]] == ["job-1"]


def test_an_emergency_in_words_is_spoken_behind_the_attention_signal_and_cuts_in(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.publish(job_id="bulletin")
        agent.until(lambda: bool(agent.device.started()))
        flood = {"class": "emergency", "audience": {"areas": [makers.AREA], "zones": [CHO]}}
        agent.publish(job_id="flood", **flood)
        agent.until(lambda: len(agent.device.started()) == 2)
        play = agent.device.started()[1]
        assert play.parts[0].key == ATTENTION  # type: ignore[union-attr]
        assert [feed.zone for feed in play.feeds] == [CHO]
        (route,) = [order for order in agent.device.orders if isinstance(order, RoutePlay)]
        assert [feed.zone for feed in route.feeds] == [DINH]
        assert agent.device.closed == {CHO, DINH}


# -- what is acknowledged ----------------------------------------------------------------------------------------------


def test_nothing_is_acknowledged_before_it_is_on_disk(tmp_path: Path) -> None:
    disk = FakeDisk()
    journal = GatedJournal(disk)
    with Agent(tmp_path, disk, journal=journal) as agent:
        agent.until_welcomed()
        agent.until(lambda: disk.committed.floor > 0)
        journal.gate.clear()
        agent.publish()
        steps = agent.steps
        agent.inbox.heartbeat_due()
        agent.until(lambda: agent.steps > steps and bool(agent.broker.said("heartbeat")))
        assert (agent.broker.waiting(), agent.broker.said("answer")) == (1, [])
        journal.gate.set()
        agent.until(lambda: agent.broker.waiting() == 0)
        assert "job-1" in disk.committed.jobs


def test_a_refusal_is_forgotten_by_the_broker_only_when_its_record_is_kept(tmp_path: Path) -> None:
    """A crash in between would lose it without a trace: no record, and nobody who delivers it again."""
    journal = GatedJournal(FakeDisk())
    with Agent(tmp_path, journal.disk, journal=journal) as agent:
        agent.until_welcomed()
        agent.until(lambda: agent.broker.waiting() == 0)
        journal.gate.clear()
        agent.publish(audience={"areas": ["vn/ha-noi/tay-thanh"]})
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        assert (agent.broker.waiting(), agent.records()) == (1, [])
        journal.gate.set()
        agent.until(lambda: agent.broker.waiting() == 0)
        assert [record["reason"] for record in agent.records()] == ["wrong_audience"]


def test_a_job_that_the_disk_refuses_is_refused_by_name_and_accepted_when_sent_again(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.until(lambda: agent.disk.committed.floor > 0)
        agent.disk.refuse_commits = 1
        agent.publish()
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        assert "job-1" not in agent.disk.committed.jobs
        agent.publish()
        agent.until(lambda: len(agent.broker.said("answer")) == 2)
        assert "job-1" in agent.disk.committed.jobs
    verdicts = [(answer["verdict"], answer["reason"]) for answer in agent.broker.said("answer")]
    assert verdicts == [("refused", "not_saved"), ("accepted", None)]


# -- what it tells -----------------------------------------------------------------------------------------------------


def test_whoever_asks_is_told_the_day(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        planned = agent.utc() + 600_000
        agent.publish(when={"kind": "at", "utc": planned}, not_after=planned + 600_000)
        today = datetime.fromtimestamp(planned / 1000, UTC).date()
        valid = {"issued_at": agent.utc(), "not_before": agent.utc(), "not_after": agent.utc() + 120_000}
        ask = makers.signed_command(**valid, do={"what": "ask", "day": today.isoformat()})
        agent.broker.publish(makers.JOB_TOPIC, ask)
        agent.until(lambda: len(agent.broker.said("plan")) == 1)
        (plan,) = agent.broker.said("plan")
    assert (plan["day"], [entry["job_id"] for entry in plan["entries"]]) == (today.isoformat(), ["job-1"])


def test_a_day_that_is_asked_for_too_often_is_not_even_worked_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("edge_agent.upstream.PLANS_AN_HOUR", 2)
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        valid = {"issued_at": agent.utc(), "not_before": agent.utc(), "not_after": agent.utc() + 120_000}
        for number in range(4):
            order = {"order_id": f"hoi-{number}", "do": {"what": "ask", "day": "2026-10-01"}}
            agent.broker.publish(makers.JOB_TOPIC, makers.signed_command(**valid, **order))
        agent.until(lambda: len(agent.broker.said("answer")) == 4)
        agent.until(lambda: len(agent.broker.said("plan")) == 2)
        agent.until(lambda: caplog.text.count("plan not told, too many were asked for") == 2)


def test_the_second_hello_tells_of_the_records_made_meanwhile(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.publish(audience={"areas": ["vn/ha-noi/tay-thanh"]})
        agent.until(lambda: agent.broker.said("log") != [])  # it is kept, and the agent has heard of that
        agent.inbox.hello_due()
        agent.until(lambda: len(agent.broker.said("hello")) == 2)
        stored = agent.journal.records[-1]
        assert agent.broker.said("hello")[-1]["log"] == {"epoch": stored.epoch, "seq": 1, "hash": stored.hash}


def test_housekeeping_sends_heartbeats_and_sweeps(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.inbox.heartbeat_due()
        agent.inbox.sweep_due()
        agent.until(lambda: bool(agent.broker.said("heartbeat")) and bool(agent.staging.swept))
