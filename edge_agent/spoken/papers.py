"""Read numbers that name something: documents, vehicles, Roman numerals, codes of letters and digits.

Decides when capitals are a number: XVI behind "khóa", and III anywhere; V alone, or XI between other capitals, is none.
"""

from __future__ import annotations

import re

from edge_agent.spoken import numbers
from edge_agent.spoken.days import LAW
from edge_agent.spoken.piece import DASH, END, Piece, Rule, Said, behind
from edge_agent.spoken.syllables import is_syllable
from edge_agent.spoken.table import built_in
from edge_agent.spoken.unread import Puzzle, Why

NUMERAL = r"[IVXLC]+"
CODE_DIGITS_MAX = 3
# "CT2", "nhà N12": a number; what is longer is heard better digit by digit.
BEFORE_NUMERAL = re.compile(
    r"(?<![^\W_])(?:quý|khóa|khoá|kỳ|báo động|cấp|thế kỷ|điều|chương|mục|phần|thứ|đại hội|loại|hạng|"
    r"nhiệm kỳ|tập|bậc|đợt|vòng|giai đoạn|vùng|khu vực|quân khu|nhóm|bảng|bước|khối|đông xuân|tiểu học)\s+"
    rf"(?:{NUMERAL}\s*(?:,|và|đến|[-–])\s*)*$",
    re.IGNORECASE,
)
BESIDE = r"(?:\s*,\s*|\s+(?:và|đến)\s+)"
ORDINAL = re.compile(rf"(?<![^\W_])thứ\s+(?:{NUMERAL}\s*(?:,|và|đến|[-–])\s*)*$", re.IGNORECASE)
IN_A_LIST = re.compile(rf"{BESIDE}[IVX]{{2,}}(?![^\W_])")
ENDS_A_LIST = re.compile(rf"(?<![^\W_])[IVX]{{2,}}{BESIDE}$")
QUARTERS = re.compile(r"[TQP]\d{1,2}")
PLATE = behind("biển số|biển kiểm soát|xe")
RUNS = re.compile(r"\d+|[^\W\d_]+")
CAPITALS = r"[A-ZĐƯ]"
IN_CAPITALS = Puzzle(
    Why.UNCLEAR, "đơn vị viết thường: 2 m, 500 m2, 50.000 đ, 5 l; triệu viết “triệu” / units in small letters: 2 m, 5 l"
)
PIPE = Puzzle(Why.UNCLEAR, "viết đầy đủ / write it out: doanh nghiệp, đường kính")
T_OR_Q = Puzzle(
    Why.UNCLEAR,
    "viết đầy đủ: thứ hai, tháng hai, quý hai, quận hai, phường hai / write it out: weekday, month, quarter, district",
)


def _document(piece: Piece) -> Said:
    """49/2020/NĐ-CP behind "Nghị định": "bốn mươi chín năm hai nghìn … của Chính phủ"."""
    number, year, codes = piece[1], piece[2], piece[3]
    assert number is not None
    assert codes is not None
    words = numbers.count(int(number)) + (f" năm {numbers.count(int(year))}" if year else "")
    return words + _codes(codes.split("-"), piece.before)


def _resolution(piece: Piece) -> Said:
    """05-NQ/TW."""
    number, kind, issuer = piece[1], piece[2], piece[3]
    assert number is not None
    assert kind is not None
    assert issuer is not None
    return numbers.count(int(number)) + _codes([kind, issuer], piece.before)


def _codes(codes: list[str], before: str) -> str:
    """The kind, unless it stands before already, and who issued it."""
    kind = built_in().document_kinds.get(codes[0])
    said = ""
    if kind is not None:
        codes = codes[1:]
        stands = re.search(rf"(?<![^\W_]){kind}(?:\s+số)?\s*$", before, re.IGNORECASE)
        said = "" if stands else f", {kind}"
    return said + (" của " + ", ".join(_issuer(code) for code in codes) if codes else "")


def _issuer(code: str) -> str:
    parliament = re.fullmatch(r"QH(\d{1,2})", code)
    if parliament:
        return f"Quốc hội khóa {numbers.count(int(parliament[1]))}"
    return built_in().document_issuers.get(code) or _runs(code)


