"""Everything that can happen to a station, as data. The shell makes these; ``station.step`` is their only reader."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from edge_agent.core.heads import Head, Kept, Manifest
from edge_agent.core.job import Accepted, LogAck, Seen, Welcome
from edge_agent.core.order import AcceptedRule
from edge_agent.core.past import Sounded
from edge_agent.core.programme import NOTHING_RELAYED, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.spent import NOTHING_SPENT, Spent
from edge_agent.core.trust_standing import NOTHING_STANDS, AcceptedTrust, TrustStanding
from edge_agent.core.units import ClipKey, JobId, MonoMs, PlayId, UtcMs, ZoneId


@dataclass(frozen=True, slots=True)
class AckToken:
    """Which delivery to acknowledge. Message ids restart with a connection, so the connection's epoch belongs to it."""

    epoch: int
    mid: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """An order that will not be obeyed. ``digest`` is "" when the envelope could not even be read."""

    reason: Reason
    detail: str = ""
    digest: str = ""
    job_id: str = ""
    issuer: str = ""


Judgement = Accepted | AcceptedRule | AcceptedTrust | Welcome | LogAck | Head | Rejected


class Mark(StrEnum):
    """How far an occurrence had come, durably: what a restart goes by."""

    INTENT = "intent"
    FIRST_SAMPLE = "first_sample"


@dataclass(frozen=True, slots=True)
class SavedJob:
    """A job as the journal holds it. Occurrences count from ``base``; ``held`` waits for a welcome."""

    accepted: Accepted
    base: UtcMs
    held: bool


@dataclass(frozen=True, slots=True)
class SavedRule:
    """A regulation, a window or a command as the journal holds it; it took effect at ``base``, or waits (``held``)."""

    accepted: AcceptedRule
    base: UtcMs
    held: bool


@dataclass(frozen=True, slots=True)
class SavedMark:
    """An occurrence that had begun when the process ended; ``attempt`` counts from 1."""

    job_id: JobId
    planned: UtcMs
    mark: Mark
    attempt: int


@dataclass(frozen=True, slots=True)
class Restored:
    """The first event of every boot: what the journal holds. ``seen`` is what is remembered of every id.

    ``epoch`` names the chain of records that ``last_seq`` and ``acked_seq`` count in; ``refused`` holds the digests of
    orders whose refusal is on record, and that may be delivered again all the same; ``past`` is what sounded lately,
    ``spent`` what the process before, of this boot, has handed on;
    ``trust`` is what is believed, ``floor`` the last signed time, ``forgotten`` the serials (by issuer) up to which
    this card may have forgotten what it did; ``chain_from`` and ``seed`` as in ``state.Link``,
    ``forgot_by`` as in ``state.State``.
    """

    jobs: tuple[SavedJob, ...]
    marks: tuple[SavedMark, ...]
    seen: Mapping[JobId, Seen]
    last_seq: int
    acked_seq: int
    epoch: str = ""
    refused: tuple[str, ...] = ()
    rules: tuple[SavedRule, ...] = ()
    past: tuple[Sounded, ...] = ()
    trust: TrustStanding = NOTHING_STANDS
    floor: UtcMs = UtcMs(0)
    forgotten: Mapping[str, int] = field(default_factory=dict)
    chain_from: int | None = None
    seed: str = ""
    forgot_by: bytes = b""
    manifests: tuple[Kept, ...] = ()
    spent: Spent = NOTHING_SPENT


@dataclass(frozen=True, slots=True)
class MessageArrived:
    """A message from the broker, untouched but for its size cap; ``vouched``: a manifest says that it is in force."""

    topic: str
    payload: bytes
    token: AckToken
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class HomeAnswered:
    """What the home server has made of our hello; None: nothing."""

    welcome: MessageArrived | None


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """From here on other trust documents are believed; ``revoked`` are the known orders that they do not stand for.

    ``disowned`` are the scopes whose manifest was signed by a key that may sign none any more.

    ``marks_stand``: whoever said what this card has forgotten is believed still; ``told_stands``: whoever sent the last
    welcome; ``floor_stands``: all who told the time before. ``changed`` are known orders that stand within other bounds
    than before.
    """

    standing: TrustStanding
    revoked: frozenset[JobId]
    disowned: frozenset[str] = frozenset()
    marks_stand: bool = True
    told_stands: bool = True
    changed: tuple[Accepted | AcceptedRule, ...] = ()
    floor_stands: bool = True


@dataclass(frozen=True, slots=True)
class HeadsFetched:
    """What the content server gave as the head of each scope, unjudged; or why it gave none.

    ``came_bytes``, here and below: what has come off the line for it.
    """

    heads: tuple[tuple[str, bytes | Reason], ...]
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ManifestRead:
    """The manifest with that SHA-256 was fetched and read; ``raw`` are its bytes."""

    digest: str
    manifest: Manifest
    raw: bytes
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PaperRead:
    """The envelope with that SHA-256 was fetched; ``topic`` is where it would have come by the broker."""

    envelope: str
    topic: str
    payload: bytes
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PaperMissed:
    """The envelope, or manifest, with that SHA-256 could not be had, or could not be read.

    ``broke_off``: by the line's fault, as far as can be told.
    """

    envelope: str
    reason: Reason
    detail: str = ""
    broke_off: bool = False
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RootFetched:
    """What the content server gave as the root's document of that version, unjudged; None: it gave none.

    ``broke_off``: by the line's fault, as far as can be told.
    """

    version: int
    root: MessageArrived | None
    broke_off: bool = False
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class LogCompared:
    """Whether our record ``seq`` of the chain ``epoch`` has the ``hash`` that the centre holds, if that can be told.

    ``word`` as it was asked.
    """

    epoch: str
    seq: int
    hash: str
    same: bool
    word: bytes = b""


