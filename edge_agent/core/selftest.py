"""Decide how the station tests its relays in silence: one idle zone after the other closes and opens, nothing sounds.

What was seen goes into one record (``self_test c1=ok c2=relay_failed c3=busy``). A relay is well that was seen closed
and then open: one that is welded closes whenever it is asked to. A zone that is needed meanwhile, or locked, is let go
at once: a test delays nothing, and closes nothing under whoever is at the horn.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import records, standing, switching
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Level
from edge_agent.core.order import AcceptedRule
from edge_agent.core.state import Relay, SelfTesting, State, Tested, Turn
from edge_agent.core.units import SECOND_MS, MonoMs, ZoneId

CLOSED_MS = 1 * SECOND_MS
# Long enough for a read-back and for a technician's ear at the relay box; no amplifier thumps that did not before.


def begin(turn: Turn, accepted: AcceptedRule, where: tuple[ZoneId, ...]) -> None:
    """Test the zones in turn. A test that runs already ends here, with what it has seen."""
    running = turn.state.testing
    if running is not None:
        left = running.zones[len(running.results) :]
        _report(turn, replace(running, results=(*running.results, *((zone, Tested.BUSY) for zone in left))))
    turn.state = replace(turn.state, testing=SelfTesting(accepted, where))


def advance(turn: Turn) -> None:
    """One zone at a time: close it, look, open it, look."""
    test = turn.state.testing
    if test is None:
        return
    if test.zone is not None:
        seen = _hindrance(turn, test.zone) or (_seen_open if test.opening else _seen_closed)(turn, test.zone)
        if seen is Tested.OK and not test.opening:
            turn.state = replace(turn.state, testing=replace(test, opening=True))  # open_unclaimed opens it
            return
        if seen is None:
            return
        test = replace(test, zone=None, opening=False, results=(*test.results, (test.zone, seen)))
    test = _next(turn, test)
    if test.zone is None:
        _report(turn, test)
    turn.state = replace(turn.state, testing=test if test.zone is not None else None)


def _report(turn: Turn, test: SelfTesting) -> None:
    turn.emit(records.of_self_test(test.accepted, turn.now, test.results))
    turn.note(Level.INFO, "self-test done", seen=" ".join(f"{zone}={seen}" for zone, seen in test.results))


def tested(state: State) -> frozenset[ZoneId]:
    """The zone whose relay is closed for the test."""
    test = state.testing
    return frozenset() if test is None or test.zone is None or test.opening else frozenset({test.zone})


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When the zone under test has been closed for long enough, or is given up."""
    test = state.testing
    if test is None or test.zone is None:
        return []
    relay = state.relays[test.zone]
    if test.opening:
        if relay.ordered_on:
            return []  # it is opened by ``switching``
        return [now.mono if relay.on is False else max(_open_by(relay), now.mono)]
    since = relay.closed_since
    due = MonoMs(since + CLOSED_MS) if since is not None else switching.confirm_by(state, test.zone)
    return [max(due, now.mono)]


def _open_by(relay: Relay) -> MonoMs:
    """When a relay that was told to open, and has not said that it did, is taken for broken."""
    return MonoMs((relay.opened_at or 0) + switching.RELAY_CONFIRM_MS)


def _seen_open(turn: Turn, zone: ZoneId) -> Tested | None:
    """What the test of a zone came to; None while it goes on."""
    relay = turn.state.relays[zone]
    if relay.ordered_on:
        return None  # it stays closed for its least time
    if relay.on is False:
        return Tested.OK
    return Tested.RELAY_FAILED if turn.now.mono >= _open_by(relay) else None


def _seen_closed(turn: Turn, zone: ZoneId) -> Tested | None:
    """Whether it may be opened now; what the test came to where that is not to come; None while it goes on."""
    relay = turn.state.relays[zone]
    if relay.closed_since is None:
        is_late = turn.now.mono >= switching.confirm_by(turn.state, zone)
        return Tested.RELAY_FAILED if not relay.ordered_on or is_late else None
    return Tested.OK if turn.now.mono >= relay.closed_since + CLOSED_MS else None


def _next(turn: Turn, test: SelfTesting) -> SelfTesting:
    """Go on with the next zone that nothing needs."""
    for zone in test.zones[len(test.results) :]:
        hindrance = _hindrance(turn, zone) or _left_alone(turn, zone)
        if hindrance is None:
            switching.warm(turn, zone, CLOSED_MS + switching.RELAY_CONFIRM_MS)
            return replace(test, zone=zone)
        test = replace(test, results=(*test.results, (zone, hindrance)))
    return test


def _left_alone(turn: Turn, zone: ZoneId) -> Tested | None:
    """Why a test does not begin with a zone: its relay is closed for somebody, or was until now."""
    if turn.state.relays[zone].ordered_on:
        return Tested.BUSY
    return None if switching.rested(turn, zone) else Tested.RESTING


def _hindrance(turn: Turn, zone: ZoneId) -> Tested | None:
    """Why a zone cannot be tested now: somebody is at the horn, or somebody needs it, or the station is ending."""
    if not turn.state.device_up:
        return Tested.DEVICE_FAILED
    if zone in standing.locked(turn.state, turn.now):
        return Tested.ZONE_LOCKED
    measured_at = standing.kept_warm(turn.state, turn.now)
    needed = turn.state.stopping or zone in measured_at or switching.is_claimed(turn.state, zone)
    return Tested.BUSY if needed else None
