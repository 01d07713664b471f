"""Decide which JSON texts mean anything here: one text, one meaning. Leaves fields to ``fields``.

JSON as it is commonly read lets two readers see two messages: duplicate keys, huge numbers, floats, look-alike strings.
Everything we read and everything we write passes the same rules, so that we never send what nobody would accept.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any, NoReturn, TypeAlias

from edge_agent.core.text import NOT_A_CHARACTER

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"
JsonObject: TypeAlias = dict[str, JsonValue]

INTEGER_MAX = 2**53 - 1
# What every JSON reader holds exactly (RFC 7493): beyond it two readers may see two numbers.
DEPTH_MAX = 16
# Our deepest message has 6 levels; the rest is room, and far below any interpreter's recursion limit.
MULTILINE_FIELDS = frozenset({"text"})
# Only words to be spoken have paragraphs; a line break elsewhere would forge lines in logs and on consoles.

_INTEGER_DIGITS_MAX = 17  # a sign and the 16 digits of INTEGER_MAX: longer ones are not even converted
_NAME_SHOWN_MAX = 64  # characters of a foreign name that an error repeats: a whole keyid
_WHERE_SHOWN_MAX = 120  # characters of a path: an error is one line in a log
_STRINGS_AND_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)
# Linear on any input: the closing quote is optional, so that an unending string is read once, not once per quote in it.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class WireError(ValueError):
    """A text that breaks a rule. ``where`` names the field or the position, ``rule`` what would be right."""

    def __init__(self, where: str, rule: str) -> None:
        self.where = where[:_WHERE_SHOWN_MAX] or "message"
        self.rule = rule
        super().__init__(f"{self.where}: {rule}")


def parse(data: bytes) -> JsonObject:
    """The object that ``data`` says, or ``WireError``. Takes no more than one pass and bounded depth."""
    text = _decode(data)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_int=_integer,
            parse_float=_refuse_float,
            parse_constant=_refuse_float,
        )
    except json.JSONDecodeError as error:
        raise WireError(f"character {error.pos}", "JSON and nothing else") from error
    if not isinstance(value, dict):
        raise WireError("", "an object")
    _check(value, "", 1)
    return value


def dump(value: Mapping[str, Any]) -> bytes:
    """The one way to write ``value``: UTF-8, sorted keys, no spaces. ``WireError`` for what ``parse`` would refuse."""
    _check(value, "", 1)
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def shown(name: str) -> str:
    """A foreign name as an error may repeat it: short, printable ASCII, on one line."""
    return name if _PLAIN_NAME.fullmatch(name) else ascii(name[:_NAME_SHOWN_MAX])


def join(where: str, name: str) -> str:
    """The path of a field: ``items[0]`` and ``digest`` make ``items[0].digest``."""
    return f"{where}.{shown(name)}" if where else shown(name)


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"byte {error.start}", "UTF-8") from error


def _check_depth(text: str) -> None:
    # Before the parser runs: 64 KiB of opening brackets would take it to the interpreter's recursion limit.
    depth = 0
    for match in _STRINGS_AND_BRACKETS.finditer(text):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
        if depth > DEPTH_MAX:
            raise WireError(f"character {match.start()}", f"at most {DEPTH_MAX} levels")


def _distinct(pairs: list[tuple[str, JsonValue]]) -> JsonObject:
    found: JsonObject = {}
    for name, value in pairs:
        if name in found:
            raise WireError(shown(name), "a field only once")
        found[name] = value
    return found


def _integer(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS_MAX:
        raise WireError(shown(digits), "an integer within ±(2^53−1)")
    return int(digits)


def _refuse_float(digits: str) -> NoReturn:
    raise WireError(shown(digits), "integers only, no fractions, exponents, NaN or Infinity")


def _check(value: object, where: str, depth: int) -> None:
    if isinstance(value, Mapping):
        _check_object(value, where, depth)
    elif isinstance(value, list | tuple):
        _check_level(where, depth)
        for index, item in enumerate(value):
            _check(item, f"{where}[{index}]", depth + 1)
    elif isinstance(value, str):
        _check_text(value, where, multiline=False)
    elif isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise WireError(where, "an integer within ±(2^53−1)")
    elif value is not None:
        raise WireError(where, "text, an integer, true, false, null, a list or an object")


def _check_object(value: Mapping[Any, object], where: str, depth: int) -> None:
    _check_level(where, depth)
    for name, item in value.items():
        if not isinstance(name, str):
            raise WireError(where, "field names are text")
        path = join(where, name)
        _check_text(name, path, multiline=False)
        if isinstance(item, str):
            _check_text(item, path, multiline=name in MULTILINE_FIELDS)
        else:
            _check(item, path, depth + 1)


def _check_level(where: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise WireError(where, f"at most {DEPTH_MAX} levels")


def _check_text(text: str, where: str, *, multiline: bool) -> None:
    if text.isascii() and text.isprintable():
        return
    if not unicodedata.is_normalized("NFC", text):
        raise WireError(where, "text in Unicode's NFC form")
    for char in text:
        if unicodedata.category(char) in NOT_A_CHARACTER and not (multiline and char == "\n"):
            raise WireError(where, f"no control characters (U+{ord(char):04X})")
