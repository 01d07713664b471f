"""What a text may hold that is signed, sent or recorded: Unicode's NFC form, and nothing that moves a cursor."""

from __future__ import annotations

import unicodedata

NOT_A_CHARACTER = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Controls, lone surrogates, line and paragraph separators: a display or a log could be made to lie with them."""


def tidy(text: str) -> str:
    """Foreign words (an error's, a driver's) made fit to be sent: NFC, what is not a character turned to a space."""
    normal = unicodedata.normalize("NFC", text)
    return "".join(" " if unicodedata.category(char) in NOT_A_CHARACTER else char for char in normal)
