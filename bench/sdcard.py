"""A disk of the station's own, so that every block it causes to be written can be counted: a file, mounted as ext4."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SIZE_BYTES = 1_500_000_000
# Sparse. The station wants an hour of sound free beside the reserve.
SECTOR_BYTES = 512
# Documentation/block/stat.rst: always this unit, whatever the disk's own is.
SECTORS_WRITTEN = 6


@dataclass(frozen=True)
class Card:
    """Where it is mounted, and the block device behind it."""

    folder: Path
    device: str

    def written(self) -> int:
        """Bytes written to the device so far, the file system's own journal included."""
        os.sync()
        return parse_written(Path(f"/sys/block/{Path(self.device).name}/stat").read_text())


def parse_written(stat: str) -> int:
    """``/sys/block/*/stat``."""
    return int(stat.split()[SECTORS_WRITTEN]) * SECTOR_BYTES


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[Card | None]:
    """The disk, mounted in ``folder`` as the station's image mounts it (noatime); None where that cannot be done."""
    image = folder / "card.img"
    place = folder / "card"
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(SIZE_BYTES)
    try:
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))
        _run("mount", "-o", "loop,noatime", str(image), str(place))
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield Card(place, _run("findmnt", "-n", "-o", "SOURCE", str(place)).strip())
    finally:
        _run("umount", str(place))


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    return done.stdout
