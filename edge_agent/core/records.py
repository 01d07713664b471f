"""Decide what the log says of an occurrence or a refused order: only what was seen (requirement U2)."""

from __future__ import annotations

from dataclasses import fields, replace

from edge_agent.core.as_run import AsRun, Evidence, ItemAsRun, RecordKind, ZoneAsRun
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CommitRecord
from edge_agent.core.events import Rejected
from edge_agent.core.job import Accepted, Item, Job, JobClass, LiveItem, PlayAt, PlayNow, Rule
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule, Command, Regulation, RuleOrder, Timetable, Window
from edge_agent.core.plays import Occurrence, ZoneRun
from edge_agent.core.programme import (
    chimes_ms,
    item_key,
    length_ms,
    live_key,
    promised_ms,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Tested
from edge_agent.core.units import ClipKey, ZoneId

FRESHNESS_UNPROVEN = "freshness_unproven"
"""What a record says of a warning that sounded by signatures alone: with no time, and nobody there to ask."""
OVERTAKEN = "overtaken"
"""What a record says of a job whose cancel came before it, and that took the place of older versions all the same."""
CUT_SHORT = Reason.AUDIO_TOO_SHORT.value
"""What a record says of a warning that began with less of its audio than was signed."""
PART_LEFT_OUT = "part_left_out"
"""What a record says of a warning that began without some of its items: they were not to be had, or not in time."""

ROTTEN = "rotten"
"""How a chain's record begins that says which records have rotted on the card."""


def of_play(
    accepted: Accepted,
    play: Occurrence,
    reason: Reason | None,
    now: Now,
    *,
    job_over: bool,
    unseen: bool = False,
    unproven: bool = False,
) -> CommitRecord:
    """The record of an occurrence that has its outcome.

    ``unseen``: it may have sounded while nobody looked. ``unproven``: nobody could tell how old the order was.
    """
    zones = tuple(_of_zone(run, reason, unseen) for run in play.zones.values())
    began = play.first_out if play.began is None else play.began
    record = replace(
        _of_order(accepted, now),
        kind=RecordKind.PLAY,
        planned=play.planned,
        outcome=play.phase,
        reason=reason,
        detail=_besides(accepted.job, play, unproven=unproven),
        evidence=max((zone.evidence for zone in zones), default=Evidence.ACCEPTED),
        zones=zones,
        started=None if began is None else now.utc_of(began),
        planned_ms=length_ms(play.whole) if play.whole else promised_ms(accepted.job),
        chimes_ms=chimes_ms(play.whole),
        played_ms=None if unseen else max((_heard_ms(run) for run in play.zones.values()), default=0),
        frames=play.frames_before + play.frames,
        underruns=play.underruns_before + play.underruns,
        attempt=play.attempt or min(play.segment, 1),  # what was set aside has sounded, if not in this segment
        under=play.under,
        relayed=play.relayed_in_all if accepted.job.live else None,
    )
    return CommitRecord(record, closes=play.key, job_over=job_over)


def _besides(job: Job, play: Occurrence, *, unproven: bool) -> str:
    """What people must know of it beside its outcome."""
    told = {
        FRESHNESS_UNPROVEN: unproven or play.undated,
        CUT_SHORT: play.cut_short,
        PART_LEFT_OUT: job.plays_as is JobClass.EMERGENCY and play.lacked,
    }
    return " ".join(name for name, is_so in told.items() if is_so)


def of_refusal(accepted: Accepted, reason: Reason, now: Now, *, was_saved: bool, detail: str = "") -> CommitRecord:
    """The record of an order that was authentic and ours, yet will not sound at all.

    ``was_saved``: it is in the journal as a job, and is over now.
    """
    outcome = Phase.EXPIRED if reason is Reason.EXPIRED else Phase.REJECTED
    record = replace(_of_order(accepted, now), outcome=outcome, reason=reason, detail=detail)
    return CommitRecord(record, closes=None, job_over=was_saved)


def of_rejection(rejected: Rejected, now: Now) -> CommitRecord:
    """The record of an authentic order that is not for us or beyond its issuer's limits."""
    record = replace(
        _nothing_sounded(now),
        job_id=rejected.job_id,
        digest=rejected.digest,
        issuer=rejected.issuer,
        reason=rejected.reason,
        detail=rejected.detail,
    )
    return CommitRecord(record, closes=None, job_over=False)


def of_rule(accepted: AcceptedRule, now: Now, reason: Reason | None, *, over: bool) -> CommitRecord:
    """The record of an order beside a broadcast: that it took effect (``reason`` None), or why it is over."""
    outcome = Phase.SUCCEEDED if reason is None else _RULE_ENDS.get(reason, Phase.REJECTED)
    record = replace(_of_heading(accepted, now), kind=RecordKind.RULE, outcome=outcome, reason=reason)
    return CommitRecord(replace(record, detail=told(accepted.order)), closes=None, job_over=over)


def of_self_test(accepted: AcceptedRule, now: Now, seen: tuple[tuple[ZoneId, Tested], ...]) -> CommitRecord:
    """The record of a self-test, with what was seen in each zone."""
    detail = " ".join(["self_test", *(f"{zone}={result}" for zone, result in seen)])
    record = replace(_of_heading(accepted, now), kind=RecordKind.RULE, outcome=Phase.SUCCEEDED, detail=detail)
    return CommitRecord(record, closes=None, job_over=True)


def of_refused_rule(accepted: AcceptedRule, reason: Reason, now: Now, *, was_saved: bool) -> CommitRecord:
    """The record of a rule that was authentic and ours, yet is not obeyed."""
    outcome = Phase.EXPIRED if reason is Reason.EXPIRED else Phase.REJECTED
    record = replace(_of_heading(accepted, now), outcome=outcome, reason=reason, detail=told(accepted.order))
    return CommitRecord(record, closes=None, job_over=was_saved)


def of_chain(held: tuple[str, int, str], now: Now) -> AsRun:
    """The record by which a chain says what the centre held before it: epoch, seq and hash."""
    return _about_the_log(_after(held), now)


def of_rotten(first: int, last: int, held: tuple[str, int, str] | None, now: Now) -> AsRun:
    """The record by which a chain says which records before it have rotted on the card, and what the centre held."""
    told = [f"{ROTTEN} seq={first} to={last}", *([] if held is None else [_after(held)])]
    return _about_the_log(" ".join(told), now)


def _after(held: tuple[str, int, str]) -> str:
    return "after epoch={} seq={} hash={}".format(*held)


def _about_the_log(detail: str, now: Now) -> AsRun:
    return replace(_nothing_sounded(now), kind=RecordKind.CHAIN, outcome=Phase.SUCCEEDED, detail=detail)


def told(order: RuleOrder) -> str:
    """What an order says, in a line for the record: its kind and its values, as ``lock zones=c1 for_ms=3600000``."""
    match order:
        case Regulation():
            return f"regulation version={order.version} number={order.number} dated={order.dated}"
        case Window():
            kind = "silence" if order.loosens is None else "exception"
            return f"{kind} zones={_listed(order)} begins={order.begins} ends={order.ends} basis={order.basis}"
        case Timetable():
            return f"timetable name={order.name} version={order.version} entries={len(order.jobs)}"
        case Command():
            values = "".join(f" {one.name}={_said(getattr(order.action, one.name))}" for one in fields(order.action))
            return f"{type(order.action).__name__.lower()} zones={_listed(order)}{values}"


def _said(value: object) -> object:
    """A value as the line has it: without blanks, which part it from the next one, and without words of this code."""
    match value:
        case tuple():
            return ",".join(map(str, value))
        case PlayNow():
            return "now"
        case PlayAt():
            return value.at
        case Rule():
            return "rule"
    return value


def _listed(order: RuleOrder) -> str:
    return ",".join(sorted(order.heading.audience.zones)) or "all"


_RULE_ENDS = {
    Reason.EXPIRED: Phase.EXPIRED,
    Reason.CANCELLED: Phase.CANCELLED,
    Reason.SUPERSEDED: Phase.SUPERSEDED,
    Reason.POWER_CUT: Phase.INTERRUPTED,
}


def _of_heading(accepted: AcceptedRule, now: Now) -> AsRun:
    heading = accepted.order.heading
    return replace(
        _nothing_sounded(now),
        job_id=heading.order_id,
        digest=accepted.digest,
        issuer=heading.issuer,
        level=heading.level,
        role=accepted.role,
        signers=accepted.signers,
    )


def _of_order(accepted: Accepted, now: Now) -> AsRun:
    job = accepted.job
    return replace(
        _nothing_sounded(now),
        job_id=job.job_id,
        digest=accepted.digest,
        issuer=job.issuer,
        level=job.level,
        role=accepted.role,
        signers=accepted.signers,
        cls=job.cls,
        event=job.event,
        items=_items(job),
        planned_ms=promised_ms(job),
        series=job.series,
        version=job.version,
        rehearsal=job.rehearsal,
        corrects=job.corrects,
    )


def _items(job: Job) -> tuple[ItemAsRun, ...]:
    return tuple(
        ItemAsRun(item.title, item.field, item.language, item.source, item.approver, _key_of(item))
        for item in job.items
    )


def _key_of(item: Item) -> ClipKey:
    return live_key(item) if isinstance(item, LiveItem) else item_key(item)


def _nothing_sounded(now: Now) -> AsRun:
    return AsRun(
        kind=RecordKind.REFUSAL,
        job_id="",
        digest="",
        issuer="",
        level="",
        role="",
        signers=(),
        cls=None,
        event="",
        items=(),
        planned=None,
        outcome=Phase.REJECTED,
        reason=None,
        detail="",
        evidence=Evidence.ORDERED,
        zones=(),
        started=None,
        ended=now.utc,
        ended_mono=now.mono,
        planned_ms=0,
        played_ms=0,
        frames=0,
        underruns=0,
        attempt=0,
        clock=now.source,
        clock_error_ms=now.max_error_ms,
    )


def _of_zone(run: ZoneRun, reason: Reason | None, unseen: bool) -> ZoneAsRun:
    evidence = Evidence.ACCEPTED
    if run.relay_on is not None:
        evidence = Evidence.RELAY_CLOSED
    if _heard_ms(run) > 0:
        evidence = Evidence.HEARD if run.heard else Evidence.SAMPLES_OUT
    if _heard_ms(run) > 0 and run.heard is False:
        reason = reason or Reason.NOT_HEARD
    return ZoneAsRun(
        zone=run.zone,
        evidence=evidence,
        played_ms=None if unseen else _heard_ms(run),
        volume=run.volume,
        relay_on=run.relay_on,
        reason=run.reason or (Reason.PREEMPTED if run.missed else reason),
        level_db=run.level_db,
    )


def _heard_ms(run: ZoneRun) -> int:
    """What a zone heard of an occurrence, every segment of it."""
    return run.earlier_ms + run.played_ms
