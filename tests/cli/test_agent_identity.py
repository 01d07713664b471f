"""An agent starts only as a whole station, whatever its signing key lies in."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.cli import agent
from edge_agent.config import load
from edge_agent.identity.installing import pending
from edge_agent.identity.resetting import mark
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
def test_a_station_without_its_key_does_not_start_and_says_where_to_look(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    station = make_station(tmp_path)
    station.file.write_text(station.file.read_text("utf-8").replace(str(station.given.sign), str(tmp_path / name)))
    assert agent.run(load(station.file)) == agent.EXIT_SETUP
    assert name in caplog.text
    assert "next=edge-agent doctor" in caplog.text
