"""The threads that relay live sources: one for each that is open, from its address to its ring. They post nothing.

Decides how many may be open at once, which is next when one closes, and that a ring is never written by two. Whether
anybody hears it the device process knows, which reads the ring and plays something else when it is empty.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from pathlib import Path

from edge_agent.audio.live_decoder import LiveDecoder
from edge_agent.audio.live_ring import LiveRing
from edge_agent.core.effects import CloseLive, OpenLive
from edge_agent.core.units import ClipKey
from edge_agent.sync.closing import Closing
from edge_agent.sync.port import LiveLine

OPEN_MAX = 2
# What sounds, and what begins where that ends. Each is a stream that the station pays for, and a decoder that has 13 MB
# to itself, 55 MB with its libraries [measured, amd64].
ROOM_S = 30.0
# When a ring that there was no room for is tried again.
KEY_CHARS = 12
# Of a key in a log: enough to tell one from another.

log = logging.getLogger(__name__)


class LiveWorker:
    """A ``runtime.LiveSources``. For one thread."""

    def __init__(self, folder: Path, rate: int, decoder: LiveDecoder, line: LiveLine) -> None:
        """``folder`` is this worker's alone: what an earlier process left there goes, for nobody writes it any more."""
        self._ring = LiveRing(folder, rate)
        try:
            self._ring.empty()
        except OSError as error:
            log.error("live sources without a folder error=%s next=looked at again with each source", error)
        self._decoder = decoder
        self._line = line
        self._open: dict[ClipKey, _Source] = {}
        self._ending: dict[ClipKey, _Source] = {}
        self._refused: dict[ClipKey, OpenLive] = {}
        # Nobody orders them again; each is closed when its programme ends, so they are no more than the programmes.

    def order(self, order: OpenLive | CloseLive) -> None:
        """See ``LiveSources``."""
        match order:
            case OpenLive():
                self._begin(order)
            case CloseLive():
                self._close(order.key)

    def _begin(self, order: OpenLive) -> None:
        if order.key in self._open or order.key in self._refused:
            return
        if len(self._open) >= OPEN_MAX:
            self._refused[order.key] = order
            log.error(
                "live source refused key=%s why=%d are open next=what stands in for it is heard, until one closes",
                *(order.key[:KEY_CHARS], len(self._open)),
            )
            return
        self._ending = {key: source for key, source in self._ending.items() if source.is_alive()}
        self._open[order.key] = source = _Source(order, self._ring, self._decoder, self._line)
        source.start(self._ending.pop(order.key, None))

    def _close(self, key: ClipKey) -> None:
        self._refused.pop(key, None)
        source = self._open.pop(key, None)
        if source is None:
            return
        source.close()
        self._ending[key] = source
        if self._refused:
            self._begin(self._refused.pop(next(iter(self._refused))))


class _Source:
    """One open source and its thread."""

    def __init__(self, order: OpenLive, ring: LiveRing, decoder: LiveDecoder, line: LiveLine) -> None:
        self._order = order
        self._ring = ring
        self._decoder = decoder
        self._line = line
        self._closing = Closing()
        self._before: _Source | None = None
        self._thread = threading.Thread(target=self._run, name=f"live {order.key[:KEY_CHARS]}", daemon=True)

    def start(self, before: _Source | None) -> None:
        """Begin, but not before an earlier one of the same key has left the ring."""
        self._before = before
        self._thread.start()

    def close(self) -> None:
        """It is over, at once; the thread ends as soon as it notices."""
        self._closing.close()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        key = self._order.key[:KEY_CHARS]
        if self._before is not None:
            self._before._thread.join()
            self._before = None
        with self._closing:
            log.info("live source opened key=%s urls=%s", key, " ".join(self._order.urls))
            while not self._closing.over():
                self._relay(key)
            log.info("live source closed key=%s", key)

    def _relay(self, key: str) -> None:
        try:
            with contextlib.closing(self._ring.writer(self._order.key)) as ring:
                closed = self._closing.fileno()
                self._line.relay(self._order.urls, lambda: self._decoder.begin(ring, closed), self._closing)
        except OSError as error:
            log.error("live source without a ring key=%s error=%s next=tried again in %.0f s", key, error, ROOM_S)
            self._closing.wait(ROOM_S)
