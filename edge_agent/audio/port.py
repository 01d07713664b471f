"""What the device process needs of a sound card, whoever drives it."""

from __future__ import annotations

from typing import Protocol

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted

PlayReport = PlayStarted | PlayProgress | PlayEnded


class PlayerError(Exception):
    """The sound device failed; the message names the device and what it said."""


class Reports(Protocol):
    """Where a player tells what left the card. Called from the player's own thread; must not block."""

    def __call__(self, report: PlayReport) -> None: ...


class Player(Protocol):
    """Plays programmes on zones. Calls return at once; what really happened comes back as reports.

    Every started play ends in exactly one PlayEnded: after its last sample has left the card (reason None), after it
    was stopped (reason SHUTDOWN), or when the device or a clip failed (reason DEVICE_FAILED or AUDIO_ALTERED). Reports
    keep their order. ``zone_ms`` counts only what left the card while the zone was routed and not displaced.
    """

    def start(self, play: StartPlay) -> None: ...

    def route(self, play: RoutePlay) -> None: ...

    def stop(self, play: StopPlay) -> None: ...

    def alive_at(self) -> int:
        """Boot time (ms) of the last sign of life of the writer; the lease hangs on it while something plays."""
        ...

    def close(self) -> None:
        """Stop everything without draining and give the device back."""
        ...
