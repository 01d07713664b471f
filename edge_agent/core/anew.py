"""Decide whether the process may end, to begin anew: only where nobody would miss a sound, or lose an order, by it.

It is wanted where something outside the core can be mended by a new process alone, such as a secure element's library
that answers no more. Whoever wants it asks again later.
"""

from __future__ import annotations

from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import EndProcess, Level
from edge_agent.core.occurrence import Phase
from edge_agent.core.state import State, Turn
from edge_agent.core.units import MINUTE_MS

CLEAR_MS = 2 * MINUTE_MS
# Without a sound from now on. A start takes some 10 s on the smallest board, and the network some more.

_BUSY = frozenset({Phase.QUEUED, Phase.ARMED, Phase.PLAYING})


def wanted(turn: Turn) -> None:
    """End the process if it may, else wait to be asked again."""
    if may_end(turn.state, turn.now):
        turn.note(Level.WARNING, "process begins anew")
        turn.emit(EndProcess())


def may_end(state: State, now: Now) -> bool:
    """Whether a start can come between: nothing sounds or is due, and all that is known lies on the disk."""
    due = any(
        play.phase in _BUSY or (now.trusted and play.planned <= now.utc + CLEAR_MS) for play in state.plays.values()
    )
    closed = any(relay.ordered_on for relay in state.relays.values())  # also for a test that a technician makes
    kept = all(job.saved for job in state.jobs.values()) and all(rule.saved for rule in state.rules.values())
    return kept and not due and not closed
