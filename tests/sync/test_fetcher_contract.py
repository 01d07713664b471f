"""What every fetcher promises the runtime, held against the fake and against real HTTPS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import pytest

from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey
from edge_agent.sync.download import HttpsFetcher
from edge_agent.sync.https import Trust
from edge_agent.sync.port import Fetched, Fetcher, FetchFailed
from tests.fakes.fetcher import FakeFetcher, FakeServer
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock

AUDIO = bytes(range(256)) * 1_000
KEY = ClipKey(hashlib.sha256(AUDIO).hexdigest())
ALTERED = b"!" + AUDIO[1:]


class Rig(Protocol):
    fetcher: Fetcher
    root: Path

    def serve(self, name: str, content: bytes) -> str:
        """Lay content on the server; returns its URL."""

    def nowhere(self) -> str:
        """A URL at which there is nothing."""

    def requests(self) -> int:
        """How often the server was asked."""

    def full_disk(self) -> Fetcher:
        """A fetcher over the same cache that has no room."""

    def break_off(self, broken: bool) -> None:
        """From now on the server hangs up in the midst of its answers, or does so no more."""


class FakeRig:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.server = FakeServer()
        self.fetcher: Fetcher = FakeFetcher(root, self.server)

    def serve(self, name: str, content: bytes) -> str:
        self.server.put(name, content)
        return name

    def nowhere(self) -> str:
        return "nowhere"

    def requests(self) -> int:
        return len(self.server.asked)

    def full_disk(self) -> Fetcher:
        return FakeFetcher(self.root, self.server, disk_bytes=len(AUDIO) - 1)

    def break_off(self, broken: bool) -> None:
        self.server.down = broken


class HttpsRig:
    def __init__(self, root: Path, content: Content) -> None:
        self.root = root
        self.content = content
        self.trust = Trust(content.authority.path, host_clock)
        self.fetcher: Fetcher = HttpsFetcher(root, self.trust)

    def serve(self, name: str, content: bytes) -> str:
        return self.content.put(name, content)

    def nowhere(self) -> str:
        return f"https://localhost:{self.content.port}/nowhere"

    def requests(self) -> int:
        return len(self.content.asked)

    def full_disk(self) -> Fetcher:
        return HttpsFetcher(self.root, self.trust, free_bytes_min=10**18)

    def break_off(self, broken: bool) -> None:
        self.content.manners = Manners.TRUNCATED if broken else Manners.HONEST
        self.content.cut_at = 1


@contextmanager
def https_rig(directory: Path) -> Iterator[HttpsRig]:
    with running_content(directory) as content:
        yield HttpsRig(directory / "cache", content)


@pytest.fixture(params=["fake", "https"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    if request.param == "fake":
        yield FakeRig(tmp_path / "cache")
        return
    with https_rig(tmp_path) as real:
        yield real


def test_a_fetched_file_lies_under_its_digest(rig: Rig) -> None:
    got = rig.fetcher.fetch(KEY, len(AUDIO), (rig.serve("a", AUDIO),))
    assert got == Fetched(rig.root / KEY)
    assert (rig.root / KEY).read_bytes() == AUDIO
    assert [file.name for file in rig.root.iterdir()] == [KEY]


def test_what_is_there_already_is_not_fetched_again(rig: Rig) -> None:
    url = rig.serve("a", AUDIO)
    rig.fetcher.fetch(KEY, len(AUDIO), (url,))
    assert rig.fetcher.fetch(KEY, len(AUDIO), (url,)) == Fetched(rig.root / KEY)
    assert rig.requests() == 1


def test_a_cached_file_that_rotted_is_fetched_again(rig: Rig) -> None:
    url = rig.serve("a", AUDIO)
    rig.fetcher.fetch(KEY, len(AUDIO), (url,))
    (rig.root / KEY).write_bytes(ALTERED)
    assert rig.fetcher.fetch(KEY, len(AUDIO), (url,)) == Fetched(rig.root / KEY)
    assert (rig.root / KEY).read_bytes() == AUDIO


def test_what_lies_there_whole_is_found_and_nobody_is_asked(rig: Rig) -> None:
    url = rig.serve("a", AUDIO)
    assert rig.fetcher.lying(KEY, len(AUDIO)) is None
    assert rig.requests() == 0
    assert not rig.root.exists(), "who only asks makes no folder: what the disk refuses there, nobody would hear of"
    rig.fetcher.fetch(KEY, len(AUDIO), (url,))
    assert rig.fetcher.lying(KEY, len(AUDIO)) == rig.root / KEY
    (rig.root / KEY).write_bytes(ALTERED)
    assert rig.fetcher.lying(KEY, len(AUDIO)) is None
    assert rig.requests() == 1


@pytest.mark.parametrize("wrong", [ALTERED, AUDIO + b"!", AUDIO[:-1], b""])
def test_wrong_bytes_everywhere_are_final_and_leave_nothing(rig: Rig, wrong: bytes) -> None:
    urls = (rig.serve("a", wrong), rig.serve("b", wrong))
    got = rig.fetcher.fetch(KEY, len(AUDIO), urls)
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again) == (Reason.AUDIO_ALTERED, False)
    assert not (rig.root / KEY).exists()


def test_the_next_url_helps_out(rig: Rig) -> None:
    urls = (rig.nowhere(), rig.serve("b", ALTERED), rig.serve("c", AUDIO))
    assert rig.fetcher.fetch(KEY, len(AUDIO), urls) == Fetched(rig.root / KEY)


def test_nothing_at_the_url_may_be_there_later(rig: Rig) -> None:
    got = rig.fetcher.fetch(KEY, len(AUDIO), (rig.nowhere(),))
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again) == (Reason.AUDIO_UNREACHABLE, True)


def test_no_url_at_all_may_come_to_something_later(rig: Rig) -> None:
    got = rig.fetcher.fetch(KEY, len(AUDIO), ())
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again) == (Reason.AUDIO_UNREACHABLE, True)
    assert rig.requests() == 0


def test_an_answer_that_breaks_off_is_tried_again_later_and_leaves_nothing_under_the_final_name(rig: Rig) -> None:
    url = rig.serve("a", AUDIO)
    rig.break_off(True)
    got = rig.fetcher.fetch(KEY, len(AUDIO), (url,))
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again) == (Reason.AUDIO_UNREACHABLE, True)
    assert not (rig.root / KEY).exists()
    rig.break_off(False)
    assert rig.fetcher.fetch(KEY, len(AUDIO), (url,)) == Fetched(rig.root / KEY)


def test_a_url_that_gives_something_else_each_time_is_believed_when_it_is_right(rig: Rig) -> None:
    for content in (ALTERED, AUDIO[:-1], b"", AUDIO * 2):
        assert isinstance(rig.fetcher.fetch(KEY, len(AUDIO), (rig.serve("a", content),)), FetchFailed)
    assert rig.fetcher.fetch(KEY, len(AUDIO), (rig.serve("a", AUDIO),)) == Fetched(rig.root / KEY)
    assert (rig.root / KEY).read_bytes() == AUDIO


def test_the_right_bytes_under_another_length_are_not_what_was_signed(rig: Rig) -> None:
    got = rig.fetcher.fetch(KEY, len(AUDIO) + 1, (rig.serve("a", AUDIO),))
    assert isinstance(got, FetchFailed)
    assert got.reason is Reason.AUDIO_ALTERED


def test_one_unreachable_url_leaves_hope_beside_a_wrong_one(rig: Rig) -> None:
    got = rig.fetcher.fetch(KEY, len(AUDIO), (rig.serve("a", ALTERED), rig.nowhere()))
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again) == (Reason.AUDIO_UNREACHABLE, True)


def test_what_came_in_vain_is_told_whatever_it_is_called(rig: Rig) -> None:
    wrong = rig.serve("a", ALTERED)
    for urls in ((wrong,), (wrong, rig.nowhere())):
        got = rig.fetcher.fetch(KEY, len(AUDIO), urls)
        assert isinstance(got, FetchFailed)
        assert len(AUDIO) <= got.came_bytes <= len(AUDIO) * 9 / 8


def test_a_full_disk_is_told_before_a_byte_is_fetched(rig: Rig) -> None:
    got = rig.full_disk().fetch(KEY, len(AUDIO), (rig.serve("a", AUDIO),))
    assert isinstance(got, FetchFailed)
    assert (got.reason, got.again, got.came_bytes) == (Reason.CACHE_FULL, True, 0)
    assert rig.requests() == 0


def test_what_no_job_needs_is_swept_and_what_one_needs_stays(rig: Rig) -> None:
    other = b"?" + AUDIO
    other_key = ClipKey(hashlib.sha256(other).hexdigest())
    rig.fetcher.fetch(KEY, len(AUDIO), (rig.serve("a", AUDIO),))
    rig.fetcher.fetch(other_key, len(other), (rig.serve("b", other),))
    (rig.root / f"{'cc' * 32}.part").write_bytes(b"begun")
    (rig.root / f"{KEY}.part").write_bytes(b"begun, and needed")
    assert rig.fetcher.sweep(frozenset({KEY})) == 2
    assert sorted(path.name for path in rig.root.iterdir()) == [KEY, f"{KEY}.part"]
