"""The ring between two processes: whole blocks or none, only what is young, and a new ring in place of an old one."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

from edge_agent.audio.live import BLOCK_MS, OLDEST_MS, block_frames
from edge_agent.audio.live_ring import BLOCKS, HEAD, TIMES, LiveRing, RingReader
from edge_agent.boot_time import boot_ms
from edge_agent.core.units import ClipKey

RATE = 8_000
BYTES = 2 * block_frames(RATE)
KEY = ClipKey("a" * 64)
HANG_S = 30


class Clock:
    """Boot time in ms, as a test wants it."""

    def __init__(self, ms: int = 1_000_000) -> None:
        self.ms = ms

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ring(tmp_path: Path, clock: Clock) -> LiveRing:
    return LiveRing(tmp_path / "live", RATE, clock)


def block(number: int) -> bytes:
    return number.to_bytes(2, "little") * block_frames(RATE)


def file_of(ring: LiveRing) -> Path:
    return ring._path(KEY)


def numbered(reader: RingReader) -> list[int]:
    """Which block each number that is there brings, by its content."""
    return [int.from_bytes((reader.read(number) or b"")[:2], "little") for number in reader.there()]


def test_sound_of_any_length_becomes_blocks_in_order(ring: LiveRing) -> None:
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        sound = b"".join(map(block, range(5)))
        for at in range(0, len(sound) - 1, 333):
            writer.feed(sound[at : at + 333])
        writer.feed(block(5)[:7])
        assert reader.there() == range(5)
        assert b"".join(reader.read(number) or b"" for number in range(5)) == sound


def test_without_a_ring_there_is_nothing_until_one_is_begun(ring: LiveRing) -> None:
    reader = ring.reader(KEY)
    assert not reader.there()
    assert reader.read(0) is None
    with ring.writer(KEY) as writer:
        assert not reader.there()
        writer.feed(block(0))
        assert (reader.there(), reader.read(0), reader.read(1)) == (range(1), block(0), None)


def test_a_reader_that_comes_late_or_looks_seldom_finds_the_newest(ring: LiveRing) -> None:
    with ring.writer(KEY) as writer:
        early = ring.reader(KEY)
        for number in range(3 * BLOCKS + 7):
            writer.feed(block(number))
            if number in (3, BLOCKS - 1):
                assert early.there().stop == number + 1
        expected = range(2 * BLOCKS + 7, 3 * BLOCKS + 7)
        assert early.there() == ring.reader(KEY).there() == expected
        assert numbered(early) == list(expected)


def test_to_have_slept_for_hours_costs_no_more_than_to_begin(ring: LiveRing, monkeypatch: pytest.MonkeyPatch) -> None:
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        reader.there()
        for number in range(10 * BLOCKS):
            writer.feed(block(number % 1_000))
        as_it_is, reads = os.pread, []

        def counted(file: int, length: int, at: int) -> bytes:
            reads.append(at)
            return as_it_is(file, length, at)

        monkeypatch.setattr(os, "pread", counted)
        assert reader.there() == range(9 * BLOCKS, 10 * BLOCKS)
        assert len(reads) <= BLOCKS + 2
        reads.clear()
        reader.there()
        assert len(reads) <= 2


def test_an_overwritten_block_is_none(ring: LiveRing) -> None:
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        for number in range(BLOCKS):
            writer.feed(block(number))
        assert (reader.there().start, reader.read(0)) == (0, block(0))
        writer.feed(block(BLOCKS))
        assert reader.read(0) is None
        assert reader.there() == range(1, BLOCKS + 1)


@pytest.mark.parametrize("at", [8, 12, HEAD.size, HEAD.size + BYTES - 1])
def test_a_torn_block_is_none_and_its_neighbours_are_whole(ring: LiveRing, at: int) -> None:
    with ring.writer(KEY) as writer:
        for number in range(3):
            writer.feed(block(number + 1))
        with open(file_of(ring), "r+b") as file:
            file.seek(1 * (HEAD.size + BYTES) + at)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 1]))
        reader = ring.reader(KEY)
        reader.there()
        assert [reader.read(number) for number in range(3)] == [block(1), None, block(3)]


def test_half_a_number_leads_nobody_astray(ring: LiveRing) -> None:
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        writer.feed(block(0))
        assert reader.there() == range(1)
        with open(file_of(ring), "r+b") as file:
            file.seek(HEAD.size + BYTES)
            file.write(b"\xff\xff")
        assert reader.there() == range(1)
        assert ring.reader(KEY).there() == range(1)
        writer.feed(block(1))
        assert reader.there() == range(2)


def test_a_block_has_its_number_only_when_its_sound_is_whole(ring: LiveRing, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever write the writer dies or is overtaken: what has a number can be read."""
    found = []
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        as_it_is = os.pwrite

        def watched(file: int, data: bytes, at: int) -> int:
            written = as_it_is(file, data, at)
            found.append([reader.read(number) for number in reader.there()])
            return written

        monkeypatch.setattr(os, "pwrite", watched)
        writer.feed(block(7))
        writer.feed(block(8))
    assert found[-1] == [block(7), block(8)]
    assert len(found) == 4
    assert all(sound is not None for sounds in found for sound in sounds)


