"""What officers of an imagined ward sign, wise or not: drafts drawn at random, and the orders that they become."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from edge_agent.core.job import Job
from edge_agent.core.policy import local_time
from edge_agent.core.site import ZoneSite
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs, ZoneId
from tests.trust import makers

Draft = dict[str, Any]

SITE = makers.make_site(
    zones={
        ZoneId(name): ZoneSite(ZoneId(name), name, warm_up_ms, on_ms_max=on_ms_max)
        for name, warm_up_ms, on_ms_max in (("a", 500, 2 * HOUR_MS), ("b", 2_000, 90_000), ("c", 10_000, 2 * HOUR_MS))
    }
)
ZONES = tuple(SITE.zones)
ELSEWHERE = ZoneId("elsewhere")
NOON = UtcMs(makers.NOON)
STARTS = (NOON, UtcMs(NOON + 9 * HOUR_MS - MINUTE_MS), UtcMs(NOON + 17 * HOUR_MS - 5_000))  # about 21:00 and 05:00

CLIPS = [
    makers.clip_item(digest=key * 64, duration_ms=ms)
    for key, ms in (("1", 4_000), ("2", 60_000), ("3", 85_000), ("4", 89_000))
]
TEXTS = [makers.text_item(text=words) for words in ("Lũ quét!", "Bà con rời nhà ngay.")]

few = st.integers(0, 5)
often = st.sampled_from((*[True] * 7, False))
zones = st.sampled_from(ZONES)
clips, texts = st.sampled_from(CLIPS), st.sampled_from(TEXTS)
anything = st.fixed_dictionaries(
    {
        "zones": st.sampled_from(((), (), (), *[(zone,) for zone in ZONES], ZONES[:2], ZONES[1:])).map(list),
        "loops": st.integers(1, 2),
        "gap_s": st.sampled_from((0, 1)),
        "preemption": st.sampled_from(("rejoin", "rejoin", "drop")),
        "volume": st.sampled_from((0, 70, 100)),
        "order": st.integers(0, 2),
        "late_s": st.sampled_from((0, 0, 5, 600, 86_400)),
        "valid_s": st.sampled_from((1, 30, 600, 3_600)),
        "from_s": st.sampled_from((0, 0, 0, 30, 600)),
    }
)
routine = st.sampled_from(("normal", "normal", "priority"))
items = st.lists(st.one_of(clips, texts), min_size=1, max_size=2)


def timetable(first: UtcMs) -> Draft:
    """Three times a day for four days: at the wall time of ``first``, at noon, and just before the quiet hours."""
    wall = local_time(first, SITE.timezone)
    days = {"first_day": f"{wall:%Y-%m-%d}", "last_day": f"{wall + timedelta(days=3):%Y-%m-%d}", "excluded": []}
    times = sorted({f"{wall:%H:%M:%S}", "12:10:07", "20:59:53"})
    return makers.rule_when(**days, weekdays=[*range(1, 8)], times=times)


def signed_job(draft: Draft, job_id: str, now: UtcMs) -> Job:
    """The order that a draft becomes at ``now``."""
    job = dict(draft)
    late_s, begins = job.pop("late_s"), now + job.pop("from_s") * SECOND_MS
    given: Draft = {"job_id": job_id, "issued_at": now, "not_before": begins}
    given |= {"not_after": begins + job.pop("valid_s") * SECOND_MS}
    given |= {"audience": {"areas": [makers.AREA], "zones": job.pop("zones")}}
    given |= {"missed": {"policy": "late", "limit_s": late_s}} if late_s else {}
    return makers.make_job(**job, **given)
