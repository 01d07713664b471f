"""What the street of a day to come says to whoever wants to sound there: who has the zones, what the rules answer.

Asks only. ``day_ahead`` goes through the day with it; ``playing`` asks the same of the street as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from edge_agent.core import clips, entrusted, framing, policy, standing, switching, turns
from edge_agent.core.clock_trust import Now
from edge_agent.core.job import Job, JobClass, PlayNow
from edge_agent.core.past import LATE_GRACE_MS, Sounded, counted_start
from edge_agent.core.policy import Rules, Verdict, Wish
from edge_agent.core.programme import Part, length_ms, own_ms, own_of, parts_of, promised_parts, relayed_until
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import repeats, valid_until
from edge_agent.core.site import Group
from edge_agent.core.state import KnownJob, State
from edge_agent.core.units import UtcMs, ZoneId


@dataclass(frozen=True, slots=True)
class Open:
    """The one occurrence of a job that is still to begin; ``number`` counts them as they were made.

    It takes its zones at ``takes_at`` (0: at once), so that its first sample is on time, and is given up at
    ``given_up_at``. One whose sound does not lie here is not ``ready`` before the others have had their turn.
    What relays a live source is over by ``live_until``, unless it is due at once. ``parts`` are what is left of what
    was ordered, the ``whole``.
    """

    known: KnownJob
    planned: UtcMs
    zones: tuple[ZoneId, ...]
    parts: tuple[Part, ...]
    number: int
    takes_at: UtcMs
    given_up_at: UtcMs
    ready: bool = True
    goes_on: bool = False
    held_by: Reason | None = None
    live_until: UtcMs | None = None
    whole: tuple[Part, ...] = ()

    @property
    def lasts_ms(self) -> int:
        """How long it sounds."""
        return length_ms(self.parts)


@dataclass(frozen=True, slots=True)
class Taken:
    """One that has its zones: ``begins_at`` is when the rules are asked again; then it has ``begun``."""

    one: Open
    zones: tuple[ZoneId, ...]
    out: Mapping[ZoneId, Reason]
    starts: UtcMs
    begins_at: UtcMs
    ends: UtcMs
    begun: bool = False
    under: str = ""


@dataclass(slots=True)
class Street:
    """The street at ``now``, which began to be foreseen at ``begun``: what has sounded by then, and who has its zones.

    ``closed`` says since when a relay is closed, ``opened`` when one that is open was opened last.
    """

    state: State
    now: Now
    past: tuple[Sounded, ...] = ()
    taken: list[Taken] = field(default_factory=list)
    closed: dict[ZoneId, UtcMs] = field(default_factory=dict)
    opened: dict[ZoneId, UtcMs] = field(default_factory=dict)
    begun: UtcMs = UtcMs(0)

    def why_not(self, one: Open) -> Reason | None:
        """What keeps it silent that is no rule of the ward's."""
        job = one.known.job
        if not one.zones:
            return Reason.NOT_HEARD_HERE
        urgent = job.plays_as is JobClass.EMERGENCY
        if not urgent and not self.now.trusted:
            return Reason.CLOCK_NOT_TRUSTED
        trouble = clips.trouble(self.state, job, by=self.now.mono_of(one.planned))
        return None if urgent or trouble is None else trouble[0]

    def room(self, one: Open) -> tuple[ZoneId, ...]:
        """The zones in which it would begin; none while it has to wait for others."""
        urgent = one.known.job.plays_as is JobClass.EMERGENCY
        free = []
        for zone in one.zones:
            classes = [other.one.known.job.plays_as for other in self.taken if zone in other.zones]
            alert = JobClass.EMERGENCY in classes
            if (classes and not urgent and not alert) or (alert and urgent):
                return ()
            if not alert:
                free.append(zone)
        return tuple(free)

    def warm_in_ms(self, zone: ZoneId) -> int:
        """How long until a zone's amplifier is warm, if its relay closes now or is closed already."""
        since, warm_up_ms = self.closed.get(zone), self.state.site.zones[zone].warm_up_ms
        return warm_up_ms if since is None else max(0, since + warm_up_ms - self.now.utc)

    def sounds_in_ms(self, zone: ZoneId, job: Job) -> int:
        """How long until a job may sound in a zone, whose relay may have to rest before."""
        has_to_rest = zone in self.opened.keys() - self.closed.keys() and job.plays_as is not JobClass.EMERGENCY
        rested_at = self.opened[zone] + self.state.site.zones[zone].least_off_ms if has_to_rest else 0
        rests = rested_at - self.now.utc
        return self.warm_in_ms(zone) + (rests + switching.RELAY_LEAD_MS if rests > 0 else 0)

    def rules(self) -> Rules:
        """All that holds at this moment, and what has sounded by then."""
        rules = policy.at_the_relay(standing.rules_of(self.state, self.now))
        # How long the battery is kept for emergencies nobody knows: that is told of what is due by now.
        reserve = rules.reserve and self.now.utc <= self.begun
        return replace(rules, past=(*self.past, *map(sounded, self.taken)), reserve=reserve)

    def objection(self, one: Open, wish: Wish, verdict: Verdict) -> Reason | None:
        """Why it must not sound at all, in the order in which ``playing`` asks."""
        job = one.known.job
        begins = isinstance(job.when, PlayNow) and not one.goes_on
        if begins and self.now.tells_validity and wish.start > valid_until(job):
            return Reason.EXPIRED
        if job.rehearsal and self._alert_in_force():
            return Reason.EMERGENCY_IN_FORCE
        if standing.stops(self.state, self.now, job.issued_at):
            return Reason.ALL_STOPPED
        if entrusted.expired(self.state, job, self.now):
            return Reason.TRUST_EXPIRED
        return verdict.reason or self._over_bound(one)

    def framed(self, one: Open, where: tuple[ZoneId, ...], starts: UtcMs, others: Iterable[Open]) -> Open:
        """With those of its chimes, and the turns, that cost nothing, as ``playing`` does it; ``others`` still wait."""
        layouts = turns.layouts(self.state.site, one.known.job, self._speakers(one, where), one.parts, one.whole)
        one = replace(one, parts=layouts[-1])
        if len(layouts) == 1 and not framing.is_framed(one.parts):
            return one
        rules, job = self.rules(), one.known.job
        comers = [comer for other in others if _is_to_come(other) for comer in _comers(other, other.zones)]
        coming = framing.behind(self.state.site, _comers(one, where), comers)

        def ask(parts: tuple[Part, ...]) -> object:
            framed = replace(one, parts=parts)
            wish = wish_of(framed, where, starts)
            verdict = policy.judge(rules, wish)
            sounds = wish.until(verdict.ends_at)
            volumes = [policy.volume_at(rules, sounds, zone, job.volume, verdict.under) for zone in where]
            late, cut = framing.made_late(wish.end, coming), turns.cut_off(parts, verdict.ends_at)
            return verdict, volumes, self.objection(framed, wish, verdict), late, cut

        ends = framing.over_at(wish_of(one, where, starts).counts_from, one.parts)
        beside = framing.neighbours(job, where, one.planned, ends, rules.past, coming)
        choices = tuple(framed for parts in layouts for framed in framing.framings(parts, beside))
        return replace(one, parts=framing.fullest(choices, ask))

    def spoken_in(self, one: Open, speaking: Iterable[ZoneId]) -> Open:
        """Without the turn of a group that does not begin."""
        return replace(one, parts=turns.among(self._speakers(one, speaking), one.parts))

    def _speakers(self, one: Open, where: Iterable[ZoneId]) -> frozenset[Group]:
        return turns.speakers(self.state.site, one.known.job, where, one.parts, goes_on=one.goes_on)

    def in_time(self, one: Open, starts: UtcMs) -> Open:
        """With its live sources ending when they were ordered to, as ``playing`` decides it."""
        return one if one.live_until is None else replace(one, parts=relayed_until(one.parts, starts, one.live_until))

    def _alert_in_force(self) -> bool:
        """Whether one that is known today can still begin then, or sounds."""
        alerts = [known for known in self.state.jobs.values() if known.job.plays_as is JobClass.EMERGENCY]
        sounding = {taken.one.known.job.job_id for taken in self.taken}
        return any(
            known.job.job_id in sounding or (valid_until(known.job) >= self.now.utc and not known.called_off)
            for known in alerts
        )

    def _over_bound(self, one: Open) -> Reason | None:
        most_ms = one.known.accepted.sound_max_ms
        so_far_ms = sum(sound.heard_ms for sound in self.past if sound.job_id == one.known.job.job_id)
        return Reason.TOO_MUCH_SOUND if most_ms and so_far_ms + one.lasts_ms > most_ms else None


