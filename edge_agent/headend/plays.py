"""Read records as a report needs them, and count them. Claims nothing that a record does not say. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from edge_agent.core.as_run import Evidence, RecordKind
from edge_agent.core.clock_trust import DATELESS
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Phase
from edge_agent.core.programme import NOTHING_RELAYED, Relayed
from edge_agent.core.reasons import Reason
from edge_agent.core.records import FRESHNESS_UNPROVEN
from edge_agent.core.site import LEVEL_DB_MIN, VOLUME_MAX, ZONES_MAX
from edge_agent.core.units import UtcMs
from edge_agent.headend.listening import known_or_plain
from edge_agent.journal.port import StoredRecord
from edge_agent.trust.fields import NAME, Fields, free_text
from edge_agent.trust.items import ITEMS_MAX
from edge_agent.trust.strict_json import INTEGER_MAX, parse
from edge_agent.trust.timetable import read_instant

TEXT = free_text(500)
ROUNDED_MS_MAX = 402
# 20 items in 20 loops, and two chimes: a sound's length is told in milliseconds of which the last has only begun, what
# was heard of all together in whole ones.


@dataclass(frozen=True, slots=True)
class ZonePlay:
    """One zone's part; ``played_ms`` None: nobody saw how long; ``level_db`` None: no ear at its horn has said so;
    ``volume`` 0 is silence."""

    zone: str
    played_ms: int | None
    evidence: Evidence
    reason: Reason | None
    level_db: int | None = None
    volume: int = VOLUME_MAX

    @property
    def turned_down(self) -> bool:
        """Whether it was played so that nobody could hear it."""
        return self.volume == 0 and self.played_ms != 0


@dataclass(frozen=True, slots=True)
class Play:
    """One record: an occurrence, an order refused on arrival, or a rule and its effect (``kind``).

    ``detail`` is what a rule says, or what must be known of a warning beside its outcome; ``under`` the exception by
    which it sounded; ``rehearsal`` counts apart. By a ``clock`` that was not set its instants say nothing;
    ``settled_by`` is then when the next record was settled that somebody could date.
    """

    station: str
    kind: RecordKind
    job_id: str
    titles: tuple[str, ...]
    cls: JobClass | None
    issuer: str
    planned: UtcMs | None
    started: UtcMs | None
    ended: UtcMs
    outcome: Phase
    reason: Reason | None
    evidence: Evidence
    planned_ms: int
    played_ms: int | None
    zones: tuple[ZonePlay, ...]
    detail: str = ""
    under: str = ""
    series: str = ""
    version: int = 0
    rehearsal: bool = False
    corrects: str = ""
    relayed: Relayed | None = None
    underruns: int = 0
    clock: str = ""
    settled_by: UtcMs | None = None

    @property
    def dated(self) -> bool:
        """Whether the instants of its beginning and its end are some."""
        return self.clock not in DATELESS

    @property
    def came_undated(self) -> bool:
        """Whether it was planned for when it came, and nobody knew the time then."""
        return FRESHNESS_UNPROVEN in self.detail.split()

    @property
    def not_heard(self) -> bool:
        """Whether an ear at a horn, that of some zone, did not hear it."""
        return any(zone.reason is Reason.NOT_HEARD for zone in self.zones)

    @property
    def short_in_a_zone(self) -> bool:
        """Whether some zone had less than all of it, whatever others had: taken, locked, a relay or a card dead."""
        return any(zone.reason not in (None, Reason.NOT_HEARD) for zone in self.zones)

    @property
    def at(self) -> UtcMs | None:
        """The instant it is counted at: when it was planned, else when it was settled, or before when it was.

        None: nobody knows.
        """
        if self.planned is not None and not self.came_undated:
            return self.planned
        return self.ended if self.dated else self.settled_by


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts and milliseconds. A play whose length nobody saw counts as nothing played, and is counted apart.

    ``cancelled`` and ``superseded`` are among the ``silent``, ``short_in_a_zone`` among those that ``succeeded``.
    ``rehearsals`` are in no other number. ``not_heard`` are those that were played, and in some zone not heard by the
    ear at its horn.
    """

    plays: int
    succeeded: int
    short_in_a_zone: int
    partly: int
    silent: int
    cancelled: int
    superseded: int
    rehearsals: int
    refused_orders: int
    planned_ms: int
    played_ms: int
    unknown_length: int
    not_heard: int
    relayed: Relayed
    reasons: tuple[tuple[Reason, int], ...]


