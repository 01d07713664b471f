"""The scripted day: what is ordered, cut and asked of a station between one morning and the next.

It goes once through everything that writes: orders of every kind and fate, a timetable that is replaced, downloads and
staged sound, a bulletin that an emergency cuts, the log's way upward, the nightly sweep, a proper end and a boot from
what was kept.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from edge_agent.core.units import UtcMs
from edge_agent.trust.entries import SAID_ONCE
from tests.rig import HONEST, LEFT, RIGHT, Order, Tampering, Tone
from tests.sim import BEGAN, TIMEZONE, payload_of, signers_of
from tests.trust import makers

MINUTE_S, HOUR_S = 60, 3_600
ENDS_S = 25 * HOUR_S
LISTED_UNTIL_S = round(24.7 * HOUR_S)
CLIP_BYTES = 20_000
# More than one TLS record, so that it arrives, and is written, in two parts.


class Do(StrEnum):
    """What the street does at a step."""

    PUBLISH = "publish"
    REPLAY = "replay"
    CUT_NETWORK = "cut network"
    MEND_NETWORK = "mend network"
    HELLO = "hello due"
    HEARTBEAT = "heartbeat due"
    SWEEP = "sweep due"
    STOP = "stop"
    BOOT = "boot"


@dataclass(frozen=True)
class Step:
    """``job`` names an order of ORDERS."""

    at_s: float
    do: Do
    job: str = ""


@dataclass(frozen=True)
class Ordered:
    """An order of the day, and what the log must say of it when nothing goes wrong ("": no record at all).

    ``entries`` are those of a timetable, which are orders of this table too; its log tells that it took effect, unless
    a crash came in between, and how it ended.
    """

    order: Order
    outcome: str
    tampering: Tampering = HONEST
    entries: tuple[str, ...] = ()


ALTERED = Tone("x", 10.0)
ORDERS = {
    "sang": Ordered(Order(at_s=60, tones=(Tone("a", 60.0),)), "succeeded"),
    "trua": Ordered(Order(at_s=HOUR_S, recurring=True, tones=(Tone("b", 20.0),)), "succeeded"),
    "cho-luot": Ordered(
        Order(cls="normal", at_s=HOUR_S + 10, tones=(Tone("c", 12.0),), zones=(RIGHT,), late_limit_s=600), "succeeded"
    ),
    "lu": Ordered(Order(cls="emergency", spoken="Lũ quét! Bà con rời nhà ngay.", zones=(LEFT,)), "succeeded"),
    "gia-mao": Ordered(Order(at_s=300, tones=(Tone("a", 60.0),)), "", Tampering(forged=True)),
    "phuong-ben": Ordered(Order(at_s=300, tones=(Tone("a", 60.0),)), "rejected", Tampering(other_ward=True)),
    "dem-khuya": Ordered(Order(tones=(Tone("a", 60.0),)), "rejected", Tampering(wall_time="03:15:00")),
    "sai-tieng": Ordered(Order(at_s=250, tones=(ALTERED,)), "failed"),
    "ngay": Ordered(Order(cls="priority", tones=(Tone("d", 8.0),), spoken="Mời họp tổ dân phố.", loops=2), "succeeded"),
    "mat-mang": Ordered(Order(at_s=2 * HOUR_S + 900, tones=(Tone("a", 60.0),)), "succeeded"),
    "qua-muon": Ordered(Order(at_s=2 * HOUR_S + 1_200, tones=(Tone("b", 20.0),)), "missed"),
    "cu": Ordered(Order(at_s=24.2 * HOUR_S, tones=(Tone("f", 8.0),)), "superseded"),
    "giu": Ordered(Order(at_s=24.3 * HOUR_S, tones=(Tone("f", 8.0),)), "succeeded"),
    "moi": Ordered(Order(at_s=24.4 * HOUR_S, tones=(Tone("c", 12.0),)), "succeeded"),
    "lich-1": Ordered(Order(), "superseded", entries=("cu", "giu")),
    "lich-2": Ordered(Order(), "expired", entries=("giu", "moi")),
    "cuoi-ngay": Ordered(Order(at_s=10.5 * HOUR_S, tones=(Tone("e", 40.0),)), "succeeded"),
    "nua-dem": Ordered(Order(cls="emergency", spoken="Cháy chợ! Bà con tránh xa."), "succeeded"),
    "sang-sau": Ordered(Order(at_s=24.5 * HOUR_S, tones=(Tone("a", 60.0),)), "succeeded"),
}
DAY = (
    Step(0, Do.BOOT),
    Step(5, Do.PUBLISH, "sang"),
    Step(6, Do.PUBLISH, "trua"),
    Step(7, Do.PUBLISH, "cho-luot"),
    Step(8, Do.PUBLISH, "gia-mao"),
    Step(8.1, Do.PUBLISH, "phuong-ben"),
    Step(8.2, Do.PUBLISH, "dem-khuya"),
    Step(9, Do.PUBLISH, "sai-tieng"),
    Step(10, Do.PUBLISH, "mat-mang"),
    Step(75, Do.PUBLISH, "lu"),
    Step(100, Do.REPLAY, "sang"),
    Step(400, Do.PUBLISH, "ngay"),
    Step(420, Do.PUBLISH, "lich-1"),
    Step(440, Do.PUBLISH, "lich-2"),
    Step(900, Do.HEARTBEAT),
    Step(2 * HOUR_S, Do.CUT_NETWORK),
    Step(2 * HOUR_S + 300, Do.PUBLISH, "qua-muon"),
    Step(3 * HOUR_S, Do.MEND_NETWORK),
    Step(6 * HOUR_S, Do.HELLO),
    Step(10.4 * HOUR_S, Do.PUBLISH, "cuoi-ngay"),
    Step(13 * HOUR_S, Do.PUBLISH, "nua-dem"),
    Step(16 * HOUR_S, Do.SWEEP),
    Step(20 * HOUR_S, Do.PUBLISH, "sang-sau"),
    Step(24 * HOUR_S, Do.STOP),
    Step(24 * HOUR_S + 60, Do.BOOT),
    Step(ENDS_S - 60, Do.STOP),
)


def original_of(tone: Tone) -> bytes:
    """The file that is signed: its duration, and something to repeat."""
    head = f"{round(tone.seconds * 1000)}\n".encode()
    return head + hashlib.shake_256(tone.name.encode()).digest(CLIP_BYTES - len(head))


def files() -> dict[str, bytes]:
    """What the content server hands out, by name; one of them is not what was signed."""
    tones = {tone for ordered in ORDERS.values() for tone in ordered.order.tones}
    found = {_digest(original_of(tone)): original_of(tone) for tone in tones}
    signed = original_of(ALTERED)
    found[_digest(signed)] = signed[:-1] + bytes([signed[-1] ^ 1])
    return found


def envelope_of(job: str, now: UtcMs, content_url: str) -> bytes:
    """The signed order, issued now."""
    ordered = ORDERS[job]
    if ordered.entries:
        return _timetable_of(job, now, content_url)
    by = signers_of(ordered.order, ordered.tampering)
    return makers.signed(_payload_of(job, now, content_url), by)


def _payload_of(job: str, now: UtcMs, content_url: str) -> dict[str, Any]:
    ordered = ORDERS[job]
    payload = payload_of(ordered.order, ordered.tampering, now, BEGAN, TIMEZONE)
    clips = [_clip(tone, content_url) for tone in ordered.order.tones]
    payload["items"] = [*clips, *(item for item in payload["items"] if item["kind"] != "clip")]
    return {**payload, "job_id": job, "serial": list(ORDERS).index(job) + 1}


def _timetable_of(name: str, now: UtcMs, content_url: str) -> bytes:
    number = list(ORDERS).index(name) + 1
    written = [_payload_of(entry, now, content_url) for entry in ORDERS[name].entries]
    entries = [{field: value for field, value in one.items() if field not in SAID_ONCE} for one in written]
    valid = {"issued_at": now, "not_before": now, "not_after": BEGAN + LISTED_UNTIL_S * 1_000}
    return makers.signed_timetable(order_id=name, serial=number, version=number, entries=entries, **valid)


def _clip(tone: Tone, content_url: str) -> dict[str, Any]:
    original = original_of(tone)
    digest = _digest(original)
    return makers.clip_item(
        title=f"Bản tin {tone.name}",
        digest=digest,
        length=len(original),
        duration_ms=round(tone.seconds * 1000),
        urls=[f"{content_url}/{digest}"],
    )


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
