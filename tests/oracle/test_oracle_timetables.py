"""The oracle against three timetables that were written and judged by hand before there was any software for it."""

from __future__ import annotations

from dataclasses import replace

from tests.oracle.oracle import Expected, expect
from tests.oracle.walltime import local
from tests.oracle.world import At, Clause, Closure, Cls, ExceptionWindow, Life, Play, Policy, Span, Zone

URBAN = Policy(
    (
        Clause(
            quiet=("21:00", "05:00"),
            weekdays=(1, 2, 3, 4, 5),
            sessions_per_day=2,
            session_s=900,
            volume=(("05:00", "06:00", 45), ("06:00", "21:00", 70)),
        ),
    ),
    "cut",
)
SUBURBAN = Policy(
    (
        Clause(
            quiet=("21:00", "05:00"),
            weekdays=(1, 2, 3, 4, 5),
            sessions_per_day=2,
            session_s=2700,
            volume=(("05:00", "06:00", 55), ("06:00", "21:00", 80)),
        ),
    )
)
ORDINARY: tuple[Cls, ...] = ("normal", "priority")
SEVEN = ("C1", "C2", "C3", "C4", "C5", "C6", "C7")
SIX = SEVEN[:6]
FIVE = SEVEN[:5]


def play(job_id: str, at: str, cls: Cls, zones: tuple[str, ...], *items_s: int, loops: int = 1, gap_s: int = 0) -> Play:
    return Play(job_id, cls, zones, At(local(at)), sum(items_s), loops, gap_s)


def window(window_id: str, begins: str, ends: str, session_s: int, classes: tuple[Cls, ...]) -> ExceptionWindow:
    return ExceptionWindow(window_id, local(begins), local(ends), session_s, classes)


def judged(life: Life) -> dict[str, Expected]:
    return {each.job_id: each for each in expect(life)}


def outcomes(life: Life) -> dict[str, tuple[str, str | None, int]]:
    return {job_id: (each.outcome, each.reason, each.lasted_s) for job_id, each in judged(life).items()}


WEEKDAY = Life(
    zones=tuple(Zone(name) for name in SEVEN),
    own_policy=SUBURBAN,
    plays=(
        play("wd-01", "2026-10-06T05:30:00", "normal", SEVEN, 15, 720, 165, 900),
        play("wd-02", "2026-10-06T06:00:00", "normal", SEVEN, 900),
        play("wd-03", "2026-10-06T17:00:00", "priority", SEVEN, 15, 60),
        play("wd-04", "2026-10-06T17:01:15", "priority", SEVEN, 120),
        play("wd-05", "2026-10-06T17:03:15", "normal", SEVEN, 705, 1800),
        play("wd-06", "2026-10-06T03:15:00", "normal", ("C1", "C2"), 300),
        play("wd-07", "2026-10-06T19:30:00", "normal", ("C6",), 600),
    ),
)


def test_a_weekday_in_the_suburbs() -> None:
    """Two sessions of exactly 45 minutes, 15:15 typed as 03:15, and a third session."""
    assert outcomes(WEEKDAY) == {
        "wd-06": ("refused", "quiet_hours", 0),
        "wd-01": ("played", None, 1800),
        "wd-02": ("played", None, 900),
        "wd-03": ("played", None, 75),
        "wd-04": ("played", None, 120),
        "wd-05": ("played", None, 2505),
        "wd-07": ("refused", "sessions_per_day", 0),
    }
    assert judged(WEEKDAY)["wd-01"].volume == dict.fromkeys(SEVEN, 55)
    assert judged(WEEKDAY)["wd-02"].volume == dict.fromkeys(SEVEN, 80)


def test_a_second_more_breaks_the_weekday() -> None:
    longer = tuple(
        replace(each, sound_s=each.sound_s + 1) if each.job_id == "wd-05" else each for each in WEEKDAY.plays
    )
    assert judged(replace(WEEKDAY, plays=longer))["wd-05"].reason == "session_too_long"


