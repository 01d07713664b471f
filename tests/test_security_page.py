"""SECURITY.md states what a policy must state, in both languages alike, and does not pretend to a contact."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = (Path(__file__).resolve().parent.parent / "SECURITY.md").read_text("utf-8")
NAMES_NONE = "This copy names none yet"
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|https://\S+")
VIETNAMESE, _, ENGLISH = PAGE.partition("\n## How to report")


def numbers(text: str, unit: str) -> list[str]:
    """The bold spans of time in that unit, each once."""
    return sorted(set(re.findall(rf"\*\*(\d+) {unit}\*\*", text)), key=int)


def test_a_support_period_and_times_of_answer_are_stated_in_both_languages() -> None:
    for vietnamese, english, least in (("ngày", "days", 5), ("năm", "years", 2), ("tháng", "months", 1)):
        stated = numbers(VIETNAMESE, vietnamese)
        assert stated == numbers(ENGLISH, english)
        assert len(stated) >= least


def test_what_happens_at_the_end_of_support_is_said() -> None:
    period = PAGE.partition("## Support period")[2]
    assert "**At the end**" in period
    assert "| a station |" in period


def test_there_is_a_contact_or_the_page_says_that_there_is_none() -> None:
    how = PAGE.partition("## How to report")[2].partition("### What becomes")[0]
    assert (NAMES_NONE in how) != bool(ADDRESS.search(how))
