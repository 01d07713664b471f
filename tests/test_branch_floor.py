"""The floor under branch coverage notices every gap: line, branch, file, and branches never measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools import branch_floor

ROOT = Path(__file__).resolve().parent.parent

COVERED = {"missing_lines": [], "missing_branches": []}


def report(file: dict[str, Any]) -> dict[str, Any]:
    return {"files": {"edge_agent/core/station.py": file}}


@pytest.mark.parametrize(
    "file",
    [
        COVERED | {"missing_lines": [7]},
        COVERED | {"missing_branches": [[3, 5]]},
        {"missing_lines": []},
    ],
    ids=["line", "branch", "measured without branches"],
)
def test_a_gap_is_named(file: dict[str, Any]) -> None:
    (fault,) = branch_floor.faults(report(file), ("edge_agent/core/station.py",))
    assert fault.startswith("edge_agent/core/station.py: lines")


def test_a_file_absent_from_the_report_is_named() -> None:
    (fault,) = branch_floor.faults(report(COVERED), ("edge_agent/core/moved.py",))
    assert fault.startswith("edge_agent/core/moved.py: not in the report")


def test_full_coverage_is_no_fault() -> None:
    assert branch_floor.faults(report(COVERED), ("edge_agent/core/station.py",)) == []


def test_the_files_held_to_it_exist() -> None:
    assert [name for name in branch_floor.files_of() if not (ROOT / name).is_file()] == []


def test_a_folder_is_held_with_every_file_in_it() -> None:
    held = branch_floor.files_of(("edge_agent/trust/*.py",))
    assert {"edge_agent/trust/envelope.py", "edge_agent/trust/judge.py", "edge_agent/trust/keys.py"} <= {*held}
    told = branch_floor.faults({"files": dict.fromkeys(held[1:], COVERED)}, ("edge_agent/trust/*.py",))
    assert told == [f"{held[0]}: not in the report: moved, or never imported by a test"]


def test_what_judges_an_order_when_its_signature_has_held_is_held_to_it_too() -> None:
    behind = {
        f"edge_agent/core/{name}.py" for name in ("entrusted", "freshness", "heads", "intake", "policy", "validity")
    }
    assert behind <= {*branch_floor.files_of()}
