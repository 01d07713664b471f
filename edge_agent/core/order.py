"""What may be ordered beside one broadcast: the ward's policy, dated windows, commands, timetables. Types only.

``trust.rule_orders`` and ``trust.entries`` parse them once; how each is obeyed is decided in ``standing``, ``commands``
and ``timetable``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from edge_agent.core.job import Accepted, Audience, Job, JobClass, When
from edge_agent.core.site import LocalPolicy
from edge_agent.core.units import JobId, UtcMs


@dataclass(frozen=True, slots=True)
class Heading:
    """Who orders it, of whom, and for how long it may be obeyed; the same fields as a job's."""

    order_id: JobId
    issuer: str
    level: str
    key_epoch: int
    serial: int
    issued_at: UtcMs
    not_before: UtcMs
    not_after: UtcMs
    audience: Audience


@dataclass(frozen=True, slots=True)
class Regulation:
    """The commune's signed policy (quy chế): ``number`` and ``dated`` of the paper, and what it says.

    Only a higher ``version`` replaces it; after ``not_after`` the station's own policy holds again.
    """

    heading: Heading
    version: int
    number: str
    dated: date
    policy: LocalPolicy


@dataclass(frozen=True, slots=True)
class Loosening:
    """How far an exception window lets ordinary sound pass the policy (requirement B17), and no further."""

    classes: frozenset[JobClass]
    session_ms: int
    total_ms: int | None = None
    volume_max: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """A dated exception (``loosens``) or a dated silence (``loosens`` None), [begins, ends), in the audience's zones.

    ``basis`` names the letter, or who decided it and why.
    """

    heading: Heading
    begins: UtcMs
    ends: UtcMs
    basis: str
    loosens: Loosening | None


@dataclass(frozen=True, slots=True)
class Cancel:
    """A job or a rule ends now and for good, and until ``until`` (its not_after) it may not come later either."""

    target: JobId
    until: UtcMs


@dataclass(frozen=True, slots=True)
class Stop:
    """What sounds in the zones ends now; a recurring job goes on at its next instant."""


@dataclass(frozen=True, slots=True)
class Pause:
    """What sounds in the zones is held where it is, for ``for_ms`` at most; then it is over."""

    for_ms: int


@dataclass(frozen=True, slots=True)
class Resume:
    """What was paused in the zones goes on."""


@dataclass(frozen=True, slots=True)
class NextItem:
    """What sounds in the zones goes on with its next item."""


@dataclass(frozen=True, slots=True)
class SetVolume:
    """Ordinary sound in the zones is no louder than ``volume`` (0–100) from now on, whatever is ordered later."""

    volume: int


@dataclass(frozen=True, slots=True)
class Amplify:
    """The amplifiers of the zones are switched on for ``for_ms``, or off as far as no sound needs them."""

    on: bool
    for_ms: int


@dataclass(frozen=True, slots=True)
class Restart:
    """The agent ends, and its service manager starts it anew."""


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Every idle zone's relay closes and opens once, in silence; the record says what was seen."""


@dataclass(frozen=True, slots=True)
class AllStop:
    """Everything that was issued before it falls silent for ``for_ms`` (at most 15 minutes), emergencies included."""

    for_ms: int


@dataclass(frozen=True, slots=True)
class Lock:
    """Nothing sounds in the zones for ``for_ms`` (at most 4 h): somebody is up there (requirement S7)."""

    for_ms: int


@dataclass(frozen=True, slots=True)
class Rank:
    """The commune's order among jobs that wait for the same zones: the first one first (requirement B3)."""

    job_ids: tuple[JobId, ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """An offered item is to be played: ``when`` (requirement B2)."""

    target: JobId
    when: When


@dataclass(frozen=True, slots=True)
class Ask:
    """Say what will play on a day (requirement B15)."""

    day: date


Action = (
    Cancel
    | Stop
    | Pause
    | Resume
    | NextItem
    | SetVolume
    | Amplify
    | Restart
    | SelfTest
    | AllStop
    | Lock
    | Rank
    | Choose
    | Ask
)


@dataclass(frozen=True, slots=True)
class Command:
    """Something to be done at once. Values are absolute, so that doing it twice is doing it once."""

    heading: Heading
    action: Action


@dataclass(frozen=True, slots=True)
class Timetable:
    """A whole timetable (lịch phát): it takes the place of the issuer's older version of the same ``name``, at once.

    ``jobs`` are its entries, as far as they are for this station; an entry keeps its id while it says the same.
    """

    heading: Heading
    name: str
    version: int
    jobs: tuple[Job, ...]

    def is_version_of(self, issuer: str, name: str) -> bool:
        """Whether it is a version of this issuer's timetable of this name."""
        return (self.heading.issuer, self.name) == (issuer, name)

    def replaces(self, older: Timetable) -> bool:
        """Whether it takes the place of the other one."""
        return self.is_version_of(older.heading.issuer, older.name) and self.version > older.version


RuleOrder = Regulation | Window | Command | Timetable


@dataclass(frozen=True, slots=True)
class AcceptedRule:
    """An order of this file whose signatures and limits were checked; the fields mean what they do in ``Accepted``.

    ``offered``: the classes of a timetable's entries that its role may only offer.
    """

    order: RuleOrder
    digest: str
    signers: tuple[str, ...]
    role: str
    offered: frozenset[JobClass] = frozenset()
    proven: tuple[str, ...] = ()

    @property
    def order_id(self) -> JobId:
        """What it is found by; jobs and other orders share one space of ids."""
        return self.order.heading.order_id

    @property
    def not_after(self) -> UtcMs:
        """Until when it may come again."""
        return self.order.heading.not_after


def is_urgent(accepted: Accepted | AcceptedRule) -> bool:
    """Whether it is an emergency, which sounds at any hour."""
    return isinstance(accepted, Accepted) and accepted.job.plays_as is JobClass.EMERGENCY
