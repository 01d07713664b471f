"""Originals on a card that wears out: what it cannot read is fetched anew, and what it refuses has the right name."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.sync import download
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from edge_agent.sync.port import Fetched, FetchFailed
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock

AUDIO = bytes(range(256)) * 1_000
KEY = ClipKey(hashlib.sha256(AUDIO).hexdigest())


class Card:
    """A cache of originals on a card; the sectors of the files in ``bad`` cannot be read."""

    def __init__(self, root: Path, content: Content) -> None:
        self.root = root
        self.root.mkdir()
        self.content = content
        self.url = content.put("clip", AUDIO)
        self.bad: set[int] = set()
        self.fetcher = HttpsFetcher(root, Trust(content.authority.path, host_clock))

    def lay(self, name: str, data: bytes = AUDIO) -> None:
        """What an earlier life has left, on sectors that have gone bad since."""
        (self.root / name).write_bytes(data)
        self.bad.add(os.stat(self.root / name).st_ino)
        os.link(self.root / name, self.root.parent / f"{name}.held")  # no other file gets its number

    def fetch(self) -> Fetched | FetchFailed:
        return self.fetcher.fetch(KEY, len(AUDIO), (self.url,))


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    with running_content(tmp_path) as content:
        card = Card(tmp_path / "originals", content)
        read = hashlib.file_digest

        def digest(file: BinaryIO, kind: str) -> object:
            if os.fstat(file.fileno()).st_ino in card.bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return read(file, kind)

        monkeypatch.setattr(download.hashlib, "file_digest", digest)
        yield card


def test_an_original_on_a_bad_sector_is_fetched_anew_at_once(card: Card, caplog: pytest.LogCaptureFixture) -> None:
    card.lay(KEY)
    assert card.fetch() == Fetched(card.root / KEY)
    assert (card.root / KEY).read_bytes() == AUDIO
    assert card.fetch() == Fetched(card.root / KEY)
    assert len(card.content.asked) == 1
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert os.strerror(errno.EIO) in told


def test_an_original_that_may_not_be_read_is_no_bad_sector_and_is_not_paid_for_again(
    card: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: BinaryIO, kind: str) -> object:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    (card.root / KEY).write_bytes(AUDIO)
    monkeypatch.setattr(download.hashlib, "file_digest", refuse)
    failed = card.fetch()
    assert isinstance(failed, FetchFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREADABLE, True)
    assert (card.root / KEY).read_bytes() == AUDIO
    assert card.content.asked == []


def test_an_original_on_a_bad_sector_does_not_take_the_room_of_the_one_that_replaces_it(card: Card) -> None:
    card.lay(KEY)
    card.content.manners = Manners.GONE
    failed = card.fetch()
    assert isinstance(failed, FetchFailed)
    assert failed.reason is Reason.AUDIO_UNREACHABLE
    assert list(card.root.iterdir()) == []


def test_a_whole_part_on_a_bad_sector_is_no_altered_audio_and_is_begun_anew(card: Card) -> None:
    card.lay(f"{KEY}.part")
    failed = card.fetch()
    assert isinstance(failed, FetchFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREADABLE, True)
    assert os.strerror(errno.EIO) in failed.detail
    assert card.fetch() == Fetched(card.root / KEY)
    assert [path.name for path in card.root.iterdir()] == [KEY]


def test_a_part_that_was_resumed_behind_a_bad_sector_is_begun_anew(card: Card) -> None:
    card.lay(f"{KEY}.part", AUDIO[:1_000])
    assert isinstance(card.fetch(), FetchFailed)
    assert card.fetch() == Fetched(card.root / KEY)
    assert [asked for _, asked in card.content.asked] == ["bytes=1000-", None]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.ENOSPC, Reason.CACHE_FULL),
        (errno.EDQUOT, Reason.CACHE_FULL),
        (errno.EROFS, Reason.AUDIO_UNREADABLE),
        (errno.EACCES, Reason.AUDIO_UNREADABLE),
    ],
)
def test_only_a_full_disk_is_called_full_and_every_refusal_is_tried_again(
    card: Card, monkeypatch: pytest.MonkeyPatch, number: int, reason: Reason
) -> None:
    def refuse(path: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "rename", refuse)
    failed = card.fetch()
    assert isinstance(failed, FetchFailed)
    assert (failed.reason, failed.again) == (reason, True)
    assert os.strerror(number) in failed.detail
    monkeypatch.undo()
    assert card.fetch() == Fetched(card.root / KEY)
    assert len(card.content.asked) == 1, "what had come was kept"


def test_a_file_in_place_of_the_folder_is_no_full_disk(tmp_path: Path) -> None:
    (tmp_path / "originals").write_text("")
    failed = HttpsFetcher(tmp_path / "originals", Trust(tmp_path, host_clock)).fetch(KEY, 10, ("https://x.test/",))
    assert isinstance(failed, FetchFailed)
    assert (failed.reason, failed.again) == (Reason.AUDIO_UNREADABLE, True)


def test_what_is_not_deleted_is_told_in_one_line_and_the_others_go(
    card: Card, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unlink = Path.unlink
    for name in ("aa", "bb", "cc"):
        card.lay(name)

    def refused(path: Path, missing_ok: bool = False) -> None:
        if path.name != "bb":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        unlink(path)

    monkeypatch.setattr(Path, "unlink", refused)
    assert card.fetcher.sweep(frozenset()) == 1
    assert sorted(path.name for path in card.root.iterdir()) == ["aa", "cc"]
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("originals not removed count=2 first=[Errno 5]")


def test_a_folder_of_originals_that_is_not_read_ends_no_sweep(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python 3.11 has it; a later one passes over such a folder by itself."""

    def refused(folder: Path, pattern: str) -> Iterator[Path]:
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(folder))

    monkeypatch.setattr(Path, "glob", refused)
    assert card.fetcher.sweep(frozenset()) == 0
