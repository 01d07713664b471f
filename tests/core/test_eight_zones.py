"""As many zones as a station's cards can feed (S1): each with its own amplifier, ceiling and group, and its own fate.

A commune of fifty clusters is several such stations: ``hil_tests/on_target/test_returning.py`` has two hundred.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from edge_agent.config.station import CARDS_MAX
from edge_agent.core import effects as fx
from edge_agent.core.events import RelayFailed
from edge_agent.core.programme import CLOSING, OPENING
from edge_agent.core.reasons import Reason
from edge_agent.core.site import STANDARD_FRAME, WARM_UP_MS_MAX, Group, ZoneSite
from edge_agent.core.units import JobId, ZoneId
from tests.core.bench import CLIP_MS, audience
from tests.core.neighbours import ONE, URGENT, heard_in, record_of
from tests.core.street_ears import HeardWard
from tests.trust import makers

ZONES = [ZoneId(f"cum-{number}") for number in range(1, 2 * CARDS_MAX + 1)]
WARM_UPS_MS = [0, 500, 1_000, 3_000, 8_000, 20_000, 45_000, WARM_UP_MS_MAX]
CEILINGS = [100, 90, 80, 70, 60, 50, 40, 30]
TAKEN, BROKEN = ZONES[2], ZONES[5]


def station(**site: object) -> HeardWard:
    """Eight zones, each another amplifier."""
    each = zip(ZONES, WARM_UPS_MS, CEILINGS, strict=True)
    zones = {
        zone: ZoneSite(zone, f"Cụm {zone}", warm_up_ms, ceiling, group=list(Group)[number % 2])
        for number, (zone, warm_up_ms, ceiling) in enumerate(each)
    }
    made = HeardWard(zones=zones, **site)
    made.boot()
    return made


def bulletin(ward: HeardWard, **job: object) -> JobId:
    return ward.at(120, items=[makers.clip_item(digest=ONE, duration_ms=CLIP_MS)], **job)


def test_all_begin_together_each_after_its_own_warm_up_as_loud_as_it_may_be() -> None:
    ward = station()
    job = bulletin(ward, volume=75)
    planned = ward.now.mono_of(ward.play(job).planned)
    ward.pass_to(300)
    (start,) = ward.every(fx.StartPlay)
    assert start.at == planned
    assert {feed.zone: feed.volume for feed in start.feeds} == {
        zone: min(75, ceiling) for zone, ceiling in zip(ZONES, CEILINGS, strict=True)
    }
    assert {begin for _, begin, _, _ in ward.street()} == {planned}
    switched = [(one.zone, one.on) for one in ward.every(fx.SwitchRelay)]
    assert sorted(switched) == sorted((zone, on) for zone in ZONES for on in (True, False))
    closings = [zone for zone, on in switched if on]
    assert closings == ZONES[::-1], "the slowest amplifier first"


def test_an_emergency_in_one_of_them_is_nothing_to_the_seven_others() -> None:
    ward = station()
    job = bulletin(ward)
    ward.pass_to(120 + 3)
    ward.order(job_id=JobId("chay"), items=[makers.text_item()], audience=audience(TAKEN), **URGENT)
    ward.pass_to(300)
    for zone in ZONES:
        spans = [(begin, end) for where, begin, end, what in ward.street() if (where, what) == (zone, ONE)]
        whole = sum(end - begin for begin, end in spans) == CLIP_MS and all(a[1] == b[0] for a, b in pairwise(spans))
        assert whole is (zone != TAKEN)
    assert (job, "succeeded", None) in ward.outcomes()


def test_a_relay_that_breaks_takes_its_own_zone_along_and_the_record_has_all_eight() -> None:
    ward = station()
    job = bulletin(ward)
    ward.pass_to(120 + 3)
    ward.send(RelayFailed(BROKEN, "stuck"))
    ward.pass_to(300)
    record = record_of(ward, job)
    assert {one.zone for one in record.zones} == set(ZONES)
    assert {one.zone: one.reason for one in record.zones if one.reason} == {BROKEN: Reason.RELAY_FAILED}
    assert {one.zone for one in record.zones if one.played_ms == CLIP_MS} == set(ZONES) - {BROKEN}


@pytest.mark.parametrize("zone", ZONES)
def test_four_speak_in_the_first_turn_and_four_in_the_second(zone: ZoneId) -> None:
    ward = station(stagger_ms=1_000, frame=STANDARD_FRAME)
    bulletin(ward)
    ward.pass_to(300)
    assert heard_in(ward, zone) == [OPENING, ONE, CLOSING]
    (begin,) = [begin for where, begin, _, what in ward.street() if (where, what) == (zone, ONE)]
    with_it = {where for where, at, _, what in ward.street() if what == ONE and at == begin}
    assert with_it == {other for other in ZONES if ZONES.index(other) % 2 == ZONES.index(zone) % 2}
