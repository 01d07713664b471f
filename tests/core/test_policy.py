"""The ward's own rules: quiet hours of any shape, and every ceiling of volume."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from edge_agent.core import policy
from edge_agent.core.job import Audience, JobClass
from edge_agent.core.order import Heading, Loosening, Regulation, Window
from edge_agent.core.past import Sounded
from edge_agent.core.policy import Rules, Wish
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD, Clause, IntoQuiet, LocalPolicy, VolumeBand, ZoneSite
from edge_agent.core.units import MINUTE_MS, SECOND_MS, JobId, UtcMs, ZoneId
from tests.core.bench import CHO, DINH
from tests.trust import makers

HANOI = "Asia/Ho_Chi_Minh"


def at(clock: str, day: str = "2026-10-06") -> UtcMs:
    return UtcMs(int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(HANOI)).timestamp() * 1000))


NIGHT = (time(21), time(5))
BOTH = (CHO, DINH)


def wish(clock: str, *, seconds: float = 10, cls: JobClass = JobClass.NORMAL, live: bool = False) -> Wish:
    """An ordinary sound in both zones, on a Tuesday."""
    return Wish(cls, BOTH, at(clock), round(seconds * SECOND_MS), live=live)


def past(
    clock: str,
    seconds: int,
    *,
    day: str = "2026-10-06",
    zones: tuple[ZoneId, ...] = BOTH,
    cls: JobClass = JobClass.NORMAL,
    under: str = "",
    live: bool = False,
) -> Sounded:
    start = at(clock, day)
    return Sounded(JobId("j"), cls, start, UtcMs(start + seconds * SECOND_MS), frozenset(zones), under, live=live)


def rules(*clauses: Clause, before: list[tuple[str, int]] | None = None, **laid: Any) -> Rules:
    """The clauses, and what sounded ``before``: (clock, seconds) each."""
    sounded = (*laid.pop("past", ()), *(past(clock, seconds) for clock, seconds in before or ()))
    return Rules(makers.make_site(), LocalPolicy(clauses), past=sounded, **laid)


def window(
    name: str, begins: str, ends: str, *, silence: bool = False, zones: tuple[ZoneId, ...] = (), **over: Any
) -> Window:
    audience = Audience(frozenset(), frozenset(), frozenset(zones))
    heading = Heading(JobId(name), "ubnd", "commune", 0, 1, UtcMs(0), UtcMs(0), UtcMs(2**41), audience)
    loosens = Loosening(**{"classes": frozenset({JobClass.NORMAL}), "session_ms": 30 * MINUTE_MS, **over})
    return Window(heading, at(begins), at(ends), "01/CV", None if silence else loosens)


def reason_for(laid: Rules, clock: str, **wanted: Any) -> Reason | None:
    return policy.judge(laid, wish(clock, **wanted)).reason


def test_without_quiet_hours_the_night_is_free() -> None:
    assert reason_for(rules(Clause()), "03:15:00") is None


def test_an_emergency_is_exempt_and_an_ordinary_job_is_not() -> None:
    assert reason_for(rules(STANDARD), "03:15:00", cls=JobClass.EMERGENCY) is None
    assert reason_for(rules(STANDARD), "03:15:00") is Reason.QUIET_HOURS
    assert reason_for(rules(STANDARD), "12:00:00") is None


@pytest.mark.parametrize(
    ("clock", "ordered", "loud"),
    [("05:00:00", 100, 55), ("05:30:00", 100, 55), ("06:00:00", 100, 80), ("12:00:00", 40, 40)],
)
def test_every_ceiling_applies_to_an_ordinary_job(clock: str, ordered: int, loud: int) -> None:
    assert policy.volume_at(rules(STANDARD), wish(clock), CHO, ordered) == loud


def test_a_sound_that_touches_a_quieter_band_keeps_to_it_throughout() -> None:
    assert policy.volume_at(rules(STANDARD), wish("05:59:00", seconds=120), CHO, 100) == 55
    evening = rules(Clause(volume_bands=(VolumeBand(time(18), time(21), 40),)))
    assert policy.volume_at(evening, wish("17:59:00", seconds=61), CHO, 100) == 40
    assert policy.volume_at(evening, wish("17:59:00", seconds=60), CHO, 100) == 100


def test_a_band_may_cross_midnight() -> None:
    late = rules(Clause(volume_bands=(VolumeBand(time(20), time(6), 30),)))
    assert policy.volume_at(late, wish("20:30:00"), CHO, 70) == 30
    assert policy.volume_at(late, wish("05:59:00"), CHO, 70) == 30
    assert policy.volume_at(late, wish("12:00:00"), CHO, 70) == 70


def test_an_emergency_keeps_under_the_zones_own_ceiling_only() -> None:
    site = makers.make_site(zones={CHO: ZoneSite(CHO, "cho", 0, volume_max=90)})
    flood = wish("05:30:00", cls=JobClass.EMERGENCY)
    assert policy.volume_at(Rules(site, site.policy, volumes={CHO: 10}), flood, CHO, 100) == 90


def test_a_volume_that_was_set_by_command_is_a_ceiling() -> None:
    turned_down = rules(STANDARD, volumes={CHO: 20})
    assert policy.volume_at(turned_down, wish("12:00:00"), CHO, 70) == 20
    assert policy.volume_at(turned_down, wish("12:00:00"), CHO, 10) == 10
    assert policy.volume_at(turned_down, wish("12:00:00"), DINH, 70) == 70


def test_the_day_itself_may_be_forbidden() -> None:
    assert reason_for(rules(Clause(weekdays=frozenset({1, 3}))), "12:00:00") is Reason.WEEKDAY_MASK  # a Tuesday
    assert reason_for(rules(Clause(weekdays=frozenset({2}))), "12:00:00") is None
    assert reason_for(rules(Clause(holidays=frozenset({date(2026, 10, 6)}))), "12:00:00") is Reason.HOLIDAY
    assert reason_for(rules(Clause(holidays=frozenset({date(2026, 10, 7)}))), "12:00:00") is None


@pytest.mark.parametrize(
    ("before", "start", "reason"),
    [
        ([], "12:00:00", None),
        ([("05:30:00", 600)], "12:00:00", None),
        ([("05:30:00", 600), ("11:00:00", 600)], "12:00:00", Reason.SESSIONS_PER_DAY),
        ([("05:30:00", 600), ("11:00:00", 600)], "11:10:59", None),  # goes on with the second one
        ([("05:30:00", 600), ("11:00:00", 600)], "11:11:00", Reason.SESSIONS_PER_DAY),  # a minute later it does not
        ([("05:30:00", 600), ("05:40:30", 600), ("05:51:29", 60)], "12:00:00", None),  # one session, in three parts
        ([("05:30:00", 600), ("12:00:30", 600)], "12:00:00", None),  # what began while it waited goes on with it
        ([("05:30:00", 600), ("12:02:00", 600)], "12:00:00", Reason.SESSIONS_PER_DAY),  # a minute behind it does not
        ([("05:30:00", 600), ("12:02:00", 600), ("12:00:00", 61)], "12:00:00", None),  # and what sounds beside it does
    ],
)
def test_sessions_of_a_day(before: list[tuple[str, int]], start: str, reason: Reason | None) -> None:
    assert reason_for(rules(Clause(sessions_per_day=2), before=before), start) is reason


def test_yesterdays_sessions_do_not_count_today() -> None:
    yesterday = [past(clock, 60, day="2026-10-05") for clock in ("05:30:00", "11:00:00")]
    assert reason_for(rules(Clause(sessions_per_day=2), past=yesterday), "12:00:00") is None


def test_a_session_is_as_long_as_from_its_first_sample_to_its_last() -> None:
    quarter = Clause(session_ms=15 * MINUTE_MS)
    assert reason_for(rules(quarter), "12:00:00", seconds=900) is None
    assert reason_for(rules(quarter), "12:00:00", seconds=901) is Reason.SESSION_TOO_LONG
    begun = rules(quarter, before=[("12:00:00", 600)])
    assert reason_for(begun, "12:10:30", seconds=270) is None
    assert reason_for(begun, "12:10:30", seconds=271) is Reason.SESSION_TOO_LONG
    assert reason_for(begun, "12:11:00", seconds=900) is None


def test_minutes_of_a_day_count_overlaps_once() -> None:
    hour = Clause(day_ms=60 * MINUTE_MS)
    both = [past("06:00:00", 1_800, zones=(CHO,)), past("06:10:00", 1_800, zones=(DINH,))]  # 40 minutes together
    assert reason_for(rules(hour, past=both), "12:00:00", seconds=1_200) is None
    assert reason_for(rules(hour, past=both), "12:00:00", seconds=1_201) is Reason.MINUTES_PER_DAY


def test_an_emergency_and_what_an_exception_let_count_in_no_limit() -> None:
    limits = Clause(sessions_per_day=1, day_ms=MINUTE_MS)
    free = [past("06:00:00", 600, cls=JobClass.EMERGENCY), past("07:00:00", 600, under="we-1")]
    assert reason_for(rules(limits, past=free), "12:00:00", seconds=60) is None


APART = Clause(sessions_per_day=1, session_ms=600_000, day_ms=600_000, live_day_ms=900_000)


def test_relays_with_minutes_of_their_own_use_up_nobody_elses() -> None:
    """And nobody uses up theirs."""
    both = [past("06:00:00", 900, live=True), past("12:00:00", 600)]
    laid = rules(APART, past=both)
    assert reason_for(laid, "17:00:00", live=True) is Reason.LIVE_MINUTES_PER_DAY
    assert reason_for(laid, "17:00:00") is Reason.SESSIONS_PER_DAY
    assert reason_for(rules(APART, past=both[1:]), "17:00:00", seconds=900, live=True) is None
    assert reason_for(rules(APART, past=both[1:]), "17:00:00", seconds=901, live=True) is Reason.LIVE_MINUTES_PER_DAY
    assert reason_for(rules(APART, past=both[:1]), "06:15:30", seconds=600) is None, "a relay is no part of its session"


def test_relays_count_as_all_else_where_a_regulation_says_nothing_of_them() -> None:
    """Forty-five minutes a session, relays included."""
    included = replace(APART, live_day_ms=None)
    relay = [past("06:00:00", 600, live=True)]
    assert reason_for(rules(included, past=relay), "06:10:30", seconds=1) is Reason.SESSION_TOO_LONG
    assert reason_for(rules(included, past=relay), "17:00:00", seconds=1, live=True) is Reason.SESSIONS_PER_DAY
    assert reason_for(rules(replace(included, sessions_per_day=None), past=relay), "17:00:00", seconds=1) is (
        Reason.MINUTES_PER_DAY
    )


def test_a_relay_keeps_the_quiet_hours_and_the_volume() -> None:
    clause = Clause(quiet=NIGHT, live_day_ms=900_000, volume_bands=(VolumeBand(time(5), time(6), 45),))
    assert reason_for(rules(clause), "04:59:00", live=True) is Reason.QUIET_HOURS
    assert policy.volume_at(rules(clause), wish("05:30:00", live=True), CHO, 100) == 45


def test_a_clause_speaks_about_its_classes_and_zones_only() -> None:
    market = Clause(zones=frozenset({CHO}), sessions_per_day=0)
    verdict = policy.judge(rules(STANDARD, market), wish("12:00:00"))
    assert (verdict.out, verdict.reason) == ({CHO: Reason.SESSIONS_PER_DAY}, None)
    normal = rules(Clause(classes=frozenset({JobClass.NORMAL}), session_ms=1_000))
    assert reason_for(normal, "12:00:00") is Reason.SESSION_TOO_LONG
    assert reason_for(normal, "12:00:00", cls=JobClass.PRIORITY) is None


def test_what_counts_for_a_zone_is_what_sounded_there() -> None:
    once = Clause(zones=frozenset({CHO}), sessions_per_day=1)
    elsewhere = [past("06:00:00", 60, zones=(DINH,))]
    assert reason_for(rules(once, past=elsewhere), "12:00:00") is None
    assert policy.judge(rules(once, past=[past("06:00:00", 60, zones=(CHO,))]), wish("12:00:00")).out == {
        CHO: Reason.SESSIONS_PER_DAY
    }


def test_a_programme_is_cut_where_the_quiet_hours_begin_if_the_policy_says_so() -> None:
    late = Rules(makers.make_site(), LocalPolicy((STANDARD,), IntoQuiet.CUT))
    verdict = policy.judge(late, wish("20:50:00", seconds=1_200))
    assert (verdict.reason, verdict.ends_at) == (None, at("21:00:00"))
    assert policy.judge(late, wish("20:50:00", seconds=600)).ends_at is None
    assert policy.judge(late, wish("21:00:00")).reason is Reason.QUIET_HOURS
    assert policy.judge(late, wish("20:00:00", seconds=1_801)).reason is Reason.SESSION_TOO_LONG


def test_in_an_hour_that_comes_twice_nothing_is_cut_before_it_begins() -> None:
    """At 02:10 for the second time, and so 20 minutes before the quiet hours; the clocks had shown 02:30 before."""
    berlin = makers.make_site(timezone="Europe/Berlin")
    night = Rules(berlin, LocalPolicy((Clause(quiet=(time(2, 30), time(5))),), IntoQuiet.CUT))
    begins = UtcMs(round(datetime(2026, 10, 25, 2, 10, tzinfo=ZoneInfo("Europe/Berlin"), fold=1).timestamp() * 1000))
    verdict = policy.judge(night, Wish(JobClass.NORMAL, BOTH, begins, 40 * MINUTE_MS))
    assert verdict == policy.Verdict({}, ends_at=UtcMs(begins + 20 * MINUTE_MS))


def test_a_zone_that_hears_nothing_today_cuts_nobody_off() -> None:
    holiday = Clause(zones=frozenset({CHO}), quiet=NIGHT, holidays=frozenset({date(2026, 10, 6)}))
    late = Rules(makers.make_site(), LocalPolicy((holiday,), IntoQuiet.CUT))
    assert policy.judge(late, wish("20:50:00", seconds=1_200)) == policy.Verdict({CHO: Reason.HOLIDAY})


def test_each_zone_is_judged_up_to_its_own_cut_and_all_end_at_the_first() -> None:
    early = Clause(zones=frozenset({CHO}), quiet=NIGHT, session_ms=10 * MINUTE_MS)
    other = Clause(zones=frozenset({DINH}), quiet=(time(21, 5), time(5)), session_ms=20 * MINUTE_MS)
    late = Rules(makers.make_site(), LocalPolicy((early, other), IntoQuiet.CUT))
    assert policy.judge(late, wish("20:50:00", seconds=1_800)) == policy.Verdict({}, ends_at=at("21:00:00"))
    assert policy.judge(late, wish("20:49:00", seconds=1_800)) == policy.Verdict(
        {CHO: Reason.SESSION_TOO_LONG}, ends_at=at("21:05:00")
    )


def test_an_exception_loosens_only_as_far_as_it_says() -> None:
    tuesday_night = window("we-1", "22:00:00", "22:30:00", session_ms=10 * MINUTE_MS)
    loosened = rules(STANDARD, windows=(tuesday_night,))
    assert policy.judge(loosened, wish("22:00:00", seconds=600)) == policy.Verdict({}, under="we-1")
    assert reason_for(loosened, "21:59:59") is Reason.QUIET_HOURS
    assert reason_for(loosened, "22:25:00", seconds=301) is Reason.OUTSIDE_EXCEPTION
    assert reason_for(loosened, "22:25:00", seconds=300) is None
    assert reason_for(loosened, "22:30:00") is Reason.QUIET_HOURS
    assert reason_for(loosened, "22:00:00", seconds=601) is Reason.SESSION_TOO_LONG
    assert reason_for(loosened, "22:00:00", cls=JobClass.PRIORITY) is Reason.QUIET_HOURS


def test_an_exception_for_some_zones_leaves_the_others_out() -> None:
    market = window("we-1", "22:00:00", "22:30:00", zones=(CHO,))
    verdict = policy.judge(rules(STANDARD, windows=(market,)), wish("22:10:00"))
    assert (verdict.out, verdict.reason, verdict.under) == ({DINH: Reason.OUTSIDE_EXCEPTION}, None, "we-1")


def test_the_basis_that_lets_most_zones_hear_is_taken() -> None:
    market = window("we-1", "12:00:00", "12:30:00", zones=(CHO,))
    verdict = policy.judge(rules(STANDARD, windows=(market,)), wish("12:10:00"))
    assert (verdict.out, verdict.under) == ({}, "")


def test_an_exception_has_minutes_and_a_volume_of_its_own() -> None:
    tet = window("we-1", "23:00:00", "23:59:00", total_ms=10 * MINUTE_MS, volume_max=40)
    sounded = [past("23:00:00", 540, under="we-1")]
    eve = rules(STANDARD, windows=(tet,), past=sounded)
    assert reason_for(eve, "23:30:00", seconds=60) is None
    assert reason_for(eve, "23:30:00", seconds=61) is Reason.MINUTES_PER_DAY
    assert policy.volume_at(eve, wish("23:30:00"), CHO, 100, "we-1") == 40
    assert policy.volume_at(eve, wish("23:30:00"), CHO, 30, "we-1") == 30


def test_no_exception_is_louder_than_a_zone_may_be_or_than_a_command_has_left_it() -> None:
    site = makers.make_site(zones={zone: ZoneSite(zone, zone, 0, volume_max=90) for zone in BOTH})
    tet = window("we-1", "23:00:00", "23:59:00", volume_max=100)
    eve = Rules(site, LocalPolicy((STANDARD,)), windows=(tet,), volumes={DINH: 20})
    assert policy.volume_at(eve, wish("23:30:00"), CHO, 100, "we-1") == 90
    assert policy.volume_at(eve, wish("23:30:00"), DINH, 100, "we-1") == 20


def test_a_silence_holds_for_ordinary_sound_that_touches_it() -> None:
    funeral = window("si-1", "12:00:00", "18:00:00", zones=(CHO,), silence=True)
    quiet = rules(STANDARD, windows=(funeral,))
    assert policy.judge(quiet, wish("11:59:00", seconds=61)).out == {CHO: Reason.ZONE_SILENCED}
    assert policy.judge(quiet, wish("11:59:00", seconds=60)).out == {}
    assert policy.judge(quiet, wish("17:59:59", cls=JobClass.PRIORITY)).out == {CHO: Reason.ZONE_SILENCED}
    assert policy.judge(quiet, wish("18:00:00")).out == {}
    assert policy.judge(quiet, wish("12:00:00", cls=JobClass.EMERGENCY)).out == {}


def test_no_exception_passes_a_silence() -> None:
    funeral = window("si-1", "12:00:00", "18:00:00", silence=True)
    wide = window("we-1", "12:00:00", "18:00:00")
    assert reason_for(rules(STANDARD, windows=(wide, funeral)), "12:30:00") is Reason.ZONE_SILENCED


def test_nothing_passes_a_lock() -> None:
    locked = rules(STANDARD, locked={CHO: at("13:00:00")})
    assert policy.judge(locked, wish("12:00:00", cls=JobClass.EMERGENCY)).out == {CHO: Reason.ZONE_LOCKED}
    everywhere = rules(STANDARD, locked=dict.fromkeys(BOTH, at("13:00:00")))
    assert reason_for(everywhere, "12:00:00", cls=JobClass.EMERGENCY) is Reason.ZONE_LOCKED
    assert reason_for(everywhere, "12:59:59") is Reason.ZONE_LOCKED
    assert reason_for(everywhere, "13:00:00") is None


def test_what_passes_is_nothing_against_what_is_still_to_come() -> None:
    passing = rules(Clause(sessions_per_day=1), before=[("06:00:00", 60)], locked={CHO: at("13:00:00")}, reserve=True)
    assert reason_for(passing, "13:00:00") is Reason.BATTERY_RESERVE
    assert reason_for(policy.by_itself(passing), "12:00:00") is None
    assert reason_for(policy.by_itself(rules(Clause(sessions_per_day=0))), "12:00:00") is Reason.SESSIONS_PER_DAY


@pytest.mark.parametrize(("ms", "reason"), [(120_000, None), (120_001, Reason.SESSIONS_PER_DAY)])
def test_what_calls_itself_a_correction_and_is_longer_than_two_minutes_is_another_programme(
    ms: int, reason: Reason | None
) -> None:
    full = rules(Clause(sessions_per_day=0))
    right = Wish(JobClass.NORMAL, BOTH, at("12:00:00"), ms, sets_right=True)
    assert policy.judge(full, right).reason is reason


@pytest.mark.parametrize(("minutes", "reason"), [(8, None), (9, Reason.SESSIONS_PER_DAY)])
def test_corrections_of_a_day_pass_its_limits_for_ten_minutes_in_all(minutes: int, reason: Reason | None) -> None:
    """Each may correct the one before it: whoever may broadcast would be heard all day long, two minutes at a time."""
    two = (JobClass.NORMAL, JobClass.PRIORITY)
    sounded = [past(f"09:{minute}:00", 60, cls=two[minute % 2]) for minute in range(10, 10 + minutes)]
    # Not yesterday's, nor warnings that are set right, nor what an exception let sound.
    sounded += [past("09:00:00", 600, day="2026-10-05"), past("08:00:00", 600, cls=JobClass.EMERGENCY)]
    sounded += [past("11:00:00", 600, under="tet")]
    corrections = [replace(one, corrects="wrong") for one in sounded]
    full = rules(Clause(sessions_per_day=0), past=(*corrections, past("10:00:00", 600)))
    right = Wish(JobClass.NORMAL, BOTH, at("12:00:00"), 120_000, sets_right=True)
    assert policy.judge(full, right).reason is reason


def test_a_regulation_holds_to_the_last_millisecond_of_its_validity_and_no_longer() -> None:
    until, lenient = at("22:00:00"), LocalPolicy((Clause(),))
    audience = Audience(frozenset(), frozenset(), frozenset())
    heading = Heading(JobId("qd-1"), "ubnd", "commune", 0, 1, UtcMs(0), UtcMs(0), until, audience)
    laid = Regulation(heading, 1, "12/QĐ", date(2026, 10, 1), lenient)
    own = rules(STANDARD, regulations=(laid,))
    assert policy.policy_at(own, until) == lenient
    assert policy.policy_at(own, UtcMs(until + 1)) == own.site.policy


def test_the_batterys_reserve_is_for_emergencies() -> None:
    dark = rules(STANDARD, reserve=True)
    assert reason_for(dark, "12:00:00") is Reason.BATTERY_RESERVE
    assert reason_for(dark, "12:00:00", cls=JobClass.PRIORITY) is Reason.BATTERY_RESERVE
    assert reason_for(dark, "12:00:00", cls=JobClass.EMERGENCY) is None
