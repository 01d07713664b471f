"""Write the table of reasons into docs/protocol.md, from the catalogue itself.

``python -m tools.reasons_table`` writes; with ``--check`` it fails where something differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edge_agent.core.reasons import WORDS_EN, WORDS_VI, Reason
from tools.document import keep

DOCUMENT = Path(__file__).parent.parent / "docs" / "protocol.md"
BEGIN, END = "| code | tiếng Việt | English |\n|---|---|---|\n", "\n"


def table() -> str:
    """The catalogue as a Markdown table, in its own order."""
    rows = [f"| `{reason.value}` | {WORDS_VI[reason]} | {WORDS_EN[reason]} |\n" for reason in Reason]
    return BEGIN + "".join(rows)


def with_table(text: str) -> str:
    """The document with its table made anew; it ends at the first empty line."""
    before, found, rest = text.partition(BEGIN)
    assert found, f"{DOCUMENT.name} has lost the head of the table"
    _, _, after = rest.partition("\n" + END)
    return before + table() + END + after


if __name__ == "__main__":
    sys.exit(keep(DOCUMENT, with_table))
