"""Decide what regulations, windows and commands are in force, what they say together, and when each is over by itself.

Until when each kind holds stands in ``_over_at``. What follows from it for what sounds, ``enforcing`` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from edge_agent.core import switching, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Job, JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import (
    AcceptedRule,
    Action,
    AllStop,
    Amplify,
    Cancel,
    Choose,
    Command,
    Lock,
    Pause,
    Rank,
    Regulation,
    Resume,
    RuleOrder,
    SetVolume,
    Stop,
    Timetable,
    Window,
)
from edge_agent.core.past import Sounded, counted_start, lately
from edge_agent.core.plays import Occurrence
from edge_agent.core.policy import Rules
from edge_agent.core.programme import own_ms
from edge_agent.core.state import KnownRule, State
from edge_agent.core.units import JobId, MonoMs, UtcMs, ZoneId

LASTING = (AllStop, Amplify, Cancel, Choose, Lock, Pause, Rank, Resume, SetVolume)
"""The commands that hold for a while, a resume while older pauses can come; every other one is done at once."""

RULES_MAX = 200
# A regulation, a window for every day of a month, and locks, volumes and cancels beside them: some 60.
CANCELS_MAX, SILENCERS_MAX = 250, 300
# More of what takes back, and still more of what silences: no heap of other orders keeps somebody from silence.
OWN_RULES_MAX, OWN_CANCELS_MAX, OWN_SILENCERS_MAX = 60, 80, 100
# The same, of each key in each issuer's name, however full those for all are: a whole ward's some 60. So whoever has
# stolen a key, and fills what is for all, keeps nobody else from anything.
KEPT_MAX = 2_300
# Those for all, and twenty keys' own: a station's documents name some 20 (trust.roles.KEYS_MAX), and could name 448.
# It is 2 MB and 24 ms a step (on a desktop, 2026-11) of cancels, and 150 MB on the disk of the longest envelopes.


def rules_of(state: State, now: Now, *, besides: Occurrence | None = None) -> Rules:
    """All that is laid down at this moment; what sounds counts as past with the end it will have, but ``besides``."""
    holding = list(in_force(state, now))
    newest = _newest_regulation(holding)
    site = state.site
    return Rules(
        site=site,
        policy=site.policy if newest is None else newest.policy,
        regulations=_regulations(state),
        windows=_windows(state, now),
        locked=_locked(state, now),
        volumes=_volumes(state, holding),
        past=(*lately(state.past, now.utc), *_sounding(state, now, besides)),
        reserve=state.reserve,
    )


def in_force(state: State, now: Now) -> Iterator[RuleOrder]:
    """The orders that hold now, the oldest first."""
    for rule in _by_age(state):
        if not rule.held and not is_over(rule, state, now) and not _is_ahead(rule, now):
            yield rule.accepted.order


def zones_of(state: State, order: RuleOrder) -> tuple[ZoneId, ...]:
    """The zones of this station that an order is about."""
    wanted = order.heading.audience.zones
    return tuple(zone for zone in state.site.zones if not wanted or zone in wanted)


def has_room(state: State, accepted: AcceptedRule) -> bool:
    """Whether one more may be kept: in the places for all, or in those that a key which signed it has to itself."""
    match accepted.order:
        case Command(action=Cancel()):
            most, own = CANCELS_MAX, OWN_CANCELS_MAX
        case Command(action=AllStop() | Lock() | Pause() | Stop()):
            most, own = SILENCERS_MAX, OWN_SILENCERS_MAX
        case _:
            most, own = RULES_MAX, OWN_RULES_MAX
    kept, issuer = len(state.rules), accepted.order.heading.issuer
    return kept < most or (kept < KEPT_MAX and any(_kept(state, issuer, key) < own for key in accepted.signers))


def _kept(state: State, issuer: str, key: str) -> int:
    """How many places a key has taken in an issuer's name."""
    ours = (rule.accepted for rule in state.rules.values() if rule.accepted.order.heading.issuer == issuer)
    return sum(key in accepted.signers for accepted in ours)


def is_done_at_once(state: State, order: RuleOrder) -> bool:
    """Whether it has all its effect now, so that it needs no place: of what it ends here, the id stays known."""
    if isinstance(order, Command) and isinstance(order.action, Cancel):
        target = order.action.target
        return target in state.rules or any(target in known.accepted.goes_by for known in state.jobs.values())
    return isinstance(order, Command) and not isinstance(order.action, LASTING)


