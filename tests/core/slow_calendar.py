"""When a rule sounds, found the slow way: every day, every wall time, every offset that the zone has around it.

Shares no idea with ``core.schedule``: no cron trigger, and no ``fold``. Clocks are read forwards only: which UTC
instants show this wall time? The first of them; where none does, as much later as the clocks were put forward.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from edge_agent.core.job import Rule
from edge_agent.core.units import UtcMs

DAY = timedelta(days=1)
AROUND = [timedelta(hours=hours) for hours in range(-26, 27)]
# No zone is further from UTC than 14 h, and Samoa once moved by 24.

ZONES = """Asia/Ho_Chi_Minh Europe/Berlin America/Santiago Africa/Cairo America/Havana Australia/Lord_Howe
Antarctica/Troll Africa/Casablanca Europe/Dublin Asia/Kathmandu Pacific/Apia""".split()
"""Gaps at midnight, at two, of half an hour, of two hours, of a day; and zones that never move."""


def instant_of(day: date, wall: time, zone: str) -> UtcMs:
    """The instant of a wall time."""
    naive = datetime.combine(day, wall)
    offsets = _offsets(day, zone)
    shown = [at for at in (naive - offset for offset in offsets) if _wall(at, zone) == naive]
    first = min(shown) if shown else naive - min(offsets)  # before a gap the offset is the smaller one
    return UtcMs(int(first.replace(tzinfo=UTC).timestamp()) * 1000)


def instants_of(rule: Rule) -> list[UtcMs]:
    """Every instant at which the rule sounds, in order; two wall times of one instant are one."""
    days = [rule.first_day + n * DAY for n in range((rule.last_day - rule.first_day).days + 1)]
    chosen = [day for day in days if day.isoweekday() in rule.weekdays and day not in rule.excluded]
    return sorted({instant_of(day, wall, rule.timezone) for day in chosen for wall in rule.times})


@lru_cache(maxsize=10_000)
def _offsets(day: date, zone: str) -> frozenset[timedelta]:
    noon = datetime.combine(day, time(12), UTC)
    return frozenset(
        offset for ahead in AROUND if (offset := (noon + ahead).astimezone(ZoneInfo(zone)).utcoffset()) is not None
    )


def _wall(at: datetime, zone: str) -> datetime:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


@cache
def _moving_days(zone: str) -> list[date]:
    """Days around which the zone's clocks were moved; Samoa's and some of next year's."""
    days = [date(2011, 12, 25) + n * DAY for n in range(10)] + [date(2026, 1, 1) + n * DAY for n in range(800)]
    return [day for day in days if len(_offsets(day, zone)) > 1] or [date(2026, 10, 1)]


seconds = st.times().map(lambda at: at.replace(microsecond=0, fold=0))
nights = st.builds(time, st.sampled_from((0, 1, 2, 3, 23)), st.sampled_from((0, 15, 30, 59)), st.sampled_from((0, 59)))
"""Hours at which clocks are moved."""


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """A timetable of some days, mostly about the time when the clocks are moved."""
    zone = draw(st.sampled_from(ZONES))
    near = st.sampled_from(_moving_days(zone))
    first = draw(near | st.dates(date(2020, 1, 1), date(2099, 12, 1))) - draw(st.integers(0, 3)) * DAY
    last = first + draw(st.integers(0, 12)) * DAY
    times = draw(st.lists(nights | seconds, min_size=1, max_size=4, unique=True))
    excluded = draw(st.frozensets(st.integers(0, 12).map(lambda n: first + n * DAY), max_size=3))
    weekdays = draw(st.just(frozenset(range(1, 8))) | st.frozensets(st.integers(1, 7), min_size=1))
    return Rule(zone, first, last, weekdays, tuple(times), excluded)
