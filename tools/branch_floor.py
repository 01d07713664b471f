"""Decide whether the files that a wrong branch would make dangerous are covered to the last branch.

Reads coverage's JSON report (first argument). Which files are held to 100 % stands here and nowhere else.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FULLY_COVERED = (
    "edge_agent/core/occurrence.py",  # the transition table
    "edge_agent/core/station.py",  # every decision of a running station
    "edge_agent/trust/chain.py",  # whose documents are believed
    "edge_agent/trust/envelope.py",  # what counts as signed
    "edge_agent/trust/roles.py",  # who may order what
)


def faults(report: dict[str, Any], named: tuple[str, ...] = FULLY_COVERED) -> list[str]:
    """One sentence for each named file that is absent from ``report`` or not fully covered."""
    found = []
    for name in named:
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
    total, full = report["totals"]["percent_covered"], len(FULLY_COVERED) - len(found)
    print(f"coverage: {total:.1f} % of edge_agent; {full} of {len(FULLY_COVERED)} files at 100 %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
