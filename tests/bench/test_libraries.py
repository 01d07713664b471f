"""The floor under the memory figures holds what the station stands on, and nothing of the station."""

from __future__ import annotations

from pathlib import Path

from bench import libraries


def test_the_floor_has_the_stations_libraries_and_nothing_of_ours() -> None:
    names = libraries.names_of(libraries.AGENT)
    assert {"paho.mqtt.client", "ssl", "sqlite3", "apscheduler.triggers.cron"} <= set(names)
    assert [name for name in names if name.startswith("edge_agent")] == []
    with libraries.running() as pids:
        mapped = {name: Path(f"/proc/{pid}/maps").read_text() for name, pid in pids.items()}
    assert "cryptography" in mapped["run"]
    assert "alsaaudio" in mapped["io"]
