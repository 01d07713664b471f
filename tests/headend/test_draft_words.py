"""Every rule that a draft's field may break is said in Vietnamese too, and in no other words than it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.headend import command_drafts, draft_times, drafting, job_drafts, rule_drafts, timetable_drafts
from edge_agent.headend.draft_words import BOTH, WRONG, in_both
from edge_agent.trust import commands, entries, fields, heading, items, job_together, orders, rule_orders, timetable
from edge_agent.trust.timetable import UTC_MS_MAX

PARSERS = (commands, entries, fields, heading, items, job_together, orders, rule_orders, timetable)
DRAFTS = (command_drafts, draft_times, drafting, job_drafts, rule_drafts, timetable_drafts)
STATIONS_ALONE = {
    "32 hex digits",
    "64 hex digits, or nothing",
    "1 to 64 letters, digits and -",
    'a name, or "" with seq 0 and hash ""',
    "1; or nothing, of the root",
    "at most 1 issuers",
}
"""Of welcomes, acknowledgements and documents of trust, which nobody drafts."""

PLACES = {"wrong": 1, "form": 1, "WireError": 1, "_of_when": 2}
"""Which argument of these is a rule."""


def rules_of(module: object) -> Iterator[str]:
    """What is written in it as the rule of a form, or of a field that is wrong; what is filled in is a 1."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):  # type: ignore[attr-defined]
        called = node.func if isinstance(node, ast.Call) else None
        place = PLACES.get(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""), 0)
        rule = node.args[place] if isinstance(node, ast.Call) and 0 < place < len(node.args) else None
        if isinstance(rule, ast.Constant):
            yield str(rule.value)
        elif isinstance(rule, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in rule.values)
        elif isinstance(rule, ast.Name) and isinstance(getattr(module, rule.id, None), str):
            yield getattr(module, rule.id)


PARTS = {
    "unknown field, 1": "unknown field, remove it; known are 1",
    "1; this one is not known here": 'a time zone as "1"',
}
"""Of two rules that are put together, what they become."""
RULES = sorted({PARTS.get(rule, rule) for module in (*PARSERS, *DRAFTS) for rule in rules_of(module)} - STATIONS_ALONE)


def test_the_rules_are_found() -> None:
    assert len(RULES) > 70


@pytest.mark.parametrize("rule", RULES)
def test_each_has_words_of_its_own_and_keeps_the_english(rule: str) -> None:
    vietnamese, _, english = in_both(rule).partition(BOTH)
    assert vietnamese != WRONG
    assert english == (rule.partition(BOTH)[2] or rule)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("an integer from -5 to 9", "số nguyên từ -5 đến 9 / an integer from -5 to 9"),
        ("an integer from 1 to 7", "số từ 1 (thứ Hai) đến 7 (Chủ nhật) / an integer from 1 to 7"),
        ("one of a, b, not c", "chọn một trong a, b / one of a, b, not c"),
        ("later than a, not later than b", "phải sau a, không sau b / later than a, not later than b"),
        (
            f"an integer from 0 to {UTC_MS_MAX}",
            "thời điểm từ năm 1970 đến hết năm 2099 / an integer from 0 to 4102444800000",
        ),
        (
            'a time zone as "A/B"; this one is not known here',
            'không có múi giờ này, viết như "A/B" / a time zone as "A/B"; this one is not known here',
        ),
        (
            "missing; the first clause holds",
            "thiếu: khoản đầu là cho tất cả, phải ghi đủ / missing; the first clause holds",
        ),
        ("what nobody has said yet", "viết sai / what nobody has said yet"),
        ("đã nói / said already", "đã nói / said already"),
    ],
)
def test_numbers_and_names_stand_in_both(rule: str, said: str) -> None:
    assert in_both(rule) == said
