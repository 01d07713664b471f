"""The table of ETSI EN 303 645 is whole: each provision once, with its status, and a verdict that its row earns.

That the named tests and tasks exist is held by `./run trace` for every document (`tests/test_trace.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import trace

PAGE = (Path(__file__).resolve().parent.parent / "docs/en-303-645.md").read_text("utf-8")
COLUMNS = 5
"""Provision, status, what it asks for, verdict, what shows it."""
VERDICTS = {"met", "in part", "gap", "does not apply"}
LINK = re.compile(r"\]\([^)]+\)")
PROVISIONS = dict(
    line.split(maxsplit=1)
    for line in """
4-1 M
5.1-1 M C (1)
5.1-2 M C (2)
5.1-3 M
5.1-4 M C (8)
5.1-5 M C (5)
5.2-1 M
5.2-2 R
5.2-3 R
5.3-1 R
5.3-2 M C (5)
5.3-3 M C (12)
5.3-4 R C (12)
5.3-5 R C (12)
5.3-6 R C (9, 12)
5.3-7 M C (12)
5.3-8 M C (12)
5.3-9 R C (12)
5.3-10 M (11, 12)
5.3-11 R C (12)
5.3-12 R C (12)
5.3-13 M
5.3-14 R C (3, 4)
5.3-15 R C (3, 4)
5.3-16 M
5.4-1 M
5.4-2 M C (10)
5.4-3 M
5.4-4 M
5.5-1 M
5.5-2 R
5.5-3 R
5.5-4 R
5.5-5 M
5.5-6 R
5.5-7 M
5.5-8 M
5.6-1 M
5.6-2 M
5.6-3 R
5.6-4 M C (13)
5.6-5 R
5.6-6 R
5.6-7 R
5.6-8 R
5.6-9 R
5.7-1 R
5.7-2 R
5.8-1 R
5.8-2 M
5.8-3 M
5.9-1 R
5.9-2 R
5.9-3 R
5.10-1 R C (6)
5.11-1 M
5.11-2 R
5.11-3 R
5.11-4 R
5.12-1 R
5.12-2 R
5.12-3 R
5.13-1 M
6-1 M
6-2 M C (7)
6-3 M
6-4 R C (6)
6-5 M C (6)
""".strip().splitlines()
)
"""Annex B of V2.1.1 (2020-06), table B.1, and the one provision of chapter 4."""


def rows(page: str) -> list[list[str]]:
    lines = (line for line in page.splitlines() if re.match(r"\| \d", line))
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]


def faults(page: str) -> list[str]:
    """What is wrong with the table, one sentence each."""
    table = rows(page)
    found = [f"{row[0]}: {len(row)} columns" for row in table if len(row) != COLUMNS]
    whole = [row for row in table if len(row) == COLUMNS]
    if [(row[0], row[1]) for row in whole] != list(PROVISIONS.items()):
        found.append("the provisions are not each there once, in order, with their status")
    for provision, _, asks, verdict, shown in whole:
        if verdict not in VERDICTS:
            found.append(f"{provision}: no verdict '{verdict}'")
        if not asks or not shown:
            found.append(f"{provision}: an empty cell")
        if verdict in ("met", "in part") and not (trace.references(shown) or LINK.search(shown)):
            found.append(f"{provision}: {verdict}, and nothing shows it")
        if verdict == "met" and not trace.references(shown):
            found.append(f"{provision}: met, and no test or task shows it")
        if verdict == "in part" and ";" not in shown:
            found.append(f"{provision}: in part, and what lacks is not said")
    return found


def test_every_provision_stands_once_with_its_status() -> None:
    assert faults(PAGE) == []
    assert len(PROVISIONS) == 67 + 1


def test_where_there_is_no_updater_nothing_that_needs_one_is_called_inapplicable_or_met() -> None:
    verdicts = {row[0]: row[3] for row in rows(PAGE)}
    assert verdicts["5.3-2"] == "gap"
    needs_one = [number for number, status in PROVISIONS.items() if "12)" in status]
    assert len(needs_one) == 10
    assert {verdicts[number] for number in needs_one} == {"gap"}


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("| 5.9-2 | R |", "| 5.9-2 | M |", "the provisions are not each there once"),
        ("| 5.9-2 |", "| 5.9-1 |", "the provisions are not each there once"),
        ("| 5.7-1 | R | secure boot | gap |", "| 5.7-1 | R | secure boot | met |", "5.7-1: met, and nothing shows it"),
        ("| 5.7-1 | R | secure boot | gap |", "| 5.7-1 | R | secure boot | yes |", "5.7-1: no verdict 'yes'"),
        ("| gap | nothing is verified at boot |", "| gap | |", "5.7-1: an empty cell"),
        ("| gap | as 5.3-2 |", "| as 5.3-2 |", "5.3-3: 4 columns"),
        ("| 5.3-13 | M | a support", "| 5.3-13 | M | `x` | a support", "5.3-13: 6 columns"),
    ],
)
def test_a_planted_fault_is_named(old: str, new: str, fault: str) -> None:
    assert old in PAGE
    assert any(fault in sentence for sentence in faults(PAGE.replace(old, new, 1)))
