"""A staging worker on its own threads, beside staging that is under way until a test lets it go."""

from __future__ import annotations

import queue
import threading
from collections import Counter

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged, Event
from edge_agent.core.units import ClipKey
from edge_agent.staging_worker import RESERVE_AFTER_S, StagingWorker
from tests.fakes.staging import PATIENCE_S, FakeStaging

CLIP = FetchClip(ClipKey("clip"), 80_000, 10_000, ("https://content.test/clip",))
NOTICE = FetchAhead(ClipKey("notice"), 57_600_000, ("https://content.test/two-hours",))
SIREN = FetchClip(ClipKey("siren"), 240_000, 30_000, ("https://content.test/siren",), urgent=True)
TEXT = SpeakText(ClipKey("text"), "vi", "Nước đang lên.")
LONG_AGO_S = 0.05


def staging_worker(
    staging: FakeStaging, reserve_after_s: float = RESERVE_AFTER_S
) -> tuple[StagingWorker, queue.Queue[Event]]:
    said: queue.Queue[Event] = queue.Queue()
    worker = StagingWorker(staging, said.put, reserve_after_s=reserve_after_s)
    worker.start()
    return worker, said


class Busy(FakeStaging):
    """What is held is under way until it is let go; ``doing`` tells in which order the rest was begun."""

    def __init__(self, *held: str) -> None:
        super().__init__()
        self.doing: queue.Queue[str] = queue.Queue()
        self.held = {ClipKey(key): threading.Event() for key in held}
        self.at_once: Counter[ClipKey] = Counter()

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None:
        if order.key in self.here:
            self._work(order.key)
        return super().at_hand(order)

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed:
        self._work(order.key)
        return super().original(order)

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        self._work(order.key)
        return super().clip(order)

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed:
        self._work(order.key)
        return super().text(order)

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        self._work(ClipKey("sweep"))
        super().sweep(keep)

    def _work(self, key: ClipKey) -> None:
        self.at_once[key] += 1
        assert self.at_once[key] == 1, f"{key} by two at once"
        self.doing.put(key)
        if key in self.held:
            assert self.held[key].wait(PATIENCE_S)
        self.at_once[key] -= 1

    def begun(self) -> str:
        return self.doing.get(timeout=PATIENCE_S)

    def begins_nothing(self) -> bool:
        try:
            self.doing.get(timeout=4 * LONG_AGO_S)
        except queue.Empty:
            return True
        return False

    def let_go(self, key: str) -> None:
        self.held[ClipKey(key)].set()


def words(key: str, *, urgent: bool = False) -> SpeakText:
    return SpeakText(ClipKey(key), "vi", "Nước đang lên.", urgent=urgent)


def here(order: FetchClip, *held: str) -> Busy:
    """A card on which this sound lies."""
    staging = Busy(*held)
    staging.here = {order.key}
    return staging


def under_way(
    staging: Busy, order: FetchAhead | FetchClip | SpeakText, reserve_after_s: float = RESERVE_AFTER_S
) -> tuple[StagingWorker, queue.Queue[Event]]:
    """A worker that has begun with this order, and what it says."""
    worker, said = staging_worker(staging, reserve_after_s)
    worker.order(order)
    assert staging.begun() == order.key
    return worker, said