def test_what_is_too_old_to_be_live_is_not_there(ring: LiveRing, clock: Clock) -> None:
    """A writer that was killed leaves its ring behind."""
    writer = ring.writer(KEY)
    reader = ring.reader(KEY)
    for number in range(10):
        writer.feed(block(number))
        clock.ms += BLOCK_MS
    clock.ms += OLDEST_MS - 5 * BLOCK_MS
    assert reader.there() == range(5, 10)
    clock.ms += 10 * BLOCK_MS
    assert not reader.there()
    assert not ring.reader(KEY).there()
    writer.feed(block(10))
    assert reader.there() == range(10, 11)


def test_the_end_of_the_times_that_fit_in_a_block_makes_nothing_old(ring: LiveRing, clock: Clock) -> None:
    clock.ms = 3 * TIMES - 5 * BLOCK_MS
    with ring.writer(KEY) as writer:
        for number in range(10):
            writer.feed(block(number))
            clock.ms += BLOCK_MS
        assert ring.reader(KEY).there() == range(10)


def test_a_restarted_writer_is_found_and_its_numbers_go_on_behind_a_hole(ring: LiveRing) -> None:
    old = ring.writer(KEY)
    reader = ring.reader(KEY)
    for number in range(20):
        old.feed(block(number))
    assert reader.there() == range(20)
    with ring.writer(KEY) as new:
        assert reader.there() == range(21, 21)
        for number in range(100, 150):
            new.feed(block(number))
        assert reader.there() == range(21, 71)
        assert numbered(reader) == list(range(100, 150))
        assert reader.read(19) is None
        with ring.writer(KEY) as third:
            third.feed(block(9))
            assert (reader.there(), reader.read(72)) == (range(72, 73), block(9))


def test_what_an_ended_writer_laid_down_can_still_be_read(ring: LiveRing) -> None:
    with ring.writer(KEY) as writer:
        reader = ring.reader(KEY)
        writer.feed(block(0) + block(1))
        assert reader.there() == range(2)
    assert (reader.there(), reader.read(1)) == (range(2), block(1))
    assert not ring.reader(KEY).there()


def test_a_writer_that_was_replaced_does_not_take_the_new_ring_away(ring: LiveRing) -> None:
    old = ring.writer(KEY)
    with ring.writer(KEY) as new:
        old.close()
        new.feed(block(3))
        assert numbered(ring.reader(KEY)) == [3]
    assert not file_of(ring).exists()


def test_a_ring_of_another_rate_is_not_read(ring: LiveRing, tmp_path: Path, clock: Clock) -> None:
    other = LiveRing(tmp_path / "live", 2 * RATE, clock)
    reader = ring.reader(KEY)
    with other.writer(KEY) as writer:
        writer.feed(block(0) * 4)
        assert not reader.there()
    with ring.writer(KEY) as writer:
        writer.feed(block(5))
        assert numbered(reader) == [5]


def test_what_is_no_ring_keeps_nobody_waiting(ring: LiveRing) -> None:
    file_of(ring).parent.mkdir()
    os.mkfifo(file_of(ring))
    found: list[range] = []
    thread = threading.Thread(target=lambda: found.append(ring.reader(KEY).there()), daemon=True)
    thread.start()
    thread.join(HANG_S)
    assert found == [range(0)]


