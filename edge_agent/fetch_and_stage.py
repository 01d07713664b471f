"""What becomes of an order for sound: what lies here, what is fetched and checked, what is spoken; and what makes room.

It decides nothing about what is needed, and has no thread of its own: ``staging_worker`` has them.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edge_agent.audio.speech import speech_ms_max
from edge_agent.audio.staging import Stager
from edge_agent.core.effects import (
    FetchAhead,
    FetchClip,
    SpeakText,
)
from edge_agent.core.events import (
    ClipFailed,
    ClipFetched,
    ClipStaged,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.sync.port import Fetched, Fetcher, FetchFailed

MEMORY_BYTES_MAX = 64_000_000
# A quarter of what the agent's unit may take, where files in memory are counted in: of sound, eleven minutes that are
# signed, or what a text of 1,400 letters may take at most.
OF_THE_CARD = (Reason.CACHE_FULL, Reason.AUDIO_UNREADABLE)

log = logging.getLogger(__name__)


class Staging(Protocol):
    """What stages sound: blocks, and answers with what became of it."""

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None: ...

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed: ...

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed: ...

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed: ...

    def makes(self, key: ClipKey) -> bool: ...

    def spare(self, key: ClipKey) -> None: ...

    def sweep(self, keep: frozenset[ClipKey]) -> None: ...


@dataclass(frozen=True, slots=True)
class Memory:
    """A cache and a store for what the card does not take, on no card."""

    fetcher: Fetcher
    stager: Stager


@dataclass(frozen=True, slots=True)
class _Kept:
    """What stays: what was ``named``, and what a warning has come to need since: hundreds go, which takes a while."""

    named: frozenset[ClipKey]
    spared: Callable[[], frozenset[ClipKey]]

    def __contains__(self, key: object) -> bool:
        return key in self.named or key in self.spared()


class FetchAndStage:
    """Staging as it really is: download, check, decode; or speak.

    Calls for different sounds may be at once; of one sound an urgent one beside one that is not. ``in_memory`` keeps
    the sound of a warning that the card does not take: one that has gone read-only is to silence none.
    """

    def __init__(self, fetcher: Fetcher, stager: Stager, bytes_max: int, in_memory: Memory | None = None) -> None:
        self._fetcher = fetcher
        self._stager = stager
        self._bytes_max = bytes_max
        self._in_memory = in_memory
        self._signals = threading.Lock()  # held by whoever makes them: all threads look after them
        self._lock = threading.Lock()
        self._spared: frozenset[ClipKey] = frozenset()
        self._made: frozenset[ClipKey] = frozenset()
        self._kept: dict[tuple[type, bool], frozenset[ClipKey]] = {}
        # By the order of each kind that was looked for, or spoken, last: one that has waited does not know what others
        # made ready since.

    def at_hand(self, order: FetchAhead | FetchClip) -> ClipFetched | ClipStaged | ClipFailed | None:
        """What lies here, or is made of what lies here, and so needs no network. None: it has to be fetched."""
        if isinstance(order, FetchAhead):
            return ClipFetched(order.key) if self._fetcher.lying(order.key, order.length_bytes) else None
        self._keep(order)
        staged = self._lying(order)
        if staged is not None:
            return staged
        original = self._fetcher.lying(order.key, order.length_bytes)
        if original is None:
            return None
        self._make_room(order, order.duration_ms, lambda: self._stager.clip_lacks_bytes(order.duration_ms))
        return self._made_of(original, order)

    def original(self, order: FetchAhead) -> ClipFetched | ClipFailed:
        """Fetch the signed original unless it is here; no sound is made of it."""
        fetched = self._fetcher.fetch(order.key, order.length_bytes, order.urls, urgent=order.urgent)
        if isinstance(fetched, FetchFailed):
            return _not_fetched(order.key, fetched)
        return ClipFetched(order.key, fetched.came_bytes)

    def clip(self, order: FetchClip) -> ClipStaged | ClipFailed:
        """What lies staged and is whole, by itself; else of the signed original, fetched unless that is here."""
        staged = self._lying(order)
        if staged is not None:
            return staged
        self._make_room(order, order.duration_ms, lambda: self._clip_lacks_bytes(order))
        memory = self._memory_for(order, order.length_bytes, order.duration_ms)
        fetched = self._fetcher.fetch(order.key, order.length_bytes, order.urls, urgent=order.urgent)
        if memory and _is_the_cards(fetched):
            return self._fetched_into(memory, order, fetched.came_bytes)
        if isinstance(fetched, FetchFailed):
            return _not_fetched(order.key, fetched)
        return replace(self._made_of(fetched.path, order), came_bytes=fetched.came_bytes)

    def _lying(self, order: FetchClip) -> ClipStaged | None:
        """On the card, or in the memory that a warning's sound may lie in."""
        self._look_after_signals()
        memory = [self._in_memory.stager] if self._in_memory is not None and order.urgent else []
        for stager in (self._stager, *memory):
            with contextlib.suppress(OSError):  # staging it will name that
                if staged := stager.lying(order.key):
                    return staged
        return None

    def _made_of(self, original: Path, order: FetchClip) -> ClipStaged | ClipFailed:
        with self._making(order.key):
            made = self._stager.stage_clip(order.key, original, order.duration_ms)
            memory = self._memory_for(order, 0, order.duration_ms) if _is_the_cards(made) else None
            if memory:
                made = _or(made, memory.stager.stage_clip(order.key, original, order.duration_ms))
            return made

    def _fetched_into(self, memory: Memory, order: FetchClip, came_bytes: int) -> ClipStaged | ClipFailed:
        fetched = memory.fetcher.fetch(order.key, order.length_bytes, order.urls, urgent=True)
        came_bytes += fetched.came_bytes
        if isinstance(fetched, FetchFailed):
            return replace(_not_fetched(order.key, fetched), came_bytes=came_bytes)
        with self._making(order.key):
            made = memory.stager.stage_clip(order.key, fetched.path, order.duration_ms)
        log.error("sound not kept on the card in_memory=%s", made)
        with contextlib.suppress(OSError):  # the room is for sound; what cannot be made of it now is fetched again
            fetched.path.unlink()
        return replace(made, came_bytes=came_bytes)

    def text(self, order: SpeakText) -> ClipStaged | ClipFailed:
        """Speak."""
        with self._making(order.key):
            self._keep(order)
            self._look_after_signals()
            self._make_room(order, speech_ms_max(order.text), lambda: self._stager.text_lacks_bytes(order.text))
            made = self._stager.stage_text(order.key, order.language, order.text)
            memory = self._memory_for(order, 0, speech_ms_max(order.text)) if _is_the_cards(made) else None
            if memory:
                made = _or(made, memory.stager.stage_text(order.key, order.language, order.text))
            return made

    def makes(self, key: ClipKey) -> bool:
        """Whether it is being made of what lies here: of words, or of a recording that was fetched and checked."""
        with self._lock:
            return key in self._made

    def spare(self, key: ClipKey) -> None:
        """Let nothing that was ordered before take this sound: it overtakes what does not know yet that it is needed.

        Nor what is being taken away now. Until the next sweep, which knows of it or is the last that does not.
        """
        with self._lock:
            self._spared |= {key}

    def sweep(self, keep: frozenset[ClipKey]) -> None:
        """Bring the staged sound back under its quota, and let go of originals; what is needed stays."""
        self._look_after_signals()
        with self._lock:
            kept = _Kept(keep | self._spared, lambda: self._spared)
            self._spared = frozenset()
        try:
            gone = self._stager.store.evict_to(self._bytes_max, kept)
        except OSError as exc:
            log.error("cache not swept error=%s next=tomorrow", exc)
        else:
            log.info("cache swept gone=%d originals_gone=%d", len(gone), self._fetcher.sweep(kept))
        if self._in_memory is not None:
            with contextlib.suppress(OSError):  # it goes with the next power cut
                self._in_memory.stager.store.evict_to(0, kept)
            self._in_memory.fetcher.sweep(kept)

    def _memory_for(self, order: FetchClip | SpeakText, length_bytes: int, length_ms: int) -> Memory | None:
        """Memory, if it is for such an order and has room for it beside what other warnings need there."""
        if self._in_memory is None or not order.urgent:
            return None
        left_bytes = MEMORY_BYTES_MAX - length_bytes - self._in_memory.stager.bytes_of(length_ms)
        store = self._in_memory.stager.store
        with contextlib.suppress(OSError):  # what comes next tells the same
            store.evict_to(left_bytes, order.keep | {order.key})
        others_bytes = sum(size for key, size in store.sizes().items() if key != order.key)
        return self._in_memory if others_bytes <= left_bytes else None

    def _look_after_signals(self) -> None:
        """Make anew what has rotted of them, with every sound that is staged and once a day.

        Whoever plays can leave a rotten one out (``audio.prefetch``), not mend it: nobody asks for it by its key.
        """
        with self._signals:
            failed = [told for told in self._stager.ensure_pinned() if isinstance(told, ClipFailed)]
        if failed:
            names = " ".join(f"{one.key}={one.reason}" for one in failed)
            log.error("signals not made %s detail=%s next=left out, tried again soon", names, failed[0].detail)

    @contextlib.contextmanager
    def _making(self, key: ClipKey) -> Iterator[None]:
        with self._lock:
            self._made |= {key}
        try:
            yield
        finally:
            with self._lock:
                self._made -= {key}

    def _keep(self, order: FetchClip | SpeakText) -> None:
        with self._lock:
            self._kept[type(order), order.urgent] = order.keep | {order.key}

    def _clip_lacks_bytes(self, order: FetchClip) -> int:
        """On the disk, to be made ready, and to be fetched before: an original that lies here may be a bad one."""
        to_fetch = FETCH_FREE_BYTES_MIN + order.length_bytes - self._stager.store.free_bytes()
        return max(self._stager.clip_lacks_bytes(order.duration_ms), to_fetch)

    def _make_room(self, order: FetchClip | SpeakText, length_ms: int, lacking_bytes: Callable[[], int]) -> None:
        """What the core has let go lies here as long as there is room for it, in its quota and on the disk."""
        store = self._stager.store
        with self._lock:
            named = self._spared.union(order.keep, {order.key}, *self._kept.values())
        keep = _Kept(named, lambda: self._spared)
        try:
            quota = self._bytes_max - self._stager.bytes_of(length_ms)
            gone = store.evict_to(min(quota, sum(store.sizes().values()) - lacking_bytes()), keep)
        except OSError as exc:
            log.error("no room made error=%s next=staging all the same", exc)
        else:
            if gone:
                log.info("room made for=%s gone=%s", order.key[:12], ",".join(key[:12] for key in gone))


def _is_the_cards(had: Fetched | FetchFailed | ClipStaged | ClipFailed) -> bool:
    return isinstance(had, FetchFailed | ClipFailed) and had.reason in OF_THE_CARD and had.again


def _or(refused: ClipStaged | ClipFailed, in_memory: ClipStaged | ClipFailed) -> ClipStaged | ClipFailed:
    log.error("sound not kept on the card why=%s in_memory=%s", refused, in_memory)
    return in_memory if isinstance(in_memory, ClipStaged) else refused


def _not_fetched(key: ClipKey, why: FetchFailed) -> ClipFailed:
    return ClipFailed(key, why.reason, why.again, why.detail, why.came_bytes)
