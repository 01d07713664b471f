"""Turn a Vietnamese text into the words that a voice speaks, or name what has none. Start here.

Goes through the text once, from left to right. At each piece the rules are asked in order and the first that knows it
decides: ``calls``, ``papers``, ``days``, ``amounts``, ``names``. What no rule knows is named, never guessed. Words pass
as they are, so what was read once comes out unchanged. Punctuation stays: it is where the voice pauses.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass

from edge_agent.spoken import amounts, calls, days, names, papers
from edge_agent.spoken.piece import Piece, Rule
from edge_agent.spoken.unread import REMEDIES, Puzzle, Unread, Why

PAUSES = frozenset(".,;:!?…()“”‘’«»\"'")
BULLET = re.compile(r"(?<![-–—+*•●▪◦✓])[-–—+*•●▪◦✓]++(?:\s+|(?=[^\W\d_]))")
BETWEEN = re.compile(r"(?:(?<=[^\W_])|(?!.\d))[–—]\s*|\s+-\s+|(?<=[^\W_])-(?!\d)")
"""A dash right before a number, and apart from the word before it, may be a minus: no pause."""
CHUNK = re.compile(r"(?:[^\s,;!?()“”«»\"]|,(?=\d))+")
FROM = re.compile(r"\d\s?[^\W\d_]{0,3}$")
NUMBER_OF = r"(?:\d{1,4}(?:[/+]\d{1,4}){0,2}[A-ZĐ]?|hai|ba|tư|năm|sáu|bảy)(?![^\W_])"
CROSSING = r"(?!(?:đường|phố|quốc lộ|tỉnh lộ|QL|TL)(?![^\W\d_]))"
"""Two roads meet: ngã tư đường số 3 - đường số 5."""
TO_SAME = re.compile(rf"{CROSSING}((?:[^\W\d_]+\s?){{1,3}}){NUMBER_OF}", re.IGNORECASE)
FROM_CHARS_MAX = 40
COMMAS = re.compile(r"(?:\s*,)+")
SPACE_LACKS = re.compile(r"([,;:!?])(?=[^\W\d_])")
SAID_STOP = re.compile(r"([)”’»\"']+)\. (?=[^\W\d_])")
"""The voice says it too before a small letter; within the bracket it ends the sentence."""
STROKE = Puzzle(Why.UNCLEAR, "viết “và”, “hoặc” hoặc “trên” / write “và” (and), “hoặc” (or) or “trên” (over)")
COMPARED = Puzzle(
    Why.SIGN, "viết “trên”, “dưới”, “từ 18 trở lên” / write “trên” (over), “dưới” (under), “từ … trở lên”"
)
LISTED = re.compile(r"\s*(?:[-–+*•]\s*)?(?:\d{1,2}|[IVX]{1,4}|[a-z])")
"""1/ Thời gian: what opens a line of a list."""
END_OF_PAPER = re.compile(r"\s?/\.(?=\s|$)")
"""The ./. that every official paper ends with."""
ETH = "\u00d0"
"""Iceland's letter, which fonts before Unicode have left in the place of Đ: nobody sees the difference."""
UNREAD_MAX = 50
# Nobody puts more right at one go; a text that is all signs must not become a list of two thousand.


def is_vietnamese(language: str) -> bool:
    """Whether a language tag means Vietnamese, of whatever region; other texts are not read here."""
    return language.split("-")[0].lower() == "vi"


@dataclass(frozen=True, slots=True)
class Reading:
    """A text as far as it can be read: in ``words`` stands as it was written whatever is in ``unread``."""

    words: str
    unread: tuple[Unread, ...]


def read(text: str) -> str | tuple[Unread, ...]:
    """The words of a Vietnamese text, or what in it cannot be read (at most ``UNREAD_MAX`` pieces). Never raises."""
    reading = read_as_far_as_possible(text)
    return reading.unread or reading.words


def read_as_far_as_possible(text: str) -> Reading:
    """The words where there are some, the text where there are none; for who must speak in any case."""
    composed = _composed(text)
    said: list[str] = []
    unread: list[Unread] = []
    at = 0
    while at < len(composed):
        words, end = _next(composed, at)
        if isinstance(words, Puzzle):
            if len(unread) < UNREAD_MAX:
                unread.append(_named(composed, at, end, words))
            words = composed[at:end]
        elif words[:1].isalnum() and "".join(said[-1:])[-1:].isalnum():
            words = f" {words}"  # 5(024) …: no bracket is said, and two words are not one
        said.append(words)
        at = end
    return Reading(_tidy("".join(said)), tuple(unread))


