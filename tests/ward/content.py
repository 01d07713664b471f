"""The content server and the way to it: what a download gives, and after how long."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from edge_agent.core.effects import FetchAhead, FetchClip, SpeakText
from edge_agent.core.events import ClipFailed, ClipFetched, ClipStaged
from edge_agent.core.programme import SIGNAL_MS
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from tests.ward.timing import DISK_MS, NET_MS, SPEAK_MS, SPEECH_MS_PER_LETTER

if TYPE_CHECKING:
    from tests.ward.world import World

Outcome = tuple[ClipFetched | ClipStaged | ClipFailed, int]


class Content:
    """``altered`` clips come with other bytes, of ``unfinished`` ones the last never comes.

    ``down``, ``swaps``, ``full`` and ``slow_ms`` are its bad days. ``sent`` counts how often it has sent a whole file,
    whichever.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.altered: set[ClipKey] = set()
        self.unfinished: set[ClipKey] = set()
        self.down = False
        self.swaps = False
        self.full = False
        self.slow_ms = 0
        self.sent: Counter[ClipKey] = Counter()

    def fetch(self, order: FetchClip) -> Outcome:
        """What becomes of a sound that is to lie ready, and the ms until it is told."""
        world = self._world
        self._look_after_signals()
        if order.key in world.cache:
            return ClipStaged(order.key, world.cache[order.key]), DISK_MS
        told, took_ms = self.fetch_ahead(FetchAhead(order.key, order.length_bytes, order.urls))
        if isinstance(told, ClipFailed):
            return told, took_ms
        world.cache[order.key] = order.duration_ms
        return ClipStaged(order.key, order.duration_ms), took_ms

    def fetch_ahead(self, order: FetchAhead) -> Outcome:
        """What becomes of a download. What was fetched before needs no network."""
        world, took_ms = self._world, 10 * NET_MS + self.slow_ms
        if self.full:
            return ClipFailed(order.key, Reason.CACHE_FULL, again=True), took_ms
        if order.key in world.originals:
            return ClipFetched(order.key), DISK_MS
        if self.down or not world.network:
            return ClipFailed(order.key, Reason.AUDIO_UNREACHABLE, again=True), NET_MS
        self.sent[order.key] += 1
        came = order.length_bytes
        if self.swaps or order.key in self.altered:
            return ClipFailed(order.key, Reason.AUDIO_ALTERED, again=False, came_bytes=came), took_ms
        if order.key in self.unfinished:
            return ClipFailed(order.key, Reason.AUDIO_UNREACHABLE, again=True, came_bytes=came), took_ms
        world.originals.add(order.key)
        return ClipFetched(order.key), took_ms

    def speak(self, order: SpeakText) -> Outcome:
        """Words need no server; a full disk takes no words either."""
        self._look_after_signals()
        if self.full:
            return ClipFailed(order.key, Reason.CACHE_FULL, again=True), SPEAK_MS
        length_ms = SPEECH_MS_PER_LETTER * len(order.text)
        self._world.cache[order.key] = length_ms
        self._world.headend.names[order.key] = "speech"
        return ClipStaged(order.key, length_ms), SPEAK_MS

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        """Only what a known job needs stays."""
        self._look_after_signals()
        self._world.cache = {key: ms for key, ms in self._world.cache.items() if key in keep}
        self._world.originals &= keep

    def _look_after_signals(self) -> None:
        if not self.full:
            self._world.card_trouble.rotten -= SIGNAL_MS.keys()
