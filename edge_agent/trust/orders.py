"""Turn payloads into orders: every field typed and bounded, or one error that names the field and the rule.

Parsed here once; everything after trusts the types. Who may order it, for whom and when is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from edge_agent.core.heads import Head
from edge_agent.core.job import Job, JobClass, LogAck, Preemption, Welcome
from edge_agent.core.order import RuleOrder, Timetable
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.trust_standing import TrustVersion
from edge_agent.core.units import SECOND_MS, JobId
from edge_agent.trust.entries import read_timetable
from edge_agent.trust.fields import AREA_OR_ROOT, NAME, Fields, form, free_text
from edge_agent.trust.heading import HEADING_FIELDS, read_audience
from edge_agent.trust.items import ITEMS_MAX, read_item
from edge_agent.trust.job_together import check_together
from edge_agent.trust.manifests import HEAD_FIELDS, parse_head
from edge_agent.trust.rule_orders import parse_command, parse_regulation, parse_window
from edge_agent.trust.strict_json import INTEGER_MAX, WireError
from edge_agent.trust.timetable import read_instant, read_when

ORDER_MAX = 9_999  # thứ tự phát: four digits on a form
LOOPS_MAX = 20
GAP_S_MAX = 3_600
LATE_S_MAX = 86_400  # a day late it is another day's programme
VERSION_MAX = 9_999  # of one alert: a new one every minute for a week
SERIAL_MARKS_MAX = 64
TRUST_HEADS_MAX = 7
# The root's, and one of each name that an area may have.
CRITICAL_MAX = 64
EVENT = form(r"[a-z0-9-]{1,40}", "1 to 40 of a-z, 0-9 and -")
NONCE = form(r"[0-9a-f]{32}", "32 hex digits")
LOG_EPOCH = form(r"[A-Za-z0-9-]{1,64}", "1 to 64 letters, digits and -")
LOG_EPOCH_OR_NOTHING = form(r"[A-Za-z0-9-]{0,64}", "up to 64 letters, digits and -")  # empty: nothing is held
LOG_HASH = form(r"([0-9a-f]{64})?", "64 hex digits, or nothing")
FIELD_NAME = free_text(64, least=1)
CAP_TEXT = free_text(200)
CAP_FIELDS = ("identifier", "sender", "sent")


class OrderType(StrEnum):
    """The messages that a station obeys."""

    JOB = "job"
    REGULATION = "regulation"
    WINDOW = "window"
    COMMAND = "command"
    TIMETABLE = "timetable"
    WELCOME = "welcome"
    ACK = "ack"
    HEAD = "head"


Order = Job | RuleOrder | Welcome | LogAck | Head

GIVEN = frozenset({OrderType.JOB, OrderType.REGULATION, OrderType.WINDOW, OrderType.COMMAND, OrderType.TIMETABLE})
"""What people order, in an issuer's name and within limits; the rest are a server's answers."""

COMMON_FIELDS = frozenset({"realm", "type", "critical"})
_RULE_FIELDS = COMMON_FIELDS | HEADING_FIELDS | {"order_id"}
KNOWN_FIELDS = {
    OrderType.JOB: COMMON_FIELDS
    | HEADING_FIELDS
    | {
        *("job_id", "class", "order", "when", "loops", "gap_s", "items", "volume", "preemption", "missed"),
        *("event", "series", "version", "all_clear", "rehearsal", "corrects", "cap"),
    },
    OrderType.REGULATION: _RULE_FIELDS | {"version", "number", "dated", "into_quiet", "clauses"},
    OrderType.WINDOW: _RULE_FIELDS | {"kind", "begins", "ends", "basis", "classes", "session_s", "total_s", "volume"},
    OrderType.COMMAND: _RULE_FIELDS | {"do"},
    OrderType.TIMETABLE: _RULE_FIELDS | {"name", "version", "entries"},
    OrderType.WELCOME: COMMON_FIELDS | {"station", "nonce", "utc", "trust", "serial_marks", "heads", "log"},
    OrderType.ACK: COMMON_FIELDS | {"station", "log"},
    OrderType.HEAD: COMMON_FIELDS | HEAD_FIELDS,
}
"""What this software reads; a payload that calls another field critical is UNSUPPORTED."""


class _Missed(StrEnum):
    SKIP = "skip"
    LATE = "late"


def ordered_as(kind: OrderType) -> OrderType:
    """What a role must order for it: a timetable is nothing but jobs."""
    return OrderType.JOB if kind is OrderType.TIMETABLE else kind


def unknown_critical(fields: Fields, kind: OrderType) -> str | None:
    """The first field that the signer calls critical and this software does not know."""
    for name in fields.texts("critical", FIELD_NAME, 0, CRITICAL_MAX):
        if name not in KNOWN_FIELDS[kind]:
            return name
    return None


def parse_order(fields: Fields, kind: OrderType) -> Order:
    """The order that a payload says, or ``WireError``. Realm, type, station and critical are the caller's to check."""
    return _PARSERS[kind](fields)


