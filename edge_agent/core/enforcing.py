"""Decide what becomes of what sounds, or waits, under the rules in force, and when one of them is over.

What is over leaves a record and is forgotten; what it asked for ends with it, so nobody has to come back and undo it.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import offers, records, sounding, standing, zones
from edge_agent.core.effects import Entries, Level, ReleaseJob
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import Choose, Command, Pause, RuleOrder, Timetable, Window
from edge_agent.core.plays import Ending, Occurrence
from edge_agent.core.reasons import Reason
from edge_agent.core.state import KnownRule, Turn
from edge_agent.core.units import JobId, ZoneId


def end_what_is_over(turn: Turn) -> None:
    """Let go of what holds no longer, each with its record.

    What has taken another's place has done so though both are over by now: a station may have been off meanwhile.
    """
    state, now = turn.state, turn.now
    known = [rule for rule in state.rules.values() if rule.saved and not rule.held]
    over = [(rule, standing.is_replaced(rule, state, now)) for rule in known if standing.is_over(rule, state, now)]
    for rule, replaced in over:
        _give_up_the_paused(turn, rule)
        end(turn, rule, Reason.SUPERSEDED if replaced else Reason.EXPIRED)


def _give_up_the_paused(turn: Turn, rule: KnownRule) -> None:
    """A pause that nobody ended: whoever forgot it does not want the rest an hour later.

    What had not begun has its own deadline.
    """
    for play in _paused_by(turn, rule):
        if standing.pauses(turn.state, turn.now, turn.job_of(play), zones.in_it(play)):
            continue  # by another one, which still holds
        if play.ending is not None:
            zones.stop(turn, play, Ending(Cause.CUT_OFF, Reason.PAUSED))
        else:
            sounding.give_up(turn, play, Cause.TOO_LATE, Reason.PAUSED)


def _paused_by(turn: Turn, rule: KnownRule) -> list[Occurrence]:
    """What was set aside, or is about to be, and would go on but for this pause."""
    order = rule.accepted.order
    if not (isinstance(order, Command) and isinstance(order.action, Pause)):
        return []
    where = {*standing.zones_of(turn.state, order)}
    halted = [play for play in turn.state.plays.values() if where & {*zones.in_it(play)}]
    return [
        play
        for play in halted
        if (play.ending is not None and play.ending.reason is Reason.PAUSED)
        or (play.ending is None and play.segment > 0 and play.phase is not Phase.PLAYING)
    ]


def end(turn: Turn, rule: KnownRule, reason: Reason) -> None:
    """It holds no longer, for ``reason``. What a pause has kept waiting has all its time to go on from here."""
    for play in _paused_by(turn, rule):
        if play.ending is None and not play.all_out:
            turn.put_play(replace(play, aside_at=turn.now.mono))
    turn.drop_rule(rule.accepted.order_id)
    _give_back_its_entries(turn, rule)
    offers.choice_over(turn, rule, reason)
    if rule.held:  # it never took effect
        turn.emit(records.of_refused_rule(rule.accepted, reason, turn.now, was_saved=True))
    else:
        turn.emit(records.of_rule(rule.accepted, turn.now, reason, over=True))
    turn.note(Level.INFO, "rule over", order=rule.accepted.order_id, reason=reason)


def end_choices(turn: Turn, job_id: JobId, reason: Reason) -> None:
    """Whoever may plan that job now, no earlier choice does: a restart, which finds what is in force, would obey it."""
    for rule in list(turn.state.rules.values()):
        order = rule.accepted.order
        chosen = isinstance(order, Command) and isinstance(order.action, Choose) and order.action.target == job_id
        if not chosen or rule.held:
            continue
        if not rule.saved:  # the disk's answer will find it gone
            turn.refuse(reason, rule.accepted.digest, rule.accepted.order_id)
        end(turn, rule, reason)


def _give_back_its_entries(turn: Turn, rule: KnownRule) -> None:
    """One that ends before it is on the disk has never been in force: there too its entries are the older one's."""
    order = rule.accepted.order
    if rule.saved or rule.held or not isinstance(order, Timetable):
        return
    listed = {job.job_id for job in order.jobs}
    for older in list(turn.state.rules.values()):
        if older.held or not (isinstance(older.accepted.order, Timetable) and order.replaces(older.accepted.order)):
            continue
        theirs = tuple(job.job_id for job in older.accepted.order.jobs if job.job_id in listed)
        turn.emit(ReleaseJob(older.accepted.order_id, older.base, Entries(begin=(), go_on=theirs)))


def enforce(turn: Turn) -> None:
    """What holds now is obeyed by what sounds already, and what is about to sound lets go of barred zones' relays.

    So does what is being stopped: whoever has locked a zone does not wait for the device to say that it has ended.
    """
    holding = list(standing.in_force(turn.state, turn.now))
    for key in [play.key for play in turn.state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)]:
        play = turn.state.plays[key]
        reason = _silenced_by(turn, play) if play.phase is Phase.PLAYING else None
        if reason is not None:
            zones.stop(turn, play, Ending(Cause.CUT_OFF, reason))
            play = turn.state.plays[key]
        barred = _barred(turn, play, holding)
        if barred:
            sounding.stop_in(turn, play, barred)


def _silenced_by(turn: Turn, play: Occurrence) -> Reason | None:
    """What ends a whole sound."""
    if play.cut_at is not None and turn.now.mono >= play.cut_at:
        return Reason.QUIET_HOURS
    if turn.job_of(play).rehearsal and standing.alert_in_force(turn.state):
        return Reason.EMERGENCY_IN_FORCE
    return Reason.ALL_STOPPED if standing.stops(turn.state, turn.now, turn.job_of(play).issued_at) else None


def _barred(turn: Turn, play: Occurrence, holding: list[RuleOrder]) -> dict[ZoneId, Reason]:
    """The zones of a sound that a lock, or a silence that has begun, takes out of it."""
    barred: dict[ZoneId, Reason] = {}
    ordinary = turn.job_of(play).plays_as is not JobClass.EMERGENCY
    # The device has it a moment before its first sample, and a silence may end just then.
    sounds_at = max(turn.now.utc, turn.now.utc_of(play.start_at))
    for order in holding if ordinary and play.phase is Phase.PLAYING else ():
        if isinstance(order, Window) and order.loosens is None and order.begins <= sounds_at < order.ends:
            barred |= dict.fromkeys(standing.zones_of(turn.state, order), Reason.ZONE_SILENCED)
    barred |= dict.fromkeys(standing.locked(turn.state, turn.now), Reason.ZONE_LOCKED)
    return {zone: reason for zone, reason in barred.items() if zone in zones.in_it(play)}
