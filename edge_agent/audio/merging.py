"""Make one play of what several cards report of their parts of it. Pure: knows cards by name, no player and no time.

Decides what is told when one of them begins, goes on, fails or ends: the promise of ``port.Player`` for them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from edge_agent.audio.port import PlayReport
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted, ZonesLost
from edge_agent.core.programme import NOTHING_RELAYED, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId

_STRONGEST_FIRST = (Reason.AUDIO_ALTERED, Reason.SHUTDOWN, None, Reason.DEVICE_FAILED)
# How a play has ended whose cards ended it differently. A clip that one card cannot play is no good for any; what was
# told to stop did not come to its end; and what came to its end did so although cards were lost on the way.


@dataclass(slots=True)
class _Part:
    """What one card has said of the play. ``heard``: zones of it are routed; ``told``: since progress was told last."""

    zones: tuple[ZoneId, ...]
    heard: bool
    started: MonoMs | None = None
    zone_ms: Mapping[ZoneId, int] = field(default_factory=dict)
    underruns: int = 0
    relayed: Relayed = NOTHING_RELAYED
    told: bool = False
    end: PlayEnded | None = None


class Merger:
    """One play, from its start on several cards to its one end."""

    def __init__(self, play_id: PlayId, cards: Mapping[str, tuple[ZoneId, ...]], heard: Collection[str]) -> None:
        """``cards`` take part, each with its own zones; those in ``heard`` have zones that hear the play."""
        assert cards, "a play is somewhere"
        self._play_id = play_id
        self._parts = {name: _Part(zones, name in heard) for name, zones in cards.items()}
        self._begun = False

    @property
    def living(self) -> tuple[str, ...]:
        """The cards on which it has not ended."""
        return tuple(name for name, part in self._parts.items() if part.end is None)

    @property
    def cards(self) -> frozenset[str]:
        """All that take part, or did."""
        return frozenset(self._parts)

    def began_on(self, card: str) -> bool:
        """Whether its first sample has left that card."""
        return self._parts[card].started is not None

    @property
    def spoilt(self) -> bool:
        """Whether its sound turned out altered: no card is to go on with it."""
        return any(part.end is not None and part.end.reason is Reason.AUDIO_ALTERED for part in self._parts.values())

    def route(self, heard: Collection[str]) -> list[PlayReport]:
        """From here on it is heard on these cards."""
        for name, part in self._parts.items():
            part.heard = name in heard
        return self._beginning() if self.living else []

    def take_in(self, card: str, report: PlayReport) -> list[PlayReport]:
        """What is to be told of the play now that a card has reported this of it. After a card's end: nothing."""
        part = self._parts[card]
        if part.end is not None:
            return []
        match report:
            case PlayStarted():
                part.started = report.at
                return self._beginning()
            case PlayProgress():
                return self._progress(part, report)
            case PlayEnded():
                return self._ended(part, report)
            case _:
                return [report]

    def lose(self, card: str, at: MonoMs, reason: Reason = Reason.DEVICE_FAILED) -> list[PlayReport]:
        """A card will not say anything any more; what it has said last counts."""
        part = self._parts[card]
        last = PlayEnded(self._play_id, part.zone_ms, 0, part.underruns, at, reason, part.relayed)
        return self.take_in(card, last)

    def _beginning(self) -> list[PlayReport]:
        """It has begun when its first sample has left where somebody hears it; where nobody does, anywhere."""
        living = [part for part in self._parts.values() if part.end is None]
        heard = [part for part in living if part.heard] or living
        begun = [part.started for part in heard if part.started is not None]
        if self._begun or not begun:
            return []
        self._begun = True
        return [PlayStarted(self._play_id, min(begun))]

    def _progress(self, part: _Part, report: PlayProgress) -> list[PlayReport]:
        """Told once for a round of all cards that are heard, and not as often as there are cards."""
        ahead = part.told
        part.zone_ms, part.underruns, part.relayed, part.told = report.zone_ms, report.underruns, report.relayed, True
        waited_for = [part for part in self._parts.values() if part.end is None and part.heard and not part.told]
        if waited_for and not ahead:
            return []
        for other in self._parts.values():
            other.told = False
        return [PlayProgress(self._play_id, self._zone_ms(), self._underruns(), self._relayed())]

    def _ended(self, part: _Part, end: PlayEnded) -> list[PlayReport]:
        part.end, part.zone_ms, part.underruns, part.relayed = end, end.zone_ms, end.underruns, end.relayed
        lost = [ZonesLost(self._play_id, part.zones, end.reason)] if end.reason is Reason.DEVICE_FAILED else []
        if self.living:
            return [*lost, *self._beginning()]
        last = self._last_word()
        # Where the play as a whole has failed, that says it of every zone.
        return [last] if last.reason is end.reason else [*lost, last]

    def _last_word(self) -> PlayEnded:
        ends = [part.end for part in self._parts.values() if part.end is not None]
        reasons = [end.reason for end in ends]
        reason = next(reason for reason in _STRONGEST_FIRST if reason in reasons)
        # Of frames that were heard now here, now there, only the longest run at one card can be vouched for.
        frames = max(end.frames for end in ends)
        at = max(end.at for end in ends)
        return PlayEnded(self._play_id, self._zone_ms(), frames, self._underruns(), at, reason, self._relayed())

    def _zone_ms(self) -> dict[ZoneId, int]:
        return {zone: ms for part in self._parts.values() for zone, ms in part.zone_ms.items()}

    def _underruns(self) -> int:
        return sum(part.underruns for part in self._parts.values())

    def _relayed(self) -> Relayed:
        """Every card relays the same source: that of the one that has come furthest."""
        return max((part.relayed for part in self._parts.values()), key=lambda one: (one.whole_ms, one.live_ms))
