"""Decide whether the ward's own rules let something sound, in which zones, how long and how loud (B10, B17, N6, S7).

A correct signature is no excuse: a well signed order for 03:15 is the case to prevent. Emergencies are exempt from
everything but a lock (somebody is up at the horn), and the ceiling and the relay of a zone. An exception window takes
the policy's place for what it covers, and what sounds under it counts in no day's limits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from edge_agent.core import switching
from edge_agent.core.job import Job, JobClass
from edge_agent.core.order import Loosening, Regulation, Window
from edge_agent.core.past import Sounded, counted_start
from edge_agent.core.reasons import Reason
from edge_agent.core.sessions import Span, session_start, sessions, sounding_ms
from edge_agent.core.site import Clause, IntoQuiet, LocalPolicy, Site
from edge_agent.core.units import MINUTE_MS, NEVER, UtcMs, ZoneId
from edge_agent.core.wall_time import Hours, first_in_hours, in_hours, local_time

CORRECTION_MS_MAX = 2 * MINUTE_MS
# What was said wrongly, and what is right; longer is another programme.
CORRECTIONS_DAY_MS_MAX = 10 * MINUTE_MS
# Of a day, in all: five of the longest. One may correct the other, and without end they would be a programme too.


@dataclass(frozen=True, slots=True)
class Rules:
    """All that is laid down for one station at one moment.

    ``policy`` is the one in force now; where there are ``regulations``, each instant is judged by the one of then.
    ``past`` is what has sounded, and what sounds with the end it is going to have. ``locked`` says until when nothing
    sounds in a zone, ``volumes`` are ceilings set by command. ``reserve``: the battery is kept for emergencies.
    """

    site: Site
    policy: LocalPolicy
    regulations: tuple[Regulation, ...] = ()
    windows: tuple[Window, ...] = ()
    locked: Mapping[ZoneId, UtcMs] = field(default_factory=dict)
    volumes: Mapping[ZoneId, int] = field(default_factory=dict)
    past: tuple[Sounded, ...] = ()
    reserve: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """A sound that somebody wants: its class, where, [start, start + lasts_ms).

    ``sets_right``: it corrects what sounded wrongly, and if that is short no day's limit keeps it from that.
    ``planned`` is what the day's limits count from where it begins a little late, so that two programmes back to back
    are as long as they were ordered, and no hand-over costs the ward a session. ``own_ms`` is what they count of it,
    without the chimes that the station adds (None: all of it). ``live``: it relays a live source.
    """

    cls: JobClass
    zones: tuple[ZoneId, ...]
    start: UtcMs
    lasts_ms: int
    sets_right: bool = False
    planned: UtcMs | None = None
    own_ms: int | None = None
    live: bool = False

    @property
    def end(self) -> UtcMs:
        """When it would be over."""
        return UtcMs(self.start + self.lasts_ms)

    def until(self, ends_at: UtcMs | None) -> Wish:
        """What sounds of it where quiet hours cut it at ``ends_at`` (None: nowhere)."""
        return self if ends_at is None else replace(self, lasts_ms=ends_at - self.start)

    @property
    def counts_from(self) -> UtcMs:
        """Its beginning, as the day's limits see it."""
        return counted_start(self.planned, self.start)

    @property
    def counts_to(self) -> UtcMs:
        """Its end, as the day's limits see it."""
        return UtcMs(self.counts_from + self.counted_ms)

    @property
    def counted(self) -> Span:
        """From when to when it sounds, as the day's limits see it."""
        return self.counts_from, self.counts_to

    @property
    def counted_ms(self) -> int:
        """How long it is, as the day's limits see it."""
        return self.lasts_ms if self.own_ms is None else min(self.own_ms, self.lasts_ms)


