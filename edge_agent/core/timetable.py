"""Decide how a whole timetable takes the place of the one before it, in one step (requirement day.3).

Until its commit the old one is in force. Its entries are jobs like any others: known at once, and not to sound before
they are saved. At the commit an entry that both versions have goes on undisturbed, what is gone waits no longer, and
what sounds is not cut off. On the disk the commit is one transaction too, so a power cut leaves the one or the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from edge_agent.core import enforcing, offers, records, sounding, standing, switching
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Entries, ReleaseJob
from edge_agent.core.job import Accepted, Audience, Edition, Job, PlayAt, PlayNow, Seen, as_entry
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import AcceptedRule, Regulation, RuleOrder, Timetable
from edge_agent.core.plays import Occurrence
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import next_instant
from edge_agent.core.state import JOBS_MAX, KnownJob, KnownRule, State, Turn
from edge_agent.core.units import JobId, MonoMs, UtcMs


def entries(accepted: AcceptedRule) -> tuple[Accepted, ...]:
    """Each entry as the job that it is; none of any other order."""
    order = accepted.order
    if not isinstance(order, Timetable):
        return ()
    edition = Edition(accepted.order_id, order.name, order.version)
    return tuple(
        Accepted(
            as_entry(job),
            accepted.digest,
            accepted.signers,
            accepted.role,
            offered=job.cls in accepted.offered,
            edition=edition,
            proven=accepted.proven,
            signed=job,
        )
        for job in order.jobs
    )


def waits(state: State, order: RuleOrder, now: Now) -> bool:
    """Whether it was signed ahead: next month's timetable waits for its own day, and the old one holds until then.

    Not where a newer one has come meanwhile: its turn never comes, and the centre is to hear of that at once.
    """
    if not (isinstance(order, Timetable) and now.trusted and now.utc < order.heading.not_before):
        return False
    others = [rule.accepted.order for rule in state.rules.values() if rule.saved and not rule.held]
    return not any(isinstance(other, Timetable) and other.replaces(order) for other in others)


def objection(state: State, order: Timetable, now: Now) -> Reason | None:
    """What memory says against it."""
    others = [rule for rule in state.rules.values() if _is_version_of(rule, order) and not rule.held]
    if any(_timetable(rule).version >= order.version for rule in others):
        return Reason.SUPERSEDED
    if not all(rule.saved for rule in others):
        return Reason.NOT_SAVED  # two at once: if the disk refused the first, nobody could tell whose an entry is
    if any(_is_taken(state, order, job) for job in order.jobs):
        return Reason.ID_REUSED
    if any(isinstance(job.when, PlayAt) and job.when.at > job.not_after for job in order.jobs):
        return Reason.NOTHING_LEFT
    beside = [known for known in state.jobs.values() if not _is_of(known, order)]
    return Reason.TOO_MANY_JOBS if len(beside) + len(_live(state, order, now.utc)) > JOBS_MAX else None


def enter(turn: Turn, rule: KnownRule) -> None:
    """Know its new entries from here on, so that their ids are taken; none sounds before the commit."""
    order = rule.accepted.order
    if not isinstance(order, Timetable):
        return
    live = _live(turn.state, order, rule.base)
    for accepted in entries(rule.accepted):
        job_id = accepted.order_id
        if job_id in live and job_id not in turn.state.jobs:
            base = _counts_from(turn.state, accepted.job, rule.base)
            turn.put_job(KnownJob(accepted, base, held=False, saved=False, offered=accepted.offered))


def rows(state: State, rule: KnownRule) -> Entries | None:
    """What the journal is to keep of its entries; None of what is held, and of any other order."""
    order = rule.accepted.order
    if rule.held or not isinstance(order, Timetable):
        return None
    new = {known.job.job_id for known in _unsaved(state, rule)}
    return Entries(
        begin=tuple(job.job_id for job in order.jobs if job.job_id in new),
        go_on=tuple(job.job_id for job in order.jobs if job.job_id not in new and job.job_id in state.seen),
    )


def release(turn: Turn, rule: KnownRule) -> None:
    """One that was held takes effect as one that arrives now: with its commit."""
    rule = replace(rule, held=False, saved=False, base=turn.now.utc, since=turn.now.mono)
    turn.put_rule(rule)
    enter(turn, rule)
    turn.emit(ReleaseJob(rule.accepted.order_id, rule.base, rows(turn.state, rule)))


def not_saved(turn: Turn, rule: KnownRule) -> None:
    """The disk refused: the old one stays in force, and the new entries were never there."""
    for known in _unsaved(turn.state, rule):
        turn.drop_job(known.job.job_id)


def take_place(turn: Turn, rule: KnownRule) -> None:
    """It survives a power cut: switch, in this step, from the old version to this one."""
    order = rule.accepted.order
    if not isinstance(order, Timetable):
        return
    new = {accepted.order_id: accepted for accepted in entries(rule.accepted)}
    for known in [known for known in turn.state.jobs.values() if _is_of(known, order)]:
        accepted = new.get(known.job.job_id)
        if accepted is None:
            _let_go(turn, known)
        else:
            cancelled = known.called_off and _is_cancelled(turn.state, known.accepted)
            as_before = replace(_as_chosen(known, accepted), offered=known.accepted.offered)
            going_on = replace(known, accepted=as_before, saved=True, called_off=cancelled)
            turn.put_job(going_on)
            if offers.judged_again(turn, going_on, accepted):  # by whoever has signed this version
                enforcing.end_choices(turn, accepted.order_id, Reason.SUPERSEDED)
            _within_validity(turn, accepted.job)
    seen = Seen(rule.accepted.digest, rule.accepted.not_after)
    before = turn.state.seen
    known_ids = {job_id for job_id in new if job_id in turn.state.jobs or job_id in before}
    warnings = {job_id for job_id in known_ids if job_id in before and before[job_id].urgent}  # that took an entry's id
    turn.state = replace(turn.state, seen={**before, **dict.fromkeys(known_ids - warnings, seen)})


def had_its_time(turn: Turn, rule: KnownRule) -> None:
    """All its time passed while it waited here: the station was off, or nobody welcomed it.

    It had taken the older ones' places by then, as it has at every station that was on; they do not come back.
    """
    order = rule.accepted.order
    if not isinstance(order, Timetable):
        return
    older = [known for known in turn.state.jobs.values() if _is_of(known, order) and _edition(known) < order.version]
    for known in older:
        _let_go(turn, known)
    for other in [other for other in turn.state.rules.values() if not other.held]:
        if isinstance(other.accepted.order, Timetable) and order.replaces(other.accepted.order):
            turn.drop_rule(other.accepted.order_id)
            turn.emit(records.of_rule(other.accepted, turn.now, Reason.SUPERSEDED, over=True))


def over_by(state: State, accepted: Accepted) -> Reason | None:
    """Why an entry that the journal brought back is over: what took its timetable's place came to no record of it."""
    edition, issuer = accepted.edition, accepted.job.issuer
    if edition is None:
        return None
    if _is_cancelled(state, accepted):
        return Reason.CANCELLED
    rules = [rule for rule in state.rules.values() if not rule.held and isinstance(rule.accepted.order, Timetable)]
    versions = [_timetable(rule) for rule in rules]
    if any(order.is_version_of(issuer, edition.name) and order.version > edition.version for order in versions):
        return Reason.SUPERSEDED
    return None if edition.order_id in state.rules else Reason.EXPIRED


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When one that was signed ahead has its day."""
    at = next_switch(state, now)
    return [] if at is None else [now.mono_of(at)]


def next_switch(state: State, now: Now) -> UtcMs | None:
    """The day of the first of those that were signed ahead."""
    held = [rule.accepted.order for rule in state.rules.values() if rule.held]
    return min((order.heading.not_before for order in held if waits(state, order, now)), default=None)


def switched(state: State, now: Now) -> State:
    """What will be known once those whose day has come have taken their places, the disk willing; for who looks ahead.

    What is open now is not in it: until then that has come to its end.
    """
    turn = Turn(replace(state, plays={}), now)
    for rule in newest_first(rule for rule in state.rules.values() if rule.held and state.welcomed):
        order = rule.accepted.order
        if not isinstance(order, Timetable) or waits(turn.state, order, now):
            continue
        if now.utc > order.heading.not_after or objection(turn.state, order, now) is not None:
            if now.utc > order.heading.not_after:
                had_its_time(turn, rule)
            turn.drop_rule(rule.accepted.order_id)
            continue
        release(turn, rule)
        turn.put_rule(replace(turn.state.rules[rule.accepted.order_id], saved=True))
        take_place(turn, turn.state.rules[rule.accepted.order_id])
    return turn.state


def newest_first(rules: Iterator[KnownRule]) -> list[KnownRule]:
    """In the order in which they are released: of several versions that were held only the newest takes effect."""
    return sorted(rules, key=_place)


def _place(rule: KnownRule) -> int:
    return -rule.accepted.order.version if isinstance(rule.accepted.order, Timetable | Regulation) else 0


def _timetable(rule: KnownRule) -> Timetable:
    assert isinstance(rule.accepted.order, Timetable), "the caller has looked"
    return rule.accepted.order


def _is_version_of(rule: KnownRule, order: Timetable) -> bool:
    other = rule.accepted.order
    return isinstance(other, Timetable) and order.is_version_of(other.heading.issuer, other.name)


def _is_of(known: KnownJob, order: Timetable) -> bool:
    """Whether a job is an entry of any version of this timetable."""
    edition = known.accepted.edition
    return edition is not None and order.is_version_of(known.job.issuer, edition.name)


def _edition(known: KnownJob) -> int:
    assert known.accepted.edition is not None, "the caller has looked"
    return known.accepted.edition.version


def _unsaved(state: State, rule: KnownRule) -> list[KnownJob]:
    return [
        known
        for known in state.jobs.values()
        if known.accepted.edition is not None
        and known.accepted.edition.order_id == rule.accepted.order_id
        and not known.saved
    ]


def _is_taken(state: State, order: Timetable, job: Job) -> bool:
    """Whether an entry's id stands for something else here: another order, or other words in the version before."""
    known = state.jobs.get(job.job_id)
    if known is None:
        return job.job_id in state.rules or _was_an_order_of_its_own(state, job.job_id)
    return not (_is_of(known, order) and _says_the_same(known, job))


