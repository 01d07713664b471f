"""A device process with memory that works, reports and plays only when it is told to, and breaks on demand."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core.events import Event, PlayEnded, PlayStarted, RelayChanged, RelayFailed
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId


@dataclass
class Run:
    """A programme on the device."""

    start: fx.StartPlay
    zones: frozenset[ZoneId]
    started: bool = False

    @property
    def ends(self) -> int:
        return self.start.at + length_ms(self.start.parts)


@dataclass
class Device:
    """The device process: orders wait until it works, reports until they are fetched."""

    up: bool = False
    orders: deque[fx.Effect] = field(default_factory=deque)
    reports: deque[Event] = field(default_factory=deque)
    runs: dict[PlayId, Run] = field(default_factory=dict)

    def lost(self) -> None:
        """Its process ends: nothing of it is left."""
        self.up = False
        self.orders.clear()
        self.reports.clear()
        self.runs.clear()

    def work(self, now: MonoMs, *, broken: bool = False) -> None:
        """Carry out one order; ``broken``: a relay does not do as told."""
        match self.orders.popleft():
            case fx.SwitchRelay(zone=zone) if broken:
                self.reports.append(RelayFailed(zone, "does not move"))
            case fx.SwitchRelay(zone=zone, on=on):
                self.reports.append(RelayChanged(zone, on, "order", now))
            case fx.StartPlay() as start:
                self.runs[start.play_id] = Run(start, frozenset(feed.zone for feed in start.feeds))
            case fx.RoutePlay(play_id=play_id, feeds=feeds) if play_id in self.runs:
                self.runs[play_id].zones = frozenset(feed.zone for feed in feeds)
            case fx.StopPlay(play_id=play_id):
                self.end(play_id, now, Reason.SHUTDOWN)

    def play(self, now: MonoMs) -> None:
        """Report what has begun or ended by now."""
        for play_id, run in list(self.runs.items()):
            if not run.started and now >= run.start.at:
                run.started = True
                self.reports.append(PlayStarted(play_id, MonoMs(max(run.start.at, 0))))
            if now >= run.ends:
                self.end(play_id, now, None)

    def next_time(self) -> MonoMs | None:
        """When something begins or ends here by itself."""
        times = [run.ends if run.started else run.start.at for run in self.runs.values()]
        return MonoMs(min(times)) if times else None

    def end(self, play_id: PlayId, now: MonoMs, reason: Reason | None) -> None:
        """A run is over, if there is one of that name."""
        run = self.runs.pop(play_id, None)
        if run is not None:
            played_ms = max(0, min(now, run.ends) - run.start.at)
            zone_ms = dict.fromkeys(run.zones, played_ms)
            self.reports.append(PlayEnded(play_id, zone_ms, played_ms * 48, 0, now, reason))