def only_silences(order: RuleOrder) -> bool:
    """Whether all that an order can do is that less sounds."""
    match order:
        case Command(action=AllStop() | Cancel() | Lock() | Pause() | Stop()):
            return True
        case Window():
            return order.loosens is None
        case _:
            return False


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When something here begins or ends by itself."""
    wakes = [
        at
        for rule in state.rules.values()
        if not rule.held and (at := _over_at(rule, state, now)) is not None
        if rule.saved or at > now.mono  # what the disk has not taken holds no longer either, but is not let go of
    ]
    begins = [now.mono_of(at) for rule in state.rules.values() if not rule.held for at in _begins(rule.accepted.order)]
    cuts = [play.cut_at for play in state.plays.values() if play.phase is Phase.PLAYING and play.ending is None]
    return [wake for wake in (*wakes, *cuts) if wake is not None] + [wake for wake in begins if wake > now.mono]


def kept_warm(state: State, now: Now) -> frozenset[ZoneId]:
    """The zones whose amplifiers are to stay on although nothing sounds there; never where somebody is at the horn."""
    warm: set[ZoneId] = set()
    for order in in_force(state, now):
        if isinstance(order, Command) and isinstance(order.action, Amplify):
            warm = warm | {*zones_of(state, order)} if order.action.on else warm - {*zones_of(state, order)}
    return frozenset(warm - locked(state, now))


def held_closed(state: State, now: Now) -> frozenset[ZoneId]:
    """The zones whose relays have closed only just now; not where somebody is at the horn, or all is to be silent."""
    if state.stopping or any(
        isinstance(order, Command) and isinstance(order.action, AllStop) for order in in_force(state, now)
    ):
        return frozenset()
    return switching.too_short(state, now) - locked(state, now)


def locked(state: State, now: Now) -> frozenset[ZoneId]:
    """The zones that are locked for maintenance."""
    return frozenset(_locked(state, now))


def _begins(order: RuleOrder) -> tuple[UtcMs, ...]:
    """The instants from which on it may change what sounds; a command does so at once."""
    ahead = order.heading.not_before
    match order:
        case Window(begins=begins):
            return ahead, begins
        case Regulation():
            return (ahead,)
        case _:
            return ()


def stops(state: State, now: Now, issued_at: UtcMs) -> bool:
    """Whether an all-stop holds for what was issued at ``issued_at``: only what came before it is stopped."""
    return any(
        isinstance(order, Command) and isinstance(order.action, AllStop) and issued_at <= order.heading.issued_at
        for order in in_force(state, now)
    )


def alert_in_force(state: State) -> bool:
    """Whether a real warning sounds, waits or repeats here: nobody rehearses meanwhile (requirement B20)."""
    heard = {play.job_id for play in state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)}
    alerts = [known for known in state.jobs.values() if known.job.plays_as is JobClass.EMERGENCY]
    return any(not known.called_off or known.job.job_id in heard for known in alerts)


def pauses(state: State, now: Now, job: Job, where: Iterable[ZoneId]) -> bool:
    """Whether an ordinary programme is held: it was paused in one of the zones ``where`` it is to sound."""
    if job.plays_as is JobClass.EMERGENCY:
        return False
    return any(
        isinstance(order, Command)
        and isinstance(order.action, Pause)
        and not {*zones_of(state, order)}.isdisjoint(where)
        for order in in_force(state, now)
    )


def resumed(state: State, pause: Command) -> bool:
    """Whether a pause was ended before it came: what was signed later overtook it."""
    return any(_ends(rule.accepted.order, pause, state) for rule in state.rules.values() if not rule.held)


def paused_before(state: State, resume: Command) -> list[KnownRule]:
    """The pauses that a resume ends: of any of its zones, and signed no later."""
    return [rule for rule in state.rules.values() if not rule.held and _ends(resume, rule.accepted.order, state)]


def _ends(resume: RuleOrder, pause: RuleOrder, state: State) -> bool:
    kinds = (resume.action, pause.action) if isinstance(resume, Command) and isinstance(pause, Command) else ()
    if not (kinds and isinstance(kinds[0], Resume) and isinstance(kinds[1], Pause)):
        return False
    later = resume.heading.not_before >= pause.heading.not_before
    return later and not {*zones_of(state, resume)}.isdisjoint(zones_of(state, pause))


def pauses_end(state: State, now: Now) -> list[UtcMs]:
    """When the pauses of this moment are over by themselves."""
    return [until for order, until in halts(state, now) if isinstance(order.action, Pause)]


def halts(state: State, now: Now) -> list[tuple[Command, UtcMs]]:
    """The all-stops and pauses of this moment, each with the instant at which it is over by itself."""
    rules = [rule for rule in state.rules.values() if not rule.held]
    return [
        (rule.accepted.order, now.utc_of(at))
        for rule in rules
        if isinstance(rule.accepted.order, Command) and isinstance(rule.accepted.order.action, AllStop | Pause)
        if (at := _over_at(rule, state, now)) is not None
    ]


def cancelled(state: State, job_id: JobId, issuer: str, *, if_held: bool = False) -> bool:
    """Whether a job was cancelled before it came: a cancel may overtake it. ``if_held``: one that waits counts too."""
    return any(
        isinstance(rule.accepted.order, Command)
        and isinstance(rule.accepted.order.action, Cancel)
        and rule.accepted.order.action.target == job_id
        and rule.accepted.order.heading.issuer == issuer
        and (if_held or not rule.held)
        for rule in state.rules.values()
    )


def rank_of(state: State, job_id: JobId) -> int | None:
    """The place that the commune has given a job among those that wait; None where it has not."""
    place: int | None = None
    for rule in _by_age(state):
        order = rule.accepted.order
        if not rule.held and isinstance(order, Command) and isinstance(order.action, Rank):
            listed = order.action.job_ids
            place = listed.index(job_id) if job_id in listed else place
    return place


def regulation_in_force(state: State, now: Now) -> Regulation | None:
    """The one whose policy holds at this moment; None: the station's own does."""
    return _newest_regulation([*in_force(state, now)])


