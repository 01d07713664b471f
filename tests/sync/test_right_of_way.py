"""A routine download stands back for what a warning needs, loses nothing by it, and goes on where it was."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.core.units import ClipKey
from edge_agent.sync.dial import with_words
from edge_agent.sync.download import RESUMES_MAX, WHOLES_MAX, HttpsFetcher
from edge_agent.sync.https import Patience, Trust
from edge_agent.sync.port import Fetched, FetchFailed
from edge_agent.sync.right_of_way import OTHERS_S, Passage, RightOfWay
from tests.host.content import Content, Manners, running_content
from tests.sync.rigs import host_clock

NOTICE, SIREN = bytes(range(256)) * 1_000, bytes(reversed(range(256))) * 100
PATIENCE_S = 60
OVER = Patience(slack_s=-100)
# No download of these is in time.


def key_of(audio: bytes) -> ClipKey:
    return ClipKey(hashlib.sha256(audio).hexdigest())


@pytest.fixture
def content(tmp_path: Path) -> Iterator[Content]:
    with running_content(tmp_path) as content:
        yield content


def fetcher(tmp_path: Path, content: Content, way: RightOfWay, patience: Patience | None = None) -> HttpsFetcher:
    return HttpsFetcher(tmp_path / "cache", Trust(content.authority.path, host_clock), patience or Patience(), way=way)


def until(met: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, "it never comes to that"
        time.sleep(0.01)


class Watched(RightOfWay):
    """Tells when a routine download has stood back, and has written what it had."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.idle = threading.Event()

    @contextmanager
    def used(self, passage: Passage) -> Iterator[None]:
        self.idle.clear()
        try:
            with super().used(passage):
                yield
        finally:
            self.idle.set()


def test_a_routine_download_hangs_up_for_each_warnings_and_goes_on_where_it_was(
    tmp_path: Path, content: Content, caplog: pytest.LogCaptureFixture
) -> None:
    """More often than one may break off by itself."""
    caplog.set_level(logging.INFO)
    way, part = Watched(), tmp_path / "cache" / f"{key_of(NOTICE)}.part"
    station = fetcher(tmp_path, content, way)
    notice, siren = content.put("notice", NOTICE), content.put("siren", SIREN)
    content.manners = Manners.DRIPPING
    stood_at: list[int] = [0]
    with ThreadPoolExecutor() as threads:
        routine = threads.submit(station.fetch, key_of(NOTICE), len(NOTICE), (notice,))
        while len(stood_at) < RESUMES_MAX + 3:
            until(lambda: part.exists() and part.stat().st_size > stood_at[-1])
            with way.taken():
                assert way.idle.wait(PATIENCE_S)
                stood_at.append(part.stat().st_size)
                content.manners = Manners.HONEST
                assert isinstance(station.fetch(key_of(SIREN), len(SIREN), (siren,), urgent=True), Fetched)
                content.manners = Manners.DRIPPING if len(stood_at) < RESUMES_MAX + 3 else Manners.HONEST
        assert isinstance(routine.result(PATIENCE_S), Fetched)
    asked = [first for path, first in content.asked if path == "/notice"]
    assert asked == [None, *(f"bytes={size}-" for size in stood_at[1:])], caplog.text


class HasWaited(RightOfWay):
    """So long has it been somebody else's, each time."""

    def wait_s(self, *, hung_up: bool = False) -> float:
        return 1_000


@pytest.mark.parametrize("urgent", [False, True])
def test_the_time_that_a_download_stood_back_is_not_counted_against_it(
    tmp_path: Path, content: Content, urgent: bool
) -> None:
    url = content.put("notice", NOTICE)
    got = fetcher(tmp_path, content, HasWaited(), OVER).fetch(key_of(NOTICE), len(NOTICE), (url,), urgent=urgent)
    assert isinstance(got, FetchFailed if urgent else Fetched), "what is urgent stands back for nobody"


def test_what_came_in_vain_when_a_download_stood_back_is_not_counted_against_it(
    tmp_path: Path, content: Content
) -> None:
    """With long heads, and so often that it is more than a file as small as this may cost in one go."""
    way, words = Overtaken(), 30_000
    answer = b"HTTP/1.1 200 OK\r\nX: %b\r\nContent-Length: %d\r\n\r\n" % (b"y" * words, len(SIREN)) + SIREN
    most = with_words(WHOLES_MAX * len(SIREN), RESUMES_MAX + 1)
    stands_back = most // words
    content.manners, content.raw = Manners.RAW, [answer] * (stands_back + 1)

    def warned() -> None:
        if content.raw:
            way.meanwhile = warned
            with way.taken():
                pass

    way.meanwhile = warned
    got = fetcher(tmp_path, content, way).fetch(key_of(SIREN), len(SIREN), (content.put("siren", SIREN),))
    assert isinstance(got, Fetched)
    assert got.came_bytes > most
    assert len(content.asked) == stands_back + 1


