"""Write the tables of fields into docs/protocol.md, from the JSON Schemas that are their source.

``python -m tools.protocol_tables`` writes; with ``--check`` it fails where something differs.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.headend.schemas import SHARED, Schema
from tools.document import keep
from tools.schema_tree import branches, followed, listed, whole

DOCUMENT = Path(__file__).parent.parent / "docs" / "protocol.md"
HEAD = "| field | type | limit | meaning |\n|---|---|---|---|\n"
OWN_TABLE = ("clock", "host", "record", "limits")
"""Objects that have a table of their own, because several messages or readers want it."""
RULES = {
    "x-forbidden": "Not ignored but `malformed` (3.8)",
    "x-beyond": "Beside these, and beyond what a JSON Schema can say",
}
JSON_TYPES = {"string": "text", "integer": "integer", "boolean": "true, false", "object": "object", "null": "null"}
MARK = re.compile(r"(<!-- (fields|forms) of ([a-z_]+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class _Field:
    """One property and where it stands. ``only``: the value of ``kind`` (or the like) with which alone it stands."""

    path: str
    node: Schema
    required: bool
    only: str


def fields_table(kind: str) -> str:
    """The fields of a message, or of an object that several have, one a row; then what has no place there though it is
    known, and what its schema cannot say."""
    node = whole(kind) if kind not in whole(SHARED)["$defs"] else whole(SHARED)["$defs"][kind]
    rules = "".join(_rules(heading, node.get(name, ())) for name, heading in RULES.items())
    return HEAD + "".join(_row(field) for field in _fields(node, "")) + rules


def _rules(heading: str, rules: Sequence[str]) -> str:
    return f"\n{heading}:\n\n" + "".join(f"- {rule}\n" for rule in rules) if rules else ""


def forms_table() -> str:
    """What the types in the other tables mean."""
    defs = [node for node in whole(SHARED)["$defs"].values() if "x-type" in node]
    forms: dict[str, Callable[[Schema], str]] = {
        "pattern": lambda node: _code(node["pattern"]),
        "x-form": lambda node: str(node["x-form"]),
        "enum": lambda node: ", ".join(_limits(node)),
        "minimum": _span,
    }
    rows = [
        f"| {node['x-type']} | {_said_of(node)} | {form(node)} |\n"
        for word, form in forms.items()
        for node in defs
        if word in node
    ]
    return "| type | what | the whole of it |\n|---|---|---|\n" + "".join(rows)


def _said_of(node: Schema) -> str:
    return "; ".join(str(node[word]) for word in ("title", "description") if word in node)


def with_tables(text: str) -> str:
    """The document with each marked table made anew."""
    return MARK.sub(
        lambda mark: mark[1] + (forms_table() if mark[2] == "forms" else fields_table(mark[3])) + mark[4], text
    )


def _fields(node: Schema, where: str, only: str = "") -> Iterator[_Field]:
    required = node.get("required", ())
    for name, under in node.get("properties", {}).items():
        if "description" in under:
            field = _Field(f"{where}{name}", under, name in required, only)
            yield field
            yield from _inner(field)
    for branch in branches(node):
        if branch.holds:
            yield from _fields({"required": branch.then.get("required", ()), **branch.then}, where, str(branch.value))


def _inner(field: _Field) -> Iterator[_Field]:
    if _own_table(field.node) or "x-table" in field.node:  # its fields stand in that message's table
        return
    node, where = followed(field.node), field.path
    while node.get("type") in ("array", ["array", "null"]):
        if _own_table(node["items"]):
            return
        node, where = followed(node["items"]), f"{where}[]"
    if isinstance(each := node.get("additionalProperties"), dict) and "properties" in each:
        node, where = each, f"{where}.*"
    yield from _fields(node, f"{where}.")


def _own_table(node: Schema) -> str:
    target = node.get("$ref", "").removesuffix("#").removesuffix(".schema.json").rpartition("/")[2]
    return target if target in OWN_TABLE else ""


def _row(field: _Field) -> str:
    node = followed(field.node)
    limits = [*_limits(node), *_presence(field, node)]
    with_ = f"(with `{field.only}`) " if field.only else ""
    return f"| `{field.path}` | {_type(field.node)} | {'; '.join(limits)} | {with_}{field.node['description']} |\n"


def _type(node: Schema) -> str:
    if own := _own_table(node):
        return f"[{own}](#{own})"
    node = followed(node)
    unit = f", {node['x-unit']}" if "x-unit" in node else ""
    if "x-type" in node:
        return f"{node['x-type']}{unit}"
    if node.get("type") in ("array", ["array", "null"]) and "items" in node:
        return f"list of {_type(node['items'])}" + ("" if node["type"] == "array" else ", or null")
    if listed(node) or "const" in node:
        return "text"
    said = node.get("type", "anything")
    return " or ".join(JSON_TYPES.get(one, one) for one in ([said] if isinstance(said, str) else said)) + unit


def _limits(node: Schema) -> Iterator[str]:
    if "const" in node:
        yield f"`{node['const']}`"
    if 0 < len(values := listed(node)) < 10:
        yield ", ".join(f"`{value}`" for value in values) + ("" if "enum" in node else ", or a newer one (3.9)")
    if "minimum" in node and "x-type" not in node and "$ref" not in node and node["minimum"] > -(2**53 - 1):
        yield _span(node)
    if "pattern" in node and "x-type" not in node:
        yield node["title"]
    yield from _lengths(node)
    if "maxProperties" in node:
        yield f"{_range(node.get('minProperties', 0), node['maxProperties'])} entries"
    if "propertyNames" in node:
        yield f"each {_type(node['propertyNames'])}: {_type(node['additionalProperties'])}"
    if node.get("uniqueItems"):
        yield "no two alike"
    if "items" in node:
        yield from (f"each {limit}" for limit in _limits(followed(node["items"])))


def _lengths(node: Schema) -> Iterator[str]:
    for least, most, what in (("minLength", "maxLength", " characters"), ("minItems", "maxItems", "")):
        if most in node:
            # An empty text that has not the form is none: no range may say that it begins at 0.
            counted = least in node or re.search(node.get("pattern", ""), "") is not None
            yield (_range(node.get(least, 0), node[most]) if counted else f"at most {node[most]:,}") + what


def _presence(field: _Field, node: Schema) -> Iterator[str]:
    if not field.required:
        default = node.get("default", "")
        yield (
            f"optional: {default}"
            if isinstance(default, int)
            else f"optional: `{default}`"
            if _word(default)
            else "optional"
        )


def _word(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _span(node: Schema) -> str:
    return _range(node["minimum"], node["maximum"])


def _range(least: int, most: int) -> str:
    top = "2⁵³−1" if most == 2**53 - 1 else f"{most:,}"
    return top if least == most else f"{least:,}–{top}"


def _code(pattern: str) -> str:
    return "`" + pattern.removeprefix("^").removesuffix("$").replace("|", r"\|") + "`"


if __name__ == "__main__":
    sys.exit(keep(DOCUMENT, with_tables))
