"""Decide which instant of a job is next, and what a time that nobody has signed has no say in (ADR 4).

A clock chip, or whoever answers NTP, may be wrong by years; a centre's welcome tells the time in seconds. Until one has
come in this boot, nothing is over for good because such a clock puts it before the boot: what sounds once waits, and
what recurs goes on with its next instant, so that a station without a centre plays on. Signed time then finds all as it
was, and judges it.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import records, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import DropMark, ReleaseJob
from edge_agent.core.job import Job, PlayNow, Rule
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.past import LATE_GRACE_MS
from edge_agent.core.plays import Occurrence, ZoneRun
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import instants_between, next_instant, sounds_once, valid_until
from edge_agent.core.state import KnownJob, State, Turn
from edge_agent.core.units import DAY_MS, UtcMs

TWICE_MS = DAY_MS
# What has sounded by a clock that was less than this ahead does not sound once more when its instant comes.

_NOT_BEGUN = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED, Phase.ARMED)


def plan(turn: Turn) -> None:
    """Give every job its next occurrence; there is never more than one open."""
    if not turn.now.signed:
        _pass_over(turn)
    elif turn.state.unsigned or _has_gone_back(turn):
        _put_right(turn)
    if turn.state.unsigned is turn.now.signed:
        turn.state = replace(turn.state, unsigned=not turn.now.signed)
    have = {job_id for job_id, _ in turn.state.plays}
    for known in list(turn.state.jobs.values()):
        if known.job.job_id in have or not known.may_sound:
            continue
        if next_instant(known.job, known.base) is None:
            turn.drop_job(known.job.job_id)
            turn.emit(records.of_refusal(known.accepted, Reason.NOTHING_LEFT, turn.now, was_saved=True))
        elif (planned := next_of(known, known.base, turn.now)) is not None:
            turn.put_play(fresh(turn.state, known, planned, turn.now))


def next_of(known: KnownJob, base: UtcMs, now: Now) -> UtcMs | None:
    """The instant after ``base`` that is to be planned; None where only a time that nobody has signed says: none."""
    planned = next_instant(known.job, base)
    if planned is None or not (isinstance(known.job.when, Rule) and doubted(known.job, planned, now)):
        return planned
    return next_instant(known.job, UtcMs(now.booted - last_start(known.job, UtcMs(0)) - 1))


def fresh(state: State, known: KnownJob, planned: UtcMs, now: Now) -> Occurrence:
    """An occurrence of which nothing has happened yet."""
    sites = (state.site.zones[zone] for zone in zones.zones_of(state, known.job, now.mono))
    runs = {site.zone: ZoneRun(site.zone, group=site.group) for site in sites}
    return Occurrence(known.job.job_id, planned, Phase.RECEIVED, now.mono, runs)


def unplan(turn: Turn, play: Occurrence) -> None:
    """Drop what has not sounded and has no outcome: it is planned anew, or not at all."""
    take_back_mark(turn, play)
    turn.drop_play(play.key)


def take_back_mark(turn: Turn, play: Occurrence) -> None:
    """Let the disk forget that it was about to sound: no record will close it, and a restart would go by it."""
    if play.attempt > 0:
        turn.emit(DropMark(play.job_id, play.planned))


def count_from(turn: Turn, known: KnownJob, base: UtcMs) -> None:
    """The job's next instant is the one after ``base``.

    A last instant that lies more than a day ahead was over by a clock that was wrong, signed or not. How late it is at
    least, officers have said: whoever sets the clock back has nothing sound twice that is older than their last order.
    """
    if turn.now.signed and not sounds_once(known.job) and base > turn.now.utc + TWICE_MS:
        latest = _latest(turn)
        if base > latest + TWICE_MS:
            base = latest
            turn.emit(ReleaseJob(known.job.job_id, base))  # a restart counts from here too
    turn.put_job(replace(known, base=base))


def is_of_another_time(turn: Turn, known: KnownJob, planned: UtcMs) -> bool:
    """Whether an instant was the next one by a time that was wrong: others come before it, which were not passed."""
    due = next_of(known, known.base, turn.now) if turn.now.trusted and isinstance(known.job.when, Rule) else None
    return due is not None and due < planned


def record_passed_over(turn: Turn, known: KnownJob, until: UtcMs) -> None:
    """What recurs has its outcome at ``until``: that of the instants before, which nobody signed to be over."""
    for at in () if turn.now.signed else instants_between(known.job, known.base, until):
        play = fresh(turn.state, known, at, turn.now)
        reason, over = missed(turn, play), play.moved(Cause.TOO_LATE, turn.now)
        turn.emit(records.of_play(known.accepted, over, reason, turn.now, job_over=False, unseen=False))


def last_start(job: Job, planned: UtcMs) -> UtcMs:
    """The last instant at which an occurrence may still start."""
    return valid_until(job) if isinstance(job.when, PlayNow) else UtcMs(planned + max(job.late_limit_ms, LATE_GRACE_MS))


def doubted(job: Job, planned: UtcMs, now: Now) -> bool:
    """Whether its time is over by a clock alone that has no say in that."""
    return now.doubts(last_start(job, planned))


def waits_for_a_signature(turn: Turn, play: Occurrence) -> bool:
    """Whether it neither begins nor is over until signed time has come; what was set aside goes by boot time."""
    return play.segment == 0 and doubted(turn.job_of(play), play.planned, turn.now)


def missed(turn: Turn, play: Occurrence) -> Reason:
    """Why its time has passed: nobody knew the time then, or nobody was there."""
    timeless, at = turn.state.timeless, turn.now.mono_of(play.planned)
    knew_no_time = timeless is not None and timeless.since <= at < (timeless.until or turn.now.mono)
    return Reason.CLOCK_NOT_TRUSTED if knew_no_time else Reason.MISSED


def _pass_over(turn: Turn) -> None:
    """What recurs waits neither for an instant that is said to be over, nor for one of a time that was too late.

    The clock has leapt since it was planned.
    """
    for play in list(turn.state.plays.values()):
        known = turn.state.jobs[play.job_id]
        if not _is_unheard(known.job, play):
            continue
        if doubted(known.job, play.planned, turn.now) or is_of_another_time(turn, known, play.planned):
            unplan(turn, play)


def _has_gone_back(turn: Turn) -> bool:
    """Whether a welcome has put the clock back so far that what recurs was passed over by the time before it."""
    ahead = [known for known in turn.state.jobs.values() if known.base > turn.now.utc + TWICE_MS and known.may_sound]
    bases = [known.base for known in ahead if not sounds_once(known.job)]
    return bool(bases) and max(bases) > _latest(turn) + TWICE_MS


def _latest(turn: Turn) -> UtcMs:
    """The time, or when the newest of what is believed and obeyed here was signed by officers."""
    state = turn.state
    orders = [known.job.issued_at for known in state.jobs.values()]
    rules = [rule.accepted.order.heading.issued_at for rule in state.rules.values()]
    return max([turn.now.utc, *orders, *rules, *(head.issued_at for head in state.trust.heads)])


def _put_right(turn: Turn) -> None:
    """Signed time has come: what was planned by another is planned anew, as if nothing had been passed over."""
    for known in [known for known in turn.state.jobs.values() if known.may_sound]:
        count_from(turn, known, known.base)
    for play in [play for play in turn.state.plays.values() if _is_unheard(turn.job_of(play), play)]:
        known = turn.state.jobs[play.job_id]
        if next_instant(known.job, known.base) != play.planned:
            unplan(turn, play)


def _is_unheard(job: Job, play: Occurrence) -> bool:
    """Whether it can be planned anew: nothing of it has sounded, however often its relays were tried."""
    return isinstance(job.when, Rule) and play.phase in _NOT_BEGUN and not play.was_heard
