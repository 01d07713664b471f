"""Whatever is to be shown fits 80 columns, and Vietnamese without diacritics is plain ASCII."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent import config
from edge_agent.console import words
from edge_agent.console.words import COLUMNS, Language, ascii_of, plain, screenful, width

PANGRAM = "Đỡ xưa kỹ thuật ăn Ấ Ệ Ộ Ữ Ằ – “loa” … 45 °C"


def test_the_console_speaks_every_language_that_can_be_configured() -> None:
    assert [language.value for language in Language] == [language.value for language in config.Language]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_diacritics_come_off_mechanically(form: str) -> None:
    text = unicodedata.normalize(form, PANGRAM)  # type: ignore[arg-type]
    assert ascii_of(text) == 'Do xua ky thuat an A E O U A - "loa" ... 45 C'


def test_a_letter_that_ascii_has_not_is_not_dropped() -> None:
    assert ascii_of("loa 喇叭") == "loa ??"


@pytest.mark.parametrize("typed", ["Vì  sao", "VÌ SAO ", "vi sao", unicodedata.normalize("NFD", "vì sao")])
def test_what_is_typed_is_compared_without_diacritics_capitals_and_spaces(typed: str) -> None:
    assert plain(typed) == "vi sao"


@pytest.mark.parametrize("char", ["\x1b", "\x07", "\r", "\n", "\x9b", "\u202e", "\u2066", "\u200b", "\ud800", "\x00"])
@pytest.mark.parametrize("language", Language)
def test_nothing_that_commands_a_terminal_reaches_it(char: str, language: Language) -> None:
    assert screenful([f"Bản tin{char}[2J"], language)[0].endswith("tin?[2J")


def test_the_width_is_counted_as_a_terminal_counts() -> None:
    assert width("ệ") == width(unicodedata.normalize("NFD", "ệ")) == 1
    assert width("喇叭") == 4


def test_a_long_line_goes_on_below_set_in() -> None:
    line = "  mot " + "hai " * 30
    first, *rest = screenful([line], Language.VI)
    assert first.startswith("  mot hai")
    assert all(part.startswith("    hai") for part in rest)
    assert "".join([first, *rest]).split() != []
    assert " ".join([first, *rest]).split() == line.split()


def test_a_line_of_exactly_80_columns_stays_whole() -> None:
    assert screenful(["x" * COLUMNS], Language.VI) == ("x" * COLUMNS,)
    assert len(screenful(["x" * COLUMNS + "y"], Language.VI)) == 2


@pytest.mark.parametrize("space", ["\u00a0", "\u2003", "\u202f", "\u3000"])
@pytest.mark.parametrize("language", Language)
def test_a_name_with_a_word_processors_space_is_shown_with_a_plain_one(space: str, language: Language) -> None:
    # Found by a campaign on ``status``: in a name's place stood "Dong Th?nh".
    assert screenful([f"Cho{space}Moi"], language) == ("Cho Moi",)


@given(st.text(max_size=400), st.sampled_from(Language))
def test_no_text_is_wider_than_80_columns_or_lost(text: str, language: Language) -> None:
    lines = screenful([text], language)
    assert all(width(line) <= COLUMNS for line in lines)
    assert all(line.isprintable() for line in lines)
    if language is Language.VI_ASCII:
        assert all(line.isascii() for line in lines)


def test_a_line_as_long_as_somebody_likes_costs_no_more_than_its_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where each row is measured to the line's end, 50,000 letters take four seconds."""
    measured: list[str] = []

    def counted(char: str) -> int:
        measured.append(char)
        return 1

    monkeypatch.setattr(words, "_columns", counted)
    assert "".join(screenful(["x" * 50_000], Language.EN)).count("x") == 50_000
    assert len(measured) < 60_000
