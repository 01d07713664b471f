"""Believe a station's message or not, and read it: the counterpart of ``sync.messages``. Pure, given the bytes.

A message counts when it is signed by the key that its station enrolled with, and names that station, this realm and the
kind of its topic. Nothing a stranger can send gets further; what he sent is repeated nowhere but as a topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from typing import TypeVar, cast

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.effects import Conflict, Verdict
from edge_agent.core.events import Rejected
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.site import LEVEL_DB_MIN, VOLUME_MAX, ZONES_MAX
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import JobId, MonoMs, StationId, UtcMs, ZoneId
from edge_agent.headend.enrolment import Enrolled
from edge_agent.journal.port import StoredRecord
from edge_agent.journal.record import canonical
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogCursor,
    OfferStatus,
    PlanMsg,
    PlayStatus,
    PolicyStatus,
    StateMsg,
    Why,
    ZoneStatus,
)
from edge_agent.sync.topics import ROOT, Up
from edge_agent.trust.envelope import open_envelope, payload_type, signers_of
from edge_agent.trust.fields import AREA, AREA_OR_ROOT, HASH, NAME, WALL_MINUTE, Fields, form, free_text
from edge_agent.trust.manifests import SCOPE
from edge_agent.trust.orders import LOG_EPOCH, LOG_EPOCH_OR_NOTHING, LOG_HASH, NONCE, TRUST_HEADS_MAX
from edge_agent.trust.strict_json import INTEGER_MAX, WireError, parse
from edge_agent.trust.timetable import ZONE_NAME, read_day, read_instant

RECORDS_MAX = 1_000
# More than fit into 48 kB.
SCOPES_MAX = 7
# A station, and one of each name that an area may have.
PLAYS_MAX = 64
CONFLICTS_MAX = 16
ENTRIES_MAX = 500
# A plan's, as many as a station lists.
WORDS = free_text(200)
NAME_OR_NOTHING = form(r"[a-z0-9-]{0,64}", "a name or nothing")
DIGEST_OR_NOTHING = form(r"([0-9a-f]{64})?", "64 hex digits or nothing")
NEWER_NAME = free_text(64, least=1)

E = TypeVar("E", bound=StrEnum)


class Doubt(StrEnum):
    """Why a message is not believed."""

    NOT_ENROLLED = "not_enrolled"
    FORGED = "forged"
    MALFORMED = "malformed"
    OTHER_REALM = "other_realm"
    OTHER_SENDER = "other_sender"


@dataclass(frozen=True, slots=True)
class Unheard:
    """A message that does not count. ``station`` is what the topic claims."""

    station: str
    doubt: Doubt
    detail: str


@dataclass(frozen=True, slots=True)
class LogBatch:
    """Records of one chain, oldest first."""

    epoch: str
    records: tuple[StoredRecord, ...]


Said = HelloMsg | StateMsg | HeartbeatMsg | LogBatch | AnswerMsg | PlanMsg


@dataclass(frozen=True, slots=True)
class Heard:
    """A station's own word. ``boot_id`` and ``software`` are "", ``made_at`` is None where the message tells none."""

    station: StationId
    kind: Up
    boot_id: str
    software: str
    said: Said
    made_at: UtcMs | None = None


def hear(
    stations: Mapping[StationId, Enrolled], realm: str, topic: str, message: bytes, *, kept: bool = False
) -> Heard | Unheard:
    """Read what came on ``loa/1/u/<station>/<kind>``.

    ``kept``: it came long ago, and lies in a file. An earlier version took records of an epoch without a name.
    """
    station, kind = _sender_of(topic)
    enrolled = stations.get(StationId(station))
    if enrolled is None or kind is None:
        return Unheard(station, Doubt.NOT_ENROLLED, "no such station is enrolled: `keys station`")
    envelope = open_envelope(message)
    if isinstance(envelope, Rejected):
        return Unheard(station, Doubt.MALFORMED, envelope.detail)
    if not signers_of(envelope, [enrolled.key]):
        return Unheard(station, Doubt.FORGED, "not signed by the key that the station enrolled with")
    if envelope.payload_type != payload_type(kind):
        return Unheard(station, Doubt.OTHER_SENDER, f"a {envelope.payload_type} on the topic of {kind}")
    try:
        readers = {**_READERS, Up.LOG: _kept_log} if kept else _READERS
        return _read(Fields(parse(envelope.payload)), enrolled.station, realm, kind, readers[kind])
    except WireError as error:
        return Unheard(station, Doubt.MALFORMED, str(error))


