"""What was signed, as types. Decides nothing: ``trust.orders`` parses once, everything after trusts these types."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time
from enum import StrEnum

from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import DAY_MS, ClipKey, JobId, UtcMs, ZoneId


class JobClass(StrEnum):
    """The three classes of requirement B1."""

    NORMAL = "normal"
    PRIORITY = "priority"
    EMERGENCY = "emergency"


RANK = {JobClass.NORMAL: 0, JobClass.PRIORITY: 1, JobClass.EMERGENCY: 2}
"""Only a higher rank takes a zone; an equal never takes over."""


def plays_as(cls: JobClass, *, rehearsal: bool) -> JobClass:
    """A rehearsal takes the emergency's path, but nobody's zone and no night."""
    return JobClass.PRIORITY if rehearsal else cls


class Preemption(StrEnum):
    """What becomes of a job that an emergency took zones from. While other zones play on, RESUME and RESTART rejoin."""

    REJOIN = "rejoin"  # the zone comes back into the running programme where the other zones are by then
    RESUME = "resume"  # taken everywhere, it goes on where it was cut off
    RESTART = "restart"  # taken everywhere, it begins anew: a list that must be heard whole
    DROP = "drop"  # the zone stays out


@dataclass(frozen=True, slots=True)
class ClipItem:
    """Recorded audio: found at a hint (``urls``), decided by ``digest`` and ``length_bytes``."""

    title: str
    field: str
    language: str
    source: str
    approver: str
    digest: ClipKey
    length_bytes: int
    duration_ms: int
    codec: str
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TextItem:
    """Words that the station speaks itself (requirement B11)."""

    title: str
    field: str
    language: str
    source: str
    approver: str
    text: str


LINE_IN = "line-in:"


def is_line_in(source: str) -> bool:
    """Whether a live source is a line-in of the station (``line-in:NAME``): that needs no network, and nobody else."""
    return source.startswith(LINE_IN)


@dataclass(frozen=True, slots=True)
class LiveItem:
    """A live programme, relayed for ``duration_ms`` (tiếp âm, requirement B6): nobody signs what is heard.

    ``urls`` are addresses of the same programme, or one line-in. ``stand_in`` is heard while the source gives nothing,
    from its beginning and again.
    """

    title: str
    field: str
    language: str
    source: str
    approver: str
    urls: tuple[str, ...]
    duration_ms: int
    stand_in: ClipItem | None = None


Item = ClipItem | TextItem | LiveItem


@dataclass(frozen=True, slots=True)
class PlayNow:
    """Due as soon as it is ready; an emergency again every ``every_ms`` (0: once) at each instant before ``until``."""

    every_ms: int = 0
    until: UtcMs = UtcMs(0)


@dataclass(frozen=True, slots=True)
class PlayAt:
    """Due once; ``at`` is the first sample in the street."""

    at: UtcMs


@dataclass(frozen=True, slots=True)
class Rule:
    """A recurring timetable entry in wall time of ``timezone``; weekdays are ISO (Monday = 1)."""

    timezone: str
    first_day: date
    last_day: date
    weekdays: frozenset[int]
    times: tuple[time, ...]
    excluded: frozenset[date]


When = PlayNow | PlayAt | Rule


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom the order is for. Stations or areas must name us; empty ``zones`` means every zone of the station."""

    stations: frozenset[str]
    areas: frozenset[str]
    zones: frozenset[ZoneId]


