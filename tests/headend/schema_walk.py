"""Every way to break, or just not to break, one field of a message: made from the schema, one change at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from edge_agent.headend.schemas import Schema
from tools.schema_tree import PRESENT, Branch, branches, followed, listed, whole

Path = tuple[str | int, ...]
OF_ANOTHER_TYPE: tuple[Any, ...] = (None, True, 0, 7, -1, "", "x", "1", [], [7], {}, {"a": 1})
LENGTHS = (0, 1, 2, 16, 17, 32, 33, 40, 41, 64, 65, 128, 129, 130)
FORMS = (
    "A",
    "a b",
    "a\n",
    "ă",
    "a/b",
    "/a",
    "a/",
    "a//b",
    "a/b/c/d/e/f",
    "a/b/c/d/e/f/g",
    "https://a",
    "https://a/b c",
    "http://a",
    "https://u@a/",
    "https://[::1]:8/~",
    "2026-10-01",
    "2026-1-1",
    "05:30",
    "05:30:00",
    "23:59:59",
    "24:00:00",
    "24:00",
    "05:60",
    "Asia/Ho_Chi_Minh",
    "asia/x",
    "UTC",
    "right/UTC",
    "America/Argentina/Ushuaia",
    "A/b/c/d",
    "vi",
    "vi_VN",
    "AQ==",
    "AR==",
    "AQ=",
    "A-==",
    "AAA=",
    "AAB=",
    "AAAA",
    "04" + "0" * 128,
    "0" * 64,
    "A" * 64,
)
"""One of each form that some pattern asks for, and near misses; ``LENGTHS`` of a digit, which all take, besides."""

MADE = {
    "hash": "{:064x}",
    "keyid": "{:064x}",
    "wall time": "05:{:02}:00",
    "day": "20{:02}-10-01",
    "address": "https://a/{}",
    "address or line-in": "https://a/{}",
}
"""As many different ones as a list may need, by the schema's own word for their form; others are names."""


@dataclass(frozen=True)
class Change:
    """``message`` differs from a sound one at ``path`` only."""

    path: Path
    what: str
    message: Any


def changes(kind: str, *messages: Any) -> Iterator[Change]:
    """Every change of these messages that their schema has something to say about, each once."""
    seen = set()
    for message in messages:
        for path, node in fields(kind, message):
            for other in _values(node, _at(message, path)):
                change = Change(path, repr(other), replaced(message, path, other))
                if (key := (plain(path), json.dumps(node), change.what)) not in seen:
                    seen.add(key)
                    yield change


def plain(path: Path) -> str:
    """Which field that is, whichever entry of a list: ``.items.urls``."""
    return "".join(f".{step}" for step in path if isinstance(step, str))


def fields(kind: str, message: Any) -> Iterator[tuple[Path, Schema]]:
    """Every place in the message with what the schema says of it, conditions included."""
    yield from _fields(whole(kind), message, ())


def strangers(kind: str, message: Any) -> list[str]:
    """The fields of a message that its schema does not name."""
    return [
        f"{plain(path)}.{name}"
        for path, node in fields(kind, message)
        if "properties" in node and isinstance(_at(message, path), dict)
        for name in set(_at(message, path)) - set(_properties(node, _at(message, path)))
    ]


def _fields(node: Schema, value: Any, path: Path) -> Iterator[tuple[Path, Schema]]:
    node = followed(node)
    yield path, node
    if isinstance(value, dict):
        known = _properties(node, value)
        for name, inner in value.items():
            under = known.get(name, node.get("additionalProperties", {}))
            if isinstance(under, dict):
                yield from _fields(under, inner, (*path, name))
    elif isinstance(value, list) and "items" in node:
        for index, inner in enumerate(value):
            yield from _fields(node["items"], inner, (*path, index))


def _properties(node: Schema, value: dict[str, Any]) -> Schema:
    """What may stand in this very object: its properties, and those of each condition that it fulfils."""
    found = dict(node.get("properties", {}))
    for branch in branches(node):
        if _met(branch, value) == branch.holds:
            found = _laid_over(found, branch.then.get("properties", {}))
    return found


def _met(branch: Branch, value: dict[str, Any]) -> bool:
    if branch.value is PRESENT:
        return branch.name in value
    actual = value.get(branch.name, ())
    return branch.value in actual if isinstance(actual, list) else branch.value == actual


def _laid_over(under: Schema, over: Schema) -> Schema:
    """What a condition says besides, at whatever depth it says it."""
    both = {name: under[name] for name in over if isinstance(over[name], dict) and isinstance(under.get(name), dict)}
    return {**under, **over, **{name: _laid_over(both[name], over[name]) for name in both}}


def _values(node: Schema, value: Any) -> Iterator[Any]:
    yield from (other for other in OF_ANOTHER_TYPE if type(other) is not type(value) or other != value)
    yield from listed(node)
    for bound in ("minimum", "maximum"):
        if bound in node:
            yield from (node[bound] - 1, node[bound], node[bound] + 1)
    if isinstance(value, str):
        yield from _texts(node, value)
    if isinstance(value, list):
        yield from _lists(node, value)
    if isinstance(value, dict):
        yield from ({name: inner for name, inner in value.items() if name != gone} for gone in value)
        yield value | {"more": 1}
        yield from _maps(node, value)


def _texts(node: Schema, value: str) -> Iterator[str]:
    edges = [node[bound] + step for bound in ("minLength", "maxLength") if bound in node for step in (-1, 0, 1)]
    yield from ("ệ" * length for length in edges if length >= 0)
    yield from FORMS
    yield from ("0" * length for length in LENGTHS)
    for add in ("\n", " ", "x", "/"):
        yield value + add
    if value.startswith("https://"):
        yield from (value.ljust(length, "x") for length in (499, 500, 501))
    if value.isascii() and "/" in value:
        yield from (value.ljust(length, "x") for length in (63, 64, 65))


def _lists(node: Schema, value: list[Any]) -> Iterator[list[Any]]:
    if value:
        yield [*value, value[-1]]
        yield value[:-1]
    for bound in ("minItems", "maxItems"):
        if bound in node:
            yield from (_entries(node, value, node[bound] + step) for step in (-1, 0, 1) if node[bound] + step >= 0)


def _entries(node: Schema, value: list[Any], count: int) -> list[Any]:
    """So many entries, different ones where they must be."""
    of = followed(node["items"])
    if not node.get("uniqueItems"):
        return [copy.deepcopy(value[index % len(value)]) for index in range(count)] if value else [None] * count
    if "enum" in of:
        return [of["enum"][index % len(of["enum"])] for index in range(count)]
    if of["type"] == "integer":
        return [of["minimum"] + index for index in range(count)]
    return [MADE.get(of.get("x-type", ""), "n{}").format(index + 1) for index in range(count)]


def _maps(node: Schema, value: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for bound in ("minProperties", "maxProperties"):
        for step in (-1, 0, 1):
            if bound in node and node[bound] + step >= 0:
                inner = next(iter(value.values()), 1)
                yield {f"n{index}": inner for index in range(node[bound] + step)}
    if "propertyNames" in node:
        yield {"A": next(iter(value.values()), 1)}
        yield {"a" * 65: next(iter(value.values()), 1)}


def _at(message: Any, path: Path) -> Any:
    for step in path:
        message = message[step]
    return message


def replaced(message: Any, path: Path, value: Any) -> Any:
    """The message with another value there; what is not on the way is shared."""
    if not path:
        return value
    changed = copy.copy(message)
    changed[path[0]] = replaced(message[path[0]], path[1:], value)
    return changed
