"""What an officer reads before he signs: every particular that will be heard, when and where."""

from __future__ import annotations

import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo

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

    around = Surroundings("demo", "dong-thanh", "commune", UtcMs(1_790_000_000_000), lambda issuer: 42, no_audio, None)
    return summary(finish(tomllib.loads(draft), around).job, ZoneInfo("Asia/Ho_Chi_Minh")).splitlines()


def test_a_timetable() -> None:
    assert shown(TIMETABLE) == [
        "Lệnh phát dong-thanh-20260921-42, số 42, đơn vị ban hành dong-thanh (commune)",
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
