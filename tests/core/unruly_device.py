"""A device process with memory that works, reports and plays only when it is told to, and breaks on demand.

It knows which contacts are closed, and since when: sound behind an open relay is found here, not believed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core.events import Event, PlayEnded, PlayStarted, RelayChanged, RelayFailed, ZonesLost
from edge_agent.core.programme import Live, Relayed, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Group, Site
from edge_agent.core.units import MonoMs, PlayId, ZoneId
from tests.turn_ears import heard_ms


@dataclass
class Run:
    """A programme on the device."""

    start: fx.StartPlay
    zones: frozenset[ZoneId]
    started: bool = False
    since: dict[ZoneId, int] = field(default_factory=dict)
    heard_ms: dict[ZoneId, int] = field(default_factory=dict)
    lost: frozenset[ZoneId] = frozenset()
    groups: dict[ZoneId, Group] = field(default_factory=dict)

    @property
    def ends(self) -> int:
        return self.start.at + length_ms(self.start.parts)

    def feed(self, zones: frozenset[ZoneId], now: int) -> None:
        """Who hears it from now on; what the others have heard is counted."""
        zones -= self.lost
        for zone in self.zones - zones:
            since, until = self.since.pop(zone) - self.start.at, min(now, self.ends) - self.start.at
            heard = heard_ms(self.start.parts, self.groups[zone], since, until)
            self.heard_ms[zone] = self.heard_ms.get(zone, 0) + heard
        for zone in zones - self.zones:
            self.since[zone] = max(now, self.start.at)
        self.zones = zones


@dataclass
class Device:
    """The device process: orders wait until it works, reports until they are fetched.

    ``contacts`` maps a closed relay to (since, until at the latest); ``unsure`` are those of which false things were
    reported, or which have moved by themselves, until they are opened in order.
    """

    site: Site
    up: bool = False
    orders: deque[fx.Effect] = field(default_factory=deque)
    reports: deque[Event] = field(default_factory=deque)
    runs: dict[PlayId, Run] = field(default_factory=dict)
    contacts: dict[ZoneId, tuple[int, int]] = field(default_factory=dict)
    unsure: set[ZoneId] = field(default_factory=set)

    def lost(self) -> None:
        """Its process ends: nothing of it is left."""
        self.up = False
        for book in (self.orders, self.reports, self.runs, self.contacts, self.unsure):
            book.clear()

    def work(self, now: MonoMs, *, broken: bool = False) -> None:
        """Carry out one order; ``broken``: a relay does not do as told."""
        match self.orders.popleft():
            case fx.SwitchRelay() as order:
                self._switch(order, now, broken)
            case fx.StartPlay() as start:
                self.runs[start.play_id] = Run(start, frozenset())
                self._feed(start.play_id, start.feeds, now)
            case fx.RoutePlay(play_id=play_id, feeds=feeds) if play_id in self.runs:
                self._feed(play_id, feeds, now)
            case fx.StopPlay(play_id=play_id):
                self.end(play_id, now, Reason.SHUTDOWN)

    def moved_by_itself(self, zone: ZoneId, now: MonoMs, cause: str) -> RelayChanged:
        """A relay opens unasked; what was ordered before this is known may still count on it."""
        self.contacts.pop(zone, None)
        self.unsure.add(zone)
        return RelayChanged(zone, False, cause, now)

    def play(self, now: MonoMs) -> None:
        """Report what has begun or ended by now, and open what has been closed for long enough."""
        for zone, (_, until) in list(self.contacts.items()):
            if now >= until:
                self.reports.append(self.moved_by_itself(zone, now, "max_on"))
        for play_id, run in list(self.runs.items()):
            if not run.started and now >= run.start.at:
                run.started = True
                self.reports.append(PlayStarted(play_id, MonoMs(max(run.start.at, 0))))
            if now >= run.ends:
                self.end(play_id, now, None)

    def next_time(self) -> MonoMs | None:
        """When something begins or ends here by itself."""
        times = [run.ends if run.started else run.start.at for run in self.runs.values()]
        times += [until for _, until in self.contacts.values()]
        return MonoMs(min(times)) if times else None

    def end(self, play_id: PlayId, now: MonoMs, reason: Reason | None) -> None:
        """A run is over, if there is one of that name."""
        run = self.runs.pop(play_id, None)
        if run is not None:
            played_ms = max(0, min(now, run.ends) - run.start.at)
            run.feed(frozenset(), now)
            live_ms = sum(part.duration_ms for part in run.start.parts if isinstance(part, Live))
            relayed = Relayed(silent_ms=min(live_ms, played_ms))  # the worst that a source can do
            self.reports.append(PlayEnded(play_id, dict(run.heard_ms), played_ms * 48, 0, now, reason, relayed))

    def lose(self, play_id: PlayId, zone: ZoneId, now: MonoMs) -> ZonesLost:
        """A zone's card fails under a run, which goes on without it."""
        run = self.runs[play_id]
        run.lost |= {zone}
        run.feed(run.zones, now)
        return ZonesLost(play_id, (zone,), Reason.DEVICE_FAILED)

    def _switch(self, order: fx.SwitchRelay, now: MonoMs, broken: bool) -> None:
        zone = order.zone
        if broken:
            self.reports.append(RelayFailed(zone, "does not move"))
            return
        since, _ = self.contacts.pop(zone, (now, 0))
        if not (order.on or self.orders):  # nothing is left that was ordered while others believed otherwise
            self.unsure.discard(zone)
        if order.on:
            self.contacts[zone] = (since, min(now + order.off_after_ms, since + self.site.zones[zone].on_ms_max))
        self.reports.append(RelayChanged(zone, order.on, "order", now))

    def _feed(self, play_id: PlayId, feeds: tuple[fx.ZoneFeed, ...], now: MonoMs) -> None:
        run = self.runs[play_id]
        hearing = frozenset(feed.zone for feed in feeds)
        foreseen = {*run.start.later, *(feed.zone for feed in run.start.feeds)}
        assert hearing <= foreseen, "a card that was not told of the programme"
        for zone in hearing - run.zones - self.unsure:
            assert zone in self.contacts, "sound behind an open relay"
            warm_at = self.contacts[zone][0] + self.site.zones[zone].warm_up_ms
            assert max(now, run.start.at) >= warm_at, "sound for an amplifier that is cold"
        run.groups |= {feed.zone: feed.group for feed in feeds}
        run.feed(hearing, now)
