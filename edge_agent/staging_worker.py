"""The threads that fetch and speak, and what waits for them. They post what became of each order.

Decides that what needs no network waits for nobody who is on the line, that a warning's sound waits for no routine one,
nor for its own that is only being fetched, nor for long for another warning's that a server holds back, nor a routine
one for what is due later, that no sound is made by two at once, and that nothing is swept beside a download. What is
urgent the core has decided; how sound is staged, and what needs no network, is ``fetch_and_stage.Staging``'s.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import TypeGuard

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText, Sweep, Unneeded
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import Staging

Post = Callable[[Event], None]
Fetch = FetchAhead | FetchClip
StagingOrder = Fetch | SpeakText | Sweep

RESERVES = 2
# A warning's recording comes from its issuer's server: a ward's that gives hardly anything is not to keep the
# province's from being had. Whoever holds one more thread needs one more recorded warning that is in force.
RESERVE_AFTER_S = 30
# Until then one warning has the whole line to itself: a clip of half a minute comes in that time at 64 kbit/s.

_SWEEP = ClipKey("")
# In the place of a sound's key: a sweep is none's, and concerns all.


class StagingWorker:
    """Finds, fetches and speaks, so that a slow download keeps neither the timetable nor an emergency's words waiting.

    Two threads for each: what a warning needs has its own, which waits for nothing that is routine. What is to be
    fetched is looked for on the card first, where it may be made too: after a restart every sound is asked for, and
    nearly all lie here. A routine download stands back for a warning's (``sync.right_of_way``). A warning whose
    recording has waited ``reserve_after_s`` for another one's is fetched beside that; and so is, at once, a routine one
    that is due before what is on the line.
    """

    def __init__(self, staging: Staging, post: Post, *, reserve_after_s: float = RESERVE_AFTER_S) -> None:
        self._staging = staging
        self._post = post
        self._reserve_after_s = reserve_after_s
        self._clips = StagingQueue(self._makes)
        self._texts = StagingQueue(self._makes)

    def start(self) -> None:
        """Begin to take orders."""
        for name, orders in (("fetch", self._clips), ("speech", self._texts)):
            self._begin(name, orders, urgent=False)
            self._begin(f"urgent {name}", orders, urgent=True)
        for name, urgent in (("at hand", False), ("urgent at hand", True)):
            threading.Thread(target=self._look, args=(urgent,), name=name, daemon=True).start()
        self._begin("sooner fetch", self._clips, urgent=False, sooner=True)
        for number in range(RESERVES):
            self._begin(f"urgent fetch {number + 2}", self._clips, urgent=True, after_s=self._reserve_after_s)

    def order(self, order: StagingOrder | Unneeded) -> None:
        """Hand an order over, or take some back that still wait."""
        if isinstance(order, Unneeded):
            for orders in (self._clips, self._texts):
                orders.leave(order.keys)
            return
        if not isinstance(order, Sweep) and (order.urgent or self._clips.sweeps):
            self._staging.spare(order.key)
        (self._texts if isinstance(order, SpeakText) else self._clips).put(order)

    def _makes(self, key: ClipKey) -> bool:
        return self._staging.makes(key)

    def _begin(
        self, name: str, orders: StagingQueue, *, urgent: bool, after_s: float = 0, sooner: bool = False
    ) -> None:
        take = partial(orders.take, urgent=urgent, after_s=after_s, sooner=sooner)
        threading.Thread(target=self._run, args=(orders, take), name=name, daemon=True).start()

    def _run(self, orders: StagingQueue, take: Callable[[], StagingOrder]) -> None:
        while True:
            order = take()
            answer = self._do(order)
            failed = isinstance(answer, ClipFailed)
            if orders.tells(order, failed=failed) and answer is not None:
                self._post(answer)
            orders.done(order, failed=failed)

    def _look(self, urgent: bool) -> None:
        while True:
            order = self._clips.look(urgent=urgent)
            answer = self._staging.at_hand(order)
            if answer is not None:
                self._post(answer)
            self._clips.looked(order, found=answer is not None)

    def _do(self, order: StagingOrder) -> ClipFetched | ClipStaged | ClipFailed | None:
        match order:
            case FetchAhead():
                return self._staging.original(order)
            case FetchClip():
                return self._staging.clip(order)
            case SpeakText():
                return self._staging.text(order)
            case Sweep():
                self._staging.sweep(order.keep)
                return None


class _Overtaken(Enum):
    """What a warning's order has to do with a routine one for the same sound that is under way."""

    NO = "no"
    YES = "yes"  # it is under way, or has had what both need
    IN_VAIN = "in vain"  # it has failed


