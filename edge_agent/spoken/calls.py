"""Read what is dialled or noted: phone numbers, emergency numbers, accounts. Digit by digit, in groups.

Addresses on the net are refused: nobody can note one from a loudspeaker.
"""

from __future__ import annotations

import re

from edge_agent.spoken import numbers
from edge_agent.spoken.piece import END, Piece, Rule, Said, behind
from edge_agent.spoken.unread import Puzzle, Why

PHONE_DIGITS = range(10, 12)
# With the leading 0: ten of a mobile, eleven of a landline.
PREFIX_DIGITS_MIN = 3
# 024, 0912: what begins with fewer is a day.
SERVICE_DIGITS = range(6, 11)
# 1800 and 1900 numbers, and 1900xx.
ABROAD = "+84"
GROUPS = re.compile(r"\d+")
_HELPERS = "cảnh sát|cấp cứu|cứu hỏa|cứu hoả|cứu nạn|cứu thương|cứu hộ|công an"
_CALL = "gọi|liên hệ|liên lạc|số máy|tổng đài|điện thoại|SĐT|đường dây nóng|hotline|nhấn số|bấm số"
_BETWEEN = f"{_CALL}|{_HELPERS}|ngay|điện|số|máy|đến|tới|cho|theo|khẩn cấp|hoặc|và|là"
CALLING = re.compile(
    rf"(?<![^\W_])(?:(?:{_CALL})(?:[\s,:()/-]+(?:{_BETWEEN}|\d{{3,11}}))*|(?:{_HELPERS})(?: số)?)[\s,:()/“‘\"'-]+$",
    re.IGNORECASE,
)
NOTED = re.compile(
    r"(?<![^\W_])(?:tài khoản|STK|mã(?: số)?|căn cước(?: công dân)?|CCCD|CMND|hợp đồng|biên lai|số hiệu|số sổ|sê-ri)"
    r"(?:[\s:]+(?:số|là|hồ sơ|khách hàng|thẻ|thuế|định danh|ngân hàng))*[\s:]+$",
    re.IGNORECASE,
)
EMERGENCY = "(?:11[1-5]|1022)"
# Children's protection, rescue, police, fire, ambulance; and the authorities' own line.
IN_NEED = re.compile(
    rf"(?<![^\W_])(?:{_CALL}|{_HELPERS}|bấm|quay|báo cháy|báo ngay|báo cho|chữa cháy|PCCC|khẩn cấp)(?![^\W_])"
    r"[^.!?\n]*$",
    re.IGNORECASE,
)
"""The sentence before says that somebody may be called; not necessarily the words right before."""
NOTHING_COUNTED = re.compile(
    rf"(?:\s*(?:,|/|và|hoặc)\s*{EMERGENCY}(?![^\W_]))*+"
    r"\s*(?:$|[.,;:!?…()”’\"']|(?:và|hoặc|khi|để|nếu|ngay|miễn phí)(?![^\W_]))",
    re.IGNORECASE,
)
"""Behind the number, and others like it, stands no word for what there might be so many of."""
WHOSE = re.compile(
    rf"\s*[:(–-]\s*(?:{_HELPERS}|tìm kiếm|chữa cháy|phòng cháy|báo cháy|y tế|bảo vệ trẻ em)(?![^\W_])", re.IGNORECASE
)
"""In a list that says whose number each is: 113: công an."""
NUMBERED = behind("phòng|ngõ|ngách|hẻm|nhà|lô|căn|thửa|lớp|điều|khoản|điểm|trang|tổ|đường|quốc lộ|tuyến|số nhà")
COUNTED = re.compile(
    r"\s(?:hộ|người|thanh niên|công dân|cháu|em|lượt|ca|trường hợp|vụ|xe|nhà|con|cái|chiếc|suất|học sinh|"
    r"đồng|nghìn|triệu|tỷ)(?![^\W_])"
)
"""Of such there are so many: the number is counted, not dialled."""


