"""Decide which clauses of a text are heard from recordings of a person (stems), and which are left to the voice. Pure.

A stem is one or more whole clauses: what ends with a sentence, a colon, a semicolon or a line. Never less: single words
of one voice in a sentence of another are harder to follow than either alone. Of stems that fit, the one with most
clauses is taken. A clause is a stem's when the same words are heard: both as ``reading`` makes words of them, so that
"UBND xã họp 7h30" is the recording of "Ủy ban nhân dân xã họp bảy giờ ba mươi". Commas are heard, and must agree.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edge_agent.spoken.reading import is_vietnamese, read, read_as_far_as_possible
from edge_agent.spoken.syllables import TONES
from edge_agent.toml import read_toml

LISTING = "stems.toml"
"""The file in a folder of stems that says what each of its other files says."""

LISTING_CHARS_MAX = 64 * 1_024
STEMS_MAX = 200
STEM_CHARS_MAX = 300
# As many as an announcer records in a day, and what is said in one breath or three; all of them together fit the above.
FAULTS_MAX = 50
# Nobody puts more right at one go.
PIECES_MAX = 16
# A text that changes voices more often is easier to follow in one. Each piece costs a child or two, before a warning.
VOICE_CHARS_MAX = 2_000
# What a voice takes at one time (audio.speech). The words of a text may be longer than the text was.

FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# A file beside the listing, in no other folder.
SHOWN_CHARS_MAX = 100
LANGUAGE = re.compile(r"[a-z0-9]{1,16}")
END = re.compile(r"(?<![.!?…:;])[.!?…:;]++[)\]}”’»\"']*+(?=\s|$)|\n")
NOT_HEARD = re.compile(r"[()\[\]{}“”«»\"]")
WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Stem:
    """A recording: its file, and the clauses that it says, as they are compared."""

    file: str
    language: str
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stems:
    """What a listing holds: its sound entries, and one line for a person about each that is none."""

    stems: tuple[Stem, ...]
    faults: tuple[str, ...]
    beginning: Mapping[tuple[str, str], tuple[Stem, ...]]
    """By language and first clause, those with most clauses first."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """Heard from a stem; ``words`` is what it says, as the text has it."""

    stem: Stem
    words: str


@dataclass(frozen=True, slots=True)
class Spoken:
    """Left to the voice."""

    words: str


Piece = Recorded | Spoken


def parse(listing: str) -> Stems:
    """A listing: TOML, a section for each language, in it ``"FILE" = "TEXT"``. The rest holds where one is wrong."""
    stems: list[Stem] = []
    faults: list[str] = []
    taken: dict[tuple[str, tuple[str, ...]], str] = {}
    for language, file, text in _entries(listing, faults):
        stem = _stem(language, file, text)
        if isinstance(stem, Stem) and len(stems) == STEMS_MAX:
            faults.append(f"{file}: tối đa {STEMS_MAX} câu / at most {STEMS_MAX} stems")
            break
        if isinstance(stem, Stem) and (other := taken.get((language, stem.clauses))):
            stem = f"{file}: trùng lời với {other} / says the same as {other}"
        if isinstance(stem, str):
            faults.append(stem)
            continue
        taken[language, stem.clauses] = file
        stems.append(stem)
    return Stems(tuple(stems), tuple(faults[:FAULTS_MAX]), _by_beginning(stems))


def without_any(*faults: str) -> Stems:
    """No stems, and why."""
    return Stems((), faults, {})


def plan(language: str, text: str, stems: Stems, unusable: frozenset[str] = frozenset()) -> tuple[Piece, ...]:
    """Who says what of a text, in its order; stems whose file is ``unusable`` are not there.

    Where no stem fits, or the voices would change too often, the voice says all of it: the text as it was written.
    """
    alone = (Spoken(text),)
    if not stems.stems:
        return alone
    pieces = tuple(_pieces(_primary(language), _clauses(language, text), stems, unusable))
    recorded = any(isinstance(piece, Recorded) for piece in pieces)
    too_long = any(len(piece.words) > VOICE_CHARS_MAX for piece in pieces if isinstance(piece, Spoken))
    return pieces if recorded and not too_long and len(pieces) <= PIECES_MAX else alone


def _entries(listing: str, faults: list[str]) -> Iterator[tuple[str, str, object]]:
    """Language, file and text of each entry; what is none at all is named in ``faults``."""
    if len(listing) > LISTING_CHARS_MAX:
        faults.append(f"{LISTING}: tối đa {LISTING_CHARS_MAX} ký tự / at most {LISTING_CHARS_MAX} characters")
        return
    try:
        content = read_toml(listing)
    except ValueError as error:
        faults.append(f"{LISTING}: sai cú pháp TOML / not valid TOML: {_shown(str(error))}")
        return
    for language, section in content.items():
        if not LANGUAGE.fullmatch(language) or not isinstance(section, dict):
            faults.append(
                f"[{_shown(language)}]: viết [vi], dưới đó mỗi dòng một câu / write [vi], below it one stem a line"
            )
            continue
        for file, text in section.items():
            yield language, file, text


def _stem(language: str, file: str, text: object) -> Stem | str:
    """An entry, or what is wrong with it."""
    if not FILE.fullmatch(file) or file == LISTING:
        return f"{_shown(file)}: tên tệp chỉ gồm chữ không dấu, số, . _ - / letters, digits, . _ - and in this folder"
    if not isinstance(text, str) or not 1 <= len(text) <= STEM_CHARS_MAX:
        return f"{file}: lời từ 1 đến {STEM_CHARS_MAX} ký tự / its words, 1 to {STEM_CHARS_MAX} characters"
    if is_vietnamese(language) and isinstance(told := read(text), tuple):
        # The announcer has read it in one way, and a text may mean it in another.
        return f"{file}: không đọc được / cannot be read: {told[0].text()}"
    clauses = tuple(clause.heard for clause in _clauses(language, text))
    return Stem(file, language, clauses) if clauses else f"{file}: không có lời / no words"


def _shown(text: str) -> str:
    """Whatever stands in a listing, in one line and not at length."""
    return "".join(char if char.isprintable() else "?" for char in text[:SHOWN_CHARS_MAX])


def _by_beginning(stems: list[Stem]) -> dict[tuple[str, str], tuple[Stem, ...]]:
    found: dict[tuple[str, str], list[Stem]] = {}
    for stem in sorted(stems, key=lambda stem: len(stem.clauses), reverse=True):
        found.setdefault((stem.language, stem.clauses[0]), []).append(stem)
    return {begin: tuple(those) for begin, those in found.items()}


@dataclass(frozen=True, slots=True)
class _Clause:
    """``words`` with what ends them, for the voice; ``heard`` is compared."""

    words: str
    heard: str


def _clauses(language: str, text: str) -> tuple[_Clause, ...]:
    """The clauses that say something."""
    words = read_as_far_as_possible(text).words if is_vietnamese(language) else unicodedata.normalize("NFC", text)
    found, begin = [], 0
    for end in END.finditer(words):
        found.append(_Clause(words[begin : end.end()], _heard(words[begin : end.start()])))
        begin = end.end()
    found.append(_Clause(words[begin:], _heard(words[begin:])))
    return tuple(clause for clause in found if any(char.isalnum() for char in clause.heard))


def _heard(words: str) -> str:
    """What sounds the same: capitals or not, hoà or hòa, in brackets or not."""
    return " ".join(WORD.sub(_tone_last, NOT_HEARD.sub(" ", words.lower())).split())


def _tone_last(word: re.Match[str]) -> str:
    parts = unicodedata.normalize("NFD", word[0])
    return "".join(sorted(parts, key=TONES.__contains__))


def _pieces(language: str, clauses: tuple[_Clause, ...], stems: Stems, unusable: frozenset[str]) -> Iterator[Piece]:
    """The text from clause to clause; what lies between two stems is one piece, as long as a voice takes it."""
    left, at = "", 0
    while at < len(clauses):
        stem = _longest(language, clauses, at, stems, unusable)
        words = "".join(clause.words for clause in clauses[at : at + (len(stem.clauses) if stem else 1)])
        at += len(stem.clauses) if stem else 1
        if left and (stem or len(left) + len(words) > VOICE_CHARS_MAX):
            yield Spoken(left.strip())
            left = ""
        if stem:
            yield Recorded(stem, words.strip())
        else:
            left += words
    if left:
        yield Spoken(left.strip())


def _longest(
    language: str, clauses: tuple[_Clause, ...], at: int, stems: Stems, unusable: frozenset[str]
) -> Stem | None:
    for stem in stems.beginning.get((language, clauses[at].heard), ()):
        following = tuple(clause.heard for clause in clauses[at : at + len(stem.clauses)])
        if stem.clauses == following and stem.file not in unusable:
            return stem
    return None


def _primary(language: str) -> str:
    return language.split("-")[0].lower()
