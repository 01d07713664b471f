"""Read a whole timetable: one heading, and entries that are jobs in all but that.

An entry is read by the same parser as a job. What would cut off other sound on its arrival, or play at once, is refused
here: a timetable says what is planned. How it takes the place of the one before is decided in ``core.timetable``.
"""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.order import Timetable
from edge_agent.trust.fields import NAME, Fields, distinct
from edge_agent.trust.heading import HEADING_FIELDS, read_heading
from edge_agent.trust.strict_json import INTEGER_MAX

ENTRIES_MAX = 60  # three times a ward's timetable; of one clip each they fill the 48 KiB of an envelope
DEFAULT_NAME = "main"
SAID_ONCE = (HEADING_FIELDS - {"audience"}) | {"realm", "type", "critical", "order_id"}
"""What the timetable says for all its entries."""

_BY_ITSELF = ("event", "series", "version", "all_clear", "rehearsal", "corrects")


def read_timetable(fields: Fields, parse_job: Callable[[Fields], Job]) -> Timetable:
    """A timetable, or ``WireError`` that names the entry."""
    heading = read_heading(fields)
    jobs = tuple(_read_entry(entry, fields, parse_job) for entry in fields.records("entries", 0, ENTRIES_MAX))
    distinct((f"entries[{index}].job_id", job.job_id) for index, job in enumerate(jobs))
    for index, job in enumerate(jobs):
        if job.job_id == heading.order_id:
            raise fields.wrong("entries", "another job_id, this is the timetable's own", index)
    return Timetable(
        heading=heading,
        name=fields.text("name", NAME, default=DEFAULT_NAME),
        version=fields.integer("version", 1, INTEGER_MAX),
        jobs=jobs,
    )


def _read_entry(entry: Fields, whole: Fields, parse_job: Callable[[Fields], Job]) -> Job:
    for name in entry.values:
        if name in SAID_ONCE:
            raise entry.wrong(name, "remove it: the timetable says it for all its entries")
        if name in _BY_ITSELF:
            raise entry.wrong(name, "remove it: alerts, rehearsals and corrections are ordered by themselves")
    if entry.choice("class", JobClass) is JobClass.EMERGENCY:
        raise entry.wrong("class", "normal or priority: an emergency is ordered by itself")
    job = parse_job(Fields({**{name: whole.value(name) for name in HEADING_FIELDS}, **entry.values}, entry.where))
    if isinstance(job.when, PlayNow):
        raise entry.wrong("when", 'planned, "kind": "at" or "rule": what plays at once is ordered by itself')
    return job
