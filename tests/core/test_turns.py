"""Group after group (requirement S8): what each street hears of a programme, and that turns cost nobody anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.day_ahead import day_plan
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.programme import (
    ATTENTION,
    CLOSING,
    CLOSING_MS,
    ITEM_GAP_MS,
    OPENING,
    OPENING_MS,
    REHEARSAL,
    Live,
    length_ms,
)
from edge_agent.core.site import STANDARD, Clause, Group, IntoQuiet, LocalPolicy
from edge_agent.core.turns import is_staggered
from edge_agent.core.units import ClipKey, JobId, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, audience
from tests.core.neighbours import (
    CLOSING_COSTS_MS,
    EVENING,
    GAP_MS,
    ONE,
    OPENING_COSTS_MS,
    TWO,
    URGENT,
    WHOLE_MS,
    ZONES,
    bulletin,
    evening,
    heard_in,
    is_simultaneous,
    record_of,
    spans_of,
    ward,
)
from tests.trust import makers

# What is heard


def test_the_items_are_heard_in_one_group_and_then_in_the_other_and_the_chimes_in_both_at_once() -> None:
    station = ward()
    job = bulletin(station, ONE, TWO)
    station.pass_to(200)
    begin, turn = OPENING_COSTS_MS, 2 * CLIP_MS + GAP_MS
    assert spans_of(station, OPENING) == [(CHO, 0, OPENING_MS), (DINH, 0, OPENING_MS)]
    assert spans_of(station, ONE) == [(CHO, begin, begin + CLIP_MS), (DINH, begin + turn, begin + turn + CLIP_MS)]
    second = begin + CLIP_MS
    assert spans_of(station, TWO) == [(CHO, second, second + CLIP_MS), (DINH, second + turn, second + turn + CLIP_MS)]
    closing = begin + turn + 2 * CLIP_MS + ITEM_GAP_MS
    assert spans_of(station, CLOSING) == [(zone, closing, closing + CLOSING_MS) for zone in (CHO, DINH)]
    assert station.outcomes() == [(job, "succeeded", None)]


def test_the_first_sample_is_on_time_and_every_relay_has_one_cycle() -> None:
    station = ward()
    job = bulletin(station)
    planned = station.now.mono_of(station.play(job).planned)
    station.pass_to(200)
    (start,) = station.every(fx.StartPlay)
    assert start.at == planned
    switched = sorted((one.zone, one.on) for one in station.every(fx.SwitchRelay))
    assert switched == sorted((zone, on) for zone in (CHO, DINH) for on in (True, False))
    longest = max(one.off_after_ms for one in station.every(fx.SwitchRelay))
    assert longest >= WHOLE_MS, "a relay that opens by itself before the second turn is over"


def test_every_loop_of_it_belongs_to_the_turn() -> None:
    station = ward()
    bulletin(station, ONE, TWO, loops=2, gap_s=3)
    station.pass_to(300)
    assert heard_in(station, CHO) == heard_in(station, DINH) == [OPENING, ONE, TWO, ONE, TWO, CLOSING]
    ends = max(end for zone, _, end, what in station.street() if zone == CHO and what == TWO)
    assert min(begin for zone, begin, _, what in station.street() if zone == DINH and what == ONE) == ends + GAP_MS


@pytest.mark.parametrize("zone", [CHO, DINH])
def test_a_job_for_one_group_alone_is_not_delayed(zone: str) -> None:
    station = ward()
    bulletin(station, audience=audience(zone))
    station.pass_to(200)
    begin = OPENING_COSTS_MS
    assert spans_of(station, ONE) == [(zone, begin, begin + CLIP_MS)]
    assert not is_staggered(station.every(fx.StartPlay)[-1].parts)


@pytest.mark.parametrize(
    "site",
    [
        {"stagger_ms": 0},
        {"zones": {zone: replace(one, group=Group.B) for zone, one in ZONES.items()}},
        {"zones": {zone: replace(one, group=Group.A) for zone, one in ZONES.items()}},
    ],
)
def test_without_two_groups_or_without_a_gap_everybody_speaks_at_once(site: dict[str, Any]) -> None:
    station = ward(**site)
    bulletin(station)
    station.pass_to(200)
    assert is_simultaneous(station)
    (start,) = station.every(fx.StartPlay)
    assert length_ms(start.parts) == OPENING_COSTS_MS + CLIP_MS + CLOSING_COSTS_MS


@pytest.mark.parametrize(
    ("signal", "job"),
    [
        (ATTENTION, URGENT),
        (REHEARSAL, URGENT | {"rehearsal": True, "event": "dien-tap"}),
    ],
)
def test_an_emergency_and_its_rehearsal_are_simultaneous(signal: ClipKey, job: dict[str, Any]) -> None:
    station = ward()
    if signal == ATTENTION:
        station.order(**job)
    else:
        bulletin(station, **job)
    station.pass_to(100)
    assert heard_in(station, CHO)[0] == signal
    assert is_simultaneous(station)


def test_an_all_clear_is_simultaneous() -> None:
    station = ward()
    alarm = {"series": "lu-01", **URGENT}
    station.order(job_id=JobId("lu"), version=1, **alarm)
    station.pass_to(60)
    station.order(job_id=JobId("yen"), version=2, all_clear=True, **alarm)
    station.pass_to(60)
    assert len(station.runs) == 2
    assert is_simultaneous(station)


def test_what_is_relayed_live_is_simultaneous_also_where_an_item_comes_before_it() -> None:
    station = ward()
    live = makers.live_item(duration_ms=20_000)
    station.at(60, items=[makers.clip_item(digest=ONE, duration_ms=CLIP_MS), live])
    station.pass_to(200)
    assert is_simultaneous(station)
    assert any(isinstance(part, Live) for part in station.every(fx.StartPlay)[-1].parts)


# It costs nobody anything


@pytest.mark.parametrize(
    ("before_nine_ms", "turns"),
    [(WHOLE_MS, True), (WHOLE_MS - CLOSING_COSTS_MS, True), (2 * CLIP_MS + GAP_MS, True), (2 * CLIP_MS, False)],
)
def test_where_the_second_turn_would_sound_in_quiet_hours_all_speak_at_once(before_nine_ms: int, turns: bool) -> None:
    station = evening(60 + before_nine_ms / 1_000)
    job = bulletin(station)
    station.pass_to(200)
    assert station.outcomes() == [(job, "succeeded", None)]
    assert is_staggered(station.every(fx.StartPlay)[-1].parts) is turns
    assert max(end for _, _, end, _ in station.street()) <= station.now.mono_of(UtcMs(EVENING))


def test_what_the_quiet_hours_cut_anyway_is_heard_by_all_as_far_as_it_goes() -> None:
    """In turns, the second group would be silenced for what the first has heard."""
    cut = LocalPolicy((Clause(quiet=(time(21), time(5))),), IntoQuiet.CUT)
    station = evening(60 + CLIP_MS / 2_000, policy=cut)
    bulletin(station)
    station.pass_to(200)
    assert [is_staggered(start.parts) for start in station.every(fx.StartPlay)] == [False]
    assert is_simultaneous(station)


def test_where_the_second_turn_would_make_the_next_programme_late_all_speak_at_once() -> None:
    station = ward()
    bulletin(station, ONE, seconds=60, job_id=JobId("one"), ms=20_000)
    bulletin(station, TWO, seconds=60 + 25, job_id=JobId("two"))
    station.pass_to(300)
    assert [is_staggered(start.parts) for start in station.every(fx.StartPlay)] == [False, True]
    assert {outcome[1] for outcome in station.outcomes()} == {"succeeded"}
    one, two = station.every(fx.StartPlay)
    assert two.at - one.at <= 25_000 + LATE_GRACE_MS


def test_a_relay_is_never_kept_closed_beyond_its_maximum_for_a_second_turn() -> None:
    village = replace(ZONES[DINH], on_ms_max=2 * CLIP_MS)
    station = ward(zones={**ZONES, DINH: village})
    job = bulletin(station)
    station.pass_to(200)
    assert station.outcomes() == [(job, "succeeded", None)]
    assert is_simultaneous(station)


def test_the_days_limits_count_what_was_ordered_once() -> None:
    """Two programmes that fill the day to the second, and each its session."""
    day = LocalPolicy((replace(STANDARD, session_ms=CLIP_MS, day_ms=2 * CLIP_MS),))
    station = ward(policy=day)
    jobs = [bulletin(station, seconds=at, job_id=JobId(f"j-{at}")) for at in (100, 300, 500)]
    station.pass_to(700)
    assert [is_staggered(start.parts) for start in station.every(fx.StartPlay)] == [True, True]
    became = {job: (outcome, reason) for job, outcome, reason in station.outcomes()}
    assert [became[job] for job in jobs] == [("succeeded", None), ("succeeded", None), ("rejected", "minutes_per_day")]
    assert [sound.ended - sound.started for sound in station.state.past] == [CLIP_MS, CLIP_MS]


def test_the_record_says_of_each_zone_how_long_it_heard_it_and_that_it_heard_all() -> None:
    station = ward()
    job = bulletin(station, ONE, TWO)
    station.pass_to(200)
    record = record_of(station, job)
    ordered_ms = OPENING_COSTS_MS + 2 * CLIP_MS + CLOSING_COSTS_MS
    assert (record.planned_ms, record.chimes_ms) == (ordered_ms, OPENING_COSTS_MS + CLOSING_COSTS_MS)
    assert {zone.zone: zone.played_ms for zone in record.zones} == {CHO: ordered_ms, DINH: ordered_ms}


def test_the_day_is_told_with_both_turns() -> None:
    station = ward()
    bulletin(station)
    (planned,) = day_plan(station.state, station.now, date(2026, 10, 1))
    assert planned.ends - planned.starts == 2 * CLIP_MS + GAP_MS
    station.pass_to(65)
    (sounding,) = day_plan(station.state, station.now, date(2026, 10, 1))
    assert (sounding.starts, sounding.ends) == (planned.starts, planned.ends)
