"""Decide whether the files that a wrong branch would make dangerous are covered to the last branch.

Reads coverage's JSON report (first argument). Which files are held to 100 % stands here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FULLY_COVERED = (
    "edge_agent/core/occurrence.py",  # the transition table
    "edge_agent/core/station.py",  # every decision of a running station
    "edge_agent/headend/proof.py",  # what proves a station's records
    "edge_agent/headend/verifying.py",  # whether they are proven
    "edge_agent/trust/",  # the verifier: what counts as signed, whose documents are believed, who may order what
)
"""A folder stands for every file in it: what is added to the verifier is held to the same."""


def files_of(named: tuple[str, ...] = FULLY_COVERED) -> list[str]:
    """The files that ``named`` means, those of its folders as they lie on the disk."""
    found = []
    for name in named:
        folder = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / name).glob("*.py"))
        found += folder if name.endswith("/") else [name]
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
    total, held = report["totals"]["percent_covered"], len(files_of())
    print(f"coverage: {total:.1f} % of edge_agent; {held - len(found)} of {held} files at 100 %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
