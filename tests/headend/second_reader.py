"""Whether a message is as its schema says, by another implementation of JSON Schema than the product's own.

Tests that change each field in every way ask this one, for it is a thousand times as quick; that both say the same is
tested as well, and is what whoever reads our schemas with a third one may expect.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator, Registry

from edge_agent.headend.schemas import KINDS, SHARED, schema


def sound(kind: str, payload: Any) -> bool:
    """Whether a parsed ``payload`` of that kind is as its schema says."""
    return _reader(kind).is_valid(payload)


@cache
def _reader(kind: str) -> Draft202012Validator:
    return Draft202012Validator(schema(kind), registry=_all())


@cache
def _all() -> Registry:
    return Registry([(schema(name)["$id"], schema(name)) for name in (*KINDS, SHARED)])