def test_the_way_is_free_again_only_when_the_last_warning_has_what_it_needs() -> None:
    way, waited = RightOfWay(), threading.Event()
    with way.taken():
        with way.taken():
            pass
        thread = threading.Thread(target=lambda: (way.wait_s(), waited.set()), daemon=True)
        thread.start()
        assert not waited.wait(0.1)
    assert waited.wait(PATIENCE_S)


class Meanwhile(threading.Condition):
    """While whoever was hung up on waits for ``pauses`` of so many seconds, ``comes`` happens: one in each of them."""

    def __init__(self, *comes: Callable[[], object]) -> None:
        super().__init__()
        self.pauses: list[float] = []
        self._comes = [*comes]

    def wait_for(self, predicate: Callable[[], Any], timeout: float | None = None) -> Any:
        if timeout is None:
            return super().wait_for(predicate)
        self.pauses.append(timeout)
        if self._comes:
            self._comes.pop(0)()
        return predicate()


def test_whoever_was_hung_up_on_leaves_the_server_to_those_who_have_not_yet_got_the_warning() -> None:
    way = RightOfWay(others_s=0.5, spread_s=0)
    assert way.wait_s(hung_up=True) >= 0.5
    with way.taken():
        thread = threading.Thread(target=lambda: way.wait_s(hung_up=True), daemon=True)
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()


def test_a_warning_that_came_and_went_meanwhile_is_left_to_the_others_as_long_as_the_first() -> None:
    """Also one that was over before who waits had his turn: of a sound that lies here nothing is fetched."""
    way = RightOfWay(others_s=1_000, spread_s=0)

    def warned() -> None:
        with way.taken():
            pass

    way._changed = meanwhile = Meanwhile(warned, warned)
    way.wait_s(hung_up=True)
    assert meanwhile.pauses == [1_000, 1_000, 1_000]


def test_a_warning_that_begins_meanwhile_is_waited_for_however_long_it_takes() -> None:
    way, begun, ended = RightOfWay(others_s=1_000, spread_s=0), threading.Event(), threading.Event()
    another = way.taken()
    way._changed = Meanwhile(lambda: (another.__enter__(), begun.set()))
    thread = threading.Thread(target=lambda: (way.wait_s(hung_up=True), ended.set()), daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_S)
    assert not ended.wait(0.1)
    another.__exit__(None, None, None)
    assert ended.wait(PATIENCE_S)


def test_whoever_was_not_hung_up_on_leaves_the_server_to_nobody() -> None:
    assert RightOfWay().wait_s() < OTHERS_S


def test_stations_that_were_hung_up_on_together_go_on_spread() -> None:
    ways = [RightOfWay(others_s=0, spread_s=1) for _ in range(20)]
    with ThreadPoolExecutor(20) as threads:
        waited_s = sorted(threads.map(lambda way: way.wait_s(hung_up=True), ways))
    assert waited_s[-1] - waited_s[0] > 0.3


def test_a_warning_that_cannot_be_had_gives_the_way_back(tmp_path: Path, content: Content) -> None:
    way = RightOfWay()
    got = fetcher(tmp_path, content, way).fetch(
        key_of(SIREN), len(SIREN), (f"https://localhost:{content.port}/gone",), urgent=True
    )
    assert isinstance(got, FetchFailed)
    way.wait_s()


# -- the same sound ----------------------------------------------------------------------------------------------------


def begins(way: RightOfWay, key: str) -> threading.Event:
    """Once a warning's download of ``key`` has begun, which it then does on a thread of its own."""
    begun = threading.Event()

    def take() -> None:
        with way.taken(key):
            begun.set()

    threading.Thread(target=take, daemon=True).start()
    return begun


def test_a_warning_that_fetches_what_is_being_written_begins_when_that_has_been_let_go_and_any_other_at_once() -> None:
    way, passage, told = RightOfWay(0, 0), Passage("siren"), threading.Event()
    with way.used(passage), way.writing(passage, told.set) as may_write:
        assert may_write
        assert begins(way, "other").wait(PATIENCE_S)
        begun = begins(way, "siren")
        assert told.wait(PATIENCE_S)
        assert not begun.wait(0.1)
    assert begun.wait(PATIENCE_S)


def test_whoever_still_waits_for_a_server_keeps_no_warning_waiting_and_writes_nothing_beside_or_after_it() -> None:
    way, passage = RightOfWay(0, 0), Passage("siren")
    with way.used(passage):
        assert begins(way, "siren").wait(PATIENCE_S)
        with way.writing(passage) as may_write:
            assert not may_write


def test_whoever_comes_to_the_line_in_the_moment_after_a_warning_has_taken_it_writes_nothing_beside_it() -> None:
    """It had looked whether the way was free, and was not yet on it when the warning looked for whom to hang up on."""
    way, passage = RightOfWay(0, 0), Passage("notice")
    with way.taken("siren"), way.used(passage), way.writing(passage) as may_write:
        assert not may_write
    assert passage.stood_back


