"""Decide whether a rule that was signed may be obeyed now, and do what a command asks for.

What can be done twice without harm is done on arrival, before the disk has it: a stop must not wait for an SD card.
The rest (``AFTER_COMMIT``) is done once, after the commit. What holds for a while is ``standing``'s from there on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from edge_agent.core import (
    conflicts,
    enforcing,
    policy,
    records,
    selftest,
    series,
    sounding,
    standing,
    switching,
    talk,
    timetable,
    zones,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import EndProcess, Level, ReleaseJob, RoutePlay, SendAnswer, SendPlan, Verdict
from edge_agent.core.job import JobClass, PlayNow
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.order import (
    AcceptedRule,
    Action,
    Amplify,
    Ask,
    Cancel,
    Choose,
    Command,
    NextItem,
    Pause,
    Regulation,
    Restart,
    Resume,
    RuleOrder,
    SelfTest,
    SetVolume,
    Stop,
    Timetable,
    Window,
)
from edge_agent.core.plays import Ending, GoesOn, Occurrence
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import first_base, next_instant
from edge_agent.core.state import KnownJob, KnownRule, State, Turn
from edge_agent.core.units import MINUTE_MS, JobId, UtcMs, ZoneId

CLOCKS_APART_MS = 2 * MINUTE_MS
# How far an honest centre's clock may be ahead of ours (clock_trust.TIMETABLE_ERROR_MAX_MS).
CHOSEN_NOW_MS = 10 * MINUTE_MS
# What is chosen for now is worth as little later as what was ordered for now (trust.limits.NOW_VALIDITY_MS_MAX).
AFTER_COMMIT = (Ask, Choose, NextItem, Restart, SelfTest)


def objection(state: State, order: RuleOrder, now: Now) -> Reason | None:
    """What time and memory say against a rule; only asked when the time is trusted."""
    if standing.cancelled(state, order.heading.order_id, order.heading.issuer):
        return Reason.CANCELLED
    if now.utc > order.heading.not_after or (isinstance(order, Window) and now.utc >= order.ends):
        return Reason.EXPIRED
    if from_the_future(order.heading.issued_at, now):
        return Reason.NOT_YET_VALID
    if isinstance(order, Command) and from_the_future(order.heading.not_before, now):
        return Reason.NOT_YET_VALID
    if isinstance(order, Regulation):
        return Reason.SUPERSEDED if standing.is_outdated(state, order, now) else None
    if isinstance(order, Timetable):
        return timetable.objection(state, order, now)
    return _objection_to(state, order, now) if isinstance(order, Command) else None


def from_the_future(signed_for: UtcMs, now: Now) -> bool:
    """Whether it is too early, clocks that are apart allowed for.

    An all-stop that was issued ahead would silence what is ordered after it, a warning that was could not be stopped.
    """
    return signed_for > now.utc + CLOCKS_APART_MS


def _objection_to(state: State, command: Command, now: Now) -> Reason | None:
    match command.action:
        case Cancel(target=target) if not _may_cancel(state, command, target):
            return Reason.NOT_THE_OWNER
        case Pause() if standing.resumed(state, command):
            return Reason.CANCELLED
        case Restart() if _warns(state):
            return Reason.EMERGENCY_IN_FORCE
        case Choose():
            return _objection_to_choice(state, command.action, now)
    return None


def _objection_to_choice(state: State, choice: Choose, now: Now) -> Reason | None:
    """Only what waits to be chosen is, and only for a time within what its issuer has signed."""
    known = state.jobs.get(choice.target)
    if known is None or not known.offered:
        return Reason.UNKNOWN_JOB
    chosen = replace(known.job, when=choice.when)
    return Reason.NOTHING_LEFT if next_instant(chosen, first_base(chosen, now.utc)) is None else None


def arrived(turn: Turn, rule: KnownRule) -> None:
    """Obey what may be obeyed before it is on disk."""
    order = rule.accepted.order
    if isinstance(order, Command) and not isinstance(order.action, AFTER_COMMIT):
        _do(turn, rule.accepted, order)
    enforcing.enforce(turn)


def saved(turn: Turn, rule: KnownRule) -> None:
    """It survives a power cut: say so, and do what may be done only once."""
    objection = None if rule.held else _objection_since(turn.state, rule.accepted.order, turn.now)
    if objection is not None:
        refuse(turn, rule, objection)
        return
    turn.put_rule(replace(rule, saved=True))
    if not rule.held:
        timetable.take_place(turn, rule)
    foreseen = conflicts.of_timetable(turn.state, rule, turn.now)
    turn.emit(SendAnswer(Verdict.ACCEPTED, rule.accepted.digest, rule.accepted.order_id, None, foreseen))
    turn.note(Level.INFO, "rule accepted", order=rule.accepted.order_id, says=records.told(rule.accepted.order))
    if not rule.held:
        took_effect(turn, rule)


def released(turn: Turn, order_id: JobId) -> None:
    """A timetable that was held has its commit; one that has ended meanwhile is nothing any more."""
    rule = turn.state.rules.get(order_id)
    sent_again = (
        order_id in turn.state.waiting_acks
    )  # forgotten, and sent again since: it has its own commit to wait for
    if rule is not None and not rule.saved and not sent_again:
        saved(turn, rule)


def _objection_since(state: State, order: RuleOrder, now: Now) -> Reason | None:
    """What has come in the way of what is done only now, while the disk was busy: a warning, or another choice."""
    if not (isinstance(order, Command) and isinstance(order.action, AFTER_COMMIT)):
        return None
    return _objection_to(state, order, now)


def refuse(turn: Turn, rule: KnownRule, reason: Reason, *, forget: bool = False) -> None:
    """What was kept, and must not be obeyed any more: it goes, with its record and its answer."""
    turn.drop_rule(rule.accepted.order_id)
    turn.emit(replace(records.of_refused_rule(rule.accepted, reason, turn.now, was_saved=True), forget=forget))
    talk.say_refused(turn, reason, rule.accepted.digest, rule.accepted.order_id)


def restored(turn: Turn, rule: KnownRule) -> None:
    """After a restart: what a command had changed in a job is changed again, and a test that was under way is over."""
    action = rule.accepted.order.action if isinstance(rule.accepted.order, Command) else None
    if isinstance(action, Choose):
        _chosen_before(turn, rule, action)
    elif isinstance(action, SelfTest):
        enforcing.end(turn, rule, Reason.POWER_CUT)


def _chosen_before(turn: Turn, rule: KnownRule, choice: Choose) -> None:
    """What was chosen counts from its choice on; a second one of it was about to be refused, or is over."""
    if choice.target not in turn.state.jobs:
        return  # it is over, with its record
    known = choose(turn, choice, rule.base)
    if known is None:
        refuse(turn, rule, Reason.UNKNOWN_JOB)
    else:
        turn.put_job(replace(known, base=UtcMs(max(known.base, first_base(known.job, rule.base)))))


def took_effect(turn: Turn, rule: KnownRule) -> None:
    """Record it; what is done at once is over with that."""
    order = rule.accepted.order
    if isinstance(order, Command) and isinstance(order.action, AFTER_COMMIT):
        _do(turn, rule.accepted, order)
    at_once = rule.passing or (isinstance(order, Command) and not isinstance(order.action, standing.LASTING))
    if not (isinstance(order, Command) and isinstance(order.action, SelfTest)):  # its record tells what it came to
        turn.emit(records.of_rule(rule.accepted, turn.now, None, over=at_once))
    if at_once:
        turn.drop_rule(rule.accepted.order_id)


def _do(turn: Turn, accepted: AcceptedRule, command: Command) -> None:
    """What a command asks for at once; what only holds from now on is for whoever looks at what is in force."""
    obey = _OBEY.get(type(command.action))
    if obey is not None:
        obey(turn, accepted, command)


def _self_test(turn: Turn, accepted: AcceptedRule, command: Command) -> None:
    selftest.begin(turn, accepted, standing.zones_of(turn.state, command))


def _restart(turn: Turn, _accepted: AcceptedRule, _command: Command) -> None:
    sounding.stop_all(turn)
    turn.emit(EndProcess())


def _tell_the_day(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    assert isinstance(command.action, Ask)
    turn.emit(SendPlan(command.action.day))


def _choose(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    assert isinstance(command.action, Choose)
    known = choose(turn, command.action, turn.now.utc)
    if known is None:
        return
    base = first_base(known.job, turn.now.utc)
    turn.put_job(replace(known, base=base))
    turn.emit(ReleaseJob(known.job.job_id, base))  # a restart counts from here too
    series.take_place(turn, known.job)


def choose(turn: Turn, choice: Choose, chosen_at: UtcMs) -> KnownJob | None:
    """An offered job is planned as the commune has chosen, within what its issuer has signed it for."""
    known = turn.state.jobs.get(choice.target)
    if known is None or not known.offered:
        return None
    job = replace(known.job, when=choice.when)
    if isinstance(choice.when, PlayNow) and job.plays_as is not JobClass.EMERGENCY:
        job = replace(job, not_after=UtcMs(min(job.not_after, chosen_at + CHOSEN_NOW_MS)))
    signed = known.accepted.signed or known.job
    known = replace(known, accepted=replace(known.accepted, job=job, signed=signed), offered=False)
    turn.put_job(known)
    return known


def _may_cancel(state: State, command: Command, target: str) -> bool:
    """Whoever ordered it may take it back; of what is not here yet, nobody knows who ordered it until it comes."""
    # An entry may sound on when its timetable is over, and its id be a warning's by then.
    issuers = {known.job.issuer for known in state.jobs.values() if target in known.accepted.goes_by}
    issuers |= {rule.accepted.order.heading.issuer for rule in state.rules.values() if rule.accepted.order_id == target}
    return not issuers or command.heading.issuer in issuers


def _cancel(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    assert isinstance(command.action, Cancel)
    target, issuer = command.action.target, command.heading.issuer
    for rule in [rule for rule in turn.state.rules.values() if rule.accepted.order_id == target]:
        if rule.accepted.order.heading.issuer == issuer:
            enforcing.end(turn, rule, Reason.CANCELLED)
    theirs = [known for known in turn.state.jobs.values() if known.job.issuer == issuer]
    for known in [known for known in theirs if target in known.accepted.goes_by]:
        waited = not any(play.job_id == known.job.job_id for play in turn.state.plays.values())
        takes_place = waited and known.job.job_id == target and series.takes_place(known.accepted, Reason.CANCELLED)
        detail = records.OVERTAKEN if takes_place else ""
        sounding.call_off(turn, known, Cause.CALLED_OFF, Reason.CANCELLED, detail)
        if takes_place:  # whether the cancel overtakes it, or only its welcome, makes no difference
            series.heard_of(turn, known.accepted)


def _stop(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    """Ordinary sound, and the issuer's own emergencies; what waits to go on, or for another try, does not either."""
    where = standing.zones_of(turn.state, command)
    under_way = (Phase.ARMED, Phase.PLAYING)
    begun = [play for play in turn.state.plays.values() if play.phase in under_way or play.segment or play.attempt]
    for play in begun:
        job = turn.job_of(play)
        if job.plays_as is JobClass.EMERGENCY and job.issuer != command.heading.issuer:
            continue
        barred = {zone: Reason.STOPPED for zone in where if zone in zones.in_it(play)}
        if barred:
            sounding.stop_in(turn, play, barred)


