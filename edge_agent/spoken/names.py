"""Read words, abbreviations and single letters. Decides when capitals are a word and when they may stand for others."""

from __future__ import annotations

import functools
import re

from edge_agent.spoken import numbers
from edge_agent.spoken.piece import Piece, Rule, Said, behind
from edge_agent.spoken.syllables import is_bare, is_syllable
from edge_agent.spoken.table import NEVER, built_in, stop_after
from edge_agent.spoken.unread import Puzzle, Why

BARE_LETTERS_MAX = 4
# A row of capitals without a mark that is longer is a word in anybody's eyes.
INITIAL = re.compile(r"[^\W\d_]\.")
PLACE_FOLLOWS = re.compile(r"\s?([^\W_])")
NAME_BEFORE = re.compile(r"(?<![^\W\d_])[A-ZĐ][^\W\d_A-Z]+ $")
INITIAL_OR_PLACE = Puzzle(
    Why.UNCLEAR, "viết “phường”, “quận”, hoặc viết đủ tên người / write the word, or the person's whole name"
)
PERSON = re.compile(r"(?:(?<![^\W_])[A-ZĐ]\.|(?<![^\W_])(?:ông|bà|anh|chị|em|cháu|bé)\s)$", re.IGNORECASE)
"""P. behind it may be somebody's initial, and T.P. too."""
ROOM = re.compile(r"P\.\s?\d{3}")
ROOM_OR_PLACE = Puzzle(Why.UNCLEAR, "viết “phòng” hoặc “phường” / write the word: room or ward")
NO_NAME = re.compile(r"\s?(?![IVX]+\s)[^\W\d_]+\s([^\W\d_])")
"""P. Giám đốc, Q. Chủ tịch, TT. Phục vụ: of a place's name the second word has a capital too."""
NO_PLACE = {
    "P.": Puzzle(Why.UNCLEAR, "viết “phường”, “phòng” hoặc “phó” / write the word: ward, office or deputy"),
    "Q.": Puzzle(Why.UNCLEAR, "viết “quận” hoặc “quyền” / write the word: district or acting"),
    "TT.": Puzzle(Why.UNCLEAR, "viết “thị trấn” hoặc “trung tâm” / write the word: town or centre"),
}
TWO_MEANINGS = {
    "đ/c": (re.compile(r"\s*(?::|\d|(?:số|nhà|ngõ|tổ dân phố|thôn)(?![^\W_]))"), "đồng chí, địa chỉ"),
    "bs": (re.compile(r"[\s:]*\d{2}-?[A-ZĐ]"), "bác sĩ, biển số"),
    "dn": (re.compile(r"\s?\d"), "doanh nghiệp, đường kính"),
}
"""An address, a plate or a pipe's width stands behind what is a person or a firm elsewhere."""
BESIDE_PLACE = re.compile(r"(?:,|(?<![^\W_])(?:tại|ở|thuộc|trú))\s*$")
PLACE_NAME = re.compile(r"\.\s?([^\W\d_]{2,7})\s([^\W\d_]{2,7})")
BEFORE_A_PLACE = frozenset("HTXĐ")
SHORT_PLACE = Puzzle(Why.UNCLEAR, "viết đầy đủ / write it out: huyện, tỉnh, xã, đường")
ITEM = behind("điểm")
"""Of a law, and no metre: điểm m khoản 1."""
COUNTED = re.compile(r"\d\s*$")
CAPITALS = Puzzle(
    Why.UNCLEAR,
    "là một từ thì viết thường, là chữ viết tắt thì viết đầy đủ / a word: in small letters; an abbreviation: in full",
)


def _abbreviation(piece: Piece) -> Said:
    table, token = built_in(), piece.token
    if token in table.unclear:
        return Puzzle(Why.UNCLEAR, f"viết đầy đủ / write it out: {table.unclear[token]}")
    if INITIAL.fullmatch(token) or (token.startswith("T.P") and piece.follows(PERSON)):
        return _initial(piece)
    other, meanings = TWO_MEANINGS.get(token.lower().removesuffix("."), (NEVER, ""))
    if other.match(piece.after) and not piece.follows(COUNTED):
        return Puzzle(Why.UNCLEAR, f"viết đầy đủ / write it out: {meanings}")
    return _in_full(piece)


def _in_full(piece: Piece) -> Said:
    named = NO_NAME.match(piece.after)
    if piece.token in NO_PLACE and named and named[1].islower():
        return NO_PLACE[piece.token]
    return built_in().abbreviations[piece.token] + stop_after(piece.found)


def _initial(piece: Piece) -> Said:
    """P. is a ward before its name or number, and somebody's initial elsewhere; behind a name nobody knows."""
    following = PLACE_FOLLOWS.match(piece.after)
    if not following or following[1].islower():
        return None
    if ROOM.match(piece.found.string, piece.found.start()):
        return ROOM_OR_PLACE
    if NAME_BEFORE.search(piece.before) or piece.follows(PERSON):
        return INITIAL_OR_PLACE
    return _in_full(piece)


def _word(piece: Piece) -> Said:
    token, table = piece.token, built_in()
    if token.lower() in table.words:
        return table.words[token.lower()]
    if len(token) == 1:
        return _letter(piece)
    parts = re.split("[-'’]", token)
    if all(is_syllable(part) for part in parts):
        return _syllables(piece)
    if token in table.units:
        return table.units[token]
    return Puzzle(Why.ABBREVIATION if token.isupper() and len(token) <= 12 else Why.WORD)


def _letter(piece: Piece) -> Said:
    """A letter that stands alone is read by its name, unless it is a unit that has lost its number."""
    token = piece.token
    if is_syllable(token):
        return token
    if token.upper() not in numbers.LETTERS:
        return Puzzle(Why.SIGN)
    if token in BEFORE_A_PLACE and piece.follows(BESIDE_PLACE) and (named := PLACE_NAME.match(piece.after)):
        return SHORT_PLACE if named[1].istitle() and named[2].istitle() else numbers.spelled(token)
    if token in built_in().units and token.islower() and not (piece.after.startswith(")") or piece.follows(ITEM)):
        return Puzzle(Why.UNCLEAR, "thiếu số trước đơn vị, hoặc viết đầy đủ / a unit without its number: write it out")
    return numbers.spelled(token)


def _syllables(piece: Piece) -> Said:
    token = piece.token
    if not token.isupper():
        return token
    if len(token) <= BARE_LETTERS_MAX and is_bare(token) and _alone(piece):
        return CAPITALS
    return token.lower()  # in capitals a voice may spell it


def _alone(piece: Piece) -> bool:
    """Whether there are words beside it, and none of them in capitals."""
    beside = [word for word in (piece.last_word, piece.next_word) if word]
    return bool(beside) and not any(word.isupper() for word in beside)


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Abbreviations first, then what is a word."""
    return (
        Rule(built_in().short, _abbreviation),
        Rule(re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*(?![^\W_])"), _word),
    )
