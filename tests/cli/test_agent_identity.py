"""An agent starts only as a whole station, whatever its signing key lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.cli import agent, show
from edge_agent.config import load
from edge_agent.identity.installing import pending
from edge_agent.identity.resetting import mark
from tests.cli.agents import started
from tests.cli.stations import make_station


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
    assert show.unconnected(config) == show.CANNOT_SIGN


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
