"""What a station says of itself to the central side, typed: the counterpart of orders, which ``trust`` reads.

``messages`` decides how each is written on the wire, the headend's ``listening`` how it is read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import JobId, UtcMs, ZoneId

NOTHING_LAID_DOWN = InForce()


@dataclass(frozen=True, slots=True)
class LogCursor:
    """The newest record of a chain: which chain, its number (0: none yet) and its hash."""

    epoch: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class HelloMsg:
    """A request for a welcome. ``nonce`` is 32 hex digits, never used before; ``trust`` is what is believed."""

    nonce: str
    trust: tuple[TrustHead, ...]
    log: LogCursor
    clock: Now


@dataclass(frozen=True, slots=True)
class OfferStatus:
    """A job that waits for the commune to choose it, until ``expires``."""

    job_id: JobId
    title: str
    cls: JobClass
    level: str
    expires: UtcMs


class Why(StrEnum):
    """Why a state is published."""

    BIRTH = "birth"
    CHANGE = "change"
    GOODBYE = "goodbye"
    CONNECTION_LOST = "connection_lost"


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """One zone now. ``relay_on`` None: nobody can tell. ``heard`` at its horn when it last sounded, so loud."""

    zone: ZoneId
    name: str
    relay_on: bool | None
    playing: JobId | None
    volume_max: int
    heard: bool | None = None
    level_db: int | None = None


@dataclass(frozen=True, slots=True)
class PlayStatus:
    """An occurrence that sounds, or one that will (requirement B15); ``reason``: why it waits or will not sound.

    ``rehearsal``: of the class emergency, and none.
    """

    job_id: JobId
    title: str
    cls: JobClass
    phase: Phase
    planned: UtcMs
    zones: tuple[ZoneId, ...]
    reason: Reason | None = None
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class HostStatus:
    """What the box says of itself; None where it cannot be seen (requirement U1)."""

    address: str | None = None
    serial: str | None = None
    storage_free_mb: int | None = None
    temperature_c: int | None = None
    undervoltage: bool | None = None


@dataclass(frozen=True, slots=True)
class StateMsg:
    """The whole station. ``online`` False with GOODBYE is the proper end, with CONNECTION_LOST the will."""

    online: bool
    why: Why
    area: str
    name: str
    clock: Now
    zones: tuple[ZoneStatus, ...]
    playing: tuple[PlayStatus, ...]
    next: tuple[PlayStatus, ...]
    records_waiting: int
    welcomed: bool
    device_up: bool
    host: HostStatus
    offers: tuple[OfferStatus, ...] = ()
    rules: InForce = NOTHING_LAID_DOWN
    waits: Reason | None = None
    manifests: tuple[ScopeStatus, ...] | None = None


@dataclass(frozen=True, slots=True)
class HeartbeatMsg:
    """A sign of life with the little that changes by itself."""

    uptime_s: int
    clock: Now
    playing: tuple[JobId, ...]
    records_waiting: int
    host: HostStatus


@dataclass(frozen=True, slots=True)
class LogRecord:
    """A record in its place in the chain; ``body`` is its canonical JSON, over which ``hash`` was made."""

    seq: int
    prev: str
    hash: str
    body: bytes


@dataclass(frozen=True, slots=True)
class AnswerMsg:
    """What became of an order on arrival; ``digest`` and ``job_id`` are "" where they could not be read."""

    verdict: Verdict
    digest: str
    job_id: str
    reason: Reason | None
    at: UtcMs
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """Whose paper the policy is."""

    number: str
    dated: date


@dataclass(frozen=True, slots=True)
class PlanMsg:
    """What will play on ``day``, by the station's clock at ``now``; ``policy`` None: the station's own.

    ``left_out`` counts the entries, the latest ones, that a message had no room for.
    """

    day: date
    timezone: str
    now: UtcMs
    policy: PolicyStatus | None
    entries: tuple[Planned, ...]
    offers: tuple[OfferStatus, ...]
    left_out: int = 0
