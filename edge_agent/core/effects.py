"""Everything the core can ask of the world, as data. ``Runtime`` is their only reader."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from edge_agent.core.as_run import AsRun
from edge_agent.core.events import AckToken, Mark, SavedJob, SavedRule
from edge_agent.core.programme import Part, ZoneFeed
from edge_agent.core.reasons import Reason
from edge_agent.core.units import ClipKey, JobId, MonoMs, PlayId, UtcMs, ZoneId


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of a timetable: those that ``begin`` with it, and those that the journal has and that ``go_on``."""

    begin: tuple[JobId, ...]
    go_on: tuple[JobId, ...]


@dataclass(frozen=True, slots=True)
class SaveJob:
    """Commit a job or a rule (insert or replace). Answered by JobSaved or JournalFailed.

    A timetable and its ``entries`` are one transaction.
    """

    saved: SavedJob | SavedRule
    envelope: bytes
    topic: str
    entries: Entries | None = None


@dataclass(frozen=True, slots=True)
class ReleaseJob:
    """A job that waited for a welcome counts its occurrences from ``base`` now. No answer.

    With ``entries`` it is a timetable that takes effect, in one transaction; that is answered by TimetableReleased.
    """

    job_id: JobId
    base: UtcMs
    entries: Entries | None = None


@dataclass(frozen=True, slots=True)
class TakeTrust:
    """Believe a trust document from here on, and keep it. Answered by TrustChanged."""

    area: str
    envelope: bytes


@dataclass(frozen=True, slots=True)
class Ack:
    """Tell the broker that it may forget a delivery."""

    token: AckToken


@dataclass(frozen=True, slots=True)
class FetchAhead:
    """Fetch recorded audio and check it; its sound is made later. Answered by ClipFetched or ClipFailed.

    Here and below, ``urgent``: a warning needs it, and waits for no routine work; ``due``: when it is to sound (None:
    now).
    """

    key: ClipKey
    length_bytes: int
    urls: tuple[str, ...]
    urgent: bool = False
    due: UtcMs | None = None


@dataclass(frozen=True, slots=True)
class FetchClip:
    """Stage recorded audio, fetching it first unless it lies here. Answered by ClipStaged or ClipFailed.

    Where there is no room, other sound goes for it; not that in ``keep``.
    """

    key: ClipKey
    length_bytes: int
    duration_ms: int
    urls: tuple[str, ...]
    keep: frozenset[ClipKey] = frozenset()
    urgent: bool = False
    due: UtcMs | None = None


@dataclass(frozen=True, slots=True)
class FetchHeads:
    """Ask the content server for the head of each scope. Answered by HeadsFetched."""

    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FetchManifest:
    """Fetch and read a manifest by its SHA-256. Answered by ManifestRead or PaperMissed."""

    digest: str
    length: int


@dataclass(frozen=True, slots=True)
class FetchPaper:
    """Fetch an envelope by its SHA-256, which a manifest of the scope lists. Answered by PaperRead or PaperMissed."""

    scope: str
    envelope: str
    length: int


@dataclass(frozen=True, slots=True)
class FetchRoot:
    """Ask the content server for the root's document of that version, in the scope of the station.

    Answered by RootFetched.
    """

    scope: str
    version: int


@dataclass(frozen=True, slots=True)
class KeepManifest:
    """Commit the newest manifest of a scope, behind its head's envelope. No answer."""

    scope: str
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class SpeakText:
    """Render words to staged sound, making room as ``FetchClip`` does. Answered by ClipStaged or ClipFailed."""

    key: ClipKey
    language: str
    text: str
    keep: frozenset[ClipKey] = frozenset()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Unneeded:
    """No job needs these sounds any more: what of them still waits to be fetched or spoken waits no longer. No answer.

    Else whoever orders and takes back has more waiting than any job needs, and all that is ordered later behind it.
    """

    keys: frozenset[ClipKey]


@dataclass(frozen=True, slots=True)
class OpenLive:
    """Begin to relay a live source: from now on it is fetched, decoded, and laid down in its ring. No answer."""

    key: ClipKey
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CloseLive:
    """Nobody relays that source any more."""

    key: ClipKey


@dataclass(frozen=True, slots=True)
class SaveMark:
    """Commit how far an occurrence has come. An INTENT is answered by IntentSaved."""

    job_id: JobId
    planned: UtcMs
    mark: Mark
    attempt: int


@dataclass(frozen=True, slots=True)
class DropMark:
    """Forget how far an occurrence has come: it was dropped before it sounded, and no record will close it."""

    job_id: JobId
    planned: UtcMs


@dataclass(frozen=True, slots=True)
class SwitchRelay:
    """Close or open a zone's relay; it opens by itself after ``off_after_ms`` unless told again."""

    zone: ZoneId
    on: bool
    off_after_ms: int


