"""How fast records and jobs become durable on this machine's disk, one by one and in the groups that the agent makes.

Beside it the floor: as many bytes appended to a plain file, each followed by ``fdatasync``.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

from bench.figures import Figure, Section, median, percentile
from edge_agent.journal.record import body_of
from edge_agent.journal.store import Store
from edge_agent.journal_worker import BATCH_MAX
from tests.journal.samples import ORIGIN, record_of, save_job, save_mark

SECONDS, SECONDS_QUICK = 3.0, 0.7
GROUPS = (1, 10, BATCH_MAX)


def measure(quick: bool) -> Section:
    """Each kind for some seconds."""
    seconds = SECONDS_QUICK if quick else SECONDS
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        figures = [*_floor(Path(folder), seconds), *_store(Path(folder), seconds)]
    how = f"SQLite, write-ahead log, synchronous FULL, records of {_record_bytes()} bytes; {_disk()}"
    return Section("Journal", how, tuple(figures))


def _floor(folder: Path, seconds: float) -> Iterator[Figure]:
    block = bytes(_record_bytes())
    with open(folder / "plain", "ab", buffering=0) as file:

        def append() -> None:
            file.write(block)
            os.fdatasync(file.fileno())

        yield from _figures("append and fdatasync of a plain file", _repeat(append, seconds), 1)


def _store(folder: Path, seconds: float) -> Iterator[Figure]:
    store = Store(folder / "journal", ORIGIN)
    number = count()
    for group in GROUPS:

        def append(group: int = group) -> None:
            store.begin()
            for _ in range(group):
                store.append(record_of(f"job-{next(number)}"), None, job_over=True)
            store.commit()

        yield from _figures(f"append and commit, {group} a group", _repeat(append, seconds), group)

    def job() -> None:
        name = f"job-{next(number)}"
        store.begin()
        store.save_job(save_job(name))
        store.commit()
        store.begin()
        store.save_mark(save_mark(name))
        store.commit()

    yield from _figures("save a job, then its intent (two commits)", _repeat(job, seconds), 1)
    store.close()


def _repeat(write: Callable[[], None], seconds: float) -> list[float]:
    """Milliseconds of each go."""
    taken = []
    until = time.monotonic() + seconds
    while (begun := time.monotonic()) < until:
        write()
        taken.append((time.monotonic() - begun) * 1e3)
    return taken


def _figures(name: str, taken: list[float], group: int) -> tuple[Figure, ...]:
    among = f"{len(taken)} goes"
    return (
        Figure(name, group * len(taken) * 1e3 / sum(taken), "/s", None, among, "rate"),
        Figure(name, median(taken), "ms", None, among, "median"),
        Figure(name, percentile(taken, 99), "ms", None, among, "p99"),
    )


def _record_bytes() -> int:
    return len(body_of(record_of(), ORIGIN))


def _disk() -> str:
    """What /var/tmp lies on, as the kernel's table of mounts says."""
    mounts = [line.split()[:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    device, _, kind = max((one for one in mounts if Path("/var/tmp").is_relative_to(one[1])), key=lambda one: one[1])
    return f"{kind} on {device}"