def wish_for(
    job: Job,
    zones: tuple[ZoneId, ...],
    start: UtcMs,
    lasts_ms: int,
    planned: UtcMs | None = None,
    own_ms: int | None = None,
) -> Wish:
    """What a job asks of the rules."""
    return Wish(job.plays_as, zones, start, lasts_ms, bool(job.corrects), planned, own_ms, job.live)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say to a wish. ``out`` are the zones that must not hear it, each with its reason.

    ``reason`` is why nobody may; ``ends_at`` where quiet hours will cut it; ``under`` the exception that lets it pass.
    """

    out: Mapping[ZoneId, Reason]
    reason: Reason | None = None
    ends_at: UtcMs | None = None
    under: str = ""


def at_the_relay(rules: Rules) -> Rules:
    """For what closes its relays now: where it is locked now it is locked for it, for somebody is still up there."""
    return replace(rules, locked=dict.fromkeys(rules.locked, NEVER))


def by_itself(rules: Rules) -> Rules:
    """What is laid down, without what passes: what sounded so far, locks, the battery. For what is still to come."""
    return replace(rules, past=(), locked={}, reserve=False)


def judge(rules: Rules, wish: Wish) -> Verdict:
    """Whether a sound may begin, and where: by the one basis (an exception, or the policy) that lets most zones hear.

    An exception comes before the policy, so that what both allow counts in no day's limits.
    """
    barred = {zone: reason for zone in wish.zones if (reason := _barred(rules, wish, zone)) is not None}
    wanted = tuple(zone for zone in wish.zones if zone not in barred)
    if wish.cls is JobClass.EMERGENCY or not wanted:
        return _whole(wish, Verdict(barred))
    verdicts = [_by_window(rules, wish, wanted, window) for window in _covering(rules, wish, wanted)]
    verdicts.append(_by_policy(rules, wish, wanted))
    best = min(verdicts, key=lambda verdict: len(verdict.out))  # the first of several that let as many zones hear
    return _whole(wish, replace(best, out={**barred, **best.out}))


def volume_at(rules: Rules, wish: Wish, zone: ZoneId, ordered: int, under: str = "") -> int:
    """The volume (0–100) at which a zone plays: what was ordered, under every ceiling of the whole time it lasts.

    Of what is cut that is the time up to its cut (``Wish.until``).
    """
    ceiling = min(ordered, rules.site.zones[zone].volume_max)
    if wish.cls is JobClass.EMERGENCY:
        return ceiling
    ceiling = min(ceiling, rules.volumes.get(zone, ceiling))
    excepted = _excepted_volume(rules, under)
    if excepted is not None:
        return min(ceiling, excepted)
    bands = [band for clause in _clauses(rules, wish, zone) for band in clause.volume_bands]
    return min([ceiling, *(band.volume_max for band in bands if _touches(rules, wish, (band.start, band.end)))])


def general(rules: Rules) -> list[Clause]:
    """The clauses that speak of every sound in every zone."""
    return [clause for clause in rules.policy.clauses if not clause.classes and not clause.zones]


def general_quiet(rules: Rules) -> list[Hours]:
    """The quiet hours for everybody, in the policy's own order."""
    return [clause.quiet for clause in general(rules) if clause.quiet is not None]


def quiet_now(rules: Rules, now: UtcMs) -> Hours | None:
    """The quiet hours for everybody that hold now; None where anybody may sound."""
    hours = general_quiet(rules)
    return next((quiet for quiet in hours if in_hours(quiet, rules.site.timezone, now, 1)), None)


def counted(rules: Rules, clause: Clause, *, live: bool = False) -> list[Span]:
    """What counts in a clause's limits: ordinary sound of its classes in its zones, but not what an exception let.

    ``live``: what is relayed, where that has minutes of its own.
    """
    return [
        sound.span
        for sound in rules.past
        if sound.cls is not JobClass.EMERGENCY
        and not sound.under
        and (clause.live_day_ms is None or sound.live == live)
        and (not clause.classes or sound.cls in clause.classes)
        and (not clause.zones or sound.zones & clause.zones)
    ]


def _whole(wish: Wish, verdict: Verdict) -> Verdict:
    """With nobody left to hear it, the first zone's reason is the sound's."""
    nobody = len(verdict.out) == len(wish.zones)
    return replace(verdict, reason=verdict.out[wish.zones[0]]) if nobody and wish.zones else verdict


def _barred(rules: Rules, wish: Wish, zone: ZoneId) -> Reason | None:
    """What no exception passes: somebody at the horn, a relay that may not stay closed for so long.

    For ordinary sound a dated silence and an empty battery too.
    """
    if wish.start < rules.locked.get(zone, 0):
        return Reason.ZONE_LOCKED
    if switching.longest_ms(rules.site, zone) < wish.lasts_ms:
        return Reason.OVER_LIMIT
    if wish.cls is JobClass.EMERGENCY:
        return None
    silences = [window for window in rules.windows if window.loosens is None and _concerns(window, zone)]
    if any(silence.begins < wish.end and wish.start < silence.ends for silence in silences):
        return Reason.ZONE_SILENCED
    return Reason.BATTERY_RESERVE if rules.reserve else None


