"""Read a TOML text key by key and gather everything that is wrong with it, each with its line. Knows no key of ours.

A key that nobody asked for is a problem too: a misspelt limit must not be silently without effect. Readers answer a
harmless value after a problem and go on, so that one run names all problems; ``Report.check`` then refuses the lot.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from edge_agent.config.lines import Path, index_lines, line_of
from edge_agent.toml import DIGITS_MAX, NumberTooLong, read_toml

SHOWN_CHARS_MAX = 40
# Of a wrong value, so that a message stays on one line of an 80-column console.
SYNTAX_CHARS_MAX = 200
# Of what the library says, which repeats a key as long as it is.
TOO_LONG = f"a number of more than {DIGITS_MAX} digits"
PROBLEMS_MAX = 200
# Nobody reads further, and each is compared with all before it.

Choice = TypeVar("Choice", bound=StrEnum)
Kind = TypeVar("Kind", str, int, bool, list[object], dict[str, object])


class Fault(StrEnum):
    """What kind of wrong: Vietnamese first, it is read by the technician who wrote the file."""

    UNREADABLE = "không đọc được tệp / the file cannot be read"
    SYNTAX = "sai cú pháp TOML / not valid TOML"
    UNKNOWN = "mục lạ / unknown key"
    MISSING = "thiếu mục / missing"
    TYPE = "sai kiểu / wrong type"
    FORM = "sai dạng / wrong form"
    RANGE = "ngoài giới hạn / out of range"
    CLASH = "xung đột / in conflict"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. ``line`` counts from 1; 0: the file as a whole."""

    line: int
    where: str
    fault: Fault
    detail: str
    remedy: str

    def text(self, file: str) -> str:
        """One line: ``edge-agent.toml:12: [broker] port: ngoài giới hạn / out of range: … → …``."""
        place = f"{file}:{self.line}" if self.line else file
        parts = [part for part in (place, self.where, self.fault.value, self.detail) if part]
        return ": ".join(parts) + f" → {self.remedy}"


class ConfigError(Exception):
    """The file cannot be used. Its text is one line per problem, in the order of the file."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(problem.text(file) for problem in self.problems))


@dataclass(frozen=True, slots=True)
class Form:
    """What a text must look like: the whole of it matches ``pattern``; ``say`` is for people."""

    pattern: re.Pattern[str]
    say: str


@dataclass(slots=True)
class Report:
    """Problems of one file so far, the lines of its keys, and every key that was asked for (for the reference)."""

    file: str
    lines: dict[Path, int]
    problems: list[Problem] = field(default_factory=list)
    faulty: set[Path] = field(default_factory=set)
    asked: set[Path] = field(default_factory=set)

    def add(self, path: Path, fault: Fault, detail: str, remedy: str) -> None:
        """Note a problem at ``path`` and go on."""
        self.faulty.add(path)
        if self.full:
            return
        problem = Problem(line_of(self.lines, path), place(path), fault, detail, remedy)
        if problem not in self.problems:  # a zone's id is read by two readers
            self.problems.append(problem)

    @property
    def full(self) -> bool:
        """Whether nothing more is noted."""
        return len(self.problems) >= PROBLEMS_MAX

    def check(self) -> None:
        """Raise ConfigError if anything was wrong."""
        if self.problems:
            raise ConfigError(self.file, self.problems)


def open_report(text: str, file: str) -> tuple[Report, Table]:
    """Parse the TOML itself. Raises ConfigError with the line at which it stops being TOML."""
    try:
        content = read_toml(text)
    except NumberTooLong as exc:
        raise ConfigError(file, [_number_too_long(text, exc.line)]) from exc
    except ValueError as exc:
        raise ConfigError(file, [_syntax(text, str(exc))]) from exc
    report = Report(file, index_lines(text))
    return report, Table(report, (), content)


class Table:
    """One table of the file. Every method takes a key, notes what is wrong with its value, and answers something."""

    def __init__(self, report: Report, path: Path, content: dict[str, object], *, absent: bool = False) -> None:
        self.report = report
        self._absent = absent  # its absence has been reported; its keys need not be
        self.path = path
        self._content = content
        self._asked: set[str] = set()

    def know(self, key: str) -> bool:
        """Declare a key that may be left out without a default; whether it is written."""
        self._asked.add(key)
        self.report.asked.add((*self.path, key))
        return key in self._content

    def sound(self, *keys: str) -> bool:
        """Whether nothing was wrong with these keys so far: only then may they be compared with others."""
        return not any((*self.path, key) in self.report.faulty for key in keys)

    def fault(self, key: str, fault: Fault, detail: str, remedy: str) -> None:
        """Note a problem with the value of ``key``."""
        if self._absent:
            self.report.faulty.add((*self.path, key))
        else:
            self.report.add((*self.path, key), fault, detail, remedy)

    def text(self, key: str, form: Form, default: str | None = None) -> str:
        """A text of the given form."""
        value = self._get(key, str, default, f'write {key} = "…" ({form.say})')
        if value is None or key not in self._content:
            return value or ""
        if form.pattern.fullmatch(value) is None:
            self.fault(key, Fault.FORM, shown(value), f"must be {form.say}")
        return value

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        value = self._get(key, int, default, f"write {key} = a whole number from {low} to {high}")
        if value is None:
            return low
        if not low <= value <= high:
            self.fault(key, Fault.RANGE, shown(value), f"must be a whole number from {low} to {high}")
        return value

    def boolean(self, key: str, default: bool | None = None) -> bool:
        """True or false."""
        return bool(self._get(key, bool, default, f"write {key} = true or false"))

    def choice(self, key: str, options: type[Choice], default: Choice | None = None) -> Choice:
        """One of the values of an enumeration."""
        say = "one of " + ", ".join(f'"{option.value}"' for option in options)
        value = self._get(key, str, default.value if default else None, f"write {key} = {say}")
        for option in options:
            if value == option.value:
                return option
        if value is not None:
            self.fault(key, Fault.RANGE, shown(value), f"must be {say}")
        return next(iter(options))

    def values(self, key: str, remedy: str) -> list[object]:
        """A list; its elements are the caller's to check."""
        value: list[object] | None = self._get(key, list, None, remedy)
        return [] if value is None else value

    def table(self, key: str, *, required: bool = True) -> Table:
        """A table within this one; an optional one that is not written is read as empty."""
        value: dict[str, object] | None = self._get(key, dict, None if required else {}, _write_table(self.path, key))
        return Table(self.report, (*self.path, key), value or {}, absent=value is None)

    def named_tables(self) -> list[tuple[str, Table]]:
        """All tables within this one, by the names that the technician gave them."""
        return [(name, self.table(name)) for name in self._content]

    def list_of_tables(self, key: str, count_max: int) -> list[Table]:
        """``[[key]]``: at least one table, at most ``count_max``."""
        items = self.values(key, f"write [[{key}]] and its keys below it")
        if self.sound(key) and not 1 <= len(items) <= count_max:
            self.fault(key, Fault.RANGE, f"{len(items)} of them", f"must be 1 to {count_max}")
        tables = [(number, item) for number, item in enumerate(items) if isinstance(item, dict)]
        if len(tables) != len(items):
            self.fault(key, Fault.TYPE, "not every element is a table", f"write [[{key}]] and its keys below it")
        return [Table(self.report, (*self.path, key, number), item) for number, item in tables[:count_max]]

    def done(self) -> None:
        """Name every key that is written here and was not asked for."""
        for key in self._content.keys() - self._asked:
            if self.report.full:
                return
            near = difflib.get_close_matches(key, self._asked - self._content.keys(), n=1)
            known = ", ".join(sorted(self._asked)) or "none"
            remedy = (
                f"có phải là / did you mean {near[0]}?"
                if near
                else f"bỏ dòng này; ở đây chỉ có / remove it; known here: {known}"
            )
            self.fault(key, Fault.UNKNOWN, "", remedy)

    def _get(self, key: str, kind: type[Kind], default: Kind | None, remedy: str) -> Kind | None:
        """The value if it is of exactly this type (TOML's true is no 1); None after a problem."""
        if not self.know(key):
            if default is None:
                self.fault(key, Fault.MISSING, "", remedy)
            return default
        value = self._content[key]
        if type(value) is kind and not _has_control(value):
            return value
        fault = Fault.TYPE if type(value) is not kind else Fault.FORM
        self.fault(key, fault, f"{shown(value)} is {_kind_words(value)}", remedy)
        return None


