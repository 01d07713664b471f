"""The agent's one bounded queue: everything that happens to a station comes in here, from whichever thread."""

from __future__ import annotations

import contextlib
import queue

from edge_agent.core.events import AnewWanted, Event, HeartbeatDue, HelloDue, StopAsked, SweepDue

INBOX_MAX = 1_000
# Ten unacknowledged messages, a report a second for each zone, and room; a full inbox blocks whoever posts.


class Inbox:
    """The one bounded queue. ``post`` may be called from any thread and blocks when the agent falls behind."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue(INBOX_MAX)
        self._closed = False

    def post(self, event: Event) -> None:
        """Add an event."""
        if not self._closed:
            self._events.put(event)

    def close(self) -> None:
        """Nobody listens any more: drop what waits, so that no thread hangs on a full queue while it is to end."""
        self._closed = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._events.get_nowait()

    def wait(self, timeout_ms: int) -> Event | None:
        """The next event; None when nothing came within ``timeout_ms``."""
        try:
            return self._events.get(timeout=max(0, timeout_ms) / 1000)
        except queue.Empty:
            return None

    # What the housekeeping scheduler calls; it runs in its own thread and must only post.

    def heartbeat_due(self) -> None:
        """It is time for a heartbeat."""
        self.post(HeartbeatDue())

    def hello_due(self) -> None:
        """It is time to prove freshness again."""
        self.post(HelloDue())

    def sweep_due(self) -> None:
        """It is time to tidy up."""
        self.post(SweepDue())

    def anew_wanted(self) -> None:
        """A new process would mend something."""
        self.post(AnewWanted())

    def stop_asked(self) -> None:
        """The service manager wants us to end."""
        self.post(StopAsked())
