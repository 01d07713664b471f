"""What drafts of every kind have in common: reading the file, the fields of the heading, lengths of time. Pure but for
the file. What stands in a draft beside these is decided in ``job_drafts``, ``rule_drafts`` and ``command_drafts``.
"""

from __future__ import annotations

import json
import re
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path

from edge_agent.core.job import Job
from edge_agent.core.units import MINUTE_MS, SECOND_MS, UtcMs
from edge_agent.headend.audio_facts import AudioFacts
from edge_agent.headend.draft_times import instant
from edge_agent.headend.errors import HeadendError
from edge_agent.headend.given import Given
from edge_agent.identity.codes import ALPHABET, GROUP_CHARS
from edge_agent.spoken.table import Table
from edge_agent.toml import read_toml
from edge_agent.trust.fields import Fields, form
from edge_agent.trust.orders import OrderType
from edge_agent.trust.strict_json import JsonObject, JsonValue

DRAFT_BYTES_MAX = 256 * 1024
# Twenty texts of 2,000 characters of up to 4 bytes, and room for comments.
NAMED = ("issuer", "level", "key_epoch")
HEADING = ("type", "realm", "stations", "areas", "zones", "not_before", "not_after", *NAMED)
MINUTE_S = MINUTE_MS // SECOND_MS

TOO_LARGE = (
    f"tối đa {DRAFT_BYTES_MAX} byte, để âm thanh ở tệp riêng / at most {DRAFT_BYTES_MAX} bytes; put audio in files of "
    "its own"
)
_AT_LINE = re.compile(r"at line (\d+)")
NOT_UTF_8 = "không phải mã UTF-8, lưu tệp lại theo mã UTF-8 / not UTF-8: save the file as UTF-8"
ID_GROUPS = 2
# Eight letters of five bits: two PCs that sign in one second do not give two orders one id, and nobody whose key signs
# some orders can use up the ids of the next warnings, which a station would refuse then.

FindAudio = Callable[[Path, int | None], AudioFacts]
PublishAudio = Callable[[Path, AudioFacts], tuple[str, ...]]


class DraftError(HeadendError):
    """The draft cannot become an order: ``field`` names the place, ``remedy`` what would be right."""

    def __init__(self, field: str, remedy: str) -> None:
        self.field = field
        self.remedy = remedy
        super().__init__(f"{field}: {remedy}")


def new_letters() -> str:
    """What makes an id the only one of its kind, as people read it to each other: ``k7qm-4dtx``."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_CHARS)) for _ in range(ID_GROUPS))
    return "-".join(groups).lower()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a draft is completed from. ``publish_audio`` puts a file where stations fetch it and returns its URLs;
    without it a draft must say where its audio is. ``words`` is the province's own table, by which texts that stations
    will speak are held to be readable; without it they are taken as they are written. ``letters``: see
    ``new_letters``."""

    realm: str
    issuer: str
    level: str
    now: UtcMs
    next_serial: Callable[[str], int]
    find_audio: FindAudio
    publish_audio: PublishAudio | None
    base: Path = Path()
    words: Table | None = None
    letters: Callable[[], str] = new_letters


@dataclass(frozen=True, slots=True)
class Finished:
    """An order ready to be signed: ``payload`` are the very bytes, ``order`` what a station will read in them."""

    order: Given
    payload: bytes

    @property
    def job(self) -> Job:
        """The order, of a draft that was one of a job."""
        assert isinstance(self.order, Job), "the caller's draft was no job"
        return self.order


