"""Take up what the device reports of a programme: its first sample, how far it is, which zones are lost, its end.

What follows from that is decided in ``sounding``.
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import clips, sounding, zones
from edge_agent.core.effects import Level, SaveMark
from edge_agent.core.events import Mark, PlayEnded, PlayProgress, PlayStarted, ZoneHeard, ZonesLost
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import Occurrence, ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.state import Heard, Turn
from edge_agent.core.units import JobId


def started(turn: Turn, event: PlayStarted) -> None:
    """The first sample has left the card: from here on a crash does not repeat a routine job."""
    play = turn.play_by_id(event.play_id)
    if play is None:
        return
    begun = replace(play, started=event.at, first_out=event.at)
    goes_on = play.ending is None  # else it stops for everybody
    away = play.zones_in(ZonePart.TAKEN, ZonePart.CLOSING, ZonePart.READY) if goes_on else ()
    turn.put_play(begun.going_on_without(away))
    keep_mark(turn, play, Mark.FIRST_SAMPLE)
    turn.note(
        Level.INFO,
        "playing",
        job=play.job_id,
        zones=",".join(play.zones_in(ZonePart.HEARING)),
        late_ms=event.at - play.start_at,
    )


def keep_mark(turn: Turn, play: Occurrence, mark: Mark) -> None:
    """Let the disk remember how far it has come. A job that the disk did not take leaves no marks either.

    They would outlive the process without their job, and be taken for marks of the same job sent again later.
    """
    if turn.state.jobs[play.job_id].saved:
        turn.emit(SaveMark(play.job_id, play.planned, mark, play.attempt))


def job_saved(turn: Turn, job_id: JobId) -> None:
    """A warning that did not wait for the disk leaves its mark as soon as it may, or a restart would not know of it."""
    for play in turn.state.plays.values():
        if play.job_id == job_id and (play.started is not None or play.was_heard):
            keep_mark(turn, play, Mark.FIRST_SAMPLE)


def progressed(turn: Turn, event: PlayProgress) -> None:
    """What has left the card so far: all that is known if the device dies."""
    play = turn.play_by_id(event.play_id)
    if play is not None:
        turn.put_play(_counted(play, event))


def zones_lost(turn: Turn, event: ZonesLost) -> None:
    """A card failed under a programme that goes on elsewhere: its zones are out of it, and their relays open (S5)."""
    play = turn.play_by_id(event.play_id)
    if play is None:
        return
    lost = [zone for zone in event.zones if zone in play.zones and zone in zones.in_it(play)]
    if not lost:
        return
    for zone in lost:
        play = play.with_zone(zone, ZonePart.OUT, event.reason)
    turn.put_play(play)
    fields = {"job": play.job_id, "zones": ",".join(lost), "reason": event.reason}
    turn.note(Level.ERROR, "zones lost, the programme goes on without them", **fields)
    zones.reroute(turn, play, Cause.DEVICE_LOST, event.reason)


def zone_heard(turn: Turn, event: ZoneHeard) -> None:
    """What the ear at a horn has made of what sounds there: its newest word holds, for the programme and the zone."""
    before = turn.state.heard.get(event.zone)
    if before is None or before.heard is not event.heard:
        level, what = (Level.INFO, "heard") if event.heard else (Level.ERROR, "not heard")
        turn.note(level, f"{what} at the horn", zone=event.zone, level_db=event.level_db)
    heard = Heard(event.heard, event.level_db)
    turn.state = replace(turn.state, heard={**turn.state.heard, event.zone: heard})
    for play in turn.state.plays.values():
        if play.phase is Phase.PLAYING and event.zone in play.zones_in(ZonePart.HEARING):
            run = replace(play.zones[event.zone], heard=event.heard, level_db=event.level_db)
            turn.put_play(replace(play, zones={**play.zones, event.zone: run}))


def ended(turn: Turn, event: PlayEnded) -> None:
    """The programme is over, one way or another."""
    play = turn.play_by_id(event.play_id)
    if play is None:
        return
    play = replace(_counted(play, event), frames=event.frames)
    if play.ending is not None:
        sounding.conclude(turn, play, play.ending)
    elif event.reason is None:
        sounding.all_out(turn, play)
    else:
        if event.reason is Reason.AUDIO_ALTERED:
            clips.lost(turn, turn.job_of(play))
        # Nobody told it to stop, so the device did that by itself: its lease had lapsed, or its process ends.
        unasked = event.reason is Reason.SHUTDOWN
        sounding.lose(turn, play, Cause.DEVICE_LOST, Reason.DEVICE_FAILED if unasked else event.reason)


def _counted(play: Occurrence, report: PlayProgress | PlayEnded) -> Occurrence:
    runs = {zone: replace(run, played_ms=report.zone_ms.get(zone, run.played_ms)) for zone, run in play.zones.items()}
    return replace(play, zones=runs, underruns=report.underruns, relayed=report.relayed)
