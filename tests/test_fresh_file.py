"""What is begun is ours alone, whatever lay in its place: /run/edge-agent is not ours alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_agent import fresh_file

KEPT = b"thirteen months of records"


def link(journal: Path, place: Path) -> None:
    place.symlink_to(journal)


def second_name(journal: Path, place: Path) -> None:
    place.hardlink_to(journal)


def pipe(journal: Path, place: Path) -> None:
    """Opened for writing, it would keep us waiting for ever."""
    del journal
    os.mkfifo(place)


def open_to_all(journal: Path, place: Path) -> None:
    del journal
    place.write_bytes(b"of somebody who has it open still")
    place.chmod(0o666)


@pytest.mark.parametrize("lay", [link, second_name, pipe, open_to_all])
def test_what_somebody_laid_in_the_way_is_neither_written_through_nor_waited_for(
    tmp_path: Path, lay: Callable[[Path, Path], None]
) -> None:
    journal, file = tmp_path / "journal.db", tmp_path / "status.json"
    journal.write_bytes(KEPT)
    lay(journal, tmp_path / "status.new")
    fresh_file.replace(file, b"status", 0o640)
    assert (journal.read_bytes(), file.read_bytes()) == (KEPT, b"status")
    assert stat.S_IMODE(file.lstat().st_mode) == 0o640
    assert not file.is_symlink()


def test_what_cannot_be_taken_away_is_trouble_with_a_name_and_harms_nothing(tmp_path: Path) -> None:
    """In a sticky folder another's file stays, as a folder stays here."""
    (tmp_path / "status.json").write_bytes(b"old")
    (tmp_path / "status.new").mkdir()
    with pytest.raises(OSError, match=r"status\.new"):
        fresh_file.replace(tmp_path / "status.json", b"new")
    assert (tmp_path / "status.json").read_bytes() == b"old"
