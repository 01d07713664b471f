"""Decide who has a zone: what may start there, what an emergency takes, what comes back, which relays stay closed.

Only an emergency takes a zone from what sounds there, and only from what is not one; equals wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge_agent.core import policy
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Level, RoutePlay, StopPlay, SwitchRelay
from edge_agent.core.job import Job, JobClass, Preemption
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import CLAIMS, Ending, GoesOn, Occurrence, ZonePart
from edge_agent.core.policy import Rules, Wish
from edge_agent.core.programme import ZoneFeed, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.state import Relay, State, Turn
from edge_agent.core.units import SECOND_MS, MonoMs, ZoneId

RELAY_LEAD_MS = 200
# From the order to the confirmed contact, the device process included: relay boards settle in 10–20 ms, the rest is
# room for a busy single-board computer.
RELAY_CONFIRM_MS = 3 * SECOND_MS
# A relay that has not confirmed this long after it was needed is broken (a lease, interlock.LEASE_MS).
RELAY_TAIL_MS = 5 * SECOND_MS
# How much longer than the programme a relay may stay closed before it opens by itself.

_HOLDS = CLAIMS | {ZonePart.WAITING}


@dataclass(frozen=True, slots=True)
class Room:
    """What an occurrence would find in its zones: ``free``, ``taken`` by an emergency, ``busy`` with equals."""

    free: tuple[ZoneId, ...]
    taken: tuple[ZoneId, ...]
    busy: tuple[ZoneId, ...]


def zones_of(state: State, job: Job) -> tuple[ZoneId, ...]:
    """The zones of this station that a job is for, in the station's own order."""
    wanted = job.audience.zones
    named = tuple(zone for zone in state.site.zones if not wanted or zone in wanted)
    if not (job.all_clear or job.corrects):
        return named
    heard = _heard_in(state, job)
    return tuple(zone for zone in named if zone in heard)


def _heard_in(state: State, job: Job) -> frozenset[ZoneId]:
    """Where that was heard which an all-clear ends, or a correction sets right; what sounds just now included."""

    def meant(issuer: str, series: str, job_id: str) -> bool:
        if issuer != job.issuer or job_id == job.job_id:
            return False
        return job_id == job.corrects if job.corrects else series == job.series

    heard = {zone for sound in state.past if meant(sound.issuer, sound.series, sound.job_id) for zone in sound.zones}
    for play in state.plays.values():
        other = state.jobs[play.job_id].job
        if meant(other.issuer, other.series, other.job_id):
            heard |= {z for z, run in play.zones.items() if run.part is ZonePart.HEARING or run.played_ms > 0}
    return frozenset(heard)


def room_for(turn: Turn, play: Occurrence) -> Room:
    """Sort the zones of an occurrence that are not out of it by who sounds there."""
    urgent = turn.job_of(play).plays_as is JobClass.EMERGENCY
    free: list[ZoneId] = []
    taken: list[ZoneId] = []
    busy: list[ZoneId] = []
    for zone in in_it(play):
        classes = [turn.job_of(other).plays_as for other in _holders(turn.state, zone) if other.key != play.key]
        if JobClass.EMERGENCY in classes:
            (busy if urgent else taken).append(zone)
        elif not urgent and (classes or _is_awaited(turn, play, zone)):
            busy.append(zone)
        else:
            free.append(zone)
    return Room(tuple(free), tuple(taken), tuple(busy))


def _is_awaited(turn: Turn, play: Occurrence, zone: ZoneId) -> bool:
    """Whether a running programme comes back into a zone that an emergency has left just now: no equal is before it."""
    return any(
        other.phase is Phase.PLAYING and other.ending is None and not _drops(turn.job_of(other))
        for other in turn.state.plays.values()
        if other.key != play.key and zone in other.zones_in(ZonePart.TAKEN)
    )


def _drops(job: Job) -> bool:
    """Whether it does not come back where an emergency has sounded."""
    return job.preemption is Preemption.DROP or job.rehearsal


