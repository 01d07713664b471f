"""Turn a draft that a person wrote (TOML or JSON) into the payload of a job, complete and checked.

What the draft leaves out is filled in here: ids, serial, validity, and length, digest and duration of audio. What a
station would refuse to read is refused here, by the same parser, before anybody signs it; whether the issuer may order
it is the stations' to judge (``foresight`` asks them beforehand). ``sign --help`` shows an example.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from edge_agent.core.job import Job, JobClass
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs
from edge_agent.headend.audio_facts import AudioError, AudioFacts
from edge_agent.headend.draft_times import end_of, instant, when_payload
from edge_agent.headend.errors import HeadendError
from edge_agent.trust.fields import Fields, form
from edge_agent.trust.orders import LATE_S_MAX, parse_job
from edge_agent.trust.strict_json import JsonObject, JsonValue, WireError, dump, parse

DRAFT_BYTES_MAX = 256 * 1024
# Twenty texts of 2,000 characters of up to 4 bytes, and room for comments.
NOW_VALID_MS = 10 * MINUTE_MS
EMERGENCY_VALID_MS = HOUR_MS // 2
# As long as the protocol lets one officer order; who needs longer writes not_after.
DURATION_S_MAX = 7_200
COPIED = ("class", "order", "loops", "gap_s", "volume", "preemption", "event", "cap")
NAMED = ("job_id", "issuer", "level", "key_epoch")
OWN = ("realm", "stations", "areas", "zones", "when", "items", "not_before", "not_after", "late_limit_s")
ITEM_COPIED = ("title", "field", "language", "source", "approver", "codec")
ITEM_OWN = ("file", "text", "digest", "length", "duration_s", "urls")
PAYLOAD_TO_DRAFT = {"audience.": "", "missed.limit_s": "late_limit_s"}

FindAudio = Callable[[Path, int | None], AudioFacts]
PublishAudio = Callable[[Path, AudioFacts], tuple[str, ...]]


class DraftError(HeadendError):
    """The draft cannot become an order: ``field`` names the place, ``remedy`` what would be right."""

    def __init__(self, field: str, remedy: str) -> None:
        self.field = field
        self.remedy = remedy
        super().__init__(f"{field}: {remedy}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a draft is completed from. ``publish_audio`` puts a file where stations fetch it and returns its URLs;
    without it a draft must say where its audio is."""

    realm: str
    issuer: str
    level: str
    now: UtcMs
    next_serial: Callable[[str], int]
    find_audio: FindAudio
    publish_audio: PublishAudio | None
    base: Path = Path()


@dataclass(frozen=True, slots=True)
class Finished:
    """A job ready to be signed: ``payload`` are the very bytes, ``job`` what a station will read in them."""

    job: Job
    payload: bytes


