"""``word`` prints the server's signed acknowledgement that the station has kept, and nothing that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.cli import main, paths
from edge_agent.journal.database import FILE_NAME
from edge_agent.journal.record import Origin
from edge_agent.journal.store import Store
from tests.cli.stations import make_station
from tests.journal.rigs import name_a_table, transaction
from tests.journal.samples import record_of
from tests.trust import makers

ORIGIN = Origin("dt-01", "edge-agent 1.2.3", "b1")


@pytest.fixture
def rig(tmp_path: Path):
    return make_station(tmp_path)


def keep(rig, word: bytes) -> None:
    """The journal of a station whose first record the server has acknowledged."""
    store = Store(paths.journal(rig.config), ORIGIN)
    with transaction(store) as journal:
        journal.append(record_of(), None, job_over=False)
        journal.save_ack(journal.load().epoch, 1, word)
    store.close()


def test_the_servers_word_is_printed_as_it_came(rig, capsys: pytest.CaptureFixture[str]) -> None:
    word = makers.signed_ack(log={"epoch": "e1", "seq": 1, "hash": "0" * 64})
    keep(rig, word)
    assert main(["word", "--config", str(rig.file)]) == 0
    out, told = capsys.readouterr()
    assert out.encode() == word + b"\n"
    assert told.startswith("máy chủ đã ký xác nhận nhật ký / the server has signed for the log: ")


@pytest.mark.parametrize(("kept", "said"), [(True, "the server has acknowledged nothing yet"), (False, "cannot read")])
def test_without_a_word_it_says_so(rig, capsys: pytest.CaptureFixture[str], kept: bool, said: str) -> None:
    if kept:
        Store(paths.journal(rig.config), ORIGIN).close()
    assert main(["word", "--config", str(rig.file)]) == 1
    out, told = capsys.readouterr()
    assert (out, said in told) == ("", True)


@pytest.mark.parametrize("word", [b'{"\x1b]0;all is well\x07', '{"\x9b2J"}'.encode(), b"{\xff}"])
def test_what_a_terminal_would_obey_is_no_word(rig, capsys: pytest.CaptureFixture[str], word: bytes) -> None:
    """The journal is the service's, and whoever has taken it over writes there what it likes."""
    keep(rig, word)
    assert main(["word", "--config", str(rig.file)]) == 1
    out, told = capsys.readouterr()
    assert (out, "is damaged" in told) == ("", True)


def test_what_a_spoiled_journal_is_called_moves_no_cursor(rig, capsys: pytest.CaptureFixture[str]) -> None:
    Store(paths.journal(rig.config), ORIGIN).close()
    name_a_table(paths.journal(rig.config) / FILE_NAME, "x\x1b]0;evil\x07\x9b2J")
    assert main(["word", "--config", str(rig.file)]) == 1
    assert "malformed database schema (x?]0;evil??2J)" in capsys.readouterr().err
