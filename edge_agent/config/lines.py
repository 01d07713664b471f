"""Find the line on which each key of a TOML text is written. Decides nothing about keys.

``tomllib`` keeps no positions. The text has been parsed by it before, so this only has to find keys in valid TOML; what
it cannot find (a key inside an inline table) is reported at the nearest line around it.
"""

from __future__ import annotations

import re

from edge_agent.toml import BYTE_ORDER_MARK

Path = tuple[str | int, ...]

_PART = r"(?:[A-Za-z0-9_-]+|\"[^\"\n]*\"|'[^'\n]*')"
_DOTTED = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_DOTTED})[ \t]*\]\]?[ \t\r]*")
_KEY = re.compile(rf"[ \t]*({_DOTTED})[ \t]*=")
_LONG = r'"""(?:\\.|[^\\])*?"""' + r"|'''.*?'''"
_SHORT = r'"(?:\\.|[^"\\\n])*"' + r"|'[^'\n]*'"
_TOKEN = re.compile(rf"({_LONG})|({_SHORT})|(#[^\n]*)", re.DOTALL)


def index_lines(text: str) -> dict[Path, int]:
    """The line (from 1) of every table header and key. Elements of ``[[name]]`` count from 0."""
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    depth = 0
    for number, line in enumerate(_without_long_texts(text.removeprefix(BYTE_ORDER_MARK)).split("\n"), start=1):
        header = _HEADER.fullmatch(line) if depth == 0 else None
        if header:
            table = _enter(header[1], _names(header[2]), counts)
            _remember(lines, table, number)
            continue
        key = _KEY.match(line)
        if key:
            _remember(lines, table + tuple(_names(key[1])), number)
        depth += _brackets(line)
    return lines


def line_of(lines: dict[Path, int], path: Path) -> int:
    """The line of ``path``, or of the nearest table around it; 1 when the file has none of them."""
    while path:
        if path in lines:
            return lines[path]
        path = path[:-1]
    return 1


def _remember(lines: dict[Path, int], path: Path, number: int) -> None:
    for depth in range(1, len(path) + 1):
        lines.setdefault(path[:depth], number)


def _enter(brackets: str, names: list[str], counts: dict[Path, int]) -> Path:
    """The table that a header opens: inside ``[[zones]]``, ``[zones.x]`` belongs to the latest element."""
    path: Path = ()
    for position, name in enumerate(names):
        path = (*path, name)
        if brackets == "[[" and position == len(names) - 1:
            counts[path] = counts.get(path, 0) + 1
        if path in counts:
            path = (*path, counts[path] - 1)
    return path


def _names(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_PART, dotted)]


def _without_long_texts(text: str) -> str:
    """The text with its line count kept, and without what may look like a key but is none."""

    def blank(token: re.Match[str]) -> str:
        return token[2] or "\n" * token[0].count("\n")

    return _TOKEN.sub(blank, text)


def _brackets(line: str) -> int:
    """How much deeper a line goes into an array or inline table; keys in there have no line of their own."""
    bare = re.sub(_SHORT, "", line)
    return sum(bare.count(char) for char in "[{") - sum(bare.count(char) for char in "]}")
