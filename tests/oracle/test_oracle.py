"""The oracle against sentences of docs/wards-day.md, each worked out by hand. 2026-10-06 is a Tuesday."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.oracle.cases import ALL, TUESDAY, at, judged, last, play, told, under
from tests.oracle.oracle import Expected
from tests.oracle.walltime import local_name
from tests.oracle.world import (
    Clause,
    Closure,
    Cls,
    ExceptionWindow,
    Play,
    Rule,
)


def test_the_oracle_shares_no_code_with_the_station() -> None:
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.startswith("edge_agent") for name in names), path.name


# ---------------------------------------------------------------- what plays is told in full


def test_a_played_sound_is_told_with_its_zones_volumes_and_length() -> None:
    loops = play("10:00", 45, loops=2, gap_s=10, volume=90, zones=("C2", "C1"))
    (told,) = judged(under(Clause(volume=(("06:00", "21:00", 70),))), loops)
    assert told == Expected(
        "at 10:00", at("10:00"), "played", None, ("C1", "C2"), {}, {"C1": 70, "C2": 70}, at("10:00"), 100, "policy"
    )


def test_a_zone_that_must_not_hear_stays_out_and_the_others_play() -> None:
    (told,) = judged(under(Clause(), Clause(zones=("C2",), quiet=("09:00", "11:00"))), play("10:00"))
    assert (told.outcome, told.zones, told.zone_reasons) == ("played", ("C1", "C3"), {"C2": "quiet_hours"})
    assert set(told.volume) == {"C1", "C3"}


def test_a_refusal_takes_the_reason_of_the_first_zone_in_the_stations_order() -> None:
    life = under(Clause(zones=("C2",), weekdays=(1,)), Clause(zones=("C3",), quiet=("09:00", "11:00")))
    (told,) = judged(life, play("10:00", zones=("C3", "C2")))
    assert (told.outcome, told.reason) == ("refused", "weekday_mask")
    assert list(told.zone_reasons.items()) == [("C2", "weekday_mask"), ("C3", "quiet_hours")]
    assert (told.zones, told.volume, told.started, told.lasted_s, told.basis) == ((), {}, None, 0, None)


def test_an_excluded_day_of_a_rule_is_skipped() -> None:
    rule = Rule("Asia/Ho_Chi_Minh", "2026-10-05", "2026-10-09", (1, 2, 3), ("17:00:00",), ("2026-10-06",))
    told = judged(under(Clause()), Play("rule", "normal", ALL, rule, 60))
    assert [(local_name(each.planned), each.outcome) for each in told] == [
        ("2026-10-05T17:00:00", "played"),
        ("2026-10-06T17:00:00", "skipped"),
        ("2026-10-07T17:00:00", "played"),
    ]


# ---------------------------------------------------------------- section 2: check by check


def test_a_holiday_is_the_local_day_on_which_a_sound_begins() -> None:
    life = under(Clause(holidays=(TUESDAY,)))
    told_by_begin = told(
        life, play("23:59:59", day="2026-10-05"), play("00:01"), play("23:59:59"), play("00:01", day="2026-10-07")
    )
    assert told_by_begin == ["played", "holiday", "holiday", "played"]


def test_weekdays_are_those_of_the_day_on_which_a_sound_begins() -> None:
    life = under(Clause(weekdays=(2,)))
    assert told(life, play("23:59:59", day="2026-10-05"), play("00:01"), play("23:59:59")) == [
        "weekday_mask",
        "played",
        "played",
    ]


@pytest.mark.parametrize(
    ("wall", "length_s", "expected"),
    [
        ("20:59:00", 60, "played"),  # ends at 21:00:00
        ("20:59:00", 61, "quiet_hours"),
        ("21:00:00", 1, "quiet_hours"),
        ("04:59:59", 1, "quiet_hours"),
        ("04:59:59", 2, "quiet_hours"),
        ("05:00:00", 1, "played"),
        ("20:00:00", 10 * 3600, "quiet_hours"),  # begins before them and ends after them
    ],
)
def test_no_moment_of_a_sound_is_inside_quiet_hours_over_midnight(wall: str, length_s: int, expected: str) -> None:
    assert told(under(Clause(quiet=("21:00", "05:00"))), play(wall, length_s)) == [expected]


@pytest.mark.parametrize(
    ("wall", "length_s", "expected"),
    [
        ("11:29:00", 60, "played"),
        ("11:29:00", 61, "quiet_hours"),
        ("12:59:59", 1, "quiet_hours"),
        ("13:00", 1, "played"),
    ],
)
def test_quiet_hours_within_a_day(wall: str, length_s: int, expected: str) -> None:
    assert told(under(Clause(quiet=("11:30", "13:00"))), play(wall, length_s)) == [expected]


def test_equal_quiet_hours_are_the_whole_day() -> None:
    assert told(under(Clause(quiet=("12:00", "12:00"))), play("11:59"), play("12:30")) == ["quiet_hours"] * 2


def test_the_gap_between_loops_counts_for_quiet_hours() -> None:
    looped = play("10:59:00", 60, loops=2, gap_s=3600)
    assert told(under(Clause(quiet=("11:30", "11:31"))), looped) == ["quiet_hours"]


@pytest.mark.parametrize(
    ("second", "length_s", "expected"),
    [
        ("10:05:59", 241, "played"),  # 59 s after the first ended; the session ends at 10:10:00
        ("10:05:59", 242, "session_too_long"),
        ("10:06:00", 600, "played"),  # 60 s after: a session of its own
        ("10:06:00", 601, "session_too_long"),
    ],
)
def test_a_session_goes_on_for_less_than_60_s_and_lasts_from_first_sample_to_end(
    second: str, length_s: int, expected: str
) -> None:
    assert last(under(Clause(session_s=600)), play("10:00", 300), play(second, length_s)) == expected


def test_a_session_is_a_chain_of_all_its_sounds() -> None:
    chain = [play("10:00:00", 100), play("10:02:00", 100), play("10:04:00", 60)]
    assert last(under(Clause(session_s=300)), *chain) == "played"
    assert last(under(Clause(session_s=299)), *chain) == "session_too_long"


def test_a_refused_sound_links_no_session() -> None:
    life = under(Clause(session_s=300), Clause(classes=("priority",), weekdays=(7,)))
    assert told(life, play("10:00", 100), play("10:02", 100, cls="priority"), play("10:04", 300)) == [
        "played",
        "weekday_mask",
        "played",
    ]


def test_only_so_many_sessions_begin_on_a_day() -> None:
    day = [play("08:00"), play("08:01:30"), play("10:00"), play("10:02:00"), play("10:02:30")]
    # 08:01:30 goes on with the first (30 s after it), 10:02:00 is 60 s after the second.
    assert told(under(Clause(sessions_per_day=2)), *day) == [
        "played",
        "played",
        "played",
        "sessions_per_day",
        "sessions_per_day",
    ]


def test_a_session_belongs_to_the_day_on_which_it_began() -> None:
    over_midnight = [play("23:59:30", 60), play("00:01:00", 60, day="2026-10-07")]
    life = under(Clause(sessions_per_day=1))
    assert told(life, *over_midnight, play("09:00", day="2026-10-07"), play("12:00", day="2026-10-07")) == [
        "played",
        "played",
        "played",
        "sessions_per_day",
    ]


def test_what_sounded_on_a_day_and_this_one_may_not_be_longer_together() -> None:
    first = play("08:00", 500)
    assert last(under(Clause(day_s=600)), first, play("12:00", 100)) == "played"
    assert last(under(Clause(day_s=600)), first, play("12:00", 101)) == "minutes_per_day"
    assert last(under(Clause(day_s=600)), first, play("12:00", 600, day="2026-10-07")) == "played"


def test_a_sound_over_midnight_counts_for_the_day_on_which_it_began() -> None:
    life = under(Clause(day_s=600))
    late = play("23:55", 600, day="2026-10-05")
    assert last(life, late, play("08:00", 600)) == "played"
    assert last(life, play("08:00", 301, day="2026-10-05"), replace(late, sound_s=300)) == "minutes_per_day"


def test_overlaps_count_once() -> None:
    left, right = play("08:00", 400, zones=("C1",)), play("08:05", 200, zones=("C2",))
    assert last(under(Clause(day_s=500)), left, right) == "played"
    assert last(under(Clause(day_s=499)), left, right) == "minutes_per_day"
    assert last(under(Clause(session_s=500)), left, right) == "played"
    assert last(under(Clause(session_s=499)), left, right) == "session_too_long"


def test_the_first_check_in_the_order_of_the_table_is_the_reason() -> None:
    strictest = {
        "holidays": (TUESDAY,),
        "weekdays": (7,),
        "quiet": ("09:00", "13:00"),
        "session_s": 10,
        "sessions_per_day": 0,
        "day_s": 20,
    }
    reasons = ["holiday", "weekday_mask", "quiet_hours", "session_too_long", "sessions_per_day", "minutes_per_day"]
    for reason in reasons:
        # Each check has a clause to itself, the last ones first: the table's order counts, not the list's.
        clauses = [Clause(**{check: limit}) for check, limit in reversed(strictest.items())]  # type: ignore[arg-type]
        assert told(under(*clauses), play("10:00")) == [reason]
        del strictest[next(iter(strictest))]


# ---------------------------------------------------------------- section 2: whose sounds a clause counts


def test_a_clause_speaks_about_its_classes_and_zones_only() -> None:
    life = under(Clause(classes=("priority",), zones=("C1",), quiet=("00:00", "00:00")))
    assert told(life, play("08:00"), play("09:00", cls="priority", zones=("C2",))) == ["played", "played"]
    assert judged(life, play("08:00", cls="priority"))[0].zone_reasons == {"C1": "quiet_hours"}


@pytest.mark.parametrize(("zones", "expected"), [(("C1", "C3"), "sessions_per_day"), (("C3",), "played")])
def test_a_clause_counts_what_sounded_in_its_zones(zones: tuple[str, ...], expected: str) -> None:
    life = under(Clause(zones=("C1", "C2"), sessions_per_day=1))
    assert last(life, play("08:00", zones=zones), play("10:00", zones=("C2",))) == expected


def test_a_zone_that_stayed_out_is_not_counted_there() -> None:
    life = under(Clause(zones=("C1",), sessions_per_day=1), silences=(Closure("C1", at("07:00"), at("09:00")),))
    assert told(life, play("08:00"), play("10:00", zones=("C1",))) == ["played", "played"]


def test_a_general_clause_counts_the_whole_station() -> None:
    assert last(under(Clause(sessions_per_day=1)), play("08:00", zones=("C1",)), play("10:00", zones=("C2",))) == (
        "sessions_per_day"
    )


@pytest.mark.parametrize(("cls", "expected"), [("normal", "sessions_per_day"), ("priority", "played")])
def test_a_clause_counts_its_own_classes(cls: Cls, expected: str) -> None:
    life = under(Clause(classes=("normal",), sessions_per_day=1))
    assert last(life, play("08:00", cls=cls), play("10:00")) == expected


def test_emergencies_count_in_no_budget_and_are_held_to_none() -> None:
    life = under(
        Clause(quiet=("00:00", "00:00"), weekdays=(7,)), Clause(sessions_per_day=1, volume=(("00:00", "12:00", 5),))
    )
    (night,) = judged(life, play("03:00", cls="emergency"))
    assert (night.outcome, night.volume["C1"], night.basis) == ("played", 100, "emergency")
    counting = under(Clause(sessions_per_day=1, day_s=60))
    assert last(counting, play("08:00", cls="emergency"), play("10:00")) == "played"


def test_what_sounded_under_an_exception_is_not_counted() -> None:
    window = ExceptionWindow("E1", at("08:00"), at("08:10"), session_s=600)
    life = under(Clause(sessions_per_day=1, session_s=60, day_s=60), exceptions=(window,))
    told = judged(life, play("08:00", 590), play("08:10:00"), play("09:00"))
    assert [each.basis for each in told] == ["E1", "policy", None]
    # 08:10:00 begins 10 s after the sound before it, and still a session of its own.
    assert told[-1].reason == "sessions_per_day"


# ---------------------------------------------------------------- section 2: cut into quiet


def test_a_sound_that_runs_into_quiet_hours_is_cut_where_they_begin() -> None:
    life = under(Clause(quiet=("21:00", "05:00")), into_quiet="cut")
    (told,) = judged(life, play("20:50", 1200))
    assert (told.outcome, told.reason, told.lasted_s, told.zones) == ("cut", "quiet_hours", 600, ALL)


def test_a_sound_that_ends_with_the_quiet_hours_beginning_is_not_cut() -> None:
    life = under(Clause(quiet=("21:00", "05:00")), into_quiet="cut")
    assert told(life, play("20:50", 600)) == ["played"]
    assert judged(life, play("20:50", 601))[0].lasted_s == 600


@pytest.mark.parametrize("wall", ["21:00:00", "23:00:00", "04:59:59"])
def test_a_sound_that_begins_inside_is_refused_and_not_cut(wall: str) -> None:
    (told,) = judged(under(Clause(quiet=("21:00", "05:00")), into_quiet="cut"), play(wall, 7200))
    assert (told.outcome, told.reason) == ("refused", "quiet_hours")


def test_the_other_checks_count_a_cut_sound_up_to_there() -> None:
    quiet = ("21:00", "05:00")
    life = under(Clause(quiet=quiet, session_s=600, day_s=900), into_quiet="cut")
    assert [each.outcome for each in judged(life, play("08:00", 300), play("20:50", 1200))] == ["played", "cut"]
    assert told(life, play("08:00", 301), play("20:50", 1200)) == ["played", "minutes_per_day"]
    assert told(life, play("20:49:59", 1200)) == ["session_too_long"]


def test_a_cut_sound_counts_for_what_it_lasted() -> None:
    life = under(Clause(quiet=("12:00", "12:01"), day_s=700), into_quiet="cut")
    assert told(life, play("11:50", 1200), play("15:00", 100)) == ["quiet_hours", "played"]
    assert last(life, play("11:50", 1200), play("15:00", 101)) == "minutes_per_day"


def test_a_band_after_the_cut_is_not_touched() -> None:
    life = under(Clause(quiet=("21:00", "05:00"), volume=(("21:00", "05:00", 10),)), into_quiet="cut")
    assert judged(life, play("20:50", 1200))[0].volume["C1"] == 100
