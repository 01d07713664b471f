"""Decide what becomes of a letter that a terminal has not: "?" is better than nothing on an old screen."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def print_on_any() -> None:
    """From now on; of a command that has done its work, and then could not say so, nobody knows what it has done."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
