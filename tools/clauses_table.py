"""Write the table of clauses into docs/conformance.md, from the kit itself.

``python -m tools.clauses_table`` writes; with ``--check`` it fails where something differs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from edge_agent.headend.conform.clause import Clause
from edge_agent.headend.conform.clauses import ALL, GROUPS
from tools.document import keep

DOCUMENT = Path(__file__).parent.parent / "docs" / "conformance.md"
BEGIN, END = "<!-- clauses -->\n", "<!-- end -->\n"
HEAD = "\n| clause | section | Vietnamese line | what the protocol says | how it is tried |\n|---|---|---|---|---|\n"


def table() -> str:
    """Every clause, a table for each group, in the order of the groups."""
    return "".join(_lines())


def with_table(text: str) -> str:
    """The document with its tables made anew."""
    before, found, rest = text.partition(BEGIN)
    _, ended, after = rest.partition(END)
    assert found, f"{DOCUMENT.name} has lost the mark before its tables"
    assert ended, f"{DOCUMENT.name} has lost the mark after its tables"
    return before + BEGIN + table() + "\n" + END + after


def _lines() -> Iterator[str]:
    order = list(GROUPS)
    clauses = sorted(ALL, key=lambda clause: (order.index(clause.group), int(clause.number.partition("-")[2])))
    for group, listed in groupby(clauses, key=lambda clause: clause.group):
        yield f"\n### {group}: {GROUPS[group]}\n" + HEAD
        yield from (_row(clause) for clause in listed)


def _row(clause: Clause) -> str:
    cells = (f"`{clause.number}`", clause.section, clause.vi, clause.says, clause.how)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    sys.exit(keep(DOCUMENT, with_table))
