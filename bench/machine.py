"""Where and with what the figures were taken: machine, kernel, versions, date."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from edge_agent import __version__

PROGRAMS = {
    "mosquitto": ("mosquitto", "-h"),
    "pulseaudio": ("pulseaudio", "--version"),
    "ffmpeg": ("ffmpeg", "-version"),
    "espeak-ng": ("espeak-ng", "--version"),
}
PACKAGES = ("paho-mqtt", "pyalsaaudio", "cryptography", "apscheduler")
NUMBER = re.compile(r"\d+(\.\d+)+")


def describe(command: str) -> list[tuple[str, str]]:
    """Rows of a table, name and words."""
    return [
        ("date", datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")),
        ("command", f"`{command}`"),
        ("machine", f"{platform.machine()}, {_cpu()}, {os.cpu_count()} cores, {_memory_gb():.1f} GB"),
        ("load before", " ".join(f"{load:.2f}" for load in os.getloadavg())),
        ("system", f"{_system()}, Linux {platform.release().partition('-')[0]}"),
        ("edge-agent", f"{__version__}, commit {_commit()}"),
        ("Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, {ssl.OPENSSL_VERSION}"),
        ("packages", ", ".join(f"{name} {version(name)}" for name in PACKAGES)),
        ("programs", ", ".join(f"{name} {program_version(*words)}" for name, words in PROGRAMS.items())),
    ]


def program_version(*command: str) -> str:
    """The first number that looks like a version in what a program says of itself."""
    said = _said(*command)
    found = NUMBER.search(said)
    return found[0] if found else "unknown"


def _said(*command: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=20
        )
    except OSError:
        return ""
    return done.stdout + done.stderr


def _cpu() -> str:
    found = re.search(r"^(?:model name|Model)\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else "unknown CPU"


def _memory_gb() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", "unknown system")


def _commit() -> str:
    return _said("git", "describe", "--always", "--dirty").strip() or "unknown"
