"""What wakes the device process's loop beside its socket and the clock: the player's thread and a signal.

Decides nothing; carries reports and the wish to end across threads, bounded, without ever blocking who brings them.
"""

from __future__ import annotations

import queue

from edge_agent.audio.bell import Bell
from edge_agent.audio.port import PlayReport
from edge_agent.core.events import PlayProgress, ZoneHeard

REPORTS_MAX = 1_000
# The writer reports some ten times a second: a loop that is this far behind has been dead for long.


class Stop:
    """Asks the device process to end: what a SIGTERM handler sets."""

    def __init__(self) -> None:
        self._bell = Bell()
        self._asked = False

    def set(self) -> None:
        """End soon."""
        self._asked = True
        self._bell.ring()

    def is_set(self) -> bool:
        """Whether the end was asked for."""
        return self._asked

    def fileno(self) -> int:
        """Readable from the first ``set`` on."""
        return self._bell.fileno()


class Inlet:
    """A player's reports on their way from its thread to the loop. Implements ``audio.port.Reports``."""

    def __init__(self) -> None:
        self._queue: queue.Queue[PlayReport | ZoneHeard] = queue.Queue(REPORTS_MAX)
        self._bell = Bell()

    def __call__(self, report: PlayReport | ZoneHeard) -> None:
        """Keep a report. When nobody fetches them, progress is dropped: the next one carries the same sums."""
        try:
            self._queue.put_nowait(report)
        except queue.Full:
            if not isinstance(report, PlayProgress):
                raise
        self._bell.ring()

    def fileno(self) -> int:
        """Readable while there are reports."""
        return self._bell.fileno()

    def drain(self) -> list[PlayReport | ZoneHeard]:
        """All reports since the last time, in order."""
        self._bell.hush()
        reports = []
        while not self._queue.empty():
            reports.append(self._queue.get_nowait())
        return reports

    def close(self) -> None:
        """Give the descriptor back; the player is closed by now."""
        self._bell.close()
