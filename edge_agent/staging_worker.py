"""The threads that fetch and speak, and what waits for them. They post what became of each order.

Decides that a warning's sound waits for no routine one, nor for its own that is only being fetched, that no sound
is made by two at once, and that nothing is swept beside a download. What is urgent the core has decided; how sound is
staged is ``fetch_and_stage.Staging``'s.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from enum import Enum

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText, Sweep
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.units import ClipKey
from edge_agent.fetch_and_stage import Staging

Post = Callable[[Event], None]
StagingOrder = FetchAhead | FetchClip | SpeakText | Sweep

_SWEEP = ClipKey("")
# In the place of a sound's key: a sweep is none's, and concerns all.


class StagingWorker:
    """Fetches and speaks, so that a slow download never keeps an emergency's words waiting.

    Two threads for each: what a warning needs has its own, which waits for nothing that is routine. A routine download
    stands back for it (``sync.right_of_way``).
    """

    def __init__(self, staging: Staging, post: Post) -> None:
        self._staging = staging
        self._post = post
        self._clips = StagingQueue(self._makes)
        self._texts = StagingQueue(self._makes)

    def start(self) -> None:
        """Begin to take orders."""
        for name, orders in (("fetch", self._clips), ("speech", self._texts)):
            threading.Thread(target=self._run, args=(orders, False), name=name, daemon=True).start()
            threading.Thread(target=self._run, args=(orders, True), name=f"urgent {name}", daemon=True).start()

    def order(self, order: StagingOrder) -> None:
        """Hand an order over."""
        if not isinstance(order, Sweep) and order.urgent:
            self._staging.spare(order.key)
        (self._texts if isinstance(order, SpeakText) else self._clips).put(order)

    def _makes(self, key: ClipKey) -> bool:
        return self._staging.makes(key)

    def _run(self, orders: StagingQueue, urgent: bool) -> None:
        while True:
            order = orders.take(urgent=urgent)
            answer = self._do(order)
            failed = isinstance(answer, ClipFailed)
            if orders.tells(order, failed=failed) and answer is not None:
                self._post(answer)
            orders.done(order, failed=failed)

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


class StagingQueue:
    """One order for each sound, so it is bounded by the sounds that known jobs need.

    Two threads take from it: one what is urgent, and one the rest. What is urgent overtakes a routine order for the
    same sound that is under way: it has addresses of its own, and whoever holds the other's may take hours. Where a
    thread ``makes`` the sound already, no server can hold it back, and that is waited for.
    """

    def __init__(self, makes: Callable[[ClipKey], bool] = lambda _: True) -> None:
        self._makes = makes
        self._changed = threading.Condition()
        self._waiting: dict[ClipKey, StagingOrder] = {}
        self._under_way: dict[bool, ClipKey] = {}  # by whether it is urgent
        # Both of the routine one:
        self._answered = False
        self._overtaken = _Overtaken.NO

    def put(self, order: StagingOrder) -> None:
        """A newer order takes the place of one that waits for the same sound; a routine one not that of a warning's."""
        with self._changed:
            waits = self._waiting.get(_key(order))
            if waits is not None and _urgent(waits) and not _urgent(order):
                return
            self._waiting[_key(order)] = order
            self._changed.notify_all()

    def take(self, *, urgent: bool) -> StagingOrder:
        """The next one, as soon as it may begin. Whoever has taken it says ``done``."""
        with self._changed:
            while (order := self._next(urgent)) is None:
                self._changed.wait()
            del self._waiting[_key(order)]
            self._under_way[urgent] = _key(order)
            if not urgent:
                self._answered, self._overtaken = False, _Overtaken.NO
            elif self._under_way.get(False) == _key(order):
                self._overtaken = _Overtaken.YES
            return order

    def tells(self, order: StagingOrder, *, failed: bool) -> bool:
        """Whether its answer is one: where it was overtaken, what has overtaken it answers for both.

        An answer that comes later would say less than that one: fetched, of what is ready. Where that one had to say
        that it failed, this one is told unless it says the same. From now on until it is ``done`` it is not overtaken.
        """
        with self._changed:
            if _urgent(order):
                return True
            self._answered = True
            return self._overtaken is _Overtaken.NO or (self._overtaken is _Overtaken.IN_VAIN and not failed)

    def done(self, order: StagingOrder, *, failed: bool) -> None:
        """It is answered. Where it ``failed``, what it has overtaken may still have what both need."""
        with self._changed:
            key = self._under_way.pop(_urgent(order))
            if _urgent(order) and failed and self._under_way.get(False) == key:
                self._overtaken = _Overtaken.IN_VAIN
            self._changed.notify_all()

    def _next(self, urgent: bool) -> StagingOrder | None:
        for key, order in self._waiting.items():
            if _urgent(order) is not urgent:
                continue
            if self._may_begin(key, urgent):
                return order
            if key is _SWEEP:  # what was ordered after it is not in its ``keep``, and would be swept
                return None
        return None

    def _may_begin(self, key: ClipKey, urgent: bool) -> bool:
        if key is _SWEEP:
            return not self._under_way
        under_way = self._under_way.values()
        return _SWEEP not in under_way and (key not in under_way or (urgent and self._overtakes(key)))

    def _overtakes(self, key: ClipKey) -> bool:
        return not self._answered and not self._makes(key)


def _key(order: StagingOrder) -> ClipKey:
    return _SWEEP if isinstance(order, Sweep) else order.key


def _urgent(order: StagingOrder) -> bool:
    return not isinstance(order, Sweep) and order.urgent
