"""Decide whether the files that a wrong branch would make dangerous are covered to the last branch.

Reads coverage's JSON report (first argument). Which files are held to 100 % stands in pyproject.toml.
"""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
with (ROOT / "pyproject.toml").open("rb") as _settings:
    FULLY_COVERED: tuple[str, ...] = tuple(tomllib.load(_settings)["tool"]["coverage"]["run"]["include"])


def files_of(named: tuple[str, ...] = FULLY_COVERED) -> list[str]:
    """The files that ``named`` means, as they lie on the disk; a name that fits none stays, to be missed."""
    found = []
    for name in named:
        found += sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(name)) or [name]
    return found


def faults(report: dict[str, Any], named: tuple[str, ...] = FULLY_COVERED) -> list[str]:
    """One sentence for each named file that is absent from ``report`` or not fully covered."""
    found = []
    for name in files_of(named):
        file = report["files"].get(name)
        if file is None:
            found.append(f"{name}: not in the report: moved, or never imported by a test")
        elif file["missing_lines"] or file.get("missing_branches") is None or file["missing_branches"]:
            found.append(f"{name}: lines {file['missing_lines']}, branches {file.get('missing_branches')} not covered")
    return found


def main() -> int:
    report = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    found = faults(report)
    for fault in found:
        print(f"coverage: {fault}")
    held = len(files_of())
    print(f"coverage: {held - len(found)} of {held} files at 100 %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
