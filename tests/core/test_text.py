"""Foreign words, made fit to be sent."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.text import tidy
from edge_agent.trust.strict_json import dump, parse


@given(st.text(st.characters(codec=None), max_size=60))
def test_every_strict_reader_takes_what_was_tidied(text: str) -> None:
    clean = tidy(text)
    assert parse(dump({"detail": clean})) == {"detail": clean}


@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P"]), max_size=60))
def test_what_was_signed_passes_unchanged(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    assert tidy(normal) == normal
