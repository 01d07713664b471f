"""The faults of many messages that differ from sound ones in one place: what stayed as it was is looked at once.

``schema_walk.replaced`` shares with the sound message whatever is not on the way to the change. A part that a rule has
found nothing wrong with is therefore known by being the same object, and is not walked through again for each change; a
field that is no object is known by its value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from jsonschema import ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from edge_agent.headend import schemas
from edge_agent.headend.schemas import Schema

Rule = Callable[[Validator, Any, Any, Schema], Iterator[ValidationError]]


def remember_what_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """For one test, in which no message may be changed that was looked at: ``schemas.faults``, but quicker."""
    sound: dict[tuple[int, int, int], tuple[object, object, object]] = {}
    made: dict[str, Validator] = {}
    plain = schemas._validator

    def quick(kind: str) -> Validator:
        if kind not in made:
            one = plain(kind)
            rules = {word: _once(rule, sound) for word, rule in type(one).VALIDATORS.items()}
            rules["properties"] = _once(_fields({}), sound)
            made[kind] = extend(type(one), rules)(one.schema, registry=one._registry)
        return made[kind]

    monkeypatch.setattr(schemas, "_validator", quick)


def _once(rule: Rule, sound: dict[tuple[int, int, int], tuple[object, object, object]]) -> Rule:
    def looked(validator: Validator, said: Any, value: Any, around: Schema) -> Iterator[ValidationError]:
        if not isinstance(value, dict | list):
            yield from rule(validator, said, value, around) or ()
            return
        key = (id(rule), id(around), id(value))
        if key in sound:
            return
        errors = list(rule(validator, said, value, around) or ())
        if not errors:
            sound[key] = (rule, around, value)  # held, so that no other object can get its id
        yield from errors

    return looked


def _fields(sound: dict[tuple[object, ...], tuple[object, object]]) -> Rule:
    """The library's own rule, but for what is known of a field already."""

    def looked(validator: Validator, said: Any, value: Any, around: Schema) -> Iterator[ValidationError]:
        if not isinstance(value, dict):
            return
        for name in said.keys() & value.keys():
            under, field = said[name], value[name]
            known = id(field) if isinstance(field, dict | list) else field
            key = (id(under), type(field), known)
            if key in sound:
                continue
            errors = list(validator.descend(field, under, path=name, schema_path=name))
            if not errors:
                sound[key] = (under, field)  # held as above
            yield from errors

    return looked
