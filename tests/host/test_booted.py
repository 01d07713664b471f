"""A package is installed in a system of the tests' own as pip leaves it on a station."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.host.booted import installed


def test_what_is_installed_is_compiled_and_is_not_compiled_again_whatever_dates_its_files_get(tmp_path: Path) -> None:
    package = tmp_path / "small"
    package.mkdir()
    (package / "__init__.py").write_text("print('compiled')\n")
    installed(tmp_path / "root", package)
    home = tmp_path / "root/opt/edge-agent"
    (source,) = home.glob("lib/*/site-packages/small/__init__.py")
    source.write_text("print('compiled again')\n")
    said = subprocess.run([home / "bin/python", "-c", "import small"], capture_output=True, text=True, check=True)
    assert said.stdout == "compiled\n"
