"""One virtual clock, a heap of happenings, and everything that stands in a ward: who is on, who is cut off.

Time jumps from one happening to the next, so a year takes seconds. Every fake survives or loses on a power cut exactly
what its original would.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Protocol

from edge_agent.core.effects import Note
from edge_agent.core.events import Event
from edge_agent.core.site import Site
from edge_agent.core.state import State
from edge_agent.core.units import MINUTE_MS, ClipKey, UtcMs
from edge_agent.journal.port import Contents
from edge_agent.relay.port import RelayError
from edge_agent.restoring import beside
from edge_agent.trust.keeper import Keeper
from tests.fakes.journal import FakeDisk
from tests.fakes.signing_key import FakeSigningKey
from tests.ward.agent import Agent
from tests.ward.air import Air
from tests.ward.broker import Broker
from tests.ward.card import CardTrouble, Run
from tests.ward.content import Content
from tests.ward.headend import Headend
from tests.ward.home import Home
from tests.ward.io import Io, WardRelays
from tests.ward.machine import Machine
from tests.ward.timing import BOOT_MS, DEVICE_WATCHDOG_MS, LINK_MS, PROGRESS_MS, RECONNECT_MS, RESTART_MS, WATCHDOG_MS

HAPPENINGS_A_MINUTE_MAX = 10_000
# The liveliest evening has some 500 (measured); who wakes at every millisecond is hot, and the network full of him.


class Watch(Protocol):
    """Looks at the station after every step, and at each new process."""

    def booted(self, agent: Agent) -> None: ...

    def stepped(self, agent: Agent, before: State, event: Event) -> None: ...


class World:
    """One station, its broker, its headend and the street. ``mono`` is the true time in ms since it ``began``.

    ``trust`` is the station's trust file. ``wired`` says that the relays' contacts are read back; ``progress_ms`` how
    often a card tells how far it is.
    """

    def __init__(
        self,
        site: Site,
        trust: bytes,
        began: UtcMs,
        *,
        wired: bool = False,
        progress_ms: int = PROGRESS_MS,
        drift_ppm: int = 0,
        chip: bool = False,
        ntp: bool = False,
    ) -> None:
        self.site = site
        self.began = began
        self.mono = 0
        self.steps = 0
        """How often the core has stepped."""
        self.progress_ms = progress_ms
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.trust_file = trust
        self.machine = Machine(lambda: self.mono, began, drift_ppm=drift_ppm, chip=chip, ntp=ntp)
        self.disk = FakeDisk()
        self.cache: dict[ClipKey, int] = {}
        self.originals: set[ClipKey] = set()
        self.key = FakeSigningKey()
        self.content = Content(self)
        self.broker = Broker(self)
        self.headend = Headend(self)
        self.home = Home(self)
        self.relays = WardRelays(self, wired=wired)
        self.card_trouble = CardTrouble()
        self.air = Air(self)
        self.runs: list[Run] = []
        self.absences: list[tuple[int, int]] = []
        """(from, to) of each time with power and without an agent that steps."""
        self.kills: list[int] = []
        """When an agent was killed while the device process lived."""
        self.device_hangs: list[int] = []
        """When the device process stopped, for ``DEVICE_WATCHDOG_MS`` at most."""
        self.dies_at_ack = False
        """Whether the agent is killed as soon as it has told the broker that it may forget an order."""
        self.at_next_sound: list[Callable[[], None]] = []
        """What waits for the next sound to begin, and happens then."""
        self._gone_at: int | None = None
        self.watches: list[Watch] = []
        self.notes: list[tuple[int, Note]] = []
        self.keep_notes = False
        self.io: Io | None = None
        self.agent: Agent | None = None
        self.powered = False
        self.network = True
        self._dark_until = 0
        self._minute = self._happened = 0
        self.supervised = False
        """Whether a service manager restarts what ends, and the power comes back."""

    def beside(self, contents: Contents) -> tuple[Keeper, Contents]:
        """What a new process believes, and what counts of what the one before it has kept."""
        return beside(self.trust_file, contents, self.site)

    def close(self) -> None:
        """Nothing happens here any more. Moves no relay and stops no sound: they may still be looked at."""
        if self.io is not None:
            self.io.close()

    def utc(self) -> UtcMs:
        """The true time."""
        return UtcMs(self.began + self.mono)

    def after(self, ms: int, happen: Callable[[], None]) -> None:
        """Let something happen ``ms`` from now."""
        self._count += 1
        heapq.heappush(self._heap, (self.mono + ms, self._count, happen))

    def run_until(self, mono: int) -> None:
        """Jump from happening to happening up to ``mono``."""
        while True:
            due, happen = self._next()
            if happen is None or due > mono:
                break
            self.mono = max(self.mono, due)
            minute = self.mono // MINUTE_MS
            self._minute, self._happened = (minute, self._happened + 1) if minute == self._minute else (minute, 0)
            assert self._happened < HAPPENINGS_A_MINUTE_MAX, "a processor never rests"
            happen()
        self.mono = mono

    def boot(self) -> None:
        """Power, if it was away, and whichever of the two processes is not there; relays are open before anything."""
        if not self.powered:
            self.powered = True
            self.machine.power_on()
            self.mono += BOOT_MS
        if self.io is None:
            try:
                self.io = Io(self)
            except RelayError:
                self._restart()  # not one relay answers: the process ends, and is started again
        if self.agent is None:
            self.agent = Agent(self)
            if self._gone_at is not None:
                self.absences.append((self._gone_at, self.mono))
                self._gone_at = None
            for watch in self.watches:
                watch.booted(self.agent)
            self.agent.boot()

    def kill_agent(self) -> None:
        """SIGKILL: the link breaks, the broker keeps the will back for its delay."""
        agent, self.agent = self.agent, None
        if agent is not None:
            self._absent()
            if self.io is not None:
                self.kills.append(self.mono)
                self.io.hang_up()
            self.broker.gone()
            self._restart()

    def kill_io(self) -> None:
        """SIGKILL for the device process: the kernel lets its lines go, so every relay opens."""
        io, self.io = self.io, None
        if io is not None:
            io.die()
            if self.agent is not None:
                self.agent.link_lost(LINK_MS)
            self._restart()

    def hang_io(self) -> None:
        """SIGSTOP for the device process, until its watchdog kills it."""
        io = self.io
        if io is not None and not io.card.frozen:
            io.freeze()
            self.device_hangs.append(self.mono)
            self.after(DEVICE_WATCHDOG_MS, lambda: self.kill_io() if self.io is io else None)

    def hang_agent(self) -> None:
        """SIGSTOP: nothing is stepped and no lease renewed, until the watchdog kills it."""
        agent = self.agent
        if agent is not None and not agent.hung:
            for hung in (False, True):  # the last renewal of its lease, and from then on the device counts
                agent.hung = hung
                if self.io is not None:
                    self.io.turn()
            self._absent()
            self.after(WATCHDOG_MS, lambda: self.kill_agent() if self.agent is agent else None)

    def cut_power(self, for_ms: int = 0) -> None:
        """Everything stops at once; the disk keeps what was committed."""
        self.powered = False
        self.kill_agent()
        self.kill_io()
        self._dark_until = max(self._dark_until, self.mono + for_ms)
        if self.supervised:
            self.after(for_ms, self._power_back)

    def set_network(self, up: bool) -> None:
        """Cut or restore the way to broker and content server."""
        self.network = up
        self.air.gives(up, "the network")
        if up:
            self.after(RECONNECT_MS, self.broker.let_in)
        else:
            self.broker.lose()

    def agent_left(self) -> None:
        """The agent has ended by itself, in order."""
        self.agent = None
        self._absent()
        self._restart()

    def sounds(self) -> None:
        """Something begins to sound."""
        waiting, self.at_next_sound = self.at_next_sound, []
        for happen in waiting:
            happen()

    def noted(self, note: Note) -> None:
        """The station says something to whoever reads its log."""
        if self.keep_notes:
            self.notes.append((self.mono, note))

    def _absent(self) -> None:
        self.air.agent_gone()
        if self._gone_at is None:
            self._gone_at = self.mono

    def _restart(self) -> None:
        """What Restart=always does."""
        if self.supervised:
            self.after(RESTART_MS, lambda: self.boot() if self.powered else None)

    def _power_back(self) -> None:
        if self.mono >= self._dark_until:
            self.boot()

    def _next(self) -> tuple[int, Callable[[], None] | None]:
        """What is due first; the heap first, the agent last, as it settles what the others brought."""
        due, happen = (self._heap[0][0], self._pop) if self._heap else (0, None)
        if self.io is not None and self.io.wake is not None and (happen is None or self.io.wake < due):
            due, happen = self.io.wake, self.io.turn
        if self.agent is not None and self.agent.wake is not None and (happen is None or self.agent.wake < due):
            due, happen = self.agent.wake, self.agent.tick
        return due, happen

    def _pop(self) -> None:
        heapq.heappop(self._heap)[2]()
