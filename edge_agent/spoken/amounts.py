"""Read what is counted or measured: numbers, units, money, from–to, and what a stroke between numbers means.

Decides when a row of digits is a number: 12.405, 1500 and 08 are; 12405 alone may be a code, and is refused.
"""

from __future__ import annotations

import functools
import re

from edge_agent.spoken import numbers
from edge_agent.spoken.days import (
    DATED,
    DAY_OR_SHARE,
    HOURS,
    LUNAR,
    MONTH,
    MONTHS,
    NAMED_DAY,
    NO_NOUN,
    PLACE,
    RATIO,
    said_day,
)
from edge_agent.spoken.piece import DASH, END, Piece, Rule, Said, behind
from edge_agent.spoken.table import NOT_BEFORE_LETTER, built_in
from edge_agent.spoken.unread import Puzzle, Why

NUMBER = r"(?:\d{1,3}(?:\.\d{3})+(?:,\d+)?|\d+(?:,\d+)?)"
PLAIN_DIGITS_MAX = 4
# Years, and 1500: what is longer is written with full stops, or is a code.
COUNT_DIGITS_MAX = 15
YEARS = range(1900, 2100)
ORDINAL = re.compile(r"(?<![^\W_])thứ\s+(?:\d\s*(?:,|và|đến|hoặc|[-–])\s*)*$", re.IGNORECASE)
SECTION = behind("điều|khoản|điểm|mục|phần|bài|chương|phiên bản|tiểu mục")
HEADING = re.compile(r"[.)]\s+[^\W\d_]")
"""1.1. Thời gian"""
THOUSANDS = re.compile(r"\d{1,3}(?:\.\d{3})+")
"""A sum of money, where a law's paragraph has few digits: khoản 1.500.000 đồng."""
NUMBERED = behind(
    r"(?:(?:cấp|tổ|thôn|xóm|ấp|bản|buôn|khu|khối|đội|ngõ|ngách|hẻm|lô|phòng|lớp|quận|phường|ngày|mùng|mồng|thứ|tháng|quý|"
    r"đợt|khóa|khoá|đường|điều|khoản|trang|dân phố|khu phố|dân cư|TDP|KDC|KP|cụm|chi bộ|chi hội|tầng|mũi)(?: số)?:?|"
    r"(?:bão|nhà|trạm|cống|cửa|cổng|nhóm) số)\s*(?:\d{1,3}\s?[,;]\s*)*"
)
TWO_NUMBERS = re.compile(r"\d{1,3},\d{1,3}")
DAY = behind("ngày|mùng|mồng|hôm|sáng|trưa|chiều|tối|đêm|chủ nhật|thứ (?:hai|ba|tư|năm|sáu|bảy|[2-7])")
PROJECT = behind("đề án")
"""Đề án 06 is known by that name."""
YEARS_LONG = re.compile(r"\snăm(?!\s\d)")
SCORE = behind("tỷ số|tỉ số|thắng|thua|hòa|hoà")
MONEY_FOLLOWS = re.compile(r"\s(?:đồng|VND|VNĐ|USD|người|hộ|cử tri)(?![^\W_])")
NO_COMRADE = r"(?!/c(?![^\W_]))"
"""5 đ/c are five people, and no money."""
FOR_ONE = (
    "người|hộ|học sinh|khẩu|ngày|tháng|năm|tuần|giờ|phút|giây|lần|lượt|buổi|đợt|ca|mũi|vụ|"
    "suất|con|cây|sào|bao|gói|chai|xe"
)
A_SHARE = re.compile(
    rf"(?<![^\W_])\d[\d.,]*\s?(?:(?:nghìn|ngàn|triệu|tỷ|tỉ)\s)?(?:[^\W\d_]+[23]?|%)(?:/(?:{FOR_ONE}))?$"
)
COUNTED_BY_MONTH = re.compile(r"\s(?:nghìn|ngàn|triệu|tỷ|tỉ|lần|buổi|lượt|suất|kỳ|ca|ngày|giờ|người|hộ)(?![^\W_])")
"""Of such there are four a month: no fourth month."""
MANY = re.compile(r"\d\s?(?:nghìn|ngàn|vạn|triệu|tỷ|tỉ)\s$")
A_QUANTITY = re.compile(r"\d\s?[^\W\d_]+(?:/[^\W\d_]+)?\s?$")
UPWARDS = behind("cao|sâu|dài|dày|lên|xuống|dâng|ngập")
"""What is so much is no area and no room."""
METRE_AND_TWO = Puzzle(
    Why.UNCLEAR, "viết 1,2 m, “một mét hai” hoặc “mét vuông” / write 1,2 m or 1,3 m; or “mét vuông”, “mét khối”"
)
TO_DEGREES = rf"\s(?:đến|tới)\s[-−–]?{NUMBER}\s?(?:°|º|độ)"
THREE_DECIMALS = re.compile(r"[1-9]\d{0,2},\d{3}")
DAYS_OR_DAY = Puzzle(
    Why.UNCLEAR, "một ngày: viết 10/11; nhiều ngày: viết “10 đến 11” / one day: 10/11; several: “10 đến 11”"
)
MONTH_OR_UPWARDS = Puzzle(
    Why.UNCLEAR, "viết “tháng 9/2026”, hoặc “9 đến 2026” / a month: “tháng 9/2026”; from–to: “9 đến 2026”"
)
ONE_UP = Puzzle(Why.UNCLEAR, "viết “đến”, “trừ” hoặc dấu phẩy / write “đến” (to), or a comma")
WITH_STOPS = Puzzle(Why.UNCLEAR, "một số: viết 1.500.000; hai số: thêm dấu phẩy / one number: 1.500.000; two: a comma")
TWO_OR_DECIMAL = Puzzle(
    Why.UNCLEAR,
    "hai số: viết “6, 7” hoặc “6 và 7”; phần lẻ: viết “6 phẩy 7” / two numbers: “6, 7”; a decimal: “6 phẩy 7”",
)
SEVERAL_OR_ONE = Puzzle(
    Why.NUMBER, "nhiều số: viết “1, 2, 3”; một số: viết 1.500.000 / several numbers: “1, 2, 3”; one: 1.500.000"
)
TIME_OR_DECIMAL = Puzzle(
    Why.NUMBER, "giờ: viết 7h30; phần lẻ: viết 3,5; ngày: viết 15/9 / a time: 7h30; a decimal: 3,5; a day: 15/9"
)
HOUR_OR_GRAM = Puzzle(Why.UNCLEAR, "giờ: viết 7h; trọng lượng: viết “7 gam” / the hour: 7h; a weight: “7 gam”")
MINUTES = Puzzle(Why.UNCLEAR, "viết “phút” / write “phút” (minutes)")
QUOTED = re.compile(r"(?:^|[\s(])['‘][^'’\n]*$")
DECIMAL_COMMA = Puzzle(
    Why.UNCLEAR, "phần nghìn viết 12.405, phần lẻ viết 5,65 / thousands are written 12.405, decimals 5,65"
)