def test_every_file_is_given_back(ring: LiveRing) -> None:
    before = set(os.listdir("/proc/self/fd"))
    reader = ring.reader(KEY)
    for _ in range(3):
        with ring.writer(KEY) as writer:
            writer.feed(block(0))
            reader.there()
    reader.close()
    reader.close()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_where_there_is_no_room_nothing_is_left_behind(ring: LiveRing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = set(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space"):
        ring.writer(KEY)
    assert list(file_of(ring).parent.iterdir()) == []
    assert set(os.listdir("/proc/self/fd")) <= before


def test_a_ring_has_all_its_memory_from_the_beginning(ring: LiveRing) -> None:
    with ring.writer(KEY):
        found = file_of(ring).stat()
    assert found.st_blocks * 512 >= found.st_size == BLOCKS * (HEAD.size + BYTES)


def test_others_than_the_group_see_nothing(ring: LiveRing) -> None:
    """The agent's unit has UMask=0027; the device process is a member of its group."""
    with ring.writer(KEY):
        assert file_of(ring).stat().st_mode & 0o777 == 0o640
        assert file_of(ring).parent.stat().st_mode & 0o777 == 0o750


def test_another_user_of_the_group_may_read_it_and_nobody_else() -> None:
    """The agent writes, the device process reads: two users, one group, the agent's UMask=0027."""
    if os.geteuid() != 0:
        pytest.skip("only root may be others")
    agent, device, group, stranger = 61_001, 61_002, 61_003, 61_004
    with tempfile.TemporaryDirectory() as made:
        os.chmod(made, 0o755)
        ring = LiveRing(Path(made) / "live", RATE)
        before = os.umask(0o027)
        try:
            writer = ring.writer(KEY)
        finally:
            os.umask(before)
        with writer:
            for path in (file_of(ring).parent, file_of(ring)):
                os.chown(path, agent, group)
            assert read_by(device, group, file_of(ring))
            assert not read_by(stranger, stranger, file_of(ring))


def read_by(user: int, group: int, file: Path) -> bool:
    done = subprocess.run(["/bin/cat", file], user=user, group=group, extra_groups=[], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.parametrize("key", ["../x", "a/b", "", "A"])
def test_only_a_key_becomes_a_file_name(ring: LiveRing, key: str) -> None:
    with pytest.raises(ValueError, match="not a clip key"):
        ring.reader(ClipKey(key))


WRITER = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from edge_agent.audio.live_ring import LiveRing
    folder, rate, key, blocks = Path(sys.argv[1]), *map(int, sys.argv[2:3]), sys.argv[3], int(sys.argv[4])
    with LiveRing(folder, rate).writer(key) as writer:
        print("begun", flush=True)
        sys.stdin.readline()
        for number in range(blocks):
            writer.feed((number % 251).to_bytes(2, "little") * (rate // 10))
        print("done", flush=True)
        sys.stdin.readline()
    """
)


def test_between_two_processes_no_half_block_is_read_though_the_writer_laps_the_reader(tmp_path: Path) -> None:
    """As fast as it can, hundreds of rounds: most reads meet a slot that is being written."""
    ring, blocks = LiveRing(tmp_path / "live", RATE), 100 * BLOCKS
    command = [sys.executable, "-c", WRITER, str(tmp_path / "live"), str(RATE), KEY, str(blocks)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        guard = threading.Timer(HANG_S, process.kill)
        guard.start()
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        reader, last, read, lost = ring.reader(KEY), -1, 0, 0
        reader.there()
        process.stdin.write("go\n")
        process.stdin.flush()
        while last < blocks - 1 and process.poll() is None:
            there = reader.there()
            for number in range(max(there.start, last + 1), there.stop):
                sound = reader.read(number)
                read, lost, last = read + (sound is not None), lost + (sound is None), number
                assert sound in (None, (number % 251).to_bytes(2, "little") * block_frames(RATE))
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.wait(HANG_S) == 0
        guard.cancel()
    assert read > BLOCKS
    assert last == blocks - 1


def test_by_default_the_time_is_that_since_boot(tmp_path: Path) -> None:
    ring = LiveRing(tmp_path, RATE)
    with ring.writer(KEY) as writer:
        before = boot_ms()
        writer.feed(block(0))
        _, _, laid_at = HEAD.unpack(file_of(ring).read_bytes()[: HEAD.size])
    assert 0 <= (laid_at - before) % TIMES < HANG_S * 1_000
