"""What the writer needs of a sound card, and how one is described. Decides nothing; ``audio.alsa`` drives real ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge_agent.audio.bell import Bell
from edge_agent.audio.mixer import Outlet, outlet_fits
from edge_agent.audio.port import PlayerError
from edge_agent.core.units import SECOND_MS, ZoneId

RATE = 48_000
PERIOD_MS = 200
# Each costs a tenth of a millisecond of work and two or three of waking up. What cannot wait for the queue reaches back
# (ADR 11).
PERIODS = 3
# 600 ms of sound queued, all that a Raspberry Pi's own card holds (128 KiB): two periods may come late on a busy
# two-core station before anything is heard of it. Behind a sound server two periods would become three.
TAIL_MS = 30
# What may still lie behind ALSA's own buffer (converter, sound server): the relay must not open onto it (S2).


@dataclass(frozen=True, slots=True)
class CardConfig:
    """A card by its ALSA name, and how it is opened: ``channels`` 1 or 2, ``rate`` in frames per second.

    ``mixer`` is its own volume control, to be set to ``mixer_volume`` percent; "" leaves it as it stands.
    """

    device: str
    rate: int = RATE
    channels: int = 2
    period_ms: int = PERIOD_MS
    periods: int = PERIODS
    tail_ms: int = TAIL_MS
    mixer: str = ""
    mixer_volume: int = 0

    @property
    def period_frames(self) -> int:
        return self.rate * self.period_ms // SECOND_MS

    @property
    def buffer_ms(self) -> int:
        """What the card takes at once when it begins; some give a little more or less."""
        return self.period_ms * self.periods


@dataclass(frozen=True, slots=True)
class Wiring:
    """Which zone hangs on which channels of a card, and by how many dB it is quieter than it is fed (``trims``)."""

    rate: int
    channels: int
    outlets: Mapping[ZoneId, Outlet]
    trims: Mapping[ZoneId, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for zone, outlet in self.outlets.items():
            assert outlet_fits(outlet, self.channels), f"zone {zone}: no {outlet} on {self.channels} channel(s)"


class CardHangs(PlayerError):
    """A card neither takes sound nor says that it is lost. Not even closing it can be relied upon."""


class Card(Protocol):
    """An open card; takes interleaved 16-bit frames, waits only when asked to. All but ``close`` raise PlayerError."""

    @property
    def name(self) -> str: ...

    @property
    def buffer_frames(self) -> int: ...

    @property
    def period_frames(self) -> int:
        """What ``wait`` waits for. This and the buffer are what the driver gave, whatever was asked for."""
        ...

    def room(self) -> int:
        """Frames that could be written now; all of the buffer when it ran empty."""
        ...

    def write(self, block: bytes) -> int:
        """Frames taken (0 to all), or UNDERRUN: the buffer had run empty, nothing was taken, it may be tried again."""
        ...

    def wait(self, seconds: float, bell: Bell) -> None:
        """Return as soon as there is room for a period or the bell rings, or after ``seconds``."""
        ...

    def drop(self) -> None:
        """Forget what is queued and stop; the next write begins anew."""
        ...

    def close(self) -> None:
        """Forget what is queued and give the device back."""
        ...


UNDERRUN = -1
