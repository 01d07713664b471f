"""Decide when a live source is opened and closed: only around the time that it is heard, for its bytes are paid for.

Whether it gives anything is nobody's condition for beginning: the programme is on time, and has its stand-in.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import beginning, planning, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CloseLive, Level, OpenLive
from edge_agent.core.job import is_line_in
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import Live, begun_at, length_ms, live_key, sources_of
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn
from edge_agent.core.units import SECOND_MS, ClipKey, MonoMs

LEAD_MS = 15 * SECOND_MS
# A 3G cell hands over in up to 10 s, a TLS connection takes some round trips, and 2 s are to lie ready. 30 kB at
# 16 kB/s are wasted on each relay.


_HAS_ITS_ZONES = (Phase.ARMED, Phase.PLAYING)
_WITHOUT_AN_END = (Reason.PAUSED, Reason.CLOCK_NOT_TRUSTED, Reason.DEVICE_FAILED)
# What something may wait for without anybody knowing how long.


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
    """When a source is to be opened, or has been heard to its end.

    What is due already and may begin at any moment moves along with the time: it is looked at when it begins.
    """
    turn = Turn(state, now)
    plays = [play for play in _relays(turn) if play.phase is Phase.PLAYING or _begins(turn, play) > now.mono]
    return [MonoMs(at) for play in plays for _, *span in _heard(turn, play) for at in span if at > now.mono]


def _wanted(turn: Turn) -> frozenset[ClipKey]:
    """All but line-ins: the device process has those itself."""
    return frozenset(
        key
        for play in _relays(turn)
        for key, opens, ends in _heard(turn, play)
        if opens <= turn.now.mono < ends and not _will_be_refused(turn, play)
    )


def _relays(turn: Turn) -> list[Occurrence]:
    """What sounds, or begins at a time that can be told: a pause, or unsigned time, may last for days."""
    live = (play for play in turn.state.plays.values() if turn.job_of(play).live)
    return [play for play in live if play.phase in _HAS_ITS_ZONES or _will_begin(turn, play)]


def _will_begin(turn: Turn, play: Occurrence) -> bool:
    return play.held_by not in _WITHOUT_AN_END and not planning.waits_for_a_signature(turn, play)


def _will_be_refused(turn: Turn, play: Occurrence) -> bool:
    """By the rules as they are now. Where they change before it begins, its stand-in is heard first."""
    if play.phase in _HAS_ITS_ZONES:
        return False
    begins = _begins(turn, play)
    return beginning.objection(turn, play, begins, beginning.verdict(turn, play, begins)) is not None


def _heard(turn: Turn, play: Occurrence) -> list[tuple[ClipKey, int, int]]:
    """Each live part of a programme: its source, when that is to be open, and when it is over."""
    begins = _begins(turn, play)
    line_ins = {live_key(item) for item in sources_of(turn.job_of(play)) if is_line_in(item.urls[0])}
    return [
        (part.key, begins + at - LEAD_MS, begins + at + part.duration_ms)
        for at, part in begun_at(play.parts)
        if isinstance(part, Live) and part.key not in line_ins
    ]


def _begins(turn: Turn, play: Occurrence) -> MonoMs:
    """When it has begun, or begins at the earliest: where others have its zones, behind their end."""
    if play.phase is Phase.PLAYING:
        return play.start_at if play.started is None else play.started
    where = zones.in_it(play)
    others = (one for one in turn.state.plays.values() if one.key != play.key and one.phase in _HAS_ITS_ZONES)
    ends = [one.start_at + length_ms(one.parts) for one in others if not set(where).isdisjoint(zones.in_it(one))]
    return MonoMs(max(beginning.due_at(turn, play), turn.now.mono, *ends))
