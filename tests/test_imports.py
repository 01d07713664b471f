"""The house keeps its rules of imports, and each rule catches its fault, planted one at a time in a small house."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import imports

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def modules() -> dict[str, imports.Module]:
    """The house, read once for all rules."""
    return imports.load(ROOT)


@pytest.mark.parametrize("rule", imports.RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_the_rule(modules: dict[str, imports.Module], rule) -> None:
    assert "core.occurrence" in modules
    assert list(rule(modules)) == []


def test_every_name_in_the_rules_still_exists(modules: dict[str, imports.Module]) -> None:
    """A rule about a module that has moved guards nothing."""
    named = {*imports.FLOORS, *imports.ADAPTERS, *imports.CHOOSERS, *imports.PURE, *imports.KEEPS_A_FILE}
    assert sorted(named - modules.keys()) == []


SOUND = {
    "__init__": "__version__ = '1'",
    "core/__init__": "",
    "core/units": "from datetime import date, time\n",
    "core/station": "from zoneinfo import ZoneInfo\nfrom . import units\n",
    "trust/__init__": "",
    "trust/envelope": "from cryptography.hazmat.primitives import hashes\nfrom edge_agent.core.units import UtcMs\n",
    "relay/__init__": "",
    "relay/port": "from ..core import units\n",
    "relay/gpio": "import gpiod\nfrom edge_agent.relay.port import Relays\n",
    "runtime": "import time\nfrom edge_agent.core import station\nfrom edge_agent.relay import port\n",
    "cli": "from edge_agent import __version__, runtime\ndef main():\n    from edge_agent.relay.gpio import Gpio\n",
}


def plant(root: Path, changed: dict[str, str]) -> Path:
    for name, text in (SOUND | changed).items():
        file = root / imports.PACKAGE / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    return root


def test_a_sound_house_has_no_fault(tmp_path: Path) -> None:
    assert imports.faults(plant(tmp_path, {})) == []


@pytest.mark.parametrize(
    ("file", "text", "fault"),
    [
        (
            "core/station",
            "from edge_agent.relay import port",
            "core.station: imports relay.port, which is not on a lower",
        ),
        ("core/station", "from ..runtime import run", "core.station: imports runtime, which is not on a lower floor"),
        (
            "trust/envelope",
            "from edge_agent.relay.port import R",
            "trust.envelope: imports relay.port, which is not on a l",
        ),
        ("trust/envelope", "import edge_agent.relay", "trust.envelope: imports relay, which is not on a lower floor"),
        ("runtime", "import edge_agent.cli", "runtime: imports cli, which is not on a lower floor"),
        (
            "__init__",
            "from edge_agent.core import units",
            "edge_agent: imports core.units, which is not on a lower floor",
        ),
        ("helpers", "", "helpers: stands on no floor"),
        ("runtime", "from edge_agent.relay.gpio import Gpio", "runtime: imports the adapter relay.gpio"),
        ("relay/port", "def f():\n    from . import gpio", "relay.port: imports the adapter relay.gpio"),
        ("core/station", "import time", "core.station: is pure and imports time"),
        ("core/station", "import os.path", "core.station: is pure and imports os"),
        ("core/station", "from gpiod import request_lines", "core.station: is pure and imports gpiod"),
        ("core/station", "import cryptography", "core.station: is pure and imports cryptography"),
        ("core/station", "import datetime\nx = datetime.datetime.now()", "core.station: is pure and uses datetime.now"),
        ("core/station", "from datetime import date\nf = date.today", "core.station: is pure and uses date.today"),
        ("core/station", "print('x')", "core.station: is pure and uses print()"),
        ("trust/envelope", "import socket", "trust.envelope: is pure and imports socket"),
        ("relay/interlock", "import threading", "relay.interlock: is pure and imports threading"),
        ("core/units", "from edge_agent.core import station", "circle of imports"),
        ("runtime", "from paho.mqtt.client import Client", "runtime: uses paho, whose home is ['headend', 'sync']"),
        ("journal_worker", "import edge_agent.headend.pki", "journal_worker: imports headend"),
        ("runtime", "import numpy as np", "runtime: imports numpy"),
        ("runtime", "import apscheduler.schedulers", "runtime: uses apscheduler, whose home is ['core']"),
        ("relay/port", "from tests.fakes import relay", "relay.port: imports tests"),
    ],
)
def test_a_planted_fault_is_named(tmp_path: Path, file: str, text: str, fault: str) -> None:
    found = imports.faults(plant(tmp_path, {file: text}))
    assert any(fault in sentence for sentence in found), found
