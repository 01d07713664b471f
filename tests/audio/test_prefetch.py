"""Reading ahead: bounded, in turn, verified, and every file given back."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_agent.audio.clip import BLOCK_BYTES, Clip, ClipAltered, ClipMissing
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.audio.prefetch import AHEAD_MS, BLOCK_FRAMES, Prefetch, Reader
from edge_agent.core.effects import StartPlay
from edge_agent.core.programme import ATTENTION, OPENING, OPENING_MS, SIGNAL_MS, Part, Pause, Sound
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, PlayId

RATE = 48_000
HANG_S = 30


@dataclass
class ShelfClip:
    """A clip that remembers what was read of it."""

    shelf: Shelf
    key: ClipKey
    frames: int
    rate: int = RATE

    def read(self, frame_from: int, frames: int) -> bytes:
        self.shelf.gate.wait(HANG_S)
        self.shelf.reads.append((self.key, frame_from, frames))
        if (trouble := self.shelf.troubles.get((self.key, frame_from // BLOCK_FRAMES))) is not None:
            raise trouble
        return self.key.encode()[:1] * (2 * frames)

    def close(self) -> None:
        self.shelf.open_files -= 1


@dataclass
class Shelf:
    """Storage in memory that can hang (``gate``) and fail (``troubles`` by clip and block)."""

    lengths: dict[str, int]
    rates: dict[str, int] = field(default_factory=dict)
    troubles: dict[tuple[ClipKey, int], Exception] = field(default_factory=dict)
    reads: list[tuple[ClipKey, int, int]] = field(default_factory=list)
    open_files: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def open(self, key: ClipKey) -> ShelfClip:
        if key not in self.lengths:
            raise ClipMissing(key)
        self.open_files += 1
        return ShelfClip(self, key, self.lengths[key], self.rates.get(key, RATE))


def prefetch(shelf: Shelf, *parts: Part) -> Prefetch:
    return Prefetch(parts, shelf, RATE, threading.Event())


def sound(key: str) -> Sound:
    return Sound(ClipKey(key), 0)


def fill(pcm: Prefetch) -> None:
    while pcm.fill():
        pass


def drained(pcm: Prefetch) -> bytes:
    out = bytearray()
    while True:
        fill(pcm)
        chunk = pcm.take(1_920)
        if not chunk:
            return bytes(out)
        out += chunk


def test_nothing_is_known_of_a_programme_before_it_was_opened() -> None:
    pcm = prefetch(Shelf({"a": 10}), sound("a"))
    assert (pcm.frames, pcm.ready(), pcm.take(10)) == (None, False, b"")


def test_it_is_ready_with_its_first_block() -> None:
    pcm = prefetch(Shelf({"a": 1_000_000}), sound("a"))
    pcm.fill()
    assert (pcm.frames, pcm.ready()) == (1_000_000, True)


def test_a_programme_shorter_than_a_preroll_is_ready_too() -> None:
    pcm = prefetch(Shelf({"a": 10}), sound("a"))
    pcm.fill()
    assert pcm.ready()


def test_no_more_is_held_than_was_said() -> None:
    shelf = Shelf({"a": 10_000_000})
    pcm = prefetch(shelf, sound("a"))
    fill(pcm)
    held = sum(frames for _, _, frames in shelf.reads)
    assert AHEAD_MS * RATE // 1_000 - BLOCK_FRAMES < held <= AHEAD_MS * RATE // 1_000
    pcm.take(BLOCK_FRAMES)
    fill(pcm)
    assert sum(frames for _, _, frames in shelf.reads) == held + BLOCK_FRAMES


def test_the_whole_programme_comes_out_in_order() -> None:
    pcm = prefetch(Shelf({"a": 70_000, "b": 3}), sound("a"), Pause(2), sound("b"), sound("a"))
    assert drained(pcm) == b"a" * 140_000 + bytes(192) + b"b" * 6 + b"a" * 140_000


def test_every_block_is_read_once() -> None:
    shelf = Shelf({"a": 3 * BLOCK_FRAMES + 5})
    drained(prefetch(shelf, Pause(7), sound("a")))
    assert [(first, frames) for _, first, frames in shelf.reads] == [
        (0, BLOCK_FRAMES),
        (BLOCK_FRAMES, BLOCK_FRAMES),
        (2 * BLOCK_FRAMES, BLOCK_FRAMES),
        (3 * BLOCK_FRAMES, 5),
    ]


def test_nothing_is_read_of_what_is_left_out_at_the_beginning() -> None:
    shelf = Shelf({"a": 2 * BLOCK_FRAMES}, troubles={(ClipKey("a"), 0): ClipAltered(ClipKey("a"), 0)})
    cut_ms = 1_000
    drained(prefetch(shelf, Sound(ClipKey("a"), 0, cut_ms)))
    assert shelf.reads == [(ClipKey("a"), 48 * cut_ms, 2 * BLOCK_FRAMES - 48 * cut_ms)]


def test_a_programme_that_begins_within_a_block_hashes_no_block_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []
    as_it_lies = Clip._as_it_lies

    def watched(clip: Clip, block: int) -> bytes:
        hashed.append(block)
        return as_it_lies(clip, block)

    monkeypatch.setattr(Clip, "_as_it_lies", watched)
    store = PcmStore(tmp_path)
    with store.writer(ClipKey("a"), RATE) as writer:
        writer.feed(bytes(5 * BLOCK_BYTES))
        writer.commit()
    pcm = Prefetch((Sound(ClipKey("a"), 0, 700),), store, RATE, threading.Event())
    assert len(drained(pcm)) == 5 * BLOCK_BYTES - 2 * 48 * 700
    assert hashed == [1, 2, 3, 4]


def test_an_altered_block_is_the_end_and_what_came_before_it_is_not_lost() -> None:
    shelf = Shelf({"a": 200_000}, troubles={(ClipKey("a"), 2): ClipAltered(ClipKey("a"), 2)})
    pcm = prefetch(shelf, sound("a"), sound("a"))
    assert drained(pcm) == b"a" * (2 * 2 * BLOCK_FRAMES)
    assert (pcm.frames, pcm.trouble) == (2 * BLOCK_FRAMES, Reason.AUDIO_ALTERED)


@pytest.mark.parametrize("trouble", [OSError(5, "Input/output error"), ClipMissing(ClipKey("a"))])
def test_what_cannot_be_read_is_the_end_too(trouble: Exception) -> None:
    pcm = prefetch(Shelf({"a": 10}, troubles={(ClipKey("a"), 0): trouble}), sound("a"))
    fill(pcm)
    assert (pcm.frames, pcm.trouble) == (0, Reason.AUDIO_ALTERED)


def test_a_clip_at_another_rate_is_not_played() -> None:
    pcm = prefetch(Shelf({"a": 10}, rates={"a": 44_100}), sound("a"))
    fill(pcm)
    assert (pcm.frames, pcm.trouble) == (0, Reason.AUDIO_ALTERED)


@pytest.mark.parametrize("key", SIGNAL_MS)
def test_a_signal_that_was_never_made_is_silence_of_its_length_and_the_words_follow(key: ClipKey) -> None:
    pcm = prefetch(Shelf({"a": 10}), Sound(key, SIGNAL_MS[key]), Pause(2), sound("a"))
    assert drained(pcm) == bytes(2 * 48 * (SIGNAL_MS[key] + 2)) + b"a" * 20
    assert pcm.trouble is None


@pytest.mark.parametrize("trouble", [ClipAltered(ATTENTION, 1), OSError(5, "Input/output error")])
def test_a_signal_with_a_rotten_block_is_silent_from_there_on_and_in_every_loop(trouble: Exception) -> None:
    whole = SIGNAL_MS[ATTENTION] * RATE // 1_000
    shelf = Shelf({ATTENTION: whole, "b": 10}, troubles={(ATTENTION, 1): trouble})
    pcm = prefetch(shelf, sound(ATTENTION), sound("b"), sound(ATTENTION), sound("b"))
    good = b"a" * 2 * BLOCK_FRAMES
    silence = bytes(2 * (whole - BLOCK_FRAMES))
    assert drained(pcm) == good + silence + b"b" * 20 + bytes(2 * whole) + b"b" * 20
    assert pcm.trouble is None


def test_a_signal_at_another_rate_is_silence_and_its_file_is_given_back() -> None:
    shelf = Shelf({OPENING: 10, "a": 10}, rates={OPENING: 44_100})
    pcm = prefetch(shelf, sound(OPENING), sound("a"))
    assert drained(pcm) == bytes(2 * 48 * OPENING_MS) + b"a" * 20
    pcm.close()
    fill(pcm)
    assert shelf.open_files == 0


def test_what_is_left_of_a_signal_that_was_never_made_is_as_long_as_it_would_be() -> None:
    pcm = prefetch(Shelf({"a": 10}), Sound(OPENING, OPENING_MS - 1_000, from_ms=1_000), sound("a"))
    assert drained(pcm) == bytes(2 * 48 * (OPENING_MS - 1_000)) + b"a" * 20


def test_a_signal_that_is_left_out_is_told_once_with_what_is_heard_in_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    drained(prefetch(Shelf({"a": 10}), *[sound(OPENING), sound("a")] * 3))
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith(f"signal left out key={OPENING} ")
    assert "silence in its place" in told


def test_a_clip_that_is_played_again_is_opened_once() -> None:
    shelf = Shelf({"a": 10, "b": 10})
    pcm = prefetch(shelf, *[sound("a"), sound("b")] * 20)
    fill(pcm)
    assert shelf.open_files == 2


def test_every_file_is_given_back_when_nobody_listens_any_more() -> None:
    shelf = Shelf({"a": 10_000_000, "b": 10})
    pcm = prefetch(shelf, sound("a"), sound("b"))
    fill(pcm)
    pcm.close()
    fill(pcm)
    assert shelf.open_files == 0


def test_files_opened_before_a_missing_one_are_given_back() -> None:
    shelf = Shelf({"a": 10})
    pcm = prefetch(shelf, sound("a"), sound("missing"))
    fill(pcm)
    pcm.close()
    fill(pcm)
    assert shelf.open_files == 0


# The thread


@pytest.fixture
def shelf() -> Shelf:
    return Shelf({"a": 10_000_000, "b": 10_000_000})


@pytest.fixture
def reader(shelf: Shelf) -> Iterator[Reader]:
    thread = Reader(shelf, RATE)
    yield thread
    shelf.gate.set()
    thread.close(HANG_S)


def play_of(name: str) -> StartPlay:
    return StartPlay(PlayId(name), (sound(name),), (), MonoMs(0))


def eventually(condition) -> bool:  # type: ignore[no-untyped-def]
    until = time.monotonic() + HANG_S
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def test_a_play_that_begins_does_not_wait_for_anothers_whole_store(shelf: Shelf, reader: Reader) -> None:
    shelf.gate.clear()
    one = reader.open(play_of("a"))
    assert eventually(lambda: one.frames is not None)  # the reader hangs in its first block
    two = reader.open(play_of("b"))
    shelf.gate.set()
    assert eventually(two.ready)
    assert "b" in [key for key, _, _ in shelf.reads[:3]]


def test_what_was_taken_is_filled_up_again(shelf: Shelf, reader: Reader) -> None:
    pcm = reader.open(play_of("a"))
    taken = 0
    assert eventually(pcm.ready)
    while taken < 20 * RATE:
        chunk = pcm.take(1_920)
        taken += len(chunk) // 2
        assert chunk or eventually(lambda: pcm.ready())


def test_a_closed_programme_gives_its_files_back_while_others_go_on(shelf: Shelf, reader: Reader) -> None:
    one, two = reader.open(play_of("a")), reader.open(play_of("b"))
    assert eventually(one.ready)
    assert eventually(two.ready)
    one.close()
    assert eventually(lambda: shelf.open_files == 1)
    two.take(4 * RATE)
    assert eventually(lambda: len(two.take(4 * RATE)) > 0)


def test_the_end_of_the_reader_gives_every_file_back(shelf: Shelf, reader: Reader) -> None:
    pcm = reader.open(play_of("a"))
    assert eventually(pcm.ready)
    reader.close(HANG_S)
    assert shelf.open_files == 0


def test_a_read_that_hangs_does_not_hang_the_end(shelf: Shelf, reader: Reader) -> None:
    shelf.gate.clear()
    pcm = reader.open(play_of("a"))
    assert eventually(lambda: pcm.frames is not None)
    reader.close(0.05)
    assert not pcm.ready()