def _pause(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    where = standing.zones_of(turn.state, command)
    _halt(turn, where, Ending(Cause.SET_ASIDE, Reason.PAUSED, GoesOn.REST))


def _next_item(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    where = standing.zones_of(turn.state, command)
    _halt(turn, where, Ending(Cause.SET_ASIDE, Reason.SKIPPED, GoesOn.NEXT))


def _halt(turn: Turn, where: tuple[ZoneId, ...], ending: Ending) -> None:
    """Ordinary programmes of which a zone is named stop, to go on later."""
    for play in [play for play in turn.state.plays.values() if play.phase is Phase.PLAYING]:
        skips_silence = ending.goes_on is GoesOn.NEXT and play.started is None
        ordinary = turn.job_of(play).plays_as is not JobClass.EMERGENCY
        if ordinary and not skips_silence and {*where} & {*zones.in_it(play)}:
            zones.stop(turn, play, ending)


def _resume(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    """Every pause of a zone that is named is over, but for those that were signed since."""
    for rule in standing.paused_before(turn.state, command):
        enforcing.end(turn, rule, Reason.CANCELLED)


def _turn_down(turn: Turn, _accepted: AcceptedRule, _command: Command) -> None:
    """Whatever sounds takes over the ceiling that was set just now."""
    for play in [play for play in turn.state.plays.values() if play.phase is Phase.PLAYING and play.ending is None]:
        rules = standing.rules_of(turn.state, turn.now, besides=play)
        louder = zones.with_volumes(turn, play, rules, _wish_of(turn, play))
        if louder != play:
            turn.put_play(louder)
            turn.emit(RoutePlay(play.play_id, zones.feeds_of(louder)))


def _wish_of(turn: Turn, play: Occurrence) -> policy.Wish:
    """What a sound that has begun asks of the rules, up to where quiet hours cut it."""
    begins = turn.now.utc_of(play.start_at)
    whole = policy.wish_for(turn.job_of(play), tuple(play.zones), begins, length_ms(play.parts))
    return whole.until(None if play.cut_at is None else turn.now.utc_of(play.cut_at))


def _warm(turn: Turn, _accepted: AcceptedRule, command: Command) -> None:
    assert isinstance(command.action, Amplify)
    allowed = standing.kept_warm(turn.state, turn.now)
    for zone in standing.zones_of(turn.state, command) if command.action.on else ():
        if zone in allowed:
            switching.warm(turn, zone, command.action.for_ms)


def _warns(state: State) -> bool:
    """Whether a warning sounds, or is about to, be it that the disk has not taken it yet: nobody restarts under it."""
    begun = {play.job_id for play in state.plays.values()}
    warnings = [known for known in state.jobs.values() if known.job.plays_as is JobClass.EMERGENCY]
    return any(known.job.job_id in begun or not known.saved for known in warnings)


_OBEY: dict[type[Action], Callable[[Turn, AcceptedRule, Command], None]] = {
    Amplify: _warm,
    Ask: _tell_the_day,
    Cancel: _cancel,
    Choose: _choose,
    NextItem: _next_item,
    Pause: _pause,
    Restart: _restart,
    Resume: _resume,
    SelfTest: _self_test,
    SetVolume: _turn_down,
    Stop: _stop,
}