def _covering(rules: Rules, wish: Wish, zones: tuple[ZoneId, ...]) -> list[Window]:
    """The exceptions within which the wish begins, the oldest first."""
    covering = [
        window
        for window in rules.windows
        if window.loosens is not None
        and wish.cls in window.loosens.classes
        and window.begins <= wish.start < window.ends
        and any(_concerns(window, zone) for zone in zones)
    ]
    return sorted(covering, key=lambda window: (window.begins, window.heading.order_id))


def _by_window(rules: Rules, wish: Wish, zones: tuple[ZoneId, ...], window: Window) -> Verdict:
    """What one exception says. Where it does not reach, the policy's own reason is told, if that has one."""
    assert window.loosens is not None
    objection = _beyond(rules, wish, window, window.loosens)
    out = dict.fromkeys((zone for zone in zones if objection is not None), objection)
    for zone in zones:
        if not _concerns(window, zone):
            out[zone] = Reason.OUTSIDE_EXCEPTION
    return Verdict({zone: reason for zone, reason in out.items() if reason is not None}, under=window.heading.order_id)


def _beyond(rules: Rules, wish: Wish, window: Window, loosens: Loosening) -> Reason | None:
    under = [sound.span for sound in rules.past if sound.under == window.heading.order_id]
    if wish.end > window.ends:
        return Reason.OUTSIDE_EXCEPTION
    if wish.counts_to - session_start(under, wish.counts_from) > loosens.session_ms:
        return Reason.SESSION_TOO_LONG
    if loosens.total_ms is not None and sounding_ms([*under, wish.counted]) > loosens.total_ms:
        return Reason.MINUTES_PER_DAY
    return None


def _by_policy(rules: Rules, wish: Wish, zones: tuple[ZoneId, ...]) -> Verdict:
    """What the policy says of each zone, up to its own cut; the first cut of those that hear it ends the sound."""
    cuts = {zone: _cut_at(rules, wish, zone) for zone in zones}
    upto = {zone: wish.until(at) for zone, at in cuts.items()}
    out = {zone: reason for zone in zones if (reason := _objection(rules, upto[zone], zone)) is not None}
    heard = [at for zone, at in cuts.items() if at is not None and zone not in out]
    return Verdict(out, ends_at=min(heard, default=None))


def _objection(rules: Rules, wish: Wish, zone: ZoneId) -> Reason | None:
    """The first clause that forbids it; what the day itself forbids comes before what the day's limits forbid."""
    clauses = _clauses(rules, wish, zone)
    spared = wish.sets_right and _is_short(rules, wish)
    for asks, reason in _CHECKS:
        if spared and reason in _DAYS_LIMITS:
            continue
        if any(asks(rules, wish, clause) for clause in clauses):
            return reason
    return None


def _is_short(rules: Rules, wish: Wish) -> bool:
    """Whether no limit of a day keeps a correction from being heard: it is short, and all of that day together are."""
    day, ordinary = _day(rules, wish.counts_from), (JobClass.NORMAL, JobClass.PRIORITY)
    others = [sound for sound in rules.past if sound.corrects and sound.cls in ordinary and not sound.under]
    today = [sound.span for sound in others if _day(rules, sound.started) == day]
    return wish.counted_ms <= CORRECTION_MS_MAX and sounding_ms([*today, wish.counted]) <= CORRECTIONS_DAY_MS_MAX


