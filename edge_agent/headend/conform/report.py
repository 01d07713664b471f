"""Tell the results: a line for each clause, what went wrong under it, figures at the end; or JSON. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from edge_agent.headend.conform.clause import Clause, Result
from edge_agent.headend.conform.clauses import GROUPS
from edge_agent.headend.conform.verdicts import Failed, Mark, NotTried, Passed

WORDS = {Mark.PASSED: "ĐẠT", Mark.FAILED: "KHÔNG ĐẠT", Mark.NOT_TRIED: "chưa thử"}
NUMBER_WIDTH, MARK_WIDTH = 7, 10


def heading(station: str, realm: str) -> str:
    """What stands above the table."""
    return "\n".join(
        [
            f"Kiểm thử hợp chuẩn trạm loa {station} / conformance of station {station}, {realm}",
            f"{'điều':{NUMBER_WIDTH}} {'kết quả':{MARK_WIDTH}} nội dung / clause, result, what it is about",
        ]
    )


def group_line(clause: Clause) -> str:
    """Above the first clause of a group."""
    return f"-- {GROUPS[clause.group]}"


def line(result: Result) -> str:
    """One clause; a failure is explained on the lines below it."""
    number, word = result.clause.number, WORDS[result.mark]
    first = f"{number:{NUMBER_WIDTH}} {word:{MARK_WIDTH}} {result.clause.vi}"
    match result.verdict:
        case Passed():
            return first
        case NotTried(why=why):
            return f"{first}: {why}"
        case Failed(expected=expected, seen=seen):
            indent = " " * (NUMBER_WIDTH + 1)
            return "\n".join(
                [
                    first,
                    f"{indent}phải / expected: {expected}",
                    f"{indent}đã thấy / seen: {seen}",
                    f"{indent}docs/protocol.md, mục / section {result.clause.section}: {result.clause.says}",
                ]
            )


def closing(results: Sequence[Result]) -> str:
    """The one line of figures."""
    count = Counter(result.mark for result in results)
    return (
        f"{len(results)} điều / clauses: {count[Mark.PASSED]} đạt / passed, "
        f"{count[Mark.FAILED]} không đạt / failed, {count[Mark.NOT_TRIED]} chưa thử / not tried"
    )


def as_json(station: str, results: Sequence[Result]) -> str:
    """The same for machines."""
    return json.dumps(
        {"station": station, "clauses": [_entry(result) for result in results]}, ensure_ascii=False, indent=1
    )


def _entry(result: Result) -> dict[str, str]:
    clause = result.clause
    told = {"number": clause.number, "section": clause.section, "says": clause.says, "result": result.mark.value}
    match result.verdict:
        case Passed(seen=seen):
            return told | {"seen": seen}
        case Failed(expected=expected, seen=seen):
            return told | {"expected": expected, "seen": seen}
        case NotTried(why=why):
            return told | {"why": why}
