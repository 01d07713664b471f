"""What a guided campaign knows of one parser: its promise to whoever sends it bytes, and what to begin with."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Promise = Callable[[bytes], None]
"""Tries one input; raises whatever shows that the promise was broken."""

LINE_CHARS_MAX = 600
# The longest refusal of ours names all known fields of a trust document.


@dataclass(frozen=True, slots=True)
class Parser:
    """``promise`` and ``seeds`` make their surroundings anew: call each once. ``json``: its inputs are mostly JSON."""

    name: str
    reads: str
    promise: Callable[[], Promise]
    seeds: Callable[[], Iterable[bytes]]
    bytes_max: int
    json: bool = False


def one_line(text: str) -> None:
    """A refusal is one line in a log, whatever was refused."""
    assert text.isprintable(), f"no printable line: {text[:LINE_CHARS_MAX]!r}"
    assert len(text) <= LINE_CHARS_MAX, f"{len(text)} characters: {text[:LINE_CHARS_MAX]!r}"


def workplace() -> Path:
    """A folder for a parser that reads files. A campaign lets ``tempfile`` make it where no disk is worn out."""
    return Path(tempfile.mkdtemp(prefix="fuzz-"))
