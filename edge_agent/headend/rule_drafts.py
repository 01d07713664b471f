"""Turn a draft of the ward's policy (quy chế) or of a dated window into its payload. Bounds are the parser's to check.

A ward's officer writes minutes where the law speaks of minutes; a plain number is a volume for the whole day. What
would leave a limit open is never filled in: it must be written.
"""

from __future__ import annotations

import re

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend.draft_times import instant_in
from edge_agent.headend.drafting import (
    HEADING,
    Surroundings,
    as_json,
    begin,
    copied,
    has_length,
    heading,
    length,
    validity,
)
from edge_agent.trust.fields import Fields
from edge_agent.trust.limits import RULE_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.rule_orders import CLAUSES_MAX, DAY_S_MAX, EXCEPTION_MS_MAX, SILENCE_MS_MAX
from edge_agent.trust.strict_json import JsonObject, JsonValue

REGULATION_COPIED = ("order_id", "version", "number", "dated", "into_quiet")
CLAUSE_COPIED = ("classes", "zones", "weekdays", "holidays", "sessions_per_day")
CLAUSE_LENGTHS = {
    "session": 1,
    "day": 0,
    "live_day": 0,
}  # a day without minutes is a ward that stays silent; a session needs some
WINDOW_COPIED = ("order_id", "kind", "basis", "classes", "volume")
WINDOW_LENGTHS = ("session", "total")
WHOLE_DAY = ("00:00", "00:00")
VOLUME = (
    'số nguyên từ 0 đến 100, hoặc từng khung giờ / a whole number from 0 to 100, or bands as [["05:00", "06:00", 45], '
    '["00:00", "00:00", 70]]'
)
TOML_TIME = re.compile(r"(\d{2}:\d{2}):00", re.ASCII)
# TOML has no wall time without seconds; written as a text it has none.


def regulation_payload(fields: Fields, around: Surroundings) -> JsonObject:
    """The payload, complete but for the serial and an id or version that was not given."""
    fields.only(*REGULATION_COPIED, *HEADING, "clauses")
    start = begin(fields, around.now)
    own: JsonObject = {"clauses": [_clause(clause) for clause in fields.records("clauses", 1, CLAUSES_MAX)]}
    own |= {"version": 1, **copied(fields, *REGULATION_COPIED)}
    return heading(fields, around, OrderType.REGULATION) | own | validity(fields, start, start + RULE_VALIDITY_MS_MAX)


def window_payload(fields: Fields, around: Surroundings) -> JsonObject:
    """The payload, complete but for the serial and an id that was not given."""
    written = [f"{stem}_{unit}" for stem in ("for", *WINDOW_LENGTHS) for unit in ("minutes", "s")]
    fields.only(*WINDOW_COPIED, *HEADING, "timezone", "begins", "ends", *written)
    begins = instant_in(fields, "begins") if "begins" in fields else around.now
    ends = _ends(fields, begins)
    if ends <= around.now:
        raise fields.wrong(
            "ends" if "ends" in fields else "begins",
            "phải sau lúc này, khoảng thời gian đã qua rồi / later than now; a window that has passed is none",
        )
    own: JsonObject = {"begins": begins, "ends": ends, **copied(fields, *WINDOW_COPIED)}
    for stem in WINDOW_LENGTHS:
        if has_length(fields, stem):
            own[f"{stem}_s"] = length(fields, stem, 1, EXCEPTION_MS_MAX // SECOND_MS)
    return heading(fields, around, OrderType.WINDOW) | own | validity(fields, begin(fields, around.now), ends)


def _ends(fields: Fields, begins: UtcMs) -> int:
    if "ends" not in fields:
        if not has_length(fields, "for"):
            raise fields.wrong(
                "ends", "thiếu: ghi giờ kết thúc, hoặc for_minutes / missing: an instant, or for_minutes"
            )
        return begins + length(fields, "for", 1, SILENCE_MS_MAX // SECOND_MS) * SECOND_MS
    if has_length(fields, "for"):
        raise fields.wrong("ends", "chỉ dùng trường này hoặc for_minutes / either this or for_minutes, not both")
    return instant_in(fields, "ends")


def _clause(fields: Fields) -> JsonObject:
    written = [f"{stem}_{unit}" for stem in CLAUSE_LENGTHS for unit in ("minutes", "s")]
    fields.only(*CLAUSE_COPIED, "quiet", "volume", *written)
    clause = copied(fields, *CLAUSE_COPIED)
    for stem, least in CLAUSE_LENGTHS.items():
        if has_length(fields, stem):
            clause[f"{stem}_s"] = length(fields, stem, least, DAY_S_MAX)
    if "quiet" in fields:
        clause["quiet"] = _walls(fields.value("quiet"))
    if "volume" in fields:
        clause["volume"] = _bands(fields)
    return clause


def _bands(fields: Fields) -> JsonValue:
    value = fields.value("volume")
    if isinstance(value, int):
        return [[*WHOLE_DAY, value]]
    if not isinstance(value, list):
        raise fields.wrong("volume", VOLUME)
    return [_walls(band) for band in value]


def _walls(value: object) -> JsonValue:
    if not isinstance(value, list):
        return as_json(value)
    return [_without_seconds(one) if isinstance(one, str) else as_json(one) for one in value]


def _without_seconds(text: str) -> str:
    found = TOML_TIME.fullmatch(text)
    return found[1] if found else text
