"""The status file: whole or the one before, once a second, and never a reason to stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.core.units import MonoMs
from edge_agent.status_file import EARLY_MS, STATUS_MS, StatusFile

T0 = MonoMs(5_000)


def at(ms: int) -> MonoMs:
    return MonoMs(T0 + ms)


def test_the_first_picture_is_written_at_once_however_soon_after_the_boot(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.show(MonoMs(1), lambda: b"one")
    assert ((tmp_path / "status.json").read_bytes(), status.due) == (b"one", None)


def test_what_comes_too_soon_is_due_later(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.show(T0, lambda: b"one")
    status.show(at(STATUS_MS - EARLY_MS - 1), lambda: b"two")
    assert ((tmp_path / "status.json").read_bytes(), status.due) == (b"one", at(STATUS_MS))
    status.show(at(STATUS_MS - EARLY_MS), lambda: b"three")
    assert ((tmp_path / "status.json").read_bytes(), status.due) == (b"three", None)


def test_a_picture_that_is_not_shown_is_not_drawn(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.show(T0, lambda: b"one")
    drawn: list[int] = []
    status.show(at(1), lambda: drawn.append(1) or b"two")  # type: ignore[func-returns-value]
    assert drawn == []


def test_a_reader_that_has_it_open_keeps_the_whole_old_picture(tmp_path: Path) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.show(T0, lambda: b"one")
    with open(tmp_path / "status.json", "rb") as reader:
        status.show(at(STATUS_MS), lambda: b"two, and longer")
        assert reader.read() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_trouble_is_said_once_and_again_after_it_has_passed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "run"
    status = StatusFile(folder / "status.json")
    for second in range(3):
        status.show(at(second * STATUS_MS), lambda: b"one")
    assert caplog.text.count("status not written") == 1
    folder.mkdir()
    status.show(at(3 * STATUS_MS), lambda: b"two")
    assert (folder / "status.json").read_bytes() == b"two"
    status.remove()
    folder.rmdir()
    status.show(at(4 * STATUS_MS), lambda: b"three")
    assert caplog.text.count("status not written") == 2


def test_the_status_is_never_written_through_a_link_that_the_device_process_laid(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"
    journal.write_bytes(b"thirteen months of records")
    (tmp_path / "status.new").symlink_to(journal)
    StatusFile(tmp_path / "status.json").show(T0, lambda: b"one")
    assert journal.read_bytes() == b"thirteen months of records"


def test_it_is_removed_and_nobody_minds_when_it_never_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    status = StatusFile(tmp_path / "status.json")
    status.remove()
    status.show(T0, lambda: b"one")
    status.remove()
    assert list(tmp_path.iterdir()) == []
    StatusFile(tmp_path / "a file" / "status.json").remove()
    (tmp_path / "a file").write_text("")
    assert caplog.text == ""
    StatusFile(tmp_path / "a file" / "status.json").remove()
    assert "status not removed" in caplog.text
