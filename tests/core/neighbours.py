"""Two zones in each other's earshot, as the tests of turns need them: a village beside the market."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.programme import (
    CLOSING_MS,
    ITEM_GAP_MS,
    OPENING_MS,
)
from edge_agent.core.site import STANDARD_FRAME, Group, ZoneSite
from edge_agent.core.units import ClipKey, JobId, UtcMs
from tests.core.bench import CHO, CLIP_MS, DINH
from tests.core.street_ears import Heard, HeardWard
from tests.trust import makers

GAP_MS = 1_000
OPENING_COSTS_MS, CLOSING_COSTS_MS = OPENING_MS + ITEM_GAP_MS, ITEM_GAP_MS + CLOSING_MS
ONE, TWO, THREE = (ClipKey(digit * 64) for digit in "123")
EVENING = makers.NOON + 9 * makers.HOUR_MS  # 21:00, where the quiet hours begin
ZONES = {CHO: ZoneSite(CHO, "Chợ", 1_000), DINH: ZoneSite(DINH, "Đình", 1_000, group=Group.B)}
URGENT = {"class": "emergency"}
RESUME = {"preemption": "resume"}
WHOLE_MS = OPENING_COSTS_MS + 2 * CLIP_MS + GAP_MS + CLOSING_COSTS_MS


def ward(**site: Any) -> HeardWard:
    """The village beside the market, in each other's earshot."""
    made = HeardWard(**{"zones": ZONES, "stagger_ms": GAP_MS, "frame": STANDARD_FRAME, **site})
    made.boot()
    return made


def bulletin(station: HeardWard, *keys: ClipKey, seconds: float = 60, ms: int = CLIP_MS, **job: Any) -> JobId:
    items = [makers.clip_item(digest=key, duration_ms=ms) for key in keys or (ONE,)]
    return station.at(seconds, items=items, **job)


def heard_in(station: HeardWard, zone: str) -> list[str]:
    """What a zone heard, in order; a sound that was cut in two is there twice."""
    return [what for where, _, _, what in station.street() if where == zone]


def spans_of(station: HeardWard, what: str) -> list[tuple[str, int, int]]:
    """(zone, from, to), counted from the first sound of all."""
    zero = station.street()[0][1]
    return [(zone, begin - zero, end - zero) for zone, begin, end, key in station.street() if key == what]


def is_simultaneous(station: HeardWard) -> bool:
    """Whether both zones heard the same at the same time."""
    street = [[one[1:] for one in station.street() if one[0] == zone] for zone in (CHO, DINH)]
    assert street[0]
    return street[0] == street[1]


def items_in_both_groups(street: list[Heard]) -> list[tuple[Heard, Heard]]:
    """Pairs of an ordinary programme's items that sound at the same time in zones of different groups."""
    items = [one for one in street if one[3] in (ONE, TWO, THREE)]
    return [
        (one, other)
        for one in items
        for other in items
        if one[0] == CHO and other[0] == DINH and one[1] < other[2] and other[1] < one[2]
    ]


def evening(seconds: float, **site: Any) -> HeardWard:
    """That ward so long before its quiet hours."""
    station = HeardWard(**{"zones": ZONES, "stagger_ms": GAP_MS, "frame": STANDARD_FRAME, **site})
    station.now = replace(station.now, utc=UtcMs(EVENING - round(seconds * 1_000) - 1_000))
    station.boot()
    return station


def record_of(station: HeardWard, job: JobId) -> Any:
    (record,) = [one.record for one in station.every(fx.CommitRecord) if one.record.job_id == job]
    return record
