"""The line to a device process that does as it is told, at once, until it is told to hang, fall silent or go away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay, SwitchRelay
from edge_agent.core.events import DeviceDown, DeviceUp, Event, PlayEnded, PlayStarted, RelayChanged
from edge_agent.core.programme import length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.units import MonoMs, PlayId, ZoneId

DeviceOrder = SwitchRelay | StartPlay | RoutePlay | StopPlay
PATIENCE_S = 60


@dataclass
class FakeDeviceLine:
    """A ``runtime.Device``. ``post`` gets what a device process would report; plays last until ``play_out``.

    ``ends_plays`` False: it stops nothing and never reports an end. While ``open_line`` is cleared, handing an order
    over blocks. ``renewals`` holds when each came, and whether a relay was closed then; ``renewed`` is set by each.
    """

    post: Callable[[Event], None]
    boot_ms: Callable[[], MonoMs]
    orders: list[DeviceOrder] = field(default_factory=list)
    renewals: list[tuple[MonoMs, bool]] = field(default_factory=list)
    closed: set[ZoneId] = field(default_factory=set)
    playing: dict[PlayId, StartPlay] = field(default_factory=dict)
    ends_plays: bool = True
    up: bool = False
    stopped: bool = False
    blocked: threading.Event = field(default_factory=threading.Event)
    renewed: threading.Event = field(default_factory=threading.Event)
    open_line: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open_line.set()

    def start(self) -> None:
        self.come_up()

    def come_up(self) -> None:
        """The device process is there, its relays open."""
        self.up = True
        self.post(DeviceUp())

    def go_away(self) -> None:
        """The device process dies: relays open, sound ends, and nobody is left to report either."""
        self.up = False
        self.closed.clear()
        self.playing.clear()
        self.post(DeviceDown("the device process hung up"))

    def send(self, order: DeviceOrder) -> bool:
        if not self.open_line.is_set():
            self.blocked.set()
            assert self.open_line.wait(PATIENCE_S)
        if not self.up:
            return False
        self.orders.append(order)
        match order:
            case SwitchRelay():
                (self.closed.add if order.on else self.closed.discard)(order.zone)
                self.post(RelayChanged(order.zone, order.on, "order", self.boot_ms()))
            case StartPlay():
                self.playing[order.play_id] = order
                self.post(PlayStarted(order.play_id, order.at))
            case StopPlay():
                self._end(order.play_id, 0, Reason.SHUTDOWN)
        return True

    def renew(self) -> bool:
        if self.up:
            self.renewals.append((self.boot_ms(), bool(self.closed)))
            self.renewed.set()
        return self.up

    def stop(self) -> None:
        self.stopped = True
        self.up = False
        self.closed.clear()

    def play_out(self) -> None:
        """The last sample of everything that plays leaves the card."""
        for play_id, play in list(self.playing.items()):
            self._end(play_id, length_ms(play.parts), None)

    def started(self) -> list[StartPlay]:
        """Every programme that was begun."""
        return [order for order in self.orders if isinstance(order, StartPlay)]

    def _end(self, play_id: PlayId, played_ms: int, reason: Reason | None) -> None:
        play = self.playing.get(play_id)
        if play is None or not self.ends_plays:
            return
        del self.playing[play_id]
        zone_ms = {feed.zone: played_ms for feed in play.feeds}
        self.post(PlayEnded(play_id, zone_ms, played_ms * 48, 0, self.boot_ms(), reason))
