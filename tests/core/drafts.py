"""What officers of an imagined ward sign, wise or not: drafts drawn at random, and the orders that they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from typing import Any

from hypothesis import strategies as st

from edge_agent.core import order
from edge_agent.core.job import Accepted, Audience, JobClass, PlayAt, PlayNow
from edge_agent.core.site import STANDARD, STANDARD_FRAME, Clause, Group, IntoQuiet, LocalPolicy, ZoneSite
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, JobId, UtcMs, ZoneId
from edge_agent.core.wall_time import local_time
from tests.trust import makers

Draft = dict[str, Any]

ZONE_SITES = {
    ZoneId(name): ZoneSite(ZoneId(name), name, warm_up_ms, on_ms_max=on_ms_max)
    for name, warm_up_ms, on_ms_max in (("a", 500, 2 * HOUR_MS), ("b", 2_000, 90_000), ("c", 10_000, 2 * HOUR_MS))
}
UNLIMITED = Clause(quiet=STANDARD.quiet, volume_bands=STANDARD.volume_bands)
"""Quiet at night, and no other limit, so that days on which much sounds are seen too."""
SITE = makers.make_site(zones=ZONE_SITES, policy=LocalPolicy((UNLIMITED,)))
RESTING = {zone: replace(site, least_on_ms=3_000, least_off_ms=4_000) for zone, site in ZONE_SITES.items()}
NEIGHBOUR = replace(RESTING[ZoneId("b")], least_off_ms=60_000, group=Group.B)
SITES = (
    SITE,
    replace(SITE, frame=STANDARD_FRAME),
    makers.make_site(zones=ZONE_SITES),
    replace(SITE, zones=RESTING),
    # Which rests for long, and is heard over the others.
    replace(SITE, zones={**ZONE_SITES, ZoneId("b"): NEIGHBOUR}, stagger_ms=1_000),
    # Which is heard over another station.
    replace(SITE, frame=STANDARD_FRAME, stagger_ms=1_000, neighbours_take_turns=True),
)
ZONES = tuple(SITE.zones)
ELSEWHERE = ZoneId("elsewhere")
NOON = UtcMs(makers.NOON)
STARTS = (NOON, UtcMs(NOON + 9 * HOUR_MS - MINUTE_MS), UtcMs(NOON + 17 * HOUR_MS - 5_000))  # about 21:00 and 05:00

CLIPS = [
    makers.clip_item(digest=key * 64, duration_ms=ms)
    for key, ms in (("1", 4_000), ("2", 60_000), ("3", 85_000), ("4", 89_000))
]
LIVES = [
    makers.live_item(duration_ms=20_000),
    makers.live_item(duration_ms=70_000, urls=["https://live.test/tinh.mp3"], stand_in=CLIPS[0]),
]
TEXTS = [makers.text_item(text=words) for words in ("Lũ quét!", "Bà con rời nhà ngay.")]
SERIES = "so-tan"
OTHERS = "tinh"
"""Another issuer, whose orders are not the ward's to take back."""

few = st.integers(0, 5)
pauses = st.sampled_from((0, 2, 30, 100))
often = st.sampled_from((*[True] * 7, False))
zones = st.sampled_from(ZONES)
some_zones = st.sampled_from(((), (), (), *[(zone,) for zone in ZONES], ZONES[:2], ZONES[1:])).map(list)
clips, texts = st.sampled_from(CLIPS), st.sampled_from(TEXTS)
issuers = st.sampled_from((*[makers.ISSUER] * 5, OTHERS))
anything = st.fixed_dictionaries(
    {
        "zones": some_zones,
        "issuer": issuers,
        "loops": st.integers(1, 2),
        "gap_s": st.sampled_from((0, 1)),
        "preemption": st.sampled_from(("rejoin", "rejoin", "drop", "resume", "restart")),
        "volume": st.sampled_from((0, 70, 100)),
        "order": st.integers(0, 2),
        "late_s": st.sampled_from((0, 0, 5, 600, 86_400)),
        "zones_s": st.sampled_from((0, 0, 600)),
        "valid_s": st.sampled_from((1, 30, 600, 3_600)),
        "from_s": st.sampled_from((0, 0, 0, 30, 600)),
        "version": st.sampled_from((*[0] * 9, 1, 2, 3)),
        "corrects": st.sampled_from((*[0] * 19, 1, 2)),
        "offered": st.sampled_from((*[False] * 9, True)),
        "sound_max_ms": st.sampled_from((0, 0, 0, 0, 30_000)),
        "per_day": st.sampled_from((*[0] * 7, 3)),
    }
)
"""Of any job; ``corrects`` says how many orders back, ``offered`` and the two limits are its role's."""
alarms = st.fixed_dictionaries({"every_s": st.sampled_from((0, 0, 60, 900)), "all_clear": st.sampled_from((0, 0, 1))})
"""Of an emergency beside."""
routine = st.sampled_from(("normal", "normal", "priority"))
items = st.lists(st.one_of(clips, texts), min_size=1, max_size=2)
relays = st.lists(st.one_of(clips, texts, st.sampled_from(LIVES)), min_size=1, max_size=2)
"""Of what is no emergency."""

