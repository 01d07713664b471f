"""Where staged sound lies, and what may go when the card is full.

Decides the layout on disk and when a clip counts as whole. The format of a clip is ``clip``'s; what is staged is
decided elsewhere. One process writes; any number may read, each with its own ``Shelf``.

A card wears out, and a power cut may leave it an entry that its file system neither reads nor removes, or under a name
that nobody gave it; a computer that looked at the card leaves some of its own. Whatever it is, it stays alone: it keeps
no other file from going, and no station from starting.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import secrets
import shutil
import tempfile
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from edge_agent import removing
from edge_agent.audio.clip import (
    BLOCK_BYTES,
    FRAME_BYTES,
    Shelf,
    checked,
    is_key,
    listing_bytes,
)
from edge_agent.core.units import ClipKey
from edge_agent.durable import sync_directory

log = logging.getLogger(__name__)
NOT_REMOVED = "not removed from the cache"


class PcmStore(Shelf):
    """Staged sound under ``root``, to be written too."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._freed = threading.Condition()
        self._taken: set[ClipKey] = set()

    @contextmanager
    def alone(self, key: ClipKey) -> Iterator[None]:
        """While this lasts no other thread makes this clip: two signals or stems in one would be neither."""
        with self._freed:
            self._freed.wait_for(lambda: key not in self._taken)
            self._taken.add(key)
        try:
            yield
        finally:
            with self._freed:
                self._taken.remove(key)
                self._freed.notify_all()

    def writer(self, key: ClipKey, rate: int, *, pinned: bool = False, stamp: str = "") -> PcmWriter:
        """Begin a clip at ``rate`` frames per second, unseen before its ``commit``. OSError if the disk refuses.

        ``stamp`` is kept with it: who made this sound of what has this key.
        """
        # What lies pinned stays so: written elsewhere, it would be hidden by its older copy, which may be rotten.
        folder = self._pinned if pinned or self.is_pinned(key) else self._evictable
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        return PcmWriter(folder, key, rate, stamp)

    def scratch(self) -> BinaryIO:
        """A nameless file on the store's disk, gone when it is closed. OSError if the disk refuses."""
        self._evictable.mkdir(mode=0o750, parents=True, exist_ok=True)
        return cast(BinaryIO, tempfile.TemporaryFile(dir=self._evictable))

    def free_bytes(self) -> int:
        """What is left on the store's disk."""
        self._evictable.mkdir(mode=0o750, parents=True, exist_ok=True)
        return shutil.disk_usage(self._evictable).free

    def touch(self, key: ClipKey) -> None:
        """Count the clip as used now, so that eviction takes older ones first. Unknown keys are ignored.

        So is a disk that does not note it: what lies on a card that has gone read-only is to be heard all the same.
        """
        with contextlib.suppress(OSError):
            os.utime(self._evictable / f"{checked(key)}.blocks")

    def is_pinned(self, key: ClipKey) -> bool:
        """Whether it lies where nothing is evicted."""
        return (self._pinned / f"{checked(key)}.blocks").exists()

    def pinned(self) -> set[ClipKey]:
        """All that does."""
        return {ClipKey(blocks.stem) for blocks in _listings(self._pinned)}

    def unpin(self, key: ClipKey) -> None:
        """Forget a pinned clip, as ``remove`` does."""
        _unlink_clip(self._pinned, key)

    def sizes(self) -> dict[ClipKey, int]:
        """Bytes of sound of every evictable clip, longest unused first."""
        return {entry.key: entry.size for entry in sorted(self._entries())}

    def evict_to(self, bytes_max: int, keep: Container[ClipKey]) -> tuple[ClipKey, ...]:
        """Remove clips, longest unused first and none of ``keep``, until at most ``bytes_max`` remain if that can be.

        Returns what went. A clip that is being played stays readable to its player until it closes it.
        """
        sizes = self.sizes()
        total = sum(sizes.values())
        gone: list[ClipKey] = []
        refusals: list[OSError] = []
        for key, size in sizes.items():
            if total <= bytes_max:
                break
            if key not in keep and removing.went(partial(self.remove, key), refusals):
                gone.append(key)
                total -= size
        removing.tell(log, NOT_REMOVED, refusals)
        return tuple(gone)

    def remove(self, key: ClipKey) -> None:
        """Forget an evictable clip. Its digests go first: a power cut in between leaves a clip that is not one."""
        _unlink_clip(self._evictable, key)

    def sweep(self) -> int:
        """Remove what interrupted writing left behind; call it before the first writer. Returns how many files went."""
        leftovers: list[Path] = []
        refusals: list[OSError] = []
        for folder in (self._pinned, self._evictable):
            try:
                leftovers += _leftovers(folder)
            except OSError as exc:  # of a folder that cannot be read; Python 3.13 says nothing of it
                refusals.append(exc)
        gone = sum(removing.went(path.unlink, refusals) for path in leftovers)
        removing.tell(log, NOT_REMOVED, refusals)
        return gone

    def _entries(self) -> Iterator[_Entry]:
        for blocks in _listings(self._evictable):
            with contextlib.suppress(OSError):  # it went meanwhile, or nobody can tell anything of it
                used_at = blocks.stat().st_mtime_ns
                yield _Entry(used_at, ClipKey(blocks.stem), blocks.with_suffix(".pcm").stat().st_size)