def warm_in_ms(turn: Turn, zone: ZoneId) -> int:
    """How long until a zone's amplifier is warm, if its relay closes now or is closed already."""
    warm_up_ms = turn.state.site.zones[zone].warm_up_ms
    since = turn.state.relays[zone].closed_since
    return warm_up_ms if since is None else max(0, since + warm_up_ms - turn.now.mono)


def rests_ms(turn: Turn, zone: ZoneId, job: Job) -> int:
    """How long a relay that has opened must stay open yet, before a job may close it: no emergency waits for that (S3).

    Whoever comes up next claims its zone that much earlier (``cold_lead_ms``), so what is known in time waits for
    nothing: a relay that would have to close again too soon does not open.
    """
    return 0 if job.plays_as is JobClass.EMERGENCY else max(0, _rested_at(turn.state, zone) - turn.now.mono)


def rested(turn: Turn, zone: ZoneId) -> bool:
    """Whether an open relay has been open for its least time."""
    return _rested_at(turn.state, zone) <= turn.now.mono


def sounds_in_ms(turn: Turn, zone: ZoneId, job: Job) -> int:
    """How long until a job may sound in a zone: its relay has rested, and its amplifier is warm."""
    rests = rests_ms(turn, zone, job)
    return warm_in_ms(turn, zone) + (rests + RELAY_LEAD_MS if rests else 0)


def order_at(turn: Turn, zone: ZoneId, job: Job, start_at: MonoMs) -> MonoMs:
    """When a zone is given the order for a first sample at ``start_at``; it may be past."""
    at = MonoMs(start_at - warm_in_ms(turn, zone) - RELAY_LEAD_MS)
    if at > turn.now.mono and turn.state.relays[zone].closed_since is not None:
        # What it still needs to be warm shrinks as time passes: an instant counted from that would never come nearer.
        return MonoMs(start_at - RELAY_LEAD_MS)
    rests = rests_ms(turn, zone, job)
    return MonoMs(max(at, turn.now.mono + rests)) if rests else at


def cold_lead_ms(site: Site, zone: ZoneId) -> int:
    """How long before its first sample a zone is claimed that is cold then, or would have to close again too soon."""
    return site.zones[zone].least_off_ms + site.zones[zone].warm_up_ms + RELAY_LEAD_MS


def open_worn(turn: Turn, zone: ZoneId, ends_at: MonoMs) -> None:
    """Open a relay that has been closed for so long that it would open by itself before ``ends_at``.

    Closed anew it counts anew. Not while somebody else sounds there, or is about to.
    """
    relay = turn.state.relays[zone]
    since = relay.ordered_at if relay.since is None else relay.since  # it may be closed, and nobody has said so yet
    worn = relay.ordered_on and since + turn.state.site.zones[zone].on_ms_max < ends_at
    if not worn or _holders(turn.state, zone):
        return
    _open_relay(turn, zone)


def keep_closed(turn: Turn, play: Occurrence, zone: ZoneId) -> None:
    """An occurrence has claimed a zone and waits there: a relay that is closed stays so until its sound is over."""
    waits = turn.now.mono < order_at(turn, zone, turn.job_of(play), play.start_at)
    if waits and turn.state.relays[zone].ordered_on:
        close_relay(turn, play, zone)


def longest_ms(turn: Turn, zone: ZoneId) -> int:
    """The longest programme for which a zone's relay may stay closed, its warm-up before it included."""
    return turn.state.site.zones[zone].on_ms_max - cold_lead_ms(turn.state.site, zone)


def close_relay(turn: Turn, play: Occurrence, zone: ZoneId) -> None:
    """Order a zone's relay closed for as long as the longest programme that claims it still lasts, and no longer."""
    claims = [other for other in turn.state.plays.values() if zone in other.zones_in(*CLAIMS) or other.key == play.key]
    _close(turn, zone, max(claim.start_at + length_ms(claim.parts) for claim in claims))


def warm(turn: Turn, zone: ZoneId, for_ms: int) -> None:
    """Switch an amplifier on although nothing sounds there; it goes off by itself after ``for_ms``."""
    if turn.state.device_up:
        relay = turn.state.relays[zone]
        turn.put_relay(zone, replace(relay, warm_until=max(relay.warm_until, MonoMs(turn.now.mono + for_ms))))
        if not rested(turn, zone):
            return  # close_what_rested closes it then
        claims = [play for play in turn.state.plays.values() if zone in play.zones_in(*CLAIMS)]
        _close(turn, zone, max((claim.start_at + length_ms(claim.parts) for claim in claims), default=0))