def read_draft(path: Path) -> dict[str, object]:
    """The draft in a ``.toml`` or ``.json`` file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DraftError(str(path), f"không đọc được / cannot be read ({error.strerror})") from error
    if len(content) > DRAFT_BYTES_MAX:
        raise DraftError(str(path), TOO_LARGE)
    try:
        found = (
            json.loads(content, object_pairs_hook=_each_once) if path.suffix == ".json" else read_toml(content.decode())
        )
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DraftError(str(path), f"dòng {line}: {NOT_UTF_8} (line {line})") from error
    except (ValueError, RecursionError) as error:  # of JSON and TOML alike
        raise DraftError(str(path), _unreadable(error, toml=path.suffix != ".json")) from error
    if not isinstance(found, dict):
        raise DraftError(str(path), "phải là một bảng gồm các trường / one table of fields")
    return found


def _unreadable(error: Exception, *, toml: bool) -> str:
    """Of TOML, which people write: hours and days without quotes are the slips that the library has no name for."""
    found = _AT_LINE.search(str(error)) if toml else None
    if found is None:
        return f"không đọc được nội dung / not readable: {error}"
    return (
        f'dòng {found[1]}: viết sai; chữ và giờ để trong "…", ngày như 2026-10-01 / not readable: {error}; text and '
        'hours stand in "…", days are written as 2026-10-01'
    )


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """JSON takes the last of two, where TOML takes none: a limit that stands twice is a slip."""
    found: dict[str, object] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name}: trường này ghi hai lần / this field stands twice")
        found[name] = value
    return found


def heading(fields: Fields, around: Surroundings, kind: OrderType) -> JsonObject:
    """What every payload says of itself, but for its id, its serial and how long it is valid."""
    ours = f'"{around.realm}", hoặc bỏ trống / "{around.realm}", or nothing'
    payload: JsonObject = {
        "realm": fields.text("realm", form(around.realm, ours), default=around.realm),
        "type": kind.value,
        "issuer": around.issuer,
        "level": around.level,
        "key_epoch": 0,
        "serial": 1,
        "issued_at": around.now,
        "audience": {name: as_json(fields.values.get(name, [])) for name in ("stations", "areas", "zones")},
    }
    return payload | copied(fields, *NAMED)


def begin(fields: Fields, now: UtcMs) -> UtcMs:
    """``not_before``, or now."""
    return instant(fields, "not_before") if "not_before" in fields else now


def validity(fields: Fields, start: UtcMs, end: int) -> JsonObject:
    """From ``start`` until ``end``, unless the draft names another ``not_after``."""
    return {"not_before": start, "not_after": instant(fields, "not_after") if "not_after" in fields else end}


def length(fields: Fields, stem: str, least: int, most_s: int) -> int:
    """Seconds, written as ``<stem>_minutes`` or ``<stem>_s``; ``least`` of either."""
    minutes, seconds = f"{stem}_minutes", f"{stem}_s"
    if minutes in fields and seconds in fields:
        raise fields.wrong(minutes, f"chỉ dùng trường này hoặc {seconds} / either this or {seconds}, not both")
    if seconds in fields:
        return fields.integer(seconds, least, most_s)
    return fields.integer(minutes, least, most_s // MINUTE_S) * MINUTE_S


def has_length(fields: Fields, stem: str) -> bool:
    """Whether the draft says how long."""
    return f"{stem}_minutes" in fields or f"{stem}_s" in fields


def copied(fields: Fields, *names: str) -> JsonObject:
    """The fields that a payload takes over as they are."""
    return {name: as_json(fields.value(name)) for name in names if name in fields}


class Decimal(str):
    """A number with a fraction, which only ``duration_s`` may be; elsewhere it is refused as the text it is."""

    __slots__ = ()


def plain(value: object) -> object:
    """The draft in JSON's types, words in NFC: TOML's dates and times become their ISO text."""
    match value:
        case str():
            return unicodedata.normalize("NFC", value)
        case float():
            return Decimal(value)
        case datetime() | date() | time():
            return value.isoformat()
        case dict():
            return {str(name): plain(entry) for name, entry in value.items()}
        case list():
            return [plain(entry) for entry in value]
        case _:
            return value


def as_json(value: object) -> JsonValue:
    """A draft's value in a payload."""
    return value  # type: ignore[return-value]  # checked whole by ``dump`` and field by field by the order's parser
