"""Staged sound comes out as it went in, or not at all."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from edge_agent import plain_file
from edge_agent.audio.clip import (
    BLOCK_BYTES,
    BLOCKS_FILE_BYTES_MAX,
    CLIP_BYTES_MAX,
    FRAME_BYTES,
    LINE_BYTES,
    ClipAltered,
    ClipMissing,
    duration_ms,
)
from edge_agent.audio.confined import available
from edge_agent.audio.pcm_store import PcmStore
from edge_agent.core.units import ClipKey
from tests.host.parts import ABSENT
from tests.in_the_way import IN_THE_WAY, Lay

RATE = 48_000
KEY = ClipKey("a" * 64)
BLOCK_FRAMES = BLOCK_BYTES // FRAME_BYTES


def noise(frames: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(frames * FRAME_BYTES)


def put(store: PcmStore, sound: bytes, key: ClipKey = KEY, pinned: bool = False) -> None:
    with store.writer(key, RATE, pinned=pinned) as writer:
        writer.feed(sound)
        writer.commit()


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def on_a_bad_sector(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """What lies in this file cannot be read from now on; a file that takes its place can."""
    bad = os.stat(path).st_ino
    os.link(path, path.with_suffix(".held"))  # so that none that takes its place gets its number

    class Unreadable(io.FileIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    begin = plain_file.begin

    def opened(name: Path) -> BinaryIO:
        if name.exists() and name.stat().st_ino == bad:
            return cast(BinaryIO, Unreadable(name))
        return begin(name)

    monkeypatch.setattr(plain_file, "begin", opened)


def goes_bad(path: Path) -> None:
    """What is open of this file answers EIO from now on, as the kernel does where a process has no memory."""
    (descriptor,) = (int(fd.name) for fd in Path("/proc/self/fd").iterdir() if fd.exists() and fd.samefile(path))
    with open("/proc/self/mem", "rb", buffering=0) as nowhere:
        os.dup2(nowhere.fileno(), descriptor)


@pytest.fixture
def store(tmp_path: Path) -> PcmStore:
    return PcmStore(tmp_path)


def test_sound_comes_back_as_it_was_fed_whatever_the_chunks(store: PcmStore) -> None:
    sound = noise(3 * BLOCK_FRAMES + 17)
    chunks = random.Random(7)
    with store.writer(KEY, RATE) as writer:
        begin = 0
        while begin < len(sound):
            size = chunks.choice([1, 3, 4_096, BLOCK_BYTES, 100_001])
            writer.feed(sound[begin : begin + size])
            begin += size
        assert writer.commit() == 3 * BLOCK_FRAMES + 17
    with store.open(KEY) as clip:
        assert (clip.rate, clip.frames) == (RATE, 3 * BLOCK_FRAMES + 17)
        assert clip.read(0, clip.frames) == sound


@pytest.mark.parametrize("frames", [1, BLOCK_FRAMES - 1, BLOCK_FRAMES, BLOCK_FRAMES + 1, 2 * BLOCK_FRAMES])
def test_reads_across_block_edges_are_exact(store: PcmStore, frames: int) -> None:
    sound = noise(frames)
    put(store, sound)
    with store.open(KEY) as clip:
        read = b"".join(clip.read(at, 480) for at in range(0, frames, 480))
        assert read == sound
        assert clip.read(frames - 1, 480) == sound[-FRAME_BYTES:]
        assert clip.read(frames, 480) == b""
        clip.verify()


def test_a_started_millisecond_counts() -> None:
    assert [duration_ms(frames, 48_000) for frames in (0, 1, 48, 49, 48_000)] == [0, 1, 1, 2, 1_000]


@pytest.mark.parametrize("at", [0, BLOCK_BYTES - 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 5])
def test_a_flipped_bit_is_found_before_its_block_is_handed_out(store: PcmStore, tmp_path: Path, at: int) -> None:
    put(store, noise(2 * BLOCK_FRAMES + 100))
    flip(tmp_path / "pcm" / f"{KEY}.pcm", at)
    block = at // BLOCK_BYTES
    with store.open(KEY) as clip:
        for good in range(block):
            assert clip.read(good * BLOCK_FRAMES, BLOCK_FRAMES)
        with pytest.raises(ClipAltered) as found:
            clip.read(block * BLOCK_FRAMES, 1)
        assert (found.value.key, found.value.block) == (KEY, block)
        with pytest.raises(ClipAltered):
            clip.verify()


def test_a_file_altered_after_it_was_opened_is_found(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(2 * BLOCK_FRAMES))
    with store.open(KEY) as clip:
        assert clip.read(0, 480)
        with open(tmp_path / "pcm" / f"{KEY}.pcm", "r+b") as file:
            file.seek(BLOCK_BYTES)
            file.write(b"\xff\x7f" * 100)
        with pytest.raises(ClipAltered):
            clip.read(BLOCK_FRAMES, 480)


def test_a_file_cut_after_it_was_opened_is_found(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(2 * BLOCK_FRAMES))
    with store.open(KEY) as clip:
        os.truncate(tmp_path / "pcm" / f"{KEY}.pcm", BLOCK_BYTES + 2)
        with pytest.raises(ClipAltered):
            clip.read(BLOCK_FRAMES, 1)


def test_any_flipped_bit_in_the_digest_list_is_found_at_opening(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(BLOCK_FRAMES + 1))
    blocks = tmp_path / "pcm" / f"{KEY}.blocks"
    for at in range(blocks.stat().st_size):
        flip(blocks, at)
        with pytest.raises(ClipAltered) as found:
            store.open(KEY)
        assert found.value.block is None
        flip(blocks, at)
    store.open(KEY).close()


@pytest.mark.parametrize("size", [0, 2, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_a_clip_of_another_length_is_found_at_opening(store: PcmStore, tmp_path: Path, size: int) -> None:
    put(store, noise(BLOCK_FRAMES + 1))
    os.truncate(tmp_path / "pcm" / f"{KEY}.pcm", size)
    with pytest.raises(ClipAltered):
        store.open(KEY)


@pytest.mark.parametrize("lines", [b"no digest\n", b"\xcc" * 64 + b"\n", b"AB" * 32 + b"\n", b"ab" * 33 + b"\n"])
def test_a_list_that_somebody_else_sealed_is_an_altered_clip(store: PcmStore, tmp_path: Path, lines: bytes) -> None:
    put(store, noise(1))
    body = b"48000 1\n" + lines
    (tmp_path / "pcm" / f"{KEY}.blocks").write_bytes(body + hashlib.sha256(body).hexdigest().encode() + b"\n")
    with pytest.raises(ClipAltered):
        store.open(KEY)


@pytest.mark.parametrize("size", [0, 1, 10, 65, 66, 131])
def test_a_cut_digest_list_is_found_at_opening(store: PcmStore, tmp_path: Path, size: int) -> None:
    put(store, noise(BLOCK_FRAMES + 1))
    os.truncate(tmp_path / "pcm" / f"{KEY}.blocks", size)
    with pytest.raises(ClipAltered):
        store.open(KEY)


def test_a_digest_list_on_a_bad_sector_is_an_altered_clip_and_says_what_the_card_said(
    store: PcmStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, noise(1))
    on_a_bad_sector(monkeypatch, tmp_path / "pcm" / f"{KEY}.blocks")
    with pytest.raises(ClipAltered, match=os.strerror(errno.EIO)) as found:
        store.open(KEY)
    assert (found.value.key, found.value.block) == (KEY, None)


@pytest.mark.parametrize("suffix", [".blocks", ".pcm"])
@pytest.mark.parametrize("lay", IN_THE_WAY)
def test_what_an_agent_that_was_taken_over_lays_in_a_clips_place_keeps_no_reader_waiting(
    store: PcmStore, tmp_path: Path, suffix: str, lay: Lay
) -> None:
    """It writes there, the device process reads: a reader that stands still would stay so when the agent is itself."""
    put(store, noise(1))
    with lay(tmp_path / "pcm" / f"{KEY}{suffix}"), pytest.raises(ClipAltered):
        store.open(KEY)
    put(store, noise(1))  # staged anew, it is a clip again
    store.open(KEY).close()


def test_sound_on_a_bad_sector_is_an_altered_clip_and_says_what_the_card_said(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(1))
    with store.open(KEY) as clip:
        goes_bad(tmp_path / "pcm" / f"{KEY}.pcm")
        with pytest.raises(ClipAltered, match=os.strerror(errno.EIO)) as found:
            clip.verify()
    assert (found.value.key, found.value.block) == (KEY, 0)


def test_nothing_is_seen_before_the_commit(store: PcmStore, tmp_path: Path) -> None:
    with store.writer(KEY, RATE) as writer:
        writer.feed(noise(100))
        with pytest.raises(ClipMissing):
            store.open(KEY)
    with pytest.raises(ClipMissing):
        store.open(KEY)
    assert list((tmp_path / "pcm").iterdir()) == []


def test_an_aborted_rewriting_leaves_the_old_clip(store: PcmStore) -> None:
    put(store, noise(100, seed=1))
    with store.writer(KEY, RATE) as writer:
        writer.feed(noise(200, seed=2))
    with store.open(KEY) as clip:
        assert clip.read(0, 1_000) == noise(100, seed=1)


def test_a_committed_rewriting_replaces_the_clip_but_not_under_its_player(store: PcmStore) -> None:
    put(store, noise(BLOCK_FRAMES + 5, seed=1))
    with store.open(KEY) as playing:
        put(store, noise(50, seed=2))
        assert playing.read(0, playing.frames) == noise(BLOCK_FRAMES + 5, seed=1)
    with store.open(KEY) as clip:
        assert clip.read(0, 1_000) == noise(50, seed=2)


def test_power_lost_between_the_two_files_leaves_no_clip_and_is_swept(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(100))
    (tmp_path / "pcm" / f"{KEY}.blocks").unlink()
    (tmp_path / "pinned").mkdir()
    (tmp_path / "pinned" / "attention.0000.part").write_bytes(b"half")
    with pytest.raises(ClipMissing):
        store.open(KEY)
    assert store.sweep() == 2
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []


def test_sweeping_leaves_whole_clips(store: PcmStore) -> None:
    put(store, noise(100))
    put(store, noise(100), ClipKey("attention"), pinned=True)
    assert store.sweep() == 0
    store.open(KEY).close()
    store.open(ClipKey("attention")).close()


def spoiled(path: Path) -> Path:
    """An entry that its file system will neither delete nor read, as a power cut leaves some."""
    path.mkdir()
    (path / "inode").touch()
    return path


def unreadable(path: Path) -> None:
    """Even to look at it is refused: it leads to itself."""
    path.unlink()
    path.symlink_to(path)


def test_a_leftover_that_cannot_be_removed_keeps_no_station_from_starting(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(100))
    spoiled(tmp_path / "pcm" / "a.0000.pcm.part")
    (tmp_path / "pcm" / "b.0000.pcm.part").write_bytes(b"half")
    spoiled(tmp_path / "pcm" / "c.pcm")
    assert store.sweep() == 1
    assert not (tmp_path / "pcm" / "b.0000.pcm.part").exists()
    store.open(KEY).close()


def cannot_be_listed(folder: Path, pattern: str) -> Iterator[Path]:
    """As Python 3.11 has it; a later one passes over such a folder by itself."""
    raise OSError(errno.EIO, "Input/output error", str(folder))


def test_a_folder_that_a_worn_card_does_not_read_keeps_no_station_from_starting(
    store: PcmStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    put(store, noise(100))
    monkeypatch.setattr(Path, "glob", cannot_be_listed)
    assert store.sweep() == 0
    (line,) = caplog.messages
    assert "Input/output error" in line
    store.open(KEY).close()


def test_a_leftover_is_known_by_its_name_alone(store: PcmStore, tmp_path: Path) -> None:
    put(store, noise(100))
    unreadable(tmp_path / "pcm" / f"{KEY}.blocks")
    assert store.sweep() == 0
    assert (tmp_path / "pcm" / f"{KEY}.pcm").exists()


def test_what_lies_pinned_is_written_anew_where_it_lies(store: PcmStore, tmp_path: Path) -> None:
    """Its rotten copy would be found first, however good the other is."""
    put(store, noise(1_000), pinned=True)
    (tmp_path / "pinned" / f"{KEY}.pcm").write_bytes(bytes(2_000))
    put(store, noise(1_000))
    with store.open(KEY) as clip:
        assert clip.read(0, clip.frames) == noise(1_000)
    assert store.sizes() == {}


def test_what_is_unpinned_is_gone(store: PcmStore) -> None:
    put(store, noise(100), pinned=True)
    assert store.pinned() == {KEY}
    store.unpin(KEY)
    assert store.pinned() == set()
    with pytest.raises(ClipMissing):
        store.open(KEY)


def three_clips(store: PcmStore, root: Path) -> list[ClipKey]:
    keys = [ClipKey(letter * 64) for letter in "cab"]
    for age, key in enumerate(keys):
        put(store, noise(1_000), key)
        os.utime(root / "pcm" / f"{key}.blocks", (1_000 + age, 1_000 + age))
    return keys


def test_eviction_takes_the_longest_unused_first(store: PcmStore, tmp_path: Path) -> None:
    oldest, middle, newest = three_clips(store, tmp_path)
    assert list(store.sizes()) == [oldest, middle, newest]
    store.touch(oldest)
    assert store.evict_to(4_000, set()) == (middle,)
    assert store.sizes() == {newest: 2_000, oldest: 2_000}


def test_eviction_never_takes_what_is_kept_or_pinned(store: PcmStore, tmp_path: Path) -> None:
    oldest, middle, newest = three_clips(store, tmp_path)
    put(store, noise(1_000), ClipKey("attention"), pinned=True)
    assert store.evict_to(0, {oldest, newest}) == (middle,)
    assert store.evict_to(0, {oldest, newest}) == ()
    assert ClipKey("attention") not in store.sizes()
    assert store.evict_to(0, set()) == (oldest, newest)
    store.open(ClipKey("attention")).close()


def test_a_clip_that_cannot_be_removed_keeps_no_other(
    store: PcmStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    oldest, middle, newest = three_clips(store, tmp_path)
    (tmp_path / "pcm" / f"{oldest}.blocks").unlink()
    os.utime(spoiled(tmp_path / "pcm" / f"{oldest}.blocks"), (1_000, 1_000))
    assert list(store.sizes()) == [oldest, middle, newest]
    assert store.evict_to(0, {newest}) == (middle,)
    (line,) = caplog.messages
    assert "count=1" in line
    assert f"{oldest}.blocks" in line


def test_a_clip_whose_entry_is_spoiled_keeps_no_other(store: PcmStore, tmp_path: Path) -> None:
    oldest, *others = three_clips(store, tmp_path)
    unreadable(tmp_path / "pcm" / f"{oldest}.blocks")
    assert store.evict_to(0, set()) == tuple(others)


NO_KEYS = ["._abc", "ABC", "abc def", "ab\udcffc", "a" * 65]
# Of a Mac that looked at the card; a flipped bit; a stranger's; no UTF-8; longer than a key.


@pytest.mark.parametrize("pinned", [True, False])
@pytest.mark.parametrize("name", NO_KEYS)
def test_a_file_whose_name_is_no_clips_ends_no_eviction_and_goes_with_the_leftovers(
    store: PcmStore, tmp_path: Path, name: str, pinned: bool
) -> None:
    with store.writer(KEY, 48_000, pinned=pinned) as writer:
        writer.feed(bytes(100))
        writer.commit()
    folder = tmp_path / ("pinned" if pinned else "pcm")
    for suffix in (".blocks", ".pcm"):
        (folder / f"{name}{suffix}").write_bytes(b"x")
    assert store.pinned() == ({KEY} if pinned else set())
    assert store.evict_to(0, set()) == (() if pinned else (KEY,))
    assert store.sweep() == 2
    assert [path.stem for path in folder.iterdir()] == ([KEY] * 2 if pinned else [])


def test_an_evicted_clip_stays_readable_to_its_player(store: PcmStore) -> None:
    put(store, noise(BLOCK_FRAMES * 2))
    with store.open(KEY) as clip:
        store.evict_to(0, set())
        assert clip.read(0, clip.frames) == noise(BLOCK_FRAMES * 2)


def test_a_key_that_would_leave_the_folder_is_refused(store: PcmStore, tmp_path: Path) -> None:
    for key in ("../x", "a/b", "", ".", "A" * 64, "a" * 65, "a\n"):
        with pytest.raises(ValueError, match="not a clip key"):
            store.open(ClipKey(key))
        with pytest.raises(ValueError, match="not a clip key"):
            store.writer(ClipKey(key), RATE)


def test_a_reader_creates_nothing(tmp_path: Path) -> None:
    store = PcmStore(tmp_path / "none")
    with pytest.raises(ClipMissing):
        store.open(KEY)
    store.touch(KEY)
    assert store.sizes() == {}
    assert store.evict_to(0, set()) == ()
    assert store.sweep() == 0
    assert not (tmp_path / "none").exists()


def test_a_long_clip_costs_its_digests_and_one_block_of_memory(store: PcmStore) -> None:
    minutes = 10
    put_minute = noise(RATE * 60)
    tracemalloc.start()
    try:
        with store.writer(KEY, RATE) as writer:
            for _ in range(minutes):
                writer.feed(put_minute)
            writer.commit()
        with store.open(KEY) as clip:
            for at in range(0, clip.frames, 4_800):
                clip.read(at, 4_800)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 600_000, peak  # the clip itself is 57.6 MB


def test_the_longest_digest_list_fits_its_cap() -> None:
    assert len(f"48000 {CLIP_BYTES_MAX // FRAME_BYTES}\n") + (CLIP_BYTES_MAX // BLOCK_BYTES + 2) * LINE_BYTES <= (
        BLOCKS_FILE_BYTES_MAX
    )


def test_a_disk_that_lets_nothing_go_hides_no_trouble_and_keeps_no_descriptor(store: PcmStore, tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))

    def cut_short() -> None:
        with store.writer(KEY, RATE) as writer:
            writer.feed(noise(100))
            for part in [*tmp_path.rglob("*.part")]:
                part.unlink()
                spoiled(part)
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with pytest.raises(OSError, match="Read-only"):
        cut_short()
    assert set(os.listdir("/proc/self/fd")) <= before
    assert [*tmp_path.rglob("*.part")], "it was really kept"


FILL_A_SMALL_DISK = """
import sys
from pathlib import Path
from edge_agent.audio.pcm_store import PcmStore
store = PcmStore(Path(sys.argv[1]))
try:
    with store.writer("a" * 64, 48_000) as writer:
        for _ in range(1_000):
            writer.feed(bytes(999))
        writer.commit()
except OSError as exc:
    print(exc.errno, [path.name for path in Path(sys.argv[1]).rglob("*") if path.is_file()])
"""


@pytest.mark.host
@pytest.mark.skipif(not available("/usr/bin/bwrap"), reason=f"{ABSENT}bubblewrap, which makes a small disk")
def test_a_full_disk_is_an_error_and_leaves_nothing_behind(tmp_path: Path) -> None:
    disk = ["/usr/bin/bwrap", "--bind", "/", "/", "--size", "500000", "--tmpfs", str(tmp_path)]
    script = [sys.executable, "-c", FILL_A_SMALL_DISK, str(tmp_path)]
    said = subprocess.run([*disk, *script], check=True, capture_output=True, text=True, timeout=120).stdout
    assert said == f"{errno.ENOSPC} []\n"
