"""Decide what becomes of orders when what a station believes changes, and when it has expired.

A revocation holds at once: what the revoked keys have ordered ends, what sounds of it too. Expiry is no revocation: it
is told for as long as its grace lasts, then ordinary broadcasts stop. Emergencies never do; a clock alone ends no
warning.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import enforcing, key_hours, offers, sounding, zones
from edge_agent.core.clock_trust import TIMETABLE_ERROR_MAX_MS, Now
from edge_agent.core.effects import Ack, Level, SendAnswer, TakeTrust, Verdict
from edge_agent.core.events import MessageArrived, TrustChanged
from edge_agent.core.job import Accepted, Job, JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import AcceptedRule
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Told, Turn
from edge_agent.core.trust_standing import ROOT_AREA, AcceptedTrust
from edge_agent.core.units import UtcMs


def arrived(turn: Turn, accepted: AcceptedTrust, event: MessageArrived) -> None:
    """Believe it from the next event on; whether the disk has it or not, for a revocation must not wait for a card."""
    turn.emit(Ack(event.token))
    if accepted.again:
        turn.emit(SendAnswer(Verdict.KNOWN, accepted.digest, "", Reason.REPLAYED))
        return
    objection = _by_the_clock(accepted, turn.now)
    if objection is None and not (event.vouched or key_hours.has_document_left(turn.state, accepted.area, turn.now)):
        objection = Reason.TOO_MANY_ORDERS
    if objection is not None:
        turn.emit(SendAnswer(Verdict.REFUSED, accepted.digest, "", objection))
        turn.note(Level.WARNING, "trust document refused", area=accepted.area, reason=objection)
        return
    key_hours.count_document(turn, accepted.area)
    turn.emit(TakeTrust(accepted.area, event.payload))
    turn.emit(SendAnswer(Verdict.ACCEPTED, accepted.digest, "", None))


def _by_the_clock(accepted: AcceptedTrust, now: Now) -> Reason | None:
    """A document from the future could be passed by no honest one; sent again, it is looked at again.

    A root's goes by steps of one, and names who tells the time: it must not wait for that.
    """
    if accepted.area == ROOT_AREA:
        return None
    if not now.tells_validity:
        return Reason.CLOCK_NOT_TRUSTED
    return Reason.NOT_YET_VALID if accepted.issued_at > now.utc + TIMETABLE_ERROR_MAX_MS else None


def changed(turn: Turn, event: TrustChanged) -> None:
    """What the documents of today do not stand for any more is over."""
    turn.state = replace(turn.state, trust=event.standing)
    if not event.marks_stand:  # whose word it was stays noted: the next one who is believed tells them anew
        turn.state = replace(turn.state, forgotten={})
        turn.spend(chain_at=None)
    if not event.floor_stands:  # which of the keys drove it up, nobody knows any more
        turn.state = replace(turn.state, floor=UtcMs(0))
    if not event.told_stands:  # and another one is asked for at once
        turn.state = replace(turn.state, told=Told(), welcomed=False)
        # Nor is its acknowledgement waited for: until the next welcome nothing would be sent again when it is due.
        turn.put_link(hello_again_at=turn.now.mono, comparing=None, log_sent_at=None)
    versions = ", ".join(f"{head.area or 'root'} {head.version}" for head in event.standing.heads)
    turn.note(Level.INFO, "trust changed", documents=versions, revoked=len(event.revoked))
    for today in event.changed:
        _judged_again(turn, today)
    rules = [rule for rule in turn.state.rules.values() if rule.accepted.order_id in event.revoked]
    jobs = [known for known in turn.state.jobs.values() if known.job.job_id in event.revoked]
    unanswered: list[Accepted | AcceptedRule] = [known.accepted for known in jobs if not known.saved]
    unanswered += [rule.accepted for rule in rules if not rule.saved]
    for accepted in unanswered:  # the disk's answer will find it gone
        turn.refuse(Reason.KEY_REVOKED, accepted.digest, accepted.order_id)
    for rule in rules:
        enforcing.end(turn, rule, Reason.KEY_REVOKED)
    # As they are now: what was chosen by one of these rules may be over with it.
    for known in [known for known in turn.state.jobs.values() if known.job.job_id in event.revoked]:
        sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.KEY_REVOKED)
    _begin_nothing_that_has_expired(turn)


def _begin_nothing_that_has_expired(turn: Turn) -> None:
    """What has its relays closed, and no first sample yet, must not begin either. What sounds is heard to its end."""
    armed = [play for play in turn.state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)]
    for play in armed:
        if turn.now.mono < play.start_at and expired(turn.state, turn.job_of(play), turn.now):
            sounding.stop_in(turn, play, dict.fromkeys(zones.in_it(play), Reason.TRUST_EXPIRED))


def _judged_again(turn: Turn, today: Accepted | AcceptedRule) -> None:
    """It stands, within the bounds that its signers have today."""
    if isinstance(today, AcceptedRule):
        rule = turn.state.rules.get(today.order_id)
        if rule is not None:
            turn.put_rule(replace(rule, accepted=today))
        return
    known = turn.state.jobs.get(today.order_id)
    if known is not None and offers.judged_again(turn, known, today):
        enforcing.end_choices(turn, known.job.job_id, Reason.KEY_REVOKED)


def expired(state: State, job: Job, now: Now) -> bool:
    """Whether a job must not sound for want of a trust document that is still valid."""
    until = state.trust.routine_until
    return until is not None and job.plays_as is not JobClass.EMERGENCY and now.trusted and now.utc > until
