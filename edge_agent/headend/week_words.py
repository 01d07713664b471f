"""Say the public timetable's particulars in words, Vietnamese and English: for the screen and for the page alike. Pure.

A title and a name are somebody else's words: whatever would move a cursor or turn the writing round becomes "?".
"""

from __future__ import annotations

from collections.abc import Iterable

from edge_agent.console.words import Text, printable
from edge_agent.headend.week import Day, Kind, Line, Named, Paper, Place, Week

HEADING = Text("Lịch phát thanh", "Broadcast timetable")
AT_ANY_TIME = Text("Tin khẩn cấp có thể phát bất cứ lúc nào.", "Emergencies may sound at any time.")
LATER = Text("Chương trình được gửi sau đó chưa có ở đây.", "What is ordered later is not in it.")
KINDS = {
    Kind.REHEARSAL: Text("DIỄN TẬP", "rehearsal"),
    Kind.EMERGENCY: Text("KHẨN CẤP", "emergency"),
}
NOTHING = Text("không có chương trình nào", "nothing is planned")
NOTHING_ELSEWHERE = Text(
    "các trạm loa đã trả lời: không có chương trình nào", "the stations that answered have nothing planned"
)
UNANSWERED = Text("trạm loa chưa trả lời", "did not answer")
REFUSED = Text("trạm loa từ chối trả lời", "refused to answer")
CUT_SHORT = Text("danh sách chưa đủ, trạm loa còn chương trình sau đó", "not the whole list, more follows at")
UNTITLED = "–"
_WEEKDAYS = (
    Text("Thứ Hai", "Monday"),
    Text("Thứ Ba", "Tuesday"),
    Text("Thứ Tư", "Wednesday"),
    Text("Thứ Năm", "Thursday"),
    Text("Thứ Sáu", "Friday"),
    Text("Thứ Bảy", "Saturday"),
    Text("Chủ Nhật", "Sunday"),
)


def both(text: Text) -> str:
    """On one line."""
    return f"{text.vi} / {text.en}"


def span(week: Week) -> str:
    """01/10/2026 – 07/10/2026."""
    first, last = week.days[0].day, week.days[-1].day
    return f"{first:%d/%m/%Y}" if first == last else f"{first:%d/%m/%Y} – {last:%d/%m/%Y}"


def made(week: Week) -> Text:
    """When it was asked for."""
    return Text(f"Lập lúc {week.made:%Hh%M ngày %d/%m/%Y}.", f"As of {week.made:%Y-%m-%d %H:%M}.")


def paper(told: Paper, *, alone: bool) -> Text:
    """Under whose regulation; with its days where there are several."""
    days = "" if alone else f" ({told.first:%d/%m} – {told.last:%d/%m})"
    if told.regulation is None:
        return Text(f"Quy chế: của trạm loa, chưa có quy chế ký số{days}.", f"Policy: the stations' own{days}.")
    number, dated = printable(told.regulation.number), told.regulation.dated
    return Text(f"Theo quy chế số {number} ngày {dated:%d/%m/%Y}{days}.", f"Regulation {number} of {dated}{days}.")


def weekday(day: Day) -> Text:
    """Thứ Năm 01/10/2026."""
    name = _WEEKDAYS[day.day.weekday()]
    return Text(f"{name.vi} {day.day:%d/%m/%Y}", name.en)


def times(line: Line, day: Day) -> str:
    """05h30–05h45, or 05h30 alone; what goes on since the day before says so."""
    begins = "từ hôm trước " if line.begins.date() < day.day else f"{line.begins:%Hh%M}"
    return begins.strip() if line.ends is None else f"{begins}–{line.ends:%Hh%M}"


def title(line: Line) -> str:
    """As it was signed."""
    return printable(line.title) or UNTITLED


def places(line: Line) -> str:
    """Trạm A, Trạm B: cụm c1, cụm c2; Trạm C: Cổng chợ."""
    return "; ".join(_place(place) for place in line.places)


def stations(named: Iterable[Named]) -> str:
    """Trạm A, Trạm B."""
    return ", ".join(station_name(one) for one in named)


def station_name(station: Named) -> str:
    """What people call it."""
    return printable(station.name) or station.id


def _place(place: Place) -> str:
    return f"{stations(place.stations)}: {', '.join(_zone(zone) for zone in place.zones)}"


def _zone(zone: Named) -> str:
    return printable(zone.name) or f"cụm {zone.id}"
