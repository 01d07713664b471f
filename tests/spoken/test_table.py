"""The table that every station has reads well; a province's own is taken in, or refused with field and remedy."""

from __future__ import annotations

import pytest

from edge_agent.spoken.own import read_own
from edge_agent.spoken.reading import read
from edge_agent.spoken.table import TABLE_CHARS_MAX, TableError, built_in, spelt_out

TABLE = built_in()


@pytest.mark.parametrize(
    "words",
    sorted(
        {
            *TABLE.abbreviations.values(),
            *TABLE.words.values(),
            *TABLE.units.values(),
            *TABLE.document_kinds.values(),
            *TABLE.document_issuers.values(),
        }
    ),
)
def test_every_entry_of_the_built_in_table_is_words(words: str) -> None:
    assert read(words) == words


@pytest.mark.parametrize(
    "key",
    (
        "UBND HĐND CCCD BHYT BHXH TDP THCS THPT ĐBQH COVID-19 PCCC ATGT VSMT TP TX CLB HTX ANTT NVQS DQTV GTVT PCTT "
        "TKCN MTTQ"
    ).split(),
)
def test_what_wards_write_short_every_day_is_in_it(key: str) -> None:
    assert read(f"phường và {key} họp") == f"phường và {TABLE.abbreviations[key]} họp"


def test_nothing_is_both_known_and_unclear() -> None:
    assert sorted(TABLE.unclear.keys() & TABLE.abbreviations.keys()) == []


OWN = """
[abbreviations]
"NTL" = "Nam Từ Liêm"
"TT" = "thị trấn"
"UBND" = "Ủy ban"
"KP." = "khu phố"
[words]
"tiktok" = "tích-tốc"
"""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("phường NTL", "phường Nam Từ Liêm"),
        ("TT Phú Minh", "thị trấn Phú Minh"),
        ("UBND họp", "Ủy ban họp"),
        ("KP.3 và KP. Trung", "khu phố ba và khu phố Trung"),
        ("xem TikTok", "xem tích-tốc"),
        ("Quyết định 12/QĐ-UBND", "Quyết định mười hai của Ủy ban nhân dân"),
        ("HĐND", "Hội đồng nhân dân"),
    ],
)
def test_a_province_adds_and_overrides(text: str, words: str) -> None:
    assert read(spelt_out(text, read_own(OWN))) == words


@pytest.mark.parametrize(
    ("table", "field", "remedy"),
    [
        ("abbreviations = 3", "abbreviations", "write [abbreviations]"),
        ("[abbreviation]", "[abbreviation]", "unknown; write [abbreviations] or [words]"),
        ('[units]\n"m" = "mét"', "[units]", "unknown; write"),
        ('[abbreviations]\n"A" = 3', '[abbreviations] "A"', 'write "A" = "…", 1 to 200 characters'),
        ('[abbreviations]\n"A" = " "', '[abbreviations] "A"', "1 to 200 characters"),
        (f'[words]\n"a" = "{"a" * 201}"', '[words] "a"', "1 to 200 characters"),
        ('[abbreviations]\n"" = "a"', '[abbreviations] ""', "must be as it stands in texts, with a letter"),
        ('[abbreviations]\n" A" = "a"', '[abbreviations] " A"', "must be as it stands in texts"),
        ('[abbreviations]\n"12" = "a"', '[abbreviations] "12"', "with a letter"),
        ('[abbreviations]\n"NTL" = "Nam/Liêm"', '[abbreviations] "NTL"', "phải đọc được"),
        ('[abbreviations]\n"NTL" = "UBND XYZ"', '[abbreviations] "NTL"', "“XYZ”"),
        ("[abbreviations", "the table", "not valid TOML"),
        ("a = " + "[" * 5_000, "the table", "not valid TOML"),
        ("a." * 400 + "b = 1", "the table", "More than 300 dots"),
        ("#" * (TABLE_CHARS_MAX + 1), "the table", f"at most {TABLE_CHARS_MAX} characters"),
    ],
)
def test_a_wrong_table_is_refused_with_field_and_remedy(table: str, field: str, remedy: str) -> None:
    with pytest.raises(TableError) as refused:
        read_own(table)
    assert refused.value.field == field
    assert remedy in refused.value.remedy
    assert str(refused.value) == f"{field}: {refused.value.remedy}"
