"""What the device process needs of a sound card, whoever drives it."""

from __future__ import annotations

from typing import Protocol

from edge_agent.core.effects import RoutePlay, StartPlay, StopPlay
from edge_agent.core.events import PlayEnded, PlayProgress, PlayStarted, ZoneHeard, ZonesLost

PlayReport = PlayStarted | PlayProgress | ZonesLost | PlayEnded


class PlayerError(Exception):
    """The sound device failed; the message names the device and what it said."""


class Reports(Protocol):
    """Where a player tells what left the card. Called from the player's own thread; must not block."""

    def __call__(self, report: PlayReport) -> None: ...


class HeardReports(Protocol):
    """The same for a player with ears, which tells besides what they have heard."""

    def __call__(self, report: PlayReport | ZoneHeard) -> None: ...


class Player(Protocol):
    """Plays programmes on zones. Calls return at once; what really happened comes back as reports.

    Every started play ends in exactly one PlayEnded: after its last sample has left the card (reason None), after it
    was stopped (reason SHUTDOWN), or when the device or a clip failed (reason DEVICE_FAILED or AUDIO_ALTERED). Reports
    keep their order. ``zone_ms`` counts only what left the card while the zone was routed and not displaced, and was
    not another group's turn. A zone is routed only into a play that was started with it, as one that hears it or may
    later. Where a player has several cards, one that fails ends nothing: ZonesLost names its zones, and the play goes
    on in the others. ``frames`` are those that left for at least one zone, on the card where they are most.
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
