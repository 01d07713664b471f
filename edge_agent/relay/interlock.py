"""Decide which relays may be closed: by order, under a lease, and for a bounded time. Reads no clock, moves no relay.

A relay is closed only while somebody shows, again and again, that a closed relay is wanted: the core by renewing the
lease, and while a programme runs the audio writer by its progress. Whichever of them stops, every relay opens. Beside
that each closing carries its own end. Acting on what is decided here is the device process's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from edge_agent.core.units import MonoMs, PlayId, ZoneId

LEASE_MS = 3_000
# The core renews every second: two renewals may be late before a ward falls silent, and none of its loudspeakers stays
# on for longer than this after a hang (requirement S3).


class Cause(StrEnum):
    """Why a relay moved."""

    ORDER = "order"
    LEASE = "lease"
    MAX_ON = "max_on"
    LINK_LOST = "link_lost"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Closed:
    """A relay that may be closed, since when and until when at the latest."""

    since: MonoMs
    off_at: MonoMs


@dataclass(frozen=True, slots=True)
class Interlock:
    """What the decision needs. ``on_ms_max`` names the zones there are, ``playing`` since when each play owes sound."""

    on_ms_max: Mapping[ZoneId, int]
    core_at: MonoMs | None = None
    writer_at: MonoMs | None = None
    playing: Mapping[PlayId, MonoMs] = field(default_factory=dict)
    closed: Mapping[ZoneId, Closed] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Allowed:
    """The relay may be moved as ordered."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay stays open, and why."""

    detail: str


@dataclass(frozen=True, slots=True)
class Opening:
    """A relay that has to open now."""

    zone: ZoneId
    cause: Cause


def renew(lock: Interlock, now: MonoMs) -> Interlock:
    """The core has stepped."""
    return replace(lock, core_at=now)


def alive(lock: Interlock, writer_at: MonoMs) -> Interlock:
    """The audio writer showed a sign of life at ``writer_at``."""
    return replace(lock, writer_at=writer_at)


def begin(lock: Interlock, play_id: PlayId, at: MonoMs, now: MonoMs) -> Interlock:
    """A programme was ordered, to sound from ``at`` on: until then the writer owes no progress."""
    return replace(lock, playing={**lock.playing, play_id: MonoMs(max(at, now))})


def end(lock: Interlock, play_id: PlayId) -> Interlock:
    """A programme is over, by the player's own word: an order to stop alone proves nothing about the writer."""
    return replace(lock, playing={known: at for known, at in lock.playing.items() if known != play_id})


def order(
    lock: Interlock, zone: ZoneId, on: bool, off_after_ms: int, now: MonoMs
) -> tuple[Interlock, Allowed | Refused]:
    """Open: always. Close: a known zone under a lease, for ``off_after_ms``, never longer than its ``on_ms_max``.

    Told again while closed, the end moves; the longest on-time still counts from the first closing.
    """
    if zone not in lock.on_ms_max:
        return lock, Refused("no such zone")
    if not on:
        return opened(lock, zone), Allowed()
    if lapsed(lock, now):
        return lock, Refused("no lease: the core or the audio writer stands still")
    since = lock.closed[zone].since if zone in lock.closed else now
    off_at = MonoMs(min(now + off_after_ms, since + lock.on_ms_max[zone]))
    return replace(lock, closed={**lock.closed, zone: Closed(since, off_at)}), Allowed()


def opened(lock: Interlock, zone: ZoneId) -> Interlock:
    """A relay is open, or has to be taken for open because it could not be closed."""
    return replace(lock, closed={known: closed for known, closed in lock.closed.items() if known != zone})


def due(lock: Interlock, now: MonoMs) -> tuple[Interlock, tuple[Opening, ...]]:
    """Which relays have to open now, each with its cause."""
    if lapsed(lock, now):
        return open_all(lock, Cause.LEASE)
    over = [zone for zone, closed in lock.closed.items() if closed.off_at <= now]
    for zone in over:
        lock = opened(lock, zone)
    return lock, tuple(Opening(zone, Cause.MAX_ON) for zone in over)


def open_all(lock: Interlock, cause: Cause) -> tuple[Interlock, tuple[Opening, ...]]:
    """Every closed relay opens for ``cause``."""
    return replace(lock, closed={}), tuple(Opening(zone, cause) for zone in lock.closed)


def lapsed(lock: Interlock, now: MonoMs) -> bool:
    """Whether no relay may be closed, because the core or the writer stands still."""
    until = _lease_until(lock)
    return until is None or now >= until


def writer_late(lock: Interlock, now: MonoMs) -> bool:
    """Whether it is the writer that stands still."""
    sign = writer_sign(lock)
    return sign is not None and now >= sign + LEASE_MS


def writer_sign(lock: Interlock) -> MonoMs | None:
    """The writer's last sign of life, never earlier than the first sound it owes; None while it owes none."""
    if not lock.playing:
        return None
    owed_from = min(lock.playing.values())
    return owed_from if lock.writer_at is None else MonoMs(max(lock.writer_at, owed_from))


def next_wake(lock: Interlock, *, sounding: bool) -> MonoMs | None:
    """When ``due`` or ``lapsed`` may have something to say; None while there is nothing to open and none to stop.

    ``sounding``: a play goes on that was not told to stop. Of one that was, only the player's word is awaited: a writer
    that stands still never gives it, and a lease that has run out would wake the loop without end.
    """
    until = _lease_until(lock)
    ends = [closed.off_at for closed in lock.closed.values()]
    if until is not None and (lock.closed or sounding):
        ends.append(until)
    return min(ends, default=None)


def _lease_until(lock: Interlock) -> MonoMs | None:
    if lock.core_at is None:
        return None
    sign = writer_sign(lock)
    return MonoMs((lock.core_at if sign is None else min(lock.core_at, sign)) + LEASE_MS)
