"""The device process in virtual time: the real loop, interlock and contacts, over relays and a card with memory."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edge_agent.core.events import DeviceUp, ZoneHeard
from edge_agent.core.units import MonoMs, ZoneId
from edge_agent.device.loop import WRITER, Device
from edge_agent.device.process import WRITER_MS_MAX
from edge_agent.device.wake import Bell
from edge_agent.link.messages import ToCore, ToDevice
from edge_agent.link.server import LinkLost
from edge_agent.relay.contacts import SETTLE_LOOK_MS, Contacts
from edge_agent.relay.interlock import Interlock, renew
from edge_agent.watchdog import Notifier, Progress
from tests.fakes.relays import FakeRelays
from tests.ward.card import Card, CardTrouble, Run
from tests.ward.timing import LINK_MS

if TYPE_CHECKING:
    from edge_agent.audio.port import PlayReport
    from tests.ward.world import World


class WardRelays(FakeRelays):
    """Relays on the wall: they outlive the process. ``moved`` is (zone, closed, true ms); ``slow_ms`` delays one."""

    def __init__(self, world: World, *, wired: bool) -> None:
        zones = tuple(world.site.zones)
        super().__init__(zones, zones if wired else ())
        self._world = world
        self.slow_ms = 0
        self.moved: list[tuple[ZoneId, bool, int]] = []
        self.driven: list[tuple[ZoneId, bool, int]] = []
        """The same of the coils: what the lines say, whatever the contacts make of it."""

    @property
    def troubled(self) -> bool:
        """Whether a contact may move, or fail to, without being told."""
        return bool(self.stuck or self.dead or self.mute or self.slow_ms)

    def switch(self, zone: ZoneId, on: bool) -> None:
        if self.slow_ms and on:
            before = self.contacts[zone]
            self._world.after(self.slow_ms, lambda: self._late(zone, before))
        else:
            super().switch(zone, on)
            self._note(zone)
        self._note_in(self.driven, zone, on)

    def bounce(self, zone: ZoneId) -> None:
        """A contact moves by itself, and nobody ordered it."""
        self.contacts[zone] = not self.contacts[zone]
        self._note(zone)

    def settle(self, zone: ZoneId) -> None:
        """The contact goes where its coil wants it."""
        if zone not in self.stuck:
            self.contacts[zone] = self._world.io is not None and self._world.io.wants(zone)
            self._note(zone)

    def let_go(self) -> None:
        """Nobody drives the lines any more: every contact that can move opens."""
        for zone in self.contacts:
            self._note_in(self.driven, zone, False)
            if zone not in self.stuck:
                self.contacts[zone] = False
                self._note(zone)

    def _late(self, zone: ZoneId, before: bool) -> None:
        if self._world.io is not None and self._world.io.wants(zone) and zone not in self.stuck:
            self.contacts[zone] = True
            self._note(zone)

    def _note(self, zone: ZoneId) -> None:
        self._note_in(self.moved, zone, self.contacts[zone])

    def _note_in(self, edges: list[tuple[ZoneId, bool, int]], zone: ZoneId, on: bool) -> None:
        if next((was for where, was, _ in reversed(edges) if where == zone), False) != on:
            edges.append((zone, on, self._world.mono))


class _Inlet:
    """The player's reports, without threads."""

    def __init__(self) -> None:
        self._reports: list[PlayReport | ZoneHeard] = []

    def put(self, report: PlayReport | ZoneHeard) -> None:
        self._reports.append(report)

    def drain(self) -> list[PlayReport | ZoneHeard]:
        reports, self._reports = self._reports, []
        return reports


