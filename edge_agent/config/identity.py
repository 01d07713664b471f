"""Write who a station is into the text of its file, and leave every other line, and every remark, as it is. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from edge_agent.config.lines import index_lines

STATION, BROKER, ENROLMENT = "station", "broker", "enrolment"

Words = Mapping[tuple[str, str], str | int]
"""(table, key) to what shall stand there."""

_VALUE = r"(\s*{}\s*=\s*)(\"(?:\\.|[^\"\\])*\"|'[^']*'|\d+)(?=\s*(?:#.*)?$)"


class CannotWrite(ValueError):
    """The file is written in a way that only a person can change; the text says what to write."""


def with_words(text: str, words: Words) -> str:
    """The text with these values. What the caller gets it must read again: TOML can be written in many ways."""
    lines = text.split("\n")
    for (table, key), value in words.items():
        _put(lines, table, key, json.dumps(value, ensure_ascii=False))
    return "\n".join(lines)


def _put(lines: list[str], table: str, key: str, value: str) -> None:
    index = index_lines("\n".join(lines))
    if (table, key) in index:
        at = index[table, key] - 1
        line, count = re.subn(_VALUE.format(re.escape(key)), lambda found: found[1] + value, lines[at], count=1)
        if not count:
            raise CannotWrite(f"dòng / line {at + 1}: viết / write [{table}] {key} = {value}")
        lines[at] = line
    elif (table,) in index:
        lines.insert(index[table,], f"{key} = {value}")
    else:
        lines += [f"[{table}]", f"{key} = {value}", ""]
