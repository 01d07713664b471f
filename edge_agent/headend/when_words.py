"""Say in Vietnamese when something is due. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from zoneinfo import ZoneInfo

from edge_agent.core.job import PlayAt, PlayNow, Rule, When
from edge_agent.headend.words import day_and_hour, duration

WEEKDAYS = {1: "T2", 2: "T3", 3: "T4", 4: "T5", 5: "T6", 6: "T7", 7: "CN"}
# As every Vietnamese calendar prints them.


def when_words(when: When, zone: ZoneInfo) -> str:
    """At once, once, or by a rule."""
    match when:
        case PlayNow(every_ms=0):
            return "phát ngay"
        case PlayNow(every_ms=every_ms, until=until):
            return f"phát ngay, lặp lại mỗi {duration(every_ms)} đến {day_and_hour(until, zone)}"
        case PlayAt(at=at):
            return f"một lần, {day_and_hour(at, zone)}"
        case Rule():
            return _rule(when)


def weekdays(days: Iterable[int]) -> str:
    """T2, T3, CN."""
    return ", ".join(WEEKDAYS[day] for day in sorted(days))


def dates(days: Iterable[date]) -> str:
    """01/01/2027, 30/04/2027."""
    return ", ".join(day.strftime("%d/%m/%Y") for day in sorted(days))


def _rule(rule: Rule) -> str:
    times = ", ".join(at.strftime("%Hh%M:%S" if at.second else "%Hh%M") for at in rule.times)
    except_ = f", trừ {dates(rule.excluded)}" if rule.excluded else ""
    span = f"từ {dates([rule.first_day])} đến {dates([rule.last_day])}"
    return f"{times} các ngày {weekdays(rule.weekdays)}, {span}{except_} (giờ {rule.timezone})"
