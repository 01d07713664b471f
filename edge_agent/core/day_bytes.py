"""Decide how many bytes of audio a station's SIM pays for from one night to the next; warnings are held to none."""

from __future__ import annotations

from edge_agent.core import look_ahead
from edge_agent.core.spent import Fetched
from edge_agent.core.state import Turn
from edge_agent.core.units import UtcMs

SOON_BYTES_PER_DAY = 1_000_000_000
# What is due soon passes the day's bytes up to here: a day and night without a pause at 64 kbit/s are 700 MB. Whoever
# has stolen a key that orders bulletins, and tells a station to play 200 MB now, again and again, would have the SIM
# empty before the next warning.


def has(turn: Turn, count: int, due: UtcMs | None) -> bool:
    """Whether the day has so many left for what is ``due`` (None: now)."""
    a_day = turn.state.site.fetch_bytes_per_day
    most = max(a_day, SOON_BYTES_PER_DAY) if look_ahead.is_urgent(turn.now, due) else a_day
    return used(turn) + count <= most


def used(turn: Turn) -> int:
    """How many were since this night, or the last one, began."""
    night = look_ahead.night_of(turn.state.site, turn.now.utc)
    audio = turn.state.spent.audio
    return audio.bytes if audio.night == night else 0


def count(turn: Turn, more: int) -> None:
    """They are paid for; by no clock that cannot be trusted."""
    if turn.now.trusted:
        night = look_ahead.night_of(turn.state.site, turn.now.utc)
        turn.spend(audio=Fetched(night, used(turn) + more))
