"""The command line explains itself, in Vietnamese first, and refuses wrong use with the remedy."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO

import pytest

from edge_agent.software import software
from tests.cli.stations import make_station
from tests.console.pictures import picture

TASKS = ["run", "io", "relays-off", "status", "next", "word", "doctor", "enrol", "renew", "factory-reset", "console"]
NOTHING_MORE: Mapping[str, str] = MappingProxyType({})
VIETNAMESE = re.compile("[ạảấầậẩếềệểốồộổứừựửơưđăâêô]")


def run(
    *words: str, stdout: BinaryIO | int = subprocess.PIPE, environ: Mapping[str, str] = NOTHING_MORE
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_agent", *words]
    env = {**os.environ, **environ}
    pipe = subprocess.PIPE
    return subprocess.run(command, stdout=stdout, stderr=pipe, text=True, env=env, timeout=120, check=False)


@cache
def help_of(*words: str) -> subprocess.CompletedProcess[str]:
    """Asked for once: several tests read it."""
    return run(*words, "--help")


def test_the_help_lists_every_task() -> None:
    done = help_of()
    assert (done.returncode, done.stderr) == (0, "")
    listed = re.findall(r"^    ([a-z-]+)(?: |$)", done.stdout, re.MULTILINE)
    assert listed == TASKS


@pytest.mark.parametrize("words", [[], *([task] for task in TASKS)], ids=lambda words: " ".join(words) or "edge-agent")
def test_every_help_is_vietnamese_first_and_fits_the_screen(words: list[str]) -> None:
    done = help_of(*words)
    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.split("\n\n", 1)[1]
    vietnamese, english = VIETNAMESE.search(told), told.find(" / ")
    assert vietnamese is not None
    assert vietnamese.start() < english
    assert max(len(line) for line in done.stdout.splitlines()) <= 80


@pytest.mark.parametrize("task", TASKS)
def test_every_task_names_the_configuration_that_it_takes(task: str) -> None:
    assert "--config" in help_of(task).stdout
    assert "/etc/edge-agent/edge-agent.toml" in help_of(task).stdout


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"{software()}\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "TASK"),
        (["sing"], "sing"),
        (["status", "--loud"], "--loud"),
        (["console"], "--port"),
        (["console", "--port", "/dev/null", "--baud", "fast"], "300"),
        (["console", "--port", "/dev/null", "--baud", "0"], "300"),
        (["console", "--port", "/dev/null", "--baud", "99999999"], "300"),
    ],
)
def test_wrong_use_is_refused_with_what_is_missing(words: list[str], told: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("task", TASKS)
def test_a_configuration_that_cannot_be_read_is_named(task: str, tmp_path: Path) -> None:
    more = ["--port", "/dev/null"] if task == "console" else []
    done = run(task, *more, "--config", str(tmp_path / "nowhere.toml"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "không đọc được tệp / the file cannot be read" in done.stderr
    assert "→ xem lại đường dẫn và quyền đọc; hoặc chạy bằng sudo / check the path and who" in done.stderr


def test_a_reader_that_goes_away_is_no_mistake(tmp_path: Path) -> None:
    """``edge-agent next | head -1``, and the reader has gone before the first line."""
    station = make_station(tmp_path)
    station.show(picture(), age_s=-5)  # so that it is fresh however long an interpreter takes to start
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb") as pipe:
        done = run("next", "--config", str(station.file), stdout=pipe, environ={"PYTHONUNBUFFERED": ""})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_terminal_without_vietnamese_letters_gets_what_it_can_show(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    station.show(picture(), age_s=-5)
    done = run("next", "--config", str(station.file), environ={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nS?p ph?t:\n" in done.stdout
