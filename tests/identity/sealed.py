"""A passphrase, as systemd hands it over to a unit of whom it knows one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.identity.credential import VARIABLE

NAME = "edge-agent.keys"
PASSPHRASE = "4uKxW2mPq0Z8nV6tYc1RbE7sJhL3aGfD"


def handed_over(folder: Path, patch: pytest.MonkeyPatch, passphrase: str = PASSPHRASE) -> None:
    folder.mkdir(exist_ok=True)
    (folder / NAME).write_text(f"{passphrase}\n")
    patch.setenv(VARIABLE, str(folder))
