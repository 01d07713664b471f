"""The end of something that blocks, told once and from any thread: whoever waits, pausing or on a line, comes back."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol


class HangsUp(Protocol):
    """A line on which somebody may be waiting."""

    def hang_up(self) -> None: ...


class Closing:
    """Its descriptor can be read once it is ``close``d. A context manager: whoever began it gives it back, closed."""

    def __init__(self) -> None:
        self._told = os.eventfd(0, os.EFD_CLOEXEC)
        self._lock = threading.Lock()
        self._line: HangsUp | None = None
        self._over = False

    def close(self) -> None:
        """It is over. A second time does nothing."""
        with self._lock:
            if self._over:
                return
            self._over = True
            os.eventfd_write(self._told, 1)
            if self._line is not None:
                self._line.hang_up()

    def over(self) -> bool:
        """Whether it was closed."""
        return self._over

    def fileno(self) -> int:
        """To be polled; nobody reads it."""
        return self._told

    def wait(self, seconds: float) -> None:
        """Pause, but not beyond the end."""
        select.select([self._told], [], [], seconds)

    @contextmanager
    def holding(self, line: HangsUp) -> Iterator[None]:
        """While this lasts, the end hangs ``line`` up: at once, where it was told before."""
        with self._lock:
            self._line = line
            if self._over:
                line.hang_up()
        try:
            yield
        finally:
            with self._lock:
                self._line = None

    def __enter__(self) -> Closing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._over = True
            os.close(self._told)
