"""Say numbers in Vietnamese, as the North does: linh, nghìn, mươi. Decides no reading: callers know what counts."""

from __future__ import annotations

DIGITS = ("không", "một", "hai", "ba", "bốn", "năm", "sáu", "bảy", "tám", "chín")
LETTER_NAMES = "a,bê,xê,dê,đê,e,ép,gờ,hát,i,gi,ca,lờ,mờ,nờ,o,pê,quy,rờ,sờ,tê,u,ư,vê,vê kép,ích,y,dét"
LETTERS = dict(zip("ABCDĐEFGHIJKLMNOPQRSTUƯVWXYZ", LETTER_NAMES.split(","), strict=True))
BILLION = 10**9
COUNT_MAX = 10**15 - 1
# A million billions; nobody announces more.
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def count(number: int) -> str:
    """A whole number from 0 to ``COUNT_MAX``: 12405 is "mười hai nghìn bốn trăm linh năm"."""
    assert 0 <= number <= COUNT_MAX, "longer ones are read digit by digit, or refused"
    return _count(number, behind=False)


def _count(number: int, *, behind: bool) -> str:
    """``behind``: something stands before it, so that its hundreds are said even when there are none."""
    if number >= BILLION:
        rest = number % BILLION
        return f"{_count(number // BILLION, behind=behind)} tỷ" + (f" {_count(rest, behind=True)}" if rest else "")
    words: list[str] = []
    for size, name in ((1_000_000, "triệu"), (1_000, "nghìn")):
        if number >= size:
            words.append(f"{_hundreds(number // size, behind=behind or bool(words))} {name}")
            number %= size
    if number or not words:
        words.append(_hundreds(number, behind=behind or bool(words)))
    return " ".join(words)


def _hundreds(number: int, *, behind: bool) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds and not behind:
        return _tens(rest)
    head = f"{DIGITS[hundreds]} trăm"
    if not rest:
        return head
    return f"{head} linh {DIGITS[rest]}" if rest < 10 else f"{head} {_tens(rest)}"


def _tens(number: int) -> str:
    tens, ones = divmod(number, 10)
    if not tens:
        return DIGITS[ones]
    head = "mười" if tens == 1 else f"{DIGITS[tens]} mươi"
    if not ones:
        return head
    special = {5: "lăm"} if tens == 1 else {1: "mốt", 4: "tư", 5: "lăm"}
    return f"{head} {special.get(ones, DIGITS[ones])}"


def ordinal(number: int) -> str:
    """What follows "thứ": nhất, hai, ba, tư, năm …"""
    return {1: "nhất", 4: "tư"}.get(number) or count(number)


def month(number: int) -> str:
    """What follows "tháng" or "phần": một, hai, ba, tư …"""
    return "tư" if number == 4 else count(number)


def digits(written: str) -> str:
    """Digit by digit; whatever is none of the ten digits is left out."""
    return " ".join(DIGITS[int(char)] for char in written if char in "0123456789")


def fraction(whole: str, decimals: str) -> str:
    """5,65 is "năm phẩy sáu mươi lăm"; 0,05 and 3,141 are read digit by digit behind the comma."""
    as_number = len(decimals) == 2 and decimals[0] != "0"
    return f"{count(int(whole))} phẩy {count(int(decimals)) if as_number else digits(decimals)}"


def spelled(letters: str) -> str:
    """Letter by letter, by their names; capitals or not."""
    return " ".join(LETTERS[char] for char in letters.upper())


def roman(numeral: str) -> int | None:
    """Its value, if it is written as Roman numerals are; None otherwise."""
    value = 0
    for char, following in zip(numeral, numeral[1:] + "I", strict=True):
        value += ROMAN[char] if ROMAN[char] >= ROMAN[following] else -ROMAN[char]
    return value if _as_roman(value) == numeral else None


def _as_roman(number: int) -> str:
    text = ""
    for value, sign in ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV")):
        times, number = divmod(max(number, 0), value)
        text += sign * times
    return text + "I" * number
