"""The threads that fetch and speak, and what waits for them. They post what became of each order.

Decides that a warning's sound waits for no routine one, that no sound is worked on by two at once, and that nothing is
swept beside a download. What is urgent the core has decided; how sound is staged is ``workers.Staging``'s.
"""

from __future__ import annotations

import threading

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText, Sweep
from edge_agent.core.units import ClipKey
from edge_agent.workers import Post, Staging

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
        self._clips = StagingQueue()
        self._texts = StagingQueue()

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

    def _run(self, orders: StagingQueue, urgent: bool) -> None:
        while True:
            order = orders.take(urgent=urgent)
            self._do(order)
            orders.done(order)

    def _do(self, order: StagingOrder) -> None:
        match order:
            case FetchAhead():
                self._post(self._staging.original(order))
            case FetchClip():
                self._post(self._staging.clip(order))
            case SpeakText():
                self._post(self._staging.text(order))
            case Sweep():
                self._staging.sweep(order.keep)


class StagingQueue:
    """One order for each sound, so it is bounded by the sounds that known jobs need.

    Two threads take from it: one what is urgent, and one the rest.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[ClipKey, StagingOrder] = {}
        self._under_way: set[ClipKey] = set()

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
            self._under_way.add(_key(order))
            return order

    def done(self, order: StagingOrder) -> None:
        """It is answered."""
        with self._changed:
            self._under_way.discard(_key(order))
            self._changed.notify_all()

    def _next(self, urgent: bool) -> StagingOrder | None:
        for key, order in self._waiting.items():
            if _urgent(order) is not urgent:
                continue
            if self._may_begin(key):
                return order
            if key is _SWEEP:  # what was ordered after it is not in its ``keep``, and would be swept
                return None
        return None

    def _may_begin(self, key: ClipKey) -> bool:
        return not self._under_way if key is _SWEEP else not self._under_way & {key, _SWEEP}


def _key(order: StagingOrder) -> ClipKey:
    return _SWEEP if isinstance(order, Sweep) else order.key


def _urgent(order: StagingOrder) -> bool:
    return not isinstance(order, Sweep) and order.urgent
