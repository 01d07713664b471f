"""Read the picture that the agent writes of itself into the run directory. Pure: bytes in, a checked picture out.

The form is that of the signed state (docs/protocol), unsigned. A field that is missing or of another kind makes the
whole picture unreadable: the console shows no guesses. So does one that is longer than the agent makes it: a name that
stands there once is shown with each play, and would fill the memory of whoever looks. A field more is no fault, the
agent may have been updated since this process began.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from enum import Enum, StrEnum, auto
from typing import TypeVar

from edge_agent.core.clock_trust import ClockSource, Now
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import InForce
from edge_agent.core.reasons import Reason
from edge_agent.core.site import VOLUME_MAX
from edge_agent.core.units import DAY_MS, JobId, MonoMs, UtcMs, ZoneId

STATUS_BYTES_MAX = 65_536
# The agent writes at most 36,000 (sync.messages); more is not its work.
LISTED_MAX = 64
# Zones of a station; of all else the agent lists less.
NAME_CHARS_MAX = 80
TEXT_CHARS_MAX = 400
# Of what is shown again with each play, and of the longest of the rest: an area of six names.
UTC_MAX = 365 * 1_000 * DAY_MS
# The calendar of the standard library ends with the year 9999; a station's plans end well before 2969.
MS_MAX = 1_000 * 365 * DAY_MS

WALL_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")

Choice = TypeVar("Choice", bound=StrEnum)
Kind = TypeVar("Kind", str, int, bool)


class Absence(Enum):
    """Why there is no picture of the station."""

    NOT_RUNNING = auto()  # no file: the agent takes it away when it ends
    STALE = auto()  # an old file: the agent hangs, or was killed
    FORBIDDEN = auto()  # this user may not read it
    DAMAGED = auto()


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone now. ``relay_on`` None: nobody can tell. ``heard`` at its horn when it last sounded, so loud."""

    zone: ZoneId
    name: str
    relay_on: bool | None
    playing: JobId | None
    volume_max: int
    heard: bool | None = None
    level_db: int | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """What sounds or will; ``reason``: why it waits or will not sound. ``rehearsal``: an emergency that is none."""

    job_id: JobId
    title: str
    cls: JobClass
    phase: Phase
    planned: UtcMs
    zones: tuple[ZoneId, ...]
    reason: Reason | None
    rehearsal: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What waits to be chosen, until ``expires``."""

    job_id: JobId
    title: str
    cls: JobClass
    expires: UtcMs


@dataclass(frozen=True, slots=True)
class Scope:
    """The manifest of one scope (``issued_at`` 0: none is held): how many of its orders are lacking, what is wrong."""

    scope: str
    issued_at: UtcMs
    lacking: int
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Host:
    """The box; None where it cannot be seen."""

    address: str | None
    storage_free_mb: int | None
    temperature_c: int | None
    undervoltage: bool | None


@dataclass(frozen=True, slots=True)
class Status:
    """The station as the agent pictured it. ``clock`` is the station's own; its ``mono`` is not in the picture.

    ``welcomed``: the server has answered since the start; ``online``: there is a connection to it now.
    """

    station: str
    name: str
    software: str
    clock: Now
    zones: tuple[Zone, ...]
    playing: tuple[Play, ...]
    next: tuple[Play, ...]
    records_waiting: int
    welcomed: bool
    online: bool
    host: Host
    offers: tuple[Offer, ...] = ()
    waits: Reason | None = None
    manifests: tuple[Scope, ...] | None = None
    rules: InForce | None = None  # None: an agent of the version before, which says nothing of them

    @property
    def holds_new_orders(self) -> bool:
        """Whether an order that has come waits to be let in: it is accepted, and stands nowhere in the picture."""
        return not self.welcomed or self.waits is not None


class StatusError(ValueError):
    """The bytes are no picture of a station; the text names the field."""


def read_status(data: bytes) -> Status:
    """The picture in a status file. Raises StatusError."""
    if len(data) > STATUS_BYTES_MAX:
        raise StatusError(f"more than {STATUS_BYTES_MAX} bytes")
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise StatusError("not JSON") from exc
    top = _Fields("status", whole)
    return Status(
        station=top.get("station", str),
        name=top.get("name", str),
        software=top.get("software", str),
        clock=_clock(top.table("clock")),
        zones=tuple(_zone(zone) for zone in top.tables("zones")),
        playing=tuple(_play(play) for play in top.tables("playing")),
        next=tuple(_play(play, "reason") for play in top.tables("next")),
        records_waiting=top.number("records_waiting", 0, 2**63),
        welcomed=top.get("welcomed", bool),
        online=top.get("online", bool),
        host=_host(top.table("host")),
        offers=tuple(_offer(offer) for offer in top.tables("offers")) if "offers" in top else (),
        waits=_waits(top),
        manifests=_manifests(top),
        rules=_rules(top.table("rules")) if "rules" in top else None,
    )


class _Fields:
    """One object of the picture. Every method raises StatusError with the place."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise StatusError(f"{where}: no object")
        self._where = where
        self._values: Mapping[str, object] = value

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, kind: type[Kind]) -> Kind:
        value = self._values.get(key)
        if type(value) is not kind:
            raise StatusError(f"{self._where}.{key}: no {kind.__name__}")
        if isinstance(value, str) and len(value) > TEXT_CHARS_MAX:
            raise StatusError(f"{self._where}.{key}: more than {TEXT_CHARS_MAX} characters")
        return value

    def shown_name(self, key: str) -> str:
        name = self.get(key, str)
        if len(name) > NAME_CHARS_MAX:
            raise StatusError(f"{self._where}.{key}: more than {NAME_CHARS_MAX} characters")
        return name

    def is_null(self, key: str) -> bool:
        return key in self._values and self._values[key] is None

    def maybe(self, key: str, kind: type[Kind]) -> Kind | None:
        return None if self.is_null(key) else self.get(key, kind)

    def number(self, key: str, first: int, last: int) -> int:
        number = self.get(key, int)
        if not first <= number <= last:
            raise StatusError(f"{self._where}.{key}: out of range")
        return number

    def choice(self, key: str, choices: type[Choice]) -> Choice:
        value = self.get(key, str)
        try:
            return choices(value)
        except ValueError as exc:
            raise StatusError(f"{self._where}.{key}: {exc}") from exc

    def table(self, key: str) -> _Fields:
        return _Fields(f"{self._where}.{key}", self._values.get(key))

    def tables(self, key: str) -> tuple[_Fields, ...]:
        listed = self._list(key)
        return tuple(_Fields(f"{self._where}.{key}[{index}]", value) for index, value in enumerate(listed))

    def texts(self, key: str) -> tuple[str, ...]:
        texts = [text for text in self._list(key) if isinstance(text, str) and len(text) <= TEXT_CHARS_MAX]
        if len(texts) != len(self._list(key)):
            raise StatusError(f"{self._where}.{key}: no list of texts")
        return tuple(texts)

    def walls(self, key: str) -> tuple[time, time] | None:
        """Two wall times, or null."""
        if self.is_null(key):
            return None
        texts = self.texts(key)
        if len(texts) != 2 or any(WALL_TIME.fullmatch(text) is None for text in texts):
            raise StatusError(f"{self._where}.{key}: no two times of day")
        begins, ends = (time.fromisoformat(text) for text in texts)
        return begins, ends

    def _list(self, key: str) -> list[object]:
        value = self._values.get(key)
        if not isinstance(value, list):
            raise StatusError(f"{self._where}.{key}: no list")
        if len(value) > LISTED_MAX:
            raise StatusError(f"{self._where}.{key}: more than {LISTED_MAX}")
        return value