WHATS = (
    *("lock", "all_stop", "stop", "pause", "pause", "resume", "next_item", "volume", "amplify", "quench", "cancel"),
    *("cancel_rule", "self_test", "restart", "rank", "choose"),
)
commands = st.fixed_dictionaries(
    {
        "what": st.sampled_from(WHATS),
        "zones": some_zones,
        "issuer": issuers,
        "for_s": st.sampled_from((1, 5, 60, 600)),
        "back": few,
        "soon": st.booleans(),
        "skew_s": st.sampled_from((0, 0, 0, 0, 60, -60, -130)),
        "level": st.sampled_from((0, 30, 100)),
    }
)
"""``back``: how many orders back its target is; ``skew_s``: how far the clock of whoever signs it is off."""
windows = st.fixed_dictionaries(
    {
        "silence": st.booleans(),
        "zones": some_zones,
        "in_s": st.sampled_from((-60, 0, 20, 300)),
        "lasts_s": st.sampled_from((10, 90, 3_600, 86_400)),
        "session_s": st.sampled_from((60, 3_600)),
        "total_s": st.sampled_from((None, None, 90)),
        "volume": st.sampled_from((None, 50)),
    }
)
regulations = st.fixed_dictionaries(
    {
        "version": st.integers(1, 4),
        "policy": st.sampled_from(("standard", "unlimited", "cut", "tight", "holiday")),
        "in_s": st.sampled_from((0, 0, 600)),
        "lasts_s": st.sampled_from((3_600, 30 * 86_400)),
    }
)


def timetable(first: UtcMs) -> Draft:
    """Three times a day for four days: at the wall time of ``first``, at noon, and just before the quiet hours."""
    wall = local_time(first, SITE.timezone)
    days = {"first_day": f"{wall:%Y-%m-%d}", "last_day": f"{wall + timedelta(days=3):%Y-%m-%d}", "excluded": []}
    times = sorted({f"{wall:%H:%M:%S}", "12:10:07", "20:59:53"})
    return makers.rule_when(**days, weekdays=[*range(1, 8)], times=times)


def signed_job(draft: Draft, number: int, now: UtcMs) -> Accepted:
    """The order that a draft becomes at ``now``; its digest is for whoever sends it."""
    job = dict(draft)
    if any(item["kind"] == "live" for item in job["items"]):
        preemption = "resume" if job["preemption"] == "restart" else job["preemption"]
        job |= {"loops": 1, "zones_s": 0, "preemption": preemption}
    role = {name: job.pop(name) for name in ("sound_max_ms", "per_day")}
    offered = job.pop("offered") and job["class"] != "emergency"
    late_s, zones_s, begins = job.pop("late_s"), job.pop("zones_s"), now + job.pop("from_s") * SECOND_MS
    missed = {"policy": "late", "limit_s": late_s} if late_s else {"policy": "skip"}
    given: Draft = {"job_id": f"job-{number}", "issued_at": now, "not_before": begins}
    given |= {"not_after": begins + job.pop("valid_s") * SECOND_MS, "missed": missed | {"zones_s": zones_s}}
    given |= {"audience": {"areas": [makers.AREA], "zones": job.pop("zones")}}
    job |= _again(job, begins, given["not_after"]) | _alert(job) | _correction(job, number)
    return Accepted(makers.make_job(**job, **given), "", ("k1",), "ward", **role, offered=offered)