def _amount(piece: Piece) -> Said:
    low, low_unit, high, high_unit = piece[1], piece[2], piece[3], piece[4]
    assert low is not None
    if high is None:
        return _measured(piece, low, low_unit)
    if "-" in piece.token and _may_be_a_day(piece, low, high):
        return DAYS_OR_DAY
    if low.isdigit() and int(low) in MONTHS and _is_year(high) and NO_NOUN.match(piece.after) and not piece[4]:
        return MONTH_OR_UPWARDS
    if any(number[0] == "0" and len(number) > PLAIN_DIGITS_MAX for number in (low, high)):
        return ONE_UP  # two numbers to dial
    if piece.follows(SCORE):
        return f"{numbers.digits(low)} {numbers.digits(high)}"
    said = [_measured(piece, low, low_unit), _measured(piece, high, high_unit)]
    if isinstance(said[0], Puzzle) or isinstance(said[1], Puzzle):
        return next(one for one in said if isinstance(one, Puzzle))
    return f"{said[0]} đến {said[1]}" if _value(low) < _value(high) else ONE_UP


def _may_be_a_day(piece: Piece, low: str, high: str) -> bool:
    """5-10 behind "ngày"; and 2-9 behind "lễ", "trước", "sáng mai" where nothing follows that there are so many of."""
    if piece[2] or piece[4]:
        return False
    if not (low.isdigit() and high.isdigit() and said_day(f"{low}/{high}", lunar=False)):
        return False
    if piece.follows(DAY):
        return not re.match(r"\s*tháng", piece.after)
    alone = NO_NOUN.match(piece.after) and not YEARS_LONG.match(piece.after)
    dated = piece.follows(DATED) or piece.follows(NAMED_DAY)
    return bool(LUNAR.match(piece.after) or (alone and dated))


