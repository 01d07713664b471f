"""Read times and days: 7h30, 7:30, 15/9/2026, 21–22/10, 9/2026, 15/8 âm lịch.

Decides when 20/10 is a day: only where the words around it say so. 5/7 alone may be a share too, and is refused.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable

from edge_agent.spoken import numbers
from edge_agent.spoken.piece import DASH, END, Piece, Rule, Said, behind
from edge_agent.spoken.unread import Puzzle, Why

HOURS, MINUTES = 24, 60
MONTHS = range(1, 13)
DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MINUTES = r"\d{1,3}(?:\s?[hHgG](?:\s?|:)|\s?giờ\s|:)\d{2}(?::\d{2})?(?:\s?(?:phút|ph|p|')(?![^\W_]))?"
TIME = rf"(?:{_MINUTES}|\d{{1,3}}\s?(?:[hH]|giờ))"
DAY = r"\d{1,2}/\d{1,2}(?:/\d{4})?"
DAY_BY_DOTS = r"\d{1,2}([.-])\d{1,2}\1\d{4}"
DATED = re.compile(
    r"(?<![^\W_])(?:ngày|hôm|sáng|trưa|chiều|tối|đêm|từ|đến|tới|hết|trước|sau|vào|lễ|dịp|kỷ niệm|nghỉ|"
    r"mùng|mồng|rằm|Tết|Tết thiếu nhi|mừng|Quốc khánh|Quốc tế (?:lao động|thiếu nhi|phụ nữ)|liệt s[ĩỹ]|"
    r"(?:Nhà giáo|Phụ nữ|Thầy thuốc|Gia đình|Quân đội nhân dân) Việt Nam|"
    r"Chủ nhật|thứ (?:hai|ba|tư|năm|sáu|bảy|[2-7]))[,\s(]*(?:ngày\s*)?"
    r"(?:\d{1,2}(?:/\d{1,2}(?:/\d{4})?)?\s*(?:,|;|và|hoặc|đến|[-–])\s*)*$",
    re.IGNORECASE,
)
NAMED_DAY = re.compile(
    r"(?<![^\W_])(?:(?:hôm|sáng|trưa|chiều|tối|đêm|ngày) (?:nay|mai|kia|qua)|đường|(?:ngày|thời gian)\s?:|"
    r"hạn (?:cuối|chót|đăng ký|(?:nộp|đóng|nhận|thu)(?: (?:thuế|phí|quỹ|tiền|hồ sơ|đơn))?)(?:\s?:)?)[,\s(]*$",
    re.IGNORECASE,
)
"""Behind it 11/9 is a day unless something follows that there may be nine elevenths of: hôm nay 11/9, hạn nộp: 30/9."""
AROUND = behind("từ|đến|tới|hết|trước|sau|vào|nghỉ")
SHARES = re.compile(r"0?1/0?2|0?[12]/0?3|0?[13]/0?4")
NO_NOUN = re.compile(
    r"(?:\s*(?:$|[^\w\s])|\s(?:đến|tới|năm|và|hoặc|tại|ở|âm|trở|sẽ|thì|là|phải|cho|hằng|hàng|này|vừa)(?![^\W_]))"
)
MEASURED = behind("(?:tăng|giảm|rút|ngập|cạn|vơi|mất|lên|xuống) (?:đến|tới|hết)")
A_SHARE_OF = re.compile(
    r"\s(?:số|dân|dân số|diện tích|giờ|ngày|tháng|tuần|hộ|người|quãng đường|chặng|tổng|năm(?! (?:\d|nay|tới|sau|học)))"
    r"(?![^\W_])"
)
"""Behind such words 1/2 is half a day as soon as the first of February: nghỉ 1/2 ngày, đến 2/3 số hộ, từ 1/2 km."""
STREET = re.compile(r"\s([^\W\d_]{2,7})\s([^\W\d_]{2,7})(?![^\W_])")
TO_A_HOUSE = behind("đến|tới")
LUNAR = re.compile(r"\s*\(?(?:âm lịch|ÂL|AL)(?![^\W_])")
RATIO = behind("tỷ lệ|tỉ lệ|tỷ số|tỉ số")
PLACE = behind(r"ngõ|ngách|hẻm|kiệt|nhà|số nhà|nhà số|(?<!quyết định )(?<!công văn )số|lô|căn|phòng|thửa|lớp")
MONTH = behind("(?<!mỗi )(?<!hằng )(?<!hàng )(?<!một )tháng")
QUARTER = behind("quý|kỳ|đợt|khóa|khoá|số|lần|tuần")
LAW = behind(
    r"(?:nghị định|NĐ|thông tư|nghị quyết|quyết định|QĐ|chỉ thị|luật|pháp lệnh|kế hoạch|công văn|công điện|tờ trình|"
    r"đề án)(?: số)?"
)
AT = behind("lúc|hồi")
FIGURES = re.compile(r"\d+")
NO_SUCH_TIME = Puzzle(Why.NO_SUCH_TIME)
DAY_OR_SHARE = Puzzle(
    Why.UNCLEAR, "ngày tháng: viết “ngày 5/7”; phần: viết “5 trên 7” / a day: “ngày 5/7”; a share: “5 trên 7”"
)
WHOLE_YEAR = Puzzle(Why.UNCLEAR, "viết đủ năm: 15/9/2026 / write the year with four digits: 15/9/2026")


def _times(piece: Piece) -> Said:
    if piece.follows(RATIO) and ":" in piece.token:
        return " trên ".join(numbers.count(int(one)) for one in FIGURES.findall(piece.token))
    if piece.follows(AT) and int(FIGURES.findall(piece.token)[0]) > HOURS:
        return NO_SUCH_TIME
    return _from_to(re.split(DASH, piece.token), _time)


def _time_of_day(piece: Piece) -> Said:
    """07h/10/9."""
    time, day = piece[1], piece[2]
    assert time is not None
    assert day is not None
    said = _time(time), said_day(day, lunar=False)
    return NO_SUCH_TIME if None in said else f"{said[0]} ngày {said[1]}"


def _time(written: str) -> str | None:
    hour, minute, second = (*map(int, FIGURES.findall(written)), 0, 0)[:3]
    alone = len(FIGURES.findall(written)) == 1  # 48h is as long as it likes
    if minute >= MINUTES or second >= MINUTES or (not alone and hour * MINUTES + minute > HOURS * MINUTES):
        return None
    words = f"{numbers.count(hour)} giờ"
    if second:
        return f"{words} {numbers.count(minute)} phút {numbers.count(second)} giây"
    if not minute:
        return words
    with_unit = minute < 10 or written.endswith("phút")
    return f"{words} {numbers.count(minute)}" + (" phút" if with_unit else "")


def _from_to(ends: list[str], say: Callable[[str], str | None]) -> Said:
    """Both ends said, or the whole refused because one of them does not exist."""
    said = [words for words in map(say, ends) if words is not None]
    return " đến ".join(said) if len(said) == len(ends) else NO_SUCH_TIME


def _days(piece: Piece) -> Said:
    ends = re.split(DASH, piece.token)
    if (piece.follows(PLACE) or piece.follows(RATIO)) and not re.search(r"/\d{4}", piece.token):
        return None
    if any(re.fullmatch(r"\d{1,2}/\d{1,2}", end) for end in ends) and not _is_dated(piece):
        return DAY_OR_SHARE if all(said_day(end, lunar=False) for end in ends) and len(ends) == 1 else None
    if "/" in piece.token and len(FIGURES.findall(piece.token)) == 2 and _may_be_a_share(piece):
        return DAY_OR_SHARE
    lunar = LUNAR.match(piece.after) is not None
    return _from_to(ends, lambda end: said_day(end, lunar=lunar))


def _may_be_a_share(piece: Piece) -> bool:
    if not piece.follows(AROUND):
        return False
    street = STREET.match(piece.after)
    if street and piece.follows(TO_A_HOUSE) and all(name.istitle() for name in street.groups()):
        return True  # đến 12/5 Trần Phú
    of_something = SHARES.fullmatch(piece.token) and not NO_NOUN.match(piece.after)
    return piece.follows(MEASURED) or bool(of_something or A_SHARE_OF.match(piece.after))


def _is_dated(piece: Piece) -> bool:
    named = piece.follows(NAMED_DAY) and NO_NOUN.match(piece.after) is not None
    return (
        named
        or piece.follows(DATED)
        or LUNAR.match(piece.after) is not None
        or re.search(r"/\d{4}", piece.token) is not None
    )


def said_day(written: str, *, lunar: bool) -> str | None:
    """ "21", "21/10" or "21/10/2026" in words; None where there is no such day."""
    day, month, year = (*map(int, FIGURES.findall(written)), 0, 0)[:3]
    if "/" not in written:
        return numbers.count(day) if 1 <= day <= 31 else None
    if month not in MONTHS or not 1 <= day <= DAYS[month - 1]:
        return None
    if (day, month) == (29, 2) and year and not calendar.isleap(year):
        return None
    name = {1: "giêng", 12: "chạp"}.get(month) if lunar else None
    words = f"{numbers.count(day)} tháng {name or numbers.month(month)}"
    return f"{words} năm {numbers.count(year)}" if year else words


def _day_by_dots(piece: Piece) -> Said:
    return said_day(re.sub("[.-]", "/", piece.token), lunar=False) or NO_SUCH_TIME


def _short_year(piece: Piece) -> Said:
    return None if piece.follows(PLACE) else WHOLE_YEAR


def _months_year(piece: Piece) -> Said:
    """Behind "tháng" 10/2026, and 10-2026 too."""
    month, year = map(int, FIGURES.findall(piece.token))
    if not piece.follows(MONTH):
        return None
    return f"{numbers.month(month)} năm {numbers.count(year)}" if month in MONTHS else NO_SUCH_TIME


def _month_and_year(piece: Piece) -> Said:
    if piece.follows(RATIO):
        return None
    if of_month := _months_year(piece):
        return of_month
    first, year = map(int, piece.token.split("/"))
    of_year = f"năm {numbers.count(year)}"
    if piece.follows(LAW) or piece.follows(QUARTER):
        return f"{numbers.count(first)} {of_year}"
    return f"tháng {numbers.month(first)} {of_year}" if first in MONTHS else None


RULES = (
    Rule(re.compile(rf"(\d{{1,2}}(?:\s?giờ|[hHgG]:?(?:\d{{2}}'?)?|:\d{{2}}))/({DAY}){END}"), _time_of_day),
    Rule(re.compile(rf"(?:{TIME}|\d{{1,2}}){DASH}{TIME}{END}|{TIME}{END}"), _times),
    Rule(re.compile(rf"{DAY}{DASH}{DAY}{END}|\d{{1,2}}{DASH}{DAY}{END}|{DAY}{END}"), _days),
    Rule(re.compile(DAY_BY_DOTS + END), _day_by_dots),
    Rule(re.compile(r"\d{1,2}/\d{1,2}/\d{2}" + END), _short_year),
    Rule(re.compile(r"\d{1,3}/(?:19|20)\d\d" + END), _month_and_year),
    Rule(re.compile(rf"\d{{1,2}}{DASH}(?:19|20)\d\d{END}"), _months_year),
)
