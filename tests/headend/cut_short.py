"""The centre's machine loses power while it makes certificates."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.headend import pki


def at_the_file(number: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Before the file of that number is written, once; the names of those that were begun, as they are."""
    begun: list[str] = []
    really = pki.write_durably

    def write(path: Path, content: bytes, mode: int = 0o600) -> None:
        begun.append(path.name)
        if len(begun) == number:
            raise KeyboardInterrupt
        really(path, content, mode)

    monkeypatch.setattr(pki, "write_durably", write)
    return begun
