"""Decide whether every numbered requirement has a row that says what shows it, and whether that exists.

Reads ``docs/requirements.md`` (which numbers there are), ``docs/traceability.md`` (what shows each), the named test
files and ``run``. Every other document is held to the same for the tests and tasks that it names. Runs no test: whether
what is named also passes, pytest says.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

NUMBER = re.compile(r"[A-Z]\d+|[a-z]+\.\d+")
CELL_BORDER = re.compile(r"(?<!\\)\|")
REFERENCE = re.compile(r"`([^`]+)`")
NODE_ID = re.compile(r"(?P<file>(?:hil_)?tests/[\w/]+\.py)::(?:(?P<cls>Test\w+)::)?(?P<test>test_\w+)")
COMMAND = re.compile(r"\./run (?P<task>[a-z-]+)(\s.+)?", re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
OF_TESTS = ("tests/", "hil_tests/")
NOT_YET = "not yet"
TRACED = "docs/traceability.md"


@dataclass(frozen=True, slots=True)
class Row:
    """One table row that opens with a number; ``shown_by`` is its last cell."""

    number: str
    shown_by: str

    @property
    def references(self) -> list[str]:
        return REFERENCE.findall(self.shown_by)


def rows(markdown: str) -> list[Row]:
    """Every row of every table in ``markdown`` whose first cell is a requirement's number, in order."""
    lines = (line.strip() for line in markdown.splitlines())
    cells = [[cell.strip() for cell in CELL_BORDER.split(line)[1:-1]] for line in lines if line.startswith("|")]
    return [Row(row[0], row[-1]) for row in cells if NUMBER.fullmatch(row[0])]


def faults(root: Path) -> list[str]:
    """What is wrong, one sentence each; empty when every number is accounted for."""
    required = [row.number for row in rows((root / "docs/requirements.md").read_text("utf-8"))]
    traced = rows((root / TRACED).read_text("utf-8"))
    numbers = [row.number for row in traced]
    return [*_number_faults(required, numbers), *_row_faults(root, traced), *_page_faults(root)]


def _number_faults(required: list[str], traced: list[str]) -> Iterator[str]:
    for number in sorted(set(required) - set(traced)):
        yield f"{number} has no row in docs/traceability.md"
    for number in sorted(set(traced) - set(required)):
        yield f"{number} has a row, but docs/requirements.md knows no such number"
    for place, numbers in (("docs/requirements.md", required), ("docs/traceability.md", traced)):
        for number, times in Counter(numbers).items():
            if times > 1:
                yield f"{number} has {times} rows in {place}"


def _row_faults(root: Path, traced: list[Row]) -> Iterator[str]:
    tasks = _tasks((root / "run").read_text("utf-8"))
    for row in traced:
        if not row.references and NOT_YET not in row.shown_by:
            yield f"{row.number} names neither a test nor a task, and does not say '{NOT_YET}'"
        for reference in row.references:
            if fault := _reference_fault(root, tasks, reference):
                yield f"{row.number} names `{reference}`: {fault}"


def _page_faults(root: Path) -> Iterator[str]:
    """Of the pages that are read for what they say: a test or a task that they name must be there."""
    tasks = _tasks((root / "run").read_text("utf-8"))
    for page in sorted({*root.glob("*.md"), *(root / "docs").rglob("*.md")} - {root / TRACED}):
        for reference in references(page.read_text("utf-8")):
            if fault := _reference_fault(root, tasks, reference):
                yield f"{page.relative_to(root)} names `{reference}`: {fault}"


def references(page: str) -> list[str]:
    """The tests and tasks that stand in backticks on a page, outside of blocks of commands."""
    quoted = REFERENCE.findall(FENCED.sub("", page))
    return [one for one in quoted if one.startswith("./run ") or (one.startswith(OF_TESTS) and "::" in one)]


def _reference_fault(root: Path, tasks: frozenset[str], reference: str) -> str | None:
    if node := NODE_ID.fullmatch(reference):
        return _test_fault(root / node["file"], node["cls"], node["test"])
    if command := COMMAND.fullmatch(reference):
        return None if command["task"] in tasks else "run has no such task"
    return "neither tests/….py::test_… nor ./run TASK"


def _test_fault(file: Path, cls: str | None, test: str) -> str | None:
    if not file.is_file():
        return "no such file"
    body = _body(file.read_text("utf-8"))
    if cls is not None:
        classes = [node for node in body if isinstance(node, ast.ClassDef) and node.name == cls]
        if not classes:
            return "no such class in that file"
        body = classes[-1].body
    functions = (node.name for node in body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return None if test in functions else "no such test in that file"


@cache
def _body(source: str) -> list[ast.stmt]:
    """What stands in a file of tests; most are named by many rows."""
    return ast.parse(source).body


def _tasks(run: str) -> frozenset[str]:
    return frozenset(name.replace("_", "-") for name in re.findall(r"^task_(\w+)\(\)", run, re.MULTILINE))


def main() -> int:
    root = Path(__file__).resolve().parent.parent
    found = faults(root)
    for fault in found:
        print(f"trace: {fault}")
    traced = rows((root / TRACED).read_text("utf-8"))
    open_numbers = sum(NOT_YET in row.shown_by for row in traced)
    print(f"trace: {len(traced)} numbers, {len(traced) - open_numbers} shown, {open_numbers} not yet or in part")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