def _composed(text: str) -> str:
    """Composed letters, plain spaces, no control characters; lines stay lines."""
    lines = text.splitlines()
    return unicodedata.normalize("NFC", "\n".join("".join(map(_plain, line)) for line in lines))


def _plain(char: str) -> str:
    """A digit of any script as ours; what is no sign at all as a space, and what nobody sees as nothing."""
    if char == ETH:
        return "Đ"
    category = unicodedata.category(char)
    if category == "Cf":
        return ""  # 12\u200b5 is seen as 125
    if category == "Nd":
        return str(unicodedata.digit(char))
    return " " if category[0] in "CZ" else char


@functools.cache
def _rules() -> tuple[Rule, ...]:
    """The order decides: what is longer and rarer is asked for first."""
    return (*calls.RULES, *papers.RULES, *days.RULES, *amounts.rules(), *names.rules())


def _next(text: str, at: int) -> tuple[str | Puzzle, int]:
    """What is said of the piece that begins here, and where it ends."""
    if text[at].isspace():
        return text[at], at + 1
    for rule in _rules():
        found = rule.pattern.match(text, at)
        said = rule.say(Piece(found)) if found else None
        if found and said is not None:
            return said, max(found.end(), at + 1)
    return _sign(text, at)


def _sign(text: str, at: int) -> tuple[str | Puzzle, int]:
    """What is neither word nor number: a bullet, a pause, a sign, or a chunk of digits that no rule knows."""
    bullet = BULLET.match(text, at)
    if bullet and not text[text.rfind("\n", 0, at) + 1 : at].strip():
        return "", bullet.end()
    between = BETWEEN.match(text, at) or BETWEEN.match(text, max(at - 1, 0))
    if between and between.end() > at:
        begin, end = max(at - FROM_CHARS_MAX, 0), between.end()
        return _dash(text[begin:at].rstrip(), text[end : end + FROM_CHARS_MAX + 1]), end
    if text[at] in PAUSES:
        joined = text[at] == "." and text[at + 1 : at + 2].isalnum()
        return ". " if joined else text[at], at + 1  # the voice would say the stop of “giờ.Mời”: chấm
    if text[at] == "&":
        return " và ", at + 1
    if text[at] in "[]":
        return " ", at + 1
    return _chunk(text, at)


def _dash(before: str, after: str) -> str | Puzzle:
    """ "Tổ 1 - Tổ 5" is from–to, between a number and another nobody knows, and elsewhere it is a pause."""
    same = TO_SAME.match(after)
    if same and re.search(rf"(?<![^\W_]){re.escape(same[1])}{NUMBER_OF}$", before, re.IGNORECASE):
        return " đến "
    return amounts.ONE_UP if FROM.search(before) and after[:1].isdigit() else ", "


def _chunk(text: str, at: int) -> tuple[str | Puzzle, int]:
    closing = END_OF_PAPER.match(text, at)
    if closing:
        return "" if text[:at].endswith(tuple(PAUSES)) else ".", closing.end()
    if text[at] in "<>≤≥":
        return COMPARED, at + 1
    if text[at] == "/" and LISTED.fullmatch(text[text.rfind("\n", 0, at) + 1 : at]) and text[at + 1 : at + 2] == " ":
        return ".", at + 1
    if text[at] == "/":
        return STROKE, at + 1
    if not text[at].isalnum():
        return Puzzle(Why.SIGN), at + 1
    found = CHUNK.match(text, at)
    assert found is not None
    token = found[0].rstrip(".:-–'")
    return Puzzle(Why.NUMBER if any(char.isdigit() for char in token) else Why.WORD), at + len(token)


def _named(text: str, at: int, end: int, puzzle: Puzzle) -> Unread:
    line = text.count("\n", 0, at)
    column = at - (text.rfind("\n", 0, at) + 1)
    return Unread(text[at:end].strip(), line + 1, column + 1, puzzle.why, puzzle.instead or REMEDIES[puzzle.why])


def _tidy(words: str) -> str:
    """One space between words, none before a comma, no pause twice; a line for each line that says something."""
    lines = (SAID_STOP.sub(_within, " ".join(line.split()).replace(" .", ".")) for line in words.split("\n"))
    joined = (SPACE_LACKS.sub(r"\1 ", COMMAS.sub(",", line)).removeprefix(",").strip() for line in lines)
    return "\n".join(line for line in joined if line)


def _within(stop: re.Match[str]) -> str:
    following = stop.string[stop.end()]
    return f".{stop[1]} " if following.islower() else stop[0]
