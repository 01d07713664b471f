"""What an officer reads before he signs: every particular that will be heard, when and where."""

from __future__ import annotations

import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.units import UtcMs
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.drafting import Surroundings
from edge_agent.headend.drafts import finish
from edge_agent.headend.summary import summary

TIMETABLE = """
class = "priority"
areas = ["vn/ha-noi/dong-thanh"]
stations = ["tram-09"]
zones = ["c2", "c1"]
volume = 70
loops = 2
gap_s = 5
late_limit_s = 600
[when]
first_day = 2026-10-01
last_day = 2026-12-31
weekdays = [1, 7]
times = ["05:30", "17:00:30"]
excluded = [2026-11-20]
[[items]]
title = "Bản tin"
approver = "nguoi-duyet-07"
digest = "abababababababababababababababababababababababababababababababab"
length = 5
duration_s = 61
urls = ["https://content.example/clip/x"]
"""
ONCE = """
class = "normal"
stations = ["tram-01"]
volume = 40
when = { at = 2026-10-06T05:30:00+07:00 }
items = [{ title = "Tin", text = "Xin chào." }]
"""


def shown(draft: str) -> list[str]:
    def no_audio(path: Path, duration_ms: int | None) -> AudioFacts:
        raise AssertionError("nothing to be looked up")

    around = Surroundings(
        "demo",
        "dong-thanh",
        "commune",
        UtcMs(1_790_000_000_000),
        lambda issuer: 42,
        no_audio,
        None,
        letters=lambda: "k7qm-4dtx",
    )
    return summary(finish(tomllib.loads(draft), around).order, ZoneInfo("Asia/Ho_Chi_Minh")).splitlines()


def test_a_timetable() -> None:
    assert shown(TIMETABLE) == [
        "Lệnh phát dong-thanh-20260921-k7qm-4dtx, số 42, đơn vị ban hành dong-thanh (commune)",
        "  loại: bản tin ưu tiên; âm lượng 70",
        "  vùng phát: vn/ha-noi/dong-thanh, tram-09",
        "  cụm loa: c1, c2",
        "  lịch phát: 05h30, 17h00:30 các ngày T2, CN, từ 01/10/2026 đến 31/12/2026, trừ 20/11/2026 "
        "(giờ Asia/Ho_Chi_Minh)",
        "  số lần phát: 2, khoảng nghỉ 5 giây",
        "  được phát muộn đến 600 giây",
        "  hiệu lực: 21/09/2026 21h13:20 – 01/01/2027 00h10",
        "  bản tin 1: Bản tin, 61,0 giây, tiếng vi; người duyệt nguoi-duyet-07; tệp abababababab…",
    ]


def test_one_instant_and_words_to_be_spoken() -> None:
    lines = shown(ONCE)
    assert "  lịch phát: một lần, 06/10/2026 05h30" in lines
    assert "  cụm loa: tất cả" in lines
    assert lines[-1] == "  bản tin 1: Tin, trạm tự đọc, tiếng vi: “Xin chào.”"


def test_an_emergency_that_is_repeated_a_version_of_a_series() -> None:
    lines = shown(
        """
class = "emergency"
event = "lu-quet"
series = "lu-2026-10"
version = 2
all_clear = true
stations = ["tram-01"]
volume = 100
when = { every_minutes = 10, until = 2026-10-06T08:00:00+07:00 }
items = [{ title = "Tin", text = "Nước đã rút." }]
"""
    )
    assert lines[1:3] == [
        "  BÁO YÊN: hết tình trạng khẩn cấp",
        "  đợt cảnh báo lu-2026-10, phiên bản 2",
    ]
    assert "  lịch phát: phát ngay, lặp lại mỗi 10 phút đến 06/10/2026 08h00" in lines


def test_what_becomes_of_a_job_beside_others() -> None:
    job = 'rehearsal = true\nevent = "lu-quet"\npreemption = "drop"\nzones_late_limit_s = 60\ncorrects = "x-1"\n'
    lines = shown(job + ONCE.replace("normal", "emergency"))
    right = "  ĐÍNH CHÍNH lệnh x-1: lệnh đó dừng"
    assert lines[1:3] == ["  DIỄN TẬP: không phải tình huống thật", f"{right}, trừ khi đó là tin khẩn cấp"]
    urgent = 'class = "emergency"\nevent = "lu-quet"\nstations = ["tram-01"]\nvolume = 100\ncorrects = "x-1"\n'
    assert right in shown(urgent + 'items = [{ title = "Tin", text = "Không có lũ." }]\n')
    assert "  nếu bị tin khẩn cấp ngắt: không phát nữa" in lines
    assert "  phát bù cho cụm loa bị chiếm, muộn đến 60 giây" in lines