NO_KNOWN_NUMBER = Puzzle(
    Why.NUMBER,
    "điện thoại: viết cả mã vùng, 024 0000 1234; mã số: viết liền / a phone number: with its area code; a code: in one",
)
CODE_DIGITS_MIN = 6
# In groups: fewer are an amount, as in "gọi 1.500 thanh niên".
MISWRITTEN_DIGITS = range(CODE_DIGITS_MIN, 13)
# Some left out, or one too many; what is longer are two numbers.


def _net_address(_: Piece) -> Said:
    return Puzzle(Why.NET_ADDRESS)


def _phone(piece: Piece) -> Said:
    groups = GROUPS.findall(piece.token)
    figures = "".join(groups)
    if piece.token.startswith(ABROAD):
        return f"cộng {_grouped(piece.token)}" if len(figures) - 1 in PHONE_DIGITS else NO_KNOWN_NUMBER
    if len(figures) in PHONE_DIGITS:
        return _grouped(piece.token)
    apart = len(groups) > 1 and len(groups[0]) >= PREFIX_DIGITS_MIN
    dialled = len(figures) in MISWRITTEN_DIGITS and (apart or piece.follows(CALLING))
    return NO_KNOWN_NUMBER if dialled and not piece.follows(NOTED) else None


def _service(piece: Piece) -> Said:
    figures = "".join(GROUPS.findall(piece.token))
    years = "-" in piece.token and not piece.follows(IN_NEED)  # 1900-1945
    return _grouped(piece.token) if len(figures) in SERVICE_DIGITS and not years else None


def _grouped(written: str) -> str:
    """A pause between the groups that are written; one long row is heard better in groups too."""
    groups = GROUPS.findall(written)
    if len(groups) == 1 and len(groups[0]) in PHONE_DIGITS:
        row = groups[0]
        groups = [row[:4], row[4:7], row[7:]]
    return ", ".join(numbers.digits(group) for group in groups)


def _short_call(piece: Piece) -> Said:
    dialled = piece.follows(CALLING) and not COUNTED.match(piece.after)
    return numbers.digits(piece.token) if dialled else None


def _emergency(piece: Piece) -> Said:
    """112 further on in a sentence that tells whom to call, 113/114/115: a warning's most needed words."""
    told = WHOSE.match(piece.after) or (piece.follows(IN_NEED) and NOTHING_COUNTED.match(piece.after))
    dialled = told and not piece.follows(NUMBERED)
    return ", ".join(map(numbers.digits, GROUPS.findall(piece.token))) if dialled else None


def _noted(piece: Piece) -> Said:
    return _grouped(piece.token) if piece.follows(NOTED) else None


def _in_groups(piece: Piece) -> Said:
    """38.123.456 behind "gọi" or "tài khoản": nobody means thirty-eight million."""
    code = piece.follows(CALLING) or piece.follows(NOTED)
    long = len("".join(GROUPS.findall(piece.token))) >= CODE_DIGITS_MIN
    return NO_KNOWN_NUMBER if code and long and not COUNTED.match(piece.after) else None


RULES = (
    Rule(
        re.compile(
            # From where it begins, in labels as long as there are: no row of signs is gone through at each of them.
            r"(?:https?://|www\.)\S+|(?<![\w.+-])[\w.+-]+@[\w.-]+|"
            r"(?<![\w-])[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}\.(?:vn|com|net|org|info|edu|gov)(?![^\W_])(?:/\S*)?",
            re.IGNORECASE,
        ),
        _net_address,
    ),
    Rule(re.compile(r"(?:\(?0\d{1,9}\)?|\+84)(?:[ .-]?\d{2,10}|[ .]\d(?=\.\d)){0,4}" + END), _phone),
    Rule(re.compile(r"1[89]00(?:[ .-]?\d{2,4}){1,3}" + END), _service),
    Rule(re.compile(r"(?:11\d|1\d{3})" + END), _short_call),
    Rule(re.compile(rf"{EMERGENCY}(?:\s?[/–-]\s?{EMERGENCY})*+{END}"), _emergency),
    Rule(re.compile(r"\d{4,20}(?:[ .-]\d{2,8}){0,5}" + END), _noted),
    Rule(re.compile(r"\(?\d{1,8}\)?(?:[ .]\d{2,8}){1,5}" + END), _in_groups),
)