def _was_an_order_of_its_own(state: State, job_id: JobId) -> bool:
    """Whether what is over was no entry: of a timetable and its entries the digest is the same."""
    seen = state.seen.get(job_id)
    return seen is not None and sum(other.digest == seen.digest for other in state.seen.values()) == 1


def _says_the_same(known: KnownJob, job: Job) -> bool:
    """But for what the timetable's heading says; of the audience only the zones are heard."""
    theirs, ours = known.job, job
    if known.accepted.offered and not known.offered:
        ours = replace(ours, when=theirs.when)  # the commune has chosen another time
    return _content(theirs) == _content(ours)


def _content(job: Job) -> Job:
    zones = Audience(frozenset(), frozenset(), job.audience.zones)
    same = replace(job, level="", key_epoch=0, serial=0, audience=zones)
    return replace(same, issued_at=UtcMs(0), not_before=UtcMs(0), not_after=UtcMs(0))


def _as_chosen(known: KnownJob, accepted: Accepted) -> Accepted:
    """The entry as the new version has it, at the time that the commune has chosen for it."""
    if not known.accepted.offered or known.offered:
        return accepted
    chosen = replace(accepted.job, when=known.job.when)
    if isinstance(chosen.when, PlayNow):  # for no longer than it was chosen for
        chosen = replace(chosen, not_after=min(chosen.not_after, known.job.not_after))
    return replace(accepted, job=chosen)


