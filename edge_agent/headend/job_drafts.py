"""Turn a draft of a broadcast into the payload of a job. What the draft leaves out is filled in here: validity, and
length, digest and duration of audio. Bounds are the parser's to check.
"""

from __future__ import annotations

from pathlib import Path

from edge_agent.core.job import JobClass
from edge_agent.core.units import HOUR_MS, MINUTE_MS, SECOND_MS, UtcMs
from edge_agent.headend.audio_facts import AudioError, AudioFacts, on_disk
from edge_agent.headend.draft_times import end_of, when_payload
from edge_agent.headend.drafting import HEADING, Decimal, Surroundings, as_json, begin, copied, heading, validity
from edge_agent.spoken.reading import is_vietnamese, read
from edge_agent.spoken.table import Table, spelt_out
from edge_agent.trust.fields import Fields, form
from edge_agent.trust.items import ITEMS_MAX
from edge_agent.trust.orders import LATE_S_MAX, OrderType
from edge_agent.trust.strict_json import JsonObject, JsonValue

NOW_VALID_MS = 10 * MINUTE_MS
EMERGENCY_VALID_MS = HOUR_MS // 2
# As long as the protocol lets one officer order; who needs longer writes not_after.
DURATION_S_MAX = 7_200
EMERGENCY_GAP_S_MAX = 30
# Between the repetitions of a warning (ISO 7240-16). Asked here, where the officer can still put it right: a station
# plays a longer pause that was signed, for a warning that is refused over one warns nobody.
COPIED = (
    *("job_id", "class", "order", "loops", "gap_s", "volume", "preemption", "event", "cap"),
    *("series", "version", "all_clear", "rehearsal", "corrects"),
)
BROADCAST = ("when", "items", "late_limit_s", "zones_late_limit_s")
ITEM_COPIED = ("title", "field", "language", "source", "approver", "codec")
ITEM_OWN = ("file", "text", "live", "stand_in", "digest", "length", "duration_s", "urls")
AS_WRITTEN = "Để máy tự đọc nguyên văn / to leave it to the voice: --as-written"
PAYLOAD_TO_DRAFT = {"when.utc": "when.at", "missed.limit_s": "late_limit_s", "missed.zones_s": "zones_late_limit_s"}


def job_payload(fields: Fields, around: Surroundings) -> JsonObject:
    """The payload, complete but for the serial and an id that was not given."""
    fields.only(*COPIED, *BROADCAST, *HEADING)
    own = broadcast(fields, around)
    when = own["when"]
    assert isinstance(when, dict), "that is how it was made"
    return heading(fields, around, OrderType.JOB) | own | copied(fields, *COPIED) | _validity(fields, when, around.now)


def broadcast(fields: Fields, around: Surroundings) -> JsonObject:
    """What is played, and when, of a job or of an entry of a timetable."""
    _refuse_long_gap(fields)
    return {
        "when": when_payload(fields),
        "items": [_item(item, around) for item in fields.records("items", 1, ITEMS_MAX)],
        "missed": _missed(fields),
    }


def _refuse_long_gap(fields: Fields) -> None:
    if fields.values.get("class") == JobClass.EMERGENCY and "gap_s" in fields:
        gap = fields.value("gap_s")
        if isinstance(gap, int) and gap > EMERGENCY_GAP_S_MAX:
            raise fields.wrong(
                "gap_s",
                f"giữa hai lần phát tin khẩn cấp nghỉ tối đa {EMERGENCY_GAP_S_MAX} giây / between repetitions of an "
                f"emergency at most {EMERGENCY_GAP_S_MAX} s: giảm gap_s, hoặc dùng every_s trong when / lower it, or "
                "use every_s in when",
            )


def _validity(fields: Fields, when: JsonObject, now: UtcMs) -> JsonObject:
    start = begin(fields, now)
    last = end_of(when, start)
    if "until" in when:  # no repetition begins later, so there is nothing to be late for
        return validity(fields, start, last)
    longest = EMERGENCY_VALID_MS if fields.values.get("class") == JobClass.EMERGENCY else NOW_VALID_MS
    late_s = max(_late(fields, "late_limit_s"), _late(fields, "zones_late_limit_s"))
    return validity(fields, start, last + max(longest, late_s * SECOND_MS))


def _late(fields: Fields, name: str) -> int:
    return fields.integer(name, 0, LATE_S_MAX, default=0)


