"""Lay the public timetable out on the officer's screen, with what he alone needs: why a station refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.headend import week_words as words
from edge_agent.headend.week import Day, Line, Week
from edge_agent.headend.words import reason_explained


def as_table(week: Week) -> str:
    """The whole, day by day."""
    papers = (words.both(words.paper(one, alone=len(week.papers) == 1)) for one in week.papers)
    head = [f"{words.both(words.HEADING)}: {words.span(week)}", words.both(words.made(week)), *papers]
    days = (line for day in week.days for line in ("", *_day(day)))
    return "\n".join([*head, words.both(words.AT_ANY_TIME), *days]) + "\n"


def _day(day: Day) -> Iterator[str]:
    yield words.both(words.weekday(day))
    for line in (*(_line(line, day) for line in day.lines), *_notices(day)):
        yield f"  {line}"


def _line(line: Line, day: Day) -> str:
    kind = f"{words.both(words.KINDS[line.kind])}: " if line.kind in words.KINDS else ""
    return f"{words.times(line, day)}  {kind}{words.title(line)}; {words.places(line)}"


def _notices(day: Day) -> Iterator[str]:
    if day.nothing:
        yield words.both(words.NOTHING_ELSEWHERE if day.missing else words.NOTHING)
    if day.cut_short:
        yield f"{words.both(words.CUT_SHORT)}: {words.stations(day.cut_short)}"
    if day.unanswered:
        yield f"{words.both(words.UNANSWERED)}: {words.stations(day.unanswered)}"
    for one in day.refused:
        why = f": {reason_explained(one.reason)}" if one.reason else ""
        yield f"{words.both(words.REFUSED)}: {words.station_name(one.station)}{why}"
