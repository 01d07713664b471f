"""The console's three languages, and how any text is made to fit a line of 80 columns. Pure; decides no content.

``VI_ASCII`` is made from the Vietnamese mechanically, so that nobody has to keep a third wording up to date.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

COLUMNS = 80
# What a serial terminal has had since the VT52 (requirement O6).
HANG = 2
# Columns by which what does not fit on a line is set in below it.
ZERO_WIDTH = frozenset({"Mn", "Me"})
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Nothing of these reaches a terminal: a title must not move its cursor, nor turn its writing round.

_ASCII = str.maketrans(
    {"đ": "d", "Đ": "D", "…": "...", "→": "->", "–": "-", "—": "-", "≤": "<=", "±": "+-", "×": "x", "°": ""}
    | {"“": '"', "”": '"', "‘": "'", "’": "'", "·": "."}
)


class Language(StrEnum):
    """What the console speaks; ``VI_ASCII`` is for terminals that cannot show diacritics."""

    VI = "vi"
    VI_ASCII = "vi-ascii"
    EN = "en"


@dataclass(frozen=True, slots=True)
class Text:
    """The same words in both languages."""

    vi: str
    en: str

    def say(self, language: Language) -> str:
        """One of them, diacritics and all: they come off in ``screenful``."""
        return self.en if language is Language.EN else self.vi


def ascii_of(text: str) -> str:
    """Vietnamese without diacritics; what has no letter in ASCII becomes "?"."""
    return _bare(unicodedata.normalize("NFD", text.translate(_ASCII))).encode("ascii", "replace").decode("ascii")


def plain(typed: str) -> str:
    """What somebody typed, as it is compared: without diacritics, capitals, wide letters and extra spaces.

    What has no letter in ASCII stays what it is: "?" asks for the help, and noise does not.
    """
    return " ".join(_bare(unicodedata.normalize("NFKD", typed.translate(_ASCII))).lower().split())


def _bare(decomposed: str) -> str:
    return "".join(char for char in decomposed if unicodedata.category(char) != "Mn")


def printable(text: str) -> str:
    """Composed letters that any terminal may be sent; another space becomes the plain one, and the rest "?"."""
    return "".join(map(_shown, unicodedata.normalize("NFC", text)))


def _shown(char: str) -> str:
    """A word processor's hard space has no letter in ASCII, and at none of the others would a line be broken."""
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    return "?" if category in UNSEEN else char


def json_line(value: object) -> str:
    """JSON that any terminal may be sent: what ``printable`` replaces stands in it as an escape."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(json.dumps(char)[1:-1] if unicodedata.category(char) in UNSEEN else char for char in text)


def width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(_columns(char) for char in text)


def screenful(lines: Iterable[str], language: Language) -> tuple[str, ...]:
    """Lines as they are shown: in the language's letters, none wider than ``COLUMNS``."""
    shown = (ascii_of(printable(line)) if language is Language.VI_ASCII else printable(line) for line in lines)
    return tuple(part for line in shown for part in _wrapped(line))


def _columns(char: str) -> int:
    if unicodedata.category(char) in ZERO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _wrapped(line: str) -> Iterator[str]:
    indent = " " * min(len(line) - len(line.lstrip(" ")) + HANG, COLUMNS // 2)
    while (cut := _cut(line, len(indent))) < len(line):
        yield line[:cut].rstrip(" ")
        line = indent + line[cut:].lstrip(" ")
    yield line


def _cut(line: str, indent: int) -> int:
    """Where to break: behind the last space that leaves more than the indent, else in the word; or at its end."""
    used = 0
    for end, char in enumerate(line):
        used += _columns(char)
        if used > COLUMNS:  # what comes further on is not looked at: a line may be as long as somebody likes
            space = line.rfind(" ", indent + 1, end + 1)
            return space if space > 0 else end
    return len(line)
