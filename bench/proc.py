"""Read what the kernel knows of a process: memory, CPU time, wake-ups, bytes written. Parsing is pure.

What would be gone with the process is looked at again and again while it lives (``watching``).

CPU time is the scheduler's own count in nanoseconds (``schedstat``): ``stat`` counts in steps of 10 ms. A wake-up is a
voluntary switch: the task had waited for something and got it.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

PROC = Path("/proc")
KB = 1024
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
NAMED_NUMBER = re.compile(r"^(\w+):\s+(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Memory:
    """Bytes: resident, resident divided by who shares it, and private to nobody's file."""

    rss: int
    pss: int
    anonymous: int

    def __add__(self, other: Memory) -> Memory:
        return Memory(self.rss + other.rss, self.pss + other.pss, self.anonymous + other.anonymous)


@dataclass(frozen=True)
class Work:
    """What a process has done since it began: CPU nanoseconds, wake-ups, bytes it caused to be written to the disk."""

    cpu_ns: int
    wakeups: int
    written: int

    def __add__(self, other: Work) -> Work:
        return Work(self.cpu_ns + other.cpu_ns, self.wakeups + other.wakeups, self.written + other.written)

    def __sub__(self, other: Work) -> Work:
        return Work(self.cpu_ns - other.cpu_ns, self.wakeups - other.wakeups, self.written - other.written)


NO_MEMORY = Memory(0, 0, 0)
NO_WORK = Work(0, 0, 0)


def parse_rollup(text: str) -> Memory:
    """``/proc/PID/smaps_rollup``."""
    numbers = parse_numbers(text)
    return Memory(numbers["Rss"] * KB, numbers["Pss"] * KB, numbers["Anonymous"] * KB)


def parse_numbers(text: str) -> dict[str, int]:
    """Lines of the form ``Name: 123 …``, the first of each name; lines of another form are left out."""
    found: dict[str, int] = {}
    for name, number in NAMED_NUMBER.findall(text):
        found.setdefault(name, int(number))
    return found


def parse_schedstat(text: str) -> int:
    """The first of the three numbers: nanoseconds on a CPU."""
    return int(text.split()[0])


def memory(pid: int) -> Memory:
    """A process's memory now."""
    return parse_rollup((PROC / str(pid) / "smaps_rollup").read_text())


def work(pid: int) -> Work:
    """What a process has done so far. Threads that have ended are not in it: take it of processes that keep theirs."""
    tasks = list((PROC / str(pid) / "task").iterdir())
    cpu_ns = sum(parse_schedstat(text) for text in _texts(tasks, "schedstat"))
    wakeups = sum(parse_numbers(text)["voluntary_ctxt_switches"] for text in _texts(tasks, "status"))
    written = parse_numbers((PROC / str(pid) / "io").read_text())["write_bytes"]
    return Work(cpu_ns, wakeups, written)


def peak(pid: int) -> int:
    """The most that a process ever had resident, in bytes; 0 for one that has just ended."""
    try:
        return parse_numbers((PROC / str(pid) / "status").read_text()).get("VmHWM", 0) * KB
    except (FileNotFoundError, ProcessLookupError):
        return 0


def parse_stat(text: str) -> int:
    """``/proc/PID/stat``: user and system time in ticks, threads that have ended included."""
    # What it is called stands in brackets, and may hold anything.
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def cpu_s(pid: int) -> float:
    """Seconds on a CPU so far, in steps of a tick (10 ms); 0 for a process that has just ended."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text()) / TICKS_A_SECOND
    except (FileNotFoundError, ProcessLookupError):
        return 0


def children(pid: int) -> list[int]:
    """A process's children, and theirs; one that ends meanwhile has none."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for text in _texts((PROC / str(pid) / "task").iterdir(), "children"):
            for child in map(int, text.split()):
                found += [child, *children(child)]
    return found


class Eye(Protocol):
    """What looks once, and keeps what it has seen."""

    def look(self) -> None: ...


AnEye = TypeVar("AnEye", bound=Eye)


@contextlib.contextmanager
def watching(eye: AnEye, every_s: float) -> Iterator[AnEye]:
    """Let it look again and again, in a thread of its own, until this is left."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(every_s):
            eye.look()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield eye
    finally:
        over.set()
        thread.join()


@dataclass
class Children:
    """What the children of some processes, and theirs, have taken when they were last seen.

    ``cpu_s`` is of each child, ``peak`` the most that any of them ever had resident.
    """

    pids: tuple[int, ...]
    cpu_s: dict[int, float] = field(default_factory=dict)
    peak: int = 0

    def look(self) -> None:
        for pid in self.pids:
            for child in children(pid):
                self.cpu_s[child] = max(self.cpu_s.get(child, 0), cpu_s(child))
                self.peak = max(self.peak, peak(child))


def _texts(tasks: Iterable[Path], name: str) -> list[str]:
    """One file of each task; a task that ends meanwhile is left out."""
    texts = []
    for task in tasks:
        try:
            texts.append((task / name).read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue
    return texts
