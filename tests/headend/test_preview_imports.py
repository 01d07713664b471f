"""A preview has no way to a relay (requirement B21): what it runs has loaded nothing that leads to one."""

from __future__ import annotations

import subprocess
import sys

import pytest

PREVIEW = "import edge_agent.headend.preview, edge_agent.headend.preview_jobs, edge_agent.headend.preview_table"
HEADEND = "import edge_agent.headend.cli"
NO_RELAY = ("edge_agent.relay", "edge_agent.device", "edge_agent.link", "gpiozero", "gpiod", "lgpio", "RPi")
NO_WAY = (*NO_RELAY, "edge_agent.sync.mqtt", "edge_agent.sync.connection", "edge_agent.audio.alsa", "alsaaudio", "paho")
"""Relays, the process that switches them, the line to it, a broker that could be told, a card."""


def ways(statement: str, forbidden: tuple[str, ...]) -> list[str]:
    """Which of these, or what is in them, a fresh interpreter has after ``statement`` and a signal's rendering."""
    rendered = "from edge_agent.audio import signals\nsignals.SIGNALS['attention'](8_000)"
    command = [sys.executable, "-c", f"{statement}\n{rendered}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return sorted(name for name in done.stdout.split() if any(f"{name}.".startswith(f"{way}.") for way in forbidden))


def test_what_a_preview_runs_knows_no_relay_no_card_and_no_broker() -> None:
    assert ways(PREVIEW, NO_WAY) == []


def test_no_command_of_the_headend_knows_a_relay() -> None:
    assert ways(HEADEND, NO_RELAY) == []


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        ("edge_agent.relay.simulated", "edge_agent.relay.simulated"),
        ("edge_agent.device.process", "edge_agent.relay.interlock"),
        ("edge_agent.link.client", "edge_agent.link.client"),
        ("edge_agent.sync.mqtt", "paho.mqtt.client"),
        ("edge_agent.audio.alsa", "alsaaudio"),
    ],
)
def test_a_way_that_somebody_adds_is_named(planted: str, named: str) -> None:
    assert named in ways(f"{PREVIEW}, {planted}", NO_WAY)
