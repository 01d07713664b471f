"""The table of a preview: which part begins when, how long the whole is, and how much of it a day brings."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.headend.preview_table import table, times_a_day
from tests.headend.preview_rig import EMERGENCY, HEAD, RATE, items, job_in, put, relaying, studio, tone

TWICE = 'when = { first_day = 2026-10-01, last_day = 2026-10-31, times = ["05:30", "17:00"] }\n'
TEXT = items('text = "Tin."')


def told(folder: Path, draft: str) -> list[str]:
    where = studio(folder)
    return table(where.programme(job_in(where, folder, draft)), RATE).splitlines()


def test_every_part_has_its_begin_and_its_length(tmp_path: Path) -> None:
    put(tmp_path / "a.pcm", tone(440, 2 * RATE))
    draft = f"{HEAD}loops = 2\ngap_s = 61\n{TWICE}" + items('file = "a.pcm"', 'text = "Tin."')
    assert told(tmp_path, draft) == [
        "bản tin thông thường / normal",
        "   bắt đầu        dài   nội dung / begin, length (phút:giây / min:s), what",
        " 00:00,000  00:02,000   0",
        " 00:02,000  00:00,300   khoảng nghỉ / pause",
        " 00:02,300  00:00,257   1 (máy đọc / spoken)",
        " 00:02,557  01:01,000   khoảng nghỉ / pause",
        " 01:03,557  00:02,000   0",
        " 01:05,557  00:00,300   khoảng nghỉ / pause",
        " 01:05,857  00:00,257   1 (máy đọc / spoken)",
        "cả chương trình / whole programme: 01:06,114",
        "trong ngày, tối đa / a day, at most: 2 × 01:06,114 = 02:12,228",
        "âm lượng của lệnh / the order's volume: 70; tệp WAV ở mức 100 / the WAV is at 100",
    ]


@pytest.mark.parametrize(
    ("stand_in", "named"),
    [
        (True, "VOV1 – tiếp âm trực tiếp (nghe thử: phần thay thế) / relayed live (previewed: its stand-in)"),
        (False, "VOV1 – tiếp âm trực tiếp (nghe thử: im lặng) / relayed live (previewed: silence)"),
    ],
)
def test_a_live_source_is_not_claimed_to_be_heard(tmp_path: Path, stand_in: bool, named: str) -> None:
    put(tmp_path / "a.pcm", tone(440, RATE))
    where = studio(tmp_path)
    draft = HEAD + items('text = "Tin."', 'file = "a.pcm"')
    job = relaying(where, tmp_path, draft, stand_in=stand_in)
    assert table(where.programme(job), RATE).splitlines()[2:6] == [
        " 00:00,000  00:00,257   0 (máy đọc / spoken)",
        " 00:00,257  00:00,300   khoảng nghỉ / pause",
        f" 00:00,557  00:02,000   {named}",
        "cả chương trình / whole programme: 00:02,557",
    ]


@pytest.mark.parametrize(
    ("more", "signal"),
    [
        ("", " 00:00,000  00:06,000   âm báo hiệu / attention signal"),
        ('all_clear = true\nseries = "lu"\nversion = 2\n', " 00:00,000  00:05,000   âm báo yên / all-clear signal"),
        (
            "rehearsal = true\nwhen = { at = 2026-10-06T09:00:00+07:00 }\n",
            " 00:00,000  00:04,500   âm báo diễn tập / rehearsal signal",
        ),
    ],
)
def test_a_signal_is_called_by_its_name(tmp_path: Path, more: str, signal: str) -> None:
    lines = told(tmp_path, EMERGENCY + more + TEXT)
    drill = "DIỄN TẬP / rehearsal: " if "rehearsal" in more else ""
    assert (lines[0], lines[2]) == (f"{drill}BẢN TIN KHẨN CẤP / emergency", signal)
    assert ("Phát thử (máy đọc / spoken)" in lines[4]) is ("rehearsal" in more)


@pytest.mark.parametrize(
    ("head", "when", "times"),
    [
        (HEAD, "", 1),
        (HEAD, "when = { at = 2026-10-06T09:00:00+07:00 }\n", 1),
        (HEAD, TWICE, 2),
        (EMERGENCY, "when = { every_minutes = 10, until = 2026-09-21T22:00:00+07:00 }\n", 5),  # 46 min 40 s from now
        (EMERGENCY, "when = { every_minutes = 60, until = 2026-09-24T21:13:20+07:00 }\n", 24),
    ],
)
def test_how_often_a_day(tmp_path: Path, head: str, when: str, times: int) -> None:
    assert times_a_day(job_in(studio(tmp_path), tmp_path, head + when + TEXT)) == times