def _clock(fields: _Fields) -> Now:
    utc, error_ms = fields.number("utc", 0, UTC_MAX), fields.number("max_error_ms", 0, MS_MAX)
    return Now(MonoMs(0), UtcMs(utc), fields.choice("source", ClockSource), error_ms)


def _zone(fields: _Fields) -> Zone:
    relays = {"on": True, "off": False, "unknown": None}
    relay = fields.get("relay", str)
    if relay not in relays:
        raise StatusError(f"relay: {relay!r} is none of {sorted(relays)}")
    playing = fields.maybe("playing", str)
    return Zone(
        zone=ZoneId(fields.get("zone", str)),
        name=fields.shown_name("name"),
        relay_on=relays[relay],
        playing=None if playing is None else JobId(playing),
        volume_max=fields.number("volume_max", 0, VOLUME_MAX),
        # An agent of the version before says nothing of an ear.
        heard=fields.maybe("heard", bool) if "heard" in fields else None,
        level_db=fields.maybe("level_db", int) if "level_db" in fields else None,
    )


def _manifests(top: _Fields) -> tuple[Scope, ...] | None:
    """None: no home is configured, or an agent of the version before."""
    if "manifests" not in top or top.is_null("manifests"):
        return None
    return tuple(
        Scope(
            scope=one.get("scope", str),
            issued_at=UtcMs(one.number("issued_at", 0, UTC_MAX)),
            lacking=one.number("lacking", 0, 2**63),
            reason=None if one.is_null("reason") else one.choice("reason", Reason),
        )
        for one in top.tables("manifests")
    )


def _waits(top: _Fields) -> Reason | None:
    # An agent of the version before says nothing of it.
    return top.choice("waits", Reason) if "waits" in top and top.maybe("waits", str) is not None else None


def _play(fields: _Fields, reason: str | None = None) -> Play:
    """``reason`` names the field that only what is still to come has."""
    held = None if reason is None or fields.maybe(reason, str) is None else fields.choice(reason, Reason)
    return Play(
        job_id=JobId(fields.get("job_id", str)),
        title=fields.shown_name("title"),
        cls=fields.choice("class", JobClass),
        phase=fields.choice("phase", Phase),
        planned=UtcMs(fields.number("planned", 0, UTC_MAX)),
        zones=tuple(ZoneId(zone) for zone in fields.texts("zones")),
        reason=held,
        rehearsal="rehearsal" in fields and fields.get("rehearsal", bool),
    )


def _offer(fields: _Fields) -> Offer:
    return Offer(
        job_id=JobId(fields.get("job_id", str)),
        title=fields.shown_name("title"),
        cls=fields.choice("class", JobClass),
        expires=UtcMs(fields.number("expires", 0, UTC_MAX)),
    )


def _rules(fields: _Fields) -> InForce:
    return InForce(
        regulation=fields.get("regulation", str),
        quiet=fields.walls("quiet"),
        locked=tuple(ZoneId(zone) for zone in fields.texts("locked")),
        silenced=tuple(ZoneId(zone) for zone in fields.texts("silenced")),
    )


def _host(fields: _Fields) -> Host:
    return Host(
        address=fields.maybe("address", str),
        storage_free_mb=fields.maybe("storage_free_mb", int),
        temperature_c=fields.maybe("temperature_c", int),
        undervoltage=fields.maybe("undervoltage", bool),
    )