def read_draft(path: Path) -> dict[str, object]:
    """The draft in a ``.toml`` or ``.json`` file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DraftError(str(path), f"cannot be read ({error.strerror})") from error
    if len(content) > DRAFT_BYTES_MAX:
        raise DraftError(str(path), f"at most {DRAFT_BYTES_MAX} bytes; put audio in files of its own")
    try:
        found = json.loads(content) if path.suffix == ".json" else tomllib.loads(content.decode())
    except ValueError as error:  # of JSON, TOML and UTF-8 alike
        raise DraftError(str(path), f"not readable: {error}") from error
    if not isinstance(found, dict):
        raise DraftError(str(path), "one table of fields")
    return found


def finish(draft: Mapping[str, object], around: Surroundings) -> Finished:
    """Complete and check a draft. Raises DraftError; a serial is only used up when nothing else is wrong."""
    try:
        fields = Fields(_plain(dict(draft)))
        fields.only(*COPIED, *NAMED, *OWN)
        payload = _payload(fields, around)
        _checked(payload)
        serial = around.next_serial(str(payload["issuer"]))
        payload["serial"] = serial
        payload.setdefault("job_id", _job_id(str(payload["issuer"]), around.now, serial))
        return _checked(payload)
    except WireError as error:
        raise DraftError(_draft_name(error.where), error.rule) from error


def _payload(fields: Fields, around: Surroundings) -> JsonObject:
    when = when_payload(fields)
    payload: JsonObject = {
        "realm": fields.text("realm", form(around.realm, f'"{around.realm}", or nothing'), default=around.realm),
        "type": "job",
        "issuer": around.issuer,
        "level": around.level,
        "key_epoch": 0,
        "serial": 1,
        "issued_at": around.now,
        "audience": {name: _json(fields.values.get(name, [])) for name in ("stations", "areas", "zones")},
        "when": when,
        "items": [_item(item, around) for item in fields.records("items", 1, 20)],
        "missed": _missed(fields),
    }
    payload |= {name: _json(fields.value(name)) for name in (*COPIED, *NAMED) if name in fields}
    return payload | _validity(fields, when, around.now)


def _validity(fields: Fields, when: JsonObject, now: UtcMs) -> JsonObject:
    start = instant(fields, "not_before") if "not_before" in fields else now
    if "not_after" in fields:
        return {"not_before": start, "not_after": instant(fields, "not_after")}
    longest = EMERGENCY_VALID_MS if fields.values.get("class") == JobClass.EMERGENCY else NOW_VALID_MS
    late = fields.integer("late_limit_s", 0, LATE_S_MAX, default=0) * SECOND_MS
    return {"not_before": start, "not_after": end_of(when, start) + max(longest, late)}


def _missed(fields: Fields) -> JsonObject:
    limit = fields.integer("late_limit_s", 0, LATE_S_MAX, default=0)
    return {"policy": "late", "limit_s": limit} if limit else {"policy": "skip"}


def _item(fields: Fields, around: Surroundings) -> JsonObject:
    fields.only(*ITEM_COPIED, *ITEM_OWN)
    item: JsonObject = {"field": "", "language": "vi", "source": "", "approver": ""}
    item |= {name: _json(fields.value(name)) for name in ITEM_COPIED if name in fields}
    if "text" in fields:
        if "file" in fields or "digest" in fields:
            raise fields.wrong("text", "either words to be spoken or audio (file), not both")
        return item | {"kind": "text", "text": _json(fields.value("text"))}
    return item | {"kind": "clip"} | (_found(fields, around) if "file" in fields else _given(fields))


def _found(fields: Fields, around: Surroundings) -> JsonObject:
    path = around.base / fields.text("file", form(r".{1,500}", "the path of an audio file, seen from the draft"))
    try:
        facts = around.find_audio(path, _duration_ms(fields) if "duration_s" in fields else None)
        urls = _json(fields.value("urls")) if "urls" in fields else _published(fields, path, facts, around)
    except AudioError as error:
        raise fields.wrong("file", str(error)) from error
    return {
        "digest": facts.digest,
        "length": facts.length_bytes,
        "duration_ms": facts.duration_ms,
        "codec": facts.codec,
        "urls": urls,
    }


def _published(fields: Fields, path: Path, facts: AudioFacts, around: Surroundings) -> JsonValue:
    if around.publish_audio is None:
        raise fields.wrong("urls", "missing: say where stations fetch the file, or give --content-url")
    return [*around.publish_audio(path, facts)]


def _given(fields: Fields) -> JsonObject:
    if "digest" not in fields:
        raise fields.wrong("file", "missing: an item needs file (audio), text (to be spoken), or digest with length")
    given = {name: _json(fields.value(name)) for name in ("digest", "length", "urls")}
    return given | {"duration_ms": _duration_ms(fields)}


def _duration_ms(fields: Fields) -> int:
    value = fields.value("duration_s")
    if isinstance(value, bool) or not isinstance(value, int | _Decimal) or not 0 < float(value) <= DURATION_S_MAX:
        raise fields.wrong("duration_s", f"seconds, more than 0 and at most {DURATION_S_MAX}")
    return max(1, round(float(value) * SECOND_MS))


class _Decimal(str):
    """A number with a fraction, which only ``duration_s`` may be; elsewhere it is refused as the text it is."""

    __slots__ = ()


def _plain(value: object) -> object:
    """The draft in JSON's types, words in NFC: TOML's dates and times become their ISO text."""
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case float():
            return _Decimal(value)
        case datetime() | date() | time():
            return value.isoformat()
        case dict():
            return {str(name): _plain(entry) for name, entry in value.items()}
        case list():
            return [_plain(entry) for entry in value]
        case _:
            return value


def _json(value: object) -> JsonValue:
    return value  # type: ignore[return-value]  # checked whole by ``dump`` and field by field by ``parse_job``


def _checked(payload: JsonObject) -> Finished:
    whole = {"job_id": "draft", **payload}
    content = dump(whole)
    return Finished(parse_job(Fields(parse(content))), content)


def _job_id(issuer: str, now: UtcMs, serial: int) -> str:
    day = datetime.fromtimestamp(now / SECOND_MS, UTC).strftime("%Y%m%d")
    return f"{issuer[:40]}-{day}-{serial}"


def _draft_name(where: str) -> str:
    for theirs, ours in PAYLOAD_TO_DRAFT.items():
        if where.startswith(theirs):
            return ours + where[len(theirs) :]
    return where
