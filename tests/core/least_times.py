"""The book of least times: how long each relay has been closed, or open, and whether it moved too soon (S3).

Believes the device's reports and the core's own orders. An emergency never waits; a lock, an all-stop and the end of
the service open at once; a relay that would not last for a programme opens for its fresh closing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from edge_agent.core import effects as fx
from edge_agent.core import order
from edge_agent.core.clock_trust import Now
from edge_agent.core.events import DeviceDown, DeviceUp, Event, RelayChanged, RelayFailed
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.plays import CLAIMS, Occurrence, ZonePart
from edge_agent.core.state import State
from edge_agent.core.units import ZoneId
from tests.core.lawbook import Lawbook


@dataclass
class LeastTimes:
    """One process life. ``since`` has the relays that are ordered closed, and from when on their time counts."""

    lawbook: Lawbook
    since: dict[ZoneId, int] = field(default_factory=dict)
    opened: dict[ZoneId, int] = field(default_factory=dict)
    reported: set[ZoneId] = field(default_factory=set)  # on, as far as was said

    def see(self, event: Event, effects: tuple[fx.Effect, ...], now: Now, after: State) -> None:
        """Look at one step."""
        self._hear(event, now)
        for effect in effects:
            if isinstance(effect, fx.SwitchRelay) and effect.on:
                self._closes(effect.zone, now, after)
            elif isinstance(effect, fx.SwitchRelay):
                self._opens(effect.zone, event, now, after)

    def held(self, now: Now, after: State) -> frozenset[ZoneId]:
        """The relays that may be closed although nothing claims them, for they have closed only just now."""
        at_once = self.lawbook.zones(now, after, order.Lock)
        if after.stopping or any(self.lawbook.holding(now, order.AllStop)):
            return frozenset()
        young = {zone for zone, at in self.since.items() if now.mono < at + after.site.zones[zone].least_on_ms}
        return frozenset(young - at_once)

    def _hear(self, event: Event, now: Now) -> None:
        match event:
            case DeviceUp() | DeviceDown():
                self.opened |= dict.fromkeys(self.reported, now.mono)
                self.since.clear()
                self.reported.clear()
            case RelayChanged(zone=zone, on=True, at=at):
                if zone in self.since and zone not in self.reported:
                    self.since[zone] = at
                self.reported.add(zone)
            case RelayChanged(zone=zone, cause=cause, at=at):
                if zone in self.reported:
                    self.opened[zone] = at
                self.reported.discard(zone)
                if cause != "order":
                    self.since.pop(zone, None)

    def _closes(self, zone: ZoneId, now: Now, after: State) -> None:
        if zone in self.since:
            return
        self.since[zone] = now.mono
        holders = [play for play in after.plays.values() if zone in play.zones_in(*CLAIMS) or _comes(play, zone)]
        urgent = any(after.jobs[play.job_id].job.plays_as is JobClass.EMERGENCY for play in holders)
        rested_at = self.opened.get(zone, 0) + after.site.zones[zone].least_off_ms
        assert urgent or zone not in self.opened or now.mono >= rested_at, "a relay closes again too soon"

    def _opens(self, zone: ZoneId, event: Event, now: Now, after: State) -> None:
        held = zone in self.held(now, after)
        self.since.pop(zone, None)
        self.opened[zone] = now.mono
        comes = any(_comes(play, zone) for play in after.plays.values())
        assert comes or not held or isinstance(event, RelayFailed), "a relay opens again too soon"


def _comes(play: Occurrence, zone: ZoneId) -> bool:
    """Whether it has the zone, or is about to: another one's relay may have been closed for it."""
    begins = play.phase in (Phase.ARMED, Phase.PLAYING)
    return begins and zone in play.zones_in(*CLAIMS, ZonePart.WAITING, ZonePart.TAKEN)