def parse_job(fields: Fields) -> Job:
    """A job. Lists and numbers are within the constants above."""
    series, version = _read_series(fields)
    job = Job(
        job_id=JobId(fields.text("job_id", NAME)),
        issuer=fields.text("issuer", NAME),
        level=fields.text("level", NAME),
        key_epoch=fields.integer("key_epoch", 0, INTEGER_MAX),
        serial=fields.integer("serial", 1, INTEGER_MAX),
        issued_at=read_instant(fields, "issued_at"),
        not_before=read_instant(fields, "not_before"),
        not_after=read_instant(fields, "not_after"),
        audience=read_audience(fields.record("audience")),
        cls=fields.choice("class", JobClass),
        order=fields.integer("order", 0, ORDER_MAX, default=0),
        when=read_when(fields.record("when")),
        loops=fields.integer("loops", 1, LOOPS_MAX, default=1),
        gap_ms=fields.integer("gap_s", 0, GAP_S_MAX, default=0) * SECOND_MS,
        items=tuple(read_item(item) for item in fields.records("items", 1, ITEMS_MAX)),
        volume=fields.integer("volume", 0, VOLUME_MAX),
        preemption=fields.choice("preemption", Preemption, default=Preemption.REJOIN),
        late_limit_ms=_read_late_limit(fields),
        event=fields.text("event", EVENT, default=""),
        cap=_read_cap(fields),
        zones_limit_ms=_read_zones_limit(fields),
        series=series,
        version=version,
        all_clear=fields.boolean("all_clear", default=False),
        rehearsal=fields.boolean("rehearsal", default=False),
        corrects=fields.text("corrects", NAME, default=""),
    )
    check_together(job, fields)
    return job


def parse_welcome(fields: Fields) -> Welcome:
    """A welcome; the station it names is the caller's to check."""
    log_epoch, log_seq, log_hash = _read_place_in_log(fields.record("log"))
    return Welcome(
        nonce=fields.text("nonce", NONCE),
        utc=read_instant(fields, "utc"),
        trust=tuple(_read_trust_version(one) for one in fields.records("trust", 1, TRUST_HEADS_MAX)),
        serial_marks=_read_serial_marks(fields.record("serial_marks")),
        log_epoch=log_epoch,
        log_seq=log_seq,
        log_hash=log_hash,
    )


def parse_ack(fields: Fields) -> LogAck:
    """A log acknowledgement; the station it names is the caller's to check."""
    return LogAck(*_read_place_in_log(fields.record("log")))


def parse_timetable(fields: Fields) -> Timetable:
    """A whole timetable."""
    return read_timetable(fields, parse_job)


def _read_late_limit(fields: Fields) -> int:
    if "missed" not in fields:
        return 0
    missed = fields.record("missed")
    if missed.choice("policy", _Missed) is _Missed.SKIP:
        return 0
    return missed.integer("limit_s", 1, LATE_S_MAX) * SECOND_MS


def _read_zones_limit(fields: Fields) -> int:
    if "missed" not in fields:
        return 0
    return fields.record("missed").integer("zones_s", 0, LATE_S_MAX, default=0) * SECOND_MS


def _read_series(fields: Fields) -> tuple[str, int]:
    if "series" not in fields and "version" not in fields:
        return "", 0
    return fields.text("series", NAME), fields.integer("version", 1, VERSION_MAX)


def _read_cap(fields: Fields) -> tuple[tuple[str, str], ...]:
    if "cap" not in fields:
        return ()
    cap = fields.record("cap")
    return tuple((name, cap.text(name, CAP_TEXT)) for name in CAP_FIELDS if name in cap)


def _read_trust_version(fields: Fields) -> TrustVersion:
    return TrustVersion(
        area=fields.text("area", AREA_OR_ROOT),
        epoch=fields.integer("epoch", 0, INTEGER_MAX),
        version=fields.integer("version", 1, INTEGER_MAX),
    )


def _read_place_in_log(log: Fields) -> tuple[str, int, str]:
    """Epoch, seq and hash. An epoch without a name is none: then there is no record and no hash either."""
    epoch, seq = log.text("epoch", LOG_EPOCH_OR_NOTHING), log.integer("seq", 0, INTEGER_MAX)
    head_hash = log.text("hash", LOG_HASH)
    if not epoch and (seq or head_hash):
        raise log.wrong("epoch", 'a name, or "" with seq 0 and hash ""')
    return epoch, seq, head_hash


def _read_serial_marks(fields: Fields) -> tuple[tuple[str, int], ...]:
    if len(fields.values) > SERIAL_MARKS_MAX:
        raise WireError(fields.where, f"at most {SERIAL_MARKS_MAX} issuers")
    for issuer in fields.values:
        if NAME.pattern.fullmatch(issuer) is None:
            raise fields.wrong(issuer, NAME.rule)
    return tuple((issuer, fields.integer(issuer, 0, INTEGER_MAX)) for issuer in sorted(fields.values))


_PARSERS: Mapping[OrderType, Callable[[Fields], Order]] = {
    OrderType.JOB: parse_job,
    OrderType.REGULATION: parse_regulation,
    OrderType.WINDOW: parse_window,
    OrderType.COMMAND: parse_command,
    OrderType.TIMETABLE: parse_timetable,
    OrderType.WELCOME: parse_welcome,
    OrderType.ACK: parse_ack,
    OrderType.HEAD: parse_head,
}
