"""An agent starts only as a whole station, whatever its signing key lies in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.cli import agent, paths, show
from edge_agent.config import load
from edge_agent.console.silence import CANNOT_SIGN
from edge_agent.identity.installing import pending
from edge_agent.identity.resetting import mark
from edge_agent.journal.record import Origin
from edge_agent.journal.store import Store
from edge_agent.trust.keeper import Keeper, believing
from tests.cli.agents import started
from tests.cli.stations import STATION, StationRig, make_station


def test_an_enrolment_that_was_cut_short_is_named_and_nothing_starts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    station = make_station(tmp_path)
    pending(station.config).write_bytes(b"{}")
    assert agent.run(station.config) == agent.EXIT_SETUP
    assert "enrolment was cut short" in caplog.text
    assert "next=sudo edge-agent enrol" in caplog.text


def test_while_a_reset_is_half_done_nothing_starts_and_the_way_to_end_it_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    station = make_station(tmp_path)
    mark(station.config).touch()
    assert agent.run(station.config) == agent.EXIT_SETUP
    assert "factory reset was cut short" in caplog.text
    assert "next=sudo edge-agent factory-reset" in caplog.text


@pytest.mark.parametrize("name", ["signing.token", "signing.key"])
def test_a_station_without_its_key_starts_says_where_to_look_and_signs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    station = make_station(tmp_path)
    station.file.write_text(station.file.read_text("utf-8").replace(str(station.given.sign), str(tmp_path / name)))
    config = load(station.file)
    ports = started(config, monkeypatch)
    assert ports.upstream.will(ports.clock.now()) is None
    assert name in caplog.text
    assert "next=edge-agent doctor" in caplog.text
    assert show.unconnected(config) == CANNOT_SIGN


def test_once_its_key_is_back_it_signs_and_the_console_tells_of_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    station = make_station(tmp_path)
    gone = station.given.sign.rename(tmp_path / "gone")
    started(station.config, monkeypatch)
    gone.rename(station.given.sign)
    ports = started(station.config, monkeypatch)
    assert ports.upstream.will(ports.clock.now())
    assert show.unconnected(station.config) is None


def keep_what_is_believed(station: StationRig) -> Keeper:
    """As a start does."""
    paths.prepare(station.config)
    store = Store(paths.journal(station.config), Origin(STATION, "edge-agent test", "b1"))
    believed = believing(station.given.trust.read_bytes(), (), station.config.site)
    store.begin()
    for area, envelope in believed.unkept():
        store.save_trust(area, envelope, believed.anchor)
    store.commit()
    store.close()
    return believed


def test_a_trust_file_that_a_worn_card_does_not_give_back_keeps_nothing_from_sounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """All that stands in it lies in the journal too."""
    station = make_station(tmp_path)
    believed = keep_what_is_believed(station)
    station.given.trust.unlink()
    station.given.trust.symlink_to("/proc/self/mem")  # which no read brings anything from but EIO
    ports = started(station.config, monkeypatch)
    assert (ports.trust.standing, ports.trust.anchor) == (believed.standing, believed.anchor)
    assert "trust file not to be read error=[Errno 5]" in caplog.text
    assert "edge-agent doctor" in caplog.text


def test_a_state_folder_that_nothing_is_told_of_keeps_nothing_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worn card answers EIO to whoever asks whether a reset was begun there."""
    station = make_station(tmp_path)
    monkeypatch.setattr(agent, "JOURNAL_PAUSE_S", 0)
    away = replace(station.config.paths, state_dir=station.config.paths.state_dir / ("x" * 256))
    ports = started(replace(station.config, paths=away), monkeypatch)
    assert ports.trust.standing
    assert "no folder on the card" in caplog.text


@pytest.mark.parametrize("written", ["{", '{"type": "trust-file", "documents": []}'])
def test_one_that_hands_have_put_there_and_is_no_good_is_not_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, written: str
) -> None:
    """It may be there to end what the station believes."""
    station = make_station(tmp_path)
    keep_what_is_believed(station)
    station.given.trust.write_text(written)
    assert agent.run(station.config) == agent.EXIT_SETUP
    assert "trust not usable" in caplog.text


def test_nothing_starts_where_nothing_was_ever_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    station = make_station(tmp_path)
    station.given.trust.unlink()
    assert agent.run(station.config) == agent.EXIT_SETUP
    assert "trust not usable error=[Errno 2]" in caplog.text
    assert not paths.journal(station.config).exists(), "each try would write"
