"""How much memory processes hold together as if nobody else ran: each physical page once, whoever else maps it too.

PSS divides a shared page by everybody who maps it, so on a machine where another Python runs (these measurements are
one) a station looks smaller than it is on a board of its own. The kernel shows page frames to root only.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
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
    descriptor = os.open(folder / "pagemap", os.O_RDONLY)
    try:
        for first, end in parse_maps((folder / "maps").read_text()):
            found |= parse_entries(os.pread(descriptor, (end - first) * ENTRY_BYTES, first * ENTRY_BYTES))
    finally:
        os.close(descriptor)
    return found


def together(pids: Iterable[int]) -> int:
    """Bytes that these processes hold, each page once; 0 where page frames are not shown to us."""
    return len(set().union(*(frames_of(pid) for pid in pids))) * PAGE
