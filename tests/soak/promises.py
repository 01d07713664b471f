"""How a broken promise is told."""

from __future__ import annotations


class Broken(AssertionError):
    """``name`` is the promise; the text says what was seen instead."""

    def __init__(self, name: str, told: str) -> None:
        super().__init__(told)
        self.name = name
