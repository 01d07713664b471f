"""Turns between stations (requirement S8): two that hear each other speak one after the other, and know only a file."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from edge_agent.core import effects as fx
from edge_agent.core.order import Pause, Resume
from edge_agent.core.programme import CLOSING, OPENING
from edge_agent.core.site import STANDARD, Clause, LocalPolicy
from edge_agent.core.turns import is_staggered
from edge_agent.core.units import JobId
from tests.core.bench import CHO, CLIP_MS, DINH
from tests.core.neighbours import (
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
    items_in_both_groups,
    record_of,
    ward,
)
from tests.core.street_ears import Heard, HeardWard
from tests.trust import makers


def beside(zone: str, made: Callable[..., HeardWard] = ward, **site: Any) -> HeardWard:
    """A station with this zone alone, whose neighbour has the other."""
    return made(zones={zone: ZONES[zone]}, neighbours_take_turns=True, **site)


def both(made: Callable[..., HeardWard] = ward, **site: Any) -> tuple[HeardWard, HeardWard]:
    return beside(CHO, made, **site), beside(DINH, made, **site)


def street_of(stations: tuple[HeardWard, HeardWard]) -> list[Heard]:
    """What is heard between the two; their clocks began together."""
    return sorted((one for station in stations for one in station.street()), key=lambda one: (one[1], one[0]))


def test_two_stations_sound_as_one_with_both_zones_would() -> None:
    stations, one = both(), ward()
    for station in (*stations, one):
        bulletin(station, ONE, TWO)
        station.pass_to(200)
    assert street_of(stations) == one.street()
    assert items_in_both_groups(street_of(stations)) == []
    for station in stations:
        assert [one[1:] for one in station.outcomes()] == [("succeeded", None)]


def test_what_is_not_for_the_neighbours_is_not_delayed() -> None:
    named = {"stations": [makers.STATION]}
    for for_us, begins_ms in ((named, 0), ({"stations": [makers.STATION, "tram-ben-canh"]}, CLIP_MS + GAP_MS)):
        station = beside(DINH)
        bulletin(station, audience=for_us)
        station.pass_to(200)
        (spoken,) = [begin for _, begin, _, what in station.street() if what == ONE]
        assert spoken - station.street()[0][1] == OPENING_COSTS_MS + begins_ms


def test_a_file_that_says_nothing_of_neighbours_delays_nothing() -> None:
    stations = tuple(ward(zones={zone: ZONES[zone]}) for zone in (CHO, DINH))
    for station in stations:
        bulletin(station)
        station.pass_to(200)
        assert heard_in(station, next(iter(station.state.site.zones))) == [OPENING, ONE, CLOSING]
    assert len(items_in_both_groups(street_of((stations[0], stations[1])))) == 1


@pytest.mark.parametrize("job", [{}, {"rehearsal": True, "event": "dien-tap"}])
def test_a_warning_and_its_rehearsal_sound_from_both_at_once(job: dict[str, Any]) -> None:
    stations = both()
    for station in stations:
        if job:
            bulletin(station, **URGENT, **job)
        else:
            station.order(items=[makers.text_item()], **URGENT)
        station.pass_to(100)
    here, there = ([one[1:] for one in station.street()] for station in stations)
    assert here == there != []


def test_each_of_the_two_decides_alike_where_quiet_hours_leave_no_room_for_turns() -> None:
    for before_ms, turns in ((WHOLE_MS + 5_000, True), (2 * CLIP_MS, False)):
        stations = both(partial(evening, before_ms / 1_000 + 59))
        for station in stations:
            bulletin(station)
            station.pass_to(200)
            assert [one[1:] for one in station.outcomes()] == [("succeeded", None)]
        assert (items_in_both_groups(street_of(stations)) == []) is turns


def test_the_days_limits_count_no_neighbours_turn_and_the_record_says_what_was_heard_here() -> None:
    quiet = Clause(quiet=STANDARD.quiet, session_ms=3 * CLIP_MS // 2, volume_bands=STANDARD.volume_bands)
    for station in both(policy=LocalPolicy((quiet,))):
        job = bulletin(station)
        station.pass_to(200)
        record = record_of(station, job)
        (zone,) = record.zones
        assert record.outcome == "succeeded"
        assert zone.played_ms == record.planned_ms < WHOLE_MS - CLIP_MS


def test_a_pause_for_both_goes_on_in_the_turn_and_at_the_word_where_it_was_cut() -> None:
    stations = both()
    for station in stations:
        bulletin(station, ONE, TWO)
        station.pass_to(60 + (OPENING_COSTS_MS + CLIP_MS + 4_000) / 1_000)
        station.rule(Pause(60_000))
        station.pass_to(5)
        station.rule(Resume())
        station.pass_to(200)
    assert heard_in(stations[0], CHO) == [OPENING, ONE, TWO, TWO, CLOSING]
    assert heard_in(stations[1], DINH) == [OPENING, ONE, TWO, CLOSING]


@pytest.mark.parametrize(("preemption", "keeps_turns"), [("resume", True), ("restart", False)])
def test_what_an_emergency_took_goes_on_in_its_turn_and_what_begins_anew_waits_for_nobody(
    preemption: str, keeps_turns: bool
) -> None:
    station = beside(CHO)
    bulletin(station, preemption=preemption)
    station.pass_to(60 + OPENING_COSTS_MS / 1_000 + 2)
    station.order(job_id=JobId("lu"), items=[makers.text_item()], **URGENT)
    station.pass_to(300)
    assert heard_in(station, CHO).count(ONE) == 2
    assert is_staggered(station.every(fx.StartPlay)[-1].parts) is keeps_turns


def test_whoever_waits_for_its_neighbour_keeps_its_relay_closed_and_its_first_sample_on_time() -> None:
    station = beside(DINH)
    job = bulletin(station)
    planned = station.now.mono_of(station.play(job).planned)
    station.pass_to(200)
    (start,) = station.every(fx.StartPlay)
    assert start.at == planned
    assert sorted(one.on for one in station.every(fx.SwitchRelay)) == [False, True]
