"""Remember what has sounded lately: what the day's limits count, and which zones heard an alert. Pure, bounded.

The journal's records are the durable form of it; a restart reads them back (``Restored.past``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.core.clock_trust import DATELESS, Now
from edge_agent.core.job import JobClass
from edge_agent.core.sessions import SESSION_GAP_MS, Span
from edge_agent.core.units import DAY_MS, HOUR_MS, SECOND_MS, JobId, MonoMs, UtcMs, ZoneId

LATE_GRACE_MS = 10 * SECOND_MS
# A job that may not play late may still start this late: a relay, a child process or a hand-over took its time.
PAST_MS = 2 * DAY_MS
# What a day's limits look at: the local day, and the session that ran over its midnight.
HEARD_MS = 30 * DAY_MS
# For so long a correction finds the zones that heard what was wrong; an alert's are remembered longer.
UNHEARD_MAX = 100
# Of one issuer: versions and corrections that nobody heard. Refused ones cost nothing, and must push out no sound.
PAST_MAX = 1_000
# Of warnings: two days of one every three minutes; of other sounds: a month of a ward's days. The oldest goes first; of
# warnings the oldest that has sounded since: what repeats each minute in several zones must push no other out; of other
# sounds the oldest that a later one of its session can tell: a thousand short ones must not begin the day anew.


IN_ANOTHER_BOOT = MonoMs(-DAY_MS)


@dataclass(frozen=True, slots=True)
class Sounded:
    """One sound in the street: [started, ended) in UTC ms, in ``zones``; ``under`` names the exception that let it.

    What has a ``series``, or ``corrects`` another job, is remembered too where nobody heard it: no zone is named then.

    ``started`` is what counts (``counted_start``), and ``ended`` is so much later as sounded. ``live``: it relayed a
    live source, and counts for itself. ``earlier_ms``: how long its job has sounded before, as far as that is told here
    alone. ``undated_at``: nobody knew the time, and ``started`` says nothing; it ended at this boot time (below 0: in
    another boot).
    """

    job_id: JobId
    cls: JobClass
    started: UtcMs
    ended: UtcMs
    zones: frozenset[ZoneId]
    under: str = ""
    issuer: str = ""
    series: str = ""
    version: int = 0
    signers: tuple[str, ...] = ()
    corrects: str = ""
    live: bool = False
    earlier_ms: int = 0
    undated_at: MonoMs | None = None

    @property
    def heard_ms(self) -> int:
        """For how long it was heard, and what is remembered with it."""
        return self.ended - self.started + self.earlier_ms

    def is_of_the_day_of(self, now: Now) -> bool:
        """Whether it ended within the last 24 hours, by a clock that can tell; else by the time of this boot."""
        if self.undated_at is not None:
            return now.mono < self.undated_at + DAY_MS
        return now.source not in DATELESS and self.ended > now.utc - DAY_MS

    @property
    def span(self) -> Span:
        """From when to when it counts."""
        return self.started, self.ended


def counted_start(planned: UtcMs | None, started: UtcMs) -> UtcMs:
    """From when on a sound counts: from its instant, unless it began later than a hand-over or a warm-up explains."""
    return planned if planned is not None and 0 <= started - planned <= LATE_GRACE_MS else started


def remember(past: tuple[Sounded, ...], sound: Sounded, passed: UtcMs) -> tuple[Sounded, ...]:
    """The past with one more sound, without what nobody asks for any more when ``passed`` is certainly over."""
    kept = [one for one in past if one.series or one.undated_at is not None or one.ended > passed - HEARD_MS]
    alike = [at for at, one in enumerate(kept) if _is_kept_beside(one, sound)]
    over = len(alike) + 1 - (PAST_MAX if sound.zones else UNHEARD_MAX)
    gone = alike[: max(over, 0)]
    if over == 1 and sound.zones:
        gone = [_told_by_a_later_one(kept, alike) if _warns(sound) else _told_by_its_session(kept, alike)]
    return (*(one for at, one in enumerate(kept) if at not in gone), sound)


def _told_by_a_later_one(kept: list[Sounded], alike: list[int]) -> int:
    """The oldest whose job has sounded since, in no fewer zones, and tells the same; the oldest where there is none."""
    newest = {kept[at].job_id: at for at in alike}
    for at in alike:
        heir = newest[kept[at].job_id]
        if heir != at and kept[at].zones <= kept[heir].zones:
            kept[heir] = replace(kept[heir], earlier_ms=kept[heir].earlier_ms + kept[at].heard_ms)
            return at
    return alike[0]


def _told_by_its_session(kept: list[Sounded], alike: list[int]) -> int:
    """The oldest with which the next one of its kind goes on, and tells it from here on; else the oldest of all.

    Within an hour of UTC: so none is told on another day than its own, wherever the day begins. The pauses between
    count with them.
    """
    before: dict[tuple[object, ...], int] = {}
    for at in alike:
        one = kept[at]
        if one.series or one.corrects:
            continue
        kind = (one.cls, one.zones, one.under, one.live, one.started // HOUR_MS)
        first = before.get(kind)
        if first is not None and kept[first].started <= one.started < kept[first].ended + SESSION_GAP_MS:
            ended = UtcMs(max(one.ended, kept[first].ended))
            kept[at] = replace(one, started=kept[first].started, ended=ended)
            return first
        before[kind] = at
    return alike[0]


def _is_kept_beside(one: Sounded, sound: Sounded) -> bool:
    """Whether one has to make room for the other: a warning for warnings, an ordinary sound for ordinary ones.

    What was unheard has to for what its issuer adds.
    """
    if bool(one.zones) != bool(sound.zones):
        return False
    return _warns(one) is _warns(sound) if one.zones else (one.issuer, _warns(one)) == (sound.issuer, _warns(sound))


def _warns(sound: Sounded) -> bool:
    return sound.cls is JobClass.EMERGENCY


def lately(past: tuple[Sounded, ...], now: UtcMs) -> tuple[Sounded, ...]:
    """What limits look at: those of a day at two days, an exception's at all that it has let sound."""
    return tuple(sound for sound in past if sound.under or sound.ended > now - PAST_MS)
