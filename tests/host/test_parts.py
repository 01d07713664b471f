"""A test that is left out for want of a program fails where everything was installed, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = 'from tests.host.parts import needs\n\n\n@needs("no-such-program")\ndef test_it():\n    pass\n'
NEEDS_ROOT = 'import pytest\n\n\ndef test_it():\n    pytest.skip("needs root")\n'


@pytest.mark.parametrize(
    ("text", "required", "fails"), [(LEFT_OUT, "1", True), (LEFT_OUT, "0", False), (NEEDS_ROOT, "1", False)]
)
def test_what_was_installed_may_not_be_missed(tmp_path: Path, text: str, required: str, fails: bool) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)]
    env = {**os.environ, "REQUIRE_PARTS": required, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert (done.returncode != 0) is fails, done.stdout
    assert ("no-such-program" in done.stdout) is fails