class Overtaken(RightOfWay):
    """Somebody does something in the moment in which a routine download's server has answered."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.meanwhile: Callable[[], object] = lambda: None

    @contextmanager
    def writing(self, passage: Passage, hang_up: Callable[[], None] = lambda: None) -> Iterator[bool]:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        with super().writing(passage, hang_up) as may_write:
            yield may_write


def test_what_a_warning_has_fetched_while_a_server_let_a_routine_download_wait_is_not_fetched_again(
    tmp_path: Path, content: Content
) -> None:
    way = Overtaken()
    station = fetcher(tmp_path, content, way)
    slow, honest = content.put("slow", SIREN), content.put("honest", SIREN)
    way.meanwhile = lambda: station.fetch(key_of(SIREN), len(SIREN), (honest,), urgent=True)
    assert isinstance(station.fetch(key_of(SIREN), len(SIREN), (slow,)), Fetched)
    assert [path for path, _ in content.asked] == ["/slow", "/honest"]
    assert content.sent < 3 * len(SIREN)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [key_of(SIREN)]


def test_what_a_warning_had_to_leave_half_done_is_not_gone_on_with_by_a_routine_download(
    tmp_path: Path, content: Content
) -> None:
    """Its server may be one that the warning does not name: spoilt by it, all would be paid for again."""
    way = Overtaken()
    station = fetcher(tmp_path, content, way)
    slow, honest = content.put("slow", SIREN), content.put("honest", SIREN)
    content.manners, content.cut_at = Manners.TRUNCATED, 100
    way.meanwhile = lambda: station.fetch(key_of(SIREN), len(SIREN), (honest,), urgent=True)
    got = station.fetch(key_of(SIREN), len(SIREN), (slow,))
    assert isinstance(got, FetchFailed)
    assert got.detail == "left to a warning's, which has got some of it"
    assert [path for path, _ in content.asked] == ["/slow", *["/honest"] * (RESUMES_MAX + 1)]


class TooLate(RightOfWay):
    """A warning of another sound comes when the last byte of a routine download has been written."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.hung_up: list[bool] = []

    @contextmanager
    def writing(self, passage: Passage, hang_up: Callable[[], None] = lambda: None) -> Iterator[bool]:
        with super().writing(passage, hang_up) as may_write:
            yield may_write
            with self.taken("another"):
                assert passage.stood_back

    def wait_s(self, *, hung_up: bool = False) -> float:
        self.hung_up.append(hung_up)
        return 0


def test_what_came_whole_though_it_was_hung_up_on_is_there_at_once_and_waits_for_nobody(
    tmp_path: Path, content: Content
) -> None:
    way = TooLate()
    url = content.put("notice", NOTICE)
    assert isinstance(fetcher(tmp_path, content, way).fetch(key_of(NOTICE), len(NOTICE), (url,)), Fetched)
    assert way.hung_up == [False]


class Late(RightOfWay):
    """A routine download does its last in the moment in which a warning comes for the same sound."""

    def __init__(self) -> None:
        super().__init__(0, 0)
        self.last: Callable[[], object] = lambda: None

    @contextmanager
    def taken(self, key: str = "") -> Iterator[None]:
        self.last()
        with super().taken(key):
            yield


def test_what_has_come_whole_while_a_warning_waited_for_it_is_not_fetched_again(
    tmp_path: Path, content: Content
) -> None:
    way = Late()
    station = fetcher(tmp_path, content, way)
    routine, honest = content.put("routine", SIREN), content.put("honest", SIREN)
    way.last = lambda: station.fetch(key_of(SIREN), len(SIREN), (routine,))
    assert isinstance(station.fetch(key_of(SIREN), len(SIREN), (honest,), urgent=True), Fetched)
    assert [path for path, _ in content.asked] == ["/routine"]


def test_a_warning_goes_on_behind_the_last_byte_that_was_written_before_the_hang_up(
    tmp_path: Path, content: Content
) -> None:
    way, part = Late(), tmp_path / "cache" / f"{key_of(SIREN)}.part"
    way.last = lambda: part.write_bytes(SIREN[:100])
    url = content.put("siren", SIREN)
    assert isinstance(fetcher(tmp_path, content, way).fetch(key_of(SIREN), len(SIREN), (url,), urgent=True), Fetched)
    assert content.asked == [("/siren", "bytes=100-")]


def test_two_that_fetch_the_same_sound_again_and_again_write_one_file_and_never_beside_each_other(
    tmp_path: Path, content: Content
) -> None:
    """What two had written would not be the audio, and would be thrown away."""
    station = fetcher(tmp_path, content, RightOfWay(0, 0))
    url, key = content.put("notice", NOTICE), key_of(NOTICE)
    with ThreadPoolExecutor(1) as threads:
        for tries in range(20):
            content.asked.clear()
            routine = threads.submit(station.fetch, key, len(NOTICE), (url,))
            until(lambda: bool(content.asked))
            time.sleep(tries / 1_000)
            assert isinstance(station.fetch(key, len(NOTICE), (url,), urgent=True), Fetched)
            assert isinstance(routine.result(PATIENCE_S), Fetched)
            assert (tmp_path / "cache" / key).read_bytes() == NOTICE
            assert len(content.asked) <= 2
            (tmp_path / "cache" / key).unlink()
