"""All that a station knows while it runs, as immutable data, and the working copy that one step makes of it.

Decides nothing. ``Turn`` is the only mutable thing in the core, and it lives for a single step.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect, Level, Note, SendAnswer, Verdict
from edge_agent.core.events import AckToken
from edge_agent.core.heads import NO_HOME, Home
from edge_agent.core.job import Accepted, Job, Seen
from edge_agent.core.occurrence import Phase
from edge_agent.core.order import AcceptedRule
from edge_agent.core.past import Sounded
from edge_agent.core.plays import Occurrence, OccurrenceKey
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.spent import NOTHING_SPENT, Spent
from edge_agent.core.trust_standing import NOTHING_STANDS, TrustStanding, TrustVersion
from edge_agent.core.units import NEVER, ClipKey, JobId, MonoMs, PlayId, UtcMs, ZoneId

JOBS_MAX = 200
# A ward's timetable has some 20 entries; ten times that. Emergencies are never refused for it.


class ClipStatus(StrEnum):
    """Where the staging of one sound stands."""

    WAITING = "waiting"  # for its moment of the night
    ASKED = "asked"
    FETCHED = "fetched"  # what it is made of is here
    READY = "ready"  # to be copied to the card
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Clip:
    """One sound. ``retry_at`` is when one that waits or has failed is asked for, ``failed_at`` when it last failed.

    ``reason``: why it last failed, or why one that is due soon still waits.
    ``duration_ms``: of one that is ready, else the room that it will need, where that is known; 0: not known.
    ``urgent``: it was last asked for as a warning's. ``counted_bytes`` were counted among a day's and have not come
    yet; ``came_bytes`` have come, beyond what a try costs anyhow, and were not it. ``left_out``: a warning has waited
    for it in vain, and none waits for it until it is ready. ``tried``: the jobs that have asked for it since it was
    last to be had, and were known when it was asked for last. ``due``: as it was asked for then.
    """

    status: ClipStatus
    duration_ms: int = 0
    tries: int = 0
    retry_at: MonoMs | None = None
    reason: Reason | None = None
    again: bool = True
    failed_at: MonoMs = MonoMs(0)
    urgent: bool = False
    counted_bytes: int = 0
    came_bytes: int = 0
    left_out: bool = False
    tried: frozenset[JobId] = frozenset()
    due: UtcMs | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The deliveries of an order that the disk is taking; ``refused``: its answer was given before the disk's."""

    digest: str
    tokens: tuple[AckToken, ...]
    refused: bool = False


class Unproven(StrEnum):
    """A warning sounds once although nobody can tell how old it is; then it waits again."""

    SOUNDS = "sounds"
    HAS_SOUNDED = "has_sounded"


@dataclass(frozen=True, slots=True)
class KnownJob:
    """A job that is not over. ``base`` is the instant its next occurrence counts from; ``held`` waits for a welcome.

    ``unproven``: it is held, and sounds, or has sounded, all the same (``unproven``). ``vouched``: a manifest says
    that it is in force.

    ``asked_at`` is the boot time at which the disk was asked to take it; ``unsaved_sounds``: the disk refused, or does
    not answer, and it is too urgent to wait for a better one. ``called_off``: its open occurrence is its last one.
    ``offered``: it waits for the commune to choose it (requirement B2).
    """

    accepted: Accepted
    base: UtcMs
    held: bool
    saved: bool
    asked_at: MonoMs = MonoMs(0)
    unsaved_sounds: bool = False
    called_off: bool = False
    offered: bool = False
    unproven: Unproven | None = None
    vouched: bool = False

    @property
    def job(self) -> Job:
        """What was signed."""
        return self.accepted.job

    @property
    def may_sound(self) -> bool:
        """Whether its occurrences are planned."""
        waits = (self.held and self.unproven is not Unproven.SOUNDS) or self.offered or self.called_off
        return not waits and (self.saved or self.unsaved_sounds)


@dataclass(frozen=True, slots=True)
class KnownRule:
    """A regulation, a window or a command that is not over.

    ``since`` is the boot time at which it took effect here, ``base`` the UTC of it. ``undated``: a restart has brought
    it back, and no time has told yet how long ago it began; until then ``since`` is that restart. ``passing``: it has
    no place, and is over as soon as it is done.
    """

    accepted: AcceptedRule
    base: UtcMs
    since: MonoMs
    held: bool
    saved: bool
    vouched: bool = False
    undated: bool = False
    passing: bool = False


class Tested(StrEnum):
    """What a self-test saw of a zone: its contact, or why it was left alone."""

    OK = "ok"
    RELAY_FAILED = "relay_failed"
    BUSY = "busy"
    RESTING = "resting"
    DEVICE_FAILED = "device_failed"
    ZONE_LOCKED = "zone_locked"


