"""Speak a text from recordings of a person where there are some, and by the voice where there are none.

Decides when a stem can be heard and how it is joined with what the voice says; which clauses it says, ``spoken.stems``
decides. A stem comes from outside like any clip: it is decoded confined, brought to the one loudness, kept by its
digest. One that is missing, rotten or broken is named in the log, and the voice says its words: no text stays silent.
"""

from __future__ import annotations

import functools
import hashlib
import logging
import os
import stat
import wave
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from edge_agent.audio.clip import FRAME_BYTES, ClipUnusable
from edge_agent.audio.confined import Trouble
from edge_agent.audio.decoder import Sink
from edge_agent.audio.loudness import FileSink
from edge_agent.audio.speech import TEXT_CHARS_MAX, stamp_of
from edge_agent.audio.staging import Stager
from edge_agent.core.events import ClipFailed, ClipStaged
from edge_agent.core.programme import SIGNAL_MS
from edge_agent.core.units import SECOND_MS, ClipKey
from edge_agent.spoken.stems import (
    LISTING,
    LISTING_CHARS_MAX,
    STEMS_MAX,
    Piece,
    Recorded,
    Spoken,
    Stem,
    Stems,
    parse,
    plan,
    without_any,
)

log = logging.getLogger(__name__)

LISTING_BYTES_MAX = 4 * LISTING_CHARS_MAX
# UTF-8 takes four at most.
STEM_MS_MAX = 30 * SECOND_MS
# Three hundred characters read slowly; two hundred such lie in 0.6 GB at 48 kHz.
STEM_BYTES_MAX = 48_000 * 3 * 2 * STEM_MS_MAX // SECOND_MS
# So long as a studio would record it: 24 bits, both channels.
PINNED_MS_MAX = STEMS_MAX * 10 * SECOND_MS
# A sentence read slowly takes ten seconds: 192 MB at 48 kHz, beside the cache's quota. The rest lies within it.
JOIN_MS = 350
# A breath: as between two sentences of one speaker, and less than between two items.
_COPY_FRAMES = 32_768


class NotUsable(Exception):
    """A file of the folder cannot be used. The message says why."""


