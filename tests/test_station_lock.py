"""A station is installed from a part of the lock that holds what it carries, and nothing of what developers want."""

from __future__ import annotations

import re

import pytest

from tools import station_lock
from tools.locked import LOCK, ROOT, read
from tools.station_lock import STATION

A, B = "a" * 64, "b" * 64
ENTRIES = {
    "one-two": f"one-two==1.0 \\\n    --hash=sha256:{A} \\\n    --hash=sha256:{B}\n",
    "three": f'three==2.0 ; python_version >= "3.13" \\\n    --hash=sha256:{A}\n',
    "tester": f"tester==9.0 \\\n    --hash=sha256:{B}\n",
}
WHOLE = "# Made by ./run lock\n" + "".join(ENTRIES.values())


def test_entries_are_the_locks_own_with_marker_and_every_hash() -> None:
    assert station_lock.cut(WHOLE, frozenset({"one-two", "three"})) == (
        station_lock.HEAD + ENTRIES["one-two"] + ENTRIES["three"]
    )


@pytest.mark.host
def test_the_file_is_what_the_lock_says_of_a_station() -> None:
    assert STATION.read_text("utf-8") == station_lock.made(), "run python -m tools.station_lock"


def test_each_package_is_the_one_that_was_tested() -> None:
    station, whole = read(STATION), read(LOCK)
    assert {name: package for name, package in whole.items() if name in station} == station
    assert not station.keys() & {"pytest", "ruff", "mypy", "hypothesis", "numpy", "pip-audit", "atheris"}


def test_the_operations_install_a_station_from_it_and_check_every_hash() -> None:
    operations = (ROOT / "docs/operations.md").read_text("utf-8")
    installed = re.findall(r"^sudo /opt/edge-agent/bin/pip install (.*)$", operations, re.MULTILINE)
    assert len(installed) == 6, "three lines in each language"
    locks = [line.split()[-1] for line in installed if "--no-deps" not in line]
    assert locks == ["requirements/build.txt", "requirements/station.txt"] * 2
    assert all("--require-hashes" in line for line in installed if "--no-deps" not in line)
