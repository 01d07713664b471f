"""What a check of the demo's verdict comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was promised, whether it held, and what was measured."""

    held: bool
    vietnamese: str
    english: str
    measured: str
