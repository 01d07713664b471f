"""The page of the public timetable: whole in one file, made of other people's words, and none of them does anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.job import JobClass
from edge_agent.core.reasons import Reason
from edge_agent.core.units import StationId, ZoneId
from edge_agent.headend.week import DAYS_MAX, Refused, Week
from edge_agent.headend.week_page import as_page
from edge_agent.sync.reports import PolicyStatus
from tests.headend.weeks import BEN, CHO, DINH, TODAY, TOMORROW, entry, plan, told

MADE_OF = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "small", "strong"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
EMPTY = {"meta"}
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)">&amp;\'"</td></style>'


class Read(HTMLParser):
    """Which elements a browser would see, with their attributes, and which words; every element is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, text: str) -> None:
        self.words.append(text)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())


def a_week(words: str) -> Week:
    names = {StationId("tram-01"): {ZoneId("c1"): words}}
    station = replace(CHO, name=words)
    said = plan(entry(words), entry(words, 600, cls=JobClass.EMERGENCY), policy=PolicyStatus(words, TODAY))
    return told({station: said}, replace(DINH, name=words), names=names)


def assert_harmless(page: Read) -> None:
    assert {name for name, _ in page.elements} <= MADE_OF
    for _, attributes in page.elements:
        assert attributes.keys() <= {"lang", "charset", "name", "content", "http-equiv", "class"}


def test_hostile_words_stay_words() -> None:
    page = as_page(a_week(HOSTILE))
    assert "<script" not in page
    assert "<img" not in page
    read = Read(page)
    assert_harmless(read)
    assert read.text.count(HOSTILE) == 9  # two titles with station and zone; who did not answer; the paper, twice


@given(st.text(max_size=80))
def test_no_words_whatever_become_a_part_of_the_page(words: str) -> None:
    read, harmless = Read(as_page(a_week(words))), Read(as_page(a_week("x")))
    assert read.elements == harmless.elements


def test_it_fetches_nothing_and_its_head_forbids_it() -> None:
    page = as_page(a_week("Bản tin"))
    assert [
        word for word in ("http://", "https://", "url(", "@import", "src=", "href=", "javascript:") if word in page
    ] == []
    policies = [said["content"] for name, said in Read(page).elements if said.get("http-equiv")]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'"]


def test_it_is_vietnamese_and_says_when_by_which_paper_and_that_emergencies_come_at_any_time() -> None:
    page = as_page(told({CHO: plan(entry("Bản tin"))}))
    read = Read(page)
    assert read.elements[0] == ("html", {"lang": "vi"})
    for words in (
        "Lịch phát thanh Broadcast timetable 06/10/2026",
        "Tin khẩn cấp có thể phát bất cứ lúc nào. Emergencies may sound at any time.",
        "Thứ Ba 06/10/2026 Tuesday",
        "05h30–05h35Bản tinTrạm Chợ: cụm c1",
        "Lập lúc 05h00 ngày 06/10/2026. As of 2026-10-06 05:00.",
        "Theo quy chế số 128/QĐ-UBND ngày 28/09/2026.",
    ):
        assert words in read.text
    assert "@page { size: A4" in page


def test_a_rehearsal_is_marked() -> None:
    page = Read(as_page(told({CHO: plan(entry("Báo động", 600, cls=JobClass.EMERGENCY, rehearsal=True))})))
    assert "DIỄN TẬP rehearsal: Báo động" in page.text


def test_a_day_of_which_nothing_is_known_is_no_silent_day() -> None:
    silent = Read(as_page(told({CHO: plan()}))).text
    assert "không có chương trình nào nothing is planned" in silent
    unknown = Read(as_page(told({}, CHO, BEN))).text
    assert "trạm loa chưa trả lời did not answer: Trạm Chợ, tram-03" in unknown
    assert "nothing" not in unknown
    both = Read(as_page(told({CHO: plan()}, DINH))).text
    assert "các trạm loa đã trả lời: không có chương trình nào" in both
    assert "did not answer: Trạm Đình" in both


def test_why_a_station_refused_is_not_for_the_notice_board() -> None:
    (day,) = told({CHO: plan(entry())}, DINH).days
    refused = replace(day, unanswered=(), refused=(Refused(DINH, Reason.NOT_YET_VALID),))
    page = Read(as_page(replace(told({CHO: plan(entry())}), days=(refused,)))).text
    assert "did not answer: Trạm Đình" in page
    assert Reason.NOT_YET_VALID not in page


def test_a_list_that_is_not_whole_says_so() -> None:
    page = Read(as_page(told({CHO: plan(entry(), left_out=1)}))).text
    assert "danh sách chưa đủ, trạm loa còn chương trình sau đó not the whole list, more follows at: Trạm Chợ" in page


def test_a_week_has_a_heading_for_each_day() -> None:
    days = tuple(TODAY + timedelta(days=number) for number in range(DAYS_MAX))
    page = Read(as_page(told({CHO: plan(entry()), DINH: plan(entry(), day=TOMORROW)}, days=days)))
    assert sum(name == "h2" for name, _ in page.elements) == 7
    assert sum(name == "table" for name, _ in page.elements) == 2
    assert "06/10/2026 – 12/10/2026" in page.text
