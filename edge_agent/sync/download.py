"""Decide when a download is the audio that was signed: resumed, bounded, and under its own name only when it is right.

A URL is a hint and the server is believed in nothing; length and SHA-256 decide. What arrived stays in
``<digest>.part`` over failures and restarts, because a station pays for its data. Of two downloads a routine one stands
back for a warning's, and goes on where it was. Of the same digest there may be one of each at once: the warning's goes
on, from its own addresses, with what the other one has, which finds it whole afterwards, or goes on if it is untouched.

A card wears out: what it cannot read back is as good as not there, and is thrown away.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPResponse
from pathlib import Path

from edge_agent import removing
from edge_agent.core.reasons import Reason, of_disk
from edge_agent.core.units import ClipKey
from edge_agent.durable import sync_directory
from edge_agent.free_space import FETCH_FREE_BYTES_MIN
from edge_agent.sync.dial import UNREAD_BYTES_MAX, WORDS_BYTES_MAX, Meter, Tally, both, up_to, with_words
from edge_agent.sync.https import HTTPS_TROUBLE, PATIENCE, Patience, Trust, get, one_line, words_of
from edge_agent.sync.port import Fetched, FetchFailed
from edge_agent.sync.right_of_way import Passage, RightOfWay

BLOCK_BYTES = 64 * 1024
RESUMES_MAX = 5
# A link that drops every minute still gets a bulletin through in one call; what it cannot, the caller's next try gets.
WHOLES_MAX = 2
# What is lacking of a part that turns out wrong, or the whole in its place, and the whole afresh.
TOO_MUCH = "more than the file twice, an eighth and words, all answers together"
STOOD_BACK_BYTES = WORDS_BYTES_MAX + 2 * UNREAD_BYTES_MAX
# A head, and what the kernel holds of a body when we hang up.
PART = ".part"
DIGEST = re.compile(r"[0-9a-f]{64}")
CONTENT_RANGE = re.compile(r"bytes (\d{1,12})-(\d{1,12})/(\d{1,12})")
OK, PARTIAL, RANGE_OUTSIDE = 200, 206, 416

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Miss:
    """Why one URL did not give the audio: it has other bytes (``wrong``), or it could not be had now."""

    wrong: bool
    detail: str


_STOOD_BACK = _Miss(False, "stood back for a warning's")
_LEFT_TO_IT = _Miss(False, "left to a warning's, which has got some of it")
# A server that the warning does not name could begin anew, or spoil it, each time that the warning's had to break off.


class _DiskError(Exception):
    """The cache could not be read or written; apart from OSError because the network raises those too."""

    def __init__(self, refusal: OSError) -> None:
        super().__init__(f"disk: {refusal}")
        self.reason = of_disk(refusal)


class HttpsFetcher:
    """A ``sync.port.Fetcher``: the cache of signed originals in ``root``, each named by its digest."""

    def __init__(
        self,
        root: Path,
        trust: Trust,
        patience: Patience = PATIENCE,
        free_bytes_min: int = FETCH_FREE_BYTES_MIN,
        way: RightOfWay | None = None,
    ) -> None:
        self._root = root
        self._trust = trust
        self._patience = patience
        self._free_bytes_min = free_bytes_min
        self._way = way or RightOfWay()

    def fetch(
        self, key: ClipKey, length_bytes: int, urls: tuple[str, ...], *, urgent: bool = False
    ) -> Fetched | FetchFailed:
        """Get the audio whose SHA-256 is ``key`` (64 hex digits) from the first URL that really has it."""
        assert DIGEST.fullmatch(key), "a digest is a file name here; whoever parsed the order has checked its form"
        tally = Tally()
        got = self._fetch(key, length_bytes, urls, urgent, tally)
        return replace(got, came_bytes=tally.bytes)

    def _fetch(
        self, key: ClipKey, length_bytes: int, urls: tuple[str, ...], urgent: bool, tally: Tally
    ) -> Fetched | FetchFailed:
        misses: list[_Miss] = []
        try:
            with _disk():
                self._root.mkdir(parents=True, exist_ok=True)
            part = _Part(self._root, key, length_bytes)
            if part.is_final():
                return Fetched(part.final)
            if (missing := self._missing_bytes(part)) > 0:
                return FetchFailed(Reason.CACHE_FULL, True, f"{missing} bytes too few on the disk")
            with self._way.taken(key) if urgent else contextlib.nullcontext():
                for url in urls:
                    miss = self._from_url(part, url, urgent, tally)
                    if miss is None:
                        return Fetched(part.final)
                    misses.append(miss)
        except _DiskError as error:
            return FetchFailed(error.reason, True, str(error))
        return _failed(misses)

    def lying(self, key: ClipKey, length_bytes: int) -> Path | None:
        """See ``sync.port.Fetcher``. What the disk refuses to tell is not here; ``fetch`` names that."""
        with contextlib.suppress(_DiskError):
            part = _Part(self._root, key, length_bytes)
            return part.final if part.is_final() else None
        return None

    def sweep(self, keep: Container[ClipKey]) -> int:
        """See ``sync.port.Fetcher``. What the disk refuses to delete is left for the next day."""
        found: list[Path] = []
        refusals: list[OSError] = []
        try:
            found += self._root.glob("*")
        except OSError as error:  # of a folder that cannot be read; Python 3.13 says nothing of it
            refusals.append(error)
        unneeded = [path for path in found if path.name.removesuffix(PART) not in keep]
        gone = sum(removing.went(path.unlink, refusals) for path in unneeded)
        removing.tell(log, "originals not removed", refusals)
        return gone

    def _missing_bytes(self, part: _Part) -> int:
        with _disk():
            free = shutil.disk_usage(self._root).free
        return part.length - part.size() + self._free_bytes_min - free

    def _from_url(self, part: _Part, url: str, urgent: bool, tally: Tally) -> _Miss | None:
        """Fetch, and resume as long as it gets on; start afresh once if what was resumed turned out wrong.

        It gets on where the part grows. Whoever sends less each time, and the whole anew, has a station pay for the
        file six times; so does whoever sends a byte each time, and words beside it: ``most`` is for all answers. It is
        each address's own, or the first one could keep the next from being heard. Whoever stands back has lost no time,
        no try and no byte by it.
        """
        deadline = time.monotonic() + self._patience.total_s(part.length)
        most = tally.bytes + with_words(WHOLES_MAX * part.length, RESUMES_MAX + 1)
        miss: _Miss | None = None
        resumes, afresh = 0, False
        while True:
            if not urgent:
                deadline += self._way.wait_s(hung_up=miss is _STOOD_BACK)
            before = part.size()
            meter = both(up_to(most - tally.bytes, TOO_MUCH), tally)
            miss = self._once(part, url, deadline, urgent, meter, anew=resumes == 0)
            if miss is _STOOD_BACK:
                most += STOOD_BACK_BYTES
                continue
            thrown_away = part.size() == 0 < before
            gets_on = part.size() > before or (thrown_away and not afresh)
            if miss is None or resumes == RESUMES_MAX or tally.bytes >= most or not gets_on:
                return miss
            resumes += 1
            afresh |= thrown_away
            log.info("download broke off key=%s at=%d why=%s", part.key, part.size(), one_line(miss.detail))

    def _once(self, part: _Part, url: str, deadline: float, urgent: bool, meter: Meter, *, anew: bool) -> _Miss | None:
        passage = Passage(part.key)
        try:
            with contextlib.nullcontext() if urgent else self._way.used(passage):
                miss = self._passed(part, url, deadline, passage, urgent, meter, anew=anew)
        except HTTPS_TROUBLE as error:
            miss = _Miss(False, words_of(error, url))
        return _STOOD_BACK if miss is not None and passage.stood_back else miss

    def _passed(
        self, part: _Part, url: str, deadline: float, passage: Passage, urgent: bool, meter: Meter, *, anew: bool
    ) -> _Miss | None:
        if part.is_final():  # the other one of the two has got it meanwhile
            return None
        if not urgent and part.is_anothers():
            return _LEFT_TO_IT
        miss: _Miss | None
        if part.size() < part.length:
            with (
                get(url, part.size(), part.length, self._trust, self._patience.stall_s, deadline, meter) as line,
                self._way.writing(passage, line.hang_up) as may_write,
            ):
                miss = _copy(line.response, part, anew) if may_write else _STOOD_BACK
        else:
            with self._way.writing(passage) as may_write:
                miss = None if may_write else _STOOD_BACK
        return miss if miss is not None or part.finish() else _Miss(True, "SHA-256 differs")


def _copy(response: HTTPResponse, part: _Part, anew: bool) -> _Miss | None:
    """Append the body to the part. None: it is complete, whatever it is.

    ``anew``: the whole may take the place of what is here. Not of what this server has only just sent, for it would be
    paid for twice; the next try may.
    """
    have = part.size()
    if response.status == OK and have and not anew:
        return _Miss(False, "the whole again instead of the rest")
    if response.status == OK:
        have = 0
    elif response.status == RANGE_OUTSIDE or (response.status == PARTIAL and not _range_is(response, part)):
        part.cut(0)
        return _Miss(True, f"HTTP {response.status} {response.headers.get('Content-Range', '')}")
    elif response.status != PARTIAL:
        return _Miss(False, f"HTTP {response.status}")
    if response.length is not None and have + response.length != part.length:
        return _Miss(True, f"{have + response.length} bytes instead of {part.length}")
    part.cut(have)
    return _append(response, part)


def _range_is(response: HTTPResponse, part: _Part) -> bool:
    """Whether the server sends what we asked for: all from where the part ends."""
    match = CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return match is not None and match.groups() == (str(part.size()), str(part.length - 1), str(part.length))


def _append(response: HTTPResponse, part: _Part) -> _Miss | None:
    left = part.length - part.size()
    with part.appending() as write:
        # read1 returns after one receive: a server that dribbles cannot keep us from looking at the deadline.
        while block := response.read1(BLOCK_BYTES):
            left -= len(block)
            if left < 0:
                break
            write(block)
    if left < 0:
        part.cut(0)
        return _Miss(True, f"more than {part.length} bytes")
    return _Miss(False, f"ended {left} bytes early") if left else None


class _Part:
    """A file on its way: ``<digest>.part`` until it is whole and right, then ``<digest>``."""

    def __init__(self, root: Path, key: str, length: int) -> None:
        self.final = root / key
        self.length = length
        self.key = key
        self._path = root / f"{key}{PART}"
        self._known = self.size()

    def size(self) -> int:
        """Bytes that are there already."""
        with _disk(), contextlib.suppress(FileNotFoundError):
            return self._path.stat().st_size
        return 0

    def is_anothers(self) -> bool:
        """Whether it is not as it was left here."""
        return self.size() != self._known

    def cut(self, size: int) -> None:
        """Keep only the first ``size`` bytes."""
        with _disk(), self._path.open("ab") as file:
            file.truncate(size)
        self._known = size

    @contextmanager
    def appending(self) -> Iterator[Callable[[bytes], None]]:
        """A function that writes on at the end; what it wrote stays, whatever happens afterwards."""
        with _disk():
            file = self._path.open("ab")

        def write(block: bytes) -> None:
            with _disk():
                file.write(block)
                file.flush()
            self._known += len(block)

        try:
            yield write
        finally:
            with _disk():
                file.close()

    def is_final(self) -> bool:
        """Whether the whole file lies there already, right to the last bit."""
        with _disk():
            try:
                return self.final.exists() and self._right(self.final)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                log.warning("original thrown away key=%s error=%s next=fetched anew", self.key, error)
                return False

    def finish(self) -> bool:
        """Give a whole and right part its name, durably; throw a wrong one away and say False.

        What has only just arrived and cannot be read is no wrong audio: the disk's refusal is told, and what is asked
        for again begins anew.
        """
        with _disk():
            if not self._right(self._path):
                self._path.unlink()
                self._known = 0
                return False
            with self._path.open("rb") as file:
                os.fsync(file.fileno())
            self._path.rename(self.final)
            sync_directory(self.final.parent)
            return True

    def _right(self, path: Path) -> bool:
        if path.stat().st_size != self.length:
            return False
        try:
            with path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest() == self.key
        except OSError as error:
            if error.errno == errno.EIO:
                # A sector that has gone bad stays so: left there, it would be found bad for ever.
                path.unlink(missing_ok=True)
            raise


@contextmanager
def _disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _DiskError(error) from error


def _failed(misses: list[_Miss]) -> FetchFailed:
    detail = "; ".join(dict.fromkeys(one_line(miss.detail) for miss in misses))
    if misses and all(miss.wrong for miss in misses):
        return FetchFailed(Reason.AUDIO_ALTERED, False, detail)
    return FetchFailed(Reason.AUDIO_UNREACHABLE, True, detail)