def _sender_of(topic: str) -> tuple[str, Up | None]:
    match topic.removeprefix(f"{ROOT}/u/").split("/"):
        case [station, kind] if topic.startswith(f"{ROOT}/u/") and kind in list(Up):
            return station, Up(kind)
        case _:
            return "", None


def _read(
    fields: Fields, station: StationId, realm: str, kind: Up, reader: Callable[[Fields], Said]
) -> Heard | Unheard:
    if fields.text("realm", NAME) != realm:
        return Unheard(station, Doubt.OTHER_REALM, "the station belongs to another realm")
    if fields.text("station", NAME) != station or fields.text("type", NAME) != kind:
        return Unheard(station, Doubt.OTHER_SENDER, "signed as another station or kind than its topic says")
    boot_id, software = (fields.text(name, WORDS, default="") for name in ("boot_id", "software"))
    made_at = read_instant(fields, "at") if "at" in fields else None
    return Heard(station, kind, boot_id, software, reader(fields), made_at)


def known_or_plain(fields: Fields, name: str, kind: type[E]) -> E:
    """A member of ``kind``; or what a newer station says there, as plain text (protocol, 3.9).

    Plain text is typed as a member all the same, because nobody here does more with it than compare and show it.
    """
    text = fields.text(name, NEWER_NAME)
    found = next((member for member in kind if member == text), None)
    return cast(E, text) if found is None else found


def _hello(fields: Fields) -> HelloMsg:
    return HelloMsg(
        nonce=fields.text("nonce", NONCE),
        trust=tuple(_trust_head(one) for one in fields.records("trust", 1, TRUST_HEADS_MAX)),
        log=read_cursor(fields.record("log")),
        clock=_clock(fields.record("clock")),
    )


def read_cursor(fields: Fields) -> LogCursor:
    """A place in a station's log: ``{"epoch", "seq", "hash"}``."""
    return LogCursor(
        fields.text("epoch", LOG_EPOCH_OR_NOTHING),
        fields.integer("seq", 0, INTEGER_MAX),
        fields.text("hash", LOG_HASH),
    )


def _state(fields: Fields) -> StateMsg:
    return StateMsg(
        online=_flag(fields, "online"),
        why=known_or_plain(fields, "why", Why),
        area=fields.text("area", AREA),
        name=fields.text("name", WORDS),
        clock=_clock(fields.record("clock")),
        zones=tuple(_zone(zone) for zone in fields.records("zones", 0, ZONES_MAX)),
        playing=tuple(_play(play) for play in fields.records("playing", 0, PLAYS_MAX)),
        next=tuple(_play(play) for play in fields.records("next", 0, PLAYS_MAX)),
        records_waiting=fields.integer("records_waiting", 0, INTEGER_MAX),
        welcomed=_flag(fields, "welcomed"),
        waits=_reason(fields, "waits"),
        device_up=_flag(fields, "device_up"),
        host=_host(fields.record("host")),
        # A station of the version before says neither.
        offers=tuple(_offer(offer) for offer in fields.records("offers", 0, PLAYS_MAX)) if "offers" in fields else (),
        rules=_rules(fields.record("rules")) if "rules" in fields else InForce(),
        manifests=_manifests(fields),
    )


def _heartbeat(fields: Fields) -> HeartbeatMsg:
    return HeartbeatMsg(
        uptime_s=fields.integer("uptime_s", 0, INTEGER_MAX),
        clock=_clock(fields.record("clock")),
        playing=tuple(JobId(job) for job in fields.texts("playing", NAME, 0, PLAYS_MAX)),
        records_waiting=fields.integer("records_waiting", 0, INTEGER_MAX),
        host=_host(fields.record("host")),
    )


def _log(fields: Fields) -> LogBatch:
    fields.text("epoch", LOG_EPOCH)
    return _kept_log(fields)


