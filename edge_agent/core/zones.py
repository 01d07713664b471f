"""Decide who has a zone: what may start there, what an emergency takes, what comes back.

Only an emergency takes a zone from what sounds there, and only from what is not one; equals wait for each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from edge_agent.core import policy, switching
from edge_agent.core.effects import Level, RoutePlay, StopPlay
from edge_agent.core.job import Job, JobClass, Preemption
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import HOLDS, Ending, GoesOn, Occurrence, ZonePart, ZoneRun
from edge_agent.core.policy import Rules, Wish
from edge_agent.core.programme import ZoneFeed, length_ms
from edge_agent.core.reasons import Reason
from edge_agent.core.state import State, Turn
from edge_agent.core.units import MonoMs, ZoneId


@dataclass(frozen=True, slots=True)
class Room:
    """What an occurrence would find in its zones: ``free``, ``taken`` by an emergency, ``busy`` with equals."""

    free: tuple[ZoneId, ...]
    taken: tuple[ZoneId, ...]
    busy: tuple[ZoneId, ...]


def zones_of(state: State, job: Job, at: MonoMs) -> tuple[ZoneId, ...]:
    """The zones of this station that a job is for that comes at ``at``, in the station's own order."""
    wanted = job.audience.zones
    named = tuple(zone for zone in state.site.zones if not wanted or zone in wanted)
    if not (job.all_clear or job.corrects):
        return named
    heard = _heard_in(state, job, at)
    return tuple(zone for zone in named if zone in heard)


def _heard_in(state: State, job: Job, at: MonoMs) -> frozenset[ZoneId]:
    """Where that was heard which an all-clear ends, or a correction sets right; what sounds just now included."""

    def meant(issuer: str, series: str, job_id: str) -> bool:
        if issuer != job.issuer or job_id == job.job_id:
            return False
        return job_id == job.corrects if job.corrects else series == job.series

    heard = {zone for sound in state.past if meant(sound.issuer, sound.series, sound.job_id) for zone in sound.zones}
    for play in state.plays.values():
        other = state.jobs[play.job_id].job
        if meant(other.issuer, other.series, other.job_id):
            heard |= {z for z, run in play.zones.items() if run.played_ms > 0 or _hears(play, run, at)}
    return frozenset(heard)


def _hears(play: Occurrence, run: ZoneRun, at: MonoMs) -> bool:
    """Whether it sounds there just now: what is taken back before its first sample has warned nobody.

    From when that was ordered on it may have left the card, though nobody has said so yet.
    """
    return run.part is ZonePart.HEARING and (play.started is not None or at >= play.start_at)


def room_for(turn: Turn, play: Occurrence) -> Room:
    """Sort the zones of an occurrence that are not out of it by who sounds there."""
    urgent = turn.job_of(play).plays_as is JobClass.EMERGENCY
    free: list[ZoneId] = []
    taken: list[ZoneId] = []
    busy: list[ZoneId] = []
    for zone in in_it(play):
        others = [other for other in switching.holders(turn.state, zone) if other.key != play.key]
        classes = [turn.job_of(other).plays_as for other in others]
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


def in_it(play: Occurrence) -> tuple[ZoneId, ...]:
    """The zones that hear an occurrence, or still may."""
    return tuple(zone for zone, run in play.zones.items() if run.part not in (ZonePart.OUT, ZonePart.SERVED))


def take(turn: Turn, play: Occurrence) -> None:
    """An emergency is about to sound: whatever else sounds in its zones leaves them."""
    zones = set(play.zones_in(ZonePart.READY))
    for other in list(turn.state.plays.values()):
        lost = zones & set(other.zones_in(*HOLDS))
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
        left = [zone for zone in play.zones_in(ZonePart.TAKEN) if len(switching.holders(turn.state, zone)) == 0]
        back = [zone for zone in left if switching.rests_ms(turn, zone, turn.job_of(play)) == 0]
        if back:
            _come_back(turn, play, back)


def _come_back(turn: Turn, play: Occurrence, back: list[ZoneId]) -> None:
    if _drops(turn.job_of(play)):
        for zone in back:
            play = play.with_zone(zone, ZonePart.OUT, Reason.PREEMPTED)
        turn.put_play(play)
        return
    for zone in back:
        switching.open_worn(turn, zone, MonoMs(play.start_at + length_ms(play.parts)))
        if switching.rests_ms(turn, zone, turn.job_of(play)):
            continue  # it was worn, and comes back later
        part = ZonePart.CLOSING if turn.state.relays[zone].closed_since is None else ZonePart.READY
        switching.close_relay(turn, play, zone)
        play = play.with_zone(zone, part, Reason.PREEMPTED)
    turn.put_play(play)
    join(turn, play)


def join(turn: Turn, play: Occurrence) -> None:
    """Let the zones whose amplifiers are warm by now into a programme that runs already."""
    warm = [zone for zone in play.zones_in(ZonePart.READY) if switching.warm_in_ms(turn, zone) == 0]
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
        if turn.now.mono >= switching.confirm_by(turn.state, zone):
            turn.note(Level.ERROR, "relay does not close, zone stays out", job=play.job_id, zone=zone)
            play = play.with_zone(zone, ZonePart.OUT, Reason.RELAY_FAILED)
            turn.put_play(play)
    return play


def with_volumes(turn: Turn, play: Occurrence, rules: Rules, wish: Wish) -> Occurrence:
    """The occurrence with each zone's volume, every ceiling applied. Who hears no more of it keeps what was heard."""
    ordered = turn.job_of(play).volume
    hearing = {
        zone: replace(play.zones[zone], volume=policy.volume_at(rules, wish, zone, ordered, play.under))
        for zone in in_it(play)
    }
    return replace(play, zones={**play.zones, **hearing})


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


def confirmed(turn: Turn, zone: ZoneId, at: MonoMs) -> None:
    """A relay that we want closed is closed, since ``at``: its amplifier warms up."""
    for play in _in_part(turn, zone, ZonePart.CLOSING):
        run = replace(play.zones[zone], part=ZonePart.READY, relay_on=at)
        turn.put_play(replace(play, zones={**play.zones, zone: run}))


def unconfirmed(turn: Turn, zone: ZoneId) -> None:
    """It was open after all: whoever was ready to sound there waits for its closing again."""
    for play in _in_part(turn, zone, ZonePart.READY):
        turn.put_play(play.with_zone(zone, ZonePart.CLOSING, play.zones[zone].reason))


def _in_part(turn: Turn, zone: ZoneId, part: ZonePart) -> list[Occurrence]:
    return [play for play in turn.state.plays.values() if zone in play.zones_in(part)]
