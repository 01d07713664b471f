"""Play a day through beforehand: what would sound when, where and how loud, and what would not, with its reason (B15).

Goes from one moment to the next as ``playing`` does: whoever is due takes its zones, the most urgent first, and the
ward's rules are asked then and once more before the first sample, as if all before it had sounded. A timetable that was
signed ahead takes its place on its day. What nobody can know is not in it: an emergency to come, a relay that fails,
whom a repeated warning will interrupt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from edge_agent.core import clips, framing, policy, standing, switching, timetable, zones
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import RANK, PlayAt, PlayNow
from edge_agent.core.occurrence import Phase
from edge_agent.core.outlook import Planned
from edge_agent.core.past import PAST_MS, Sounded, lately, remember
from edge_agent.core.planning import doubted, next_of
from edge_agent.core.plays import Occurrence, ZonePart
from edge_agent.core.programme import Part, live_until
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import caught_up, next_instant, repeats, sounds_once
from edge_agent.core.site import RELAY_ON_MS_MAX
from edge_agent.core.state import KnownJob, State
from edge_agent.core.street_ahead import Open, Street, Taken, at_once, given_up_at, parts_for, sounded, wish_of
from edge_agent.core.units import NEVER, SECOND_MS, JobId, UtcMs, ZoneId

PLANNED_MAX = 500
# More than a day of the longest timetable (24 times a day for 20 entries); a station lists no more.
LOOKED_AT_MAX = 750
# Ten times what a ward plays on that day and the two before it, which its limits look back on; an exception's bound
# looks back on all of its 16 days. Where those before are too full, the day is told without them. Some 0.1 s on the
# bench for a ward, 2 s for 200 jobs that play once an hour.

BEHIND_MS = RELAY_ON_MS_MAX
# Who is due behind midnight may claim zones before it, or leave a programme no room for its turns: none lasts longer.

YEAR_MIN, YEAR_MAX = 2000, 2100
# Nobody plans beyond: orders end before 2100, and at both ends of the calendar a day has no neighbour.

_WAITING = (Phase.RECEIVED, Phase.STAGED, Phase.QUEUED)


def day_plan(state: State, now: Now, day: date) -> tuple[Planned, ...]:
    """What will sound on a local day from now on, what sounds now, and what will not, in the order of its beginning.

    What sounds over midnight is in both days.
    """
    if not YEAR_MIN <= day.year < YEAR_MAX:
        return ()
    first, last = _bounds(day, state.site.timezone)
    for at in _looked_back_to(state, now, first, last):
        run = _Run(state, now, last=UtcMs(last + BEHIND_MS))
        if run.go_from(at):
            break
    reaches_in = [one for one in run.plan if one.planned < first < one.ends and one.reason is None]
    of_day = [*reaches_in, *(one for one in run.plan if first <= one.planned < last)]
    return tuple(sorted(of_day, key=lambda one: (one.starts, one.planned)))[:PLANNED_MAX]


def _looked_back_to(state: State, now: Now, first: UtcMs, last: UtcMs) -> list[UtcMs]:
    """From when on all that its limits look back on is told; then from when less is, where that is too full."""
    windows = [one for one in standing.rules_of(state, now).windows if one.begins < last and first < one.ends]
    bounded = [one.begins for one in windows if one.loosens is not None and one.loosens.total_ms is not None]
    before = min([UtcMs(first - PAST_MS), *bounded])
    return sorted({UtcMs(max(now.utc, at)) for at in (before, first - PAST_MS, first)})


def day_begins(day: date, timezone: str) -> UtcMs:
    """The first instant of a local day."""
    return UtcMs(round(datetime.combine(day, time(), ZoneInfo(timezone)).timestamp() * SECOND_MS))


@dataclass(slots=True)
class _Run(Street):
    """The street from moment to moment, as far as it can be foreseen; lives for a single ``day_plan``."""

    last: UtcMs = UtcMs(0)
    bases: dict[JobId, UtcMs] = field(default_factory=dict)
    waiting: dict[JobId, Open] = field(default_factory=dict)
    plan: list[Planned] = field(default_factory=list)
    receipt: dict[JobId, int] = field(default_factory=dict)
    fetched: set[JobId] = field(default_factory=set)
    made: int = 0

    def __post_init__(self) -> None:
        self.begun = self.now.utc
        self.receipt |= {job_id: number for number, job_id in enumerate(self.state.jobs)}

    def go_from(self, at: UtcMs) -> bool:
        """Begin with what is open now, or before the day in question with nothing; says whether its end was reached."""
        self.past = lately(self.state.past, at)
        ahead = at > self.now.utc
        if not ahead:
            self._as_it_is()
        while (switch := timetable.next_switch(self.state, self.now)) is not None and switch <= at:
            self._be_at(switch)
            self._switch()
        for job_id, base in self._bases_at(at, ahead=ahead):
            self.bases[job_id] = base
        moment: UtcMs | None = at
        while moment is not None and len(self.plan) < LOOKED_AT_MAX:
            switches = moment == timetable.next_switch(self.state, self.now)
            self._be_at(moment)
            if switches:
                self._switch()
            self._settle()
            moment = self._next_moment()
        return moment is None

    def _be_at(self, moment: UtcMs) -> None:
        self.now = replace(self.now, mono=self.now.mono_of(moment), utc=moment)

    def _switch(self) -> None:
        """A timetable that was signed ahead takes the place of the one before it; what has begun goes on to its end."""
        self._forget_what_is_over()
        before = self.state.jobs.keys()
        self.state = timetable.switched(self.state, self.now)
        for number, known in enumerate(self.state.jobs.values(), start=len(self.receipt)):
            job_id = known.job.job_id
            self.receipt.setdefault(job_id, number)
            if job_id not in before:
                self.bases[job_id] = known.base
        for gone in before - self.state.jobs.keys():
            self.bases.pop(gone, None)
        for one in [*self.waiting.values()]:
            if self._is_replaced(one):
                self._refuse(one, UtcMs(max(one.planned, self.now.utc)), Reason.SUPERSEDED, {})
        for taken in [taken for taken in self.taken if not taken.begun and self._is_replaced(taken.one)]:
            self.taken.remove(taken)
            self._refuse(taken.one, taken.starts, Reason.SUPERSEDED, taken.out)

    def _forget_what_is_over(self) -> None:
        """As the station will have done by then: an entry of that name may say something else now."""
        have = {*self.waiting} | {held.one.known.job.job_id for held in self.taken}
        left = {
            job_id: known
            for job_id, known in self.state.jobs.items()
            if job_id in have or known.accepted.edition is None or next_instant(known.job, self.now.utc) is not None
        }
        self.state = replace(self.state, jobs=left)

    def _is_replaced(self, one: Open) -> bool:
        known = self.state.jobs.get(one.known.job.job_id)
        return not one.goes_on and (known is None or one.planned > known.job.not_after)

    def _as_it_is(self) -> None:
        relays = self.state.relays.items()
        self.opened |= {zone: self.now.utc_of(relay.opened_at) for zone, relay in relays if relay.opened_at is not None}
        for play in self.state.plays.values():
            known = self.state.jobs[play.job_id]
            waits = play.phase in _WAITING and play.segment == 0
            parts = play.whole if waits else play.parts
            one = self._opened(known, play.planned, parts, goes_on=play.segment > 0)
            one = replace(one, zones=zones.in_it(play), live_until=play.live_until or one.live_until)
            one = replace(one, whole=play.whole or one.whole)
            if waits and doubted(known.job, play.planned, self.now):
                continue
            if play.phase in _WAITING:
                self.waiting[play.job_id] = replace(one, held_by=play.held_by)
            elif play.ending is None:
                self._take_over(one, play)

    def _take_over(self, one: Open, play: Occurrence) -> None:
        """What has its zones already."""
        starts = self.now.utc_of(play.start_at if play.started is None else play.started)
        ends = UtcMs(self.now.utc_of(play.start_at) + one.lasts_ms)
        begun = play.phase is Phase.PLAYING
        if begun and play.cut_at is not None:
            ends = min(ends, self.now.utc_of(play.cut_at))
        out = {zone: run.reason for zone, run in play.zones.items() if run.part is ZonePart.OUT and run.reason}
        self.taken.append(Taken(one, zones.in_it(play), out, starts, self.now.utc, ends, begun, play.under))
        self.closed |= dict.fromkeys(zones.in_it(play), UtcMs(0))
        if begun:
            volumes = {zone: play.zones[zone].volume for zone in zones.in_it(play)}
            self._tell(one, starts, ends, volumes, out, None, play.under, cut=ends < starts + one.lasts_ms)

    def _bases_at(self, at: UtcMs, *, ahead: bool) -> Iterator[tuple[JobId, UtcMs]]:
        """What each job's instants count from, if it has any after ``at``."""
        have = {*self.waiting} | {held.one.known.job.job_id for held in self.taken}
        for known in self.state.jobs.values():
            job = known.job
            over = known.offered or known.called_off or (sounds_once(job) and job.job_id in have)
            if over or (ahead and isinstance(job.when, PlayNow) and not repeats(job)):
                continue
            if ahead and isinstance(job.when, PlayAt) and job.when.at < at:
                continue
            if ahead:
                yield job.job_id, caught_up(job, known.base, at) if repeats(job) else UtcMs(max(known.base, at - 1))
            elif not self._is_said_to_be_over(known):
                yield job.job_id, known.base

    def _is_said_to_be_over(self, known: KnownJob) -> bool:
        planned = next_of(known, known.base, self.now)
        return planned is None or doubted(known.job, planned, self.now)

    # One moment

    def _settle(self) -> None:
        """What ends now makes room one after the other; then whoever is due takes its zones or begins."""
        while (
            over := next((one for one in self._in_order() if one.begun and one.ends <= self.now.utc), None)
        ) is not None:
            self.past = remember(self.past, sounded(over, over=True), self.now.utc)
            if over.ends < over.starts + over.one.lasts_ms:
                over = self._stopping(over)
            self.taken.remove(over)
            self._done(over.one)
            self._advance()
        self._advance()

    def _stopping(self, cut: Taken) -> Taken:
        """Others may have its zones while it is being stopped; its job's next instant is planned behind that."""
        stopping = replace(cut, zones=())
        self.taken[self.taken.index(cut)] = stopping
        self._move()
        return stopping

    def _move(self) -> None:
        while self._anybody_moves() or self._somebody_begins():
            pass

    def _advance(self) -> None:
        self._move()
        held = {zone for one in self.taken for zone in one.zones}
        # Of those that let go of their zones now: who still holds one is in ``closed``, which counts.
        self.opened |= {zone: self.now.utc for zone, since in self.closed.items() if since <= self.now.utc}
        self.closed = {zone: since for zone, since in self.closed.items() if zone in held}

    def _anybody_moves(self) -> bool:
        self._open_next()
        now = self.now.utc
        due = [one for one in self.waiting.values() if one.ready and min(one.takes_at, one.given_up_at) <= now]
        moved = [self._moves(one) for one in sorted(due, key=self._urgency)]
        if not any(moved):  # who has sound to wait for, as a timetable's new entries have, comes behind the others
            moved = [self._moves(one) for one in [*self.waiting.values()] if not one.ready]
        return any(moved)

    def _somebody_begins(self) -> bool:
        for one in sorted(self.taken, key=lambda taken: self._urgency(taken.one)):
            if not one.begun and one.begins_at <= self.now.utc:
                self._begin(one)
                return True
        return False

    def _next_moment(self) -> UtcMs | None:
        ends = [one.ends if one.begun else one.begins_at for one in self.taken]
        due = [at for one in self.waiting.values() for at in (one.takes_at, one.given_up_at)]
        switch = timetable.next_switch(self.state, self.now)
        switches = [] if switch is None or switch >= self.last else [switch]
        pauses = standing.pauses_end(self.state, self.now)
        return min((at for at in (*ends, *due, *switches, *pauses) if self.now.utc < at < NEVER), default=None)

    def _open_next(self) -> None:
        """Every job that may sound has its next occurrence; there is never more than one open."""
        have = {*self.waiting} | {held.one.known.job.job_id for held in self.taken}
        for known in self.state.jobs.values():
            base = self.bases.get(known.job.job_id)
            if known.job.job_id in have or base is None:
                continue
            planned = next_of(known, base, self.now)
            if planned is None or planned >= self.last:
                del self.bases[known.job.job_id]  # nothing more on this day: the calendar is not asked again
            else:
                has_sound = known.job.job_id in self.fetched or clips.durations(self.state, known.job) is not None
                self.waiting[known.job.job_id] = replace(self._opened(known, planned, ()), ready=has_sound)

    def _opened(self, known: KnownJob, planned: UtcMs, parts: tuple[Part, ...], *, goes_on: bool = False) -> Open:
        self.made += 1
        self.fetched.add(known.job.job_id)  # by the time of its next one
        job, where = known.job, zones.zones_of(self.state, known.job, self.now.mono)
        parts = parts or parts_for(self.state, job)
        lead_ms = max((switching.cold_lead_ms(self.state.site, zone) for zone in where), default=0)
        return Open(
            known,
            planned,
            where,
            parts=parts,
            number=self.made,
            takes_at=UtcMs(0 if goes_on or at_once(job) else planned - lead_ms),
            given_up_at=NEVER if goes_on else given_up_at(job, planned),
            goes_on=goes_on,
            live_until=live_until(planned, parts) if job.live and not at_once(job) else None,
            whole=parts,
        )

    def _urgency(self, one: Open) -> tuple[int, int, UtcMs, int]:
        """Class first, then the commune's order, then the planned instant, then receipt."""
        job = one.known.job
        place = standing.rank_of(self.state, job.job_id)
        order = job.order if place is None else place
        return (-RANK[job.plays_as], order, one.planned, self.receipt[job.job_id])

    def _in_order(self) -> list[Taken]:
        return sorted(self.taken, key=lambda taken: (taken.ends, taken.one.number))

    # One occurrence

    def _moves(self, one: Open) -> bool:
        """Give it up, let it wait, or let it take its zones; says whether anything has changed."""
        if not one.ready:
            self.waiting[one.known.job.job_id] = replace(one, ready=True)
            return True
        if self.now.utc >= one.given_up_at:
            late = Reason.EXPIRED if isinstance(one.known.job.when, PlayNow) else Reason.MISSED
            return self._refuse(one, self.now.utc, one.held_by or late, {})
        why_not = self.why_not(one)
        if why_not is not None:
            return self._refuse(one, UtcMs(max(one.planned, self.now.utc)), why_not, {})
        if standing.pauses(self.state, self.now, one.known.job, one.zones):
            return self._waits(one, Reason.PAUSED)
        free = self.room(one)
        return self._take(one, free) if free else self._waits(one, Reason.ZONES_BUSY)

    def _waits(self, one: Open, reason: Reason) -> bool:
        if one.held_by is reason:
            return False
        self.waiting[one.known.job.job_id] = replace(one, held_by=reason)
        return True

    def _take(self, one: Open, free: tuple[ZoneId, ...]) -> bool:
        due = self.now.utc if one.goes_on or at_once(one.known.job) else one.planned
        starts = UtcMs(max(due, self.now.utc + max(self.sounds_in_ms(zone, one.known.job) for zone in free)))
        in_time = self.in_time(one, starts)
        if not in_time.parts:
            return self._refuse(one, starts, one.held_by or Reason.MISSED, {})
        one = self.framed(in_time, one.zones, starts, self._to_come(one))
        wish = wish_of(one, one.zones, starts)
        verdict = policy.judge(self.rules(), wish)
        objection = self.objection(one, wish, verdict)
        if objection is not None:
            return self._refuse(one, starts, objection, verdict.out)
        first_warm_ms = min(self.warm_in_ms(zone) for zone in free)
        begins_at = UtcMs(max(self.now.utc, starts - first_warm_ms - switching.RELAY_LEAD_MS))
        del self.waiting[one.known.job.job_id]
        heard_in = tuple(zone for zone in one.zones if zone not in verdict.out)
        one = self.spoken_in(one, [zone for zone in free if zone in heard_in])
        ends = UtcMs(starts + one.lasts_ms)
        self.taken.append(Taken(one, heard_in, dict(verdict.out), starts, begins_at, ends))
        for zone in heard_in:
            warm_up_ms = self.state.site.zones[zone].warm_up_ms
            self.closed.setdefault(zone, UtcMs(max(self.now.utc, starts - warm_up_ms - switching.RELAY_LEAD_MS)))
        return True

    def _begin(self, taken: Taken) -> None:
        """Its relays are closed: the rules are asked once more, for others may have come meanwhile."""
        self.taken.remove(taken)
        one = self.framed(self.in_time(taken.one, taken.starts), taken.zones, taken.starts, self._to_come(taken.one))
        wish = wish_of(one, taken.zones, taken.starts)
        rules = self.rules()
        verdict = policy.judge(rules, wish)
        objection = self.objection(one, wish, verdict)
        out = {**taken.out, **verdict.out}
        if objection is not None:
            self._refuse(one, taken.starts, objection, out)
            return
        hearing = tuple(zone for zone in taken.zones if zone not in verdict.out)
        one = self.spoken_in(one, self.room(replace(one, zones=hearing)))
        ends = UtcMs(taken.starts + one.lasts_ms) if verdict.ends_at is None else verdict.ends_at
        taken = replace(taken, one=one, zones=hearing, out=out, ends=ends, begun=True, under=verdict.under)
        self.taken.append(taken)
        ordered, sounds = one.known.job.volume, wish.until(verdict.ends_at)
        volumes = {zone: policy.volume_at(rules, sounds, zone, ordered, verdict.under) for zone in hearing}
        cut = verdict.ends_at is not None
        self._tell(one, taken.starts, ends, volumes, out, None, verdict.under, cut=cut, counts=sounded(taken))

    def _to_come(self, one: Open) -> list[Open]:
        """Who else has not begun."""
        armed = [taken.one for taken in self.taken if not taken.begun]
        return [other for other in (*self.waiting.values(), *armed) if other.number != one.number]

    def _refuse(self, one: Open, starts: UtcMs, reason: Reason, out: Mapping[ZoneId, Reason]) -> bool:
        self.waiting.pop(one.known.job.job_id, None)
        self._done(one)
        self._tell(one, starts, UtcMs(starts + one.lasts_ms), {}, out, reason)
        return True

    def _done(self, one: Open) -> None:
        """It has its outcome; a job that recurs goes on from here."""
        job = one.known.job
        if sounds_once(job) or job.job_id not in self.state.jobs:
            self.bases.pop(job.job_id, None)
        else:
            self.bases[job.job_id] = caught_up(job, one.planned, self.now.utc)

    def _tell(
        self,
        one: Open,
        starts: UtcMs,
        ends: UtcMs,
        volumes: Mapping[ZoneId, int],
        out: Mapping[ZoneId, Reason],
        reason: Reason | None,
        under: str = "",
        *,
        cut: bool = False,
        counts: Sounded | None = None,
    ) -> None:
        job = one.known.job
        place = standing.rank_of(self.state, job.job_id)
        order = place + 1 if place is not None else job.order or None
        what = (job.job_id, job.items[0].title, job.cls, job.level, order)
        when = (one.planned, starts, min(ends, framing.over_at(starts, one.parts)))
        self.plan.append(Planned(*what, *when, volumes, out, reason, under, cut, one.zones, job.rehearsal, counts))


def _bounds(day: date, timezone: str) -> tuple[UtcMs, UtcMs]:
    """[from, to) of a local day."""
    return day_begins(day, timezone), day_begins(day + timedelta(days=1), timezone)
