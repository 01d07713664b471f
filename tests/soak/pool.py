"""Play lives on all cores until the time is over or none is left. What a life is, others know."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

T = TypeVar("T")
CORES = os.cpu_count() or 1
AHEAD = 2 * CORES
# One waits for each that is played: no core is idle, and the end is not far behind its time.


def played(play: Callable[..., T], lives: Iterable[tuple[Any, ...]], until: float) -> Iterator[T]:
    """What came of ``play(*life)`` for each, as they end; none is begun after ``until``, in monotonic seconds."""
    left = iter(lives)
    running: set[Future[T]] = set()
    with ProcessPoolExecutor(CORES) as pool:
        while True:
            while len(running) < AHEAD and time.monotonic() < until and (life := next(left, None)) is not None:
                running.add(pool.submit(play, *life))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
