"""Read the times of a draft: instants with their offset, and the ways to say when. Pure.

A person writes wall time; what is signed is UTC milliseconds, or a rule in the wall time of a named zone.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.trust.fields import Fields, free_text
from edge_agent.trust.strict_json import JsonObject, JsonValue, WireError
from edge_agent.trust.timetable import read_when

INSTANT = "giờ kèm múi giờ, như 2026-10-06T05:30:00+07:00 / an instant with its offset, as 2026-10-06T05:30:00+07:00"
INSTANT_OR_WALL = (
    'giờ kèm múi giờ, như 2026-10-06T05:30:00+07:00, hoặc thêm "timezone" / an instant with its offset, as '
    '2026-10-06T05:30:00+07:00, or wall time with "timezone"'
)
WHEN = (
    '"now", hoặc một bảng có at, hoặc có first_day, last_day và times / "now", or a table with at, or with first_day, '
    "last_day and times"
)
ONCE = "bỏ đi: at là phát một lần; lịch nhiều ngày thì bỏ at / remove it: at is once; for more days remove at"
RULE = ("first_day", "last_day", "weekdays", "times", "excluded")
WALL_TIME = re.compile(r"\d{2}:\d{2}(:\d{2})?", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_ZONE = "Asia/Ho_Chi_Minh"
EVERY_DAY: list[JsonValue] = [1, 2, 3, 4, 5, 6, 7]


def when_payload(fields: Fields) -> JsonObject:
    """``when = "now"``, ``[when] at = …``, ``[when] first_day, last_day, times, …``, or (of an emergency that is
    repeated) ``[when] every_minutes = …, until = …`` as the payload says it."""
    if "when" not in fields or fields.values["when"] == "now":
        return {"kind": "now"}
    if not isinstance(fields.values["when"], dict):
        raise fields.wrong("when", WHEN)
    table = fields.record("when")
    payload = _of_table(table)
    read_when(Fields(payload, table.where))  # here, so that an error names the draft's own field
    return payload


def instant(fields: Fields, name: str, timezone: str = "", rule: str = INSTANT) -> UtcMs:
    """An instant in UTC ms: ISO text with an offset, or wall time in ``timezone``."""
    text = fields.text(name, free_text(40, least=1))
    try:
        wall = datetime.fromisoformat(text)
    except ValueError as error:
        raise fields.wrong(name, rule) from error
    if wall.tzinfo is None:
        if not timezone:
            raise fields.wrong(name, rule)
        wall = wall.replace(tzinfo=ZoneInfo(timezone))
    return UtcMs((wall - EPOCH) // timedelta(milliseconds=1))


def instant_in(fields: Fields, name: str) -> UtcMs:
    """An instant, of which ``timezone`` beside it may name the zone."""
    zone = fields.text("timezone", free_text(64), default="")
    if zone:
        _check_zone(fields, zone)
    return instant(fields, name, zone, INSTANT_OR_WALL)


def _check_zone(fields: Fields, zone: str) -> None:
    """By the one rule that a payload's zone has."""
    try:
        read_when(Fields(_rule_of(zone)))
    except WireError as error:
        raise fields.wrong("timezone", error.rule) from error


def end_of(when: JsonObject, start: UtcMs) -> UtcMs:
    """The last instant at which a checked ``when`` may still be due: of a rule, the midnight after its last day."""
    if when["kind"] == "now":
        return UtcMs(cast(int, when.get("until", start)))
    if when["kind"] == "at":
        return UtcMs(cast(int, when["utc"]))
    last_day = min(date.fromisoformat(str(when["last_day"])), date.max - timedelta(days=1))  # behind it is no midnight
    midnight = datetime.combine(last_day + timedelta(days=1), time())
    return UtcMs(int(midnight.replace(tzinfo=ZoneInfo(str(when["timezone"]))).timestamp()) * SECOND_MS)


def _of_table(table: Fields) -> JsonObject:
    if "at" in table:
        return _at(table)
    return _again(table) if "every_minutes" in table or "every_s" in table else _rule(table)


def _at(table: Fields) -> JsonObject:
    for name in RULE:
        if name in table:
            raise table.wrong(name, ONCE)
    table.only("at", "timezone")
    return {"kind": "at", "utc": instant_in(table, "at")}


def _again(table: Fields) -> JsonObject:
    table.only("every_minutes", "every_s", "until", "timezone")
    if "every_minutes" in table and "every_s" in table:
        raise table.wrong("every_minutes", "chỉ dùng trường này hoặc every_s / either this or every_s, not both")
    every_s = _any(table.values["every_s"]) if "every_s" in table else table.integer("every_minutes", 1, 60) * 60
    return {"kind": "now", "every_s": every_s, "until": instant_in(table, "until")}


def _rule(table: Fields) -> JsonObject:
    table.only("timezone", *RULE)
    if "times" not in table:
        raise table.wrong(
            "times",
            'thiếu: ["05:30", "17:00"], hoặc "at" cho một lần phát / missing: ["05:30", "17:00"], or "at" for one '
            "instant",
        )
    times: list[JsonValue] = [_with_seconds(value, where) for where, value in table.entries("times", 1, 24)]
    days = {name: _any(table.value(name)) for name in ("first_day", "last_day")}
    return {
        "kind": "rule",
        "timezone": table.text("timezone", free_text(64), default=DEFAULT_ZONE),
        **days,
        "weekdays": _any(table.values.get("weekdays", EVERY_DAY)),
        "times": times,
        "excluded": _any(table.values.get("excluded", [])),
    }


def _rule_of(zone: str) -> JsonObject:
    day = "2026-01-01"
    return {
        "kind": "rule",
        "timezone": zone,
        "first_day": day,
        "last_day": day,
        "weekdays": EVERY_DAY,
        "times": ["00:00:00"],
    }


def _with_seconds(value: object, where: str) -> str:
    if not isinstance(value, str) or WALL_TIME.fullmatch(value) is None:
        raise WireError(where, 'wall time as "05:30" or "05:30:00"')
    return value if value.count(":") == 2 else f"{value}:00"


def _any(value: object) -> JsonValue:
    return cast(JsonValue, value)