def _missed(fields: Fields) -> JsonObject:
    limit, zones = _late(fields, "late_limit_s"), _late(fields, "zones_late_limit_s")
    missed: JsonObject = {"policy": "late", "limit_s": limit} if limit else {"policy": "skip"}
    return missed | ({"zones_s": zones} if zones else {})


def _item(fields: Fields, around: Surroundings) -> JsonObject:
    fields.only(*ITEM_COPIED, *ITEM_OWN)
    item: JsonObject = {"field": "", "language": "vi", "source": "", "approver": ""}
    item |= copied(fields, *ITEM_COPIED)
    if "text" in fields:
        if any(name in fields for name in ("file", "digest", "live")):
            raise fields.wrong(
                "text",
                "chỉ dùng lời đọc hoặc âm thanh (file, live) / either words to be spoken or audio (file, live), "
                "not both",
            )
        return item | {"kind": "text", "text": _text(fields, str(item["language"]), around.words)}
    if "live" in fields:
        return item | {"kind": "live"} | _live(fields, around)
    return item | {"kind": "clip"} | (_found(fields, around) if "file" in fields else _given(fields))


def _live(fields: Fields, around: Surroundings) -> JsonObject:
    """A source to be relayed (live = its addresses); ``stand_in`` is an item with a file."""
    for name in ("file", "text", "digest", "length", "urls"):
        if name in fields:
            raise fields.wrong(
                name,
                "bỏ đi: nguồn tiếp âm chỉ có live (các địa chỉ), duration_s, có thể thêm stand_in / remove it: a live "
                "source has live (its addresses), duration_s, and perhaps stand_in",
            )
    source: JsonObject = {"urls": as_json(fields.value("live")), "duration_ms": _duration_ms(fields)}
    if "stand_in" not in fields:
        return source
    within = fields.record("stand_in")
    if "text" in within or "live" in within:
        raise within.wrong(
            "text" if "text" in within else "live",
            "bỏ đi: chỉ bản thu (file) phát thay được / remove it: a recording stands in (file)",
        )
    return source | {"stand_in": _item(within, around)}


def _text(fields: Fields, language: str, own: Table | None) -> JsonValue:
    """What the station will speak: refused where it could not be read; what only the province knows is written out."""
    text = fields.value("text")
    if own is None or not isinstance(text, str) or not is_vietnamese(language):
        return as_json(text)
    written = spelt_out(text, own)
    told = read(written)
    if isinstance(told, tuple):
        unread = "; ".join(piece.text() for piece in told)
        raise fields.wrong("text", f"không đọc thành lời được / cannot be read aloud: {unread}. {AS_WRITTEN}")
    if not any(char.isalnum() for char in told):
        raise fields.wrong("text", "không có lời nào để đọc / no words to be spoken")
    return written


def _found(fields: Fields, around: Surroundings) -> JsonObject:
    named = fields.text(
        "file",
        form(
            r"[^\0]{1,500}", "đường dẫn tệp âm thanh, tính từ bản nháp / the path of an audio file, seen from the draft"
        ),
    )
    path = on_disk(around.base / named)
    try:
        facts = around.find_audio(path, _duration_ms(fields) if "duration_s" in fields else None)
        urls = as_json(fields.value("urls")) if "urls" in fields else _published(fields, path, facts, around)
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
        raise fields.wrong(
            "urls",
            "thiếu: ghi nơi trạm tải tệp, hoặc dùng --content-url / missing: say where stations fetch the file, or "
            "give --content-url",
        )
    return [*around.publish_audio(path, facts)]


def _given(fields: Fields) -> JsonObject:
    if "digest" not in fields:
        raise fields.wrong(
            "file",
            "thiếu: mỗi mục cần file (âm thanh), text (lời đọc), hoặc digest kèm length / missing: an item needs file "
            "(audio), text (to be spoken), or digest with length",
        )
    given = {name: as_json(fields.value(name)) for name in ("digest", "length", "urls")}
    return given | {"duration_ms": _duration_ms(fields)}


def _duration_ms(fields: Fields) -> int:
    value = fields.value("duration_s")
    seconds = float(value) if isinstance(value, Decimal) else value  # a whole number may be too long for a float
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= DURATION_S_MAX:
        raise fields.wrong(
            "duration_s",
            f"số giây, lớn hơn 0, tối đa {DURATION_S_MAX} / seconds, more than 0 and at most {DURATION_S_MAX}",
        )
    return max(1, round(seconds * SECOND_MS))