def _close(turn: Turn, zone: ZoneId, sounds_until: int) -> None:
    """Order a relay closed until both its sound is over and its amplifier needs not be warm any more, and no longer."""
    relay = turn.state.relays.get(zone, Relay())
    if not relay.ordered_on:
        # An opening may be on its way whose report has not come, or never will: the warm-up counts from this closing.
        turn.put_relay(zone, replace(relay, ordered_on=True, ordered_at=turn.now.mono, since=None))
    site = turn.state.site.zones[zone]
    sound_ms = max(sounds_until - turn.now.mono, 0) + RELAY_TAIL_MS if sounds_until else 0
    least_ms = site.least_on_ms + RELAY_TAIL_MS if site.least_on_ms else 0
    turn.emit(SwitchRelay(zone, True, min(max(sound_ms, relay.warm_until - turn.now.mono, least_ms), site.on_ms_max)))


def in_it(play: Occurrence) -> tuple[ZoneId, ...]:
    """The zones that hear an occurrence, or still may."""
    return tuple(zone for zone, run in play.zones.items() if run.part not in (ZonePart.OUT, ZonePart.SERVED))


def take(turn: Turn, play: Occurrence) -> None:
    """An emergency is about to sound: whatever else sounds in its zones leaves them."""
    zones = set(play.zones_in(ZonePart.READY))
    for other in list(turn.state.plays.values()):
        lost = zones & set(other.zones_in(*_HOLDS))
        if other.key == play.key or not lost or other.phase not in (Phase.ARMED, Phase.PLAYING):
            continue
        if other.ending is not None:
            continue  # it leaves them by itself, and how it goes on has been decided
        for zone in lost:
            other = other.with_zone(zone, ZonePart.TAKEN, Reason.PREEMPTED)
        if other.started is not None and other.zones_in(ZonePart.HEARING):
            other = other.going_on_without(lost)
        turn.put_play(other)
        turn.note(Level.WARNING, "zones taken for an emergency", job=other.job_id, zones=",".join(sorted(lost)))
        if other.phase is Phase.PLAYING:
            reroute(turn, other, Cause.CUT_OFF, Reason.PREEMPTED)


def reroute(turn: Turn, play: Occurrence, cause: Cause, reason: Reason) -> None:
    """Tell the device who hears a running programme; with nobody left it is stopped, for ``reason``."""
    feeds = feeds_of(play)
    if play.ending is not None:
        return
    if feeds:
        turn.emit(RoutePlay(play.play_id, feeds))
    else:
        stop(turn, play, _ending_for(turn.job_of(play), cause, reason))


def _ending_for(job: Job, cause: Cause, reason: Reason) -> Ending:
    """Whom an emergency took everywhere goes on afterwards, if its policy says so (requirement B13)."""
    goes_on = _AFTER_AN_EMERGENCY.get(job.preemption) if reason is Reason.PREEMPTED else None
    return Ending(cause, reason) if goes_on is None else Ending(Cause.SET_ASIDE, reason, goes_on)


_AFTER_AN_EMERGENCY = {Preemption.RESUME: GoesOn.REST, Preemption.RESTART: GoesOn.ANEW}


def stop(turn: Turn, play: Occurrence, ending: Ending) -> None:
    """A programme that sounds is told to end; what becomes of it is decided when it has.

    An end for good takes the place of one after which it would go on, or be tried again.
    """
    if play.ending is None:
        turn.put_play(replace(play, ending=ending, since=turn.now.mono))
        turn.emit(StopPlay(play.play_id))
    elif _for_good(ending) and not _for_good(play.ending):
        turn.put_play(replace(play, ending=ending))


def _for_good(ending: Ending) -> bool:
    return ending.goes_on is GoesOn.NOT and ending.cause is not Cause.DEVICE_LOST


