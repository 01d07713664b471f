"""Name what cannot be read: why, and what to write instead. Decides the words of a refusal, not when there is one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Why(StrEnum):
    """Why a piece of text has no words; Vietnamese first, it is read by whoever wrote it."""

    ABBREVIATION = "chữ viết tắt lạ / unknown abbreviation"
    UNCLEAR = "có nhiều cách đọc / may be read in several ways"
    WORD = "không phải tiếng Việt / no Vietnamese word"
    NUMBER = "dạng số lạ / a number of unknown form"
    NO_SUCH_TIME = "không có giờ, ngày này / no such time or day"
    NET_ADDRESS = "địa chỉ mạng hoặc thư điện tử / an address on the net"
    SIGN = "ký hiệu không thành lời / a sign without words"


REMEDIES = {
    Why.ABBREVIATION: (
        "viết đầy đủ, hoặc thêm vào bảng chữ viết tắt / write it out, or add it to the table of abbreviations"
    ),
    Why.UNCLEAR: "viết bằng chữ điều muốn nói / write in words what is meant",
    Why.WORD: "viết theo âm tiếng Việt: “da-lô” / write it as it sounds in Vietnamese",
    Why.NUMBER: "số lượng viết 12.405 hoặc 5,65; mã số viết bằng chữ / write 12.405 or 5,65, and codes in words",
    Why.NO_SUCH_TIME: "sửa lại giờ hoặc ngày / put the time or the day right",
    Why.NET_ADDRESS: "nghe không ghi kịp: ghi số điện thoại hoặc nơi đến hỏi / give a phone number or a place to ask",
    Why.SIGN: "bỏ đi, hoặc viết bằng chữ / leave it out, or write it in words",
}


@dataclass(frozen=True, slots=True)
class Puzzle:
    """What a rule says of a piece that it knows and cannot read; ``instead`` is "" where the usual remedy fits."""

    why: Why
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Unread:
    """One piece that was not read. ``line`` and ``column`` count from 1, in characters of the composed text."""

    token: str
    line: int
    column: int
    why: Why
    instead: str

    def text(self) -> str:
        """One line for a person: where, what, why, and what to write instead."""
        place = f"dòng {self.line}, ký tự {self.column} / line {self.line}, character {self.column}"
        return f"“{self.token}” ({place}): {self.why} → {self.instead}"
