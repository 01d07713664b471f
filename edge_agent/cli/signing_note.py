"""Remember for the console that the agent cannot sign: a file in memory (``run_dir``), there while that is so.

It says no more than that; ``doctor`` tries the key itself, and names the reason. Whatever befalls it, nothing stops.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from edge_agent import fresh_file

log = logging.getLogger(__name__)


def write(file: Path) -> None:
    """The key cannot be used."""
    try:
        fresh_file.replace(file, b"")
    except OSError as error:
        log.error("failing key not noted error=%s", error)


def clear(file: Path) -> None:
    """Nothing is known of it yet."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        log.error("note of a failing key not removed error=%s", error)


def stands(file: Path) -> bool:
    """Whether the agent cannot sign."""
    return os.path.exists(file)  # and not Path.exists: who may not look in there is told nothing
