"""Read TOML at a bounded cost. Decides only what the library leaves open: how deep a key may be, how long a number.

``tomllib`` pays for a dotted key by the square of its dots: 8,000 take 265 MB (measured), so a line of 64 kB would take
4 GB. Python reads and writes no whole number of more than 4,300 decimal digits, and says so without a line.
"""

from __future__ import annotations

import re
import tomllib

BYTE_ORDER_MARK = "\ufeff"
# What Windows' editor puts before a text that it saves as UTF-8: nobody sees it, and the library calls it no statement.

DOTS_MAX = 300
# On one line, wherever they stand in it. Our deepest key has two; a line of dots under a heading has 120 at most.

DIGITS_MAX = 4_300
# Of a decimal number: Python's own bound, which a hexadecimal one passes. Our largest has 16.
_TOO_MANY_DIGITS = re.compile(rf"[0-9](?:_?[0-9]){{{DIGITS_MAX}}}")


class NumberTooLong(ValueError):
    """A number on ``line`` that Python does not read."""

    def __init__(self, line: int) -> None:
        self.line = line
        super().__init__(f"A number of more than {DIGITS_MAX} digits (at line {line}, column 1)")


def read_toml(text: str) -> dict[str, object]:
    """What the text says, a mark before it or not. ``ValueError`` with the line, as of the library itself."""
    text = text.removeprefix(BYTE_ORDER_MARK)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.count(".") > DOTS_MAX:
            raise ValueError(f"More than {DOTS_MAX} dots (at line {number}, column 1)")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("Brackets nested without end") from error
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:
        lines = enumerate(text.split("\n"), start=1)
        raise NumberTooLong(next((number for number, line in lines if _TOO_MANY_DIGITS.search(line)), 1)) from error
