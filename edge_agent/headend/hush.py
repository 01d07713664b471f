"""Decide how much of what one station says is shown in an hour: so that it fills no log, and hides no other's line.

What is not shown is kept and answered all the same. Of each kind apart: who says plans without end hides with them no
word of a document that thieves have signed, or of a second box. Reads no clock: the instant is passed in.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.core.units import HOUR_MS, UtcMs
from edge_agent.headend.desk import Kept
from edge_agent.headend.headend import Shown
from edge_agent.headend.inbox import Overrun
from edge_agent.headend.listening import Doubt, Heard, Unheard
from edge_agent.headend.session import LinkDown, LinkUp

SHOWN_BYTES_PER_HOUR_MAX = 1_024 * 1_024
# Of one station and kind, as it is written down: twenty plans of the largest, or 4,000 states. One stolen key would
# have some 20 GB a day written (measured: plans of 43 kB, 29 a second), perhaps on the disk that holds the records.


@dataclass(frozen=True, slots=True)
class Hushed:
    """More of this kind came of a station ("": of strangers) than is shown: the rest of it until ``until`` is not."""

    station: str
    what: str
    until: UtcMs


@dataclass(slots=True)
class _Hour:
    begins: UtcMs
    size_bytes: int = 0
    is_told: bool = False


class Hush:
    """What was shown of each station in this hour. Not for several threads at once."""

    def __init__(self) -> None:
        self._hours: dict[tuple[str, str], _Hour] = {}

    def hold(self, shown: Shown, size_bytes: int, now: UtcMs) -> Shown | Hushed | None:
        """What is to be shown of it, of which ``size_bytes`` would be written; the first time beyond all, that it is.

        What tells of the connection, or of how many words were dropped, is seldom; and of records only so many are new
        in a day (``allowance``).
        """
        if isinstance(shown, LinkUp | LinkDown | Overrun) or (isinstance(shown, Kept) and shown.new):
            return shown
        what = shown.kind.value if isinstance(shown, Heard) else type(shown).__name__.lower()
        # Whoever is enrolled nowhere may call himself anything: such are all one, or their names would fill the memory.
        stranger = isinstance(shown, Unheard) and shown.doubt is Doubt.NOT_ENROLLED
        station = "" if stranger else shown.station
        hour = self._hours.get((station, what))
        if hour is None or not hour.begins <= now < hour.begins + HOUR_MS:
            hour = self._hours[station, what] = _Hour(now)
        if not hour.is_told and hour.size_bytes + size_bytes <= SHOWN_BYTES_PER_HOUR_MAX:
            hour.size_bytes += size_bytes
            return shown
        if hour.is_told:
            return None
        hour.is_told = True
        return Hushed(station, what, UtcMs(hour.begins + HOUR_MS))
