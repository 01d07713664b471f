"""Whatever is typed: nothing raises, what is called readable holds no digit and no abbreviation, and stays as it is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.spoken.own import NO_OWN_WORDS
from edge_agent.spoken.reading import read, read_as_far_as_possible
from edge_agent.spoken.table import built_in, spelt_out
from tests.spoken.pairs import pairs

TABLE = built_in()
PIECES = sorted(
    {
        *TABLE.abbreviations,
        *TABLE.unclear,
        *TABLE.units,
        *TABLE.words,
        *(piece for _, text, _ in pairs() for piece in text.split()),
        *(
            "-",
            "–",
            "/",
            ",",
            ".",
            ":",
            "(",
            ")",
            "0",
            "00",
            "1",
            "12",
            "2026",
            "7h30",
            "5/7",
            "III",
            "XI",
            "\n",
            "+84",
        ),
    }
)
BITS = st.lists(st.sampled_from(PIECES), max_size=12)
TYPED = st.one_of(
    BITS.map(" ".join), BITS.map("".join), st.text(max_size=60), st.text("0123456789.,:/-–hgm%đX IV()", max_size=20)
)


@given(TYPED)
def test_any_text_is_read_or_refused(text: str) -> None:
    told = read(text)
    if isinstance(told, str):
        assert not any(char.isnumeric() for char in told)
        assert TABLE.short.search(told) is None
    else:
        assert told
        assert all(piece.token.strip() and piece.line >= 1 and piece.column >= 1 for piece in told)


@given(TYPED)
def test_what_was_read_is_read_as_it_is(text: str) -> None:
    told = read(text)
    if isinstance(told, str):
        assert read(told) == told


@given(TYPED)
def test_what_was_not_read_is_still_there(text: str) -> None:
    reading = read_as_far_as_possible(text)
    for piece in reading.unread:
        assert "".join(piece.token.split()).strip(",") in "".join(reading.words.split())


@given(TYPED)
def test_without_a_table_of_ones_own_a_text_stays_as_it_is(text: str) -> None:
    import unicodedata

    assert spelt_out(text, NO_OWN_WORDS) == unicodedata.normalize("NFC", text)
