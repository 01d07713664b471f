"""What a command could not say is told on stderr in one line, and is no success; another's traceback stays."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_agent import terminal
from tests.cli.stations import StationRig, make_station
from tests.console.pictures import picture

FULL = Path("/dev/full")
LONGER_THAN_ITS_BUFFER = 100_000
HEADEND = "import sys; from edge_agent.headend.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> StationRig:
    return make_station(tmp_path_factory.mktemp("station"))


@pytest.fixture
def station(enrolled: StationRig) -> StationRig:
    enrolled.show(picture(), age_s=-5)  # fresh however long an interpreter takes to start
    return enrolled


@contextmanager
def full_stdout() -> Iterator[None]:
    with FULL.open("w") as full, contextlib.redirect_stdout(full):
        yield


def on_a_full_disk(*words: str, stderr: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONUNBUFFERED": ""}
    command = [sys.executable, *words]
    with FULL.open("w") as full:
        return subprocess.run(command, stdout=full, stderr=stderr, text=True, env=env, timeout=120, check=False)


def says(words: str, status: int) -> int:
    print(words)
    return status


def assert_told_in_one_line(told: str) -> None:
    assert told.startswith("lỗi / error: không ghi được kết quả của lệnh / what the command says cannot be written")
    assert told.count("\n") == 1


@pytest.mark.parametrize("words", ["status", "status --json", "next", "doctor"])
def test_a_station_whose_disk_is_full_says_that_it_could_not_tell(station: StationRig, words: str) -> None:
    done = on_a_full_disk("-m", "edge_agent", *words.split(), "--config", str(station.file))
    assert_told_in_one_line(done.stderr)
    assert done.returncode == 1


def test_an_officer_whose_disk_is_full_is_told_that_nothing_was(station: StationRig) -> None:
    done = on_a_full_disk("-c", HEADEND, "keys", "list", "--dir", str(station.keyring.directory))
    assert_told_in_one_line(done.stderr)
    assert done.returncode == 1


def test_where_stderr_is_on_the_full_disk_too_the_exit_status_still_says_it(station: StationRig) -> None:
    done = on_a_full_disk("-m", "edge_agent", "status", "--config", str(station.file), stderr=subprocess.STDOUT)
    assert done.returncode == 1


def test_what_is_longer_than_the_buffer_fails_amid_the_work_and_is_told_alike(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with full_stdout():
        assert terminal.status_told(lambda: says("x" * LONGER_THAN_ITS_BUFFER, 0)) == 1
    assert_told_in_one_line(capsys.readouterr().err)


@pytest.mark.parametrize("status", [2, 130])
def test_a_status_that_says_more_stays(capsys: pytest.CaptureFixture[str], status: int) -> None:
    with full_stdout():
        assert terminal.status_told(lambda: says("x", status)) == status
    assert_told_in_one_line(capsys.readouterr().err)


def test_a_task_that_prints_nothing_keeps_the_traceback_of_its_own_full_disk() -> None:
    def journal() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with full_stdout(), pytest.raises(OSError, match="No space left") as raised:
        terminal.status_told(journal)
    assert "journal" in [entry.name for entry in raised.traceback]


def test_another_failure_is_not_taken_for_that_of_the_output() -> None:
    def device() -> int:
        print("x")
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with full_stdout():
        with pytest.raises(OSError, match="Input/output error"):
            terminal.status_told(device)
        terminal._let_go(sys.stdout)


def test_a_command_without_a_stdout_works_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", None)
        assert terminal.status_told(lambda: says("x", 0)) == 0


def test_a_broken_pipe_of_the_tasks_own_is_no_reader_who_left() -> None:
    """``publish`` said 0 where it was the server that had gone."""

    def send() -> int:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        terminal.status_told(send)