@dataclass(slots=True)
class _Begun:
    """A routine order that is under way."""

    due: float
    answered: bool = False
    overtaken: _Overtaken = _Overtaken.NO


class StagingQueue:
    """One order for each sound, so it is bounded by the sounds that known jobs need.

    What is to be fetched is looked for at hand first (``look``); what is not found is taken (``take``), as words and
    sweeps are: what is due first goes first. For either, one thread takes what is routine, others what is urgent; and
    one what is due ``sooner`` than all that is routine and on the line, for that may take hours. What is urgent
    overtakes a routine order for the same sound that is under way: it has addresses of its own, and whoever holds the
    other's may take hours. Where a thread ``makes`` the sound already, no server can hold it back, and that is waited
    for.
    """

    def __init__(self, makes: Callable[[ClipKey], bool] = lambda _: True) -> None:
        self._makes = makes
        self._changed = threading.Condition()
        self._waiting: dict[ClipKey, StagingOrder] = {}
        self._since: dict[ClipKey, float] = {}
        self._lacking: set[ClipKey] = set()  # of those that wait: not found at hand
        self._looked_for: set[ClipKey] = set()  # under way, as the next
        self._urgent: set[ClipKey] = set()
        self._routine: dict[ClipKey, _Begun] = {}

    def put(self, order: StagingOrder) -> None:
        """A newer order takes the place of one that waits for the same sound; a routine one not that of a warning's."""
        with self._changed:
            waits = self._waiting.get(_key(order))
            if waits is not None and _urgent(waits) and not _urgent(order):
                return
            self._waiting[_key(order)] = order
            self._lacking.discard(_key(order))
            self._since.setdefault(_key(order), time.monotonic())
            self._changed.notify_all()

    def leave(self, keys: frozenset[ClipKey]) -> None:
        """Nobody needs these any more: what waits of them is never taken."""
        with self._changed:
            for key in keys & self._waiting.keys():
                del self._waiting[key], self._since[key]
                self._lacking.discard(key)

    @property
    def sweeps(self) -> bool:
        """Whether a sweep waits or is under way: it does not know of what is ordered now, and may be overtaken."""
        with self._changed:
            return _SWEEP in self._waiting or _SWEEP in self._routine

    def look(self, *, urgent: bool) -> Fetch:
        """The next one that is to be looked for at hand. Whoever has taken it says ``looked``.

        It overtakes a sweep that waits, which may do so for hours.
        """
        with self._changed:
            while (order := self._next_to_look_for(urgent)) is None:
                self._changed.wait()
            del self._waiting[order.key], self._since[order.key]
            self._looked_for.add(order.key)
            return order

    def looked(self, order: Fetch, *, found: bool) -> None:
        """It is answered; or it waits to be fetched, unless a newer one has come, which is looked for itself."""
        with self._changed:
            self._looked_for.remove(order.key)
            waits = self._waiting.get(order.key)
            if not found and (waits is None or (order.urgent and not _urgent(waits))):
                self._waiting[order.key] = order
                self._lacking.add(order.key)
                self._since.setdefault(order.key, time.monotonic())
            self._changed.notify_all()

    def take(self, *, urgent: bool, after_s: float = 0, sooner: bool = False) -> StagingOrder:
        """The next one, as soon as it may begin and has waited so long. Whoever has taken it says ``done``."""
        with self._changed:
            while (order := self._next_sooner() if sooner else self._next(urgent, after_s)) is None:
                self._changed.wait(self._first_in_s(after_s))
            key = _key(order)
            del self._waiting[key], self._since[key]
            self._lacking.discard(key)
            if not urgent:
                self._routine[key] = _Begun(_due(order))
                return order
            self._urgent.add(key)
            if key in self._routine:
                self._routine[key].overtaken = _Overtaken.YES
            return order

    def tells(self, order: StagingOrder, *, failed: bool) -> bool:
        """Whether its answer is one: where it was overtaken, what has overtaken it answers for both.

        An answer that comes later would say less than that one: fetched, of what is ready. Where that one had to say
        that it failed, this one is told unless it says the same. From now on until it is ``done`` it is not overtaken.
        """
        with self._changed:
            if _urgent(order):
                return True
            begun = self._routine[_key(order)]
            begun.answered = True
            return begun.overtaken is _Overtaken.NO or (begun.overtaken is _Overtaken.IN_VAIN and not failed)

    def done(self, order: StagingOrder, *, failed: bool) -> None:
        """It is answered. Where it ``failed``, what it has overtaken may still have what both need."""
        with self._changed:
            key = _key(order)
            if not _urgent(order):
                del self._routine[key]
            else:
                self._urgent.remove(key)
                if failed and key in self._routine:
                    self._routine[key].overtaken = _Overtaken.IN_VAIN
            self._changed.notify_all()

    def _next(self, urgent: bool, after_s: float = 0) -> StagingOrder | None:
        long_ago = time.monotonic() - after_s
        ready: list[StagingOrder] = []
        for key, order in self._waiting.items():
            if _urgent(order) is not urgent or self._is_looked_for(order):
                continue
            if self._may_begin(key, urgent) and (not after_s or self._since[key] <= long_ago):
                ready.append(order)
            if key is _SWEEP:  # what was ordered after it is not in its ``keep``, and would be swept
                break
        return min(ready, key=_due, default=None)

    def _next_sooner(self) -> StagingOrder | None:
        """It overtakes a sweep that waits, which may do so for hours, and is spared by it."""
        first = min((begun.due for begun in self._routine.values()), default=0)
        lacking = [order for key, order in self._waiting.items() if key in self._lacking and not _urgent(order)]
        sooner = [order for order in lacking if _due(order) < first and self._may_begin(_key(order), urgent=False)]
        return min(sooner, key=_due, default=None)

    def _next_to_look_for(self, urgent: bool) -> Fetch | None:
        for key, order in self._waiting.items():
            if self._is_looked_for(order) and order.urgent is urgent and self._may_begin(key, urgent):
                return order
        return None

    def _is_looked_for(self, order: StagingOrder) -> TypeGuard[Fetch]:
        """Not what is on the line already: that is overtaken there, or waited for."""
        if not isinstance(order, FetchAhead | FetchClip):
            return False
        return order.key not in self._lacking and order.key not in self._routine

    def _first_in_s(self, after_s: float) -> float | None:
        """When the next of those that wait has waited so long; None: whoever takes at once is told of each change."""
        if not after_s or not self._since:
            return None
        now = time.monotonic()
        return min((left for since in self._since.values() if (left := since + after_s - now) > 0), default=None)

    def _may_begin(self, key: ClipKey, urgent: bool) -> bool:
        if key is _SWEEP:
            return not self._under_way
        if _SWEEP in self._routine or key in self._urgent or key in self._looked_for:
            return False
        return key not in self._routine or (urgent and self._overtakes(key))

    def _overtakes(self, key: ClipKey) -> bool:
        return not self._routine[key].answered and not self._makes(key)

    @property
    def _under_way(self) -> bool:
        return bool(self._urgent or self._looked_for or self._routine)


def _key(order: StagingOrder) -> ClipKey:
    return _SWEEP if isinstance(order, Sweep) else order.key


def _due(order: StagingOrder) -> float:
    """What plays now, or is spoken, comes before all else, and a sweep behind it."""
    if isinstance(order, Sweep):
        return math.inf
    return 0 if isinstance(order, SpeakText) or order.due is None else order.due


def _urgent(order: StagingOrder) -> bool:
    return not isinstance(order, Sweep) and order.urgent