def sounded(taken: Taken, *, over: bool = False) -> Sounded:
    """As the day's limits count it: what sounds with the end that it is going to have."""
    one, job = taken.one, taken.one.known.job
    began = counted_start(one.planned, taken.starts)
    ordered_ms = own_ms(one.parts)
    heard_ms = min(own_of(one.parts, taken.ends - taken.starts), ordered_ms)
    ends = began + heard_ms if over else min(began + ordered_ms, taken.ends)
    zones, span = frozenset(taken.zones), (began, UtcMs(ends))
    return Sounded(job.job_id, job.plays_as, *span, zones, taken.under, corrects=job.corrects, live=job.live)


def wish_of(one: Open, where: tuple[ZoneId, ...], starts: UtcMs) -> Wish:
    """What it asks of the rules."""
    planned = None if one.goes_on else one.planned
    return policy.wish_for(one.known.job, where, starts, one.lasts_ms, planned, own_ms(one.parts))


def _comers(one: Open, where: tuple[ZoneId, ...]) -> list[framing.Comer]:
    return framing.comers(one.known.job, one.planned, where, one.parts)


def _is_to_come(one: Open) -> bool:
    """Whether it is ordinary, and waits for an instant of its own."""
    job = one.known.job
    return job.plays_as is not JobClass.EMERGENCY and not isinstance(job.when, PlayNow) and not one.goes_on


def given_up_at(job: Job, planned: UtcMs) -> UtcMs:
    """From when on it is too late for it to begin."""
    if isinstance(job.when, PlayNow):
        return UtcMs(valid_until(job) + 1)
    return UtcMs(planned + max(job.late_limit_ms, LATE_GRACE_MS) + 1)


def at_once(job: Job) -> bool:
    """Whether it waits for no instant."""
    return isinstance(job.when, PlayNow) and not repeats(job)


def parts_for(state: State, job: Job) -> tuple[Part, ...]:
    """Its sound as long as it is, or was promised to be, with all of its chimes."""
    durations, frame = clips.durations(state, job), state.site.frame
    return promised_parts(job, frame) if durations is None else parts_of(job, durations, frame)
