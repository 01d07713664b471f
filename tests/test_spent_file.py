"""What the night's audio has cost outlives the agent, and a thief who restarts it again and again empties no SIM."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_agent.core.past import Fetched
from edge_agent.spent_file import FILE_BYTES_MAX, SpentFile
from tests.agent_rig import Agent
from tests.trust import makers

SPENT = Fetched(739_000, 200_000_000)


def test_the_next_process_reads_what_the_one_before_has_kept(tmp_path: Path) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(SPENT)
    assert SpentFile(file).read() == SPENT
    assert [path.name for path in tmp_path.iterdir()] == ["spent.json"]


def test_it_is_written_when_it_has_changed_alone(tmp_path: Path) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(SPENT)
    before = file.stat().st_ino
    again = SpentFile(file)
    again.keep(again.read())
    assert file.stat().st_ino == before
    again.keep(Fetched(SPENT.night + 1, 1))
    assert SpentFile(file).read() == Fetched(SPENT.night + 1, 1)


def test_a_machine_that_was_switched_on_has_spent_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert SpentFile(tmp_path / "spent.json").read() == Fetched()
    assert caplog.text == ""


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[", b"[]", b"{}", b'{"night": 1}', b'{"night": 1, "bytes": "1"}', b'{"night": 1.5, "bytes": 1}'),
        *(b'{"night": 1, "bytes": -1}', b"\xff", b"9" * 5_000, b"[" * FILE_BYTES_MAX),
    ],
)
def test_what_is_not_whole_counts_as_nothing_spent(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "spent.json"
    file.write_bytes(content)
    assert SpentFile(file).read() == Fetched()


@pytest.mark.parametrize("lay", ["link", "pipe", "folder"])
def test_what_somebody_else_has_laid_there_is_not_believed_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lay: str
) -> None:
    file, other = tmp_path / "spent.json", tmp_path / "other"
    SpentFile(other).keep(SPENT)
    match lay:
        case "link":
            file.symlink_to(other)
        case "pipe":
            os.mkfifo(file)
        case _:
            file.mkdir()
    assert SpentFile(file).read() == Fetched()
    assert "counting anew" in caplog.text


def test_another_accounts_file_holds_back_no_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "spent.json"
    SpentFile(file).keep(Fetched(SPENT.night, 10**15))
    ours = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: ours + 1)
    assert SpentFile(file).read() == Fetched()


def test_where_it_cannot_be_kept_that_is_told_and_nothing_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SpentFile(tmp_path / "nowhere" / "spent.json").keep(SPENT)
    assert "a restart counts anew" in caplog.text


def test_the_agent_keeps_it_and_the_next_one_begins_with_it(tmp_path: Path) -> None:
    with Agent(tmp_path) as agent:
        agent.until_welcomed()
        agent.broker.publish(makers.JOB_TOPIC, makers.signed_job(items=[makers.clip_item(length=80_000)]))
        agent.until(lambda: agent.staging.asked != [])
        spent = agent.runtime._state.fetched
    assert spent.bytes == 80_000
    with Agent(tmp_path) as agent:
        assert agent.runtime._state.fetched == spent
