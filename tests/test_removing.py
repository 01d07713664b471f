"""What a card refuses to delete is told in one line, and whatever it lets go is gone."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edge_agent import removing


def test_what_goes_is_told_from_what_the_disk_refuses(tmp_path: Path) -> None:
    (tmp_path / "one").touch()
    refusals: list[OSError] = []
    assert removing.went((tmp_path / "one").unlink, refusals)
    assert not removing.went(tmp_path.unlink, refusals), "a folder is no file"
    assert [error.filename for error in refusals] == [str(tmp_path)]
    assert not (tmp_path / "one").exists()


def test_hundreds_of_refusals_are_one_line_and_none_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("test")
    removing.tell(log, "clips not removed", [])
    removing.tell(log, "clips not removed", [OSError(5, "first")] * 300)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told == "clips not removed count=300 first=[Errno 5] first next=the others go"