@dataclass(frozen=True, slots=True)
class SelfTesting:
    """A self-test on its way: ``zone`` is the one under test, ``results`` what was seen of those before it.

    ``opening``: its relay has been seen closed, and is to be seen open.
    """

    accepted: AcceptedRule
    zones: tuple[ZoneId, ...]
    zone: ZoneId | None = None
    opening: bool = False
    results: tuple[tuple[ZoneId, Tested], ...] = ()


@dataclass(frozen=True, slots=True)
class Relay:
    """A relay as ordered and as reported.

    ``ordered_at`` is when it was last ordered to close while open, ``since`` when it was reported to have closed,
    ``warm_until`` until when it is to stay so although nothing sounds, and ``opened_at`` when it last opened (None: not
    since this process began, nor, as the device process says, before).
    """

    ordered_on: bool = False
    ordered_at: MonoMs = MonoMs(0)
    on: bool | None = None
    since: MonoMs | None = None
    warm_until: MonoMs = MonoMs(0)
    opened_at: MonoMs | None = None

    @property
    def closed_since(self) -> MonoMs | None:
        """Since when it is closed as ordered; None while it is not."""
        return self.since if self.ordered_on else None


@dataclass(frozen=True, slots=True)
class Link:
    """The talk with the central side: what was said, what is waited for.

    ``asking_home``: the home server has our hello and has not answered. ``comparing``: the (epoch, seq, hash) that a
    welcome has told, while nobody knows yet whether our log has it too. ``log_tries``: how often the records that wait
    were sent since anybody there answered; ``shows``: how often the state was shown in the hour of ``shown_at``.
    ``chain_from``: behind this record the chain ``log_epoch`` begins, and it says which one came before; None: it does
    not say that.
    """

    connected: bool = False
    seed: str = ""
    hellos: int = 0
    unanswered: int = 0
    nonce: str = ""
    asked_at: MonoMs = MonoMs(0)
    hello_again_at: MonoMs | None = None
    asking_home: bool = False
    comparing: tuple[str, int, str] | None = None
    log_epoch: str = ""
    chain_from: int | None = None
    last_seq: int = 0
    acked_seq: int = 0
    log_sent_at: MonoMs | None = None
    log_tries: int = 0
    shown: tuple[object, ...] = ()
    shown_at: MonoMs = MonoMs(0)
    shows: int = 0
    show_at: MonoMs | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What the last welcome has told, and when (boot time): what we should have, and the last serial of each issuer.

    ``utc`` is the time that it told, ``word`` its envelope.
    """

    at: MonoMs | None = None
    utc: UtcMs = UtcMs(0)
    trust: tuple[TrustVersion, ...] = ()
    marks: tuple[tuple[str, int], ...] = ()
    word: bytes = b""


@dataclass(frozen=True, slots=True)
class Heard:
    """What the ear at a zone's horn said last: whether it was heard, and how loud (dB of the ear's full scale)."""

    heard: bool
    level_db: int


@dataclass(frozen=True, slots=True)
class Timeless:
    """The last while in which the clock could not be trusted, in boot time; ``until`` None: it goes on."""

    since: MonoMs
    until: MonoMs | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The whole station. Built once by ``station.start`` and then only by ``station.step``.

    ``forgotten`` are the serials (by issuer) up to which this card may have forgotten what it did, by the word of the
    welcome ``forgot_by``; ``floor`` is the last signed time. ``unsettled``: the last step had more to do than one step
    may; the next one follows at once. ``live`` are the live sources that are open. ``unsigned``: perhaps a time that
    nobody has signed has planned this. ``heard`` is the newest word of each ear at a horn, since this process began.
    """

    site: Site
    welcomed: bool = False
    told: Told = Told()
    floor: UtcMs = UtcMs(0)
    forgotten: Mapping[str, int] = field(default_factory=dict)
    forgot_by: bytes = b""
    stopping: bool = False
    device_up: bool = False
    jobs: Mapping[JobId, KnownJob] = field(default_factory=dict)
    rules: Mapping[JobId, KnownRule] = field(default_factory=dict)
    past: tuple[Sounded, ...] = ()
    reserve: bool = False
    testing: SelfTesting | None = None
    seen: Mapping[JobId, Seen] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    spent: Spent = NOTHING_SPENT
    waiting_acks: Mapping[JobId, Delivered] = field(default_factory=dict)
    plays: Mapping[OccurrenceKey, Occurrence] = field(default_factory=dict)
    clips: Mapping[ClipKey, Clip] = field(default_factory=dict)
    relays: Mapping[ZoneId, Relay] = field(default_factory=dict)
    link: Link = Link()
    unauthenticated: int = 0
    unsettled: bool = False
    timeless: Timeless | None = None
    unsigned: bool = False
    heard: Mapping[ZoneId, Heard] = field(default_factory=dict)
    trust: TrustStanding = NOTHING_STANDS
    home: Home = NO_HOME
    live: frozenset[ClipKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Sounds:
    """What ``jobs`` need: found once in a step, for after a start each of hundreds of orders asks for its own.

    ``signed_ms`` is the longest that anybody has signed for a recording, ``warned_ms`` the same of warnings alone;
    ``kept`` as ``sound_room.kept`` says, None where it must be found anew.
    """

    jobs: Mapping[JobId, KnownJob]
    needed: frozenset[ClipKey]
    signed_ms: Mapping[ClipKey, int]
    warned_ms: Mapping[ClipKey, int]
    kept: frozenset[ClipKey] | None = None


class Turn:
    """One step in the making: the state so far, and what is to be done about it.

    ``no_room_from``: for sound that is due then, or later, there is no room. ``sounds``: what was found of them so far.
    """

    def __init__(self, state: State, now: Now) -> None:
        self.state = state
        self.now = now
        self.effects: list[Effect] = []
        self.no_room_from = NEVER
        self.sounds: Sounds | None = None

    def emit(self, *effects: Effect) -> None:
        """Ask something of the world."""
        self.effects.extend(effects)

    def note(self, level: Level, what: str, **fields: object) -> None:
        """Say something to whoever reads the log."""
        self.emit(Note(level, what, tuple((name, str(value)) for name, value in fields.items())))

    def put_job(self, known: KnownJob) -> None:
        """Insert or replace a job."""
        self.state = replace(self.state, jobs={**self.state.jobs, known.job.job_id: known})

    def drop_job(self, job_id: JobId) -> None:
        """Forget a job that will not sound again; its id stays in ``seen``."""
        self.state = replace(self.state, jobs={key: known for key, known in self.state.jobs.items() if key != job_id})

    def forget(self, order_id: JobId) -> None:
        """As if it had never come: sent again, it is a new one."""
        self.state = replace(self.state, seen={key: seen for key, seen in self.state.seen.items() if key != order_id})

    def refuse(self, reason: Reason, digest: str, order_id: str) -> None:
        """Answer that something is refused; of an order that the disk is taking, its word is no answer any more."""
        self.emit(SendAnswer(Verdict.REFUSED, digest, order_id, reason))
        waiting = self.state.waiting_acks
        delivered = waiting.get(JobId(order_id))
        if delivered is not None and delivered.digest == digest:
            refused = replace(delivered, refused=True)
            self.state = replace(self.state, waiting_acks={**waiting, JobId(order_id): refused})

    def put_rule(self, rule: KnownRule) -> None:
        """Insert or replace a regulation, a window or a command."""
        self.state = replace(self.state, rules={**self.state.rules, rule.accepted.order_id: rule})

    def drop_rule(self, order_id: JobId) -> None:
        """Forget one that is over; its id stays in ``seen``."""
        self.state = replace(self.state, rules={key: rule for key, rule in self.state.rules.items() if key != order_id})

    def put_play(self, play: Occurrence) -> None:
        """Insert or replace an open occurrence."""
        self.state = replace(self.state, plays={**self.state.plays, play.key: play})

    def drop_play(self, key: OccurrenceKey) -> None:
        """Forget an occurrence that has its outcome."""
        self.state = replace(
            self.state, plays={other: play for other, play in self.state.plays.items() if other != key}
        )

    def put_clip(self, key: ClipKey, clip: Clip) -> None:
        """Insert or replace what is known of a sound."""
        before = self.state.clips.get(key)
        was_let_go = before is not None and before.status is ClipStatus.FETCHED
        if self.sounds is not None and was_let_go != (clip.status is ClipStatus.FETCHED):
            self.sounds = replace(self.sounds, kept=None)
        self.state = replace(self.state, clips={**self.state.clips, key: clip})

    def put_relay(self, zone: ZoneId, relay: Relay) -> None:
        """Insert or replace what is known of a relay."""
        self.state = replace(self.state, relays={**self.state.relays, zone: relay})

    def put_link(self, **changes: object) -> None:
        """Change what is known of the talk with the central side."""
        self.state = replace(self.state, link=replace(self.state.link, **changes))  # type: ignore[arg-type]

    def spend(self, **changes: object) -> None:
        """Change what was spent of an hour's or a day's bounds."""
        self.state = replace(self.state, spent=replace(self.state.spent, **changes))  # type: ignore[arg-type]

    def job_of(self, play: Occurrence) -> Job:
        """What an occurrence sounds."""
        return self.state.jobs[play.job_id].job

    def play_by_id(self, play_id: PlayId) -> Occurrence | None:
        """The occurrence that plays as ``play_id``; None for a report about a run that is over or never began."""
        playing = (play for play in self.state.plays.values() if play.phase is Phase.PLAYING)
        return next((play for play in playing if play.play_id == play_id), None)
