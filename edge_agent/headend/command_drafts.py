"""Turn a draft of something to be done at once (lệnh điều khiển) into its payload. Bounds are the parser's to check.

``do`` is one word, what belongs to it stands beside it: ``do = "lock"``, ``for_minutes = 120``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from edge_agent.headend.draft_times import WHEN, instant_in, when_payload
from edge_agent.headend.drafting import HEADING, Surroundings, begin, copied, has_length, heading, length, validity
from edge_agent.headend.rule_words import BY_ZONE
from edge_agent.trust.commands import ALL_STOP_S_MAX, AMPLIFIER_S_MAX, LOCK_S_MAX, PAUSE_S_MAX, What
from edge_agent.trust.fields import Fields
from edge_agent.trust.limits import COMMAND_VALIDITY_MS_MAX
from edge_agent.trust.orders import OrderType
from edge_agent.trust.rule_orders import CANCEL_MS_MAX
from edge_agent.trust.strict_json import JsonObject

LONGEST_S = {
    What.PAUSE: PAUSE_S_MAX,
    What.AMPLIFIER: AMPLIFIER_S_MAX,
    What.ALL_STOP: ALL_STOP_S_MAX,
    What.LOCK: LOCK_S_MAX,
}
COPIED = {
    What.CANCEL: ("target",),
    What.VOLUME: ("volume",),
    What.AMPLIFIER: ("on",),
    What.RANK: ("job_ids",),
    What.CHOOSE: ("target",),
    What.ASK: ("day",),
}
OWN = {What.CANCEL: ("timezone", "until"), What.CHOOSE: ("when",)}
WHOLE_STATION = (
    'bỏ đi: lệnh này là của cả trạm; im một cụm thì type = "window", kind = "silence" / remove it: this is for whole '
    'stations; to silence one zone: type = "window", kind = "silence"'
)
PAYLOAD_TO_DRAFT = {"do.what": "do", "do.": "", "when.utc": "when.at"}


def command_payload(fields: Fields, around: Surroundings) -> JsonObject:
    """The payload, complete but for the serial and an id that was not given."""
    what = _what(fields)
    lengths = ("for_minutes", "for_s") if what in LONGEST_S else ()
    fields.only("order_id", "do", *HEADING, *COPIED.get(what, ()), *OWN.get(what, ()), *lengths)
    if fields.values.get("zones") and what not in BY_ZONE:
        raise fields.wrong("zones", WHOLE_STATION)  # no station heeds them: it would be cancelled in all
    start = begin(fields, around.now)
    do: JsonObject = {"what": what.value, **copied(fields, *COPIED.get(what, ()))}
    if what in LONGEST_S:
        do["for_s"] = _for_s(fields, LONGEST_S[what])
    do |= _MORE[what](fields, start) if what in _MORE else {}
    payload = heading(fields, around, OrderType.COMMAND) | {"do": do} | copied(fields, "order_id")
    return payload | validity(fields, start, start + COMMAND_VALIDITY_MS_MAX)


def _what(fields: Fields) -> What:
    word = fields.values.get("do")
    # A hyphen as on the command line, or the underline of the protocol.
    return Fields({**fields.values, "do": word.replace("-", "_") if isinstance(word, str) else word}).choice("do", What)


def _for_s(fields: Fields, most: int) -> int:
    if not has_length(fields, "for"):
        raise fields.wrong(
            "for_minutes",
            f"thiếu: bao nhiêu phút, tối đa {most // 60}, hoặc for_s tính bằng giây / missing: for how long, at most "
            f"{most // 60}; or for_s in seconds",
        )
    return length(fields, "for", 1, most)


def _cancel(fields: Fields, start: int) -> JsonObject:
    """For good, unless the draft knows that what is cancelled can come no later than ``until``."""
    return {"until": instant_in(fields, "until") if "until" in fields else start + CANCEL_MS_MAX}


def _choose(fields: Fields, _start: int) -> JsonObject:
    if "when" not in fields:
        raise fields.wrong("when", f"thiếu / missing: {WHEN}")
    return {"when": when_payload(fields)}


_MORE: Mapping[What, Callable[[Fields, int], JsonObject]] = {What.CANCEL: _cancel, What.CHOOSE: _choose}
