"""Files of the headend: what is secret lies where nobody else looks."""

from __future__ import annotations

from pathlib import Path

from edge_agent.headend.files import make_private_directory


def test_a_directory_that_was_open_to_all_is_closed(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(0o755)
    make_private_directory(tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
