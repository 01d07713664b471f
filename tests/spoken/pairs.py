"""Texts beside what must be heard, from the files that lie here; their heads tell the format."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILES = ("texts_vi.txt", "more_vi.txt")
NOT_A_WORD = re.compile(r"[^\w\s]")


def pairs(*names: str) -> Iterator[tuple[str, str, str]]:
    """Each text with its id and its words."""
    for name in names or FILES:
        blocks = (HERE / name).read_text("utf-8").split("\n[")[1:]
        for block in blocks:
            lines = dict(line.split(": ", 1) for line in block.splitlines() if line.startswith(("text: ", "read: ")))
            yield block[: block.index("]")], lines["text"], lines["read"]


def heard(words: str) -> str:
    """What two readings are compared by: small letters, no punctuation."""
    return " ".join(NOT_A_WORD.sub(" ", words.lower()).split())