def _kept_log(fields: Fields) -> LogBatch:
    epoch = fields.text("epoch", LOG_EPOCH_OR_NOTHING)
    return LogBatch(epoch, tuple(read_record(record, epoch) for record in fields.records("records", 1, RECORDS_MAX)))


def read_record(fields: Fields, epoch: str) -> StoredRecord:
    """A record in its place; its body goes back to the canonical bytes that were hashed. Checks no hash."""
    body = canonical(dict(fields.record("body").values))
    seq = fields.integer("seq", 1, INTEGER_MAX)
    return StoredRecord(epoch, seq, fields.text("prev", HASH), fields.text("hash", HASH), body)


def _answer(fields: Fields) -> AnswerMsg:
    return AnswerMsg(
        verdict=fields.choice("verdict", Verdict),
        digest=fields.text("digest", DIGEST_OR_NOTHING),
        job_id=fields.text("job_id", NAME_OR_NOTHING),
        reason=_reason(fields),
        at=read_instant(fields, "at"),
        conflicts=tuple(_conflict(one) for one in fields.records("conflicts", 0, CONFLICTS_MAX))
        if "conflicts" in fields
        else (),
    )


def _conflict(fields: Fields) -> Conflict:
    zones = tuple(ZoneId(zone) for zone in fields.texts("zones", NAME, 0, ZONES_MAX))
    job_id = JobId(fields.text("job_id", NAME))
    return Conflict(job_id, read_instant(fields, "planned"), known_or_plain(fields, "reason", Reason), zones)


def _plan(fields: Fields) -> PlanMsg:
    return PlanMsg(
        day=read_day(fields, "day"),
        timezone=fields.text("timezone", ZONE_NAME),
        now=read_instant(fields, "now"),
        policy=None if fields.value("policy") is None else _policy(fields.record("policy")),
        entries=tuple(_entry(entry) for entry in fields.records("entries", 0, ENTRIES_MAX)),
        offers=tuple(_offer(offer) for offer in fields.records("offers", 0, PLAYS_MAX)),
        left_out=fields.integer("left_out", 0, INTEGER_MAX),
    )


def _policy(fields: Fields) -> PolicyStatus:
    return PolicyStatus(fields.text("number", WORDS), read_day(fields, "dated"))


def _entry(fields: Fields) -> Planned:
    heard = {
        ZoneId(one.text("zone", NAME)): one.integer("volume", 0, VOLUME_MAX)
        for one in fields.records("zones", 0, ZONES_MAX)
    }
    out = {
        ZoneId(one.text("zone", NAME)): known_or_plain(one, "reason", Reason)
        for one in fields.records("out", 0, ZONES_MAX)
    }
    return Planned(
        job_id=JobId(fields.text("job_id", NAME)),
        title=fields.text("title", WORDS),
        cls=fields.choice("class", JobClass),
        level=fields.text("level", NAME),
        order=None if fields.value("order") is None else fields.integer("order", 0, INTEGER_MAX),
        planned=read_instant(fields, "planned"),
        starts=read_instant(fields, "starts"),
        ends=read_instant(fields, "ends"),
        volumes=heard,
        out=out,
        reason=_reason(fields),
        under=fields.text("under", NAME_OR_NOTHING),
        cut=_flag(fields, "cut"),
        zones=(*heard, *out),  # those that it names
        rehearsal=_flag(fields, "rehearsal"),
    )


def _offer(fields: Fields) -> OfferStatus:
    return OfferStatus(
        job_id=JobId(fields.text("job_id", NAME)),
        title=fields.text("title", WORDS),
        cls=fields.choice("class", JobClass),
        level=fields.text("level", NAME),
        expires=read_instant(fields, "expires"),
    )


def _manifests(fields: Fields) -> tuple[ScopeStatus, ...] | None:
    """None of a station that has no home, or is of the version before."""
    if fields.values.get("manifests") is None:
        return None
    return tuple(
        ScopeStatus(
            scope=one.text("scope", SCOPE),
            epoch=one.integer("epoch", 0, INTEGER_MAX),
            counter=one.integer("counter", 0, INTEGER_MAX),
            issued_at=read_instant(one, "issued_at"),
            lacking=one.integer("lacking", 0, INTEGER_MAX),
            reason=_reason(one),
        )
        for one in fields.records("manifests", 0, SCOPES_MAX)
    )


