"""A day as lines: whose rules, what plays when and where, why anything will not, and what is left of the limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from edge_agent.console.day_table import at_minute, day_lines, in_zone
from edge_agent.console.words import COLUMNS, Language, screenful, width
from edge_agent.core import explain
from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.explain import DaySheet
from edge_agent.core.job import Audience, JobClass
from edge_agent.core.order import Heading, Loosening, Regulation, Window
from edge_agent.core.outlook import Offer, Planned
from edge_agent.core.past import Sounded
from edge_agent.core.policy import Rules
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group, LocalPolicy, ZoneSite
from edge_agent.core.units import HOUR_MS, MINUTE_MS, JobId, MonoMs, UtcMs
from tests.console.pictures import CHO, DINH, SITE
from tests.core.long_day import Ward
from tests.trust import makers

DAY = date(2026, 10, 6)
MIDNIGHT = UtcMs(1_791_219_600_000)  # of that day in Viet Nam
NOW = Now(MonoMs(5_000_000), UtcMs(MIDNIGHT - 3 * HOUR_MS), ClockSource.NTP, 20)
HEADING = Heading(
    *(JobId("r-1"), "ubnd", "commune", 0, 1, MIDNIGHT, MIDNIGHT, UtcMs(MIDNIGHT + 24 * HOUR_MS)),
    Audience(frozenset(), frozenset({SITE.area}), frozenset()),
)
BOTH = (CHO, DINH)


def at(wall: str) -> UtcMs:
    hours, minutes = wall.split(":")
    return UtcMs(MIDNIGHT + int(hours) * HOUR_MS + int(minutes) * MINUTE_MS)


def entry(wall: str = "05:30", minutes: float = 10, **changes: Any) -> Planned:
    begins = at(wall)
    made = Planned(
        job_id=JobId("j-1"),
        title="Bản tin sáng",
        cls=JobClass.NORMAL,
        level="commune",
        order=None,
        planned=begins,
        starts=begins,
        ends=UtcMs(begins + round(minutes * MINUTE_MS)),
        volumes={CHO: 55, DINH: 55},
        out={},
        reason=None,
        zones=BOTH,
    )
    return replace(made, **changes)


def counting(one: Planned) -> Planned:
    """As the plan of a station says it of what sounds."""
    return replace(one, counts=Sounded(one.job_id, one.cls, one.starts, one.ends, frozenset(one.zones), one.under))


def sheet(*plan: Planned, **changes: Any) -> DaySheet:
    return replace(DaySheet(DAY, NOW, Rules(SITE, LocalPolicy()), None, plan, ()), **changes)


def lines(of: DaySheet, language: Language = Language.VI) -> tuple[str, ...]:
    return screenful(day_lines(of, of.plan, SITE, language), language)


def remarks(of: DaySheet, language: Language = Language.VI) -> list[str]:
    return [line.strip() for line in lines(of, language) if line.startswith("    ")]


def test_the_head_names_the_day_twice_and_whose_policy_holds() -> None:
    assert lines(sheet())[:2] == (
        "Lịch phát T3 06/10/2026 (2026-10-06)",
        "Quy chế: của trạm, chưa có quy chế ký số; giờ không phát 21h00 – 05h00",
    )
    paper = Regulation(HEADING, 1, "128/QĐ-UBND", date(2026, 9, 28), LocalPolicy())
    assert lines(sheet(regulation=paper))[1] == "Quy chế: 128/QĐ-UBND ngày 28/09/2026; giờ không phát 21h00 – 05h00"
    assert lines(sheet(), Language.EN)[0] == "Plan of Tue 2026-10-06 (06/10/2026)"


def test_an_instant_is_one_line() -> None:
    one = entry()
    assert lines(sheet(one))[3] == "05h30–05h40  [thường] Bản tin sáng; cả trạm; âm lượng 55"
    assert lines(sheet(replace(one, cls=JobClass.PRIORITY, order=2)), Language.EN)[3] == (
        "05:30–05:40  [priority, no. 2] Bản tin sáng; the whole station; volume 55"
    )


def test_zones_are_named_where_it_is_not_the_whole_station_or_not_equally_loud() -> None:
    assert lines(sheet(entry(volumes={DINH: 40})))[3].endswith("; Cụm loa đình làng Lương Nỗ; âm lượng 40")
    unequal = " ".join(line.strip() for line in lines(sheet(entry(volumes={CHO: 55, DINH: 40})))[3:5])
    assert unequal.endswith("Cụm loa chợ Đông Thành, âm lượng 55; Cụm loa đình làng Lương Nỗ, âm lượng 40")


def test_levels_that_compete_without_an_order_are_marked() -> None:
    ward, city = entry(), entry("05:35", job_id=JobId("j-2"), level="province")
    marked = [line for line in lines(sheet(ward, city)) if "chưa xếp thứ tự" in line]
    assert len(marked) == 2
    apart = [ward, replace(city, planned=at("07:00"), starts=at("07:00"), ends=at("07:10"))]
    elsewhere = [replace(ward, zones=(CHO,)), replace(city, zones=(DINH,))]
    ranked = [replace(ward, order=1), replace(city, order=2)]
    for plan in (apart, elsewhere, ranked, [ward, replace(city, level="commune")]):
        assert not [line for line in lines(sheet(*plan)) if "chưa xếp thứ tự" in line]


def test_what_is_refused_says_so_in_capitals_with_its_reason() -> None:
    refused = entry(volumes={}, reason=Reason.SESSIONS_PER_DAY)
    assert remarks(sheet(refused)) == ["KHÔNG PHÁT: đã đủ số buổi phát trong ngày"]
    assert remarks(sheet(refused), Language.EN) == ["NOT PLAYED: the day's sessions are used up"]
    assert "âm lượng" not in lines(sheet(refused))[3]


def test_a_rehearsal_is_called_one_and_no_emergency() -> None:
    drill = entry(cls=JobClass.EMERGENCY, rehearsal=True)
    assert "[DIỄN TẬP] Bản tin sáng" in "\n".join(day_lines(sheet(drill), (drill,), SITE, Language.VI))
    flood = replace(drill, rehearsal=False)
    assert "[KHẨN CẤP] Bản tin sáng" in "\n".join(day_lines(sheet(flood), (flood,), SITE, Language.VI))


def test_a_zone_that_stays_out_is_named_with_its_reason() -> None:
    partly = entry(volumes={CHO: 55}, out={DINH: Reason.ZONE_SILENCED})
    told = " ".join(remarks(sheet(partly)))
    assert told == "không phát ở Cụm loa đình làng Lương Nỗ: cụm loa tạm ngừng phát theo yêu cầu của địa phương"


def test_an_exception_is_told_by_its_basis() -> None:
    loosens = Loosening(frozenset({JobClass.NORMAL}), HOUR_MS)
    window = Window(HEADING, at("05:00"), at("23:00"), "Kế hoạch 15/KH-UBND", loosens)
    rules = Rules(SITE, LocalPolicy(), windows=(window,))
    assert remarks(sheet(entry(under="r-1"), rules=rules)) == ["theo trường hợp đặc biệt: Kế hoạch 15/KH-UBND"]
    assert remarks(sheet(entry(under="r-9"), rules=rules)) == ["theo trường hợp đặc biệt: r-9"]


def test_a_late_beginning_and_a_cut_end_are_told() -> None:
    late = entry("20:50", starts=at("20:55"), ends=at("21:00"), cut=True)
    assert remarks(sheet(late)) == [
        "lịch 20h50, phát muộn vì phải chờ cụm loa",
        "bị cắt lúc 21h00: bắt đầu giờ không phát",
    ]


def test_what_sounds_over_midnight_says_that_it_began_the_day_before() -> None:
    began = UtcMs(at("00:00") - 10 * MINUTE_MS)
    (line,) = [one for one in lines(sheet(entry("00:00", starts=began))) if "Bản tin sáng" in one]
    assert "từ hôm trước" in line
    assert "từ hôm trước" not in "".join(lines(sheet(entry("00:00"))))


def test_words_of_unknown_length_have_no_end() -> None:
    assert lines(sheet(entry(minutes=0)))[3].startswith("05h30–?  ")


def test_the_seconds_of_a_warm_up_are_no_minute_and_a_few_seconds_of_sound_are_one() -> None:
    assert lines(sheet(entry(minutes=10.02)))[3].startswith("05h30–05h40  ")
    assert lines(sheet(entry(minutes=0.05)))[3].startswith("05h30–05h31  ")


def test_the_foot_counts_what_has_sounded_and_what_will() -> None:
    past = Sounded(JobId("j-0"), JobClass.NORMAL, at("05:00"), at("05:10"), frozenset(BOTH))
    warning = replace(past, cls=JobClass.EMERGENCY, started=at("05:12"), ended=at("05:20"))
    yesterday = replace(past, started=UtcMs(past.started - 24 * HOUR_MS), ended=UtcMs(past.ended - 24 * HOUR_MS))
    day = sheet(
        counting(entry("06:00", 14.5)),
        counting(entry("06:15", 5)),
        entry("07:00", reason=Reason.HOLIDAY),
        counting(entry("19:00", under="r-1")),
        rules=Rules(SITE, LocalPolicy(), past=(yesterday, past, warning)),
    )
    assert lines(day)[-1] == "Cả ngày: 2/4 buổi, 30/60 phút"
    assert lines(day, Language.EN)[-1] == "The whole day: 2/4 sessions, 30/60 min"


def test_the_foot_counts_as_the_days_limits_do_relays_for_themselves_and_turns_once() -> None:
    """Twenty minutes of a relay, and twice five that are heard in one group after the other."""
    zones = {CHO: ZoneSite(CHO, "Chợ", 0), DINH: ZoneSite(DINH, "Đình", 0, group=Group.B)}
    ward = Ward(policy=LocalPolicy(), zones=zones, stagger_ms=1_000)
    ward.boot()
    ward.at(90 * 60, job_id="relay", items=[makers.live_item(duration_ms=20 * MINUTE_MS)])
    for name, hours in (("afternoon", 2), ("evening", 7)):
        ward.at(hours * 3_600, job_id=name, items=[makers.clip_item(duration_ms=5 * MINUTE_MS)])
    foreseen = sheet_of(ward)
    assert foreseen[-1] == "Cả ngày: 2/4 buổi, 10/60 phút; tiếp âm 20/60 phút"
    assert [line[:11] for line in foreseen[3:6]] == ["13h30–13h50", "14h00–14h10", "19h00–19h10"]
    ward.live_until(UtcMs(ward.now.utc + 3 * HOUR_MS))
    sounded = sheet_of(ward)
    assert [line[:11] for line in sounded[3:-2]] == ["19h00–19h10"]
    assert sounded[-1] == foreseen[-1]


def sheet_of(ward: Ward) -> tuple[str, ...]:
    today = explain.day_sheet(ward.state, ward.now, date(2026, 10, 1))
    return screenful(day_lines(today, today.plan, ward.state.site, Language.VI), Language.VI)


def test_offers_are_told_with_their_expiry() -> None:
    offer = Offer(JobId("t-7"), "Chương trình thành phố", JobClass.PRIORITY, "province", at("17:00"), 10 * MINUTE_MS)
    assert lines(sheet(offers=(offer,)))[-2:] == (
        "Bản tin chờ xã/phường lựa chọn: 1",
        "  “Chương trình thành phố” (ưu tiên, 10 phút): chọn trước 17h00 T3 06/10/2026",
    )


def test_an_empty_day_and_an_untrusted_clock_are_said() -> None:
    blind = sheet(now=replace(NOW, source=ClockSource.FLOOR))
    assert lines(blind)[2:5] == ("GIỜ CHƯA CHUẨN", "", "Không có gì để phát.")


def test_a_minute_shows_what_sounds_in_it_and_the_next_that_sounds() -> None:
    plan = (entry("05:30"), entry("05:35", reason=Reason.HOLIDAY), entry("06:00"), entry("07:00"))
    assert at_minute(plan, at("05:39")) == (plan[0], plan[1], plan[2])
    assert at_minute(plan, at("05:40")) == (plan[1], plan[2])
    assert at_minute(plan, at("08:00")) == ()


def test_a_zone_sees_what_is_for_it() -> None:
    plan = (entry(zones=(CHO,)), entry(zones=BOTH))
    assert in_zone(plan, DINH) == (plan[1],)


def test_no_line_is_wider_than_the_screen_and_ascii_has_only_ascii() -> None:
    long = entry(title="Rất dài " * 30, out={DINH: Reason.ZONE_LOCKED}, under="x" * 64)
    for language in Language:
        assert max(width(line) for line in lines(sheet(long), language)) <= COLUMNS
    assert all(line.isascii() for line in lines(sheet(long), Language.VI_ASCII))