def test_a_policy() -> None:
    assert shown(
        """
type = "regulation"
areas = ["vn/ha-noi/dong-thanh"]
number = "128/QĐ-UBND"
dated = 2026-09-28
[[clauses]]
quiet = ["21:00", "05:00"]
weekdays = [1, 2, 3, 4, 5]
sessions_per_day = 2
session_minutes = 15
volume = [["05:00", "06:00", 45], ["00:00", "00:00", 70]]
[[clauses]]
classes = ["normal"]
zones = ["c2"]
holidays = [2027-01-01]
day_minutes = 30
"""
    ) == [
        "Quy chế số 128/QĐ-UBND ngày 28/09/2026, phiên bản 42",
        "  bản tin lấn vào khung giờ không phát: không phát",
        "  điều 1, mọi bản tin thường và ưu tiên, mọi cụm loa: không phát từ 21h00 đến 05h00; "
        "chỉ phát các ngày T2, T3, T4, T5, T6; tối đa 2 buổi mỗi ngày; mỗi buổi tối đa 15 phút; "
        "âm lượng tối đa 45 (từ 05h00 đến 06h00); âm lượng tối đa 70 (cả ngày)",
        "  điều 2, bản tin thông thường, cụm loa c2: nghỉ 01/01/2027; cả ngày tối đa 30 phút",
        "  vùng phát: vn/ha-noi/dong-thanh",
        "  lệnh dong-thanh-20260921-k7qm-4dtx, số 42, đơn vị ban hành dong-thanh (commune)",
        "  hiệu lực: 21/09/2026 21h13:20 – 26/10/2027 21h13:20",
    ]


WINDOW = """
type = "window"
kind = "exception"
areas = ["vn/ha-noi/dong-thanh"]
zones = ["c1"]
basis = "Kế hoạch 15/KH-UBND"
begins = 2026-10-06T22:00:00+07:00
for_minutes = 150
"""


def test_no_words_of_an_item_make_lines_of_the_page_or_turn_them_round() -> None:
    """Whoever signs first writes them; whoever signs behind him reads the page, and types her PIN below it."""
    page = (
        "Hết.”\\n\\n\\n\\nLệnh phát x, số 7\\n  loại: bản tin thông thường; âm lượng 40\\n\\u202e  vùng phát: tram-09"
    )
    lines = shown(ONCE.replace("Xin chào.", page))
    assert lines[-1] == (
        "  bản tin 1: Tin, trạm tự đọc, tiếng vi: “Hết.” Lệnh phát x, số 7 loại: bản tin thông thường; âm lượng 40 "
        "? vùng phát: tram-09”"
    )
    assert lines[:2] == shown(ONCE)[:2]
    assert len(lines) == len(shown(ONCE))


def test_windows() -> None:
    assert shown(WINDOW + 'classes = ["priority"]\nsession_minutes = 150\ntotal_minutes = 150\nvolume = 60\n')[:3] == [
        "Trường hợp đặc biệt được phép phát, cụm loa c1, từ 06/10/2026 22h00 đến 07/10/2026 00h30",
        "  căn cứ: Kế hoạch 15/KH-UBND",
        "  được phát: bản tin ưu tiên; mỗi buổi tối đa 150 phút; cả thảy tối đa 150 phút; âm lượng tối đa 60",
    ]
    assert shown(WINDOW.replace("exception", "silence"))[:3] == [
        "Tạm ngừng phát, cụm loa c1, từ 06/10/2026 22h00 đến 07/10/2026 00h30",
        "  căn cứ: Kế hoạch 15/KH-UBND",
        "  bản tin khẩn cấp vẫn phát",
    ]


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ('do = "lock"\nfor_minutes = 120\nzones = ["c1"]', "Khóa bảo trì, cụm loa c1, 2 giờ"),
        ('do = "all-stop"\nfor_minutes = 15', "DỪNG PHÁT TOÀN BỘ, mọi cụm loa, 15 phút"),
        ('do = "stop"\nzones = ["c1"]', "Dừng phát, cụm loa c1"),
        ('do = "volume"\nvolume = 60\nzones = ["c1"]', "Giới hạn âm lượng, cụm loa c1, tối đa 60"),
        ('do = "amplifier"\non = false\nfor_s = 90\nzones = ["c1"]', "Tăng âm, cụm loa c1, tắt 90 giây"),
        (
            'do = "cancel"\ntarget = "x-1"\nuntil = 2026-10-06T05:30:00+07:00',
            "Hủy lệnh x-1, kể cả khi lệnh đó đến muộn (trước 06/10/2026 05h30)",
        ),
        ('do = "rank"\njob_ids = ["x-2", "x-1"]', "Đặt thứ tự phát x-2 → x-1"),
        ('do = "choose"\ntarget = "x-1"\nwhen = "now"', "Chọn phát bản tin x-1: phát ngay"),
        ('do = "ask"\nday = 2026-10-06', "Hỏi lịch phát ngày 06/10/2026"),
        ('do = "restart"', "Khởi động lại phần mềm trạm"),
    ],
)
def test_a_command(does: str, told: str) -> None:
    lines = shown(f'type = "command"\nstations = ["tram-01"]\n{does}\n')
    assert lines == [
        told,
        "  vùng phát: tram-01",
        "  lệnh dong-thanh-20260921-k7qm-4dtx, số 42, đơn vị ban hành dong-thanh (commune)",
        "  hiệu lực: 21/09/2026 21h13:20 – 21/09/2026 21h15:20",
    ]
