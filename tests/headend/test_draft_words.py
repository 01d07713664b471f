"""Every rule that a draft's field may break is said in Vietnamese too, and in no other words than it has."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.headend.draft_words import BOTH, WRONG, in_both
from edge_agent.trust import commands, entries, fields, heading, items, job_together, orders, rule_orders, timetable

PARSERS = (commands, entries, fields, heading, items, job_together, orders, rule_orders, timetable)
STATIONS_ALONE = {
    "32 hex digits",
    "64 hex digits, or nothing",
    "1 to 64 letters, digits and -",
    'a name, or "" with seq 0 and hash ""',
}
"""Of welcomes and acknowledgements, which nobody drafts."""

PLACES = {"wrong": 1, "form": 1, "WireError": 1, "_of_when": 2}
"""Which argument of these is a rule."""


def rules_of(module: object) -> Iterator[str]:
    """What is written in it as the rule of a form, or of a field that is wrong."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text("utf-8"))):  # type: ignore[attr-defined]
        called = node.func if isinstance(node, ast.Call) else None
        place = PLACES.get(called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", ""), 0)
        rule = node.args[place] if isinstance(node, ast.Call) and 0 < place < len(node.args) else None
        if isinstance(rule, ast.Constant):
            yield str(rule.value)


RULES = sorted({rule for module in PARSERS for rule in rules_of(module)} - STATIONS_ALONE)


def test_the_rules_are_found() -> None:
    assert len(RULES) > 40


@pytest.mark.parametrize("rule", RULES)
def test_each_has_words_of_its_own_and_keeps_the_english(rule: str) -> None:
    vietnamese, _, english = in_both(rule).partition(BOTH)
    assert vietnamese != WRONG
    assert english == rule


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("an integer from -5 to 9", "số nguyên từ -5 đến 9 / an integer from -5 to 9"),
        ("one of a, b, not c", "chọn a, b / one of a, b, not c"),
        ("later than a, not later than b", "phải sau a, không sau b / later than a, not later than b"),
        ("what nobody has said yet", "viết sai / what nobody has said yet"),
        ("đã nói / said already", "đã nói / said already"),
    ],
)
def test_numbers_and_names_stand_in_both(rule: str, said: str) -> None:
    assert in_both(rule) == said
