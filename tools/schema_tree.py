"""Read the JSON Schemas as a tree of fields: references followed, conditions kept apart. Decides nothing about them.

Both generated documents and the tests of every bound walk the schemas with this.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from edge_agent.headend.schemas import Schema, schema

SUFFIX = ".schema.json"
PRESENT = object()
"""The value of a branch that holds where the field is there, whatever it says."""


@dataclass(frozen=True, slots=True)
class Branch:
    """What holds besides, when the object's field ``name`` is ``value`` (or, where ``holds`` is False, is not)."""

    name: str
    value: object
    holds: bool
    then: Schema


@cache
def whole(kind: str) -> Schema:
    """The schema of a kind, its references made good from anywhere."""
    found = copy.deepcopy(schema(kind))
    _settle(found, kind)
    return found


def followed(node: Schema) -> Schema:
    """The node with what it refers to laid under it: its own words go before those of the other."""
    if "$ref" not in node:
        return node
    home, _, path = node["$ref"].partition(f"{SUFFIX}#")
    there = whole(home.removesuffix(SUFFIX))
    for step in path.split("/")[1:]:
        there = there[step]
    under = followed(there)
    merged = {**under, **{name: value for name, value in node.items() if name != "$ref"}}
    if "properties" in node:
        merged["properties"] = _laid_over(under["properties"], node["properties"])
        merged["required"] = [*under.get("required", []), *node.get("required", [])]
    return merged


def listed(node: Schema) -> list[object]:
    """The values that a node names: all that it allows, or all that is known where a newer station may say more."""
    return next((one["enum"] for one in (node, *node.get("anyOf", ())) if "enum" in one), [])


def branches(node: Schema) -> Iterator[Branch]:
    """The conditions of an object whose form depends on one of its fields."""
    for one in [node, *node.get("allOf", [])]:
        if "if" not in one:
            continue
        name, value = _asked(one["if"])
        yield Branch(name, value, True, one["then"])
        if "else" in one:
            yield Branch(name, value, False, one["else"])


def _asked(condition: Schema) -> tuple[str, object]:
    """The field that a condition looks at, and for what."""
    if "properties" not in condition:
        (name,) = condition["required"]
        return name, PRESENT
    ((name, test),) = condition["properties"].items()
    return name, test["contains"]["const"] if "contains" in test else test["const"]


def _laid_over(under: Schema, over: Schema) -> Schema:
    return under | {name: {**followed(under.get(name, {})), **node} for name, node in over.items()}


def _settle(node: Any, kind: str) -> None:
    if isinstance(node, list):
        for one in node:
            _settle(one, kind)
    elif isinstance(node, dict):
        if isinstance(ref := node.get("$ref"), str):
            node["$ref"] = f"{kind}{SUFFIX}{ref}" if ref.startswith("#") else ref if "#" in ref else f"{ref}#"
        for one in node.values():
            _settle(one, kind)
