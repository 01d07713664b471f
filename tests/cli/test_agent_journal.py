"""The journal that an agent starts with: the disk's, also where it hesitates, else one in its place."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from edge_agent.cli import agent
from edge_agent.journal.port import JournalError
from edge_agent.journal.record import Origin
from edge_agent.journal.spare import SpareStore
from edge_agent.journal.store import Store

ORIGIN = Origin("dt-01", "edge-agent test", "b1")


def test_a_disk_that_hesitates_at_the_start_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited, real = list[float](), Store.load

    def load(store: Store) -> object:
        if len(waited) < agent.JOURNAL_TRIES - 1:
            raise JournalError("SQLITE_IOERR")
        return real(store)

    monkeypatch.setattr(Store, "load", load)
    store, contents = agent._journal(tmp_path / "journal", ORIGIN, waited.append)
    assert not isinstance(store, SpareStore)
    assert (contents.last_seq, waited) == (0, [agent.JOURNAL_PAUSE_S] * (agent.JOURNAL_TRIES - 1))
    store.close()


@pytest.mark.parametrize("refusals", [agent.JOURNAL_TRIES - 1, agent.JOURNAL_TRIES])
def test_a_journal_that_a_disk_does_not_give_back_is_asked_for_again_before_it_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    """A ward's timetable lies there, and a read that fails as the power comes back may succeed a moment later."""
    store = Store(tmp_path / "journal", ORIGIN)
    before = store.load()
    store.close()
    real, waited, left = sqlite3.connect, list[float](), [None] * refusals

    def connect(*args: object, **kwargs: object) -> sqlite3.Connection:
        if not left:
            return real(*args, **kwargs)  # type: ignore[call-overload, no-any-return]
        left.pop()
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = sqlite3.SQLITE_IOERR_CORRUPTFS
        raise error

    monkeypatch.setattr(sqlite3, "connect", connect)
    store, contents = agent._journal(tmp_path / "journal", ORIGIN, waited.append)
    store.close()
    given_up = refusals == agent.JOURNAL_TRIES
    assert (contents.epoch == before.epoch, bool(contents.quarantined)) == (not given_up, given_up)
    assert waited == [agent.JOURNAL_PAUSE_S] * (agent.JOURNAL_TRIES - 1)


def test_one_that_gives_none_at_all_has_a_spare_and_keeps_nobody_waiting_for_long(tmp_path: Path) -> None:
    waited = list[float]()
    (tmp_path / "journal").write_text("in the folder's place")
    store, contents = agent._journal(tmp_path / "journal", ORIGIN, waited.append)
    assert isinstance(store, SpareStore)
    assert contents.jobs == ()
    assert sum(waited) < 10, "an order may come at any moment"
    store.close()
