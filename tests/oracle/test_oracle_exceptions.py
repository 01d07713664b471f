"""The oracle against section 3 of docs/wards-day.md: what an exception lets happen, and which one of several."""

from __future__ import annotations

from typing import Any

import pytest

from tests.oracle.cases import ALL, at, judged, last, play, told, under
from tests.oracle.world import Clause, Closure, ExceptionWindow, Life

CLOSED = Clause(weekdays=(7,))


def window(begins: str, ends: str, session_s: int = 600, window_id: str = "E1", **more: Any) -> ExceptionWindow:
    return ExceptionWindow(window_id, at(begins), at(ends), session_s, **more)


def excepted(*windows: ExceptionWindow, **more: Any) -> Life:
    return under(CLOSED, exceptions=windows, **more)


@pytest.mark.parametrize(
    ("wall", "length_s", "expected"),
    [
        ("09:59:59", 60, "weekday_mask"),  # begins before it: not covered
        ("10:00:00", 60, "played"),
        ("10:59:00", 60, "played"),  # ends with it
        ("10:59:00", 61, "outside_exception"),
        ("11:00:00", 60, "weekday_mask"),  # begins as it ends: not covered
    ],
)
def test_it_covers_what_begins_inside_and_lets_nothing_end_after_it(wall: str, length_s: int, expected: str) -> None:
    assert told(excepted(window("10:00", "11:00")), play(wall, length_s)) == [expected]


def test_it_covers_its_classes() -> None:
    life = excepted(window("10:00", "11:00", classes=("priority",)))
    assert told(life, play("10:00"), play("10:30", cls="priority")) == ["weekday_mask", "played"]


def test_a_zone_that_it_does_not_name_stays_out() -> None:
    life = excepted(window("10:00", "11:00", zones=("C2",)))
    (told_of_all,) = judged(life, play("10:00"))
    assert (told_of_all.zones, told_of_all.basis) == (("C2",), "E1")
    assert told_of_all.zone_reasons == {"C1": "outside_exception", "C3": "outside_exception"}
    assert told(life, play("10:00", zones=("C1", "C3"))) == ["weekday_mask"]


def test_the_policys_checks_do_not_apply() -> None:
    strict = Clause(holidays=("2026-10-06",), quiet=("00:00", "00:00"), sessions_per_day=0, session_s=1, day_s=1)
    assert told(under(strict, exceptions=(window("02:00", "03:00"),)), play("02:30", 600)) == ["played"]


def test_its_session_is_counted_among_its_own_sounds() -> None:
    life = excepted(window("10:00", "12:00", session_s=300))
    assert last(life, play("10:00", 100), play("10:02:39", 141)) == "played"
    assert last(life, play("10:00", 100), play("10:02:39", 142)) == "session_too_long"
    assert last(life, play("10:00", 100), play("10:02:40", 300)) == "played"
    before = under(Clause(), exceptions=(window("10:02", "12:00", session_s=300, classes=("priority",)),))
    assert last(before, play("10:00", 100), play("10:02", 300, cls="priority")) == "played"


def test_all_its_sounds_together_may_not_be_longer_than_its_total() -> None:
    life = excepted(window("10:00", "12:00", total_s=300))
    assert told(life, play("10:00", 200), play("11:00", 101), play("11:30", 100)) == [
        "played",
        "minutes_per_day",
        "played",
    ]


def test_its_volume_takes_the_place_of_the_bands_and_of_no_ceiling() -> None:
    clause = Clause(weekdays=(7,), volume=(("00:00", "23:00", 30),))
    louder = under(clause, exceptions=(window("10:00", "12:00", volume=90),))
    assert judged(louder, play("10:00", volume=95))[0].volume == dict.fromkeys(ALL, 90)
    assert judged(louder, play("10:00", volume=70))[0].volume == dict.fromkeys(ALL, 70)
    silent_about_it = under(clause, exceptions=(window("10:00", "12:00"),))
    assert judged(silent_about_it, play("10:00"))[0].volume == dict.fromkeys(ALL, 30)


def test_of_several_the_one_that_begins_first_then_the_lower_id() -> None:
    late, early = window("10:00", "12:00", window_id="A"), window("09:00", "12:00", window_id="B")
    assert judged(excepted(late, early), play("10:30"))[0].basis == "B"
    twin = window("09:00", "12:00", window_id="AA")
    assert judged(excepted(late, early, twin), play("10:30"))[0].basis == "AA"


def test_the_basis_that_lets_most_zones_hear_goes_before_the_order() -> None:
    one, two = window("09:00", "12:00", zones=("C1",)), window("10:00", "12:00", window_id="E2", zones=("C2", "C3"))
    assert judged(excepted(one, two), play("10:30"))[0].zones == ("C2", "C3")
    assert judged(excepted(one, two), play("09:30"))[0].zones == ("C1",)


def test_a_policy_that_lets_more_zones_hear_wins_and_one_that_lets_as_many_does_not() -> None:
    def basis(*zones: str) -> str | None:
        life = under(Clause(zones=("C3",), weekdays=(7,)), exceptions=(window("10:00", "12:00", zones=zones),))
        return judged(life, play("10:30"))[0].basis

    assert basis("C1") == "policy"
    assert basis("C1", "C3") == "E1"


def test_no_exception_passes_a_silence_and_silenced_zones_do_not_count_for_the_basis() -> None:
    silence = Closure("C1", at("10:00"), at("12:00"))
    one, two = window("09:00", "12:00", zones=("C1",)), window("10:00", "12:00", window_id="E2", zones=("C2",))
    (told_of_all,) = judged(excepted(one, two, silences=(silence,)), play("10:30"))
    assert told_of_all.basis == "E2"
    assert told_of_all.zone_reasons == {"C1": "zone_silenced", "C3": "outside_exception"}


def test_where_no_basis_lets_any_zone_hear_the_first_one_gives_the_reasons() -> None:
    assert told(excepted(window("10:00", "12:00", session_s=10)), play("10:30")) == ["session_too_long"]
