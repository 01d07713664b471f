"""What people order in these campaigns: a payload for each kind, from what a script says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.redteam.papers import Ward
from tests.sim import TIMEZONE, clip_key
from tests.trust import makers

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
COMMAND_MS = 120_000
STAND_IN_S = 4.0


def drafted(ward: Ward, serial: int, now: int, kind: str, **what: Any) -> dict[str, Any]:
    """The payload of one order, unsigned."""
    heading = {
        "issuer": ward.issuer,
        "level": ward.level,
        "serial": serial,
        "issued_at": now,
        "not_before": now,
        "audience": _audience(ward, what.pop("stations", ()), what.pop("zones", ())),
    }
    return _DRAFTS[kind](ward, heading, serial, now, **what)


def _audience(ward: Ward, stations: Any, zones: Any) -> dict[str, Any]:
    whom = {"stations": [*stations]} if stations else {"areas": [ward.area]}
    return whom | {"zones": [*zones]}


def _job(ward: Ward, heading: dict[str, Any], serial: int, now: int, **what: Any) -> dict[str, Any]:
    cls, when = what["cls"], what.get("when", "now")
    payload = heading | {"job_id": f"{ward.issuer}-{serial}", "class": cls, "loops": what.get("loops", 1)}
    payload |= {"preemption": what.get("preemption", "rejoin"), "items": _items(what), **_timed(when, what, now)}
    payload |= {"volume": what.get("volume", 70)} | ({"gap_s": what["gap_s"]} if what.get("gap_s") else {})
    if cls == "emergency":
        payload["event"] = "lu-quet"
        if what.get("rehearsal"):
            payload["rehearsal"] = True
        else:
            payload["not_after"] = now + what.get("valid_ms", HOUR_MS)
        if "series" in what:
            payload |= {"series": f"{ward.issuer}-{what['series']}", "version": what["version"]}
        if what.get("all_clear"):
            payload["all_clear"] = True
        if "every_s" in what:
            payload["when"] = {"kind": "now", "every_s": what["every_s"], "until": payload["not_after"]}
    if "corrects" in what:
        payload["corrects"] = f"{ward.issuer}-{what['corrects']}"
    return makers.job_dict(**payload)


def _items(what: dict[str, Any]) -> list[dict[str, Any]]:
    words = what.get("and_words")
    return [_item(what)] + ([_item({"spoken": words})] if words else [])


def _item(what: dict[str, Any]) -> dict[str, Any]:
    if "spoken" in what:
        return makers.text_item(text=what["spoken"])
    if "source" in what:
        stand_in = {"stand_in": _clip(what["stand_in"], STAND_IN_S)} if what.get("stand_in") else {}
        return makers.live_item(urls=[what["source"]], duration_ms=round(what["seconds"] * 1000), **stand_in)
    return _clip(what["tone"], what["seconds"])


def _clip(tone: str, seconds: float) -> dict[str, Any]:
    return makers.clip_item(digest=clip_key(tone, seconds), duration_ms=round(seconds * 1000))


def _timed(when: str, what: dict[str, Any], now: int) -> dict[str, Any]:
    if when == "now":
        return {"when": {"kind": "now"}, "not_after": now + what.get("valid_ms", 600_000)}
    instant = (now + what["in_s"] * 1_000) // 1_000 * 1_000
    late = {"missed": {"policy": "late", "limit_s": what["late_s"]}} if what.get("late_s") else {}
    if when == "at":
        return {"when": {"kind": "at", "utc": instant}, "not_after": instant + what.get("valid_ms", HOUR_MS), **late}
    return {"when": _rule(instant), "not_after": instant + 2 * DAY_MS, **late}


def _rule(instant: int) -> dict[str, Any]:
    wall = datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(TIMEZONE))
    days = [wall.date() + timedelta(days=day) for day in range(2)]
    return {
        "kind": "rule",
        "timezone": TIMEZONE,
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "weekdays": sorted({day.isoweekday() for day in days}),
        "times": [wall.strftime("%H:%M:%S")],
    }


def _command(_ward: Ward, heading: dict[str, Any], serial: int, now: int, **do: Any) -> dict[str, Any]:
    if do["what"] == "cancel":
        target = do["target"] if isinstance(do["target"], str) else f"{heading['issuer']}-{do['target']}"
        do = {"what": "cancel", "target": target, "until": now + 3 * DAY_MS}
    if do["what"] == "choose":
        do = {"what": "choose", "target": do["target"], "when": _timed(do["when"], do, now)["when"]}
    given = heading | {"order_id": f"lenh-{serial}", "not_after": now + COMMAND_MS, "do": do}
    return makers.command_dict(**given)


def _window(ward: Ward, heading: dict[str, Any], serial: int, now: int, **what: Any) -> dict[str, Any]:
    begins, ends = now + what["from_s"] * 1_000, now + what["to_s"] * 1_000
    times = {"begins": begins, "ends": ends, "not_after": ends}
    return makers.window_dict(
        order_id=f"cua-so-{serial}", kind=what["kind_of"], **(heading | {"issuer": ward.owner} | times)
    )


def _regulation(ward: Ward, heading: dict[str, Any], serial: int, now: int, **what: Any) -> dict[str, Any]:
    given = heading | {"order_id": f"quy-che-{serial}", "issuer": ward.owner, "not_after": now + 30 * DAY_MS}
    return makers.regulation_dict(version=serial, clauses=[makers.clause_dict(quiet=what["quiet"])], **given)


def _timetable(ward: Ward, heading: dict[str, Any], serial: int, now: int, **what: Any) -> dict[str, Any]:
    entries = [
        makers.entry_dict(
            f"{ward.issuer}-muc-{name}",
            when={"kind": "at", "utc": (now + in_s * 1_000) // 1_000 * 1_000},
            items=[_item({"tone": name, "seconds": 6.0} | ({"source": source} if source else {}))],
        )
        for name, in_s, source in what["entries"]
    ]
    given = heading | {"order_id": f"{ward.issuer}-lich-{serial}", "not_after": now + 2 * DAY_MS}
    return makers.timetable_dict(version=serial, entries=entries, **given)


_DRAFTS = {
    "job": _job,
    "command": _command,
    "window": _window,
    "regulation": _regulation,
    "timetable": _timetable,
}
