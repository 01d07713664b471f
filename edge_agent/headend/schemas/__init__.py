"""What each message must look like, as JSON Schema, and what is wrong with one that does not.

The ``*.schema.json`` beside this file are the source: docs/asyncapi.yaml and the field tables of docs/protocol.md are
made from them, and the tests hold the station's own parsers and all traffic to them. Every rule that JSON Schema cannot
say (which instant is the later one, how many bytes) stands in their ``x-beyond`` and is not checked here. What a field
that is known must not stand beside, ``x-forbidden`` tells readers of the tables, which show no conditions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any, cast

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

Schema = dict[str, Any]

DOWN = ("job", "regulation", "window", "command", "timetable", "welcome", "ack")
UP = ("hello", "state", "heartbeat", "log", "answer", "plan")
IDENTITY = ("enrol_request", "enrol", "enrol_answer", "enrolled", "renew", "renewed", "refused")
KINDS = ("envelope", *DOWN, "trust", *UP, "record", "trust_file", "head", "manifest", *IDENTITY)
"""``envelope`` is around every message, ``trust`` comes where orders come, ``record`` is the body of a log record, and
``trust_file`` a station's trust file, which does not travel; ``head`` and ``manifest`` lie on the content server, and
those of IDENTITY are bodies of HTTPS, or what is signed or proven in one."""
SHARED = "common"
SHOWN_CHARS_MAX = 40
# A fault is one line; what stands there may be anything.


def faults(kind: str, payload: Any) -> list[str]:
    """What is wrong with a parsed ``payload`` of that kind: ``field: what would be right``. Empty when nothing is."""
    return sorted({line for error in _validator(kind).iter_errors(payload) for line in _lines(error)})


@cache
def schema(kind: str) -> Schema:
    """The schema of one kind, or SHARED."""
    loaded: Schema = json.loads(resources.files(__name__).joinpath(f"{kind}.schema.json").read_text("utf-8"))
    return loaded


@cache
def _validator(kind: str) -> Validator:
    registry: Registry[Any] = Registry().with_resources(
        (_undialected(name)["$id"], DRAFT202012.create_resource(_undialected(name))) for name in (*KINDS, SHARED)
    )
    dialect = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    made: Validator = dialect(_undialected(kind), registry=registry)
    return made


def _undialected(kind: str) -> Schema:
    # With its "$schema" the library would take its own dialect again wherever one file refers to another.
    return {word: said for word, said in schema(kind).items() if word != "$schema"}


def _pattern(_: Validator, pattern: str, text: object, around: Schema) -> Iterator[ValidationError]:
    # A pattern is ECMA's, where $ is the end of the text; Python's $ lets a line feed follow.
    if isinstance(text, str) and re.search(pattern.replace("$", r"\Z"), text) is None:
        yield ValidationError(around.get("title", f"must match {pattern}"))


def _lines(error: ValidationError) -> Iterator[str]:
    where, found, wanted = _where(error), cast(Any, error.instance), cast(Any, error.validator_value)
    if error.validator == "required":
        yield from (f"{_join(where, name)}: missing" for name in wanted if name not in found)
    elif error.validator == "additionalProperties":
        known = cast(Schema, error.schema)["properties"]
        yield from (f"{_join(where, str(name))}: unknown, remove it" for name in found if name not in known)
    else:
        yield f"{where or 'message'}: {_rule(error)}, not {_shown(found)}"


def _where(error: ValidationError) -> str:
    where = ""
    for step in error.absolute_path:
        where = f"{where}[{step}]" if isinstance(step, int) else _join(where, step)
    return where


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


_RULES: dict[str, Callable[[Any], str]] = {
    "type": lambda types: " or ".join([types] if isinstance(types, str) else types),
    "enum": lambda values: f"one of {', '.join(map(str, values))}",
    "const": lambda value: json.dumps(value, ensure_ascii=False),
    "minimum": lambda bound: f"at least {bound}",
    "maximum": lambda bound: f"at most {bound}",
    "minLength": lambda bound: f"at least {bound} characters",
    "maxLength": lambda bound: f"at most {bound} characters",
    "minItems": lambda bound: f"at least {bound} entries",
    "maxItems": lambda bound: f"at most {bound} entries",
    "minProperties": lambda bound: f"at least {bound} entries",
    "maxProperties": lambda bound: f"at most {bound} entries",
    "uniqueItems": lambda _: "each only once",
}


def _rule(error: ValidationError) -> str:
    """What would be right. ``title`` says so where a keyword alone would not be understood."""
    simple = _RULES.get(str(error.validator))
    return simple(error.validator_value) if simple else cast(Schema, error.schema).get("title", error.message)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True, default=repr)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"
