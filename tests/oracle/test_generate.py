"""The lives that are drawn reach every rule and its edges, and are the same ones for a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from tests.oracle import strips
from tests.oracle.generate import CLEAR_S, random_days, random_year
from tests.oracle.oracle import Expected, expect, expecting
from tests.oracle.orders import APART_S
from tests.oracle.policies import KINDS
from tests.oracle.walltime import DAY_S, HOUR_S, MINUTE_S, local_day, local_name, local_second, second_of_day, wall_name
from tests.oracle.world import Clause, Instant, Life, Policy, Rule, timeline

SEEDS = range(len(KINDS))
# One for each kind of policy to begin with.

REASONS = {
    "holiday",
    "weekday_mask",
    "quiet_hours",
    "session_too_long",
    "sessions_per_day",
    "minutes_per_day",
    "outside_exception",
    "zone_locked",
    "zone_silenced",
    "battery_reserve",
}


@cache
def lived(seed: int) -> tuple[Life, list[Expected]]:
    life = random_year(seed)
    return life, expect(life)


def differs(life: Life, told: list[Expected]) -> bool:
    """Whether anything else is expected of this life; the first difference is enough."""
    return any(one != other for one, other in zip(expecting(life), told, strict=True))


def sounding(life: Life) -> list[Instant]:
    return [each for each in timeline(life.plays) if not each.excluded]


def test_a_seed_gives_the_same_life_and_another_seed_another() -> None:
    assert random_days(7, 40) == random_days(7, 40)
    assert random_days(7, 40) != random_days(8, 40)
    life = random_days(7, 40)
    assert expect(life) == expect(life)


@pytest.mark.parametrize("days", [1, 3, 31])
def test_a_short_life_can_be_drawn_too(days: int) -> None:
    for seed in range(20):
        life = random_days(seed, days)
        assert {local_day(each.utc) for each in timeline(life.plays)} <= set(range(20_454, 20_454 + days))


def test_three_years_reach_every_outcome_and_every_reason() -> None:
    told = [each for seed in (2, 3, 4) for each in lived(seed)[1]]
    assert {each.outcome for each in told} == {"played", "refused", "cut", "skipped"}
    assert {each.reason for each in told if each.outcome == "refused"} == REASONS
    stayed_out = {reason for each in told if each.zones for reason in each.zone_reasons.values()}
    assert stayed_out >= {"zone_locked", "zone_silenced", "outside_exception", "quiet_hours", "sessions_per_day"}


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_has_four_to_eight_sounds(seed: int) -> None:
    life, told = lived(seed)
    assert 2 <= len(life.zones) <= 4
    assert 4 <= len(told) / life.days <= 8
    assert [each.planned for each in told] == sorted({each.planned for each in told}), "no two begin at once"


@pytest.mark.parametrize("seed", SEEDS)
def test_sounds_never_meet_in_a_zone(seed: int) -> None:
    life, _ = lived(seed)
    for zone in life.zones:
        ends = 0
        for each in timeline(life.plays):
            if zone.name in each.play.zones:
                assert each.utc >= ends
                ends = each.utc + each.play.length_s + APART_S


def test_sounds_meet_nowhere_in_a_life_that_was_asked_to_keep_them_apart() -> None:
    ends = 0
    for each in timeline(random_days(3, 120, together=False).plays):
        assert each.utc >= ends
        ends = each.utc + each.play.length_s + APART_S


@pytest.mark.parametrize("seed", SEEDS)
def test_no_command_falls_into_a_sound_that_it_concerns(seed: int) -> None:
    life, _ = lived(seed)
    changes = [(zone.name, edge) for zone in life.zones for span in life.reserves for edge in (span.begins, span.ends)]
    changes += [(lock.zone, edge) for lock in life.locks for edge in (lock.begins, lock.ends)]
    changes += [(each.zone, each.since) for each in life.set_ceilings]
    assert all(0 < lock.ends - lock.begins <= 4 * HOUR_S for lock in life.locks)
    for each in timeline(life.plays):
        near = range(each.utc - CLEAR_S, each.utc + each.play.length_s + CLEAR_S)
        assert not [1 for zone, edge in changes if edge in near and zone in each.play.zones], local_name(each.utc)


def test_edges_are_hit_to_the_second() -> None:
    """How often, in seven years: never by luck alone."""
    hits = dict.fromkeys(
        [
            "begins with a window",
            "ends with a window",
            "begins as a window ends",
            "ends as a silence begins",
            "begins as a silence ends",
            "begins with a regulation",
            "over midnight",
        ],
        0,
    )
    for seed in SEEDS:
        life, _ = lived(seed)
        begins = {window.begins for window in life.exceptions}
        ends = {window.ends for window in life.exceptions}
        silent_from = {(each.zone, each.begins) for each in life.silences}
        silent_to = {(each.zone, each.ends) for each in life.silences}
        effects = {each.takes_effect for each in life.regulations}
        for each in sounding(life):
            stop = each.utc + each.play.length_s
            hits["begins with a window"] += each.utc in begins
            hits["ends with a window"] += stop in ends
            hits["begins as a window ends"] += each.utc in ends
            hits["ends as a silence begins"] += any((zone, stop) in silent_from for zone in each.play.zones)
            hits["begins as a silence ends"] += any((zone, each.utc) in silent_to for zone in each.play.zones)
            hits["begins with a regulation"] += each.utc in effects
            hits["over midnight"] += local_day(each.utc) != local_day(stop - 1)
    assert all(count >= 3 for count in hits.values()), hits


def test_edges_of_quiet_hours_are_played_to_the_second() -> None:
    played = [each for seed in SEEDS for each in lived(seed)[1] if each.outcome == "played" and each.basis == "policy"]
    ends = [local_second(each.planned + each.lasted_s) for each in played]
    assert ends.count(second_of_day("21:00")) >= 10
    begins = [local_second(each.planned) for each in played]
    assert begins.count(second_of_day("05:00")) >= 10
    over_midnight = [each for each in played if local_second(each.planned) + each.lasted_s > DAY_S]
    assert len(over_midnight) >= 10
    cut_at = {
        local_second(each.planned + each.lasted_s) for seed in SEEDS for each in lived(seed)[1] if each.outcome == "cut"
    }
    assert cut_at >= {second_of_day("21:00"), second_of_day("20:00"), second_of_day("12:00")}


def test_sessions_join_and_miss_by_a_second() -> None:
    gaps: dict[int, int] = {}
    for seed in SEEDS:
        played = [each for each in lived(seed)[1] if each.zones]
        for before, after in pairwise(played):
            gap_s = after.planned - before.planned - before.lasted_s
            gaps[gap_s] = gaps.get(gap_s, 0) + 1
    assert all(gaps.get(gap_s, 0) >= 10 for gap_s in (8, 30, 59, 60, 61, 90)), gaps


def test_rules_are_drawn_in_wall_time_that_is_skipped_and_repeated() -> None:
    odd = {"2026-03-29": 0, "2026-10-25": 0}
    for seed in range(30):
        if all(count >= 3 for count in odd.values()):
            break  # drawing a year takes its time
        for play in lived(seed)[0].plays if seed in SEEDS else random_year(seed).plays:
            if isinstance(play.when, Rule) and play.when.timezone == "Europe/Berlin":
                at_two = any(wall.startswith("02:") for wall in play.when.times) and 7 in play.when.weekdays
                for day in odd:
                    odd[day] += at_two and play.when.first_day <= day <= play.when.last_day
    assert all(count >= 3 for count in odd.values()), odd


def with_clauses(life: Life, change: Callable[[Clause], Clause]) -> Life:
    def changed(policy: Policy) -> Policy:
        return replace(policy, clauses=tuple(change(clause) for clause in policy.clauses))

    regulations = tuple(replace(each, policy=changed(each.policy)) for each in life.regulations)
    return replace(life, own_policy=life.own_policy and changed(life.own_policy), regulations=regulations)


def later(wall: str, by_s: int) -> str:
    return wall_name((second_of_day(wall) + by_s) % DAY_S)


def quiet_moved(clause: Clause, first_by_s: int, last_by_s: int) -> Clause:
    if clause.quiet is None or clause.quiet[0] == clause.quiet[1]:
        return clause
    return replace(clause, quiet=(later(clause.quiet[0], first_by_s), later(clause.quiet[1], last_by_s)))


def moved(amount: int | None, by: int) -> int | None:
    return None if amount is None else amount + by


OFF_BY_ONE: dict[str, Callable[[Life, int], Life]] = {
    "session_s": lambda life, by: with_clauses(life, lambda each: replace(each, session_s=moved(each.session_s, by))),
    "day_s": lambda life, by: with_clauses(life, lambda each: replace(each, day_s=moved(each.day_s, by))),
    "sessions_per_day": lambda life, by: with_clauses(
        life, lambda each: replace(each, sessions_per_day=moved(each.sessions_per_day, by))
    ),
    "quiet from": lambda life, by: with_clauses(life, lambda each: quiet_moved(each, by, 0)),
    "quiet to": lambda life, by: with_clauses(life, lambda each: quiet_moved(each, 0, by)),
    "exception begins": lambda life, by: replace(
        life, exceptions=tuple(replace(each, begins=each.begins + by) for each in life.exceptions)
    ),
    "exception ends": lambda life, by: replace(
        life, exceptions=tuple(replace(each, ends=each.ends + by) for each in life.exceptions)
    ),
    "exception session_s": lambda life, by: replace(
        life, exceptions=tuple(replace(each, session_s=each.session_s + by) for each in life.exceptions)
    ),
    "exception total_s": lambda life, by: replace(
        life, exceptions=tuple(replace(each, total_s=moved(each.total_s, by)) for each in life.exceptions)
    ),
    "silence begins": lambda life, by: replace(
        life, silences=tuple(replace(each, begins=each.begins + by) for each in life.silences)
    ),
    "silence ends": lambda life, by: replace(
        life, silences=tuple(replace(each, ends=each.ends + by) for each in life.silences)
    ),
    "regulation": lambda life, by: replace(
        life, regulations=tuple(replace(each, takes_effect=each.takes_effect + by) for each in life.regulations)
    ),
}


@pytest.mark.parametrize("by", [1, -1])
@pytest.mark.parametrize("what", OFF_BY_ONE)
def test_a_station_that_is_wrong_by_one_second_is_told(what: str, by: int) -> None:
    """Every limit and edge is met so closely by some sound that moving it by one changes what is expected."""
    off_by_one = OFF_BY_ONE[what]
    assert any(differs(off_by_one(lived(seed)[0], by), lived(seed)[1]) for seed in SEEDS)


@pytest.mark.parametrize("gap_s", [59, 61])
def test_a_station_that_joins_sessions_wrongly_by_one_second_is_told(
    gap_s: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    years = [lived(seed) for seed in SEEDS]
    monkeypatch.setattr(strips, "SESSION_GAP_S", gap_s)
    assert any(differs(life, told) for life, told in years)


def test_windows_are_whole_minutes() -> None:
    """So that they can be written down in any form of order."""
    life, _ = lived(0)
    edges = [edge for each in (*life.silences, *life.locks) for edge in (each.begins, each.ends)]
    edges += [edge for window in life.exceptions for edge in (window.begins, window.ends)]
    assert not [edge for edge in edges if edge % MINUTE_S]