def shown(value: object) -> str:
    """A value as it may be shown in a message: short, on one line."""
    try:
        return _short(json.dumps(value, ensure_ascii=False, default=str), SHOWN_CHARS_MAX)
    except ValueError:  # a hexadecimal one is read however long it is, and then cannot be written
        return TOO_LONG


def place(path: Path) -> str:
    """A path as a technician finds it in the file: ``[broker] port``, ``[[zones]] #2 line``, ``[cards.main] rate``."""
    *table, key = (_short(step, SHOWN_CHARS_MAX) if isinstance(step, str) else step for step in path)
    numbers = [step for step in table if isinstance(step, int)]
    names = ".".join(step for step in table if isinstance(step, str))
    if numbers:
        return f"[[{names}]] #{numbers[-1] + 1} {key}"
    return f"[{names}] {key}" if names else f"[{key}]"


def _short(text: str, most: int) -> str:
    text = "".join(char if char.isprintable() else "�" for char in text)
    return text if len(text) <= most else text[: most - 1] + "…"


def _has_control(value: object) -> bool:
    return isinstance(value, str) and any(char < " " or "\x7f" <= char <= "\x9f" for char in value)


def _kind_words(value: object) -> str:
    if _has_control(value):
        return "a text with control characters"
    words = {str: "a text", bool: "true or false", int: "a whole number", float: "a number with a fraction"}
    return words.get(type(value), "a list" if isinstance(value, list) else "a table or a date")


def _write_table(path: Path, key: str) -> str:
    return (
        "write [" + ".".join([*(_short(str(step), SHOWN_CHARS_MAX) for step in path), key]) + "] and its keys below it"
    )


def _syntax(text: str, message: str) -> Problem:
    found = re.search(r"at line ([0-9]+)", message)
    line = int(found[1]) if found else text.count("\n") + 1
    remedy = (
        "sửa chỗ máy nêu: chữ phải trong ngoặc kép, trong một bảng mỗi mục chỉ một lần / put right what the message "
        "names; texts need quotes, and a key may stand in a table only once"
    )
    return Problem(line, "", Fault.SYNTAX, _short(message, SYNTAX_CHARS_MAX), remedy)


def _number_too_long(text: str, line: int) -> Problem:
    """Of the key on that line: nothing was read, but its place is known."""
    on_line = [path for path, number in index_lines(text).items() if number == line]
    where = place(max(on_line, key=len)) if on_line else ""
    return Problem(line, where, Fault.RANGE, TOO_LONG, "write a whole number within the bounds of this key")
