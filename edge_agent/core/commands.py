"""Decide whether a rule that was signed may be obeyed now, and do what a command asks for.

What can be done twice without harm is done on arrival, before the disk has it: a stop must not wait for an SD card.
The rest (``AFTER_COMMIT``) is done once, after the commit. What holds for a while is ``standing``'s from there on.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import policy, records, sounding, standing, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import EndProcess, Level, RoutePlay, SendAnswer, Verdict
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import (
    Action,
    Amplify,
    Cancel,
    Choose,
    Command,
    NextItem,
    Regulation,
    Restart,
    RuleOrder,
    SelfTest,
    SetVolume,
    Stop,
    Window,
)
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.state import KnownRule, Occurrence, State, Turn
from edge_agent.core.units import ZoneId

AFTER_COMMIT = (NextItem, Restart, SelfTest)


def objection(state: State, order: RuleOrder, now: Now) -> Reason | None:
    """What time and memory say against a rule; only asked when the time is trusted."""
    if now.utc > order.heading.not_after or (isinstance(order, Window) and now.utc >= order.ends):
        return Reason.EXPIRED
    if isinstance(order, Regulation):
        newest = standing.newest_regulation(state)
        return Reason.SUPERSEDED if newest is not None and newest.version >= order.version else None
    if isinstance(order, Command):
        return _objection_to(state, order)
    return None


def _objection_to(state: State, command: Command) -> Reason | None:
    match command.action:
        case Cancel(target=target) if not _may_cancel(state, command, target):
            return Reason.NOT_THE_OWNER
        case Restart() if any(_urgent(state, play) for play in state.plays.values()):
            return Reason.EMERGENCY_IN_FORCE
        case Choose(target=target) if target not in state.jobs:
            return Reason.UNKNOWN_JOB
    return None


def arrived(turn: Turn, rule: KnownRule) -> None:
    """Obey what may be obeyed before it is on disk."""
    order = rule.accepted.order
    if isinstance(order, Command) and not isinstance(order.action, AFTER_COMMIT):
        _do(turn, order, order.action)
    standing.enforce(turn)


def saved(turn: Turn, rule: KnownRule) -> None:
    """It survives a power cut: say so, and do what may be done only once."""
    turn.put_rule(replace(rule, saved=True))
    turn.emit(SendAnswer(Verdict.ACCEPTED, rule.accepted.digest, rule.accepted.order_id, None))
    turn.note(Level.INFO, "rule accepted", order=rule.accepted.order_id, says=records.told(rule.accepted.order))
    if not rule.held:
        took_effect(turn, rule)


def took_effect(turn: Turn, rule: KnownRule) -> None:
    """Record it; what is done at once is over with that."""
    order = rule.accepted.order
    if isinstance(order, Command) and isinstance(order.action, AFTER_COMMIT):
        _do(turn, order, order.action)
    at_once = isinstance(order, Command) and not isinstance(order.action, standing.LASTING)
    turn.emit(records.of_rule(rule.accepted, turn.now, None, over=at_once))
    if at_once:
        turn.drop_rule(rule.accepted.order_id)


def _do(turn: Turn, command: Command, action: Action) -> None:
    where = standing.zones_of(turn.state, command)
    match action:
        case Cancel(target=target):
            _cancel(turn, target)
        case Stop():
            _stop(turn, command, where)
        case SetVolume():
            _turn_down(turn)
        case Amplify():
            for zone in where if action.on else ():
                zones.warm(turn, zone, action.for_ms)
        case Restart():
            sounding.stop_all(turn)
            turn.emit(EndProcess())
        case _:
            pass  # it holds from now on: whoever decides looks at what is in force


def _may_cancel(state: State, command: Command, target: str) -> bool:
    """Whoever ordered it may take it back; of what is not here yet, nobody knows who ordered it until it comes."""
    for known in state.jobs.values():
        if known.job.job_id == target:
            return known.job.issuer == command.heading.issuer
    for rule in state.rules.values():
        if rule.accepted.order_id == target:
            return rule.accepted.order.heading.issuer == command.heading.issuer
    return True


def _cancel(turn: Turn, target: str) -> None:
    for rule in [rule for rule in turn.state.rules.values() if rule.accepted.order_id == target]:
        standing.end(turn, rule, Reason.CANCELLED)
    for known in [known for known in turn.state.jobs.values() if known.job.job_id == target]:
        sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.CANCELLED)


def _stop(turn: Turn, command: Command, where: tuple[ZoneId, ...]) -> None:
    """Ordinary sound, and the issuer's own emergencies."""
    for play in [play for play in turn.state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)]:
        job = turn.job_of(play)
        if job.cls is JobClass.EMERGENCY and job.issuer != command.heading.issuer:
            continue
        barred = {zone: Reason.STOPPED for zone in where if zone in zones.in_it(play)}
        if barred:
            sounding.stop_in(turn, play, barred)


def _turn_down(turn: Turn) -> None:
    """Whatever sounds takes over the ceiling that was set just now."""
    for play in [play for play in turn.state.plays.values() if play.phase is Phase.PLAYING and play.ending is None]:
        rules = standing.rules_of(turn.state, turn.now, besides=play)
        louder = zones.with_volumes(turn, play, rules, wish_of(turn, play))
        if louder != play:
            turn.put_play(louder)
            turn.emit(RoutePlay(play.play_id, zones.feeds_of(louder)))


def wish_of(turn: Turn, play: Occurrence) -> policy.Wish:
    """What a sound that has begun asks of the rules."""
    begins = turn.now.utc_of(play.start_at)
    return policy.Wish(turn.job_of(play).cls, tuple(play.zones), begins, length_ms(play.parts))


def _urgent(state: State, play: Occurrence) -> bool:
    return state.jobs[play.job_id].job.cls is JobClass.EMERGENCY
