"""The as-run record: what was ordered and what was seen of it. Claims nothing that was not seen (requirement U2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from edge_agent.core.clock_trust import ClockSource
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, MonoMs, UtcMs, ZoneId


class Evidence(IntEnum):
    """How much was seen, each level including the ones before it."""

    ORDERED = 0
    ACCEPTED = 1
    RELAY_CLOSED = 2
    SAMPLES_OUT = 3
    HEARD = 4


class RecordKind(StrEnum):
    """About one occurrence, an authentic order that was refused, a rule and its effect, or the log itself."""

    PLAY = "play"
    REFUSAL = "refusal"
    RULE = "rule"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class ZoneAsRun:
    """One zone's part. ``played_ms`` None: it may have sounded, nobody saw how long (a power cut).

    ``level_db`` is how loud the ear at its horn had it, in dB of the ear's full scale; None: no ear has said anything.
    """

    zone: ZoneId
    evidence: Evidence
    played_ms: int | None
    volume: int
    relay_on: MonoMs | None
    reason: Reason | None
    level_db: int | None = None


@dataclass(frozen=True, slots=True)
class ItemAsRun:
    """An item's particulars, unchanged from the order (requirement B9)."""

    title: str
    field: str
    language: str
    source: str
    approver: str
    key: ClipKey


@dataclass(frozen=True, slots=True)
class AsRun:
    """One record, before it gets its place in the chain. Times are UTC ms with the clock's trust, and boot time.

    ``under`` is the exception by which it sounded, ``chimes_ms`` how much of ``planned_ms`` are the station's chimes;
    ``relayed`` what became of a live source (None: there is none).
    """

    kind: RecordKind
    job_id: str
    digest: str
    issuer: str
    level: str
    role: str
    signers: tuple[str, ...]
    cls: JobClass | None
    event: str
    items: tuple[ItemAsRun, ...]
    planned: UtcMs | None
    outcome: Phase
    reason: Reason | None
    detail: str
    evidence: Evidence
    zones: tuple[ZoneAsRun, ...]
    started: UtcMs | None
    ended: UtcMs
    ended_mono: MonoMs
    planned_ms: int
    played_ms: int | None
    frames: int
    underruns: int
    attempt: int
    clock: ClockSource
    clock_error_ms: int
    under: str = ""
    series: str = ""
    version: int = 0
    rehearsal: bool = False
    corrects: str = ""
    relayed: Relayed | None = None
    chimes_ms: int = 0
