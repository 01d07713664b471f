"""The ledger of the campaigns: what was stood before is kept, and what is added is added once."""

from __future__ import annotations

from datetime import date

import pytest

from tests.fuzz.guiding import ROOT, Outcome
from tests.fuzz.ledger import AIM_S, HEADING, lacking, page_with

EMPTY = f"# Fuzzing\n\nWords.\n\n{HEADING}"
SNIFF = Outcome("sniff", "", 1_500, 10, 90.4, "", "")
FOUND = Outcome("clip", "", 7, 39, float(AIM_S), "build/fuzz/clip-1", "told")


def test_a_campaign_is_added_to_those_before_it() -> None:
    page = page_with(EMPTY, [SNIFF], "2026-11-27", 1)
    page = page_with(page, [Outcome("sniff", "", 500, 9, 10.0, "", ""), FOUND], "2026-11-28", 2)
    assert page.startswith(EMPTY)
    for line in (
        "| `sniff` | 2,000 | 10 | 100 | 0 |",
        "| `clip` | 7 | 39 | 3,600 | 1 |",
        "| 2026-11-27 | 1 | 1 | 1.5 |",
        "| 2026-11-28 | 2 | 2 | 60.2 |",
    ):
        assert line in page.splitlines()
    assert "**2,007 inputs, 49 edges, 1.0 hours of CPU, 1 findings.**" in page
    assert "1 of 2 have it" in page


def test_the_parts_of_one_campaign_are_one_line() -> None:
    page = page_with(page_with(EMPTY, [SNIFF], "2026-11-27", 1), [SNIFF, FOUND], "2026-11-27", 1)
    assert [line for line in page.splitlines() if line.startswith("| 2026")] == ["| 2026-11-27 | 1 | 3 | 63.0 |"]


def test_who_lacks_an_hour_is_told_with_what_he_lacks() -> None:
    page = page_with(EMPTY, [SNIFF, FOUND], "2026-11-27", 1)
    assert lacking(page, ["sniff", "clip", "stems"]) == {"sniff": AIM_S - 90, "stems": AIM_S}


@pytest.mark.parametrize("campaigns", [1, 3])
def test_no_campaign_of_the_page_is_lost(campaigns: int) -> None:
    page = (ROOT / "docs" / "fuzzing.md").read_text("utf-8")
    later = page
    for seed in range(campaigns):
        later = page_with(later, [], date(2030, 1, 1).isoformat(), seed)
    assert [line for line in later.splitlines() if "2030-01-01" not in line] == page.splitlines()
