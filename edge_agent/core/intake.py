"""Decide what becomes of a message from the broker: obey, refuse by name, or let it wait (``waiting``).

Authenticity and the issuer's limits were judged before (``verify``); here are the things that need memory and a clock:
replays, reused ids, validity, the ward's hours. Rejects are acknowledged too, or ten poison messages fill the window.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_agent.core import (
    clips,
    commands,
    conflicts,
    entrusted,
    freshness,
    key_hours,
    manifests,
    programme_reports,
    records,
    series,
    sounding,
    standing,
    talk,
    timetable,
    validity,
    waiting,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Ack, AdoptTime, Level, SaveJob, SendAnswer, Verdict
from edge_agent.core.events import Judgement, MessageArrived, Rejected, SavedJob, SavedRule
from edge_agent.core.job import OVER_MAX, TOMBSTONE_KEEP_MS, Accepted, JobClass, LogAck, Seen, Welcome
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import AcceptedRule, is_urgent
from edge_agent.core.reasons import UNAUTHENTICATED, Reason, explain
from edge_agent.core.schedule import first_base
from edge_agent.core.spent import Refusals
from edge_agent.core.state import JOBS_MAX, Delivered, KnownJob, KnownRule, State, Turn
from edge_agent.core.trust_standing import AcceptedTrust
from edge_agent.core.units import DAY_MS, JobId

REFUSED_KEPT = 1_000
# Digests of refused orders, the newest, so that a repeated one is not journalled twice: 64 kB.
OVER_AT_ONCE = 500
# So many ids of what is over are forgotten together, where there are too many: sorting them at each order would cost.
REFUSALS_A_DAY = 100
# Records of refusals, of each reason. Whoever has listened to a broker for long has more that was once signed (old
# orders, what the server says to other stations) than anybody remembers, and each would be a write to the card: this
# is 120 kB of records a day. Of each, so that what comes by replay (expired, for others) leaves the others their room;
# a ward's mistakes are a few a day.

_LOOK = "each is still answered; ask who sends such orders again"

Verify = Callable[[str, bytes], Judgement]


def arrive(turn: Turn, event: MessageArrived, verify: Verify) -> None:
    """Deal with one delivery."""
    judgement = verify(event.topic, event.payload)
    if isinstance(judgement, Accepted | AcceptedRule):
        _order(turn, judgement, event)
        return
    if isinstance(judgement, AcceptedTrust):
        entrusted.arrived(turn, judgement, event)
        return
    turn.emit(Ack(event.token))
    if isinstance(judgement, Welcome):
        _welcome(turn, judgement, event)
    elif isinstance(judgement, LogAck):
        talk.log_acked(turn, judgement, event.payload)
    elif isinstance(judgement, Rejected):  # a head comes by HTTPS alone, and the broker has no topic for it
        _rejected(turn, judgement)


def job_saved(turn: Turn, job_id: JobId) -> None:
    """The job survives a power cut: only now may the broker forget it."""
    over = _acknowledge(turn, job_id)
    if over is not None:
        turn.emit(SendAnswer(Verdict.ACCEPTED, over.digest, job_id, None))
        return
    rule = turn.state.rules.get(job_id)
    if rule is not None and not rule.saved:
        commands.saved(turn, rule)
    known = turn.state.jobs.get(job_id)
    if known is None or known.saved:
        return
    turn.put_job(replace(known, saved=True))
    programme_reports.job_saved(turn, job_id)
    foreseen = conflicts.of_job(turn.state, known, turn.now)
    turn.emit(SendAnswer(Verdict.ACCEPTED, known.accepted.digest, job_id, None, foreseen))
    turn.note(Level.INFO, "job accepted", job=job_id, cls=known.job.plays_as, issuer=known.job.issuer, held=known.held)


def job_not_saved(turn: Turn, job_id: JobId, error: str) -> None:
    """The disk refused: the order is refused by name, so that the centre sends it again (docs/adr/0009).

    An emergency sounds all the same: a full card must not silence a flood warning. Sent again, it is saved again.
    """
    over = _acknowledge(turn, job_id)
    manifests.not_kept(turn, job_id)
    if over is not None:
        talk.say_refused(turn, Reason.NOT_SAVED, over.digest, job_id, error)
        return
    rule = turn.state.rules.get(job_id)
    if rule is not None and not rule.saved:
        timetable.not_saved(turn, rule)
        turn.drop_rule(job_id)
        turn.forget(job_id)
        talk.say_refused(turn, Reason.NOT_SAVED, rule.accepted.digest, job_id, error)
    known = turn.state.jobs.get(job_id)
    if known is None or known.saved:
        return
    if known.job.plays_as is JobClass.EMERGENCY:
        turn.put_job(replace(known, unsaved_sounds=True))
        turn.note(Level.ERROR, "emergency not saved, not accepted, sounds all the same", job=job_id, error=error)
        return
    turn.drop_job(job_id)
    turn.forget(job_id)
    talk.say_refused(turn, Reason.NOT_SAVED, known.accepted.digest, job_id, error)


def _order(turn: Turn, accepted: Accepted | AcceptedRule, event: MessageArrived) -> None:
    seen = turn.state.seen.get(accepted.order_id)
    if seen is not None and seen.digest == accepted.digest:
        _again(turn, accepted, event)
        return
    held = waiting.waits_at_first(turn, accepted)
    objection = _objection(turn.state, accepted, turn.now, held=held, vouched=event.vouched)
    if objection is None:
        _take_in(turn, accepted, event, held=held)
        return
    turn.emit(Ack(event.token))
    _refuse(turn, accepted, objection)
    if isinstance(accepted, Accepted) and series.takes_place(accepted, objection):
        series.heard_of(turn, accepted)
    if objection is Reason.WITHDRAWN:
        manifests.ask_soon(turn)


def _take_in(turn: Turn, accepted: Accepted | AcceptedRule, event: MessageArrived, *, held: bool) -> None:
    """A new order is remembered and kept; unless it is ``held``, it counts from now on."""
    order_id = accepted.order_id
    _make_room(turn, order_id)
    key_hours.count(turn, accepted)
    remembered = Seen(accepted.digest, accepted.not_after, is_urgent(accepted))
    _forget_surplus(turn)
    turn.state = replace(turn.state, seen={**turn.state.seen, order_id: remembered})
    if isinstance(accepted, Accepted):
        base = first_base(accepted.job, turn.now.utc)
        known = KnownJob(accepted, base, held, saved=False, offered=accepted.offered, vouched=event.vouched)
        _save(turn, known, event)
        if not (held or accepted.offered):
            series.take_place(turn, accepted.job)
        return
    rule = KnownRule(accepted, turn.now.utc, turn.now.mono, held, saved=False, vouched=event.vouched)
    rule = replace(rule, passing=not standing.has_room(turn.state, accepted))
    if not held:
        timetable.enter(turn, rule)
    _save(turn, rule, event)
    if not held:
        commands.arrived(turn, rule)


def _save(turn: Turn, known: KnownJob | KnownRule, event: MessageArrived) -> None:
    """Keep an order; its delivery is acknowledged when the disk has had its say."""
    order_id, entries = known.accepted.order_id, None
    saved: SavedJob | SavedRule
    if isinstance(known, KnownJob):
        turn.put_job(replace(known, asked_at=known.asked_at if known.unsaved_sounds else turn.now.mono))
        saved = SavedJob(known.accepted, known.base, known.held)
    else:
        turn.put_rule(known)
        saved, entries = SavedRule(known.accepted, known.base, known.held), timetable.rows(turn.state, known)
    delivered = Delivered(known.accepted.digest, (event.token,))
    turn.state = replace(turn.state, waiting_acks={**turn.state.waiting_acks, order_id: delivered})
    turn.emit(SaveJob(saved, event.payload, event.topic, entries))


def forget_long_over(turn: Turn) -> None:
    """What cannot come again by its own validity needs not be remembered, as the journal does not either."""
    state = turn.state
    if not turn.now.trusted:
        return
    passed = state.trust.passed(turn.now.utc)
    kept = {
        order_id: seen
        for order_id, seen in state.seen.items()
        if order_id in state.jobs or order_id in state.rules or seen.not_after >= passed - TOMBSTONE_KEEP_MS
    }
    if len(kept) < len(state.seen):
        turn.state = replace(state, seen=kept)


def _forget_surplus(turn: Turn) -> None:
    """However much a key has signed: of what is over no more is remembered than a station can hold, nor on its disk."""
    state = turn.state
    if len(state.seen) <= OVER_MAX + OVER_AT_ONCE:
        return
    live = state.jobs.keys() | state.rules.keys()
    over = sorted(state.seen.keys() - live, key=lambda order_id: state.seen[order_id].worth)
    gone = {*over[: max(0, len(over) - OVER_MAX)]}
    turn.state = replace(state, seen={key: seen for key, seen in state.seen.items() if key not in gone})
    turn.note(Level.WARNING, "more orders than are remembered, the soonest to end are forgotten", gone=len(gone))
    clips.sweep(turn)


def _again(turn: Turn, accepted: Accepted | AcceptedRule, event: MessageArrived) -> None:
    """The very same bytes once more: an honest redelivery and a replay look alike, and neither has an effect."""
    job_id = accepted.order_id
    if job_id in turn.state.waiting_acks:
        # Two topics may bring the same order: each delivery holds one of the ten places until it is acknowledged.
        delivered = turn.state.waiting_acks[job_id]
        delivered = replace(delivered, tokens=(*delivered.tokens, event.token))
        turn.state = replace(turn.state, waiting_acks={**turn.state.waiting_acks, job_id: delivered})
        return
    known = turn.state.jobs.get(job_id)
    if known is not None and not known.saved:  # a warning that the disk has refused
        _save(turn, known, event)
        return
    turn.emit(Ack(event.token), SendAnswer(Verdict.KNOWN, accepted.digest, job_id, Reason.REPLAYED))
    turn.note(Level.WARNING, "order refused", reason=Reason.REPLAYED, job=job_id, words=explain(Reason.REPLAYED))


def _objection(
    state: State, accepted: Accepted | AcceptedRule, now: Now, *, held: bool, vouched: bool
) -> Reason | None:
    beforehand = _beforehand(state, accepted, now, vouched=vouched)
    if beforehand is not None:
        return beforehand
    if isinstance(accepted, AcceptedRule):
        passes = not held and standing.is_done_at_once(state, accepted.order)
        if not (passes or standing.has_room(state, accepted)):
            return Reason.TOO_MANY_JOBS
        return None if held else commands.objection(state, accepted.order, now)
    job = accepted.job
    if standing.cancelled(state, job.job_id, job.issuer):
        return Reason.CANCELLED
    replaced = series.objection(state, job)
    if replaced is not None:
        return replaced
    if job.plays_as is JobClass.EMERGENCY:
        if _too_many(state, accepted, now):
            return Reason.TOO_MANY_EMERGENCIES
    elif len(state.jobs) >= JOBS_MAX:
        return Reason.TOO_MANY_JOBS
    return None if held else validity.in_time(state, accepted, now)


def _beforehand(state: State, accepted: Accepted | AcceptedRule, now: Now, *, vouched: bool) -> Reason | None:
    """What keeps an order out whatever it orders."""
    if _is_taken(state, accepted):
        return Reason.ID_REUSED
    doubt = _doubt(state, accepted, now, vouched=vouched)
    if doubt is not None or vouched or key_hours.has_room(state, accepted, now):
        return doubt
    return Reason.TOO_MANY_ORDERS


def _is_taken(state: State, accepted: Accepted | AcceptedRule) -> bool:
    """Whether something else has its id. What is no emergency gives way to one, unless it is in force or under way.

    Ids are read on their way: whoever may order bulletins could keep a warning out for as long as his is remembered.
    """
    order_id = accepted.order_id
    seen, known = state.seen.get(order_id), state.jobs.get(order_id)
    if seen is None and known is None:
        return False
    sounds = any(play.job_id == order_id and play.phase is Phase.PLAYING for play in state.plays.values())
    # What the disk has still to say, and a test's record, go by the id alone: they would be taken for the warning's.
    tested = state.testing is not None and state.testing.accepted.order_id == order_id
    under_way = order_id in state.waiting_acks or tested or (known is not None and not known.saved)
    rests = order_id not in state.rules and not sounds and not under_way
    return not (is_urgent(accepted) and rests and seen is not None and not seen.urgent)


def _make_room(turn: Turn, order_id: JobId) -> None:
    """What has the id of a warning that is taken is over, with its record."""
    known = turn.state.jobs.get(order_id)
    if known is not None:
        sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.ID_REUSED)


def _doubt(state: State, accepted: Accepted | AcceptedRule, now: Now, *, vouched: bool) -> Reason | None:
    """Whether it may be an old one."""
    if manifests.withdrawn(state, accepted):
        return Reason.WITHDRAWN
    spared = vouched or (isinstance(accepted, AcceptedRule) and freshness.is_ahead(state, accepted.order, now))
    return Reason.MAYBE_HEARD if not spared and freshness.maybe_heard(state, accepted) else None


def _too_many(state: State, accepted: Accepted, now: Now) -> bool:
    """As many emergencies as one of its keys may order in 24 hours: what sounds at night must stay a rare thing.

    Counted key by key: of three officers who sign in pairs none has ordered what the other two have.
    """
    if accepted.per_day == 0:
        return False
    signed: dict[JobId, set[str]] = {}
    for sound in state.past:
        if sound.cls is JobClass.EMERGENCY and sound.zones and sound.is_of_the_day_of(now):
            signed.setdefault(sound.job_id, set()).update(sound.signers)
    for known in state.jobs.values():
        if known.job.plays_as is JobClass.EMERGENCY:
            signed.setdefault(known.job.job_id, set()).update(known.accepted.signers)
    counts = [sum(key in signers for signers in signed.values()) for key in accepted.signers]
    return any(count >= accepted.per_day for count in counts)


def _refuse(turn: Turn, accepted: Accepted | AcceptedRule, reason: Reason) -> None:
    """An authentic order for us that will not be obeyed: it gets its record, unless it is to be sent again as it is."""
    # What has taken a place is known by its record after a restart.
    taken = isinstance(accepted, Accepted) and series.takes_place(accepted, reason)
    if reason is not Reason.NOT_SAVED and _gets_a_record(turn, accepted.digest, reason, always=taken):
        if isinstance(accepted, Accepted):
            overtaken = reason is Reason.CANCELLED and taken
            detail = records.OVERTAKEN if overtaken else ""
            if taken:  # written whatever the day's number is, so the hour's holds for it
                key_hours.count(turn, accepted)
            turn.emit(records.of_refusal(accepted, reason, turn.now, was_saved=False, detail=detail))
        else:
            turn.emit(records.of_refused_rule(accepted, reason, turn.now, was_saved=False))
    talk.say_refused(turn, reason, accepted.digest, accepted.order_id)


def _rejected(turn: Turn, rejected: Rejected) -> None:
    """An order that is not authentic (counted only: anybody can send such bytes) or not for us (recorded)."""
    if rejected.reason in UNAUTHENTICATED:
        turn.state = replace(turn.state, unauthenticated=turn.state.unauthenticated + 1)
    elif _gets_a_record(turn, rejected.digest, rejected.reason):
        turn.emit(records.of_rejection(rejected, turn.now))
    talk.say_refused(turn, rejected.reason, rejected.digest, rejected.job_id, rejected.detail)


def _gets_a_record(turn: Turn, digest: str, reason: Reason, *, always: bool = False) -> bool:
    """Whether a refusal is recorded: once for each order, and of each reason only so many a day unless ``always``."""
    if digest in turn.state.refused:
        return False
    day = turn.now.mono // DAY_MS
    told = turn.state.spent.refusals if turn.state.spent.refusals.day == day else Refusals(day)
    number = told.recorded.get(reason, 0) + 1
    if number > REFUSALS_A_DAY and not always:
        return False
    if number == REFUSALS_A_DAY:
        turn.note(Level.ERROR, "refused so often that no more of it is recorded today", reason=reason, next=_LOOK)
    refused = (*turn.state.refused, digest)[-REFUSED_KEPT:]
    turn.state = replace(turn.state, refused=refused)
    turn.spend(refusals=Refusals(day, {**told.recorded, reason: number}))
    return True


def _acknowledge(turn: Turn, job_id: JobId) -> Delivered | None:
    """Every delivery of an order that waited for the disk; it is returned where it is over already, and not answered.

    What was ended, or has sounded, meanwhile is told by its record; whoever ordered it waits for its answer.
    """
    delivered = turn.state.waiting_acks.get(job_id)
    if delivered is None:
        return None
    turn.emit(*(Ack(token) for token in delivered.tokens))
    waiting = {key: other for key, other in turn.state.waiting_acks.items() if key != job_id}
    turn.state = replace(turn.state, waiting_acks=waiting)
    over = job_id not in turn.state.jobs and job_id not in turn.state.rules
    return delivered if over and not delivered.refused else None


def _welcome(turn: Turn, welcome: Welcome, event: MessageArrived) -> None:
    link = turn.state.link
    if not talk.is_answer(link, welcome.nonce):
        turn.note(Level.WARNING, "welcome refused", reason=Reason.NOT_OUR_NONCE, words=explain(Reason.NOT_OUR_NONCE))
        return
    if talk.is_late(turn):
        took_ms = turn.now.mono - link.asked_at
        turn.note(Level.WARNING, "welcome too late to tell the time by, asking again", took_ms=took_ms)
        talk.hello(turn)
        return
    turn.emit(AdoptTime(welcome.utc, turn.state.link.asked_at))
    freshness.told(turn, welcome, event.payload)
    talk.welcomed(turn)
    manifests.ask_soon(turn)
    turn.note(Level.INFO, "welcome", utc=welcome.utc, log_seq_there=welcome.log_seq)
    if talk.log_held(turn, welcome, by_home=event.token == manifests.NO_DELIVERY):
        waiting.refuse_what_may_have_been_heard(turn)
