"""Make sound ready to be copied to the card: check, decode or speak, store.

Decides whether a clip is already there, whether the original is still the signed one, and what a failure is called. How
audio is decoded and spoken, and how it is stored, is decided by ``decoder``, ``speech`` and ``pcm_store``. Fetching the
original is not done here, nor is deciding when sound may be evicted. Every call blocks; any number of threads may call,
and who comes for a sound that another is making has that one's.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import FileIO
from pathlib import Path

from edge_agent.audio import signals
from edge_agent.audio.clip import FRAME_BYTES, ClipUnusable, duration_ms
from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import Decoder, Sink
from edge_agent.audio.pcm_store import PcmStore, PcmWriter
from edge_agent.audio.speech import SPEECH_MS_MAX, Voice, speech_ms_max
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.programme import DURATION_TOLERANCE_MS, SIGNAL_MS
from edge_agent.core.reasons import Reason, of_disk
from edge_agent.core.units import SECOND_MS, ClipKey
from edge_agent.free_space import CLIP_FREE_BYTES_MIN, TEXT_FREE_BYTES_MIN

log = logging.getLogger(__name__)

Staged = ClipStaged | ClipFailed
Fill = Callable[[PcmWriter], Trouble | None]


@dataclass(frozen=True, slots=True)
class Stager:
    """The way of sound into the store. ``rate`` is the card's; sound staged for another rate is staged anew.

    ``spoken`` makes PCM of what the voice has said; without one, ``decoder`` does.
    """

    store: PcmStore
    decoder: Decoder
    voice: Voice
    rate: int
    spoken: Decoder | None = None
    text_free_bytes_min: int = TEXT_FREE_BYTES_MIN
    clip_free_bytes_min: int = CLIP_FREE_BYTES_MIN

    def stage_clip(self, key: ClipKey, original: Path, duration_ms: int, *, pinned: bool = False) -> Staged:
        """Decode a fetched file whose SHA-256 must be ``key`` and which may sound ``duration_ms`` as signed.

        ``pinned``: it is never evicted; what lies where it could be is made anew.
        """
        stage = partial(self._decode_original, key, original, duration_ms, pinned)
        return self._unless_staged(key, stage, pinned=pinned)

    def stage_text(self, key: ClipKey, language: str, text: str) -> Staged:
        """Speak a text and keep its sound under ``key``; what another voice has made of it is made anew."""
        stamp = self.voice.stamp
        return self._unless_staged(key, lambda: self._speak(key, language, text, stamp), stamp)

    def ensure_pinned(self) -> tuple[Staged, ...]:
        """Render every signal that does not lie here whole: none is ever fetched. For one thread at a time."""
        return tuple(self._unless_staged(key, partial(self._render, key)) for key in SIGNAL_MS)

    def say(self, language: str, text: str, into: Sink) -> Trouble | None:
        """Feed what the voice makes of a text."""
        with self.store.scratch() as wav:
            trouble = self.voice.speak(language, text, wav)
            if trouble:
                return trouble
            wav.flush()
            return (self.spoken or self.decoder).decode(wav, into, SPEECH_MS_MAX)

    def lying(self, key: ClipKey, stamp: str = "") -> ClipStaged | None:
        """The clip as it lies, if every block of it is what was staged: finding rot now leaves time to stage again."""
        try:
            with self.store.open(key) as clip:
                if (clip.rate, clip.stamp) != (self.rate, stamp) or clip.duration_ms != SIGNAL_MS.get(
                    key, clip.duration_ms
                ):
                    return None
                clip.verify()
                self.store.touch(key)
                return ClipStaged(key, clip.duration_ms)
        except ClipUnusable:
            return None

    def bytes_of(self, length_ms: int) -> int:
        """What a clip of that length takes on the disk."""
        return length_ms * self.rate // SECOND_MS * FRAME_BYTES

    def clip_lacks_bytes(self, signed_ms: int) -> int:
        """How much must go from the disk before a recording so long may be staged; nothing where it is below 1."""
        return self._lacking(signed_ms + DURATION_TOLERANCE_MS, self.clip_free_bytes_min)

    def text_lacks_bytes(self, text: str) -> int:
        """The same for a text. What takes longer than its letters let expect is not cut: the disk may say no to it."""
        return self._lacking(speech_ms_max(text), self.text_free_bytes_min)

    def _lacking(self, length_ms: int, left_bytes: int) -> int:
        # Twice: what was decoded lies there until it has the loudness that it is kept with (``loudness``), and what was
        # spoken until it is decoded.
        return left_bytes + 2 * self.bytes_of(length_ms) - self.store.free_bytes()

    def _unless_staged(
        self, key: ClipKey, stage: Callable[[], Staged], stamp: str = "", *, pinned: bool = False
    ) -> Staged:
        """What lies there, or else what ``stage`` makes; the disk's own refusals get a name."""
        try:
            with self.store.alone(key):
                lies = not pinned or self.store.is_pinned(key)
                return (self.lying(key, stamp) if lies else None) or stage()
        except OSError as exc:
            return ClipFailed(key, of_disk(exc), again=True, detail=f"disk: {exc}")

    def _decode_original(self, key: ClipKey, original: Path, signed_ms: int, pinned: bool) -> Staged:
        try:
            source = open(original, "rb", buffering=0)  # noqa: SIM115 - closed below
        except FileNotFoundError:
            return ClipFailed(key, Reason.AUDIO_UNREACHABLE, again=True, detail="the fetched file is gone")
        ms_max = signed_ms + DURATION_TOLERANCE_MS
        with source:
            lacking_bytes = self.clip_lacks_bytes(signed_ms)
            return self._store(key, lacking_bytes, lambda into: self._decode(key, source, into, ms_max), pinned=pinned)

    def _decode(self, key: ClipKey, source: FileIO, into: PcmWriter, ms_max: int) -> Trouble | None:
        """Only signed bytes may reach the decoder, and only they may have reached it when its sound is kept."""
        if _sha256(source) != key:
            return _ALTERED
        trouble = self.decoder.decode(source, into, ms_max)
        return trouble or (_ALTERED if _sha256(source) != key else None)

    def _speak(self, key: ClipKey, language: str, text: str, stamp: str) -> Staged:
        return self._store(key, self.text_lacks_bytes(text), lambda into: self.say(language, text, into), stamp)

    def _render(self, key: ClipKey) -> Staged:
        with self.store.writer(key, self.rate, pinned=True) as writer:
            writer.feed(signals.SIGNALS[key](self.rate))
            staged = ClipStaged(key, duration_ms(writer.commit(), self.rate))
        log.info("signal made key=%s", key)
        return staged

    def _store(self, key: ClipKey, lacking_bytes: int, fill: Fill, stamp: str = "", *, pinned: bool = False) -> Staged:
        """Write what ``fill`` feeds, all of it or nothing."""
        if lacking_bytes > 0:
            detail = f"{lacking_bytes} bytes too few on the disk"
            return ClipFailed(key, Reason.CACHE_FULL, again=True, detail=detail)
        with self.store.writer(key, self.rate, pinned=pinned, stamp=stamp) as writer:
            trouble = fill(writer)
            if trouble:
                return ClipFailed(key, trouble.reason, trouble.again, trouble.detail)
            return ClipStaged(key, duration_ms(writer.commit(), self.rate))


_ALTERED = Trouble(Reason.AUDIO_ALTERED, again=True, detail="the fetched file is not what was signed")
# Again, because fetching it anew may bring the right bytes.


def _sha256(source: FileIO) -> str:
    source.seek(0)
    return hashlib.file_digest(source, "sha256").hexdigest()
