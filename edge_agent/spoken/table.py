"""Read tables of abbreviations, foreign words and units: the one that lies here, and a province's own. TOML.

Decides what a table must look like; what its entries mean beside other text, the rules do. The built-in table is the
only file that is read here.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge_agent.toml import read_toml

BUILT_IN = Path(__file__).with_name("words_vi.toml")
TABLE_CHARS_MAX = 64 * 1_024
# The built-in one has an eighth of it.
ENTRY_CHARS_MAX = 200
OWN = ("abbreviations", "words")
"""What a province's table may hold; the built-in one has the rest too."""
SECTIONS = (*OWN, "units", "unclear", "document_kinds", "document_issuers")
NOT_AFTER_LETTER = r"(?<![^\W_])"
NOT_BEFORE_LETTER = r"(?![^\W_])"
SPACES = re.compile(" *")
NEVER = re.compile(r"(?!)")

Entries = Mapping[str, str]


class TableError(ValueError):
    """A table cannot be used: ``field`` names the place, ``remedy`` what would be right."""

    def __init__(self, field: str, remedy: str) -> None:
        self.field = field
        self.remedy = remedy
        super().__init__(f"{field}: {remedy}")


@dataclass(frozen=True, slots=True)
class Table:
    """Entries by section, as written there; foreign words in lower case. The patterns find the longest entry first."""

    abbreviations: Entries
    words: Entries
    units: Entries
    unclear: Entries
    document_kinds: Entries
    document_issuers: Entries
    short: re.Pattern[str]
    """An abbreviation or an unclear one, at a place where no letter or digit stands before it."""
    unit: str
    """The expression that matches a unit."""


@functools.cache
def built_in() -> Table:
    """The table that every station has."""
    return parse(BUILT_IN.read_text("utf-8"), SECTIONS)


def parse(text: str, known: tuple[str, ...] = OWN) -> Table:
    """A table; what it does not hold is empty in it. Raises TableError."""
    if len(text) > TABLE_CHARS_MAX:
        raise TableError("the table", f"tối đa {TABLE_CHARS_MAX} ký tự / at most {TABLE_CHARS_MAX} characters")
    try:
        content = read_toml(unicodedata.normalize("NFC", text))
    except ValueError as error:
        raise TableError("the table", f"sai cú pháp TOML / not valid TOML: {error}") from error
    for name in content:
        if name not in known:
            ours = [f"[{one}]" for one in known]
            raise TableError(f"[{name}]", f"mục lạ, viết {' hoặc '.join(ours)} / unknown; write {' or '.join(ours)}")
    found = {name: _section(name, content.get(name, {})) for name in SECTIONS}
    words = {key.lower(): value for key, value in found["words"].items()}
    return Table(
        abbreviations=found["abbreviations"],
        words=words,
        units=found["units"],
        unclear=found["unclear"],
        document_kinds=found["document_kinds"],
        document_issuers=found["document_issuers"],
        short=_pattern((*found["abbreviations"], *found["unclear"])),
        unit=_longest_first(found["units"]),
    )


def _section(name: str, section: object) -> Entries:
    if not isinstance(section, dict):
        raise TableError(name, f"viết [{name}], mỗi dòng một mục / write [{name}], and below it one entry a line")
    for key, value in section.items():
        _check(name, key, value)
    return section


def _check(name: str, key: str, value: object) -> None:
    place = f'[{name}] "{key}"'
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= ENTRY_CHARS_MAX:
        raise TableError(
            place,
            f"viết thành lời trong ngoặc kép, 1 đến {ENTRY_CHARS_MAX} ký tự / "
            f'write "{key}" = "…", 1 to {ENTRY_CHARS_MAX} characters',
        )
    if not any(char.isalpha() or char in "%‰°'" for char in key) or key != " ".join(key.split()):
        raise TableError(
            place, "khóa phải có chữ, như trong bản tin / the key must be as it stands in texts, with a letter"
        )


def _longest_first(keys: Iterable[str]) -> str:
    return "|".join(re.escape(key) for key in sorted(keys, key=len, reverse=True)) or NEVER.pattern


def _pattern(keys: Iterable[str]) -> re.Pattern[str]:
    """A key that ends with a full stop may be written together with what follows (Q.1)."""
    keys = tuple(keys)
    if not keys:
        return NEVER
    ends = {True: "", False: NOT_BEFORE_LETTER}
    ordered = sorted(keys, key=len, reverse=True)
    return re.compile(
        NOT_AFTER_LETTER + "(?:" + "|".join(re.escape(key) + ends[key[-1] == "."] for key in ordered) + ")"
    )


def spelt_out(text: str, own: Table) -> str:
    """The text with a province's own abbreviations and foreign words written as words; the rest stays as it is.

    A station knows the built-in table alone, so this is done before an order is signed. Within the number of a document
    (12/QĐ-UBND) nothing is replaced.
    """
    composed = unicodedata.normalize("NFC", text)
    replaced = own.short.sub(lambda found: _in_place(found, own), composed)
    return _words(own.words).sub(lambda found: own.words[found[0].lower()], replaced)


def _in_place(found: re.Match[str], own: Table) -> str:
    around = found.string[max(found.start() - 1, 0) : found.start()] + found.string[found.end() : found.end() + 1]
    if "/" in around or "-" in around:
        return found[0]
    return own.abbreviations[found[0]] + stop_after(found)


def stop_after(found: re.Match[str]) -> str:
    """What an entry's own full stop leaves behind: a space before a letter, the stop itself at the end of a line."""
    if not found[0].endswith("."):
        return ""
    following = SPACES.match(found.string, found.end())
    assert following is not None
    if found.string[following.end() : following.end() + 1] in ("", "\r", "\n"):
        return "."
    return " " if found.string[found.end()] != " " else ""


def _words(words: Entries) -> re.Pattern[str]:
    if not words:
        return NEVER
    return re.compile(f"{NOT_AFTER_LETTER}(?:{_longest_first(words)}){NOT_BEFORE_LETTER}", re.IGNORECASE)
