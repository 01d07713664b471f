"""How a planted fault gets into a station's processes."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent


def planted(fault: str) -> tuple[str, ...]:
    """What stands before a station's commands: each of them reads ``sitecustomize.py`` there."""
    return "env", f"PYTHONPATH={FOLDER}", f"BENCH_PLANT={fault}"
