"""A slip in a year or a weekday is told to whoever signs: stations obey a timetable of which nothing is left."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core.units import HOUR_MS, ClipKey, UtcMs
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.drafting import Surroundings
from edge_agent.headend.drafts import finish
from edge_agent.headend.never_due import ALL_SILENT, LOOK_AGAIN, never_due

NOW = UtcMs(1_790_000_000_000)  # Monday 2026-09-21 21:13:20 in Hanoi
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
BROADCAST = {"class": "normal", "volume": 70, "items": [{"title": "Họp", "text": "Mời bà con họp."}]}
OCTOBER = {"first_day": "2026-10-01", "last_day": "2026-10-31", "times": ["05:30"]}


def told(draft: dict[str, object], signed: UtcMs = NOW) -> list[str]:
    facts = AudioFacts(ClipKey("0" * 64), 1, 1, "mp3")
    around = Surroundings("demo", "dong-thanh", "commune", signed, lambda _: 1, lambda *_: facts, None, Path())
    return [*never_due(finish({"areas": ["vn/ha-noi"], **draft}, around).order, NOW, HANOI)]


def timetable(*whens: object, **more: object) -> dict[str, object]:
    entries = [{**BROADCAST, "volume": number, "when": when} for number, when in enumerate(whens)]
    return {"type": "timetable", "entries": entries, **more}


@pytest.mark.parametrize(
    "when",
    [
        {**OCTOBER, "last_day": "2026-10-01", "weekdays": [1]},  # a Thursday
        {**OCTOBER, "last_day": "2026-10-01", "excluded": ["2026-10-01"]},
    ],
    ids=["no such weekday", "all excluded"],
)
def test_a_rule_without_a_day_is_told(when: dict[str, object]) -> None:
    (line,) = told({**BROADCAST, "when": when})
    assert line.startswith("05h30 các ngày ")
    assert line.endswith(LOOK_AGAIN)


def test_a_timetable_of_last_year_is_told_to_silence_the_ward() -> None:
    first, second, all_of_it = told(
        timetable({**OCTOBER, "first_day": "2025-10-01", "last_day": "2025-10-31"}, {"at": "2025-10-06T05:30:00+07:00"})
    )
    assert first.startswith("mục 1 / entry 1: 05h30 các ngày T2,")
    assert second.startswith("mục 2 / entry 2: một lần, 06/10/2025 05h30: ")
    assert all_of_it == ALL_SILENT


@pytest.mark.parametrize(
    ("draft", "entry"),
    [
        (timetable(OCTOBER, {"at": "2026-09-20T05:30:00+07:00"}), 2),
        (timetable({"at": "2028-12-05T07:00:00+07:00"}, OCTOBER), 1),  # later than a timetable may hold
    ],
    ids=["passed", "behind its validity"],
)
def test_of_the_entries_only_those_without_an_instant_are_told(draft: dict[str, object], entry: int) -> None:
    (line,) = told(draft)
    assert line.startswith(f"mục {entry} / entry {entry}: ")


def test_next_years_timetable_with_this_years_days_is_told() -> None:
    assert told(timetable(OCTOBER, not_before="2027-01-01T00:00:00+07:00"))[-1] == ALL_SILENT


def test_what_is_still_to_come_is_told_nothing_of() -> None:
    late = {"at": "2026-09-21T21:00:00+07:00"}
    assert told(timetable(OCTOBER)) == []
    assert told({"type": "timetable", "entries": []}) == []  # wanted so, and its summary says it
    assert told({**BROADCAST, "when": OCTOBER}) == []
    assert told({**BROADCAST}) == []
    assert told({**BROADCAST, "when": late, "late_limit_s": 3600}, UtcMs(NOW - HOUR_MS)) == []
    assert told({**BROADCAST, "when": late, "late_limit_s": 600}, UtcMs(NOW - HOUR_MS)) != []
