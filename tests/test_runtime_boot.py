"""How the agent begins: it is welcomed, and takes up again what it has stored, each order judged anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.clock import Readings
from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.events import Judgement
from edge_agent.core.units import JobId, MonoMs, UtcMs
from edge_agent.journal.port import StoredJob
from edge_agent.restoring import restored
from tests.agent_rig import Agent
from tests.fakes.journal import FakeDisk, FakeJournal
from tests.trust import makers
from tests.virtual_agent import virtual

pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")


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
    again = Agent(tmp_path, disk, readings=Readings(boot_id=lambda: "another"))
    assert again.clock.now().utc >= makers.NOON
    assert again.clock.now().source is ClockSource.FLOOR


def test_signed_time_is_kept_for_the_next_process_and_is_no_welcome(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until(lambda: disk.committed.kept is not None)
        assert disk.committed.kept == agent.clock.kept
        offset = agent.clock.now().utc_of(MonoMs(0))
    again = Agent(tmp_path, disk)
    again.broker.welcoming = False
    with again as agent:
        agent.until(lambda: agent.broker.said("state") != [])
        state = agent.broker.said("state")[-1]
        assert (state["clock"]["source"], state["welcomed"]) == ("signed", False)
        assert agent.clock.now().utc_of(MonoMs(0)) == offset


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
    assert "stored job refused now job='revoked'" in caplog.text
    assert "revoked" in disk.committed.jobs, "a trust file that is put right again brings the job back"


def test_every_stored_job_is_judged_anew(tmp_path: Path) -> None:
    disk = FakeDisk()
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        agent.publish(when={"kind": "at", "utc": agent.utc() + 60_000})
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        contents = FakeJournal(disk).load()
        site = agent.ports.site
    revoked = makers.make_keeper(site, roles=[makers.job_role(keyids=[makers.signer("deputy").keyid])])
    assert [saved.accepted.job.job_id for saved in restored(contents, agent.ports.trust.judge).jobs] == ["job-1"]
    assert restored(contents, revoked.judge).jobs == ()


@pytest.mark.parametrize(
    ("word", "forgotten"),
    [
        (makers.signed_welcome(), {"xa": 7}),
        (makers.signed_welcome(by=["deputy"]), {}),
        (makers.signed_welcome(station="dt-02"), {}),
        (b"", {}),
    ],
    ids=["a server's", "a key that answers no hello any more", "of another station", "nobody's"],
)
def test_what_a_card_has_forgotten_is_so_by_a_welcome_that_is_believed_still(
    word: bytes, forgotten: dict[str, int]
) -> None:
    journal = FakeJournal(FakeDisk())
    contents = replace(journal.load(), forgotten=(("xa", 7),), forgot_by=word)
    assert restored(contents, makers.make_keeper().judge).forgotten == forgotten


def test_the_entries_of_a_stored_timetable_come_back_as_jobs(tmp_path: Path) -> None:
    """Its bytes are stored once, and judged once."""
    disk, asked = FakeDisk(), []
    with Agent(tmp_path, disk) as agent:
        agent.until_welcomed()
        now = agent.utc() - 1_000  # a clock that is ms behind would take it for one that was signed ahead
        valid = {"issued_at": now, "not_before": now, "not_after": now + 9 * makers.DAY_MS}
        planned = {"kind": "at", "utc": now + makers.DAY_MS}
        entries = [makers.entry_dict(name, when=planned) for name in ("sang", "trua")]
        agent.broker.publish(makers.JOB_TOPIC, makers.signed_timetable(**valid, entries=entries))
        agent.until(lambda: len(agent.broker.said("answer")) == 1)
        judge = agent.ports.trust.judge

    def counted(topic: str, envelope: bytes) -> Judgement:
        asked.append(topic)
        return judge(topic, envelope)

    found = restored(FakeJournal(disk).load(), counted)
    assert len(asked) == 1
    assert [saved.accepted.order_id for saved in found.rules] == ["lich-1"]
    jobs = [saved.accepted for saved in found.jobs]
    assert [(one.order_id, one.edition and one.edition.order_id) for one in jobs] == [
        ("sang", "lich-1"),
        ("trua", "lich-1"),
    ]


def test_an_entry_for_a_zone_that_is_gone_does_not_come_back_as_another_one() -> None:
    gone = makers.entry_dict("sang", audience={"areas": [makers.AREA], "zones": ["gone"]})
    whole = makers.signed_timetable(entries=[gone, makers.entry_dict("trua")])
    stored = [
        StoredJob(JobId(name), whole, makers.JOB_TOPIC, UtcMs(makers.NOON), held=False) for name in ("sang", "trua")
    ]
    contents = replace(FakeJournal(FakeDisk()).load(), jobs=tuple(stored))
    found = restored(contents, makers.make_keeper().judge)
    assert [saved.accepted.order_id for saved in found.jobs] == ["trua"]


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