def _rules(fields: Fields) -> InForce:
    return InForce(
        regulation=fields.text("regulation", WORDS),
        quiet=None if fields.value("quiet") is None else _quiet(fields),
        locked=tuple(ZoneId(zone) for zone in fields.texts("locked", NAME, 0, ZONES_MAX)),
        silenced=tuple(ZoneId(zone) for zone in fields.texts("silenced", NAME, 0, ZONES_MAX)),
    )


def _quiet(fields: Fields) -> tuple[time, time]:
    match [value for _, value in fields.entries("quiet", 2, 2)]:
        case [str() as begins, str() as ends] if all(WALL_MINUTE.pattern.fullmatch(one) for one in (begins, ends)):
            return time.fromisoformat(begins), time.fromisoformat(ends)
    raise fields.wrong("quiet", WALL_MINUTE.rule)


_READERS: dict[Up, Callable[[Fields], Said]] = {
    Up.HELLO: _hello,
    Up.STATE: _state,
    Up.HEARTBEAT: _heartbeat,
    Up.LOG: _log,
    Up.ANSWER: _answer,
    Up.PLAN: _plan,
}


def _clock(fields: Fields) -> Now:
    # A station's boot time means nothing here.
    utc, source = read_instant(fields, "utc"), known_or_plain(fields, "source", ClockSource)
    return Now(MonoMs(0), utc, source, fields.integer("max_error_ms", 0, INTEGER_MAX))


def _zone(fields: Fields) -> ZoneStatus:
    relay = fields.text("relay", form("on|off|unknown", "on, off or unknown"))
    return ZoneStatus(
        zone=ZoneId(fields.text("zone", NAME)),
        name=fields.text("name", WORDS),
        relay_on=None if relay == "unknown" else relay == "on",
        playing=None if fields.value("playing") is None else JobId(fields.text("playing", NAME)),
        volume_max=fields.integer("volume_max", 0, VOLUME_MAX),
        # None of a zone that has no ear, or whose ear has said nothing, and of a station of the version before.
        heard=None if fields.values.get("heard") is None else _flag(fields, "heard"),
        level_db=None if fields.values.get("level_db") is None else fields.integer("level_db", LEVEL_DB_MIN, 0),
    )


def _play(fields: Fields) -> PlayStatus:
    return PlayStatus(
        job_id=JobId(fields.text("job_id", NAME)),
        title=fields.text("title", WORDS),
        cls=fields.choice("class", JobClass),
        phase=known_or_plain(fields, "phase", Phase),
        planned=read_instant(fields, "planned"),
        zones=tuple(ZoneId(zone) for zone in fields.texts("zones", NAME, 0, ZONES_MAX)),
        reason=_reason(fields),
        rehearsal="rehearsal" in fields and _flag(fields, "rehearsal"),
    )


def _host(fields: Fields) -> HostStatus:
    return HostStatus(
        address=None if fields.value("address") is None else fields.text("address", WORDS),
        serial=None if fields.value("serial") is None else fields.text("serial", WORDS),
        storage_free_mb=_number(fields, "storage_free_mb"),
        temperature_c=_number(fields, "temperature_c"),
        undervoltage=None if fields.value("undervoltage") is None else _flag(fields, "undervoltage"),
    )


def _number(fields: Fields, name: str) -> int | None:
    return None if fields.value(name) is None else fields.integer(name, -INTEGER_MAX, INTEGER_MAX)


def _flag(fields: Fields, name: str) -> bool:
    value = fields.value(name)
    if not isinstance(value, bool):
        raise fields.wrong(name, "true or false")
    return value


def _reason(fields: Fields, name: str = "reason") -> Reason | None:
    if fields.values.get(name) is None:
        return None
    return known_or_plain(fields, name, Reason)


def _trust_head(fields: Fields) -> TrustHead:
    return TrustHead(
        area=fields.text("area", AREA_OR_ROOT),
        epoch=fields.integer("epoch", 0, INTEGER_MAX),
        version=fields.integer("version", 1, INTEGER_MAX),
        expires=read_instant(fields, "expires"),
    )
