"""Live sources that are open have a thread and a ring each, few at a time, and nothing of them stays when closed."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from weakref import WeakSet

import pytest

from edge_agent import live_worker
from edge_agent.audio.live import BLOCK_MS
from edge_agent.audio.live_decoder import LiveDecoder
from edge_agent.audio.live_ring import LiveRing, RingReader
from edge_agent.audio.sandbox import Sandbox
from edge_agent.core.effects import CloseLive, OpenLive
from edge_agent.core.units import SECOND_MS, ClipKey
from edge_agent.live_worker import OPEN_MAX, LiveWorker
from edge_agent.sync.closing import Closing
from edge_agent.sync.https import Trust
from edge_agent.sync.live_stream import LivePatience, LiveStream
from edge_agent.sync.port import Taker
from tests.audio.making import heard_hz, needs_decoder, sine
from tests.host.content import running_content
from tests.sync.rigs import host_clock

RATE = 16_000
STRANGER = 65_534
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a folder away")
PATIENCE_S = 120
LINGERS_S = 0.3
# What must not begin meanwhile would begin in a hundredth of it.
A, B, C, D = (ClipKey(letter * 64) for letter in "abcd")
BLOCK = bytes(2 * RATE * BLOCK_MS // SECOND_MS)


class FakeLine:
    """A ``LiveLine``: remembers what was relayed; comes back from a closed source when it may."""

    def __init__(self) -> None:
        self.began: list[tuple[str, ...]] = []
        self.ended: list[tuple[str, ...]] = []
        self.closings: WeakSet[Closing] = WeakSet()
        self.may_end = threading.Event()
        self.may_end.set()

    def relay(self, urls: tuple[str, ...], begin: Callable[[], Taker], closing: Closing) -> None:
        self.closings.add(closing)
        self.began.append(urls)
        while not closing.over():
            closing.wait(PATIENCE_S)
        assert self.may_end.wait(PATIENCE_S)
        self.ended.append(urls)


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.line = FakeLine()
        self.worker = LiveWorker(folder, RATE, LiveDecoder(Sandbox()), self.line)

    def open(self, *keys: ClipKey) -> None:
        for key in keys:
            self.worker.order(OpenLive(key, (f"https://x/{key[0]}",)))

    def close(self, *keys: ClipKey) -> None:
        for key in keys:
            self.worker.order(CloseLive(key))

    def rings(self) -> list[str]:
        return sorted(path.name[0] for path in self.folder.glob("*.ring"))

    def began(self) -> list[str]:
        return sorted(urls[0][-1] for urls in self.line.began)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "live")
    yield desk
    desk.line.may_end.set()
    desk.close(A, B, C, D)
    soon(lambda: not threads())


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("live ")]


def soon(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.005)


def said(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [record.getMessage() for record in caplog.records if word in record.getMessage()]


def test_a_source_that_is_opened_twice_is_relayed_once(desk: Desk) -> None:
    desk.open(A, A, A)
    soon(lambda: desk.rings() == ["a"] and desk.began() == ["a"])
    assert len(threads()) == 1


def test_closing_takes_thread_and_ring_away(desk: Desk) -> None:
    desk.open(A, B)
    soon(lambda: desk.began() == ["a", "b"])
    desk.close(A)
    soon(lambda: len(threads()) == 1)
    assert desk.rings() == ["b"]
    desk.close(A, A, C)
    assert [thread.name for thread in threads()] == ["live " + B[:12]]


def test_a_source_too_many_is_refused_by_name_and_harms_none(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    assert OPEN_MAX == 2
    desk.open(A, B, C, C)
    soon(lambda: desk.began() == ["a", "b"])
    assert len(said(caplog, f"live source refused key={C[:12]} why=2 are open")) == 1
    assert len(threads()) == 2


def test_a_refused_source_is_opened_when_another_closes_and_the_first_refused_first(desk: Desk) -> None:
    """Its programme may last for another hour, and nobody orders it again."""
    desk.open(A, B, D, C)
    soon(lambda: desk.began() == ["a", "b"])
    desk.close(A)
    soon(lambda: desk.began() == ["a", "b", "d"])
    desk.close(B)
    soon(lambda: desk.began() == ["a", "b", "c", "d"])
    soon(lambda: len(threads()) == OPEN_MAX)


def test_a_refused_source_that_was_closed_meanwhile_is_not_opened_any_more(desk: Desk) -> None:
    desk.open(A, B, C, D)
    soon(lambda: desk.began() == ["a", "b"])
    desk.close(C)
    desk.close(A)
    soon(lambda: desk.began() == ["a", "b", "d"])
    desk.close(B, D)
    soon(lambda: not threads())
    assert desk.began() == ["a", "b", "d"]


def test_a_ring_is_never_written_by_two(desk: Desk) -> None:
    """The line of the first is still busy when the source is opened again; its end must not take the new ring away."""
    desk.line.may_end.clear()
    desk.open(A)
    soon(lambda: desk.began() == ["a"])
    desk.close(A)
    desk.open(A)
    desk.close(A)
    desk.open(A)
    time.sleep(LINGERS_S)
    assert desk.began() == ["a"]
    desk.line.may_end.set()
    soon(lambda: len(desk.line.began) - len(desk.line.ended) == 1 and len(threads()) == 1)
    assert desk.rings() == ["a"]


def eventfds() -> int:
    """Of this process, but for what an earlier test has left to the collector."""
    gc.collect()
    found = 0
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # an earlier test's thread has closed it in this moment
            found += "eventfd" in str(one.readlink())
    return found


def assert_one_is_kept(desk: Desk, eventfds_before: int) -> None:
    soon(lambda: len(desk.line.began) - len(desk.line.ended) == 1 and len(threads()) == 1)
    assert (eventfds() - eventfds_before, len(desk.line.closings)) == (1, 1)


def test_nothing_of_sources_that_are_over_is_kept_in_memory_or_stays_open(desk: Desk) -> None:
    """A station that is never switched off has thousands of them, and a process 1,024 files."""
    before = eventfds()
    for _ in range(3):
        desk.open(A)
        desk.close(A)
        soon(lambda: not threads())
    desk.open(B)
    assert_one_is_kept(desk, before)


def test_nor_of_those_for_whose_end_the_next_of_the_same_key_had_to_wait(desk: Desk) -> None:
    before = eventfds()
    desk.line.may_end.clear()
    for _ in range(3):
        desk.open(A)
        soon(lambda: desk.began() == ["a"])
        desk.close(A)
    desk.open(A)
    desk.line.may_end.set()
    assert_one_is_kept(desk, before)


def test_what_an_earlier_process_left_is_gone(tmp_path: Path) -> None:
    LiveRing(tmp_path / "live", RATE).writer(A)
    desk = Desk(tmp_path / "live")
    assert desk.rings() == []
    assert not LiveRing(tmp_path / "live", RATE).reader(A).there()


def test_the_folder_is_the_agents_and_its_group_reads_it(desk: Desk) -> None:
    desk.open(A)
    soon(lambda: desk.rings() == ["a"])
    assert stat.S_IMODE(desk.folder.stat().st_mode) == 0o750


def test_the_folder_that_is_the_agents_before_anybody_runs_is_given_away_by_no_start(tmp_path: Path) -> None:
    """Its name is free for a moment otherwise, in a folder where the device process may write."""
    folder = tmp_path / "live"
    folder.mkdir(mode=0o750)
    (folder / "old.ring").write_bytes(b"sound")
    made = folder.stat().st_ino
    Desk(folder)
    assert (folder.stat().st_ino, list(folder.iterdir())) == (made, [])


def by_a_link(folder: Path, journal: Path) -> None:
    folder.symlink_to(journal.parent)


def open_to_others(folder: Path, journal: Path) -> None:
    del journal
    folder.mkdir()
    folder.chmod(0o770)


def of_another(folder: Path, journal: Path) -> None:
    del journal
    folder.mkdir()
    os.chown(folder, STRANGER, -1)


@pytest.mark.parametrize("lay", [by_a_link, open_to_others, pytest.param(of_another, marks=AS_ROOT)])
def test_a_folder_that_is_not_the_agents_alone_is_refused_and_nothing_is_written_or_taken_away_there(
    tmp_path: Path, lay: Callable[[Path, Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    kept, folder = tmp_path / "kept", tmp_path / "live"
    kept.mkdir()
    journal = kept / "journal.db"
    journal.write_bytes(b"thirteen months of records")
    lay(folder, journal)
    (folder / f"{A}.new").symlink_to(journal)
    before = sorted(folder.iterdir())
    desk = Desk(folder)
    desk.open(A)
    soon(lambda: bool(said(caplog, "live source without a ring")))
    desk.close(A)
    soon(lambda: not threads())
    assert (sorted(folder.iterdir()), journal.read_bytes()) == (before, b"thirteen months of records")
    assert len(said(caplog, "not the agent's alone")) == 2


def test_a_ring_that_there_is_no_room_for_is_said_and_ends_nothing(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.folder.rmdir()
    desk.folder.write_text("in the way")
    desk.open(A)
    soon(lambda: bool(said(caplog, "live source without a ring")))
    assert desk.began() == []
    desk.close(A)
    soon(lambda: not threads())


def test_and_it_is_tried_again_for_as_long_as_the_source_is_open(
    desk: Desk, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_worker, "ROOM_S", 0.01)
    desk.folder.rmdir()
    desk.folder.write_text("in the way")
    desk.open(A)
    soon(lambda: len(said(caplog, "live source without a ring")) > 1)
    desk.folder.unlink()
    soon(lambda: desk.began() == ["a"])


def test_a_threads_end_is_no_condition_of_the_processes(desk: Desk) -> None:
    desk.open(A)
    assert all(thread.daemon for thread in threads())


@pytest.mark.host
@needs_decoder
def test_what_is_sent_lies_in_the_ring_and_a_cut_line_goes_on_in_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    stream = sine(tmp_path / "a.mp3", 6, "-b:a", "64k").read_bytes()
    patience = LivePatience(pause_s_min=0.01, pause_s_max=0.02)
    with running_content(tmp_path) as content, contextlib.ExitStack() as stack:
        url = content.put("a.mp3", stream[10_000:])
        line = LiveStream(Trust(content.authority.path, host_clock), patience)
        worker = LiveWorker(tmp_path / "live", RATE, LiveDecoder(Sandbox()), line)
        worker.order(OpenLive(A, (url,)))
        stack.callback(worker.order, CloseLive(A))
        reader = LiveRing(tmp_path / "live", RATE).reader(A)
        stack.callback(reader.close)
        soon(lambda: _newest(reader) > 110)
        pcm = b"".join(block for number in range(10, 110) if (block := reader.read(number)))
    assert len(pcm) == 100 * len(BLOCK)
    assert heard_hz(pcm[: 2 * RATE * 3], RATE) == pytest.approx(440, abs=2)
    soon(lambda: not threads())
    assert len(said(caplog, "live source is heard url=")) >= 2
    assert len(said(caplog, "live source closed")) == 1


def _newest(reader: RingReader) -> int:
    """The number of the last block that lies there; 0 where there is none."""
    return max(reader.there(), default=0)
