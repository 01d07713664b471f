"""What a bench cannot do is left out with the reason that its file gives, and fails where the file gives none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DESK = ROOT / "hil_tests" / "rigs" / "desk.toml"
WANTS_DISKS = "hil_tests/on_target/test_power_cuts.py::test_the_day_writes_in_every_way"


def tried_on(rig: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", WANTS_DISKS],
        cwd=ROOT,
        env={**os.environ, "BENCH_RIG": str(rig), "PYTEST_ADDOPTS": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_a_file_calls_absent_is_left_out_with_its_reason() -> None:
    done = tried_on(DESK)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert "a real card cannot be cut between two chosen writes" in done.stdout


def test_what_a_file_says_nothing_of_fails(tmp_path: Path) -> None:
    silent = tmp_path / "silent.toml"
    silent.write_text("".join(line for line in DESK.open(encoding="utf-8") if not line.startswith("disk")), "utf-8")
    done = tried_on(silent)
    assert done.returncode == 1, done.stdout
    assert "desk cannot give disks that fail when they are told to" in done.stdout
