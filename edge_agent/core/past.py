"""Remember what has sounded lately: what the day's limits count, and which zones heard an alert. Pure, bounded.

The journal's records are the durable form of it; a restart reads them back (``Restored.past``).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from edge_agent.core.job import JobClass
from edge_agent.core.sessions import Span
from edge_agent.core.units import DAY_MS, SECOND_MS, JobId, UtcMs, ZoneId

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
# warnings the oldest that has sounded since: what repeats each minute in several zones must push no other out.


@dataclass(frozen=True, slots=True)
class Sounded:
    """One sound in the street: [started, ended) in UTC ms, in ``zones``; ``under`` names the exception that let it.

    What has a ``series``, or ``corrects`` another job, is remembered too where nobody heard it: no zone is named then.

    ``started`` is what counts (``counted_start``), and ``ended`` is so much later as sounded. ``live``: it relayed a
    live source, and counts for itself. ``earlier_ms``: how long its job has sounded before, as far as that is told here
    alone.
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

    @property
    def heard_ms(self) -> int:
        """For how long it was heard, and what is remembered with it."""
        return self.ended - self.started + self.earlier_ms

    @property
    def span(self) -> Span:
        """From when to when it counts."""
        return self.started, self.ended


def counted_start(planned: UtcMs | None, started: UtcMs) -> UtcMs:
    """From when on a sound counts: from its instant, unless it began later than a hand-over or a warm-up explains."""
    return planned if planned is not None and 0 <= started - planned <= LATE_GRACE_MS else started


def remember(past: tuple[Sounded, ...], sound: Sounded) -> tuple[Sounded, ...]:
    """The past with one more sound, and without what nobody asks for any more."""
    kept = [one for one in past if one.series or one.ended > sound.ended - HEARD_MS]
    alike = [at for at, one in enumerate(kept) if _is_kept_beside(one, sound)]
    over = len(alike) + 1 - (PAST_MAX if sound.zones else UNHEARD_MAX)
    gone = alike[: max(over, 0)]
    if over == 1 and sound.zones and _warns(sound):
        gone = [_told_by_a_later_one(kept, alike)]
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


def _is_kept_beside(one: Sounded, sound: Sounded) -> bool:
    """Whether one has to make room for the other: a warning for warnings, an ordinary sound for ordinary ones.

    What was unheard has to for what its issuer adds.
    """
    if bool(one.zones) != bool(sound.zones):
        return False
    return _warns(one) is _warns(sound) if one.zones else one.issuer == sound.issuer


def _warns(sound: Sounded) -> bool:
    return sound.cls is JobClass.EMERGENCY


def lately(past: tuple[Sounded, ...], now: UtcMs) -> tuple[Sounded, ...]:
    """What limits look at: those of a day at two days, an exception's at all that it has let sound."""
    return tuple(sound for sound in past if sound.under or sound.ended > now - PAST_MS)
