"""Strict JSON against a second reading of it: what passes, passes by the rules of docs/protocol.md, and costs little.

The second reader is slow and plain: Python's own, then every rule looked at in the value and in the text.
"""

from __future__ import annotations

import json
import tracemalloc
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.trust.envelope import ENVELOPE_BYTES_MAX
from edge_agent.trust.strict_json import WireError, dump, parse
from tests.trust.strategies import anything

INTEGER_MAX = 2**53 - 1
LEVELS_MAX = 16
REFUSED = object()
MEMORY_FACTOR = 80
# Python's smallest objects (56 bytes and their place in a list) for each two letters ("0,") of a message.
SCRAPS = ['"', "\\", "{", "}", "[", "]", ":", ",", " ", "\n", "0", "-0", "01", "1.0", "1e5", "9007199254740992", "nul"]
SCRAPS += [
    "null",
    "true",
    '"a"',
    '"text"',
    '"\\u0061"',
    '"\\ud83d\\ude00"',
    '"\\udc00"',
    '"e\\u0301"',
    "é",
    "/*",
    "\ufeff",
]


def slow_parse(data: bytes) -> object:
    """The value, or REFUSED."""
    pairs: list[int] = []

    def counted(found: list[tuple[str, object]]) -> dict[str, object]:
        pairs.append(len(found) - len(dict(found)))
        return dict(found)

    try:
        value = json.loads(data.decode(), object_pairs_hook=counted)
    except (ValueError, RecursionError):
        return REFUSED
    return value if isinstance(value, dict) and not any(pairs) and _right(value, 1) else REFUSED


def _right(value: Any, level: int, name: str = "") -> bool:
    if isinstance(value, dict):
        inside = level <= LEVELS_MAX and all(_words(key) for key in value)
        return inside and all(_right(item, level + 1, key) for key, item in value.items())
    if isinstance(value, list):
        return level <= LEVELS_MAX and all(_right(item, level + 1) for item in value)
    if isinstance(value, str):
        return _words(value.replace("\n", "") if name == "text" else value)
    return value is None or (isinstance(value, int) and -INTEGER_MAX <= value <= INTEGER_MAX)


def _words(text: str) -> bool:
    plain = not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text)
    return plain and unicodedata.normalize("NFC", text) == text


def outcome(data: bytes) -> object:
    """What ``parse`` says; of a refusal the error itself."""
    try:
        return parse(data)
    except WireError as error:
        return error


def agree(data: bytes) -> None:
    """Both readers say the same, and a refusal is one short line."""
    expected, found = slow_parse(data), outcome(data)
    if isinstance(found, WireError):
        assert expected is REFUSED, found
        assert len(str(found)) < 300
        assert str(found).isprintable()
    else:
        assert found == expected
        assert parse(dump(parse(data))) == expected


@given(st.lists(st.sampled_from(SCRAPS), max_size=12).map("".join))
def test_scraps_of_json_are_read_by_both_alike(inside: str) -> None:
    agree(inside.encode())
    agree(f'{{"a":{inside}}}'.encode())


scalars = st.sampled_from(["0", "-7", "true", "null", '""', '"é"', '"x\\ny"', "1.0", '"e\\u0301"'])
keys = st.sampled_from(['"a"', '"b"', '"\\u0061"', '"text"', '""', '"é"', '"e\\u0301"'])
written = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{','.join(items)}]")
        | st.lists(st.tuples(keys, inner), max_size=3).map(lambda pairs: f"{{{','.join(map(':'.join, pairs))}}}")
    ),
    max_leaves=8,
)
"""JSON as a text, so that a name can stand twice in an object, written alike or not."""


@given(written)
def test_objects_with_names_twice_are_read_by_both_alike(text: str) -> None:
    agree(text.encode())
    agree(f'{{"c":{text}}}'.encode())


@given(anything, st.sampled_from((None, 1)), st.booleans())
def test_any_json_is_read_by_both_alike(value: object, indent: int | None, ascii_only: bool) -> None:
    agree(json.dumps({"a": value}, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass"))


@given(anything, st.data())
def test_json_with_a_damaged_byte_is_read_by_both_alike(value: object, data: st.DataObject) -> None:
    text = bytearray(json.dumps({"a": value, "text": "x\ny"}, ensure_ascii=False).encode(errors="surrogatepass"))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    agree(bytes(text))


@given(st.integers(1, LEVELS_MAX + 3), st.lists(st.booleans(), min_size=LEVELS_MAX + 3, max_size=LEVELS_MAX + 3))
def test_as_many_levels_as_are_allowed_and_no_more(levels: int, lists: list[bool]) -> None:
    value: object = 1
    for is_list in lists[: levels - 1]:
        value = [value] if is_list else {"b": value}
    agree(json.dumps({"a": value}).encode())


FULL = ENVELOPE_BYTES_MAX - 10
GREEDY = {
    "zeros": b'{"a":[' + b"0," * (FULL // 2) + b"0]}",
    "empty lists": b'{"a":[' + b"[]," * (FULL // 3) + b"0]}",
    "empty objects": b'{"a":[' + b"{}," * (FULL // 3) + b"0]}",
    "many names": b"{" + b",".join(b'"%x":0' % n for n in range(FULL // 9)) + b"}",
    "one name again and again": b"{" + b'"a":0,' * (FULL // 6) + b'"a":0}',
    "opening brackets": b"[" * FULL,
    "opening objects": b'{"a":' * (FULL // 5),
    "quotes": b'"' * FULL,
    "backslashes": b'{"a":"' + b"\\" * FULL,
    "escaped quotes": b'{"a":"' + b'\\"' * (FULL // 2),
    "digits": b'{"a":' + b"9" * FULL + b"}",
    "a fraction": b'{"a":0.' + b"1" * FULL + b"}",
    "combining marks": ('{"a":"e' + "\u0301" * (FULL // 2) + '"}').encode(),
    "marks in no order": ('{"a":"e' + "\u0301\u0323" * (FULL // 4) + '"}').encode(),
    "spaces": b" " * FULL,
    "words": ('{"a":"' + "đ" * (FULL // 2) + '"}').encode(),
}


@pytest.mark.parametrize("name", GREEDY)
def test_no_message_takes_memory_out_of_proportion(name: str) -> None:
    """Nor time without end: each of these takes some milliseconds, and the suite would hang otherwise."""
    data = GREEDY[name]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        outcome(data)
        assert tracemalloc.get_traced_memory()[1] - before < MEMORY_FACTOR * len(data)
    finally:
        tracemalloc.stop()
