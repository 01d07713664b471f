"""Decide how a station writes to the central side: payloads and their sizes. Pure, and signs nothing.

What comes down is read by ``trust`` alone. Every function returns an ``Outgoing``: the bytes to be signed, their type
name, and where and how the signed envelope travels.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from edge_agent.core.clock_trust import Now
from edge_agent.core.heads import ScopeStatus
from edge_agent.core.outlook import InForce, Planned
from edge_agent.core.reasons import Reason
from edge_agent.core.text import tidy
from edge_agent.core.trust_standing import TrustHead
from edge_agent.core.units import StationId
from edge_agent.sync.reports import (
    AnswerMsg,
    HeartbeatMsg,
    HelloMsg,
    HostStatus,
    LogRecord,
    OfferStatus,
    PlanMsg,
    PlayStatus,
    StateMsg,
    ZoneStatus,
)
from edge_agent.sync.topics import Up, up_topic

PAYLOAD_BYTES_MAX = 48_000
# Base64 makes 64,000 of it; that leaves 1.5 kB of a 64 KiB packet for the topic and the envelope with its signature.
STATE_BYTES_MAX = 36_000
# The protocol promises 48 KiB for the envelope, and base64 makes 48,000 of this.
LOG_BODIES_BYTES = 32_000
# The runtime asks the journal for about so much at once: a batch that a 2G link still carries within a keepalive.
NEXT_MAX = 10
PLAYING_MAX = 8
OFFERS_MAX = 10
TITLE_CHARS_MAX = 80
# State is paid for by the megabyte and published at every change: ten lines tell what is next as well as a hundred.


LEFT_OUT_DIGITS = 8
# Room in a plan for the count of what is left out, which is known only afterwards.


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message before it is signed: ``kind`` names the payload type, the rest is for ``Session.publish``."""

    kind: Up
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks; the same for every message of a boot."""

    realm: str
    station: StationId
    boot_id: str
    software: str


def hello(sender: Sender, msg: HelloMsg) -> Outgoing:
    """Ask for a welcome."""
    return _outgoing(
        sender,
        Up.HELLO,
        {
            "boot_id": sender.boot_id,
            "nonce": msg.nonce,
            "software": _text(sender.software),
            "trust": [_trust_head(head) for head in msg.trust],
            "log": {"epoch": msg.log.epoch, "seq": msg.log.seq, "hash": msg.log.hash},
            "clock": _clock(msg.clock),
        },
    )


def state(sender: Sender, msg: StateMsg) -> Outgoing:
    """The station's state, at most STATE_BYTES_MAX: what is furthest away in ``next`` is left out first."""
    msg = replace(msg, playing=msg.playing[:PLAYING_MAX], next=msg.next[:NEXT_MAX], offers=msg.offers[:OFFERS_MAX])
    out = _state(sender, msg)
    while len(out.payload) > STATE_BYTES_MAX and (msg.next or msg.playing):
        msg = replace(msg, next=msg.next[:-1]) if msg.next else replace(msg, playing=msg.playing[:-1])
        out = _state(sender, msg)
    return out


def _state(sender: Sender, msg: StateMsg) -> Outgoing:
    return _outgoing(
        sender,
        Up.STATE,
        {
            "boot_id": sender.boot_id,
            "online": msg.online,
            "why": msg.why.value,
            "at": msg.clock.utc,
            "software": _text(sender.software),
            "area": msg.area,
            "name": _text(msg.name),
            "clock": _clock(msg.clock),
            "zones": [_zone(zone) for zone in msg.zones],
            "playing": [_play(play) for play in msg.playing],
            "next": [{**_play(play), "reason": _code(play.reason)} for play in msg.next],
            "records_waiting": msg.records_waiting,
            "welcomed": msg.welcomed,
            "waits": _code(msg.waits),
            "device_up": msg.device_up,
            "host": _host(msg.host),
            "offers": [_offer(offer) for offer in msg.offers],
            "rules": _rules(msg.rules),
            "manifests": None if msg.manifests is None else [_scope(one) for one in msg.manifests],
        },
    )


def heartbeat(sender: Sender, msg: HeartbeatMsg) -> Outgoing:
    """A sign of life. A lost one costs nothing, so it goes unacknowledged."""
    return _outgoing(
        sender,
        Up.HEARTBEAT,
        {
            "boot_id": sender.boot_id,
            "at": msg.clock.utc,
            "uptime_s": msg.uptime_s,
            "clock": _clock(msg.clock),
            "playing": list(msg.playing[:PLAYING_MAX]),
            "records_waiting": msg.records_waiting,
            "host": _host(msg.host),
        },
    )


def log(sender: Sender, epoch: str, records: Sequence[LogRecord]) -> Outgoing | None:
    """A batch of records, oldest first; None when they do not fit a packet together (offer fewer)."""
    listed = [{"seq": it.seq, "prev": it.prev, "hash": it.hash, "body": json.loads(it.body)} for it in records]
    out = _outgoing(sender, Up.LOG, {"epoch": epoch, "records": listed})
    return out if len(out.payload) <= PAYLOAD_BYTES_MAX else None


