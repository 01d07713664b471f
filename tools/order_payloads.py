"""Write typed orders as the payloads that ``trust`` reads back to the same: for the documents' examples, and for tests.

No product does: a headend's drafts become payloads field by field, and a station only reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from edge_agent.core.job import Audience, Item, Job, JobClass, LiveItem, PlayAt, PlayNow, Rule, TextItem, When
from edge_agent.core.order import (
    Action,
    AllStop,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Command,
    Heading,
    Lock,
    Loosening,
    Pause,
    Rank,
    Regulation,
    RuleOrder,
    SetVolume,
    Timetable,
    Window,
)
from edge_agent.core.site import Clause, VolumeBand
from edge_agent.core.units import SECOND_MS
from edge_agent.trust.commands import what_of
from edge_agent.trust.entries import SAID_ONCE
from edge_agent.trust.strict_json import JsonObject, JsonValue


def job_payload(job: Job, realm: str) -> JsonObject:
    """A broadcast's."""
    payload: JsonObject = {
        "realm": realm,
        "type": "job",
        "job_id": job.job_id,
        "issuer": job.issuer,
        "level": job.level,
        "key_epoch": job.key_epoch,
        "serial": job.serial,
        "issued_at": job.issued_at,
        "not_before": job.not_before,
        "not_after": job.not_after,
        "audience": _audience(job.audience),
        "class": job.cls.value,
        "order": job.order,
        "when": _when(job.when),
        "loops": job.loops,
        "gap_s": job.gap_ms // SECOND_MS,
        "items": [_item(item) for item in job.items],
        "volume": job.volume,
        "preemption": job.preemption.value,
        "missed": _missed(job),
    }
    return payload | {name: value for name, value in _left_out(job).items() if value}


def rule_payload(order: RuleOrder, realm: str) -> JsonObject:
    """A regulation's, a window's, a command's, a whole timetable's."""
    if isinstance(order, Timetable):
        entries = [_entry(order, job_payload(job, realm)) for job in order.jobs]
        kind, own = "timetable", _timetable(order, entries)
    elif isinstance(order, Regulation):
        kind, own = "regulation", _regulation(order)
    elif isinstance(order, Window):
        kind, own = "window", _window(order)
    else:
        assert isinstance(order, Command)
        kind, own = "command", {"do": action_payload(order.action)}
    return {"realm": realm, "type": kind, **_heading(order.heading), **own}


def action_payload(action: Action) -> JsonObject:
    """What a command wants done."""
    return {"what": what_of(action).value, **_particulars(action)}