def _on_holiday(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return _day(rules, wish.start) in clause.holidays


def _on_other_weekday(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return clause.weekdays is not None and _day(rules, wish.start).isoweekday() not in clause.weekdays


def _in_quiet_hours(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return clause.quiet is not None and _touches(rules, wish, clause.quiet)


def _session_too_long(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return (
        clause.session_ms is not None
        and not _counts_apart(wish, clause)
        and wish.counts_to - session_start(counted(rules, clause), wish.counts_from) > clause.session_ms
    )


def _too_many_sessions(rules: Rules, wish: Wish, clause: Clause) -> bool:
    if clause.sessions_per_day is None or _counts_apart(wish, clause):
        return False
    others, day = counted(rules, clause), _day(rules, wish.counts_from)
    without, with_it = (
        sum(_day(rules, first) == day for first, _ in sessions(spans)) for spans in (others, [*others, wish.counted])
    )
    # No more than without it: it goes on with one, or one goes on with it.
    return with_it > without and with_it > clause.sessions_per_day


def _too_many_minutes(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return not _counts_apart(wish, clause) and _over_the_day(rules, wish, clause, clause.day_ms)


def _too_many_live_minutes(rules: Rules, wish: Wish, clause: Clause) -> bool:
    return wish.live and _over_the_day(rules, wish, clause, clause.live_day_ms, live=True)


def _counts_apart(wish: Wish, clause: Clause) -> bool:
    """Whether a clause has minutes for relays alone, and this is one."""
    return wish.live and clause.live_day_ms is not None


def _over_the_day(rules: Rules, wish: Wish, clause: Clause, most_ms: int | None, *, live: bool = False) -> bool:
    if most_ms is None:
        return False
    day = _day(rules, wish.counts_from)
    today = [span for span in counted(rules, clause, live=live) if _day(rules, span[0]) == day]
    return sounding_ms([*today, wish.counted]) > most_ms


_CHECKS: tuple[tuple[Callable[[Rules, Wish, Clause], bool], Reason], ...] = (
    (_on_holiday, Reason.HOLIDAY),
    (_on_other_weekday, Reason.WEEKDAY_MASK),
    (_in_quiet_hours, Reason.QUIET_HOURS),
    (_session_too_long, Reason.SESSION_TOO_LONG),
    (_too_many_sessions, Reason.SESSIONS_PER_DAY),
    (_too_many_minutes, Reason.MINUTES_PER_DAY),
    (_too_many_live_minutes, Reason.LIVE_MINUTES_PER_DAY),
)


_DAYS_LIMITS = (
    Reason.SESSION_TOO_LONG,
    Reason.SESSIONS_PER_DAY,
    Reason.MINUTES_PER_DAY,
    Reason.LIVE_MINUTES_PER_DAY,
)


def policy_at(rules: Rules, instant: UtcMs) -> LocalPolicy:
    """Whose policy holds at an instant: the newest regulation's of those that have begun, if it still holds.

    Else the station's own: an older one that a newer one has replaced does not come back when that one ends.
    """
    begun = [one for one in rules.regulations if one.heading.not_before <= instant]
    newest = max(begun, key=lambda regulation: regulation.version, default=None)
    if newest is not None and instant <= newest.heading.not_after:
        return newest.policy
    return rules.site.policy if rules.regulations else rules.policy


def _clauses(rules: Rules, wish: Wish, zone: ZoneId) -> list[Clause]:
    """What applies to a sound in a zone."""
    return [
        clause
        for clause in policy_at(rules, wish.start).clauses
        if (not clause.classes or wish.cls in clause.classes) and (not clause.zones or zone in clause.zones)
    ]


def _cut_at(rules: Rules, wish: Wish, zone: ZoneId) -> UtcMs | None:
    """Where quiet hours begin within a wish that is to be cut there; None where nothing is cut.

    What begins inside them is left whole, to be refused.
    """
    if policy_at(rules, wish.start).into_quiet is not IntoQuiet.CUT:
        return None
    quiet = [clause.quiet for clause in _clauses(rules, wish, zone) if clause.quiet is not None]
    begins = [first_in_hours(hours, rules.site.timezone, wish.start, wish.lasts_ms) for hours in quiet]
    first = min((at for at in begins if at is not None), default=None)
    return None if first == wish.start else first


def _excepted_volume(rules: Rules, under: str) -> int | None:
    for window in rules.windows:
        if window.loosens is not None and window.heading.order_id == under:
            return window.loosens.volume_max
    return None


def _concerns(window: Window, zone: ZoneId) -> bool:
    zones = window.heading.audience.zones
    return not zones or zone in zones


def _day(rules: Rules, instant: UtcMs) -> date:
    return local_time(instant, rules.site.timezone).date()


def _touches(rules: Rules, wish: Wish, hours: Hours) -> bool:
    return in_hours(hours, rules.site.timezone, wish.start, wish.lasts_ms)
