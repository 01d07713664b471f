"""Which software this is: the same mark is the same words, wherever they lie."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent import __version__
from edge_agent.software import PACKAGE, software, version


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Another copy of this package, as `git` or `pip` lays one there."""
    return shutil.copytree(PACKAGE, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("__pycache__"))


def test_a_copy_in_another_folder_is_the_same_software(package: Path) -> None:
    assert version(package) == version()
    assert software() == f"edge-agent {version()}"
    assert version().startswith(f"{__version__}+")


def test_what_python_makes_of_the_files_does_not_count(package: Path) -> None:
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "software.cpython-313.pyc").write_bytes(b"made here")
    assert version(package) == version()


def _one_byte(package: Path) -> None:
    file = package / "core" / "schedule.py"
    file.write_bytes(file.read_bytes() + b"\n")


def _a_word(package: Path) -> None:
    file = package / "spoken" / "words_vi.toml"
    file.write_bytes(file.read_bytes().replace("ủy".encode(), "uỷ".encode(), 1))


def _another_name(package: Path) -> None:
    (package / "ntp.py").rename(package / "ntp2.py")


def _less(package: Path) -> None:
    (package / "headend" / "schemas" / "job.schema.json").unlink()


@pytest.mark.parametrize("change", [_one_byte, _a_word, _another_name, _less])
def test_whatever_is_altered_is_other_software(package: Path, change: Callable[[Path], None]) -> None:
    change(package)
    assert version(package) != version()


def test_a_file_that_the_card_does_not_give_back_stops_nobody(package: Path) -> None:
    (package / "unreadable.py").mkdir()
    assert version(package) == f"{__version__}+unread"
