"""A demo that ends in the midst of a bulletin leaves no real relay closed: nobody's stop hook stands behind it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from demo import ward
from demo.ward import Hardware, Ward

DEVICE = """
import pathlib, signal, sys
def opened(*_):
    pathlib.Path(sys.argv[1]).touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if "hangs" in sys.argv else opened)
print("ready", flush=True)
signal.pause() if "hangs" not in sys.argv else [signal.pause() for _ in range(9)]
"""
REAL = Hardware(device="hw:0", gpio_chip="/dev/gpiochip0", gpio_lines=(17, 27))


def stopped(folder: Path, monkeypatch: pytest.MonkeyPatch, *words: str, killed: bool = False) -> tuple[bool, list[str]]:
    """Whether the device process could open its relays, and the commands that were given behind it."""
    given: list[str] = []
    there = Ward(folder, REAL)
    monkeypatch.setattr(there, "command", lambda *one: given.extend(one) or "")
    opened = folder / "opened"
    child = subprocess.Popen([sys.executable, "-c", DEVICE, str(opened), *words], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    if killed:
        child.kill()
        child.wait()
    there._io = child
    there._stop_station()
    assert child.poll() is not None
    return opened.exists(), given


def test_real_relays_are_opened_by_their_own_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed, it would leave a Raspberry Pi's lines driven, and the amplifiers on."""
    assert stopped(tmp_path, monkeypatch) == (True, [])


def test_of_a_device_process_that_hangs_they_are_opened_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ward, "STOP_S_MAX", 0.1)
    assert stopped(tmp_path, monkeypatch, "hangs") == (False, ["relays-off"])


def test_of_one_that_was_killed_before_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stopped(tmp_path, monkeypatch, killed=True) == (False, ["relays-off"])
