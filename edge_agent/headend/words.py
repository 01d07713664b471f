"""The words in which the central side speaks to people: Vietnamese, as the regulations and technicians say it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_agent.console.words import printable
from edge_agent.core.as_run import Evidence
from edge_agent.core.effects import Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.reasons import WORDS_VI, Reason, explain
from edge_agent.core.records import CUT_SHORT, FRESHNESS_UNPROVEN, PART_LEFT_OUT, ROTTEN
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS
from edge_agent.headend.listening import Doubt
from edge_agent.sync.reports import Why

E = TypeVar("E", bound=StrEnum)

PHASES = {
    Phase.RECEIVED: "đang nạp",
    Phase.STAGED: "sẵn sàng phát",
    Phase.QUEUED: "chờ phát",
    Phase.ARMED: "đang đóng rơ-le",
    Phase.PLAYING: "đang phát",
    Phase.SUCCEEDED: "đã phát xong",
    Phase.FAILED: "không phát được",
    Phase.EXPIRED: "hết hiệu lực",
    Phase.REJECTED: "từ chối phát",
    Phase.MISSED: "lỡ lịch phát",
    Phase.INTERRUPTED: "bị cắt trước khi hết",
    Phase.CANCELLED: "đã hủy lệnh phát",
    Phase.SUPERSEDED: "đã có bản tin mới thay thế",
}
CLASSES = {
    JobClass.NORMAL: "bản tin thông thường",
    JobClass.PRIORITY: "bản tin ưu tiên",
    JobClass.EMERGENCY: "BẢN TIN KHẨN CẤP",
}
EVIDENCE = {
    Evidence.ORDERED: "đã ra lệnh",
    Evidence.ACCEPTED: "đã nhận",
    Evidence.RELAY_CLOSED: "đã đóng rơ-le",
    Evidence.SAMPLES_OUT: "đã ra tiếng",
    Evidence.HEARD: "đã đo được",
}
BESIDE = {
    FRESHNESS_UNPROVEN: "trạm không biết giờ, tin có thể đã cũ",
    CUT_SHORT: WORDS_VI[Reason.AUDIO_TOO_SHORT],
    PART_LEFT_OUT: "phát thiếu, có bản tin không tải kịp",
}
"""What a play's ``detail`` says of a warning beside its outcome: "đã phát xong" alone would say that all was heard."""
TURNED_DOWN = "âm lượng 0"
WHYS = {
    Why.BIRTH: "bắt đầu kết nối",
    Why.CHANGE: "trạng thái thay đổi",
    Why.GOODBYE: "ngừng kết nối theo lệnh",
    Why.CONNECTION_LOST: "MẤT KẾT NỐI",
}
CARD_FORGOT = (
    "THẺ NHỚ ĐÃ BỊ KHÔI PHỤC, SAO CHÉP HOẶC THAY, nhật ký nối tiếp / the card was put back, copied or replaced"
)
CARD_ROTS = "THẺ NHỚ HỎNG, MẤT BẢN GHI TRONG TRẠM, nhật ký nối tiếp / records have rotted on the card, replace it"

VERDICTS = {
    Verdict.ACCEPTED: "đã nhận lệnh",
    Verdict.KNOWN: "lệnh này đã có",
    Verdict.REFUSED: "từ chối lệnh",
}
PAPERS = {
    Verdict.ACCEPTED: "đã nhận văn bản ủy quyền",
    Verdict.KNOWN: "văn bản ủy quyền này đã có",
}
PAPER_REFUSED = "từ chối văn bản ủy quyền"
STRANGE_REFUSED = "từ chối một tin không có trong lệnh và văn bản ủy quyền của máy chủ này"
PAPERS_ALONE = frozenset(
    {Reason.TRUST_ROLLED_BACK, Reason.TRUST_EQUIVOCAL, Reason.TRUST_GAP, Reason.TRUST_BEYOND_PARENT}
)
"""Nothing but a trust document is refused so."""
OF_PAPERS = {
    Reason.NOT_YET_VALID: "văn bản đề ngày sau giờ của trạm: đồng hồ máy đã ký chạy nhanh, hoặc giờ của trạm chậm; xem "
    "docs/operations.md “Xem đồng hồ trước khi ký”",
    Reason.CLOCK_NOT_TRUSTED: "trạm chưa biết giờ đúng, nhận lại ở lần chào sau",
}
"""Why a station does not take a trust document: nothing else is refused for that with no id, being read by then."""
DOUBTS = {
    Doubt.NOT_ENROLLED: "trạm loa chưa được đăng ký",
    Doubt.FORGED: "giả mạo: không phải chữ ký số của trạm",
    Doubt.MALFORMED: "sai định dạng",
    Doubt.OTHER_REALM: "của hệ thống khác",
    Doubt.OTHER_SENDER: "nội dung không khớp nơi gửi",
}


def why_a_chain(detail: str) -> str:
    """Why a station's log goes on under another name, by its record of kind ``chain``."""
    return CARD_ROTS if detail.startswith(ROTTEN) else CARD_FORGOT


def beside(detail: str) -> list[tuple[str, str]]:
    """Each word of a play's ``detail`` that is known here, with what it means."""
    return [(word, BESIDE[word]) for word in detail.split() if word in BESIDE]


def in_words(told: Mapping[E, str], said: E) -> str:
    """Its words, or what a newer station says, as a terminal may be sent it (protocol, 3.9)."""
    return told.get(said, printable(said))


def reason_words(reason: Reason) -> str:
    """Why, in Vietnamese."""
    return in_words(WORDS_VI, reason)


def reason_explained(reason: Reason) -> str:
    """Why, in both languages."""
    return explain(reason) if reason in WORDS_VI else printable(reason)


def seconds(ms: int | None) -> str:
    """61,0 — or that nobody saw how long."""
    return "không rõ" if ms is None else number(ms / SECOND_MS, 1)


def duration(ms: int) -> str:
    """2 giờ, 90 phút, 45 giây: the largest unit of which it is a whole number."""
    for unit, word in ((HOUR_MS, "giờ"), (MINUTE_MS, "phút")):
        if ms >= unit and ms % unit == 0:
            return f"{number(ms // unit)} {word}"
    return f"{number(ms // SECOND_MS)} giây"


def number(value: float, decimals: int = 0) -> str:
    """12.405,5: thousands by full stop, decimal comma."""
    # A whole number stays one: as a float it would lose digits from 2^53 on, and be none from 10^308 on.
    written = f"{value:,}" if isinstance(value, int) and not decimals else f"{value:,.{decimals}f}"
    return written.translate(str.maketrans(",.", ".,"))


def percent(part: int, whole: int) -> str:
    """97,5 % — or a dash where there is nothing to compare with. Rounded down: 100,0 % is all of it."""
    return "–" if whole == 0 else f"{number((1_000 * part // whole) / 10, 1)} %"


def local(utc_ms: int, zone: ZoneInfo) -> datetime:
    """An instant as wall time."""
    return datetime.fromtimestamp(utc_ms / SECOND_MS, UTC).astimezone(zone)


def zone_of(name: str, otherwise: ZoneInfo) -> ZoneInfo:
    """A station's own zone, unless this machine has none of that name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return otherwise


def day_and_hour(utc_ms: int | None, zone: ZoneInfo) -> str:
    """06/10/2026 05h30, with seconds only where there are some."""
    if utc_ms is None:
        return "–"
    at = local(utc_ms, zone)
    return at.strftime("%d/%m/%Y %Hh%M:%S" if at.second else "%d/%m/%Y %Hh%M")
