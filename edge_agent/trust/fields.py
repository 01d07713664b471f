"""Read named fields out of parsed JSON, each by its rule. Decides no rule itself: callers pass forms and bounds.

Every failure is a ``WireError`` that names the field by its whole path and says what would be right.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeVar

from edge_agent.trust.strict_json import WireError, join, shown

E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like: the whole of it matches ``pattern``; ``rule`` says so in words."""

    pattern: re.Pattern[str]
    rule: str


def form(pattern: str, rule: str) -> Form:
    """A form by its regular expression; ``.`` takes a line break too."""
    return Form(re.compile(pattern, re.DOTALL), rule)


def free_text(most: int, *, least: int = 0) -> Form:
    """Any words of ``least`` to ``most`` characters."""
    return form(f".{{{least},{most}}}", f"{least} to {most} characters")


NAME = form(r"[a-z0-9-]{1,64}", "1 to 64 of a-z, 0-9 and -")
AREA = form(r"[a-z0-9-]{1,64}(/[a-z0-9-]{1,64}){0,5}", "1 to 6 names of a-z, 0-9 and -, joined by /")
AREA_OR_ROOT = form(rf"({AREA.pattern.pattern})?", f"{AREA.rule}; or nothing, of the root")
HASH = form(r"[0-9a-f]{64}", "64 hex digits")
WALL_MINUTE = form(r"([01][0-9]|2[0-3]):[0-5][0-9]", 'wall time as "05:00"')
WALL_SECOND = form(r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]", 'wall time as "05:30:00"')
DAY = form(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", 'a day as "2026-10-01"')


def within_areas(area: str, areas: Iterable[str]) -> bool:
    """Whether an area is one of these, or lies in one."""
    # With the slash: vn/ha-noi/dong-thanh-2 does not lie in vn/ha-noi/dong-thanh.
    return any(area == outer or area.startswith(f"{outer}/") for outer in areas)


class Fields:
    """One JSON object and its path. Each reader returns the field's value or raises ``WireError``."""

    __slots__ = ("values", "where")

    def __init__(self, value: object, where: str = "") -> None:
        if not isinstance(value, dict):
            raise WireError(where, "an object")
        self.values: Mapping[str, object] = value
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def wrong(self, name: str, rule: str, index: int | None = None) -> WireError:
        """The error to raise about a field, or about one entry of a list."""
        entry = "" if index is None else f"[{index}]"
        return WireError(f"{join(self.where, name)}{entry}", rule)

    def value(self, name: str) -> object:
        """Whatever stands there."""
        if name not in self.values:
            raise self.wrong(name, "missing")
        return self.values[name]

    def only(self, *known: str) -> None:
        """Refuse a field that nobody will read: in a file that people write it is a slip of the pen."""
        for name in self.values:
            if name not in known:
                near = get_close_matches(name, known, n=1)
                remedy = f'did you mean "{near[0]}"?' if near else f"remove it; known are {', '.join(known)}"
                raise self.wrong(name, f"unknown field, {remedy}")

    def text(self, name: str, rule: Form, default: str | None = None) -> str:
        """A text of that form."""
        if default is not None and name not in self.values:
            return default
        return _text(self.value(name), join(self.where, name), rule)

    def integer(self, name: str, least: int, most: int, default: int | None = None) -> int:
        """An integer, both bounds included."""
        if default is not None and name not in self.values:
            return default
        return _integer(self.value(name), join(self.where, name), least, most)

    def boolean(self, name: str, default: bool | None = None) -> bool:
        """True or false."""
        if default is not None and name not in self.values:
            return default
        found = self.value(name)
        if not isinstance(found, bool):
            raise self.wrong(name, "true or false")
        return found

    def choice(self, name: str, kind: type[E], default: E | None = None) -> E:
        """A member of an enumeration, by its value."""
        if default is not None and name not in self.values:
            return default
        return _choice(self.value(name), join(self.where, name), kind)

    def choices(self, name: str, kind: type[E]) -> frozenset[E]:
        """Some members of an enumeration, each once."""
        return frozenset(
            distinct((where, _choice(value, where, kind)) for where, value in self.entries(name, 1, len(kind)))
        )

    def texts(self, name: str, rule: Form, least: int, most: int) -> tuple[str, ...]:
        """``least`` to ``most`` texts, each once; an absent field is an empty list where that is allowed."""
        if least == 0 and name not in self.values:
            return ()
        return distinct((where, _text(value, where, rule)) for where, value in self.entries(name, least, most))

    def integers(self, name: str, least: int, most: int) -> frozenset[int]:
        """At least one integer within the bounds, each once."""
        span = most - least + 1
        return frozenset(
            distinct((where, _integer(value, where, least, most)) for where, value in self.entries(name, 1, span))
        )

    def record(self, name: str) -> Fields:
        """An object inside this one."""
        return Fields(self.value(name), join(self.where, name))

    def records(self, name: str, least: int, most: int) -> tuple[Fields, ...]:
        """A list of objects."""
        return tuple(Fields(value, where) for where, value in self.entries(name, least, most))

    def entries(self, name: str, least: int, most: int) -> Iterable[tuple[str, object]]:
        """The entries of a list, each with its path."""
        path = join(self.where, name)
        found = self.value(name)
        if not isinstance(found, list) or not least <= len(found) <= most:
            raise WireError(path, f"a list of {least} to {most}")
        return [(f"{path}[{index}]", value) for index, value in enumerate(found)]


T = TypeVar("T")


def distinct(entries: Iterable[tuple[str, T]]) -> tuple[T, ...]:
    """The values of (path, value) pairs in their order, refusing one that was there before."""
    found: dict[T, None] = {}
    for where, value in entries:
        if value in found:
            raise WireError(where, "each only once")
        found[value] = None
    return tuple(found)


def _text(value: object, where: str, rule: Form) -> str:
    # fullmatch: with match and $ a text with a line break at its end would pass.
    if not isinstance(value, str) or rule.pattern.fullmatch(value) is None:
        raise WireError(where, rule.rule)
    return value


def _integer(value: object, where: str, least: int, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise WireError(where, f"an integer from {least} to {most}")
    return value


def _choice(value: object, where: str, kind: type[E]) -> E:
    for member in kind:
        if value == member.value:
            return member
    found = f", not {shown(value)}" if isinstance(value, str) else ""
    raise WireError(where, f"one of {', '.join(kind)}{found}")
