"""The agent process in virtual time: the real runtime, its threads replaced by happenings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.aside import Aside
from edge_agent.clock import NTP_CHECK_MS, StationClock
from edge_agent.core import effects as fx
from edge_agent.core import station
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect
from edge_agent.core.events import AnewWanted, DeviceDown, Event, HeartbeatDue, HelloDue, StopAsked, SweepDue, Tick
from edge_agent.core.spent import Spent
from edge_agent.core.state import State
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import HOUR_MS, MINUTE_MS, MonoMs
from edge_agent.identity.pen import Pen
from edge_agent.inbox import Inbox
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import Origin
from edge_agent.journal_worker import RETRY_S, JournalOrder, JournalWorker
from edge_agent.link.messages import ToCore, ToDevice
from edge_agent.manifest_worker import HomeOrder, answer
from edge_agent.restoring import restored
from edge_agent.runtime import LOOP_MS_MAX, Ports, Runtime
from edge_agent.staging_worker import StagingOrder
from edge_agent.sync.messages import LOG_BODIES_BYTES, Sender
from edge_agent.sync.reports import HostStatus
from edge_agent.trust.chain import Chain
from edge_agent.trust.envelope import payload_type, sign
from edge_agent.trust.keys import UnusableKey
from edge_agent.upstream import Identity, Upstream
from tests.fakes.home import FakeHome
from tests.fakes.journal import FakeJournal
from tests.ward.timing import DISK_MS, LINK_MS, LINK_RETRY_MS, NET_MS

if TYPE_CHECKING:
    from tests.ward.machine import Machine
    from tests.ward.world import World

HEARTBEAT_MS = 5 * MINUTE_MS
HELLO_MS = 6 * HOUR_MS
SWEEP_MS = 24 * HOUR_MS
FIRST_SWEEP_MS = 10 * MINUTE_MS
ANEW_MS = 30 * MINUTE_MS
# The housekeeping of cli.agent, by its own numbers.


class Agent(Runtime):
    """One life of the process. ``wake`` is the true ms of its next step; ``dies_after`` kills it in mid-step."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.wake: int | None = None
        self.hung = False
        self.stuck: list[Event] = []
        self.dies_after: int | None = None
        self.effects: tuple[Effect, ...] = ()
        self._chain: Chain | None = None
        self._documents: Mapping[str, bytes] = {}
        self._device_there = False
        journal = FakeJournal(world.disk, Origin(world.site.station, "1.2.3", world.machine.boot_id()))
        super().__init__(self._ports(journal), Inbox())
        self._journal: VirtualJournal = VirtualJournal(self, journal)
        self._staging: VirtualStaging = VirtualStaging(self)  # type: ignore[assignment]
        self._aside: VirtualAside = VirtualAside()
        self._manifests: VirtualManifests = VirtualManifests(self)  # type: ignore[assignment]
        self._spent: _Spent = _Spent(world.machine)  # type: ignore[assignment]
        self._status: _NoStatus = _NoStatus()  # type: ignore[assignment]

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._world.agent is self

    @property
    def connected(self) -> bool:
        """Whether it has a session with the broker."""
        return self._state.link.connected

    @property
    def state(self) -> State:
        """What the station knows."""
        return self._state

    @property
    def documents(self) -> Mapping[str, bytes]:
        """The trust documents that it has come to believe, the newest of each area; another object when one came."""
        chain = self._ports.trust.chain
        if chain is not self._chain:
            self._chain, self._documents = chain, {area: held.envelope for area, held in chain.newest.items()}
        return self._documents

    @property
    def standing(self) -> tuple[TrustHead, ...]:
        """Those of them that stand now."""
        return self._ports.trust.standing.heads

    @property
    def journal(self) -> VirtualJournal:
        """The thread that writes."""
        return self._journal

    def now(self) -> Now:
        """This instant by the station's own clock."""
        return self._ports.clock.now()

    def boot(self) -> None:
        """What ``Runtime.run`` does before its loop."""
        trust = self._ports.trust
        again = restored(self._ports.contents, trust.judge, trust.standing)
        self.take(replace(again, seed=f"{self._world.mono:032x}", spent=self._spent.read()))
        self._ports.device.start()
        self._ports.session.start()
        for every_ms, event in ((HEARTBEAT_MS, HeartbeatDue), (HELLO_MS, HelloDue)):
            self._every(every_ms, event, every_ms)
        self._every(SWEEP_MS, SweepDue, FIRST_SWEEP_MS)
        self._remind_the_pen()

    def post(self, event: Event, ms: int) -> None:
        """An event that arrives later, if the process still lives then."""
        self._world.after(ms, lambda: self.take(event))

    def tick(self) -> None:
        """Nothing came until its wake."""
        self.take(Tick())

    def take(self, event: Event) -> None:
        """One step, and what follows from it."""
        if not self.alive:
            return
        if self.hung:
            self.wake = None
            self.stuck.append(event)
            return
        before = self._state
        self._world.steps += 1
        self._step(event)
        if not self.alive:
            return
        self._plan()
        for watch in self._world.watches:
            watch.stepped(self, before, event)
        if self._ending_at is not None and self._over():
            self._leave()

    def hear_device(self, message: ToCore) -> None:
        """The device process says something."""
        self._device_there = True
        self.post(message, LINK_MS)

    def link_lost(self, ms: int) -> None:
        """The device process is gone; its line is looked for again."""
        if self._device_there:
            self._device_there = False
            self.post(DeviceDown("killed"), ms)
        self._world.after(LINK_RETRY_MS, self.look_for_device)

    def look_for_device(self) -> None:
        """Connect, or try again."""
        if not self.alive or self._device_there:
            return
        if self._world.io is not None:
            self._world.io.knock()
        else:
            self._world.after(LINK_RETRY_MS, self.look_for_device)

    def _decide(self, event: Event, now: Now) -> tuple[Effect, ...]:
        self.effects = super()._decide(event, now)
        return self.effects

    def _perform(self, effect: Effect, now: Now) -> None:
        if not self.alive:
            return
        if self.dies_after is not None:
            self.dies_after -= 1
            if self.dies_after < 0:
                self._world.kill_agent()
                return
        if isinstance(effect, fx.Note):
            self._world.noted(effect)
            return
        if isinstance(effect, fx.EndProcess):
            self.post(StopAsked(), 0)
            return
        super()._perform(effect, now)

    def _plan(self) -> None:
        machine = self._world.machine
        now = self.now()
        wakes = [wake for wake in (station.next_wake(self._state, now), self._ending_at) if wake is not None]
        if self._clock_moved:
            self._clock_moved = False
            wakes.append(MonoMs(0))
        # The real loop looks every two seconds; here only if it may matter, and seldom where the clock asks seldom.
        if not now.trusted and machine.ntp:
            wakes.append(MonoMs(now.mono + LOOP_MS_MAX))
        elif machine.troubled:
            wakes.append(MonoMs(now.mono + NTP_CHECK_MS // 6))
        # A wake that is due already follows at once, yet after what else happens in this millisecond.
        self.wake = max(machine.true_of(min(wakes)), self._world.mono + 1) if wakes else None

    def _leave(self) -> None:
        """The service manager wanted it to end, and it has."""
        self._goodbye()
        self._world.agent_left()

    def _sign(self, kind: str, payload: bytes) -> bytes | None:
        try:
            return sign(payload_type(kind), payload, [self._pen])
        except UnusableKey:
            return None

    def _remind_the_pen(self) -> None:
        def due() -> None:
            if self.alive:
                self._pen.remind()
                self._world.after(ANEW_MS, due)

        self._world.after(ANEW_MS, due)

    def _every(self, ms: int, event: type[Event], first_ms: int) -> None:
        def due() -> None:
            if self.alive:
                self.take(event())
                self._world.after(ms, due)

        self._world.after(first_ms, due)

    def _ports(self, journal: FakeJournal) -> Ports:
        world = self._world
        machine = world.machine
        keeper, contents = world.beside(journal.load())
        floor = keeper.standing.floor(contents.floor)
        clock = StationClock(
            ntp=machine.ntp, rtc=machine.chip, floor=floor, kept=contents.kept, readings=machine.readings()
        )
        sender = Sender(world.site.realm, world.site.station, f"{world.mono:016x}", "edge-agent test")
        session = world.broker.session_for(self.post, lambda: upstream.will(clock.now()))
        self._pen = Pen(world.key, _nothing, lambda: self.post(AnewWanted(), 0))
        upstream = Upstream(Identity(sender, world.site.area, "Trạm thử"), session, self._sign, HostStatus)
        return Ports(
            site=world.site,
            clock=clock,
            journal=journal,
            contents=contents,
            session=session,
            device=_Line(world, self),
            staging=None,  # type: ignore[arg-type]
            live=world.air,
            upstream=upstream,
            trust=keeper,
            status_file=Path("/nonexistent"),
            spent_file=Path("/nonexistent"),
            ready=_nothing,
            alive=_nothing,
        )


class VirtualJournal(JournalWorker):
    """The real worker without its thread: a commit follows DISK_MS after an order."""

    def __init__(self, agent: Agent, journal: FakeJournal) -> None:
        super().__init__(journal, self._later, agent._send_records, LOG_BODIES_BYTES)
        self._agent = agent
        self._planned = False
        self.dies_at_commit = ""
        """"before" or "after": the process is killed there."""

    def order(self, order: JournalOrder) -> None:
        super().order(order)
        self._plan(DISK_MS + self._agent._world.disk.slow_ms)

    def finish(self, timeout_s: float) -> bool:
        while not self._orders.empty():
            self._commit(self._next_batch())
        return not self._owed

    def _plan(self, ms: int) -> None:
        if not self._planned:
            self._planned = True
            self._agent._world.after(ms, self._work)

    def _work(self) -> None:
        self._planned = False
        if not self._agent.alive or self._agent.hung:
            return
        if self.dies_at_commit == "before":
            self._agent._world.kill_agent()
            return
        self._commit([] if self._orders.empty() else self._next_batch())
        if self.dies_at_commit == "after":
            self._agent._world.kill_agent()
        elif self._owed or not self._orders.empty():
            self._plan(round(RETRY_S * 1000) if self._owed else DISK_MS)

    def _later(self, event: Event) -> None:
        self._agent.post(event, 0)


class VirtualAside(Aside):
    """Whatever takes its time takes none here."""

    def order(self, do: Callable[[], None]) -> bool:
        do()
        return True


class VirtualStaging:
    """What the stager's threads do, by the content server's mood."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def order(self, order: StagingOrder | fx.Unneeded) -> None:
        content = self._agent._world.content
        match order:
            case fx.FetchAhead():
                self._agent.post(*content.fetch_ahead(order))
            case fx.FetchClip():
                self._agent.post(*content.fetch(order))
            case fx.SpeakText():
                self._agent.post(*content.speak(order))
            case fx.Sweep():
                content.sweep(order.keep)


class VirtualManifests:
    """What the thread that asks the home server does, as far as there is a way to it."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def order(self, order: HomeOrder) -> None:
        world = self._agent._world
        home = world.home if world.network else FakeHome(cut=True)
        event = answer(home, order)
        self._agent.post(event, 10 * NET_MS + home.slow_ms)


class _Line:
    """The agent's end of the line to the device process."""

    def __init__(self, world: World, agent: Agent) -> None:
        self._world = world
        self._agent = agent

    def start(self) -> None:
        self._agent.look_for_device()

    def send(self, order: ToDevice) -> bool:
        if self._world.io is None or not self._agent._device_there:
            return False
        self._world.io.hear(order)
        return True

    def renew(self) -> bool:
        return self._agent._device_there

    def stop(self) -> None:
        if self._world.io is not None:
            self._world.io.hang_up()


class _Spent:
    """What lies in the machine's memory of what was spent, until its power goes."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def read(self) -> Spent:
        return self._machine.spent

    def keep(self, spent: Spent) -> None:
        self._machine.spent = spent


class _NoStatus:
    """Nobody stands at the console."""

    due: MonoMs | None = None

    def show(self, now: MonoMs, picture: Callable[[], bytes]) -> None: ...

    def remove(self) -> None: ...


def _nothing() -> None: ...


__all__ = ["Agent", "StopAsked", "StoredRecord"]
