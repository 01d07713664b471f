"""The one catalogue of reasons."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason, explain

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "edge_agent" / "core" / "reasons.py"


def test_every_reason_has_words_in_both_languages_and_no_word_is_used_twice() -> None:
    for words in (WORDS_VI, WORDS_EN):
        assert set(words) == set(Reason)
        assert len(set(words.values())) == len(Reason)


def test_people_read_vietnamese_first() -> None:
    assert explain(Reason.EXPIRED) == "lệnh phát đã hết hiệu lực / no longer valid"


@cache
def given() -> set[str]:
    """Names of reasons in the package, but for the catalogue itself."""
    paths = [path for path in (ROOT / "edge_agent").rglob("*.py") if path != CATALOGUE]
    return {name for path in paths for name in re.findall(r"\bReason\.(\w+)", path.read_text("utf-8"))}


@cache
def asked() -> set[str]:
    """Names of reasons, and whatever stands in quotes as their codes do, in the tests but for this file."""
    paths = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "docs" / "days").glob("*.toml")]
    texts = [path.read_text("utf-8") for path in paths if path != Path(__file__)]
    return {
        word for text in texts for found in re.findall(r"\bReason\.(\w+)|[\"'](?=(\w+)[\"'])", text) for word in found
    }


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_given_somewhere_and_asked_for_by_a_test(reason: Reason) -> None:
    """A code that nothing gives is a promise that nobody keeps; one that no test asks for may be given wrongly."""
    assert reason.name in given(), "nothing gives it"
    assert {reason.name, reason.value} & asked(), "no test asks for it"


CODES = Path(__file__).with_name("reason_codes.txt")


def test_no_code_that_was_ever_sent_upstream_is_gone_or_means_something_else() -> None:
    """The codes stand in records that are kept for years: one may be added, none taken away or renamed."""
    known = CODES.read_text("utf-8").split()
    assert known == [reason.value for reason in Reason if reason.value in known], "a code is gone, or out of its order"
    assert {reason.value for reason in Reason} == set(known), f"add it to {CODES.name}"
