"""The relays' driver is the one that the configuration names, and whoever asks gets every relay open."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.cli import relays
from edge_agent.config import load
from edge_agent.relay import gpio
from edge_agent.relay.simulated import SimulatedRelays
from tests.cli.stations import make_station
from tests.config_texts import DOCS
from tests.test_daemon_imports import loaded


def test_the_stop_hook_opens_what_a_killed_process_left_closed(tmp_path: Path) -> None:
    """The command itself, as both units call it (``ExecStopPost=``): what the driver can do helps nobody uncalled."""
    config = make_station(tmp_path).config
    folder = config.relays.simulated_dir
    assert folder is not None
    zones = sorted(config.site.zones)
    SimulatedRelays(folder, config.site.zones).switch(zones[0], True)
    assert (folder / zones[0]).read_text() == "1"
    assert relays.off(config) == 0
    assert [(folder / zone).read_text() for zone in zones] == ["0"] * len(zones)


def test_the_stop_hook_asks_the_real_chip_for_every_line_with_its_polarity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, dict[str, object]]] = []
    monkeypatch.setattr(gpio, "relays_off", lambda chip, lines: asked.append((chip, lines)))
    config = load(DOCS / "edge-agent.example.toml")
    assert relays.off(config) == 0
    ((chip, lines),) = asked
    assert chip == config.relays.chip
    assert {zone: (one.line, one.active_low) for zone, one in lines.items()} == {  # type: ignore[attr-defined]
        zone: (wiring.line, wiring.active_low) for zone, wiring in config.zones.items()
    }
    assert len(lines) == 2


def test_the_stop_hook_waits_for_nothing_of_sound(tmp_path: Path) -> None:
    """A relay that a dead process left closed is closed for as long as this command takes to start."""
    station = make_station(tmp_path)
    hook = f"from edge_agent.cli import main; assert main(['relays-off', '--config', {str(station.file)!r}]) == 0"
    known = loaded(hook)
    assert "edge_agent.relay.simulated" in known
    assert known & {"edge_agent.audio", "edge_agent.device", "alsaaudio"} == set()
