"""The threat model is whole: each threat has its number, a defence, and a test that shows it, or a gap that says so.

That the tests exist is held by `./run trace` for every document (`tests/test_trace.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import trace

PAGE = (Path(__file__).resolve().parent.parent / "docs/threat-model.md").read_text("utf-8")
COLUMNS = 5
"""Number, threat, defence, shown by, gap."""


def faults(page: str) -> list[str]:
    """What is wrong with the tables of threats and of boundaries, one sentence each."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("| T")]
    found = [f"{row[0]}: {len(row)} columns" for row in rows if len(row) != COLUMNS]
    numbers = [row[0] for row in rows]
    if numbers != [f"T{i}" for i in range(1, len(rows) + 1)]:
        found.append("the numbers are not one row after the other")
    for number, threat, defence, shown, gap in (row for row in rows if len(row) == COLUMNS):
        if not threat or not defence:
            found.append(f"{number}: no threat or no defence")
        if not trace.references(shown) and "nothing" not in gap:
            found.append(f"{number}: nothing shows it, and the gap does not say so")
    boundaries = re.findall(r"^\| (B\d) \|(.*)\|$", page, re.MULTILINE)
    found += [f"{name}: nothing shows it" for name, row in boundaries if not trace.references(row)]
    drawn = set(re.findall(r"\bB\d(?=:)", page.partition("```")[2].partition("```")[0]))
    if drawn != {name for name, _ in boundaries}:
        found.append("the picture and the table of boundaries differ")
    return found


def test_every_threat_is_numbered_and_shown_or_called_a_gap() -> None:
    assert faults(PAGE) == []
    assert PAGE.count("\n| T") > 20


FIRST = next(line for line in PAGE.splitlines() if line.startswith("| T1 |"))
SHOWN = FIRST.split("|")[4]


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("| T2 |", "| T1 |", "the numbers are not one row after the other"),
        (SHOWN, " ", "T1: nothing shows it, and the gap does not say so"),
        (SHOWN, " sure | ", "T1: 6 columns"),
        ("| B4 | a picture", "| B9 | a picture", "the picture and the table of boundaries differ"),
    ],
    ids=["a number twice", "no test", "a broken row", "a boundary that is not drawn"],
)
def test_a_planted_fault_is_named(old: str, new: str, fault: str) -> None:
    assert old in PAGE
    assert fault in faults(PAGE.replace(old, new, 1))
