"""Take in a province's own table. Decides that an entry must itself be readable.

A station knows the built-in table alone. So what only a province knows is written out before the text is signed, and
the station reads what the officer was shown.
"""

from __future__ import annotations

from edge_agent.spoken.reading import read
from edge_agent.spoken.table import Table, TableError, parse

NO_OWN_WORDS = parse("")
"""No entries of one's own."""


def read_own(text: str) -> Table:
    """A province's table: TOML, ``[abbreviations]`` and ``[words]``. Raises TableError with field and remedy."""
    table = parse(text)
    for section, entries in (("abbreviations", table.abbreviations), ("words", table.words)):
        for key, words in entries.items():
            if isinstance(told := read(words), tuple):
                raise TableError(f'[{section}] "{key}"', f"phải đọc được / must be words: {told[0].text()}")
    return table
