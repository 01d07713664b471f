"""What the demo prints: one line per happening with the seconds since it began, Vietnamese first."""

from __future__ import annotations

import sys
import threading

from edge_agent.clock import boot_ms


class Screen:
    """Prints lines; safe from any thread."""

    def __init__(self) -> None:
        self._begun = boot_ms()
        self._lock = threading.Lock()

    def title(self, vietnamese: str, english: str) -> None:
        """A new act."""
        self._print(f"\n== {vietnamese} / {english}")

    def line(self, vietnamese: str, english: str = "") -> None:
        """Something happened."""
        seconds = (boot_ms() - self._begun) / 1000
        self._print(f"[{seconds:5.1f} s] {vietnamese}{' / ' if english else ''}{english}")

    def block(self, text: str) -> None:
        """What a command of the station printed."""
        self._print("\n".join(f"    | {line}" for line in text.splitlines()))

    def _print(self, text: str) -> None:
        with self._lock:
            print(text, flush=True)
            sys.stdout.flush()