@dataclass(frozen=True, slots=True)
class Job:
    """A signed order to broadcast; field meanings and limits stand in docs/protocol.md.

    Of a ``series`` ("": none) only the newest ``version`` sounds; ``all_clear`` ends it where it was heard.
    ``rehearsal`` takes the emergency's path and is none; ``corrects`` names the job that this one sets right.
    ``late_limit_ms`` is for the whole, ``zones_limit_ms`` for zones that missed it because they were taken.
    """

    job_id: JobId
    issuer: str
    level: str
    key_epoch: int
    serial: int
    issued_at: UtcMs
    not_before: UtcMs
    not_after: UtcMs
    audience: Audience
    cls: JobClass
    order: int
    when: When
    loops: int
    gap_ms: int
    items: tuple[Item, ...]
    volume: int
    preemption: Preemption
    late_limit_ms: int
    event: str
    cap: tuple[tuple[str, str], ...] = ()
    zones_limit_ms: int = 0
    series: str = ""
    version: int = 0
    all_clear: bool = False
    rehearsal: bool = False
    corrects: str = ""
    opening: tuple[TextItem, ...] = ()

    @property
    def live(self) -> bool:
        """Whether any of it is relayed live."""
        return any(isinstance(item, LiveItem) for item in self.items)

    @property
    def plays_as(self) -> JobClass:
        """The class by whose rules it plays."""
        return plays_as(self.cls, rehearsal=self.rehearsal)


@dataclass(frozen=True, slots=True)
class Edition:
    """The version of a timetable that a job is an entry of; ``order_id`` is the whole timetable's."""

    order_id: JobId
    name: str
    version: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """A job whose signatures and limits were checked. ``digest`` is the SHA-256 (hex) of the signed bytes (the PAE).

    Of its role, where it is an emergency (0: no limit): ``sound_max_ms`` in all, and how many ``per_day``. ``offered``:
    the role may only offer it, and the commune chooses. ``edition``: it was signed as an entry of a timetable.
    ``signers`` are of that role, ``proven`` all whose signatures were checked; ``signed`` is the job as it was signed,
    where it is planned otherwise: chosen, or from a timetable on.
    """

    job: Job
    digest: str
    signers: tuple[str, ...]
    role: str
    sound_max_ms: int = 0
    per_day: int = 0
    offered: bool = False
    edition: Edition | None = None
    proven: tuple[str, ...] = ()
    signed: Job | None = None

    @property
    def order_id(self) -> JobId:
        """What it is found by; jobs and other orders share one space of ids."""
        return self.job.job_id

    @property
    def not_after(self) -> UtcMs:
        """Until when it may come again."""
        return self.job.not_after

    @property
    def goes_by(self) -> tuple[JobId, ...]:
        """The ids by which it is cancelled: its own, and its timetable's."""
        return (self.job.job_id,) if self.edition is None else (self.job.job_id, self.edition.order_id)


def as_entry(job: Job) -> Job:
    """An entry of a timetable as the job that it is: it counts from when its timetable takes effect.

    The ``not_before`` of a later version would take away an instant that still waits.
    """
    return replace(job, not_before=UtcMs(0))


TOMBSTONE_KEEP_MS = 30 * DAY_MS
# An order that is over is known by its id for so long after its validity: a broker's session queue lives a day, the
# rest is for clocks that are wrong by weeks.
OVER_MAX = 10_000
# Ids of what is over, 5 MB: a ward orders some 20 a day, so a year of them. Whoever has a key could sign any number,
# and no station would start with that in memory. The soonest to end go first: they could come again for the least time.
# Emergencies go last, for they end soonest of all: whoever may order bulletins must not have a warning heard again.


@dataclass(frozen=True, slots=True)
class Seen:
    """What is remembered of an order's id, also when it is over: its ``digest``, and until when it may come again.

    ``urgent``: an emergency's, which no heap of other orders has forgotten.
    """

    digest: str
    not_after: UtcMs
    urgent: bool = False

    @property
    def worth(self) -> tuple[bool, UtcMs]:
        """What is less is forgotten first."""
        return self.urgent, self.not_after


@dataclass(frozen=True, slots=True)
class Welcome:
    """The signed answer to our hello, and what only a server can remember.

    ``trust`` names the newest trust documents of the station's path, ``serial_marks`` the last serial of each issuer.
    """

    nonce: str
    utc: UtcMs
    trust: tuple[TrustVersion, ...]
    serial_marks: tuple[tuple[str, int], ...]
    log_epoch: str
    log_seq: int
    log_hash: str


@dataclass(frozen=True, slots=True)
class LogAck:
    """The server's signed word that it holds every record of ``epoch`` up to ``seq``."""

    epoch: str
    seq: int
    head_hash: str
