"""Say what of an order will never be due: a slip in a year or a weekday leaves a ward silent, and no station objects.

A broadcast without an instant left is refused by stations; a timetable is obeyed as it stands, also where all of it is
over already, and ends what was there before. Whoever signs is told both. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

from edge_agent.core.job import Job, PlayAt
from edge_agent.core.order import Timetable
from edge_agent.core.schedule import first_base, next_instant
from edge_agent.core.units import UtcMs
from edge_agent.headend.given import Given
from edge_agent.headend.when_words import when_words

LOOK_AGAIN = (
    "KHÔNG CÒN BUỔI PHÁT NÀO, xem lại ngày, thứ, hiệu lực / has no instant left: look at its days, weekdays, validity"
)
ALL_SILENT = (
    "lịch này không còn buổi phát nào, và thay cả lịch cũ: gửi đi thì loa IM / this timetable has no instant left, and "
    "takes the place of the old one: once it is sent, all is SILENT"
)


def never_due(order: Given, now: UtcMs, zone: ZoneInfo) -> Iterator[str]:
    """One line for each broadcast without an instant left; one more where that is a whole timetable."""
    if isinstance(order, Job) and _is_over(order, now):
        yield f"{when_words(order.when, zone)}: {LOOK_AGAIN}"
    if isinstance(order, Timetable):
        over = [number for number, job in enumerate(order.jobs, 1) if _is_over(job, now)]
        for number in over:
            yield f"mục {number} / entry {number}: {when_words(order.jobs[number - 1].when, zone)}: {LOOK_AGAIN}"
        if over and len(over) == len(order.jobs):
            yield ALL_SILENT


def _is_over(job: Job, now: UtcMs) -> bool:
    passed = isinstance(job.when, PlayAt) and job.when.at + job.late_limit_ms < now
    return passed or next_instant(job, first_base(job, now)) is None
