"""The agent as a whole: what it does with what happens, that its lease tells of its steps alone, and how it ends."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from edge_agent.core.effects import RoutePlay, SwitchRelay
from edge_agent.core.events import AckToken, ClipStaged, MessageArrived
from edge_agent.core.programme import ATTENTION
from edge_agent.core.units import ClipKey, JobId, ZoneId
from edge_agent.core.zones import RELAY_LEAD_MS
from edge_agent.relay.interlock import LEASE_MS
from edge_agent.runtime import LOOP_MS_MAX, RENEW_MS, STOP_MS_MAX, Inbox, restored
from edge_agent.status_file import STATUS_MS
from edge_agent.trust.judge import make_judge
from edge_agent.workers import WAITING_MAX
from tests.agent_rig import Agent, VirtualInbox, VirtualMachine
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers

CHO, DINH = (ZoneId(zone) for zone in makers.ZONES)
PATIENCE_S = 60
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


class SlowDisk(FakeJournal):
    """Its commits wait at a gate."""

    def __init__(self, disk: FakeDisk) -> None:
        super().__init__(disk)
        self.gate = threading.Event()
        self.gate.set()

    def commit(self) -> None:
        assert self.gate.wait(PATIENCE_S)
        super().commit()


def virtual(tmp_path: Path, lasts_ms: int, disk: FakeDisk | None = None) -> tuple[Agent, VirtualInbox]:
    """An agent that lives through ``lasts_ms`` at once."""
    machine = VirtualMachine()
    inbox = VirtualInbox(machine, lasts_ms)
    return Agent(tmp_path, disk, readings=machine.readings(), inbox=inbox), inbox


def emergency() -> MessageArrived:
    """An order in words for every zone; it comes from a connection that is over, so that nobody acknowledges it."""
    return MessageArrived(makers.JOB_TOPIC, makers.signed_job(**{"class": "emergency"}), AckToken(0, 1))


# -- boot --------------------------------------------------------------------------------------------------------------


def test_a_fresh_station_boots_says_ready_once_and_is_welcomed(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        assert next(state["why"] for state in agent.broker.said("state")) == "birth"
        welcomed = next(state for state in agent.broker.said("state") if state["welcomed"])
        assert welcomed["clock"]["source"] == "signed", "told by the clock from before the welcome"
        (hello,) = agent.broker.said("hello")
        assert (hello["log"]["epoch"], hello["log"]["seq"]) == (agent.disk.committed.epoch, 0)
        agent.until(lambda: agent.disk.committed.floor >= makers.NOON)
    assert agent.ready == 1


def test_signed_time_is_the_floor_of_the_next_boot(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until(lambda: disk.committed.floor > 0)
    with Agent(tmp_path, disk) as agent:
        assert agent.clock.now().utc >= makers.NOON


def test_a_journal_that_was_put_aside_is_said_at_boot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = FakeDisk()
    disk.tear()
    with Agent(tmp_path, disk):
        pass
    assert "kept_as=journal.quarantined-1" in caplog.text


def test_a_stored_job_whose_key_is_gone_is_dropped_with_a_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        tomorrow = agent.utc() + makers.DAY_MS
        for job_id in ("revoked", "kept"):
            agent.publish(job_id=job_id, when={"kind": "at", "utc": tomorrow}, not_after=tomorrow + 600_000)
        agent.until(lambda: len(agent.broker.said("answer")) == 2)
    stored = disk.committed.jobs
    row = stored[JobId("revoked")]
    forged = replace(row, job=replace(row.job, envelope=makers.signed_job(by=["deputy"], job_id="revoked")))
    disk.committed = replace(disk.committed, jobs={**stored, JobId("revoked"): forged})
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        agent.until(lambda: len(agent.broker.said("state")[-1]["next"]) == 1)
        assert [one["job_id"] for one in agent.broker.said("state")[-1]["next"]] == ["kept"]
    assert "stored job refused now job=revoked" in caplog.text
    assert "revoked" in disk.committed.jobs, "a trust file that is put right again brings the job back"


def test_every_stored_job_is_judged_anew(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        agent.publish(when={"kind": "at", "utc": agent.utc() + 60_000})
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        contents = FakeJournal(disk).load()
        site = agent.ports.site
    revoked = makers.make_trust(roles=[makers.job_role(keyids=[makers.signer("deputy").keyid])])
    assert [saved.accepted.job.job_id for saved in restored(contents, agent.ports.verify).jobs] == ["job-1"]
    assert restored(contents, make_judge(revoked, site)).jobs == ()


def test_the_entries_of_a_stored_timetable_come_back_as_jobs(tmp_path: Path) -> None:
    """Its bytes are stored once, and judged once."""
    disk, asked = FakeDisk(), []
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        valid = {"issued_at": agent.utc(), "not_before": agent.utc(), "not_after": agent.utc() + 9 * makers.DAY_MS}
        planned = {"kind": "at", "utc": agent.utc() + makers.DAY_MS}
        entries = [makers.entry_dict(name, when=planned) for name in ("sang", "trua")]
        agent.broker.publish(makers.JOB_TOPIC, makers.signed_timetable(**valid, entries=entries))
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        verify = agent.ports.verify

    def counted(topic: str, envelope: bytes) -> object:
        asked.append(topic)
        return verify(topic, envelope)

    found = restored(FakeJournal(disk).load(), counted)
    assert len(asked) == 1
    assert [saved.accepted.order_id for saved in found.rules] == ["lich-1"]
    jobs = [saved.accepted for saved in found.jobs]
    assert [(one.order_id, one.edition and one.edition.order_id) for one in jobs] == [
        ("sang", "lich-1"),
        ("trua", "lich-1"),
    ]


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


# -- what is acknowledged ----------------------------------------------------------------------------------------------


def test_a_refusal_is_forgotten_by_the_broker_only_when_its_record_is_kept(tmp_path: Path) -> None:
    """A crash in between would lose it without a trace: no record, and nobody who delivers it again."""
    journal = SlowDisk(FakeDisk())
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


def test_nothing_is_acknowledged_before_it_is_on_disk(tmp_path: Path) -> None:
    disk = FakeDisk()
    journal = SlowDisk(disk)
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


def test_a_job_accepted_before_a_restart_sounds_after_it_and_on_time(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        planned = agent.utc() + 30_000
        agent.publish(when={"kind": "at", "utc": planned})
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        assert agent.device.started() == []
    later, _ = virtual(tmp_path, 40_000, disk)
    noon = later.readings.boot()
    later.run_in_virtual_time()
    (play,) = later.device.started()
    late_ms = play.at - noon - (planned - makers.NOON)
    assert abs(late_ms) <= 50, "it slept beyond what was due"


def test_the_second_hello_tells_of_the_records_made_meanwhile(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.publish(audience={"areas": ["vn/ha-noi/tay-thanh"]})
        agent.until(lambda: len(agent.records()) == 1)
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


# -- the lease and the clock of the loop -------------------------------------------------------------------------------


def test_a_core_that_does_not_step_renews_no_lease(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.device.open_line.clear()
        agent.publish()
        assert agent.device.blocked.wait(PATIENCE_S)
        renewals = len(agent.device.renewals)
        time.sleep(1.5 * RENEW_MS / 1000)  # a thread or a timer of its own would renew within that
        assert len(agent.device.renewals) == renewals
        agent.device.open_line.set()
        agent.until(lambda: len(agent.device.renewals) > renewals)


def test_an_idle_agent_sleeps(tmp_path: Path) -> None:
    agent, inbox = virtual(tmp_path, 60 * LOOP_MS_MAX)
    agent.run_in_virtual_time()
    assert agent.steps < 1.5 * 60
    assert all(0 <= wait <= LOOP_MS_MAX for wait in inbox.waits)


def test_an_idle_agent_does_not_turn_in_real_time_either(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        time.sleep(STATUS_MS / 1000)  # what the welcome has changed has been shown
        steps = agent.steps
        time.sleep(1)
        assert agent.steps - steps <= 3


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
    closed = [at for at, is_closed in agent.device.renewals if is_closed]
    assert len(closed) > 15
    assert max(later - earlier for earlier, later in pairwise(closed)) <= 1.1 * RENEW_MS
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


# -- the end -----------------------------------------------------------------------------------------------------------


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
    journal = SlowDisk(disk)

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
