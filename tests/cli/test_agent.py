"""What the configuration says reaches the parts that it is about."""

from __future__ import annotations

from pathlib import Path

from edge_agent.audio.sandbox import Sandbox
from edge_agent.audio.speech import EspeakVoice
from edge_agent.cli import agent, paths
from tests.cli.stations import make_station


def test_the_station_speaks_with_the_configured_voice_and_pace(tmp_path: Path) -> None:
    station = make_station(tmp_path, more='[speech]\nvoice = "vi-vn-x-south"\nrate_wpm = 120\n')
    paths.prepare(station.config)
    assert agent._stager(station.config).voice == EspeakVoice(Sandbox(), "vi-vn-x-south", 120)


def test_without_a_wish_the_station_speaks_as_it_was_measured(tmp_path: Path) -> None:
    station = make_station(tmp_path)
    paths.prepare(station.config)
    assert agent._stager(station.config).voice == EspeakVoice(Sandbox())
