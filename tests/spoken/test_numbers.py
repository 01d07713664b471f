"""Numbers as the North says them."""

from __future__ import annotations

import pytest

from edge_agent.spoken import numbers
from edge_agent.spoken.syllables import is_syllable


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "không"),
        (5, "năm"),
        (10, "mười"),
        (11, "mười một"),
        (14, "mười bốn"),
        (15, "mười lăm"),
        (20, "hai mươi"),
        (21, "hai mươi mốt"),
        (24, "hai mươi tư"),
        (25, "hai mươi lăm"),
        (99, "chín mươi chín"),
        (100, "một trăm"),
        (101, "một trăm linh một"),
        (105, "một trăm linh năm"),
        (111, "một trăm mười một"),
        (121, "một trăm hai mươi mốt"),
        (1_000, "một nghìn"),
        (1_005, "một nghìn không trăm linh năm"),
        (1_015, "một nghìn không trăm mười lăm"),
        (12_405, "mười hai nghìn bốn trăm linh năm"),
        (100_001, "một trăm nghìn không trăm linh một"),
        (1_000_000, "một triệu"),
        (1_000_005, "một triệu không trăm linh năm"),
        (1_005_000, "một triệu không trăm linh năm nghìn"),
        (1_000_000_000, "một tỷ"),
        (1_000_001_000, "một tỷ không trăm linh một nghìn"),
        (2_500_000_000, "hai tỷ năm trăm triệu"),
        (1_500_000_000_000, "một nghìn năm trăm tỷ"),
    ],
)
def test_a_number_in_words(number: int, words: str) -> None:
    assert numbers.count(number) == words


@pytest.mark.parametrize(
    ("whole", "decimals", "words"),
    [
        ("5", "65", "năm phẩy sáu mươi lăm"),
        ("0", "5", "không phẩy năm"),
        ("0", "05", "không phẩy không năm"),
        ("3", "1416", "ba phẩy một bốn một sáu"),
    ],
)
def test_behind_the_comma(whole: str, decimals: str, words: str) -> None:
    assert numbers.fraction(whole, decimals) == words


def test_ordinals_and_months() -> None:
    assert [numbers.ordinal(one) for one in (1, 2, 4, 10)] == ["nhất", "hai", "tư", "mười"]
    assert [numbers.month(one) for one in (1, 4, 12)] == ["một", "tư", "mười hai"]


@pytest.mark.parametrize(
    ("numeral", "value"),
    [("I", 1), ("IV", 4), ("IX", 9), ("XIV", 14), ("XVI", 16), ("XXI", 21), ("XL", 40), ("XC", 90), ("CXI", 111)],
)
def test_a_roman_numeral_has_its_value(numeral: str, value: int) -> None:
    assert numbers.roman(numeral) == value


@pytest.mark.parametrize("numeral", ["IIII", "VX", "IC", "VV", "IIX", "XXXX"])
def test_what_no_roman_wrote_is_no_number(numeral: str) -> None:
    assert numbers.roman(numeral) is None


@pytest.mark.parametrize("word", "nghiêng quốc giếng gì uỷ ủy yêu khuya Đắk Krông xoong quyết".split())
def test_a_vietnamese_syllable_is_known(word: str) -> None:
    assert is_syllable(word)


@pytest.mark.parametrize("word", ["live", "UBND", "TDP", "zalo", "áà", "strong", "w", "", "a" * 8])
def test_what_is_none_is_told_from_it(word: str) -> None:
    assert not is_syllable(word)