def read_play(record: StoredRecord) -> Play:
    """The record's particulars. ``WireError`` when a newer software wrote it in a way that this one does not know."""
    body = Fields(parse(record.body), f"record {record.seq}")
    return Play(
        station=body.text("station", NAME),
        kind=body.choice("kind", RecordKind),
        job_id=body.text("job_id", free_text(64)),
        titles=tuple(item.text("title", TEXT) for item in body.records("items", 0, ITEMS_MAX)),
        cls=None if body.value("cls") is None else body.choice("cls", JobClass),
        issuer=body.text("issuer", free_text(64)),
        planned=_instant(body, "planned"),
        started=_instant(body, "started"),
        ended=read_instant(body, "ended"),
        outcome=body.choice("outcome", Phase),
        reason=_reason(body),
        evidence=_evidence(body),
        planned_ms=body.integer("planned_ms", 0, INTEGER_MAX),
        played_ms=_length(body),
        zones=tuple(_zone(zone) for zone in body.records("zones", 0, ZONES_MAX)),
        # Absent in the records of stations whose software is older than these fields.
        detail=body.text("detail", TEXT, default=""),
        under=body.text("under", free_text(64), default=""),
        series=body.text("series", free_text(64), default=""),
        version=body.integer("version", 0, INTEGER_MAX, default=0),
        rehearsal=body.boolean("rehearsal", default=False),
        corrects=body.text("corrects", free_text(64), default=""),
        relayed=_relayed(body),
        underruns=body.integer("underruns", 0, INTEGER_MAX, default=0),
        clock=body.text("clock", TEXT, default=""),
    )


def occurrences(plays: Sequence[Play]) -> list[list[int]]:
    """For each occurrence of one station the places of its records: one, unless a card forgot what it had told."""
    found: dict[tuple[str, UtcMs], list[int]] = {}
    for place, play in enumerate(plays):
        if play.kind is RecordKind.PLAY and play.planned is not None:
            found.setdefault((play.job_id, play.planned), []).append(place)
    return list(found.values())


def without_forgotten(plays: Sequence[Play]) -> list[Play]:
    """Those of one station that count.

    A card that was put back says of what it forgot that it was missed, in another chain, behind the record of how it
    was heard. A silence is none of an occurrence that sounded, and is one however often it is told; what sounded twice
    did sound twice.
    """
    left_out: set[int] = set()
    for places in occurrences(plays):
        heard = [place for place in places if plays[place].played_ms != 0]
        left_out.update(set(places) - set(heard or places[:1]))
    return [play for place, play in enumerate(plays) if place not in left_out]


def count(plays: Iterable[Play]) -> Totals:
    """Add up. Reasons are those of everything that did not sound whole, the most frequent first."""
    listed = list(plays)
    sounding = [play for play in listed if play.kind is RecordKind.PLAY]
    real = [play for play in sounding if not play.rehearsal]
    succeeded = [play for play in real if play.outcome is Phase.SUCCEEDED]
    partly = [play for play in real if play.outcome is not Phase.SUCCEEDED and play.played_ms != 0]
    silent = [play for play in real if play.outcome is not Phase.SUCCEEDED and play.played_ms == 0]
    refused = [play for play in listed if play.kind is RecordKind.REFUSAL]
    short = [play for play in (*real, *refused) if play.outcome is not Phase.SUCCEEDED]
    reasons = Counter(play.reason for play in short if play.reason is not None)
    return Totals(
        plays=len(real),
        succeeded=len(succeeded),
        short_in_a_zone=sum(play.short_in_a_zone for play in succeeded),
        partly=len(partly),
        silent=len(silent),
        cancelled=sum(play.outcome is Phase.CANCELLED for play in silent),
        superseded=sum(play.outcome is Phase.SUPERSEDED for play in silent),
        rehearsals=len(sounding) - len(real),
        refused_orders=len(refused),
        planned_ms=sum(play.planned_ms for play in real),
        played_ms=sum(_heard_ms(play) for play in real),
        unknown_length=sum(play.played_ms is None for play in real),
        not_heard=sum(play.not_heard for play in real),
        relayed=sum((play.relayed for play in real if play.relayed is not None), start=NOTHING_RELAYED),
        reasons=tuple(sorted(reasons.items(), key=lambda one: (-one[1], one[0]))),
    )


def _heard_ms(play: Play) -> int:
    """What came to its end was heard whole, but for what rounding takes."""
    heard = play.played_ms or 0
    whole = play.outcome is Phase.SUCCEEDED and 0 <= play.planned_ms - heard <= ROUNDED_MS_MAX
    return play.planned_ms if whole else heard


def _zone(fields: Fields) -> ZonePlay:
    level = None if fields.values.get("level_db") is None else fields.integer("level_db", LEVEL_DB_MIN, 0)
    volume = fields.integer("volume", 0, VOLUME_MAX, default=VOLUME_MAX)
    return ZonePlay(fields.text("zone", NAME), _length(fields), _evidence(fields), _reason(fields), level, volume)


def _instant(fields: Fields, name: str) -> UtcMs | None:
    return None if fields.value(name) is None else read_instant(fields, name)


def _length(fields: Fields) -> int | None:
    return None if fields.value("played_ms") is None else fields.integer("played_ms", 0, INTEGER_MAX)


def _relayed(fields: Fields) -> Relayed | None:
    if fields.values.get("relayed") is None:
        return None
    told = fields.record("relayed")
    return Relayed(*(told.integer(name, 0, INTEGER_MAX) for name in ("live_ms", "stand_in_ms", "silent_ms")))


def _reason(fields: Fields) -> Reason | None:
    return None if fields.value("reason") is None else known_or_plain(fields, "reason", Reason)


def _evidence(fields: Fields) -> Evidence:
    return Evidence(fields.integer("evidence", min(Evidence), max(Evidence)))
