"""The oracle against the rest of sections 2 and 4: how loud, by whose policy, and what holds whatever is allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.oracle.cases import ALL, FREE, ZONES, at, judged, last, play, told, under
from tests.oracle.world import (
    Clause,
    Closure,
    ExceptionWindow,
    Life,
    Policy,
    Regulation,
    SetCeiling,
    Span,
    Zone,
)

# ---------------------------------------------------------------- section 2: volume


@pytest.mark.parametrize(
    ("wall", "length_s", "volume"),
    [
        ("05:30", 1800, 55),
        ("05:30", 1801, 55),
        ("06:00", 60, 80),
        ("05:59:59", 3600, 55),
        ("04:59", 60, 100),
        ("20:59", 61, 80),
    ],
)
def test_the_lowest_band_that_any_moment_touches_holds_throughout(wall: str, length_s: int, volume: int) -> None:
    life = under(Clause(volume=(("05:00", "06:00", 55), ("06:00", "21:00", 80))))
    assert judged(life, play(wall, length_s))[0].volume == dict.fromkeys(ALL, volume)


def test_the_lowest_ceiling_of_a_zone_wins() -> None:
    life = replace(
        under(Clause(volume=(("00:00", "12:00", 60),)), Clause(zones=("C3",), volume=(("00:00", "12:00", 20),))),
        zones=(Zone("C1"), Zone("C2", 45), Zone("C3")),
        set_ceilings=(SetCeiling("C1", at("09:00"), 50), SetCeiling("C1", at("11:00"), 90)),
    )
    told = judged(life, play("08:00"), play("09:00"), play("10:00", volume=30), play("11:00"))
    assert [each.volume for each in told] == [
        {"C1": 60, "C2": 45, "C3": 20},
        {"C1": 50, "C2": 45, "C3": 20},
        {"C1": 30, "C2": 30, "C3": 20},
        {"C1": 60, "C2": 45, "C3": 20},
    ]


# ---------------------------------------------------------------- section 2: whose policy


def test_the_newest_regulation_in_force_rules_then_the_stations_own_policy() -> None:
    closed = Policy((Clause(weekdays=(7,)),))
    life = Life(
        ZONES,
        (),
        FREE,
        (Regulation(1, at("09:00"), closed), Regulation(2, at("11:00"), Policy((Clause(session_s=1),)))),
    )
    # A regulation rules from its instant on, that instant included.
    assert told(life, play("08:59:59"), play("09:01"), play("10:59:59"), play("11:02")) == [
        "played",
        "weekday_mask",
        "weekday_mask",
        "session_too_long",
    ]
    assert told(life, play("09:00"), play("11:00")) == ["weekday_mask", "session_too_long"]


def test_what_sounded_under_an_earlier_regulation_counts_for_the_next() -> None:
    life = Life(ZONES, (), FREE, (Regulation(1, at("09:00"), Policy((Clause(sessions_per_day=1),))),))
    assert told(life, play("08:00"), play("10:00")) == ["played", "sessions_per_day"]


def test_without_a_regulation_and_a_policy_the_built_in_one_rules() -> None:
    life = Life(ZONES, ())
    sessions = [play(wall, 900) for wall in ("05:00", "08:00", "12:00", "17:00")]
    told_all = judged(life, *sessions, play("19:00", 1), play("20:59:59", 2), play("04:59:59", 1))
    by_job = {each.job_id: each for each in told_all}
    assert [by_job[each.job_id].outcome for each in sessions] == ["played"] * 4
    assert by_job["at 05:00"].volume["C1"] == 55
    assert by_job["at 08:00"].volume["C1"] == 80
    assert by_job["at 19:00"].reason == "sessions_per_day"
    assert by_job["at 20:59:59"].reason == by_job["at 04:59:59"].reason == "quiet_hours"
    assert told(life, play("08:00", 1801)) == ["session_too_long"]
    assert last(life, play("08:00", 1800), play("10:00", 1800), play("12:00", 1)) == "minutes_per_day"


# ---------------------------------------------------------------- section 4: what no exception passes


def test_a_lock_holds_for_every_class_in_its_zone_at_the_planned_instant() -> None:
    life = under(Clause(), locks=(Closure("C1", at("10:00"), at("12:00")),))
    at_edges = [play("09:59:00", 60, zones=("C1",)), play("10:00", zones=("C1",)), play("12:00", zones=("C1",))]
    assert told(life, *at_edges) == ["played", "zone_locked", "played"]
    (emergency,) = judged(life, play("11:00", cls="emergency"))
    assert (emergency.zones, emergency.zone_reasons) == (("C2", "C3"), {"C1": "zone_locked"})
    assert told(life, play("11:00", cls="emergency", zones=("C1",))) == ["zone_locked"]


@pytest.mark.parametrize(
    ("wall", "length_s", "expected"),
    [
        ("09:59:00", 60, "played"),  # ends as it begins
        ("09:59:00", 61, "zone_silenced"),
        ("11:59:59", 60, "zone_silenced"),
        ("12:00:00", 60, "played"),  # begins as it ends
        ("09:00:00", 4 * 3600, "zone_silenced"),
    ],
)
def test_no_moment_of_an_ordinary_sound_is_inside_a_silence(wall: str, length_s: int, expected: str) -> None:
    life = under(Clause(), silences=(Closure("C1", at("10:00"), at("12:00")),))
    assert told(life, play(wall, length_s, zones=("C1",))) == [expected]
    assert told(life, play(wall, length_s, zones=("C1",), cls="emergency")) == ["played"]


def test_on_the_reserve_only_emergencies_sound() -> None:
    life = under(Clause(), reserves=(Span(at("10:00"), at("12:00")),))
    assert told(life, play("09:58"), play("10:00"), play("11:00", cls="emergency"), play("12:00")) == [
        "played",
        "battery_reserve",
        "played",
        "played",
    ]


def test_lock_then_silence_then_reserve_and_all_before_the_policy() -> None:
    window = ExceptionWindow("E1", at("10:00"), at("12:00"), session_s=600)
    life = under(
        Clause(weekdays=(7,)),
        exceptions=(window,),
        locks=(Closure("C1", at("10:00"), at("12:00")),),
        silences=(Closure("C1", at("10:00"), at("12:00")), Closure("C2", at("10:00"), at("12:00"))),
        reserves=(Span(at("10:00"), at("12:00")),),
    )
    (told,) = judged(life, play("11:00"))
    assert told.zone_reasons == {"C1": "zone_locked", "C2": "zone_silenced", "C3": "battery_reserve"}
    assert told.reason == "zone_locked"