class _Server:
    """The device's end of the line."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.listener = Bell()
        self.client: object | None = None
        self._orders: deque[ToDevice] = deque()
        self._hung_up = False

    def accept(self) -> str | None:
        self.listener.hush()
        self.client, self._hung_up = self, False
        self._orders.clear()
        return None

    def receive(self) -> ToDevice | None:
        if self.client is None:
            return None
        if self._orders:
            return self._orders.popleft()
        if self._hung_up:
            raise LinkLost("the agent hung up")
        return None

    def send(self, message: ToCore) -> None:
        agent = self._world.agent
        if self.client is not None and agent is not None and not self._hung_up:
            agent.hear_device(message)

    def drop(self) -> None:
        self.client = None

    def order(self, order: ToDevice) -> None:
        self._orders.append(order)

    def hang_up(self) -> None:
        self._hung_up = True

    def alive(self) -> bool:
        """Whether an agent that steps is at the other end."""
        agent = self._world.agent
        return self.client is not None and not self._hung_up and agent is not None and not agent.hung


class Io:
    """One life of the device process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._inlet = _Inlet()
        self._server = _Server(world)
        self._notifier = Notifier("")
        now = world.machine.boot()
        self._contacts = Contacts(world.relays, world.site.zones, now)
        self.card = Card(world, world.card_trouble, world.runs, self._report)
        limits = {zone: site.on_ms_max for zone, site in world.site.zones.items()}
        progress = Progress(self._notifier, {WRITER: WRITER_MS_MAX}, now)
        self._device = Device(
            self._contacts,
            self.card,
            self._inlet,  # type: ignore[arg-type]
            Interlock(limits),
            self._server,  # type: ignore[arg-type]
            progress,
            world.machine.boot,
        )
        self.wake: int | None = None
        self._plan()

    def knock(self) -> None:
        """An agent connects."""
        self._server.listener.ring()
        self._soon()

    def hear(self, order: ToDevice) -> None:
        """An order is on its way."""
        self._world.after(LINK_MS, lambda: self._obey(order))

    def hang_up(self) -> None:
        """The agent is gone."""
        self._world.after(LINK_MS, self._lose_agent)

    def wants(self, zone: ZoneId) -> bool:
        """Whether the relay is told to be closed."""
        return self._world.io is self and self._contacts.wants(zone)

    def closed(self, zone: ZoneId) -> bool:
        """Whether the interlock holds the relay closed."""
        return zone in self._device._lock.closed

    def wedged(self) -> None:
        """The card's writer hangs from now on; that is no turn of the loop, and puts none off."""
        self.card.wedge()
        before = self.wake
        self._plan()
        if before is not None and self.wake is not None:
            self.wake = min(before, self.wake)

    def freeze(self) -> None:
        """SIGSTOP: the card runs dry, the lines stay as they are, and orders pile up."""
        self.card.wedge()
        self.card.frozen = True
        self._plan()

    def turn(self) -> None:
        """One go of the real loop. A living agent has renewed the lease within the last second, so here just before."""
        if self._world.io is not self or self.card.frozen:
            return
        if self._server.alive():
            self._device._lock = renew(self._device._lock, self._world.machine.boot())
        self._device.turn()
        self._plan()

    def die(self) -> None:
        """SIGKILL, or the power."""
        self.card.die()
        self._world.relays.let_go()
        self.close()

    def close(self) -> None:
        """Give its descriptors back: thousands of wards live in one process of a campaign."""
        self._notifier.close()
        self._server.listener.close()

    def _obey(self, order: ToDevice) -> None:
        self._server.order(order)
        self.turn()

    def _lose_agent(self) -> None:
        self._server.hang_up()
        self.turn()

    def _report(self, report: PlayReport | ZoneHeard) -> None:
        self._inlet.put(report)
        self._soon()

    def _soon(self) -> None:
        self._world.after(0, self.turn)

    def _plan(self) -> None:
        """When the loop has something to do: an end of on-time, a contact to look at, a lease that nobody renews."""
        if self.card.frozen:
            self.wake = None
            return
        now = self._world.machine.boot()
        lock = self._device._lock
        wakes = [closed.off_at for closed in lock.closed.values()]
        look = self._contacts.next_check(now)
        if look is not None and (look <= now + SETTLE_LOOK_MS or self._world.relays.troubled):
            wakes.append(look)
        if (lock.closed or lock.playing) and (not self._server.alive() or self._world.card_trouble.mute):
            wakes.append(MonoMs(now + 1_000))
        self.wake = max(self._world.machine.true_of(min(wakes)), self._world.mono + 1) if wakes else None


__all__ = ["CardTrouble", "DeviceUp", "Io", "Run", "WardRelays"]
