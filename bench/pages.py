"""What processes would weigh on a board where no other Python runs, told from the machine's page frames.

PSS divides a shared page by everybody who maps it. Here other Pythons run (this one is the headend's), so a station
looks smaller than it is on a board of its own; without them, each of its pages is shared by itself and the rest of the
system only. The kernel shows page frames to root only.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
ENTRY_BYTES = 8
PRESENT = 1 << 63
FRAME = (1 << 55) - 1
# Documentation/admin-guide/mm/pagemap.rst
SPECIAL = ("[vsyscall]", "[vvar]", "[vvar_vclock]", "[vdso]")


def parse_maps(text: str) -> list[tuple[int, int]]:
    """First and last page number (exclusive) of every mapping in ``/proc/PID/maps``."""
    spans = []
    for line in text.splitlines():
        if not line.endswith(SPECIAL):
            begin, _, end = line.split(" ", 1)[0].partition("-")
            spans.append((int(begin, 16) // PAGE, int(end, 16) // PAGE))
    return spans


def parse_entries(data: bytes) -> set[int]:
    """The page frames that entries of ``/proc/PID/pagemap`` name; 0 is what those see who may not."""
    entries = struct.unpack(f"={len(data) // ENTRY_BYTES}Q", data)
    return {entry & FRAME for entry in entries if entry & PRESENT} - {0}


def frames_of(pid: int) -> set[int]:
    """Every page frame that a process has in memory; empty for who may not see them."""
    folder = Path(f"/proc/{pid}")
    found: set[int] = set()
    with contextlib.suppress(OSError), open(folder / "pagemap", "rb", buffering=0) as pagemap:  # it may end meanwhile
        for first, end in parse_maps((folder / "maps").read_text()):
            found |= parse_entries(os.pread(pagemap.fileno(), (end - first) * ENTRY_BYTES, first * ENTRY_BYTES))
    return found


@dataclass(frozen=True)
class Weight:
    """Bytes: ``once`` counts each page once, whoever else maps it; ``alone`` is the PSS where no other Python runs."""

    once: int
    alone: int


def other_pythons(pids: Collection[int]) -> Iterator[int]:
    """Every process that runs Python and is none of these."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended, or is the kernel's own
            if int(folder.name) not in pids and Path(os.readlink(folder / "exe")).name.startswith("python"):
                yield int(folder.name)


def weight(pids: Collection[int], strangers: Iterable[int]) -> Weight | None:
    """What these processes hold together where ``strangers`` do not run. None for who may not see page frames."""
    ours = Counter(frame for pid in pids for frame in frames_of(pid))
    if not ours:
        return None
    theirs = Counter(frame for pid in set(strangers) for frame in frames_of(pid))
    return Weight(len(ours) * PAGE, round(shared_out(ours, theirs, _mappings(ours)) * PAGE))


def shared_out(ours: Mapping[int, int], theirs: Mapping[int, int], mappings: Mapping[int, int]) -> float:
    """The pages that fall to us, when each is divided by its mappings less ``theirs``."""
    return sum(mine / max(mappings[frame] - theirs.get(frame, 0), mine) for frame, mine in ours.items())


def _mappings(frames: Iterable[int]) -> dict[int, int]:
    """How many page tables name each page frame."""
    descriptor = os.open("/proc/kpagecount", os.O_RDONLY)
    try:
        entries = {frame: os.pread(descriptor, ENTRY_BYTES, frame * ENTRY_BYTES) for frame in frames}
    finally:
        os.close(descriptor)
    return {frame: struct.unpack("=Q", entry)[0] for frame, entry in entries.items()}
