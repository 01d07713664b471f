"""Small disks of the kernel's own, in memory, with real file systems: made, mounted, made to fail, and written down.

Every one is a context manager that leaves nothing behind. What a disk's failures and logs mean is for the tests.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

SECTOR_BYTES = 512
BLOCK_BYTES = 4_096
JOURNAL_MB = 4
# Of ext4; smaller than mkfs would choose, so that it comes round within a day's writes.
MS_RDONLY, MS_REMOUNT = 1, 32  # mount(2)
FIBMAP = 1
# The block of the disk on which a block of a file lies.
ENV = os.environ | {"DM_DISABLE_UDEV": "1", "PATH": f"/usr/sbin:/sbin:{os.environ.get('PATH', '/usr/bin:/bin')}"}
# Nobody answers for udev on the bench, and the tools would wait for it.

LIBC = ctypes.CDLL(None, use_errno=True)


def on_a_bench() -> bool:
    """Whether this is a bench; on one without such disks whoever asks for them fails."""
    return "BENCH_RIG" in os.environ


def told(*command: str) -> str:
    """What it said. An error of a tool is the bench's own."""
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()


def blank(image: Path, bytes_: int, *, journalled: bool = True) -> Path:
    """A disk with an empty ext4 on it, in a file."""
    with open(image, "wb") as file:
        file.truncate(bytes_)
    kind = ["-J", f"size={JOURNAL_MB}"] if journalled else ["-O", "^has_journal"]
    at_once = "nodiscard,lazy_itable_init=0,lazy_journal_init=1"  # the file is of zeros already
    told("mkfs.ext4", "-q", "-F", "-b", str(BLOCK_BYTES), "-m", "0", "-E", at_once, *kind, str(image))
    return image


def copied(image: Path, to: Path) -> Path:
    """The same disk once more; holes stay holes."""
    told("cp", "--sparse=always", str(image), str(to))
    return to


def refill(image: BinaryIO, source: BinaryIO) -> None:
    """Make one disk what the other is, as ``copied`` does, in place: a loop device may lie on it, mounted nowhere."""
    size = os.fstat(source.fileno()).st_size
    image.truncate(0)
    image.truncate(size)
    end = 0
    with contextlib.suppress(OSError):  # no data behind the last hole
        while end < size:
            begin = os.lseek(source.fileno(), end, os.SEEK_DATA)
            end = os.lseek(source.fileno(), begin, os.SEEK_HOLE)
            os.pwrite(image.fileno(), os.pread(source.fileno(), end - begin, begin), begin)


@contextlib.contextmanager
def looped(image: Path) -> Iterator[str]:
    """The file as a disk of the kernel's."""
    device = told("losetup", "--find", "--show", str(image))
    try:
        yield device
    finally:
        told("losetup", "--detach", device)


@contextlib.contextmanager
def mounted(device: str, folder: Path) -> Iterator[Path]:
    """Its file system; the kernel replays the file system's journal here, as after any power cut."""
    folder.mkdir(exist_ok=True)
    # By the system's own call: the tools take ten times as long, and some tests mount a thousand times.
    _checked(LIBC.mount(os.fsencode(device), os.fsencode(folder), b"ext4", 0, None), "mount", device)
    try:
        yield folder
    finally:
        _checked(LIBC.umount2(os.fsencode(folder), 0), "umount", device)


def remounted(folder: Path, *, read_only: bool) -> None:
    """What is mounted there takes nothing more, as the kernel leaves a card that fails; or takes it again."""
    flags = MS_REMOUNT | (MS_RDONLY if read_only else 0)
    _checked(LIBC.mount(None, os.fsencode(folder), None, flags, None), "remount", str(folder))


def _checked(status: int, what: str, device: str) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what} {device}: {os.strerror(number)}")


@contextlib.contextmanager
def mapped(name: str, table: str) -> Iterator[Mapped]:
    """A disk by a table of the device mapper, of one line for the whole of it without its sectors."""
    disk = Mapped(name)
    told("dmsetup", "create", name, "--table", table)
    try:
        yield disk
    finally:
        told("dmsetup", "remove", "--retry", name)


@dataclass(frozen=True, slots=True)
class Mapped:
    """A disk of the device mapper."""

    name: str

    @property
    def path(self) -> str:
        return f"/dev/mapper/{self.name}"

    def message(self, *words: str) -> None:
        told("dmsetup", "message", self.name, "0", *words)

    def become(self, table: str) -> None:
        """Another disk at once, under whoever uses it; nothing is synced for that."""
        told("dmsetup", "suspend", "--nolockfs", "--noflush", self.name)
        told("dmsetup", "load", self.name, "--table", table)
        told("dmsetup", "resume", self.name)


def sectors(device: str) -> int:
    return int(told("blockdev", "--getsz", device))


def sound_table(device: str) -> str:
    return f"0 {sectors(device)} linear {device} 0"


def refusing_table(device: str) -> str:
    """Every write ends in an error; reads are answered."""
    return f"0 {sectors(device)} flakey {device} 0 0 60 1 error_writes"


def dust_table(device: str) -> str:
    """Sound until a block of BLOCK_BYTES is said to be bad (``addbadblock``); none can be read once ``enable``d."""
    return f"0 {sectors(device)} dust {device} 0 {BLOCK_BYTES}"


def log_table(device: str, log: str) -> str:
    """Every write goes to ``device``, and is written down in ``log``."""
    return f"0 {sectors(device)} log-writes {device} {log}"


def block_of(file: Path, at: int) -> int:
    """The block of the disk on which byte ``at`` of a file lies; 0 where it lies on none yet."""
    with open(file, "rb") as opened:
        answer = fcntl.ioctl(opened.fileno(), FIBMAP, struct.pack("i", at // BLOCK_BYTES))
    return int(struct.unpack("i", answer)[0])


def forget_pages() -> None:
    """What the kernel has in memory of any file is read from the disk again."""
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3")