def _again(job: Draft, begins: int, ends: int) -> Draft:
    every_s = job.pop("every_s", 0)
    if not every_s:
        return {}
    return {"when": {"kind": "now", "every_s": every_s, "until": begins + max(1, (ends - begins) // 2)}}


def _alert(job: Draft) -> Draft:
    version, all_clear = job.pop("version"), job.pop("all_clear", 0)
    if not version:
        return {}
    urgent = job["class"] == "emergency" and not job.get("rehearsal")
    return {
        "series": job.get("series", SERIES),
        "version": version + all_clear,
        "all_clear": bool(all_clear and urgent),
    }


def _correction(job: Draft, number: int) -> Draft:
    back = job.pop("corrects")
    return {"corrects": f"job-{number - back}"} if 0 < back < number else {}


def signed_command(draft: Draft, order_id: str, targets: Sequence[str], now: UtcMs) -> order.Command:
    """The command that a draft becomes; ``targets`` are the orders that it may be about, the newest last."""
    signed_at = UtcMs(now + draft["skew_s"] * SECOND_MS)
    heading = _heading(order_id, draft["issuer"], draft["zones"], signed_at, UtcMs(signed_at + 2 * MINUTE_MS))
    jobs = [one for one in targets if one.startswith("job")] or ["job-1"]
    rules = [one for one in targets if one.startswith("rule") and one != order_id] or ["rule-x"]
    return order.Command(heading, _action(draft, jobs, rules, now))


def _action(draft: Draft, jobs: list[str], rules: list[str], now: UtcMs) -> order.Action:
    for_ms, back = draft["for_s"] * SECOND_MS, draft["back"]
    target = JobId(jobs[max(0, len(jobs) - 1 - back)])
    chosen = PlayNow() if draft["soon"] else PlayAt(UtcMs(now + 60 * SECOND_MS * (back - 1)))
    actions: dict[str, order.Action] = {
        "lock": order.Lock(for_ms),
        "all_stop": order.AllStop(for_ms),
        "stop": order.Stop(),
        "pause": order.Pause(for_ms),
        "resume": order.Resume(),
        "next_item": order.NextItem(),
        "volume": order.SetVolume(draft["level"]),
        "amplify": order.Amplify(True, for_ms),
        "quench": order.Amplify(False, for_ms),
        "cancel": order.Cancel(target, UtcMs(now + HOUR_MS)),
        "cancel_rule": order.Cancel(JobId(rules[max(0, len(rules) - 1 - back)]), UtcMs(now + HOUR_MS)),
        "self_test": order.SelfTest(),
        "restart": order.Restart(),
        "rank": order.Rank(tuple(JobId(job) for job in reversed(jobs[-3:]))),
        "choose": order.Choose(target, chosen),
    }
    return actions[draft["what"]]


def signed_window(draft: Draft, order_id: str, now: UtcMs) -> order.Window:
    """The exception or the silence that a draft becomes."""
    begins = UtcMs(now + draft["in_s"] * SECOND_MS)
    ends = UtcMs(begins + draft["lasts_s"] * SECOND_MS)
    total_ms = None if draft["total_s"] is None else draft["total_s"] * SECOND_MS
    ordinary = frozenset({JobClass.NORMAL, JobClass.PRIORITY})
    loosens = order.Loosening(ordinary, draft["session_s"] * SECOND_MS, total_ms, draft["volume"])
    heading = _heading(order_id, makers.ISSUER, draft["zones"], now, ends)  # whom a cancel may come from
    return order.Window(heading, begins, ends, "Công văn 34/UBND", None if draft["silence"] else loosens)


def signed_regulation(draft: Draft, order_id: str, now: UtcMs) -> order.Regulation:
    """The regulation that a draft becomes."""
    begins = UtcMs(now + draft["in_s"] * SECOND_MS)
    heading = _heading(order_id, makers.OWNER, [], begins, UtcMs(begins + draft["lasts_s"] * SECOND_MS))
    policy = _policies(now)[draft["policy"]]
    return order.Regulation(heading, draft["version"], "12/QĐ-UBND", date(2026, 9, 15), policy)


def _policies(now: UtcMs) -> dict[str, LocalPolicy]:
    wall = local_time(UtcMs(now + 3 * MINUTE_MS), SITE.timezone)
    nap = (wall.time().replace(second=0, microsecond=0), time((wall.hour + 2) % 24))
    tight = replace(UNLIMITED, sessions_per_day=2, day_ms=150 * SECOND_MS, session_ms=95 * SECOND_MS)
    return {
        "standard": LocalPolicy(),
        "unlimited": LocalPolicy((UNLIMITED,)),
        "cut": LocalPolicy((UNLIMITED, Clause(quiet=nap)), IntoQuiet.CUT),
        "tight": LocalPolicy((tight,)),
        "holiday": LocalPolicy((UNLIMITED, Clause(zones=frozenset(ZONES[:1]), holidays=frozenset({wall.date()})))),
    }


def _heading(order_id: str, issuer: str, where: list[ZoneId], begins: UtcMs, ends: UtcMs) -> order.Heading:
    audience = Audience(frozenset(), frozenset({makers.AREA}), frozenset(where))
    return order.Heading(JobId(order_id), issuer, "commune", 0, 1, begins, begins, ends, audience)