def feeds_of(play: Occurrence) -> tuple[ZoneFeed, ...]:
    """The zones that hear an occurrence now."""
    hearing = (play.zones[zone] for zone in play.zones_in(ZonePart.HEARING))
    return tuple(ZoneFeed(run.zone, run.volume, run.group) for run in hearing)


def give_back(turn: Turn) -> None:
    """Where an emergency has ended, let the programme that runs on come back, if its policy says so."""
    for play in list(turn.state.plays.values()):
        if play.phase is not Phase.PLAYING or play.ending is not None:
            continue
        left = [zone for zone in play.zones_in(ZonePart.TAKEN) if len(_holders(turn.state, zone)) == 0]
        back = [zone for zone in left if rests_ms(turn, zone, turn.job_of(play)) == 0]
        if back:
            _come_back(turn, play, back)


def _come_back(turn: Turn, play: Occurrence, back: list[ZoneId]) -> None:
    if _drops(turn.job_of(play)):
        for zone in back:
            play = play.with_zone(zone, ZonePart.OUT, Reason.PREEMPTED)
        turn.put_play(play)
        return
    for zone in back:
        open_worn(turn, zone, MonoMs(play.start_at + length_ms(play.parts)))
        if rests_ms(turn, zone, turn.job_of(play)):
            continue  # it was worn, and comes back later
        part = ZonePart.CLOSING if turn.state.relays[zone].closed_since is None else ZonePart.READY
        close_relay(turn, play, zone)
        play = play.with_zone(zone, part, Reason.PREEMPTED)
    turn.put_play(play)
    join(turn, play)


def join(turn: Turn, play: Occurrence) -> None:
    """Let the zones whose amplifiers are warm by now into a programme that runs already."""
    warm = [zone for zone in play.zones_in(ZonePart.READY) if warm_in_ms(turn, zone) == 0]
    if not warm:
        return
    for zone in warm:
        run = replace(play.zones[zone], part=ZonePart.HEARING, relay_on=turn.state.relays[zone].closed_since)
        play = replace(play, zones={**play.zones, zone: run})
    turn.put_play(play)
    turn.emit(RoutePlay(play.play_id, feeds_of(play)))
    turn.note(Level.INFO, "zones rejoin the programme", job=play.job_id, zones=",".join(sorted(warm)))


def give_up_closing(turn: Turn, play: Occurrence) -> Occurrence:
    """Zones that were to come back into a running programme, but whose relays do not close, are out of it."""
    for zone in play.zones_in(ZonePart.CLOSING):
        if turn.now.mono >= confirm_by(turn.state, zone):
            turn.note(Level.ERROR, "relay does not close, zone stays out", job=play.job_id, zone=zone)
            play = play.with_zone(zone, ZonePart.OUT, Reason.RELAY_FAILED)
            turn.put_play(play)
    return play


def confirm_by(state: State, zone: ZoneId) -> MonoMs:
    """When a relay that was ordered to close, and has not said that it did, is taken for broken."""
    return MonoMs(state.relays[zone].ordered_at + RELAY_CONFIRM_MS)


def open_unclaimed(turn: Turn, kept_closed: frozenset[ZoneId]) -> None:
    """Open every relay that nothing claims any more. Runs last in a step, so a hand-over is one relay cycle."""
    for zone, relay in turn.state.relays.items():
        if relay.ordered_on and zone not in kept_closed and not is_claimed(turn.state, zone):
            _open_relay(turn, zone)


def too_short(state: State, now: Now) -> frozenset[ZoneId]:
    """The zones whose relays have not been closed for their least time yet."""
    return frozenset(zone for zone in state.site.zones if _may_open_at(state, zone) > now.mono)