@dataclass(frozen=True, slots=True)
class StartPlay:
    """Begin a programme so that its first sample leaves the card at ``at`` (at once if that has passed).

    It rises from silence to its full loudness over its first ``rise_ms`` (0: it is there at once).
    ``later`` are the zones that may be routed into it while it runs, ``urgent`` says that lives may hang on it: which
    cards it needs, and what a card that hangs may be freed for, is decided by them.
    """

    play_id: PlayId
    parts: tuple[Part, ...]
    feeds: tuple[ZoneFeed, ...]
    at: MonoMs
    rise_ms: int = 0
    later: tuple[ZoneId, ...] = ()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class RoutePlay:
    """Change which zones hear a running programme; its own time goes on."""

    play_id: PlayId
    feeds: tuple[ZoneFeed, ...]


@dataclass(frozen=True, slots=True)
class StopPlay:
    """End a programme now. Answered by PlayEnded."""

    play_id: PlayId


@dataclass(frozen=True, slots=True)
class AskHome:
    """Say the same hello to the home server, over HTTPS: the broker does not bring the answer, or is not there.

    Answered by HomeAnswered.
    """

    nonce: str


@dataclass(frozen=True, slots=True)
class NewChain:
    """From the record on that comes with it, the log is the chain ``epoch``, which begins behind the record ``begins``.

    ``marks`` (issuer, serial) are remembered with it: up to there this card may have forgotten what it did, by the word
    of the welcome ``word`` (its envelope).
    """

    epoch: str
    begins: int
    marks: tuple[tuple[str, int], ...]
    word: bytes = b""


@dataclass(frozen=True, slots=True)
class CommitRecord:
    """Append to the as-run log; if ``closes`` is set, that occurrence is over in the same transaction.

    ``job_over`` says that the record's job will never sound again; ``forget``: when it comes again, it is a new one.
    Answered by RecordSaved or JournalFailed.
    """

    record: AsRun
    closes: tuple[JobId, UtcMs] | None
    job_over: bool
    chain: NewChain | None = None
    forget: bool = False


@dataclass(frozen=True, slots=True)
class CompareLog:
    """The centre says that record ``seq`` of the chain ``epoch`` has this ``hash``. Answered by LogCompared.

    ``word`` is what it has signed to acknowledge that; b"" where a welcome says so.
    """

    epoch: str
    seq: int
    hash: str
    word: bytes = b""


@dataclass(frozen=True, slots=True)
class AdoptTime:
    """A verified welcome told the time: UTC was ``utc`` between ``asked_at`` and now."""

    utc: UtcMs
    asked_at: MonoMs


@dataclass(frozen=True, slots=True)
class SendHello:
    """Ask for a welcome; ``again`` within the same session."""

    nonce: str
    again: bool = False


class Verdict(StrEnum):
    """What became of an order on arrival."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Conflict:
    """An instant of a job, or a timetable's entry, that will not sound as ordered: nowhere, or not in ``zones``."""

    job_id: JobId
    planned: UtcMs
    reason: Reason
    zones: tuple[ZoneId, ...]


@dataclass(frozen=True, slots=True)
class SendAnswer:
    """Tell the server what became of an order on arrival; ``conflicts`` are foreseen among its next instants."""

    verdict: Verdict
    digest: str
    job_id: str
    reason: Reason | None
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True)
class SendPlan:
    """Tell the server what will play on a day."""

    day: date


@dataclass(frozen=True, slots=True)
class SendState:
    """Publish the station's whole state (birth or change), retained."""


@dataclass(frozen=True, slots=True)
class SendHeartbeat:
    """Publish a heartbeat."""


@dataclass(frozen=True, slots=True)
class SendLog:
    """Read records after ``after_seq`` from the journal, sign them as a batch and publish it."""

    after_seq: int


@dataclass(frozen=True, slots=True)
class Sweep:
    """Tidy up: no sound in ``keep`` may go; records and tombstones past their term at ``now`` may (None: unknown).

    ``now`` has certainly passed (``TrustStanding.passed``): no server's clock, nor its keys, take evidence away.
    """

    keep: frozenset[ClipKey]
    now: UtcMs | None


@dataclass(frozen=True, slots=True)
class EndProcess:
    """End in order, as if the service manager had asked; it starts the process anew."""


@dataclass(frozen=True, slots=True)
class SaveLogAck:
    """Move the upload cursor. The records stay, and so does the centre's signed ``word`` for it."""

    epoch: str
    seq: int
    word: bytes = b""


class Level(StrEnum):
    """How loud a log line is."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Note:
    """A line for someone at 3 a.m.: what, which job, why, what next."""

    level: Level
    what: str
    fields: tuple[tuple[str, str], ...] = ()


Effect = (
    SaveJob
    | ReleaseJob
    | TakeTrust
    | Ack
    | FetchAhead
    | FetchClip
    | FetchHeads
    | FetchManifest
    | FetchPaper
    | FetchRoot
    | KeepManifest
    | SpeakText
    | Unneeded
    | OpenLive
    | CloseLive
    | SaveMark
    | DropMark
    | SwitchRelay
    | StartPlay
    | RoutePlay
    | StopPlay
    | CommitRecord
    | CompareLog
    | AskHome
    | AdoptTime
    | SendHello
    | SendAnswer
    | SendPlan
    | SendState
    | SendHeartbeat
    | SendLog
    | SaveLogAck
    | Sweep
    | EndProcess
    | Note
)