@dataclass(frozen=True, slots=True)
class JobSaved:
    """The order (a job, or a rule) survives a power cut from here on."""

    job_id: JobId


@dataclass(frozen=True, slots=True)
class TimetableReleased:
    """A timetable that was held is on the disk as one in force, with its entries.

    Its own event: a warning may have the id of one that was cancelled meanwhile, and waits for its own commit.
    """

    order_id: JobId


@dataclass(frozen=True, slots=True)
class IntentSaved:
    """The intent to play is durable; ``durable`` is False when the disk failed and we play all the same."""

    job_id: JobId
    planned: UtcMs
    durable: bool = True


@dataclass(frozen=True, slots=True)
class RecordSaved:
    """A record has its place in the chain, and all before it have theirs."""

    seq: int


@dataclass(frozen=True, slots=True)
class RecordsRotten:
    """The records ``seq`` to ``until`` of the chain ``epoch`` are on the disk no more what they were chained as.

    ``before`` is the hash of the record ahead of them; "" where the disk does not tell it beyond doubt.
    """

    epoch: str
    seq: int
    until: int
    before: str


@dataclass(frozen=True, slots=True)
class JournalFailed:
    """The disk refused ``what`` ("job" with its id, "record"): nothing of it is acknowledged."""

    what: str
    job_id: JobId | None
    error: str


@dataclass(frozen=True, slots=True)
class ClipFetched:
    """The signed original lies here, whole and right; its sound is still to be made.

    ``came_bytes``, here and below: what has come off the line for it, right or not. A station pays for its data.
    """

    key: ClipKey
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ClipStaged:
    """Sound lies ready to be copied to the card."""

    key: ClipKey
    duration_ms: int
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ClipFailed:
    """Sound could not be staged; ``again`` says whether another try may help."""

    key: ClipKey
    reason: Reason
    again: bool
    detail: str = ""
    came_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class DeviceUp:
    """The device process answers and its relays are off."""


@dataclass(frozen=True, slots=True)
class DeviceDown:
    """The device process is gone; by its own promise its relays are open."""

    detail: str


@dataclass(frozen=True, slots=True)
class RelayChanged:
    """A relay is on or off, as far as can be seen; ``cause`` is why (order, lease, max_on, link_lost, stop, fault)."""

    zone: ZoneId
    on: bool
    cause: str
    at: MonoMs


@dataclass(frozen=True, slots=True)
class RelayFailed:
    """A relay did not do as told. ``on`` is what its contact shows; None: nobody can tell."""

    zone: ZoneId
    detail: str
    on: bool | None = None


@dataclass(frozen=True, slots=True)
class PlayStarted:
    """The first sample left the card at ``at``."""

    play_id: PlayId
    at: MonoMs


@dataclass(frozen=True, slots=True)
class PlayProgress:
    """Frames that left the card so far, in milliseconds, for each zone; ``relayed`` of a live source's parts."""

    play_id: PlayId
    zone_ms: Mapping[ZoneId, int]
    underruns: int
    relayed: Relayed = NOTHING_RELAYED


@dataclass(frozen=True, slots=True)
class ZonesLost:
    """Zones that hear a play no more, and why; it goes on in others. It need not have been for all of them."""

    play_id: PlayId
    zones: tuple[ZoneId, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class ZoneHeard:
    """What the ear at a zone's horn made of the last seconds that sounded there, ``level_db`` under its full scale."""

    zone: ZoneId
    heard: bool
    level_db: int


@dataclass(frozen=True, slots=True)
class PlayEnded:
    """The last sample has left the card (``reason`` None), was cut by order, or the device failed."""

    play_id: PlayId
    zone_ms: Mapping[ZoneId, int]
    frames: int
    underruns: int
    at: MonoMs
    reason: Reason | None
    relayed: Relayed = NOTHING_RELAYED


@dataclass(frozen=True, slots=True)
class PowerReported:
    """The mains are gone and the battery is down to its ``reserve``, or one of them is back."""

    reserve: bool


@dataclass(frozen=True, slots=True)
class Connected:
    """A new session with the broker; ``nonce`` is fresh randomness that this session's hellos draw on."""

    epoch: int
    nonce: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The broker is gone."""

    detail: str


@dataclass(frozen=True, slots=True)
class HeartbeatDue:
    """Housekeeping wants a heartbeat."""


@dataclass(frozen=True, slots=True)
class HelloDue:
    """Time to prove freshness again."""


@dataclass(frozen=True, slots=True)
class SweepDue:
    """Housekeeping wants the cache and the journal tidied."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Nothing happened, but time has passed (or the clock was stepped)."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The service manager wants us to end."""


@dataclass(frozen=True, slots=True)
class AnewWanted:
    """Something would be mended by a new process, and can wait until that costs no sound (``anew``)."""


Event = (
    Restored
    | MessageArrived
    | HomeAnswered
    | TrustChanged
    | HeadsFetched
    | ManifestRead
    | PaperRead
    | RootFetched
    | PaperMissed
    | JobSaved
    | TimetableReleased
    | IntentSaved
    | RecordSaved
    | LogCompared
    | RecordsRotten
    | JournalFailed
    | ClipFetched
    | ClipStaged
    | ClipFailed
    | DeviceUp
    | DeviceDown
    | RelayChanged
    | RelayFailed
    | PlayStarted
    | PlayProgress
    | ZonesLost
    | ZoneHeard
    | PlayEnded
    | PowerReported
    | Connected
    | Disconnected
    | HeartbeatDue
    | HelloDue
    | SweepDue
    | Tick
    | StopAsked
    | AnewWanted
)
