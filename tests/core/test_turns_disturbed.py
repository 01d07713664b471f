"""What comes in between two turns: pauses, warnings, lost and silenced groups, skipped items."""

from __future__ import annotations

from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.events import ZonesLost
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import Amplify, NextItem, Pause, Resume, Window
from edge_agent.core.programme import (
    ATTENTION,
    CLOSING,
    CLOSING_MS,
    ITEM_GAP_MS,
    OPENING,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Clause, LocalPolicy
from edge_agent.core.switching import RELAY_LEAD_MS, RELAY_TAIL_MS
from edge_agent.core.units import ClipKey, JobId, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH, audience
from tests.core.neighbours import (
    CLOSING_COSTS_MS,
    GAP_MS,
    ONE,
    OPENING_COSTS_MS,
    RESUME,
    THREE,
    TWO,
    URGENT,
    ZONES,
    bulletin,
    evening,
    heard_in,
    items_in_both_groups,
    record_of,
    spans_of,
    ward,
)
from tests.core.street_ears import HeardWard
from tests.trust import makers


def set_aside(after_ms: int, *keys: ClipKey, **job: Any) -> HeardWard:
    """A bulletin that is paused so long after its first sample, and goes on five seconds later."""
    station = ward()
    bulletin(station, *keys, **job)
    station.pass_to(60 + after_ms / 1_000)
    station.rule(Pause(60_000))
    station.pass_to(5)
    station.rule(Resume())
    station.pass_to(200)
    return station


@pytest.mark.parametrize(
    ("after_ms", "cho", "dinh"),
    [
        (1_000, [OPENING, ONE, TWO, CLOSING], [OPENING, ONE, TWO, CLOSING]),  # in the chime, which is not gone on with
        (OPENING_COSTS_MS + 4_000, [OPENING, ONE, ONE, TWO, CLOSING], [OPENING, ONE, TWO, CLOSING]),
        (OPENING_COSTS_MS + CLIP_MS + 4_000, [OPENING, ONE, TWO, TWO, CLOSING], [OPENING, ONE, TWO, CLOSING]),
        (OPENING_COSTS_MS + 2 * CLIP_MS + 500, [OPENING, ONE, TWO, CLOSING], [OPENING, ONE, TWO, CLOSING]),
        (
            OPENING_COSTS_MS + 2 * CLIP_MS + GAP_MS + 4_000,
            [OPENING, ONE, TWO, CLOSING],
            [OPENING, ONE, ONE, TWO, CLOSING],
        ),
    ],
)
def test_what_was_set_aside_goes_on_in_the_turn_in_which_it_was_cut(
    after_ms: int, cho: list[str], dinh: list[str]
) -> None:
    station = set_aside(after_ms, ONE, TWO)
    assert (heard_in(station, CHO), heard_in(station, DINH)) == (cho, dinh)
    for zone in (CHO, DINH):
        for item in (ONE, TWO):
            total = sum(end - begin for where, begin, end, what in station.street() if (where, what) == (zone, item))
            assert total == CLIP_MS, "what was left out, or said twice"
    assert [one[1:] for one in station.outcomes() if one[0].startswith("job")] == [("succeeded", None)]
    assert items_in_both_groups(station.street()) == []


def test_an_emergency_for_all_cuts_the_turn_off_and_the_programme_resumes_there() -> None:
    station = ward()
    job = bulletin(station, ONE, TWO, **RESUME)
    station.pass_to(60 + (OPENING_COSTS_MS + CLIP_MS) / 1_000 + 2)
    station.order(job_id=JobId("lu"), items=[makers.text_item()], **URGENT)
    station.pass_to(200)
    assert heard_in(station, CHO)[:3] == [OPENING, ONE, TWO]
    assert [what for what in heard_in(station, CHO) if what in (OPENING, ONE, TWO, CLOSING)] == [
        OPENING,
        ONE,
        TWO,
        TWO,
        CLOSING,
    ]
    assert [what for what in heard_in(station, DINH) if what in (OPENING, ONE, TWO, CLOSING)] == [
        OPENING,
        ONE,
        TWO,
        CLOSING,
    ]
    alarm = [one[1:] for one in station.street() if one[3] == ATTENTION]
    assert len(alarm) == 2
    assert alarm[0] == alarm[1], "the alarm is heard in both at once"
    assert (job, "succeeded", None) in station.outcomes()


def test_an_emergency_where_the_others_wait_leaves_the_turn_that_sounds_alone() -> None:
    station = ward()
    job = bulletin(station, ms=30_000)
    station.pass_to(60 + 5)
    station.order(job_id=JobId("lu"), items=[makers.text_item()], audience=audience(DINH), **URGENT)
    station.pass_to(200)
    assert heard_in(station, CHO) == [OPENING, ONE, CLOSING]
    assert [what for what in heard_in(station, DINH) if what in (OPENING, ONE, CLOSING)] == [OPENING, ONE, CLOSING]
    record = record_of(station, job)
    assert {zone.zone: zone.played_ms for zone in record.zones}[CHO] == record.planned_ms


def test_a_zone_that_comes_back_in_its_own_turn_hears_what_is_left_of_it_and_nothing_of_the_others() -> None:
    station = ward()
    bulletin(station, ms=40_000)
    station.pass_to(60 + 5)
    station.order(job_id=JobId("lu"), items=[makers.text_item()], audience=audience(CHO), **URGENT)
    station.pass_to(200)
    assert [what for what in heard_in(station, CHO) if what in (OPENING, ONE, CLOSING)] == [OPENING, ONE, ONE, CLOSING]
    ends = [end for zone, _, end in spans_of(station, ONE) if zone == CHO]
    assert ends[-1] == OPENING_COSTS_MS + 40_000, "it rejoins a programme whose own time went on"
    assert heard_in(station, DINH) == [OPENING, ONE, CLOSING]
    assert items_in_both_groups(station.street()) == []


def test_where_a_group_is_lost_in_the_middle_the_chime_comes_at_its_instant() -> None:
    station = ward()
    job = bulletin(station)
    station.pass_to(60 + 5)
    station.send(ZonesLost(station.play(job).play_id, (DINH,), Reason.DEVICE_FAILED))
    station.pass_to(200)
    assert heard_in(station, CHO) == [OPENING, ONE, CLOSING]
    closing = OPENING_COSTS_MS + 2 * CLIP_MS + GAP_MS + ITEM_GAP_MS
    assert spans_of(station, CLOSING) == [(CHO, closing, closing + CLOSING_MS)]
    record = record_of(station, job)
    assert record.outcome.value == "succeeded"
    assert {zone.zone: zone.reason for zone in record.zones} == {CHO: None, DINH: Reason.DEVICE_FAILED}


def taken_before(zone: str, seconds: float, **job: Any) -> HeardWard:
    """An emergency has a zone so many seconds before a bulletin for both begins, and for longer."""
    station = ward()
    made = bulletin(station, ms=20_000, **job)
    station.pass_to(60 - seconds)
    long = [makers.text_item(text="Lũ quét!")] * 1
    station.order(job_id=JobId("lu"), items=long, loops=2, gap_s=5, audience=audience(zone), **URGENT)
    station.pass_to(300)
    assert (made, "succeeded", None) in station.outcomes()
    return station


@pytest.mark.parametrize(("zone", "other"), [(CHO, DINH), (DINH, CHO)])
def test_where_a_group_is_taken_the_other_does_not_wait_for_its_turn(zone: str, other: str) -> None:
    station = taken_before(zone, 4)
    items = [one for one in station.street() if one[3] == ONE]
    opening = next(one for one in station.street() if one[3] == OPENING)
    assert [(where, begin - opening[1]) for where, begin, _, _ in items] == [(other, OPENING_COSTS_MS)]
    assert items_in_both_groups(station.street()) == []
    assert heard_in(station, zone)[-1] == CLOSING, "who comes back meanwhile hears what is for all"


def test_a_group_that_missed_its_turn_hears_it_whole_later_and_without_waiting_for_the_other() -> None:
    station = taken_before(DINH, 4, preemption="drop", missed={"policy": "skip", "zones_s": 600})
    assert [what for what in heard_in(station, DINH) if what in (OPENING, ONE, CLOSING)] == [OPENING, ONE, CLOSING]
    opening, item = ([one for one in station.street() if one[0] == DINH and one[3] == key] for key in (OPENING, ONE))
    assert item[-1][1] - opening[-1][1] == OPENING_COSTS_MS
    assert heard_in(station, CHO) == [OPENING, ONE, CLOSING]


def test_a_group_that_must_be_silent_makes_the_other_wait_for_nothing() -> None:
    station = ward()
    ends = UtcMs(station.now.utc + 600_000)
    station.rule(lambda heading: Window(heading, station.now.utc, ends, "tang", None), not_after=ends, zones=(CHO,))
    job = bulletin(station)
    station.pass_to(200)
    begin = OPENING_COSTS_MS
    assert spans_of(station, ONE) == [(DINH, begin, begin + CLIP_MS)]
    assert heard_in(station, CHO) == []
    record = record_of(station, job)
    assert record.outcome.value == "succeeded"
    longest = max(one.off_after_ms for one in station.every(fx.SwitchRelay))
    lasts_ms = OPENING_COSTS_MS + CLIP_MS + CLOSING_COSTS_MS
    assert longest <= 1_000 + RELAY_LEAD_MS + lasts_ms + RELAY_TAIL_MS, "no relay is closed for a turn that is not"


def test_a_group_that_is_silenced_while_the_others_amplifiers_warm_up_makes_those_wait_for_nothing() -> None:
    station = ward(zones={**ZONES, DINH: replace(ZONES[DINH], warm_up_ms=12_000)})
    bulletin(station)
    station.pass_to(60 - 6)
    assert [play.phase for play in station.state.plays.values()] == [Phase.ARMED]
    ends = UtcMs(station.now.utc + 600_000)
    station.rule(lambda heading: Window(heading, station.now.utc, ends, "tang", None), not_after=ends, zones=(CHO,))
    station.pass_to(200)
    assert spans_of(station, ONE) == [(DINH, OPENING_COSTS_MS, OPENING_COSTS_MS + CLIP_MS)]


def test_a_group_whose_own_quiet_hours_are_reached_because_a_relay_was_late_makes_the_other_wait_for_nothing() -> None:
    market = LocalPolicy((Clause(zones=frozenset({CHO}), quiet=(time(21), time(5))),))
    station = evening(60 + CLIP_MS / 1_000 + 1, policy=market)
    bulletin(station)
    station.deaf.add(fx.SwitchRelay)
    station.pass_to(61)
    station.deaf.clear()
    station.confirm_relays()  # two seconds late, and the amplifiers are cold
    station.pass_to(200)
    assert {where for where, _, _, _ in station.street()} == {DINH}
    (start,) = station.every(fx.StartPlay)
    assert station.street()[0][1] == start.at, "nobody waits for a turn that nobody has"


def test_a_relay_that_would_open_by_itself_in_the_second_turn_is_closed_anew_before_the_first() -> None:
    """An amplifier that is kept warm, and that may be on for 100 s."""
    zones = {zone: replace(one, on_ms_max=100_000) for zone, one in ZONES.items()}
    station = ward(zones=zones)
    station.rule(Amplify(on=True, for_ms=95_000))
    bulletin(station, seconds=72)
    station.pass_to(70.5)
    closings = [one for one in station.every(fx.SwitchRelay) if one.on]
    assert len(closings) == 2, "warm since the command"
    station.pass_to(100)
    moved = [one.on for one in station.every(fx.SwitchRelay) if one.zone == DINH]
    assert moved[:3] == [True, False, True]
    assert heard_in(station, DINH) == [OPENING, ONE, CLOSING]


@pytest.mark.parametrize(
    ("in_ms", "cho", "dinh"),
    [
        (1_000, [OPENING, ONE, TWO, THREE, CLOSING], [OPENING, ONE, TWO, THREE, CLOSING]),  # in the chime: to the first
        (OPENING_COSTS_MS + 4_000, [OPENING, ONE, TWO, THREE, CLOSING], [OPENING, TWO, THREE, CLOSING]),
        (OPENING_COSTS_MS + CLIP_MS + 4_000, [OPENING, ONE, TWO, THREE, CLOSING], [OPENING, ONE, THREE, CLOSING]),
        (OPENING_COSTS_MS + 2 * CLIP_MS + 4_000, [OPENING, ONE, TWO, THREE, CLOSING], [OPENING, ONE, TWO, CLOSING]),
    ],
)
def test_an_item_that_is_skipped_in_the_first_turn_is_not_heard_in_the_second(
    in_ms: int, cho: list[str], dinh: list[str]
) -> None:
    station = ward()
    bulletin(station, ONE, TWO, THREE)
    station.pass_to(60 + in_ms / 1_000)
    station.rule(NextItem())
    station.pass_to(200)
    assert (heard_in(station, CHO), heard_in(station, DINH)) == (cho, dinh)


def test_skipping_the_only_item_ends_the_programme_for_both() -> None:
    station = ward()
    job = bulletin(station)
    station.pass_to(60 + OPENING_COSTS_MS / 1_000 + 4)
    station.rule(NextItem())
    station.pass_to(200)
    assert (heard_in(station, CHO), heard_in(station, DINH)) == ([OPENING, ONE], [OPENING])
    assert (job, "succeeded", None) in station.outcomes()


def test_what_was_cut_in_the_first_turn_says_that_the_second_group_has_heard_the_chime_alone() -> None:
    station = ward()
    job = bulletin(station)
    station.pass_to(60 + OPENING_COSTS_MS / 1_000 + 4)
    station.order(job_id=JobId("lu"), items=[makers.text_item()], **URGENT)
    station.pass_to(200)
    record = record_of(station, job)
    assert record.outcome.value == "interrupted"
    assert {zone.zone: zone.played_ms for zone in record.zones} == {
        CHO: OPENING_COSTS_MS + 4_000,
        DINH: OPENING_COSTS_MS,
    }
    first = station.state.past[0]
    assert first.ended - first.started == 4_000, "the limits count as much as one zone heard of what was ordered"
