"""Decide what a record looks like as bytes, how records are chained, and where a chain was broken. Pure.

A record's body is canonical JSON: UTF-8, sorted keys, no spaces, no floats; the same record gives the same bytes at
the station, at the centre and in an auditor's ten lines of script. ``hash`` = SHA-256 over the previous hash and the
body, so a later hash vouches for everything before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum, StrEnum
from typing import NoReturn

from edge_agent.core.as_run import AsRun, ItemAsRun
from edge_agent.core.clock_trust import DATELESS
from edge_agent.core.job import JobClass, plays_as
from edge_agent.core.past import IN_ANOTHER_BOOT, Sounded, counted_start
from edge_agent.core.text import tidy
from edge_agent.core.units import JobId, UtcMs, ZoneId
from edge_agent.journal.port import StoredRecord

GENESIS = "0" * 64
"""What the first record of a chain names as the one before it."""

PLAYED, UNHEARD, OVERTAKEN = b'"kind":"play"', b'"reason":"not_heard_here"', b'"detail":"overtaken"'
"""In every body of an occurrence, of what was refused as heard nowhere here, or as taken back before it came."""

DETAIL_CHARS_MAX = 500
# Room for an error's own words.
BODY_BYTES_MAX = 47_000
# One upload carries 48,000 bytes (a 64 KiB packet in base64). A record that no upload carries would hold up all that
# come after it.
ABSENT_IF_NONE = frozenset({"level_db"})
# Of each of 64 zones: where no ear listens the longest particulars of an order fit as they were signed.
PARTICULARS_CHARS_MAX = 60
# Twenty items of four such texts and 64 zones make at most 36,000 bytes.
TIME_MS_MAX = 62_000_000_000_000
# Before and after 1970: the years 5 to 3934, from which every calendar can still count on and back. What may be signed
# ends with 2099; whatever lies beyond these has rotted, for which one bit is enough, that of the sign.


@dataclass(frozen=True, slots=True)
class Origin:
    """Which station, software and boot a record comes from; the same for all records of one process."""

    station: str
    software: str
    boot_id: str


@dataclass(frozen=True, slots=True)
class ChainPoint:
    """A place in a chain: the record with this ``seq`` has this ``hash``. The default is the place before the first."""

    seq: int = 0
    hash: str = GENESIS


class Damage(StrEnum):
    """What was done to a chain."""

    CHANGED = "changed"  # the record, or its place, is not what was chained
    CUT = "cut"  # the record is not there
    REORDERED = "reordered"  # the record stands in another one's place, or twice
    FOREIGN = "foreign"  # the record belongs to another chain


@dataclass(frozen=True, slots=True)
class ChainFault:
    """The first record that is not as it was written."""

    seq: int
    damage: Damage


def body_of(record: AsRun, origin: Origin) -> bytes:
    """The canonical JSON of a record, at most BODY_BYTES_MAX.

    An item's particulars are kept as they were signed (requirement B9); only where twenty items of the longest texts
    would not fit one upload, they are cut short, visibly.
    """
    body = _body_of(record, origin)
    if len(body) <= BODY_BYTES_MAX:
        return body
    return _body_of(replace(record, items=tuple(_shortened(item) for item in record.items)), origin)


def sounded_in(body: bytes) -> Sounded | None:
    """What sounded by a record; None where nothing did, or where the body is rotten (the chain's check says so).

    What may have sounded unseen counts for its whole length. A version of a series counts, and a correction, though it
    was heard nowhere.
    """
    if not any(mark in body for mark in (PLAYED, UNHEARD, OVERTAKEN)):
        return None
    try:
        told = json.loads(body, parse_float=_no_number, parse_constant=_no_number)
        heard = [
            _text(zone["zone"]) for zone in told["zones"] if zone["played_ms"] is None or _length(zone["played_ms"])
        ]
        series, corrects = _text(told.get("series", "")), _text(told.get("corrects", ""))
        if not (heard or series or corrects):
            return None
        planned = _whole(told["ended"] if told["planned"] is None else told["planned"])
        started = counted_start(UtcMs(planned), UtcMs(planned if told["started"] is None else _whole(told["started"])))
        chimes_ms = _length(told.get("chimes_ms", 0))
        ordered_ms = max(_length(told["planned_ms"]) - chimes_ms, 0)  # the day's limits count no chime
        played_ms = ordered_ms if told["played_ms"] is None else _length(told["played_ms"])
        # What began anew behind an emergency has sounded for longer than it is.
        lasted_ms = max(min(played_ms, ordered_ms), played_ms - chimes_ms)
        return Sounded(
            job_id=JobId(_text(told["job_id"])),
            cls=plays_as(JobClass(told["cls"]), rehearsal=told.get("rehearsal", False) is True),
            started=started,
            ended=UtcMs(started + lasted_ms),
            zones=frozenset(ZoneId(zone) for zone in heard),
            under=_text(told.get("under", "")),
            issuer=_text(told["issuer"]),
            series=series,
            version=_whole(told.get("version", 0)),
            signers=tuple(_text(signer) for signer in told["signers"]),
            corrects=corrects,
            live=told.get("relayed") is not None,
            undated_at=IN_ANOTHER_BOOT if told.get("clock") in DATELESS else None,
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _text(told: object) -> str:
    """What has rotted, or was put there, may parse and be another kind: each start would end at comparing it."""
    if not isinstance(told, str):
        raise TypeError(f"{told!r} is no text")
    return told


def _whole(told: object) -> int:
    if type(told) is not int or abs(told) > TIME_MS_MAX:  # true is an int
        raise TypeError(f"{told!r} is no whole number that a record holds")
    return told


def _length(told: object) -> int:
    length = _whole(told)
    if length < 0:
        raise ValueError(f"{length}: nothing lasts so long")
    return length


def _no_number(text: str) -> NoReturn:
    """One rotten digit makes an instant of 1E90830200000: no day has it, and each start would end at it anew."""
    raise ValueError(f"{text}: a record holds whole numbers alone")


def canonical(value: object) -> bytes:
    """Canonical JSON of what ``json.loads`` can give back (no floats)."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def chain(epoch: str, before: ChainPoint, body: bytes) -> StoredRecord:
    """The record with this body, in the place after ``before``."""
    return StoredRecord(epoch, before.seq + 1, before.hash, hash_of(before.hash, body), body)


def hash_of(prev: str, body: bytes) -> str:
    """SHA-256 (hex) over the previous record's hash, a line feed, and the body."""
    return hashlib.sha256(prev.encode() + b"\n" + body).hexdigest()


def is_whole(record: StoredRecord) -> bool:
    """Whether it still is what was chained: on a card that rots it may not be."""
    return record.hash == hash_of(record.prev, record.body)


def verify_chain(
    records: Sequence[StoredRecord], start: ChainPoint | None = None, head: ChainPoint | None = None
) -> ChainFault | None:
    """The first record that was changed, cut out or moved; None if the chain holds.

    ``start`` is the last place known before the records (default: the beginning of the chain). ``head`` is a place that
    somebody else has kept: without it nobody can tell that the end was cut off, or that all of it was written anew.
    """
    before = start or ChainPoint()
    for position, record in enumerate(records):
        damage = _own_damage(record, records, position, before.seq + 1)
        if damage is not None:
            return damage
        if record.prev != before.hash:
            # The record is whole and vouches for another one than stands before it: that one was written anew.
            return ChainFault(record.seq - 1 if position else record.seq, Damage.CHANGED)
        before = ChainPoint(record.seq, record.hash)
        if head is not None and head.seq == record.seq and head.hash != record.hash:
            return ChainFault(record.seq, Damage.CHANGED)
    if head is not None and before.seq < head.seq:
        return ChainFault(before.seq + 1, Damage.CUT)
    return None


def _body_of(record: AsRun, origin: Origin) -> bytes:
    body = _object(record) | _object(origin)
    # Cut afterwards: NFC makes two letters of some.
    body["detail"] = tidy(record.detail)[:DETAIL_CHARS_MAX]
    return canonical(body)


def _shortened(item: ItemAsRun) -> ItemAsRun:
    return replace(
        item,
        title=_cut(item.title),
        field=_cut(item.field),
        source=_cut(item.source),
        approver=_cut(item.approver),
    )


def _cut(text: str) -> str:
    return text if len(text) <= PARTICULARS_CHARS_MAX else text[: PARTICULARS_CHARS_MAX - 1] + "…"


def _own_damage(
    record: StoredRecord, records: Sequence[StoredRecord], position: int, expected: int
) -> ChainFault | None:
    """What is wrong with a record as it stands, before looking at its neighbour."""
    if record.epoch != records[0].epoch:
        return ChainFault(record.seq, Damage.FOREIGN)
    if record.seq != expected:
        moved = record.seq < expected or any(later.seq == expected for later in records[position:])
        return ChainFault(record.seq, Damage.REORDERED) if moved else ChainFault(expected, Damage.CUT)
    return None if is_whole(record) else ChainFault(record.seq, Damage.CHANGED)


def _object(value: object) -> dict[str, object]:
    """A dataclass as a JSON object, every field under its own name."""
    assert is_dataclass(value)
    told = {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    return {name: plain for name, plain in told.items() if plain is not None or name not in ABSENT_IF_NONE}


def _plain(value: object) -> object:
    """A field's value as JSON has it. Anything that is not expected here is our own bug."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return tidy(value)  # what was signed passes unchanged (requirement B9); an error's own words may not
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return _object(value)