def _is_cancelled(state: State, accepted: Accepted) -> bool:
    """By itself, or with its whole timetable."""
    return any(standing.cancelled(state, name, accepted.job.issuer) for name in accepted.goes_by)


def _live(state: State, order: Timetable, now: UtcMs) -> set[JobId]:
    """The entries that are to be planned: those that are, and those that have something left and are not cancelled.

    What is over here, and is listed again, comes back only if it has: the past is not played, a second time or late.
    """
    return {job.job_id for job in order.jobs if job.job_id in state.jobs or _may_begin(state, job, now)}


def _may_begin(state: State, job: Job, now: UtcMs) -> bool:
    if standing.cancelled(state, job.job_id, job.issuer):
        return False
    since = _counts_from(state, job, now)
    return job.when.at > since if isinstance(job.when, PlayAt) else next_instant(job, since) is not None


def _counts_from(state: State, job: Job, now: UtcMs) -> UtcMs:
    """From when on its instants are to come; of what is over here those are not whose relays would be closed by now.

    Whether they sound was decided, and recorded, as early as that.
    """
    if job.job_id not in state.seen:
        return now
    return UtcMs(now + max((switching.cold_lead_ms(state.site, zone) for zone in state.site.zones), default=0))


def _let_go(turn: Turn, known: KnownJob) -> None:
    """What sounds, or has begun to, goes on to its end and is the last of its job; what waits is over."""
    plays = [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]
    if any(_has_begun(play) for play in plays):
        turn.put_job(replace(known, called_off=True))
    elif not known.called_off:
        sounding.call_off(turn, known, Cause.REPLACED, Reason.SUPERSEDED)


def _has_begun(play: Occurrence) -> bool:
    return play.phase is Phase.PLAYING or play.segment > 0


def _within_validity(turn: Turn, job: Job) -> None:
    """The new version may end sooner: what waits for an instant beyond that is over."""
    for play in [play for play in turn.state.plays.values() if play.job_id == job.job_id]:
        if play.planned > job.not_after and not _has_begun(play):
            sounding.finish(turn, play, Cause.REPLACED, Reason.SUPERSEDED)
