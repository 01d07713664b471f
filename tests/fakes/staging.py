"""Staging without network, decoder or voice: remembers what it was asked, and waits where a test tells it to."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey

PATIENCE_S = 60


@dataclass
class FakeStaging:
    """A ``fetch_and_stage.Staging``. Clips wait for ``downloads``; keys in ``unreachable`` fail, unless ``here``.

    What is ``here`` is at hand. Of what is under way only those in ``fetching`` are not past that. Words take
    ``speech_ms``.
    """

    speech_ms: int = 3_000
    downloads: threading.Event = field(default_factory=threading.Event)
    unreachable: set[ClipKey] = field(default_factory=set)
    here: set[ClipKey] = field(default_factory=set)
    fetching: set[ClipKey] = field(default_factory=set)
    asked: list[ClipKey] = field(default_factory=list)
    spared: list[ClipKey] = field(default_factory=list)
    swept: list[frozenset[ClipKey]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.downloads.set()

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None:
        if order.key not in self.here:
            return None
        self.asked.append(order.key)
        return ClipFetched(order.key) if isinstance(order, FetchAhead) else ClipStaged(order.key, order.duration_ms)

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed:
        return self._not_had(order.key) or ClipFetched(order.key)

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        return self._not_had(order.key) or ClipStaged(order.key, order.duration_ms)

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed:
        self.asked.append(order.key)
        return ClipStaged(order.key, self.speech_ms)

    def makes(self, key: ClipKey) -> bool:
        return key not in self.fetching

    def spare(self, key: ClipKey) -> None:
        self.spared.append(key)

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        self.swept.append(keep)

    def _not_had(self, key: ClipKey) -> ClipFailed | None:
        self.asked.append(key)
        if not self.downloads.wait(PATIENCE_S):
            raise AssertionError("the test never let the download go on")
        if key in self.unreachable and key not in self.here:
            return ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True)
        self.here.add(key)
        return None