def is_outdated(state: State, regulation: Regulation, now: Now) -> bool:
    """Whether a newer version holds already, or one of this number is here. One that was signed ahead holds later."""
    here = any(other.version == regulation.version for other in _regulations(state))
    return here or any(_is_newer(rule, regulation.version, now) for rule in state.rules.values())


def _by_age(state: State) -> list[KnownRule]:
    """What was signed last stands last, whatever came first: one command may overtake another on its way.

    By ``not_before``, which ``intake`` holds to within minutes of now; what somebody writes into ``issued_at`` is not.
    """
    return sorted(state.rules.values(), key=lambda rule: rule.accepted.order.heading.not_before)


def _windows(state: State, now: Now) -> tuple[Window, ...]:
    """Every one that is not over, each for as long as it holds; those that were signed ahead included."""
    known = [rule for rule in state.rules.values() if not rule.held and not is_over(rule, state, now)]
    windows = [rule.accepted.order for rule in known if isinstance(rule.accepted.order, Window)]
    return tuple(replace(one, begins=max(one.begins, one.heading.not_before)) for one in windows)


def _regulations(state: State) -> tuple[Regulation, ...]:
    """Every one that is known, those that were signed ahead included."""
    known = [rule.accepted.order for rule in state.rules.values() if not rule.held]
    return tuple(order for order in known if isinstance(order, Regulation))


def _newest_regulation(orders: list[RuleOrder]) -> Regulation | None:
    regulations = [order for order in orders if isinstance(order, Regulation)]
    return max(regulations, key=lambda regulation: regulation.version, default=None)


def _is_ahead(rule: KnownRule, now: Now) -> bool:
    """Whether it was signed ahead: next year's regulation holds from its own day on.

    A command is never ahead, wherever the clock is put: nobody has a lock lifted under him by that.
    """
    order = rule.accepted.order
    return not isinstance(order, Command) and now.trusted and now.utc < order.heading.not_before


def dated(rule: KnownRule, now: Now) -> KnownRule:
    """What a restart has brought back counts from when it began, as soon as signed time tells that; and only once.

    What nobody has signed may shorten no lock, and no later word ends what the first one has let stand. Nothing holds
    for longer than was ordered, though that word be from before it began.
    """
    if not (rule.undated and now.trusted and now.signed):
        return rule
    return replace(rule, since=min(rule.since, now.mono_of(rule.base)), undated=False)


def is_over(rule: KnownRule, state: State, now: Now) -> bool:
    """Whether it holds no longer."""
    at = _over_at(rule, state, now)
    return at is not None and now.mono >= at


def _is_newer(other: KnownRule, version: int, now: Now) -> bool:
    order = other.accepted.order
    holds = other.saved and not other.held and not _is_ahead(other, now)
    return isinstance(order, Regulation) and order.version > version and holds


def _has_switched(other: KnownRule, order: Timetable) -> bool:
    newer = other.accepted.order
    return other.saved and not other.held and isinstance(newer, Timetable) and newer.replaces(order)


