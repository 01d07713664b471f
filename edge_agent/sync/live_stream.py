"""Decide how a live source is kept on the line: which address is asked, when it is left, when it is asked again.

A connection may be silent for ten seconds, and may send no more than any source of speech would, whatever it calls its
bytes; for everything that goes wrong there is the next address, after a pause. It never gives up: the order says how
long, and whoever gave it closes. What the bytes are worth the taker says, never a header of the server's.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from edge_agent.core.units import SECOND_MS
from edge_agent.sync.closing import Closing
from edge_agent.sync.https import HTTPS_TROUBLE, REDIRECTS, Line, Trust, listen, words_of
from edge_agent.sync.port import Taker

BLOCK_BYTES = 16 * 1_024
RATE_BYTES_S_MAX = 64_000
# Opus goes no higher than 510 kbit/s (RFC 6716), MP3 than 320; speech needs 64.
DOUBLINGS_MAX = 10
TOO_MUCH = f"sends more than {RATE_BYTES_S_MAX} bytes a second"
MOVED = "a live source is asked at the address that was signed and at no other"
ENDED = "the stream ended"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LivePatience:
    """How long a source may take, and how soon it is asked again."""

    begin_s: float = 20
    # Address, connection, TLS and headers, twice what a 3G cell needs to hand over.
    stall_s: float = 10
    # Without a single byte. The longest hand-over of a 3G cell; what is late by more is no longer live.
    pause_s_min: float = 1
    pause_s_max: float = 30
    # A source that is down for an hour costs some 120 handshakes of 5 kB.
    settled_s: float = 30
    # Sound that came for as long as the longest pause: the next pause begins small again.

    @property
    def burst_bytes(self) -> int:
        """What may come at once: all that a silence just short of a stall held back, and Icecast's burst twice."""
        return round(self.stall_s * RATE_BYTES_S_MAX) + 2 * 64 * 1_024


LIVE_PATIENCE = LivePatience()


class Allowance:
    """How many bytes may come: so many at once, and no more than a rate afterwards, over all connections."""

    def __init__(self, burst: int, rate: int, now: float) -> None:
        self._burst = burst
        self._rate = rate
        self._left = float(burst)
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Whether these were still within it; what was too much is owed."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        self._left -= count
        return self._left >= 0


class Course:
    """Which address is next, and after what pause. ``at`` is the one to ask now."""

    def __init__(self, addresses: int, patience: LivePatience) -> None:
        self.at = 0
        self._addresses = addresses
        self._patience = patience
        self._failures = 0

    def after(self, sounded_s: float) -> float:
        """The longest pause after a connection that gave so much sound: a good one is asked again, else it is the next.

        It doubles with each round through the addresses, not with each address.
        """
        if sounded_s >= self._patience.settled_s:
            self._failures = 0
        else:
            self._failures += 1
            self.at = (self.at + 1) % self._addresses
        rounds = max(0, self._failures - 1) // self._addresses
        doubled: float = self._patience.pause_s_min * 2 ** min(rounds + 1, DOUBLINGS_MAX)
        return min(self._patience.pause_s_max, doubled)


class LiveStream:
    """A ``sync.port.LiveLine`` over HTTPS, from servers of a pinned authority."""

    def __init__(
        self,
        trust: Trust,
        patience: LivePatience = LIVE_PATIENCE,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._trust = trust
        self._patience = patience
        self._jitter = jitter

    def relay(self, urls: tuple[str, ...], begin: Callable[[], Taker], closing: Closing) -> None:
        """See ``LiveLine``."""
        course = Course(len(urls), self._patience)
        allowance = Allowance(self._patience.burst_bytes, RATE_BYTES_S_MAX, time.monotonic())
        told: dict[str, str] = {}
        while not closing.over():
            url = urls[course.at]
            visit = _Visit(url, begin, closing, allowance, told)
            why = visit.of(self._trust, self._patience)
            if closing.over():
                return
            # Anything up to the longest: stations that have lost one source together must not come back together.
            pause_s = self._jitter(self._patience.pause_s_min, course.after(visit.sounded_ms / SECOND_MS))
            if told.get(url) != why:
                told[url] = why
                log.warning(
                    "live source gives nothing url=%s why=%s next=asking %s, for as long as the programme lasts",
                    *(url, why, urls[course.at]),
                )
            closing.wait(pause_s)


class _Visit:
    """One connection, from its beginning to its end."""

    def __init__(
        self, url: str, begin: Callable[[], Taker], closing: Closing, allowance: Allowance, told: dict[str, str]
    ) -> None:
        self.sounded_ms = 0
        self._url = url
        self._begin = begin
        self._closing = closing
        self._allowance = allowance
        self._told = told

    def of(self, trust: Trust, patience: LivePatience) -> str:
        """Why it ended."""
        try:
            with (
                listen(self._url, trust, patience.begin_s, patience.stall_s, self._meter) as line,
                self._closing.holding(line),
            ):
                if line.status in REDIRECTS:
                    return f"HTTP {line.status}: {MOVED}"
                if line.status != HTTPStatus.OK:
                    return f"HTTP {line.status}"
                return self._hear(line, patience)
        except HTTPS_TROUBLE as error:
            return words_of(error, self._url)

    def _meter(self, count: int) -> str:
        return "" if self._allowance.take(count, time.monotonic()) else TOO_MUCH

    def _hear(self, line: Line, patience: LivePatience) -> str:
        taker = self._begin()
        why = ENDED
        try:
            why = self._pass_on(line, taker)
        except TimeoutError:
            why = f"silent for {patience.stall_s:g} s"
        except HTTPS_TROUBLE as error:
            why = words_of(error, self._url)
        finally:
            said = taker.end()
            self._note_the_sound(taker)
        return said if said and why == ENDED else why

    def _pass_on(self, line: Line, taker: Taker) -> str:
        while not self._closing.over() and (block := line.read(BLOCK_BYTES)):
            if refused := taker.feed(block):
                return refused
            self._note_the_sound(taker)
        return ENDED

    def _note_the_sound(self, taker: Taker) -> None:
        before, self.sounded_ms = self.sounded_ms, taker.sounded_ms
        if self.sounded_ms and not before:
            self._told.pop(self._url, None)
            log.info("live source is heard url=%s", self._url)
