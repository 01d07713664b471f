"""Decide when a live source is opened and closed: only around the time that it is heard, for its bytes are paid for.

Whether it gives anything is nobody's condition for beginning: the programme is on time, and has its stand-in.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import playing
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CloseLive, Level, OpenLive
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import Live, begun_at, live_key, sources_of
from edge_agent.core.state import Occurrence, State, Turn
from edge_agent.core.units import SECOND_MS, ClipKey, MonoMs

LEAD_MS = 15 * SECOND_MS
# A 3G cell hands over in up to 10 s, a TLS connection takes some round trips, and 2 s are to lie ready. 30 kB at
# 16 kB/s are wasted on each relay.
_AHEAD = (Phase.STAGED, Phase.QUEUED, Phase.ARMED)


def reconcile(turn: Turn) -> None:
    """Have exactly those sources open that are heard now, or soon."""
    wanted = _wanted(turn)
    for key in turn.state.live - wanted:
        turn.emit(CloseLive(key))
        turn.note(Level.INFO, "live source closed", source=key[:12])
    addresses = {live_key(item): item.urls for known in turn.state.jobs.values() for item in sources_of(known.job)}
    for key in sorted(wanted - turn.state.live):
        turn.emit(OpenLive(key, addresses[key]))
        turn.note(Level.INFO, "live source opened", source=key[:12], at=addresses[key][0])
    if wanted != turn.state.live:
        turn.state = replace(turn.state, live=wanted)


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a source is to be opened, or has been heard to its end."""
    turn = Turn(state, now)
    spans = [span for play in state.plays.values() for _, *span in _heard(turn, play)]
    return [MonoMs(at) for span in spans for at in span if at > now.mono]


def _wanted(turn: Turn) -> frozenset[ClipKey]:
    plays = turn.state.plays.values()
    return frozenset(key for play in plays for key, opens, ends in _heard(turn, play) if opens <= turn.now.mono < ends)


def _heard(turn: Turn, play: Occurrence) -> list[tuple[ClipKey, int, int]]:
    """Each live part of an occurrence: its source, when that is to be open, and when it is over."""
    if play.phase is Phase.PLAYING:
        begins = play.start_at
    elif play.phase in _AHEAD:
        begins = max(playing.due_at(turn, play), turn.now.mono)  # what waits for its zones begins now at the earliest
    else:
        return []
    return [
        (part.key, begins + at - LEAD_MS, begins + at + part.duration_ms)
        for at, part in begun_at(play.parts)
        if isinstance(part, Live)
    ]
