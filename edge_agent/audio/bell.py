"""Wake a loop that polls, from any thread and from a signal handler. Decides nothing and carries nothing."""

from __future__ import annotations

import os


class Bell:
    """Give it to ``select.poll``; it may be rung before anybody listens."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Readable while the bell has been rung and not hushed."""
        return self._fd

    def ring(self) -> None:
        """Wake the loop."""
        os.eventfd_write(self._fd, 1)

    def hush(self) -> None:
        """Heard."""
        try:
            os.eventfd_read(self._fd)
        except BlockingIOError:
            return

    def close(self) -> None:
        """Give the descriptor back."""
        os.close(self._fd)