def _measured(piece: Piece, number: str, unit: str | None) -> str | Puzzle:
    """A number and its unit; between digits alone, the words before it say what they are."""
    words = _number(piece, number, with_unit=unit is not None)
    if unit is None or isinstance(words, Puzzle):
        return words
    if unit == "g" and number.isdigit() and int(number) <= HOURS:
        return HOUR_OR_GRAM
    return f"{words} {built_in().units[unit]}"


def _number(piece: Piece, number: str, *, with_unit: bool) -> str | Puzzle:
    if not number.isdigit():
        if all(map(_is_year, number.split(","))):
            return TWO_OR_DECIMAL
        listed = TWO_NUMBERS.fullmatch(piece.token) and not COUNTED_BY_MONTH.match(piece.after)
        return TWO_OR_DECIMAL if listed and piece.follows(NUMBERED) else _with_signs(number)
    if number[0] == "0" and len(number) > 1 and (len(number) > 2 or piece.follows(PROJECT)):
        return numbers.digits(number)
    if piece.follows(ORDINAL):
        return numbers.ordinal(int(number))
    if piece.follows(MONTH) and not with_unit and not COUNTED_BY_MONTH.match(piece.after):
        return numbers.month(int(number))
    counted = with_unit or MONEY_FOLLOWS.match(piece.after) is not None
    if len(number) > (COUNT_DIGITS_MAX if counted else PLAIN_DIGITS_MAX):
        return Puzzle(Why.NUMBER)
    return "không không" if number == "00" else numbers.count(int(number))


def _with_signs(number: str) -> str | Puzzle:
    """12.405 or 5,65."""
    whole, _, decimals = number.partition(",")
    if THREE_DECIMALS.fullmatch(number):
        return DECIMAL_COMMA
    whole = whole.replace(".", "")
    if len(whole) > COUNT_DIGITS_MAX:
        return Puzzle(Why.NUMBER)
    return numbers.fraction(whole, decimals) if decimals else numbers.count(int(whole))


def _value(number: str) -> float:
    return float(number.replace(".", "").replace(",", "."))


def _strokes(piece: Piece) -> Said:
    """12/45 of a house, 45/60 of all: "trên"; what may also be a day was asked for before."""
    parts = re.findall(r"\d+[A-ZĐ]?", piece.token)
    if any(len(part) > COUNT_DIGITS_MAX for part in parts) or all(_is_year(part) for part in parts):
        return Puzzle(Why.UNCLEAR)
    known = piece.follows(PLACE) or piece.follows(RATIO)
    if not known and len(parts) == 2 and said_day("/".join(parts), lunar=False):
        return DAY_OR_SHARE
    words = " trên ".join(_part(part) for part in parts)
    return f"{words} giờ" if piece[1] else words


def _part(part: str) -> str:
    figures = part.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZĐ")
    letters = part[len(figures) :]
    return " ".join(filter(None, (numbers.count(int(figures)), numbers.spelled(letters))))


def _is_year(part: str) -> bool:
    return part.isdigit() and int(part) in YEARS


def _times_as_much(piece: Piece) -> Said:
    """3 x 5 m."""
    parts = [_number(piece, part, with_unit=True) for part in re.findall(NUMBER, piece[1] or "")]
    if any(isinstance(part, Puzzle) for part in parts):
        return DECIMAL_COMMA
    unit = f" {built_in().units[piece[2]]}" if piece[2] else ""
    return " nhân ".join(str(part) for part in parts) + unit


def _below_zero(piece: Piece) -> Said:
    rest = piece[1]
    assert rest is not None
    words = _number(piece, rest, with_unit=True)
    if isinstance(words, Puzzle):
        return words
    return f"âm {words} {built_in().units[piece[2]]}" if piece[2] else f"âm {words}"


