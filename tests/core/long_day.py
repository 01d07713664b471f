"""A bench for whole days: what sounds lasts as long as was signed, and the core is woken whenever it wants to be."""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.events import ClipFetched, ClipStaged, Event, PlayEnded, Tick
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import Occurrence, ZonePart
from edge_agent.core.programme import length_ms
from edge_agent.core.units import MonoMs, UtcMs
from tests.core.bench import Bench
from tests.turn_ears import heard_ms


class Ward(Bench):
    """A station whose sounds last as long as was signed, and end by themselves."""

    def wake_at(self, utc: UtcMs) -> Ward:
        """A new start at that instant."""
        self.now = replace(self.now, utc=utc)
        self.boot()
        return self

    def live_until(self, utc: UtcMs) -> None:
        """Step whenever the core wants to, and whenever something that sounds is over."""
        while (moment := self._next()) < self.now.mono_of(utc):
            self.now = replace(self.now, mono=MonoMs(moment), utc=self.now.utc_of(MonoMs(moment)))
            while over := self._over():
                self.send(self._ended(over))
            self.send(Tick())

    def _next(self) -> MonoMs:
        ends = [self._end(play) for play in self._playing()]
        wake = station.next_wake(self.state, self.now)
        return MonoMs(max(self.now.mono, min([*ends, *([] if wake is None else [wake])], default=2**52)))

    def _playing(self) -> list[Occurrence]:
        return [play for play in self.state.plays.values() if play.phase is Phase.PLAYING]

    def _end(self, play: Occurrence) -> MonoMs:
        return MonoMs(play.start_at + length_ms(play.parts))

    def _over(self) -> Occurrence | None:
        over = [play for play in self._playing() if self._end(play) <= self.now.mono]
        return min(over, key=self._end, default=None)

    def _ended(self, play: Occurrence) -> PlayEnded:
        ms = min(self.now.mono, self._end(play)) - play.start_at
        hearing = (play.zones[zone] for zone in play.zones_in(ZonePart.HEARING))
        zone_ms = {run.zone: heard_ms(play.parts, run.group, 0, ms) for run in hearing}
        return PlayEnded(play.play_id, zone_ms, ms * 48, 0, self.now.mono, None)

    def _answers(self, effect: fx.Effect) -> list[Event]:
        match effect:
            case fx.FetchAhead():
                return [ClipFetched(effect.key)]
            case fx.FetchClip():
                return [ClipStaged(effect.key, effect.duration_ms)]
            case fx.StopPlay(play_id=play_id):
                return [self._ended(play) for play in self._playing() if play.play_id == play_id]
        return super()._answers(effect)