def is_replaced(rule: KnownRule, state: State, now: Now) -> bool:
    """Whether a later order of its kind has taken its place."""
    order = rule.accepted.order
    match order:
        case Regulation(version=version):
            # By a clock that cannot be trusted nobody knows whether the newer one holds already.
            newer = [other.accepted.order for other in state.rules.values() if _is_newer(other, version, now)]
            return now.trusted and not all(now.doubts(order.heading.not_before) for order in newer)
        case Timetable():
            return any(_has_switched(other, order) for other in state.rules.values())
        case Command(action=SetVolume()):
            by_age = {other.accepted.order_id: other for other in _by_age(state)}
            later = list(by_age.values())[list(by_age).index(rule.accepted.order_id) + 1 :]
            covered = {
                zone
                for other in later
                if other.saved and not other.held
                if isinstance(other.accepted.order, Command) and isinstance(other.accepted.order.action, SetVolume)
                for zone in zones_of(state, other.accepted.order)
            }
            return covered >= {*zones_of(state, order)}
        case _:
            return False


def _over_at(rule: KnownRule, state: State, now: Now) -> MonoMs | None:
    """The boot time from which it holds no longer; None while nobody can tell, or where something else ends it."""
    match rule.accepted.order:
        case Regulation(heading=heading) | Timetable(heading=heading):
            return rule.since if is_replaced(rule, state, now) else now.over_at(heading.not_after)
        case Window(ends=ends):
            return now.over_at(ends)
        case Command(action=action):
            return _command_over_at(rule, action, state, now)


def _command_over_at(rule: KnownRule, action: Action, state: State, now: Now) -> MonoMs | None:
    match action:
        case AllStop(for_ms=for_ms) | Lock(for_ms=for_ms) | Pause(for_ms=for_ms) | Amplify(for_ms=for_ms):
            # By boot time alone: whoever tells a wrong time must not close a relay under somebody at the horn.
            return MonoMs(rule.since + for_ms)
        case Cancel(until=until):
            return now.over_at(until)
        case Rank(job_ids=job_ids):
            return _rank_over_at(rule, job_ids, state, now)
        case Resume():
            return now.over_at(UtcMs(rule.accepted.not_after + 1))
        case Choose(target=target):
            return None if target in state.jobs else rule.since
        case SetVolume():
            return rule.since if is_replaced(rule, state, now) else None
        case _:
            return rule.since  # done at once


def _rank_over_at(rule: KnownRule, job_ids: tuple[JobId, ...], state: State, now: Now) -> MonoMs | None:
    """With the last of its jobs; it may come before any of them, and then waits for that as long as it is valid."""
    if any(job_id in state.jobs for job_id in job_ids):
        return None
    if all(job_id in state.seen for job_id in job_ids):
        return rule.since
    return now.over_at(rule.accepted.not_after)


def _locked(state: State, now: Now) -> dict[ZoneId, UtcMs]:
    """Until when each locked zone is silent."""
    locked: dict[ZoneId, UtcMs] = {}
    for rule in state.rules.values():
        order, until = rule.accepted.order, _over_at(rule, state, now)
        lock = isinstance(order, Command) and isinstance(order.action, Lock) and not rule.held
        if lock and until is not None and until > now.mono:
            for zone in zones_of(state, order):
                locked[zone] = max(locked.get(zone, UtcMs(0)), now.utc_of(until))
    return locked


def _volumes(state: State, holding: list[RuleOrder]) -> dict[ZoneId, int]:
    """The ceilings set by command; a later one replaces an earlier one."""
    volumes: dict[ZoneId, int] = {}
    for order in holding:
        if isinstance(order, Command) and isinstance(order.action, SetVolume):
            volumes |= dict.fromkeys(zones_of(state, order), order.action.volume)
    return volumes


def _sounding(state: State, now: Now, besides: Occurrence | None) -> Iterator[Sounded]:
    for play in state.plays.values():
        if play.phase in (Phase.ARMED, Phase.PLAYING) and (besides is None or play.key != besides.key):
            began = now.utc_of(play.start_at if play.started is None else play.started)
            began = counted_start(play.planned, began) if play.segment == 0 else began
            ends = UtcMs(began + own_ms(play.parts))
            ends = ends if play.cut_at is None else min(ends, now.utc_of(play.cut_at))
            hearing = frozenset(zones.in_it(play))
            job = state.jobs[play.job_id].job
            yield Sounded(
                play.job_id, job.plays_as, began, ends, hearing, play.under, corrects=job.corrects, live=job.live
            )