def _metres_and(piece: Piece) -> Said:
    """1m65, 2m5."""
    metres, rest = piece[1], piece[2]
    assert metres is not None
    assert rest is not None
    if rest in ("2", "3"):
        return METRE_AND_TWO if piece.follows(UPWARDS) else None
    behind_it = numbers.count(int(rest)) if rest[0] != "0" else numbers.digits(rest)
    return f"{numbers.count(int(metres))} mét {behind_it}"


def _of_many(piece: Piece) -> Said:
    """50 triệu m3."""
    return built_in().units[piece.token] if piece.follows(MANY) else None


def _along_a_road(piece: Piece) -> Said:
    """Km 12+500."""
    kilometre, metres = piece[1], piece[2]
    assert kilometre is not None
    assert metres is not None
    return f"ki-lô-mét {numbers.count(int(kilometre))} cộng {numbers.count(int(metres))}"


def _section(piece: Piece) -> Said:
    parts = piece.token.split(".")
    amount = THOUSANDS.fullmatch(piece.token) or any(len(part) > PLAIN_DIGITS_MAX for part in parts)
    if amount or not (piece.follows(SECTION) or (piece.opens_line and HEADING.match(piece.after))):
        return None
    return " chấm ".join(numbers.count(int(part)) for part in parts)


def _per(piece: Piece) -> Said:
    """The stroke of "3.000 đồng/kg", "2 viên/ngày": for one."""
    if not piece.follows(A_SHARE):
        return None
    unit = piece[1]
    return f" một {built_in().units[unit]}" if unit else " một "


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Made once, when the table of units has been read."""
    unit = rf"(?:\s?({built_in().unit}){NOT_BEFORE_LETTER}{NO_COMRADE})?"
    return (
        Rule(re.compile(r"\d{1,3}(?:\s\d{3})+" + END), lambda _: WITH_STOPS),
        Rule(re.compile(r"\d{1,3}(?:,\d{1,3}){2,}" + END), lambda _: SEVERAL_OR_ONE),
        Rule(re.compile(r"\d{1,3}['’](?![^\W_])"), lambda piece: None if piece.follows(QUOTED) else MINUTES),
        Rule(re.compile(r"\d+(?:\.\d+)+" + END), _section),
        Rule(re.compile(rf"\d{{1,2}}\.\d{{1,2}}{unit}{END}"), lambda _: TIME_OR_DECIMAL),
        Rule(re.compile(rf"({NUMBER}(?:\s?[x×]\s?{NUMBER})+){unit}{END}"), _times_as_much),
        Rule(re.compile(r"[x×](?=\s?\d)"), lambda piece: " nhân " if piece.follows(A_QUANTITY) else None),
        Rule(re.compile(rf"\d{{1,5}}[A-ZĐ]?(?:/\d{{1,5}}[A-ZĐ]?)+(\s?h)?{END}"), _strokes),
        Rule(re.compile(rf"({NUMBER}){unit}{DASH}({NUMBER}){unit}{END}"), _amount),
        Rule(re.compile(rf"(?:m3/s|k?m[23]){END}"), _of_many),
        Rule(re.compile(rf"(\d{{1,2}})m(\d{{1,2}}){END}"), _metres_and),
        Rule(re.compile(rf"[Kk]m\s?(\d{{1,4}})\+(\d{{1,3}}){END}"), _along_a_road),
        Rule(re.compile(rf"({NUMBER}){unit}{END}"), _one),
        Rule(
            re.compile(rf"(?<![^\s(])[-−–]({NUMBER})(?:\s?(°C|ºC|°)|(?=\s?độ|{TO_DEGREES})){NOT_BEFORE_LETTER}"),
            _below_zero,
        ),
        Rule(re.compile(rf"/(?:({built_in().unit}){NOT_BEFORE_LETTER}|(?=(?:{FOR_ONE}){NOT_BEFORE_LETTER}))"), _per),
    )


def _one(piece: Piece) -> Said:
    number = piece[1]
    assert number is not None
    return _measured(piece, number, piece[2])
