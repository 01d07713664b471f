"""Turn a draft that a person wrote (TOML or JSON) into the payload of an order, complete and checked.

``type`` says of which kind: "job" (where it is left out), "regulation", "window", "command" or "timetable". What a
draft leaves out is filled in: ids, serial, validity, particulars of audio. What a station would refuse to read is
refused here, by the same parser, before anybody signs it; whether the issuer may order it is the stations' to judge
(``foresight`` asks them beforehand). ``sign --help`` and docs/operations.md show examples.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import cast

from edge_agent.core.units import SECOND_MS, UtcMs
from edge_agent.headend import command_drafts, job_drafts
from edge_agent.headend.command_drafts import command_payload
from edge_agent.headend.draft_words import in_both
from edge_agent.headend.drafting import DraftError, Finished, Surroundings, plain
from edge_agent.headend.given import parse_given
from edge_agent.headend.job_drafts import job_payload
from edge_agent.headend.rule_drafts import regulation_payload, window_payload
from edge_agent.headend.timetable_drafts import timetable_payload
from edge_agent.trust.fields import Fields
from edge_agent.trust.orders import GIVEN, OrderType
from edge_agent.trust.strict_json import JsonObject, WireError, dump, parse

OVER = "đã qua, xem lại ngày, giờ / is over: look at the day and hour"
VERSIONED = frozenset({OrderType.REGULATION, OrderType.TIMETABLE})
_IN_ENTRY = re.compile(r"(entries\[\d+\]\.)(.+)")


def kind_of_draft(draft: Mapping[str, object]) -> OrderType:
    """What the draft wants to become. Raises DraftError."""
    wanted = draft.get("type", OrderType.JOB.value)
    for kind in OrderType:
        if kind in GIVEN and kind.value == wanted:
            return kind
    known = ", ".join(kind.value for kind in OrderType if kind in GIVEN)
    raise DraftError("type", f"chọn {known}; bỏ trống: job / one of {known}; absent: job")


def finish(draft: Mapping[str, object], around: Surroundings) -> Finished:
    """Complete and check a draft. Raises DraftError; a serial is only used up when nothing else is wrong."""
    kind = kind_of_draft(draft)
    try:
        payload = _PAYLOADS[kind](Fields(plain(dict(draft))), around)
        _refuse_what_is_over(draft, payload, kind, around.now)
        _checked(payload, kind)
        serial = around.next_serial(str(payload["issuer"]))
        payload["serial"] = serial
        payload.setdefault(_id_name(kind), _order_id(str(payload["issuer"]), around.now, around.letters()))
        if kind in VERSIONED and "version" not in draft:
            payload["version"] = serial  # higher than any before: the newest one signed is the one that holds
        return _checked(payload, kind)
    except WireError as error:
        raise DraftError(_draft_name(error.where, kind), in_both(error.rule)) from error


def _refuse_what_is_over(draft: Mapping[str, object], payload: JsonObject, kind: OrderType, now: UtcMs) -> None:
    """Before the parser, which knows no clock, and calls the end by a name that the draft may not have."""
    start, end = cast(int, payload["not_before"]), cast(int, payload["not_after"])
    if end <= max(start, now):
        raise WireError(_end_name(draft, kind), OVER if end <= now else "later than not_before")


def _end_name(draft: Mapping[str, object], kind: OrderType) -> str:
    """Which field of the draft has said when the order ends."""
    when = draft.get("when")
    if "not_after" in draft:
        return "not_after"
    if kind is OrderType.JOB and isinstance(when, dict):
        return next(f"when.{name}" for name in ("at", "until", "last_day") if name in when)
    if kind is OrderType.WINDOW:
        return "ends" if "ends" in draft else "begins"
    return "not_before"


def _checked(payload: JsonObject, kind: OrderType) -> Finished:
    whole = {_id_name(kind): "draft", **payload}
    content = dump(whole)
    return Finished(parse_given(Fields(parse(content)), kind), content)


def _id_name(kind: OrderType) -> str:
    return "job_id" if kind is OrderType.JOB else "order_id"


def _order_id(issuer: str, now: UtcMs, letters: str) -> str:
    """One space of ids for every kind, as stations have it. Not by the serial, which others know beforehand."""
    day = datetime.fromtimestamp(now / SECOND_MS, UTC).strftime("%Y%m%d")
    return f"{issuer[:40]}-{day}-{letters}"


def _draft_name(where: str, kind: OrderType) -> str:
    """What the draft calls a field of the payload."""
    entry = _IN_ENTRY.fullmatch(where)
    if entry is not None:
        return entry[1] + _draft_name(entry[2], OrderType.JOB)
    for theirs, ours in {"audience.": "", **_NAMES.get(kind, {})}.items():
        if where.startswith(theirs):
            return ours + where[len(theirs) :]
    # Only where it is missing: what the draft says of it was checked under the draft's own name.
    stem = where.removesuffix("session_s")
    return where if stem == where or kind is OrderType.JOB else f"{stem}session_minutes"


_PAYLOADS: Mapping[OrderType, Callable[[Fields, Surroundings], JsonObject]] = {
    OrderType.JOB: job_payload,
    OrderType.REGULATION: regulation_payload,
    OrderType.WINDOW: window_payload,
    OrderType.COMMAND: command_payload,
    OrderType.TIMETABLE: timetable_payload,
}
_NAMES = {OrderType.JOB: job_drafts.PAYLOAD_TO_DRAFT, OrderType.COMMAND: command_drafts.PAYLOAD_TO_DRAFT}