WEEKEND = Life(
    zones=(Zone("C1"), Zone("C2", 55), Zone("C3", 45), Zone("C4"), Zone("C5"), Zone("C6")),
    own_policy=URBAN,
    exceptions=(
        window("we-E1", "2026-10-10T07:00:00", "2026-10-10T07:15:00", 900, ORDINARY),
        window("we-E2", "2026-10-11T09:25:00", "2026-10-11T12:00:00", 120, ("priority",)),
    ),
    silences=(Closure("C4", local("2026-10-11T06:00:00"), local("2026-10-11T18:00:00")),),
    plays=(
        play("we-01", "2026-10-10T07:00:00", "normal", SIX, 15, 150, 700),
        play("we-02", "2026-10-10T17:00:00", "normal", ("C1", "C5"), 600),
        play("we-03", "2026-10-11T09:20:00", "priority", SIX, 45, loops=2, gap_s=10),
        play("we-04", "2026-10-11T09:26:00", "priority", SIX, 45, loops=2, gap_s=10),
        play("we-05", "2026-10-11T10:00:00", "priority", ("C1", "C2", "C3", "C5", "C6"), 45, loops=2, gap_s=10),
    ),
)


def test_a_weekend_in_town() -> None:
    """Nothing ordinary; a festival and a lost child under exceptions; a funeral beside C4."""
    told = judged(WEEKEND)
    assert outcomes(WEEKEND) == {
        "we-01": ("played", None, 865),
        "we-02": ("refused", "weekday_mask", 0),
        "we-03": ("refused", "weekday_mask", 0),
        "we-04": ("played", None, 100),
        "we-05": ("played", None, 100),
    }
    assert told["we-01"].volume == {"C1": 70, "C2": 55, "C3": 45, "C4": 70, "C5": 70, "C6": 70}
    assert told["we-03"].zone_reasons["C4"] == "zone_silenced"
    assert told["we-04"].zone_reasons == {"C4": "zone_silenced"}
    assert told["we-04"].zones == ("C1", "C2", "C3", "C5", "C6")


TYPHOON = Life(
    zones=tuple(Zone(name) for name in FIVE),
    own_policy=SUBURBAN,
    exceptions=(
        window("ty-E1", "2026-09-08T05:00:00", "2026-09-08T21:00:00", 900, ("priority",)),
        window("ty-E2", "2026-09-09T05:00:00", "2026-09-09T21:00:00", 900, ("priority",)),
    ),
    # The mains failed at 13:55; by 16:30 the battery was down to its reserve.
    reserves=(Span(local("2026-09-08T16:30:00"), local("2026-09-09T08:50:00")),),
    plays=(
        play("ty-01", "2026-09-08T05:30:00", "normal", FIVE, 15, 405, 480),
        play("ty-02", "2026-09-08T08:15:00", "priority", FIVE, 90, 110, 105, loops=2, gap_s=20),
        play("ty-03", "2026-09-08T11:15:00", "priority", FIVE, 90, 110, 105, loops=2, gap_s=20),
        play("ty-04", "2026-09-08T14:05:00", "emergency", ("C1", "C2", "C5"), 8, 35, 40, 40),
        play("ty-06", "2026-09-08T17:00:00", "normal", ("C3",), 600),
        play("ty-07", "2026-09-08T22:40:00", "emergency", ("C2", "C5"), 10, 25, 12, 12),
        play("ty-08", "2026-09-09T05:30:00", "normal", FIVE, 600),
        play("ty-09", "2026-09-09T07:30:00", "emergency", ("C1", "C2", "C3", "C5"), 4, 20, 22, 22, loops=2, gap_s=10),
    ),
)


def test_a_typhoon_in_the_mountains() -> None:
    """Storm warnings under exceptions; on the reserve nothing but emergencies, at night too."""
    assert outcomes(TYPHOON) == {
        "ty-01": ("played", None, 900),
        "ty-02": ("played", None, 630),
        "ty-03": ("played", None, 630),
        "ty-04": ("played", None, 123),
        "ty-06": ("refused", "battery_reserve", 0),
        "ty-07": ("played", None, 59),
        "ty-08": ("refused", "battery_reserve", 0),
        "ty-09": ("played", None, 146),
    }
