"""Plans as stations tell them, for whoever makes a public timetable of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from edge_agent.core.outlook import Planned
from edge_agent.core.units import MINUTE_MS, StationId, UtcMs, ZoneId
from edge_agent.headend.week import Named, Week, ZoneNames, week
from edge_agent.headend.week_replies import Replies
from edge_agent.sync.reports import PlanMsg
from tests.headend.fake_station import AT, MORNING, PLAN

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
TODAY = PLAN.day
TOMORROW = TODAY + timedelta(days=1)
BEGINS = UtcMs(AT - 30 * MINUTE_MS)
"""When stations were asked: 05:00 on 6 October 2026, in Hanoi."""
CHO, DINH, BEN = Named("tram-01", "Trạm Chợ"), Named("tram-02", "Trạm Đình"), Named("tram-03", "")


def entry(
    title: str = "Bản tin", after_min: float = 30, zones: Mapping[str, int] | None = None, **more: Any
) -> Planned:
    """Five minutes of sound, so long after the question."""
    at = UtcMs(BEGINS + round(after_min * MINUTE_MS))
    volumes = {ZoneId(zone): volume for zone, volume in ({"c1": 60} if zones is None else zones).items()}
    sound = {"planned": at, "starts": at, "ends": UtcMs(at + 5 * MINUTE_MS), "volumes": volumes, "out": {}}
    return replace(MORNING, title=title, under="", cut=False, zones=(), **(sound | more))


def plan(*entries: Planned, **more: Any) -> PlanMsg:
    return replace(PLAN, **({"entries": entries, "now": BEGINS, "offers": ()} | more))


def told(
    plans: Mapping[Named, PlanMsg], *others: Named, days: tuple[date, ...] = (TODAY,), names: ZoneNames | None = None
) -> Week:
    """What residents are told of these stations' plans; ``others`` did not answer."""
    stations = (*plans, *others)
    replies = Replies({}, frozenset(StationId(one.id) for one in stations), BEGINS)
    replies.plans |= {(StationId(one.id), said.day): said for one, said in plans.items()}
    return week(days, stations, replies, names or {}, BEGINS, HANOI)
