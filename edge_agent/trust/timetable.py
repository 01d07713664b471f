"""Read when a job is due. Leaves the instants that follow from a rule to the core."""

from __future__ import annotations

from datetime import date, time
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from edge_agent.core.job import PlayAt, PlayNow, Rule, When
from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.trust.fields import DAY, WALL_SECOND, Fields, form
from edge_agent.trust.strict_json import WireError

UTC_MS_MAX = 4_102_444_800_000
# 2100-01-01: later than any order, and before calendars begin to overflow.
TIMES_MAX = 24  # once an hour
EXCLUDED_MAX = 60  # more than the public holidays of two years
EVERY_S_MIN = 60  # a sooner repetition is a loop
EVERY_S_MAX = 3_600  # whoever came home since hears the next one within the hour
MONDAY, SUNDAY = 1, 7
ZONE_NAME = form(
    # A capital first: "right/…" (leap seconds), "posix/…" and "localtime" (the machine's own) are no places.
    r"(?=.{1,64}\Z)[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}",
    'a time zone as "Asia/Ho_Chi_Minh"',
)


class Kind(StrEnum):
    """At once, once, or by a rule."""

    NOW = "now"
    AT = "at"
    RULE = "rule"


def read_when(fields: Fields) -> When:
    """The field ``when``, or ``WireError``."""
    kind = fields.choice("kind", Kind)
    if kind is Kind.RULE:
        return _read_rule(fields)
    return PlayAt(read_instant(fields, "utc")) if kind is Kind.AT else _read_now(fields)


def read_instant(fields: Fields, name: str) -> UtcMs:
    """UTC milliseconds from 1970 to 2100."""
    return UtcMs(fields.integer(name, 0, UTC_MS_MAX))


def read_day(fields: Fields, name: str) -> date:
    """A day of the calendar."""
    return _day(fields.text(name, DAY), fields.wrong(name, DAY.rule))


def read_days(fields: Fields, name: str) -> frozenset[date]:
    """Up to EXCLUDED_MAX days, each once."""
    texts = fields.texts(name, DAY, 0, EXCLUDED_MAX)
    return frozenset(_day(text, fields.wrong(name, DAY.rule, index)) for index, text in enumerate(texts))


def _read_now(fields: Fields) -> PlayNow:
    if "every_s" not in fields and "until" not in fields:
        return PlayNow()
    # Both: repeating without an end would be an order that nobody has to take back.
    every_ms = fields.integer("every_s", EVERY_S_MIN, EVERY_S_MAX) * SECOND_MS
    return PlayNow(every_ms, read_instant(fields, "until"))


def _read_rule(fields: Fields) -> Rule:
    first, last = read_day(fields, "first_day"), read_day(fields, "last_day")
    if last < first:
        raise fields.wrong("last_day", "not before first_day")
    return Rule(
        timezone=_read_zone(fields, "timezone"),
        first_day=first,
        last_day=last,
        weekdays=fields.integers("weekdays", MONDAY, SUNDAY),
        times=tuple(time.fromisoformat(text) for text in fields.texts("times", WALL_SECOND, 1, TIMES_MAX)),
        excluded=read_days(fields, "excluded"),
    )


def _day(text: str, wrong: WireError) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:  # the form is right, but there is no such day
        raise wrong from error


def _read_zone(fields: Fields, name: str) -> str:
    zone = fields.text(name, ZONE_NAME)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:  # OSError: a folder of zones, "Asia"
        raise fields.wrong(name, f"{ZONE_NAME.rule}; this one is not known here") from error
    return zone
