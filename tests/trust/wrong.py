"""Wrong values for fields, by what would be right, and the place in a document to put them: for property tests.

What is right is said here once more, in the words of docs/protocol.md, and not taken from the parser.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

INTEGER_MAX = 2**53 - 1
UTC_MAX = 4_102_444_800_000
NAME = r"[a-z0-9-]{1,64}"
AREA = r"[a-z0-9-]{1,64}(/[a-z0-9-]{1,64}){0,5}"
HEX_64 = r"[0-9a-f]{64}"
_STEP = re.compile(r"([A-Za-z0-9_-]+)|\[([0-9]+)\]")

Wrong = st.SearchStrategy[Any]
scraps: Wrong = st.none() | st.booleans() | st.lists(st.integers(0, 9), max_size=2) | st.just({}) | st.just({"a": 1})
"""What is right nowhere (a list of numbers only where numbers are listed)."""


def no_integer(least: int, most: int) -> Wrong:
    """Anything but an integer from ``least`` to ``most``."""
    edges = st.sampled_from((least - 1, most + 1))
    below = st.integers(-INTEGER_MAX, least - 1) | st.just(str(least))
    return (
        edges | edges | edges | scraps | (below if most == INTEGER_MAX else below | st.integers(most + 1, INTEGER_MAX))
    )


def no_text(pattern: str) -> Wrong:
    """Anything but a text of which the whole matches."""
    other = st.text(max_size=80).filter(lambda text: re.fullmatch(pattern, text, re.DOTALL) is None)
    return scraps | st.integers(-9, 9) | other


def no_words(least: int, most: int) -> Wrong:
    """Anything but a text of so many characters."""
    wrong = scraps | st.integers(-9, 9) | st.integers(most + 1, most + 30).map("x".__mul__)
    return wrong | st.just("") if least else wrong


def no_choice(*choices: str) -> Wrong:
    """Anything but one of these."""
    return scraps | st.integers(-9, 9) | st.text(max_size=12).filter(lambda text: text not in choices)


def no_boolean() -> Wrong:
    """Anything but true or false."""
    return st.none() | st.integers(-9, 9) | st.text(max_size=9) | st.lists(st.integers(0, 9), max_size=2) | st.just({})


def no_object() -> Wrong:
    """Anything but an object."""
    return (
        st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9) | st.lists(st.integers(0, 9), max_size=2)
    )


def no_list(least: int, most: int, entry: Callable[[int], object]) -> Wrong:
    """Anything but a list of so many entries; ``entry`` makes a right one, another for each number."""
    sizes = [size for size in (least - 1, most + 1) if size >= 0]
    lists = st.sampled_from([[entry(number) for number in range(size)] for size in sizes])
    return lists | lists | st.none() | st.integers(-9, 9) | st.text(max_size=9)


def put(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of the document with another value at ``items[0].title``."""
    changed = copy.deepcopy(document)
    *way, last = [name or int(index) for name, index in _STEP.findall(path)]
    place: Any = changed
    for step in way:
        place = place[step]
    place[last] = value
    return changed


def names(where: str, path: str) -> bool:
    """Whether an error's place is the path, or lies in it."""
    return where == path or where.startswith((f"{path}[", f"{path}."))
