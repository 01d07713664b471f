"""No password is written into the product's code. That no key is in it, `tests/test_packaging.py` says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PASSWORD_RULES = "S105,S106,S107"  # ruff's, from Bandit: a password in an assignment, an argument, a default


def written_passwords(folder: Path) -> str:
    """What ruff finds there; "" for nothing."""
    rules = ["--isolated", "--no-cache", "--quiet", "--output-format", "concise", "--select", PASSWORD_RULES]
    command = [sys.executable, "-m", "ruff", "check", *rules, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("folder", ["edge_agent", "demo", "tools"])
def test_no_password_is_written_in_the_code(folder: str) -> None:
    assert written_passwords(ROOT / folder) == ""


def test_a_planted_password_is_found(tmp_path: Path) -> None:
    (tmp_path / "login.py").write_text('password = "raspberry"\nconnect(token="let me in")\n', "utf-8")
    assert written_passwords(tmp_path).count("login.py:") == 2
