"""Every thing that can happen has Vietnamese words, and numbers are written as Vietnamese reports write them."""

from __future__ import annotations

from enum import Enum
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core import state
from edge_agent.core.as_run import Evidence
from edge_agent.core.effects import Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.headend import rule_words, words
from edge_agent.headend.listening import Doubt
from edge_agent.sync.reports import Why

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        (Phase, words.PHASES),
        (JobClass, words.CLASSES),
        (Evidence, words.EVIDENCE),
        (Why, words.WHYS),
        (Verdict, words.VERDICTS),
        (Doubt, words.DOUBTS),
        (state.Tested, rule_words.TESTED),
    ],
)
def test_nothing_is_without_words(kind: type[Enum], told: dict[Enum, str]) -> None:
    assert set(told) == set(kind)
    assert all(told.values())
    assert len(set(told.values())) == len(told)


def test_numbers_have_a_decimal_comma_and_thousands_by_full_stop() -> None:
    assert words.number(12_405) == "12.405"
    assert words.number(1_234.56, 1) == "1.234,6"
    assert words.number(2**53 + 1) == "9.007.199.254.740.993"  # not the float next to it
    assert words.number(10**400).startswith("10.000.000")
    assert words.percent(975, 1000) == "97,5 %"
    assert words.percent(0, 0) == "–"
    assert words.seconds(61_040) == "61,0"
    assert words.seconds(None) == "không rõ"


def test_what_is_not_all_is_not_called_a_hundred_percent() -> None:
    """2,999 of 3,000 broadcasts: the month's total said 100,0 %, above the one that failed."""
    told = [words.percent(part, 3_000) for part in (0, 1, 2, 2_999, 3_000, 3_100)]
    assert told == ["0,0 %", "0,0 %", "0,0 %", "99,9 %", "100,0 %", "103,3 %"]


def test_a_length_of_time_is_told_by_its_largest_unit() -> None:
    lengths = [7_200_000, 5_400_000, 60_000, 90_000, 0]
    assert [words.duration(ms) for ms in lengths] == ["2 giờ", "90 phút", "1 phút", "90 giây", "0 giây"]


def test_instants_are_written_in_the_wards_own_time() -> None:
    assert words.day_and_hour(1_791_239_400_000, HANOI) == "06/10/2026 05h30"
    assert words.day_and_hour(1_791_239_441_000, HANOI) == "06/10/2026 05h30:41"
    assert words.day_and_hour(None, HANOI) == "–"
