"""Which fields of a job go together, and the error that names the one that does not. Each by itself is right already.

What only an emergency may do stands here: it passes the ward's rules, so nothing else may borrow from it.
"""

from __future__ import annotations

from edge_agent.core.job import Job, JobClass, PlayNow, Preemption
from edge_agent.trust.fields import Fields
from edge_agent.trust.strict_json import WireError


def check_together(job: Job, fields: Fields) -> None:
    """``WireError`` where one field of the job forbids another."""
    if job.not_after <= job.not_before:
        raise fields.wrong("not_after", "later than not_before")
    if job.corrects == job.job_id:
        raise fields.wrong("corrects", "another job, this one cannot set itself right")
    if job.cls is JobClass.EMERGENCY:
        _check_emergency(job, fields)
    else:
        _check_ordinary(job, fields)


def _check_emergency(job: Job, fields: Fields) -> None:
    if job.live:
        raise fields.wrong(
            "items", 'no "kind": "live": what nobody has signed is no warning; give it as a clip, or text'
        )
    if not job.event:
        raise fields.wrong("event", "an emergency names its event")
    if job.rehearsal and isinstance(job.when, PlayNow):
        raise fields.wrong("when", 'a rehearsal is planned: "kind": "at" or "rule"')
    if not job.rehearsal and not isinstance(job.when, PlayNow):
        raise fields.wrong("when", 'an emergency plays at once: "kind": "now"; only a rehearsal is planned')
    if job.all_clear and not job.series:
        raise fields.wrong("series", "missing; an all-clear ends a series")
    if isinstance(job.when, PlayNow) and job.when.every_ms and not job.not_before < job.when.until <= job.not_after:
        raise _of_when(fields, "until", "later than not_before, not later than not_after")


def _check_ordinary(job: Job, fields: Fields) -> None:
    if job.event:
        raise fields.wrong("event", "only an emergency has one")
    if isinstance(job.when, PlayNow) and job.when.every_ms:
        raise _of_when(fields, "every_s", "remove it, only an emergency is repeated; others have loops, or a rule")
    if job.live:
        _check_live(job, fields)
    if job.all_clear:
        raise fields.wrong("all_clear", "false: only an emergency has one")
    if job.rehearsal:
        raise fields.wrong("rehearsal", "false: only an emergency is rehearsed")


def _check_live(job: Job, fields: Fields) -> None:
    """What is heard while it is made is not there a second time: something else of that source would be."""
    if job.loops > 1:
        raise fields.wrong("loops", "1: a live programme is heard while it is made")
    if job.preemption is Preemption.RESTART:
        raise fields.wrong("preemption", '"resume", "rejoin" or "drop": a live programme does not begin anew')
    if job.zones_limit_ms:
        raise fields.record("missed").wrong("zones_s", "0: a live programme is not there to be played later")


def _of_when(fields: Fields, name: str, rule: str) -> WireError:
    return fields.record("when").wrong(name, rule)
