"""A day as a picture: well-formed, the same bytes for the same plan, and readable without colours."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date, time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.console.day_svg import LEFT, RIGHT, TOP, day_svg
from edge_agent.core.job import Audience, JobClass
from edge_agent.core.order import Loosening, Window
from edge_agent.core.outlook import Planned
from edge_agent.core.policy import Rules
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy
from edge_agent.core.units import HOUR_MS, UtcMs
from tests.console.pictures import CHO, DINH, SITE
from tests.console.test_day_table import DAY, HEADING, MIDNIGHT, NOW, at, entry

RULES = Rules(SITE, LocalPolicy())
TODAY = replace(NOW, utc=at("12:00"))


def drawn(*plan: Planned, rules: Rules = RULES, day: date = DAY, **changes: Any) -> ET.Element:
    return ET.fromstring(day_svg(plan, SITE, rules, day, replace(NOW, **changes)))


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if element.get("class") == name]


def titles(elements: list[ET.Element]) -> list[str | None]:
    return [element[0].text for element in elements]


def texts(root: ET.Element) -> list[str | None]:
    return [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]


def test_each_sound_is_a_bar_in_every_zone_that_hears_it() -> None:
    root = drawn(entry(), entry("17:00", zones=(DINH,), volumes={DINH: 40}, cls=JobClass.PRIORITY))
    assert titles(of_class(root, "normal")) == ["05h30–05h40 Bản tin sáng (thường), âm lượng 55"] * 2
    (priority,) = of_class(root, "priority")
    morning, _ = of_class(root, "normal")
    assert int(morning.get("x", "")) < int(priority.get("x", ""))
    assert int(morning.get("y", "")) < int(priority.get("y", "")), "the second zone has the second row"


def test_one_zone_is_drawn_without_the_rows_of_others() -> None:
    noon = Clause(quiet=(time(12), time(13)), zones=frozenset({CHO}))
    rules = Rules(SITE, LocalPolicy((noon,)))
    refused = entry("06:00", volumes={CHO: 50}, out={DINH: Reason.ZONE_LOCKED})
    root = ET.fromstring(day_svg((entry(), refused), SITE, rules, DAY, NOW, only=DINH))
    assert len(of_class(root, "normal")) == len(of_class(root, "refused")) == 1
    assert of_class(root, "quiet") == []
    assert {bar.get("y") for bar in (*of_class(root, "normal"), *of_class(root, "refused"))} == {str(TOP + 4)}
    assert texts(root).count("05h30 Bản tin sáng") == 1


def test_what_is_refused_is_an_outline_with_its_reason() -> None:
    root = drawn(
        entry(reason=Reason.HOLIDAY, volumes={}), entry("06:00", volumes={CHO: 50}, out={DINH: Reason.ZONE_LOCKED})
    )
    assert titles(of_class(root, "refused")) == [
        "05h30–05h40 Bản tin sáng: KHÔNG PHÁT, ngày nghỉ lễ, tạm dừng phát thường ngày",
        "05h30–05h40 Bản tin sáng: KHÔNG PHÁT, ngày nghỉ lễ, tạm dừng phát thường ngày",
        "06h00–06h10 Bản tin sáng: KHÔNG PHÁT, cụm loa đang khóa bảo trì (cấm phát)",
    ]
    assert "✕ 05h30 Bản tin sáng" in texts(root)


def test_titles_that_would_run_into_each_other_go_one_line_down_and_no_further() -> None:
    root = drawn(*(entry(wall, 1, title=f"Số {wall}", zones=(CHO,)) for wall in ("06:00", "06:01", "06:02", "12:00")))
    labels = {element.text: element for element in root.iter("{http://www.w3.org/2000/svg}text")}
    first, second = labels["06h00 Số 06:00"], labels["06h01 Số 06:01"]
    assert int(second.get("y", "")) > int(first.get("y", ""))
    assert "06h02 Số 06:02" not in labels
    assert labels["12h00 Số 12:00"].get("y") == first.get("y")


def test_quiet_hours_silences_and_exceptions_are_bands_with_their_words() -> None:
    only = replace(HEADING, audience=Audience(frozenset(), frozenset(), frozenset({DINH})))
    silence = Window(only, at("08:00"), at("10:00"), "Gia đình có tang", None)
    exception = Window(
        HEADING, at("19:00"), at("23:30"), "Đêm giao thừa", Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    )
    tomorrow = replace(silence, begins=UtcMs(MIDNIGHT + 30 * HOUR_MS), ends=UtcMs(MIDNIGHT + 31 * HOUR_MS))
    noon = Clause(quiet=(time(12), time(13)), zones=frozenset({CHO}))
    policy = LocalPolicy((*LocalPolicy().clauses, noon))
    root = drawn(rules=Rules(SITE, policy, windows=(silence, exception, tomorrow)))
    assert titles(of_class(root, "silence")) == ["Tạm ngừng phát: Gia đình có tang"]
    assert titles(of_class(root, "exception")) == ["Trường hợp đặc biệt: Đêm giao thừa"] * 2
    assert titles(of_class(root, "quiet")) == [
        *["Giờ không phát 21h00 – 05h00"] * 4,  # before and after the day, in two zones
        "Giờ không phát 12h00 – 13h00",
    ]


def test_the_present_is_a_line_on_its_own_day_only() -> None:
    assert len(of_class(drawn(utc=at("12:00")), "now")) == 1
    assert "bây giờ 12h00" in texts(drawn(utc=at("12:00")))
    assert of_class(drawn(), "now") == []


def test_a_sound_of_a_second_is_still_seen_and_one_over_midnight_ends_at_the_edge() -> None:
    root = drawn(entry(minutes=0), entry("23:30", 120, cls=JobClass.EMERGENCY))
    assert [element.get("width") for element in of_class(root, "normal")] == ["3", "3"]
    right = int(root.get("width", "")) - RIGHT
    for bar in of_class(root, "emergency"):
        assert LEFT < int(bar.get("x", "")) < int(bar.get("x", "")) + int(bar.get("width", "")) == right


def test_a_cut_end_is_told() -> None:
    root = drawn(entry("20:55", ends=at("21:00"), cut=True))
    assert titles(of_class(root, "normal"))[0] == (
        "20h55–21h00 Bản tin sáng (thường), âm lượng 55; bị cắt: bắt đầu giờ không phát"
    )


@given(title=st.text(max_size=40))
def test_whatever_a_title_says_it_is_well_formed_and_the_same_again(title: str) -> None:
    one = entry(title=title)
    picture = day_svg((one,), SITE, RULES, DAY, TODAY)
    assert picture == day_svg((one,), SITE, RULES, DAY, TODAY)
    ET.fromstring(picture)


def test_markup_in_a_title_is_words() -> None:
    root = drawn(entry(title='<script>&"'))
    assert of_class(root, "normal")[0][0].text == '05h30–05h40 <script>&" (thường), âm lượng 55'
