"""Decide which of the agent's threads runs: one at a time, in an order that a seed gives, or all as they like.

With a seed a day can be repeated to the last write, so that "the 17th fdatasync" means something; each seed is another
interleaving of the core, the journal's thread and the six that stage. Without one the threads run freely. Either way
time stands still until nobody has anything left to do, and then the street says what happens next.
"""

from __future__ import annotations

import queue
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

from edge_agent.core import station
from edge_agent.core.events import Event
from edge_agent.core.units import MonoMs
from edge_agent.inbox import Inbox
from edge_agent.runtime import Runtime
from edge_agent.staging_worker import Fetch, StagingOrder, StagingQueue
from tests.crash.line import Idle, Line, Turn, Up


class Machine:
    """The clock of an agent's process, moved by the street only, and what the process can reach."""

    def __init__(self, mono: int) -> None:
        self.mono = mono
        self.network = True


class Turns:
    """One worker's: it comes for more when it has done its part, and goes on when it is given the next turn."""

    def __init__(self, machine: Machine, free: bool, waits: Callable[[], bool]) -> None:
        self.deadline: int | None = None
        self.free = free
        self._machine = machine
        self._waits = waits
        self._go = threading.Semaphore(0)
        self._back = threading.Semaphore(0)

    def come_back(self, timeout: float | None = None) -> None:
        """Called by the worker: give the turn back, and stand there until the next one."""
        if self.free:
            return
        self.deadline = None if timeout is None else self._machine.mono + round(timeout * 1000)
        self._back.release()
        self._go.acquire()

    def wait_for_worker(self) -> None:
        """Until the worker stands at the queue."""
        self._back.acquire()

    def has_work(self) -> bool:
        """Whether a turn would be of use: something waits, or a pause that the worker asked for is over."""
        return self._waits() or (self.deadline is not None and self.deadline <= self._machine.mono)

    def run(self) -> None:
        """Let the worker do what waits."""
        self._go.release()
        self._back.acquire()

    def let_go(self) -> None:
        """It may run as it likes from now on."""
        self.free = True
        self._go.release()


class TurnQueue(queue.Queue[Any]):
    """A worker's queue: it takes from it when it is given a turn."""

    def __init__(self, machine: Machine, free: bool) -> None:
        super().__init__()
        self.turns = Turns(machine, free, lambda: not self.empty())
        self._taken = 0

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if block:
            for _ in range(self._taken):
                self.task_done()
            self._taken = 0
            self.turns.come_back(timeout)
        free = self.turns.free
        order = super().get(block and free, timeout if free else None)
        self._taken += 1
        return order


class TurnStagingQueue(StagingQueue):
    """The same for the threads of a staging queue: nothing is under way when one of them is given a turn."""

    def __init__(self, machine: Machine, free: bool, *, looked_for: bool) -> None:
        super().__init__()
        self._of = {urgent: Turns(machine, free, partial(self._has, urgent)) for urgent in (False, True)}
        self._look = {urgent: Turns(machine, free, partial(self._has_to_look, urgent)) for urgent in (False, True)}
        self.turns = [*self._of.values(), *(self._look.values() if looked_for else ())]

    def look(self, *, urgent: bool) -> Fetch:
        self._look[urgent].come_back()
        return super().look(urgent=urgent)

    def take(self, *, urgent: bool, after_s: float = 0, sooner: bool = False) -> StagingOrder:
        of = self._of[urgent]
        if (after_s or sooner) and not of.free:  # time stands still: nothing has waited for so long, or is on the line
            threading.Event().wait()
        of.come_back()
        return super().take(urgent=urgent, after_s=after_s, sooner=sooner)

    def join(self) -> None:
        """Until all is done."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._under_way)

    def _has_to_look(self, urgent: bool) -> bool:
        with self._changed:
            return self._next_to_look_for(urgent) is not None

    def _has(self, urgent: bool) -> bool:
        with self._changed:
            return self._next(urgent) is not None


class StreetInbox(Inbox):
    """An inbox that, instead of waiting, lets the workers do their part and then asks the street."""

    def __init__(self, line: Line, machine: Machine, seed: int | None, will: Callable[[], bytes]) -> None:
        super().__init__()
        self.heard: Callable[[Event | None], None] = lambda event: None
        self._line = line
        self._machine = machine
        self._dice = random.Random(seed)
        self._free = seed is None
        self._will = will
        self._queues: list[TurnQueue | TurnStagingQueue] = []
        self._workers: list[Turns] = []
        self._up = False

    def take_turns(self, runtime: Runtime) -> None:
        """Put turn queues where the workers of ``runtime`` take their orders from."""
        saves = TurnQueue(self._machine, self._free)
        clips, texts = (TurnStagingQueue(self._machine, self._free, looked_for=clips) for clips in (True, False))
        runtime._journal._orders, runtime._staging._clips, runtime._staging._texts = saves, clips, texts
        self._queues = [saves, clips, texts]
        self._workers = [saves.turns, *clips.turns, *texts.turns]
        self._runtime = runtime

    def wait(self, timeout_ms: int) -> Event | None:
        if not self._up:
            self._begin()
        event = self._work()
        if event is not None:
            return event
        self._line.pass_turn(Idle(self._wake(timeout_ms)))
        turn = self._line.hear()
        assert isinstance(turn, Turn), "the street is gone"
        self._machine.mono, self._machine.network = turn.mono, turn.network
        self.heard(turn.event)
        return turn.event

    def close(self) -> None:
        """The end: whatever the workers still have to do, they may do as they like."""
        super().close()
        for one in self._workers:
            one.let_go()

    def _begin(self) -> None:
        self._up = True
        if not self._free:
            for one in self._workers:
                one.wait_for_worker()
        self._line.pass_turn(Up(self._will()))

    def _work(self) -> Event | None:
        """Somebody's turn, until an event has come out; None when nobody has anything to do."""
        if self._free:
            return self._work_freely()
        while True:
            ready: list[Turns | None] = [one for one in self._workers if one.has_work()]
            if not self._events.empty():
                ready.append(None)
            if not ready:
                return None
            chosen = self._dice.choice(ready)
            if chosen is None:
                return super().wait(0)
            chosen.run()

    def _work_freely(self) -> Event | None:
        for one in self._queues:
            one.join()
        return super().wait(0)

    def _wake(self, timeout_ms: int) -> int | None:
        """When to go on. The agent's own turn every two seconds shows that it lives; nobody asks for that here."""
        if timeout_ms <= 0:
            return self._machine.mono
        wakes = [one.deadline for one in self._workers]
        wakes.append(station.next_wake(self._runtime._state, self._runtime._ports.clock.now()))
        return min((MonoMs(wake) for wake in wakes if wake is not None), default=None)
