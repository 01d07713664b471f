"""Keep the status file that the console and ``edge-agent status`` read. What stands in it, ``upstream`` decides.

It lies in memory (``run_dir``), never on the card. It is for people: whatever befalls it, nothing stops sounding.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from edge_agent import fresh_file
from edge_agent.core.units import SECOND_MS, MonoMs

STATUS_MS = 2 * SECOND_MS
# As fast as people read.
EARLY_MS = 450
# What steps by itself shortly before shows it along: a wake-up less.

log = logging.getLogger(__name__)


class StatusFile:
    """Written at most every STATUS_MS. ``due`` is when the newest picture may follow; None while it stands there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._shown_at: MonoMs | None = None
        self._trouble = ""
        self.due: MonoMs | None = None

    def show(self, now: MonoMs, picture: Callable[[], bytes]) -> None:
        """Replace what stands there, unless that was done just now. To be called after every change."""
        if self._shown_at is not None and now < self._shown_at + STATUS_MS - EARLY_MS:
            self.due = MonoMs(self._shown_at + STATUS_MS)
            return
        self._shown_at, self.due = now, None
        try:
            fresh_file.replace(self._path, picture())
            self._trouble = ""
        except OSError as exc:
            if str(exc) != self._trouble:  # once, not once a second
                log.error("status not written error=%s next=again in a second", exc)
            self._trouble = str(exc)

    def remove(self) -> None:
        """Leave nothing stale behind."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as exc:
            log.error("status not removed error=%s", exc)
