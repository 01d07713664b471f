"""Ears in the street: which zone hears what from when to when, by the orders that the device gets and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.core import effects as fx
from edge_agent.core.events import Event, PlayEnded, Tick
from edge_agent.core.plays import Occurrence
from edge_agent.core.programme import ZoneFeed
from edge_agent.core.units import PlayId, UtcMs, ZoneId
from tests.core.long_day import Ward
from tests.turn_ears import heard_ms, sounds

Heard = tuple[ZoneId, int, int, str]
"""Zone, from, to, what; in ms of boot time."""


@dataclass
class Run:
    """A programme on the device; ``routes`` is who heard it from when on."""

    start: fx.StartPlay
    routes: list[tuple[int, tuple[ZoneFeed, ...]]] = field(default_factory=list)
    ends: int = 0

    def spans(self, upto: int) -> Iterator[tuple[ZoneFeed, int, int]]:
        """(who, from, to) of everything that was routed."""
        ends = [*(since for since, _ in self.routes[1:]), min(self.ends or upto, upto)]
        for (since, feeds), until in zip(self.routes, ends, strict=True):
            yield from ((feed, since, until) for feed in feeds if since < until)

    def heard(self, upto: int) -> list[Heard]:
        """All that is no silence; what goes on through a change of routes is one sound."""
        found: list[Heard] = []
        for one in sorted(self._pieces(upto), key=lambda one: (one[0], one[1])):
            if found and (found[-1][0], found[-1][2], found[-1][3]) == (one[0], one[1], one[3]):
                one = (one[0], found.pop()[1], one[2], one[3])
            found.append(one)
        return found

    def _pieces(self, upto: int) -> list[Heard]:
        at = self.start.at
        return [
            (feed.zone, max(at + begin, since), min(at + end, until), what)
            for feed, since, until in self.spans(upto)
            for begin, end, what in sounds(self.start.parts, feed.group)
            if max(at + begin, since) < min(at + end, until)
        ]

    def zone_ms(self, upto: int) -> dict[ZoneId, int]:
        """How much each zone heard."""
        total: dict[ZoneId, int] = {}
        for feed, since, until in self.spans(upto):
            part = heard_ms(self.start.parts, feed.group, since - self.start.at, until - self.start.at)
            total[feed.zone] = total.get(feed.zone, 0) + part
        return total


class HeardWard(Ward):
    """A ward's day whose every sound is written down."""

    def __init__(self, **site: Any) -> None:
        self.runs: dict[PlayId, Run] = {}
        super().__init__(**site)

    def street(self, play_id: PlayId | None = None) -> list[Heard]:
        """Everything that was heard so far, or that of one run."""
        runs = self.runs.values() if play_id is None else [self.runs[play_id]]
        return sorted({one for run in runs for one in run.heard(self.now.mono)}, key=lambda one: (one[1], one[0]))

    def pass_to(self, seconds: float) -> None:
        """Live on for so many seconds, and look then."""
        until = UtcMs(self.now.utc + round(seconds * 1_000))
        self.live_until(until)
        self.now = replace(self.now, mono=self.now.mono_of(until), utc=until)
        self.send(Tick())

    def _ended(self, play: Occurrence) -> PlayEnded:
        run = self.runs[play.play_id]
        run.ends = min(self.now.mono, self._end(play))
        zone_ms = run.zone_ms(run.ends)
        return PlayEnded(play.play_id, zone_ms, max(zone_ms.values(), default=0) * 48, 0, self.now.mono, None)

    def _answers(self, effect: fx.Effect) -> list[Event]:
        if isinstance(effect, fx.StartPlay):
            self.runs[effect.play_id] = Run(effect, [(effect.at, effect.feeds)])
        elif isinstance(effect, fx.RoutePlay):
            run = self.runs[effect.play_id]
            run.routes.append((max(self.now.mono, run.start.at), effect.feeds))
        return super()._answers(effect)