def close_what_rested(turn: Turn, kept_warm: frozenset[ZoneId]) -> None:
    """Close the relays of the amplifiers that are to be warm, and that had been switched off only just before."""
    for zone in kept_warm if turn.state.device_up else ():
        relay = turn.state.relays[zone]
        waits = not relay.ordered_on and relay.warm_until > turn.now.mono
        if waits and rested(turn, zone):
            _close(turn, zone, 0)


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When a relay has been closed, or open, for its least time."""
    ends = [at for zone in state.site.zones for at in (_may_open_at(state, zone), _rested_at(state, zone))]
    return [at for at in ends if at > now.mono]


def _may_open_at(state: State, zone: ZoneId) -> MonoMs:
    """Until when a relay that is ordered closed stays so at least; 0 for any other."""
    relay = state.relays[zone]
    since = relay.ordered_at if relay.since is None else relay.since
    return MonoMs(since + state.site.zones[zone].least_on_ms if relay.ordered_on else 0)


def _rested_at(state: State, zone: ZoneId) -> MonoMs:
    """Until when a relay that has opened stays so at least; 0 for any other."""
    relay = state.relays[zone]
    rests = not relay.ordered_on and relay.opened_at is not None
    return MonoMs((relay.opened_at or 0) + state.site.zones[zone].least_off_ms if rests else 0)


def is_claimed(state: State, zone: ZoneId) -> bool:
    """Whether a programme needs a zone's relay closed.

    What is armed and still waits for its moment keeps a relay that is closed already: the amplifier is warm.
    """
    return any(
        zone in play.zones_in(*_HOLDS) for play in state.plays.values() if play.phase in (Phase.ARMED, Phase.PLAYING)
    )


def with_volumes(turn: Turn, play: Occurrence, rules: Rules, wish: Wish) -> Occurrence:
    """The occurrence with each zone's volume, every ceiling applied."""
    ordered = turn.job_of(play).volume
    zones = {
        zone: replace(run, volume=policy.volume_at(rules, wish, zone, ordered, play.under))
        for zone, run in play.zones.items()
    }
    return replace(play, zones=zones)


def leave(turn: Turn, play: Occurrence, barred: Mapping[ZoneId, Reason]) -> None:
    """Zones are out of a programme for good; it goes on where anybody is left to hear it."""
    for zone, reason in barred.items():
        play = play.with_zone(zone, ZonePart.OUT, reason)
    turn.put_play(play)
    if play.phase is not Phase.PLAYING:
        return
    reason = next(iter(barred.values()))
    if not in_it(play):
        stop(turn, play, Ending(Cause.CUT_OFF, reason))
    else:
        reroute(turn, play, Cause.CUT_OFF, reason)


def relay_reported(turn: Turn, zone: ZoneId, on: bool, at: MonoMs) -> None:
    """A relay is known to be on or off."""
    relay = turn.state.relays.get(zone, Relay())
    known = relay.since if relay.on else None
    since = (at if known is None else known) if on else None
    opened_at = at if relay.on and not on else relay.opened_at
    turn.put_relay(zone, replace(relay, on=on, since=since, opened_at=opened_at))


def confirmed(turn: Turn, zone: ZoneId, at: MonoMs) -> None:
    """A relay that we want closed is closed, since ``at``: its amplifier warms up."""
    for play in _in_part(turn, zone, ZonePart.CLOSING):
        run = replace(play.zones[zone], part=ZonePart.READY, relay_on=at)
        turn.put_play(replace(play, zones={**play.zones, zone: run}))


def unconfirmed(turn: Turn, zone: ZoneId) -> None:
    """It was open after all: whoever was ready to sound there waits for its closing again."""
    for play in _in_part(turn, zone, ZonePart.READY):
        turn.put_play(play.with_zone(zone, ZonePart.CLOSING, play.zones[zone].reason))


def _open_relay(turn: Turn, zone: ZoneId) -> None:
    opened = replace(turn.state.relays[zone], ordered_on=False, warm_until=MonoMs(0), opened_at=turn.now.mono)
    turn.put_relay(zone, opened)
    turn.emit(SwitchRelay(zone, False, 0))


def _in_part(turn: Turn, zone: ZoneId, part: ZonePart) -> list[Occurrence]:
    return [play for play in turn.state.plays.values() if zone in play.zones_in(part)]


def _holders(state: State, zone: ZoneId) -> list[Occurrence]:
    """What sounds, or is about to sound, in a zone."""
    return [
        play
        for play in state.plays.values()
        if play.phase in (Phase.ARMED, Phase.PLAYING) and play.ending is None and zone in play.zones_in(*_HOLDS)
    ]
