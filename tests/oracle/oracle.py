"""Say what a station must have done with every order of a life, by looking at single seconds.

Written from docs/wards-day.md alone. Time here is a strip of bytes, one a second: a sound marks its seconds, and every
rule counts or searches marks. Slow, and short enough to be checked by eye. It models no preemption and no queue: sounds
of a life may not overlap in a zone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from tests.oracle.strips import Seconds, Strip, first_within
from tests.oracle.walltime import DAY_S, day_number, iso_weekday, local_day, midnight
from tests.oracle.world import Clause, Closure, Cls, ExceptionWindow, Instant, Life, Play, Policy, Zone, timeline

Outcome = Literal["played", "refused", "cut", "skipped"]

POLICY = "policy"
EMERGENCY = "emergency"
STRIP_DAYS = 4
# The day before a sound, its own, and two more: no order is longer than a day.

BUILT_IN = Policy(
    (
        Clause(
            quiet=("21:00", "05:00"),
            sessions_per_day=4,
            day_s=60 * 60,
            session_s=30 * 60,
            volume=(("05:00", "06:00", 55), ("06:00", "05:00", 80)),
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Expected:
    """What is to be found in the station's record of one occurrence. ``basis``: ``policy`` or an exception's id."""

    job_id: str
    planned: int
    outcome: Outcome
    reason: str | None = None
    zones: tuple[str, ...] = ()
    zone_reasons: dict[str, str] = field(default_factory=dict)
    volume: dict[str, int] = field(default_factory=dict)
    started: int | None = None
    lasted_s: int = 0
    basis: str | None = None


def expect(life: Life) -> list[Expected]:
    """Every occurrence of a life, by its planned instant."""
    return list(expecting(life))


def expecting(life: Life) -> Iterator[Expected]:
    """The same one after the other, for whoever may not need to know of all."""
    station = _Station(life)
    return (station.judge(each) for each in timeline(life.plays))


# ---------------------------------------------------------------- section 2: the policy


@dataclass(frozen=True, slots=True)
class Sound:
    begins: int
    ends: int
    cls: Cls
    zones: tuple[str, ...]
    basis: str


def _painted(origin: int, length_s: int, sounds: list[Sound]) -> Strip:
    strip = Strip(origin, length_s)
    for sound in sounds:
        strip.mark(sound.begins, sound.ends)
    return strip


@dataclass(frozen=True, slots=True)
class Case:
    """One sound as one clause looks at it, with the sounds which that clause counts."""

    start: int
    stop: int
    counted: list[Sound]

    @property
    def day(self) -> int:
        return local_day(self.start)

    def strip(self, counted: list[Sound]) -> Strip:
        return _painted(midnight(self.day - 1), STRIP_DAYS * DAY_S, counted)


def _on_a_holiday(clause: Clause, case: Case) -> bool:
    return case.day in {day_number(day) for day in clause.holidays}


def _on_a_closed_weekday(clause: Clause, case: Case) -> bool:
    return bool(clause.weekdays) and iso_weekday(case.day) not in clause.weekdays


def _in_quiet_hours(clause: Clause, case: Case) -> bool:
    return clause.quiet is not None and first_within(*clause.quiet, case.start, case.stop) is not None


def _in_too_long_a_session(clause: Clause, case: Case) -> bool:
    if clause.session_s is None:
        return False
    return case.stop - case.strip(case.counted).session_began(case.start) > clause.session_s


def _in_one_session_too_many(clause: Clause, case: Case) -> bool:
    if clause.sessions_per_day is None:
        return False
    strip = case.strip(case.counted)
    if strip.session_began(case.start) != case.start:
        return False
    return strip.sessions_begun(midnight(case.day), midnight(case.day + 1)) >= clause.sessions_per_day


def _over_the_days_time(clause: Clause, case: Case) -> bool:
    if clause.day_s is None:
        return False
    strip = case.strip([sound for sound in case.counted if local_day(sound.begins) == case.day])
    strip.mark(case.start, case.stop)
    return strip.sounding_s() > clause.day_s


CHECKS: tuple[tuple[Callable[[Clause, Case], bool], str], ...] = (
    (_on_a_holiday, "holiday"),
    (_on_a_closed_weekday, "weekday_mask"),
    (_in_quiet_hours, "quiet_hours"),
    (_in_too_long_a_session, "session_too_long"),
    (_in_one_session_too_many, "sessions_per_day"),
    (_over_the_days_time, "minutes_per_day"),
)


def _applying(policy: Policy, cls: Cls, zone: str) -> list[Clause]:
    return [
        clause
        for clause in policy.clauses
        if (not clause.classes or cls in clause.classes) and (not clause.zones or zone in clause.zones)
    ]


def _counts(clause: Clause, sound: Sound) -> bool:
    if sound.basis != POLICY or (clause.classes and sound.cls not in clause.classes):
        return False
    return not clause.zones or any(zone in clause.zones for zone in sound.zones)


def _cut_at(policy: Policy, clauses: list[Clause], start: int, stop: int) -> int:
    """Where quiet hours end a sound that began before them. One that begins inside is left whole, for the check."""
    if policy.into_quiet != "cut":
        return stop
    firsts = [first_within(*clause.quiet, start, stop) for clause in clauses if clause.quiet]
    first = min((each for each in firsts if each is not None), default=stop)
    return stop if first == start else first


def _reason_of_policy(clauses: list[Clause], start: int, stop: int, sounds: list[Sound]) -> str | None:
    cases = [Case(start, stop, [sound for sound in sounds if _counts(clause, sound)]) for clause in clauses]
    for forbids, reason in CHECKS:
        if any(forbids(clause, case) for clause, case in zip(clauses, cases, strict=True)):
            return reason
    return None


# ---------------------------------------------------------------- section 3: exceptions


def _covers(window: ExceptionWindow, play: Play, free: list[str], start: int) -> bool:
    return (
        window.begins <= start < window.ends
        and (not window.classes or play.cls in window.classes)
        and (not window.zones or any(zone in window.zones for zone in free))
    )


def _reason_of_exception(window: ExceptionWindow, start: int, stop: int, under_it: list[Sound]) -> str | None:
    if stop > window.ends:
        return "outside_exception"
    strip = _painted(window.begins, window.ends - window.begins, under_it)
    if stop - strip.session_began(start) > window.session_s:
        return "session_too_long"
    strip.mark(start, stop)
    if window.total_s is not None and strip.sounding_s() > window.total_s:
        return "minutes_per_day"
    return None


# ---------------------------------------------------------------- the whole


@dataclass(frozen=True, slots=True)
class Offer:
    """What one basis would let happen: where each zone that may hear would stop, and why the others may not."""

    basis: str
    stops: dict[str, int]
    reasons: dict[str, str]


class _Station:
    def __init__(self, life: Life) -> None:
        self._life = life
        self._locked = _marked(life.locks)
        self._silenced = _marked(life.silences)
        self._reserve = Seconds()
        for span in life.reserves:
            self._reserve.mark(span.begins, span.ends)
        self._sounds: list[Sound] = []
        self._under: dict[str, list[Sound]] = {window.id: [] for window in life.exceptions}

    def judge(self, at: Instant) -> Expected:
        if at.excluded:
            return Expected(at.play.job_id, at.utc, "skipped", "excluded")
        offer = self._offer(at.play, at.utc)
        if not offer.stops:
            reasons = self._in_order(offer.reasons)
            return Expected(at.play.job_id, at.utc, "refused", next(iter(reasons.values())), zone_reasons=reasons)
        return self._sounded(at.play, at.utc, offer)

    def _offer(self, play: Play, start: int) -> Offer:
        stop = start + play.length_s
        zones = [zone.name for zone in self._life.zones if zone.name in play.zones]
        blocked = {zone: why for zone in zones if (why := self._blocked(zone, play, start, stop))}
        free = [zone for zone in zones if zone not in blocked]
        if play.cls == "emergency":
            return Offer(EMERGENCY, dict.fromkeys(free, stop), blocked)
        windows = sorted(self._life.exceptions, key=lambda window: (window.begins, window.id))
        windows = [window for window in windows if _covers(window, play, free, start)]
        offers = [self._by_exception(window, free, start, stop) for window in windows]
        offers.append(self._by_policy(play, free, start, stop))
        # max() keeps the first of equals.
        best = max(offers, key=lambda offer: len(offer.stops))
        return Offer(best.basis, best.stops, best.reasons | blocked)

    def _blocked(self, zone: str, play: Play, start: int, stop: int) -> str | None:
        """Section 4. A lock and the reserve are looked at as they are at the planned instant."""
        if zone in self._locked and self._locked[zone].any_in(start, start + 1):
            return "zone_locked"
        if play.cls == "emergency":
            return None
        if zone in self._silenced and self._silenced[zone].any_in(start, stop):
            return "zone_silenced"
        return "battery_reserve" if self._reserve.any_in(start, start + 1) else None

    def _by_exception(self, window: ExceptionWindow, zones: list[str], start: int, stop: int) -> Offer:
        named = [zone for zone in zones if not window.zones or zone in window.zones]
        outside = {zone: "outside_exception" for zone in zones if zone not in named}
        reason = _reason_of_exception(window, start, stop, self._under[window.id])
        if reason is None:
            return Offer(window.id, dict.fromkeys(named, stop), outside)
        return Offer(window.id, {}, outside | dict.fromkeys(named, reason))

    def _by_policy(self, play: Play, zones: list[str], start: int, stop: int) -> Offer:
        policy = self._policy_at(start)
        offer = Offer(POLICY, {}, {})
        for zone in zones:
            clauses = _applying(policy, play.cls, zone)
            cut = _cut_at(policy, clauses, start, stop)
            reason = _reason_of_policy(clauses, start, cut, self._recent(start))
            if reason is None:
                offer.stops[zone] = cut
            else:
                offer.reasons[zone] = reason
        return offer

    def _policy_at(self, utc: int) -> Policy:
        in_force = [regulation for regulation in self._life.regulations if regulation.takes_effect <= utc]
        if in_force:
            return max(in_force, key=lambda regulation: regulation.number).policy
        return self._life.own_policy or BUILT_IN

    def _recent(self, start: int) -> list[Sound]:
        """What reaches into the strip of a sound that begins now; older sounds are forgotten for good."""
        oldest = midnight(local_day(start) - 1)
        self._sounds = [sound for sound in self._sounds if sound.ends > oldest]
        return self._sounds

    def _sounded(self, play: Play, start: int, offer: Offer) -> Expected:
        stop = min(offer.stops.values())
        heard = tuple(zone.name for zone in self._life.zones if zone.name in offer.stops)
        sound = Sound(start, stop, play.cls, heard, offer.basis)
        self._sounds.append(sound)
        if offer.basis in self._under:
            self._under[offer.basis].append(sound)
        cut = stop < start + play.length_s
        return Expected(
            play.job_id,
            start,
            "cut" if cut else "played",
            "quiet_hours" if cut else None,
            heard,
            self._in_order(offer.reasons),
            {zone.name: self._volume(zone, play, sound) for zone in self._life.zones if zone.name in heard},
            start,
            stop - start,
            offer.basis,
        )

    def _volume(self, zone: Zone, play: Play, sound: Sound) -> int:
        if play.cls == "emergency":
            return min(play.volume, zone.ceiling)
        commands = [each for each in self._life.set_ceilings if each.zone == zone.name and each.since <= sound.begins]
        commanded = max(commands, key=lambda each: each.since).percent if commands else 100
        return min(play.volume, zone.ceiling, commanded, *self._bands(zone, play, sound))

    def _bands(self, zone: Zone, play: Play, sound: Sound) -> list[int]:
        for window in self._life.exceptions:
            if window.id == sound.basis and window.volume is not None:
                return [window.volume]
        return [
            percent
            for clause in _applying(self._policy_at(sound.begins), play.cls, zone.name)
            for begins, ends, percent in clause.volume
            if first_within(begins, ends, sound.begins, sound.ends) is not None
        ]

    def _in_order(self, reasons: dict[str, str]) -> dict[str, str]:
        return {zone.name: reasons[zone.name] for zone in self._life.zones if zone.name in reasons}


def _marked(closures: tuple[Closure, ...]) -> dict[str, Seconds]:
    marked: dict[str, Seconds] = {}
    for closure in closures:
        marked.setdefault(closure.zone, Seconds()).mark(closure.begins, closure.ends)
    return marked
