"""Decide who may answer a ward's stations at the same time: several that only watch, or the conformance kit alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.headend.errors import HeadendError

LOCK = "headend.lock"


class HeadendBusy(HeadendError):
    """Another one is at work; the text says which, and that it must end first."""


@contextmanager
def headend_lock(directory: Path, *, alone: bool) -> Iterator[None]:
    """Hold the ward's headend lock: the kit ``alone``, a ``watch`` beside others of its kind. Raises HeadendBusy."""
    with (directory / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = "a `watch` of this ward" if alone else "`conform`"
            raise HeadendBusy(f"{directory / LOCK}: {other} is running; end it first") from error
        yield
