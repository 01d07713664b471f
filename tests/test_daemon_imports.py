"""What a station's two processes have not loaded once they are composed (ADR 10): memory creeps."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.libraries import AGENT, DEVICE

# With what they load when they open their devices; gpiozero, where there are real relays, brings 2.7 MB of its own.
NEVER = frozenset(
    "asn1crypto decimal demo fractions jsonschema multiprocessing numpy pkcs11 pydub pytest securesystemslib "
    "statistics tests unittest xml".split()
)
"""Heavy, or not a station's at all. pydub is loaded to make the pinned tones, once in a station's life."""

ABSENT = {
    "agent": NEVER | frozenset({"alsaaudio", "gpiod", "gpiozero", "serial"}),
    "io": NEVER | frozenset("apscheduler asyncio cryptography http paho sqlite3 ssl tempfile".split()),
}


def loaded(statement: str) -> set[str]:
    """Names of all modules of a fresh interpreter after ``statement``; a package is among them with any of its own."""
    command = [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(("process", "statement"), [("agent", AGENT), ("io", DEVICE)])
def test_a_process_carries_nothing_that_it_does_not_need(process: str, statement: str) -> None:
    known = loaded(statement)
    assert "edge_agent" in known
    assert sorted(known & ABSENT[process]) == []


def test_a_library_that_creeps_in_is_named() -> None:
    assert sorted(loaded(f"{AGENT}, statistics") & ABSENT["agent"]) == [
        "decimal",
        "fractions",
        "statistics",
    ]