def _particulars(action: Action) -> JsonObject:
    match action:
        case Cancel(target, until):
            return {"target": target, "until": until}
        case Pause(for_ms) | AllStop(for_ms) | Lock(for_ms):
            return {"for_s": for_ms // SECOND_MS}
        case SetVolume(volume):
            return {"volume": volume}
        case Amplify(on, for_ms):
            return {"on": on, "for_s": for_ms // SECOND_MS}
        case Rank(job_ids):
            return {"job_ids": [*job_ids]}
        case Choose(target, when):
            return {"target": target, "when": _when(when)}
        case Ask(day):
            return {"day": day.isoformat()}
        case _:
            return {}


def _heading(heading: Heading) -> JsonObject:
    return {
        "order_id": heading.order_id,
        "issuer": heading.issuer,
        "level": heading.level,
        "key_epoch": heading.key_epoch,
        "serial": heading.serial,
        "issued_at": heading.issued_at,
        "not_before": heading.not_before,
        "not_after": heading.not_after,
        "audience": _audience(heading.audience),
    }


def _audience(audience: Audience) -> JsonObject:
    return {
        "stations": [*sorted(audience.stations)],
        "areas": [*sorted(audience.areas)],
        "zones": [*sorted(audience.zones)],
    }


def _left_out(job: Job) -> JsonObject:
    """What a payload has only where it says something."""
    return {
        "event": job.event,
        "cap": {**dict(job.cap)},
        "series": job.series,
        "version": job.version,
        "all_clear": job.all_clear,
        "rehearsal": job.rehearsal,
        "corrects": job.corrects,
    }


def _missed(job: Job) -> JsonObject:
    late: JsonObject = {"policy": "late", "limit_s": job.late_limit_ms // SECOND_MS}
    missed = late if job.late_limit_ms else {"policy": "skip"}
    return missed | ({"zones_s": job.zones_limit_ms // SECOND_MS} if job.zones_limit_ms else {})


def _when(when: When) -> JsonObject:
    if isinstance(when, PlayAt):
        return {"kind": "at", "utc": when.at}
    return _rule(when) if isinstance(when, Rule) else _now(when)


def _now(when: PlayNow) -> JsonObject:
    again: JsonObject = {"every_s": when.every_ms // SECOND_MS, "until": when.until} if when.every_ms else {}
    return {"kind": "now", **again}


def _rule(rule: Rule) -> JsonObject:
    weekdays: list[JsonValue] = [*sorted(rule.weekdays)]
    return {
        "kind": "rule",
        "timezone": rule.timezone,
        "first_day": rule.first_day.isoformat(),
        "last_day": rule.last_day.isoformat(),
        "weekdays": weekdays,
        "times": [at.isoformat("seconds") for at in rule.times],
        "excluded": [day.isoformat() for day in sorted(rule.excluded)],
    }


def _item(item: Item) -> JsonObject:
    written: JsonObject = {
        "title": item.title,
        "field": item.field,
        "language": item.language,
        "source": item.source,
        "approver": item.approver,
    }
    if isinstance(item, TextItem):
        return written | {"kind": "text", "text": item.text}
    if isinstance(item, LiveItem):
        live = written | {"kind": "live", "urls": list(item.urls), "duration_ms": item.duration_ms}
        return live if item.stand_in is None else live | {"stand_in": _item(item.stand_in)}
    return written | {
        "kind": "clip",
        "digest": item.digest,
        "length": item.length_bytes,
        "duration_ms": item.duration_ms,
        "codec": item.codec,
        "urls": list(item.urls),
    }


def _timetable(order: Timetable, entries: Sequence[JsonObject]) -> JsonObject:
    return {"name": order.name, "version": order.version, "entries": [*entries]}


def _entry(order: Timetable, job: JsonObject) -> JsonObject:
    """An entry, from the payload of the job that it is."""
    same = job["audience"] == _audience(order.heading.audience)
    left_out = SAID_ONCE | ({"audience"} if same else set())
    return {name: value for name, value in job.items() if name not in left_out}


def _regulation(regulation: Regulation) -> JsonObject:
    return {
        "version": regulation.version,
        "number": regulation.number,
        "dated": regulation.dated.isoformat(),
        "into_quiet": regulation.policy.into_quiet.value,
        "clauses": [_clause(clause) for clause in regulation.policy.clauses],
    }


def _clause(clause: Clause) -> JsonObject:
    """What is silent about something leaves it out."""
    written: dict[str, JsonValue] = {
        "classes": _classes(clause.classes) or None,
        "zones": [*sorted(clause.zones)] or None,
        "quiet": None if clause.quiet is None else [wall.isoformat("minutes") for wall in clause.quiet],
        "weekdays": None if clause.weekdays is None else [*sorted(clause.weekdays)],
        "holidays": [day.isoformat() for day in sorted(clause.holidays)] or None,
        "sessions_per_day": clause.sessions_per_day,
        "day_s": None if clause.day_ms is None else clause.day_ms // SECOND_MS,
        "session_s": None if clause.session_ms is None else clause.session_ms // SECOND_MS,
        "live_day_s": None if clause.live_day_ms is None else clause.live_day_ms // SECOND_MS,
        "volume": [_band(band) for band in clause.volume_bands] or None,
    }
    return {name: value for name, value in written.items() if value is not None}


def _band(band: VolumeBand) -> list[JsonValue]:
    return [band.start.isoformat("minutes"), band.end.isoformat("minutes"), band.volume_max]


def _window(window: Window) -> JsonObject:
    kind = "silence" if window.loosens is None else "exception"
    written: JsonObject = {"kind": kind, "begins": window.begins, "ends": window.ends, "basis": window.basis}
    return written | ({} if window.loosens is None else _loosening(window.loosens))


def _loosening(loosens: Loosening) -> JsonObject:
    written: JsonObject = {"classes": _classes(loosens.classes), "session_s": loosens.session_ms // SECOND_MS}
    if loosens.total_ms is not None:
        written["total_s"] = loosens.total_ms // SECOND_MS
    return written if loosens.volume_max is None else written | {"volume": loosens.volume_max}


def _classes(classes: frozenset[JobClass]) -> list[JsonValue]:
    return [cls.value for cls in JobClass if cls in classes]
