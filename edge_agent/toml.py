"""Read TOML at a bounded cost. Decides only what the library leaves open: how deep a key may be.

``tomllib`` pays for a dotted key by the square of its dots: 8,000 take 265 MB (measured), so a line of 64 kB would take
4 GB.
"""

from __future__ import annotations

import tomllib

DOTS_MAX = 300
# On one line, wherever they stand in it. Our deepest key has two; a line of dots under a heading has 120 at most.


def read_toml(text: str) -> dict[str, object]:
    """What the text says. ``ValueError`` with the line, as of the library itself."""
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > DOTS_MAX:
            raise ValueError(f"More than {DOTS_MAX} dots (at line {number}, column 1)")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("Brackets nested without end") from error
