"""What this station is: its name, place, zones and the ward's own rules. Parsed by ``config``, immutable afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time

from edge_agent.core.units import MINUTE_MS, SECOND_MS, StationId, ZoneId

WARM_UP_MS_MAX = 60 * SECOND_MS
# The slowest thing we drive: an old FM transmitter or valve amplifier (requirement S9).
RELAY_ON_MS_MAX = 2 * 60 * MINUTE_MS
# Longest programme the field knows is a 45-minute session with relays; twice that and some (requirement S3).


@dataclass(frozen=True, slots=True)
class ZoneSite:
    """One speaker cluster: how long its amplifier warms up and how loud it may ever be."""

    zone: ZoneId
    name: str
    warm_up_ms: int
    volume_max: int = 100
    on_ms_max: int = RELAY_ON_MS_MAX


@dataclass(frozen=True, slots=True)
class VolumeBand:
    """A ceiling by time of day, wall time, ``start`` included and ``end`` excluded."""

    start: time
    end: time
    volume_max: int


@dataclass(frozen=True, slots=True)
class LocalPolicy:
    """The ward's rules that no ordinary job can pass (requirement B10). The defaults are the safe ones."""

    quiet_start: time = time(21, 0)
    quiet_end: time = time(5, 0)
    volume_bands: tuple[VolumeBand, ...] = (
        VolumeBand(time(5, 0), time(6, 0), 55),  # noise rules count 21–6 h as night
        VolumeBand(time(0, 0), time(0, 0), 80),  # the whole day
    )


@dataclass(frozen=True, slots=True)
class Site:
    """The station as the core knows it."""

    station: StationId
    realm: str
    area: str  # "vn/ha-noi/dong-thanh": every prefix is an area the station belongs to
    timezone: str
    zones: Mapping[ZoneId, ZoneSite]
    policy: LocalPolicy = LocalPolicy()

    def areas(self) -> frozenset[str]:
        """Every area that contains this station, from the country down to the ward."""
        parts = self.area.split("/")
        return frozenset("/".join(parts[:depth]) for depth in range(1, len(parts) + 1))