def answer(sender: Sender, msg: AnswerMsg) -> Outgoing:
    """What became of an order on arrival (requirement B14)."""
    return _outgoing(
        sender,
        Up.ANSWER,
        {
            "verdict": msg.verdict.value,
            "digest": msg.digest,
            "job_id": msg.job_id,
            "reason": _code(msg.reason),
            "at": msg.at,
            "conflicts": [
                {"job_id": one.job_id, "planned": one.planned, "reason": one.reason.value, "zones": list(one.zones)}
                for one in msg.conflicts
            ],
        },
    )


def plan(sender: Sender, msg: PlanMsg) -> Outgoing:
    """What will play on a day (requirement B15): of more than a message holds, the earliest."""
    entries = [_entry(entry) for entry in msg.entries]
    room = PAYLOAD_BYTES_MAX - len(_plan(sender, msg, []).payload) - LEFT_OUT_DIGITS
    sizes = accumulate(len(_json(entry)) + 1 for entry in entries)  # a comma behind each
    kept = entries[: sum(size <= room for size in sizes)]
    return _plan(sender, replace(msg, left_out=msg.left_out + len(entries) - len(kept)), kept)


def _plan(sender: Sender, msg: PlanMsg, entries: list[dict[str, object]]) -> Outgoing:
    policy = msg.policy
    return _outgoing(
        sender,
        Up.PLAN,
        {
            "boot_id": sender.boot_id,
            "day": msg.day.isoformat(),
            "timezone": msg.timezone,
            "now": msg.now,
            "policy": None if policy is None else {"number": _text(policy.number), "dated": policy.dated.isoformat()},
            "entries": entries,
            "offers": [_offer(offer) for offer in msg.offers[:OFFERS_MAX]],
            "left_out": msg.left_out,
        },
    )


def _outgoing(sender: Sender, kind: Up, fields: dict[str, object]) -> Outgoing:
    whole = {"realm": sender.realm, "type": kind.value, "station": sender.station, **fields}
    payload = _json(whole)
    qos = 0 if kind is Up.HEARTBEAT else 1
    return Outgoing(kind, up_topic(sender.station, kind), payload, qos, retain=kind is Up.STATE)


def _json(fields: dict[str, object]) -> bytes:
    return json.dumps(fields, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")).encode()


def _clock(now: Now) -> dict[str, object]:
    return {"utc": now.utc, "source": now.source.value, "max_error_ms": now.max_error_ms}


def _zone(zone: ZoneStatus) -> dict[str, object]:
    relay = "unknown" if zone.relay_on is None else "on" if zone.relay_on else "off"
    return {
        "zone": zone.zone,
        "name": _text(zone.name),
        "relay": relay,
        "playing": zone.playing,
        "volume_max": zone.volume_max,
        "heard": zone.heard,
        "level_db": zone.level_db,
    }


def _play(play: PlayStatus) -> dict[str, object]:
    return {
        "job_id": play.job_id,
        "title": _text(play.title),
        "class": play.cls.value,
        "phase": play.phase.value,
        "planned": play.planned,
        "zones": list(play.zones),
        **({"rehearsal": True} if play.rehearsal else {}),
    }


def _offer(offer: OfferStatus) -> dict[str, object]:
    return {
        "job_id": offer.job_id,
        "title": _text(offer.title),
        "class": offer.cls.value,
        "level": offer.level,
        "expires": offer.expires,
    }


def _scope(scope: ScopeStatus) -> dict[str, object]:
    return {
        "scope": scope.scope,
        "epoch": scope.epoch,
        "counter": scope.counter,
        "issued_at": scope.issued_at,
        "lacking": scope.lacking,
        "reason": _code(scope.reason),
    }


def _rules(rules: InForce) -> dict[str, object]:
    return {
        "regulation": _text(rules.regulation),
        "quiet": None if rules.quiet is None else [f"{at:%H:%M}" for at in rules.quiet],
        "locked": list(rules.locked),
        "silenced": list(rules.silenced),
    }


def _entry(entry: Planned) -> dict[str, object]:
    return {
        "job_id": entry.job_id,
        "title": _text(entry.title),
        "class": entry.cls.value,
        "level": entry.level,
        "order": entry.order,
        "planned": entry.planned,
        "starts": entry.starts,
        "ends": entry.ends,
        "zones": [{"zone": zone, "volume": volume} for zone, volume in entry.volumes.items()],
        "out": [{"zone": zone, "reason": reason.value} for zone, reason in entry.out.items()],
        "reason": _code(entry.reason),
        "under": entry.under,
        "cut": entry.cut,
        "rehearsal": entry.rehearsal,
    }


def _host(host: HostStatus) -> dict[str, object]:
    return {
        "address": None if host.address is None else _text(host.address),
        "serial": None if host.serial is None else _text(host.serial),
        "storage_free_mb": host.storage_free_mb,
        "temperature_c": host.temperature_c,
        "undervoltage": host.undervoltage,
    }


def _code(reason: Reason | None) -> str | None:
    return None if reason is None else reason.value


def _text(text: str) -> str:
    """Words as the wire wants them, not longer than a line."""
    clean = tidy(text)
    return clean if len(clean) <= TITLE_CHARS_MAX else clean[: TITLE_CHARS_MAX - 1] + "…"


def _trust_head(head: TrustHead) -> dict[str, object]:
    return {"area": head.area, "epoch": head.epoch, "version": head.version, "expires": head.expires}
