"""Bring the made parts of a document up to date, or with ``--check`` only look. Decides nothing about what is made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path


def keep(document: Path, made: Callable[[str], str]) -> int:
    """Write what ``made`` makes of the document's text; with ``--check`` return 1 where that would change something."""
    text = document.read_text("utf-8") if document.exists() else ""
    fresh = made(text)
    if "--check" in sys.argv:
        return int(text != fresh)
    document.write_text(fresh, "utf-8")
    return 0