class PcmWriter:
    """A clip in the making. End it with ``commit`` or ``abort``; leaving it as a context without commit aborts."""

    def __init__(self, folder: Path, key: ClipKey, rate: int, stamp: str = "") -> None:
        self._folder = folder
        self._stamp = stamp
        self._key = checked(key)
        self.rate = rate
        unique = secrets.token_hex(4)
        self._sound_part = folder / f"{key}.{unique}.pcm.part"
        self._listing_part = folder / f"{key}.{unique}.blocks.part"
        self._sound = open(self._sound_part, "xb")  # noqa: SIM115 - lives until commit or abort
        self._bytes = 0
        self._block_hash = hashlib.sha256()
        self._digests = bytearray()

    @property
    def frames(self) -> int:
        """Whole frames fed so far."""
        return self._bytes // FRAME_BYTES

    def feed(self, chunk: bytes) -> None:
        """Append sound; any length, frames may be split between chunks. OSError if the disk refuses."""
        rest = memoryview(chunk)
        while rest:
            room = BLOCK_BYTES - self._bytes % BLOCK_BYTES
            piece, rest = rest[:room], rest[room:]
            self._sound.write(piece)
            self._block_hash.update(piece)
            self._bytes += len(piece)
            if len(piece) == room:
                self._close_block()

    def commit(self) -> int:
        """Make the clip durable and visible, in place of any older one. Returns its frames; none is a bug."""
        assert self._bytes > 0, "a clip has sound"
        assert self._bytes % FRAME_BYTES == 0, "a clip is whole frames"
        if self._bytes % BLOCK_BYTES:
            self._close_block()
        _sync_and_close(self._sound)
        with open(self._listing_part, "xb") as file:
            file.write(listing_bytes(self.rate, self.frames, self._digests, self._stamp))
            _sync_and_close(file)
        _unlink_clip(self._folder, self._key)
        # The sound first: digests without their sound would be an altered clip, sound without digests is none.
        os.replace(self._sound_part, self._folder / f"{self._key}.pcm")
        os.replace(self._listing_part, self._folder / f"{self._key}.blocks")
        sync_directory(self._folder)
        return self.frames

    def abort(self) -> None:
        """Leave nothing behind but what the disk does not let go of (``sweep``). Harmless after ``commit``."""
        # Unlinked first: on a full disk closing fails, since it writes what is still buffered.
        for part in (self._sound_part, self._listing_part):
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._sound.close()

    def __enter__(self) -> PcmWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _close_block(self) -> None:
        self._digests += self._block_hash.digest()
        self._block_hash = hashlib.sha256()


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    used_at_ns: int
    key: ClipKey
    size: int


def _listings(folder: Path) -> Iterator[Path]:
    """The digests of clips, by their names: what has another one is none."""
    return (blocks for blocks in folder.glob("*.blocks") if is_key(blocks.stem))


def _leftovers(folder: Path) -> Iterator[Path]:
    yield from folder.glob("*.part")
    yield from (blocks for blocks in folder.glob("*.blocks") if not is_key(blocks.stem))
    whole = {blocks.stem for blocks in _listings(folder)}
    yield from (sound for sound in folder.glob("*.pcm") if sound.stem not in whole)


def _unlink_clip(folder: Path, key: ClipKey) -> None:
    for suffix in (".blocks", ".pcm"):
        (folder / f"{checked(key)}{suffix}").unlink(missing_ok=True)


def _sync_and_close(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
    file.close()