@dataclass(frozen=True, slots=True)
class RecordedFirst:
    """A ``Voice``. ``plain`` stages the recordings, and has the voice that says the rest.

    The folder is read anew for every text: what a technician puts there counts from the next one on.
    """

    folder: Path
    plain: Stager

    @property
    def stamp(self) -> str:
        """The voice's, and what lies in the folder now."""
        stems = read_stems(self.folder)
        files = (f"{stem.file} {_as_it_lies(self.folder / stem.file)}" for stem in stems.stems)
        return stamp_of(self.plain.voice.stamp, repr(stems.stems), *files)

    def speak(self, language: str, text: str, wav: BinaryIO) -> Trouble | None:
        """See ``Voice``: all of the text, or none where a part of it could not be said."""
        pieces = self.pieces(language, text)
        if any(isinstance(piece, Recorded) for piece in pieces):
            try:
                return self._join(language, pieces, wav)
            except ClipUnusable as lost:
                log.warning("recorded stems not used error=%s next=the voice says all of it", lost)
        return self.plain.voice.speak(language, text, wav)

    def pieces(self, language: str, text: str) -> tuple[Piece, ...]:
        """Who says what, when every stem of it lies ready to be heard."""
        if len(text) > TEXT_CHARS_MAX:
            return (Spoken(text),)
        unusable: frozenset[str] = frozenset()
        while True:
            pieces = plan(language, text, read_stems(self.folder), unusable)
            recorded = (piece.stem for piece in pieces if isinstance(piece, Recorded))
            failed = {stem.file for stem in recorded if self._ready(stem) is None}
            if not failed:
                return pieces
            unusable |= failed

    def prepare(self) -> None:
        """Make every stem ready before a warning needs it, the first of them where no other sound takes their room."""
        stems = read_stems(self.folder)
        for fault in stems.faults:
            log.warning("recorded stem left out: %s", fault)
        kept: list[ClipStaged] = []
        rest = list(stems.stems)
        while rest and sum(staged.duration_ms for staged in kept) + STEM_MS_MAX <= PINNED_MS_MAX:
            staged = self._ready(rest.pop(0), pinned=True)
            kept += [] if staged is None else [staged]
        self._keep_only({staged.key for staged in kept})
        ready = len(kept) + sum(self._ready(stem) is not None for stem in rest)
        log.info("recorded stems ready=%d of=%d kept=%d folder=%s", ready, len(stems.stems), len(kept), self.folder)

    def _keep_only(self, kept: set[ClipKey]) -> None:
        """Let go of those whose file has gone or has others before it now."""
        store = self.plain.store
        try:
            for key in store.pinned() - kept - SIGNAL_MS.keys():
                store.unpin(key)
        except OSError as error:
            log.warning("old stems not removed error=%s next=at the next start", error)

    def _ready(self, stem: Stem, *, pinned: bool = False) -> ClipStaged | None:
        """Its sound, as it lies, whole; None, and a note, where it cannot be had."""
        path = self.folder / stem.file
        try:
            key = ClipKey(hashlib.sha256(_read(path, STEM_BYTES_MAX)).hexdigest())
        except (OSError, NotUsable) as error:
            log.warning("recorded stem not used file=%s error=%s next=the voice says it", path, error)
            return None
        staged = self.plain.stage_clip(key, path, STEM_MS_MAX, pinned=pinned)
        if isinstance(staged, ClipFailed):
            why = (path, staged.reason, staged.detail)
            log.warning("recorded stem not used file=%s reason=%s detail=%s next=the voice says it", *why)
            return None
        return staged

    def _join(self, language: str, pieces: tuple[Piece, ...], wav: BinaryIO) -> Trouble | None:
        """One after the other with a breath between; ``wav`` gets all of it at the end. Raises ClipUnusable."""
        rate = self.plain.rate
        with self.plain.store.scratch() as sound:
            into = FileSink(sound, rate)
            for number, piece in enumerate(pieces):
                if number:
                    into.feed(bytes(JOIN_MS * rate // SECOND_MS * FRAME_BYTES))
                if isinstance(piece, Recorded):
                    self._play(piece.stem, into)
                elif trouble := self.plain.say(language, piece.words, into):
                    return trouble
            _write_wav(sound, rate, wav)
        return None

    def _play(self, stem: Stem, into: Sink) -> None:
        staged = self._ready(stem)
        if staged is None:
            raise ClipUnusable(f"{stem.file} has gone")
        with self.plain.store.open(staged.key) as clip:
            for frame in range(0, clip.frames, _COPY_FRAMES):
                into.feed(clip.read(frame, _COPY_FRAMES))


def recorded_first(plain: Stager, folder: Path) -> Stager:
    """A stager that speaks texts from the stems in ``folder`` where they fit."""
    return replace(plain, voice=RecordedFirst(folder, plain))


def read_stems(folder: Path) -> Stems:
    """What the folder holds by its listing; a folder without one, or none at all, holds nothing."""
    try:
        return _parsed(_read(folder / LISTING, LISTING_BYTES_MAX))
    except FileNotFoundError:
        return without_any()
    except (OSError, NotUsable) as error:
        return without_any(f"{LISTING}: {error}")


def missing(folder: Path, stems: Stems) -> Iterator[str]:
    """Which files cannot be read, a line for each; nothing is decoded for it."""
    for stem in stems.stems:
        try:
            _read(folder / stem.file, STEM_BYTES_MAX)
        except (OSError, NotUsable) as error:
            yield f"{stem.file}: {error}"


@functools.lru_cache(maxsize=1)
def _parsed(listing: bytes) -> Stems:
    """Read once, as long as it stays as it is: two hundred sentences take 0.2 s on a 3 GHz core [measured]."""
    try:
        return parse(listing.decode())
    except UnicodeDecodeError:
        return without_any(f"{LISTING}: lưu theo mã UTF-8 / save it as UTF-8")


def _read(path: Path, bytes_max: int) -> bytes:
    """A plain file that lies there itself. Raises OSError or NotUsable."""
    # Whatever else it may be: a pipe would keep us waiting, a link lead elsewhere.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise NotUsable("không phải tệp thường / no plain file")
        if status.st_size > bytes_max:
            raise NotUsable(f"tối đa {bytes_max} byte / at most {bytes_max} bytes")
        return file.read(bytes_max)


def _as_it_lies(path: Path) -> str:
    try:
        status = path.lstat()
    except OSError:
        return "-"
    return f"{status.st_size} {status.st_mtime_ns}"


def _write_wav(sound: BinaryIO, rate: int, wav: BinaryIO) -> None:
    frames = sound.tell() // FRAME_BYTES
    sound.seek(0)
    with wave.open(wav, "wb") as file:
        file.setparams((1, FRAME_BYTES, rate, frames, "NONE", ""))
        while chunk := sound.read(_COPY_FRAMES * FRAME_BYTES):
            file.writeframesraw(chunk)