def _law_of_year(piece: Piece) -> Said:
    number, year = piece.token.split("/")
    return f"{numbers.count(int(number))} năm {numbers.count(int(year))}" if piece.follows(LAW) else None


def _plate(piece: Piece) -> Said:
    """29A-123.45: each letter and digit, a pause where the hyphen stands."""
    if "-" not in piece.token and "." not in piece.token and not piece.follows(PLATE):
        return None
    return ", ".join(_characters(part) for part in re.split(r"[- ]", piece.token) if part)


def _characters(text: str) -> str:
    return " ".join(numbers.digits(char) or numbers.spelled(char) for char in text if char.isalnum())


def _roman(piece: Piece) -> Said:
    values = [numbers.roman(numeral) for numeral in re.findall(NUMERAL, piece.token)]
    if None in values or not _is_numeral(piece):
        return None
    say = numbers.ordinal if piece.follows(ORDINAL) else numbers.count
    words = " đến ".join(say(value) for value in values if value)
    return f"{words} năm {numbers.count(int(piece[1]))}" if piece[1] else words


def _is_numeral(piece: Piece) -> bool:
    first = piece.token.split("/")[0]
    if len(first) == 1:
        listed = piece.opens_line and piece.after[:2] in (". ", ") ", "/ ")
        beside = IN_A_LIST.match(piece.after) or piece.follows(ENDS_A_LIST)
        return first in "IVX" and (listed or bool(beside) or piece.follows(BEFORE_NUMERAL))
    if is_syllable(first):  # XI, VI: words too
        return piece.follows(BEFORE_NUMERAL) and not piece.next_word.isupper()
    return piece.follows(BEFORE_NUMERAL) or set(first) <= set("IVX")


def _code(piece: Piece) -> Said:
    """5A, CT2, QL1A: what letters mean by the table, else by their names."""
    if QUARTERS.fullmatch(piece.token):
        return T_OR_Q
    if re.fullmatch(r"DN\d+", piece.token):
        return PIPE
    if re.fullmatch(r"\d{2,}K", piece.token):
        return Puzzle(Why.UNCLEAR, "viết “nghìn” / write “nghìn” (thousand)")
    return built_in().abbreviations.get(piece.token) or _runs(piece.token)


def _runs(token: str) -> str:
    return " ".join(_run(run) for run in RUNS.findall(token))


def _run(run: str) -> str:
    if run.isdigit():
        short = len(run) <= CODE_DIGITS_MAX and run[0] != "0"
        return numbers.count(int(run)) if short else numbers.digits(run)
    return built_in().abbreviations.get(run) or numbers.spelled(run)


_OFFICE = rf"{CAPITALS}{{2,9}}[a-z]?\d{{0,2}}"
RULES = (
    Rule(re.compile(rf"(\d{{1,5}})/(?:((?:19|20)\d\d)/)?({_OFFICE}(?:-{_OFFICE}){{0,4}}){END}"), _document),
    Rule(re.compile(rf"(\d{{1,5}})-({CAPITALS}{{2,4}}r?)/({CAPITALS}{{2,6}}){END}"), _resolution),
    Rule(re.compile(r"\d{1,5}/(?:19|20)\d\d" + END), _law_of_year),
    Rule(re.compile(rf"\d{{2}}(?:-)?[A-ZĐ]{{1,2}}\d?[- ]?(?:\d{{3}}\.\d{{2}}|\d{{4,5}}){END}"), _plate),
    Rule(re.compile(rf"{NUMERAL}(?:{DASH}{NUMERAL}|/(\d{{4}}))?{END}"), _roman),
    Rule(re.compile(rf"\d+(?:[.,]\d+)*(?:\s?[ML]|\s[GĐ](?!/c))[23]?{END}|\d{{3,}}Đ{END}"), lambda _: IN_CAPITALS),
    Rule(
        re.compile(
            rf"\d{{1,4}}[A-UX-ZĐ]{END}|\d{{1,3}}[A-E]\d{{1,2}}{END}|{CAPITALS}{{1,4}}\d{{1,4}}(?:{CAPITALS}\d{{0,3}})?{END}"
        ),
        _code,
    ),
    Rule(re.compile(rf"\d{{1,4}}[a-e]{END}"), lambda piece: _runs(piece.token)),
)
