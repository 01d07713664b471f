"""Decide what becomes of a programme that sounds: its end, another try, what of it goes on later, its one outcome.

When it may begin is decided in ``playing``; who hears it in ``zones``; what the device says of it in
``programme_reports``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge_agent.core import planning, records, switching, turns, zones
from edge_agent.core.clock_trust import DATELESS
from edge_agent.core.effects import Level, StopPlay
from edge_agent.core.job import Accepted, Job, JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.past import Sounded, counted_start, remember
from edge_agent.core.plays import Ending, GoesOn, Occurrence, ZonePart, ZoneRun
from edge_agent.core.programme import (
    NOTHING_RELAYED,
    Part,
    Sound,
    length_ms,
    live_until,
    own_of,
    promised_ms,
    rest_of,
    share_of,
)
from edge_agent.core.reasons import Reason, explain
from edge_agent.core.schedule import caught_up, next_instant, sounds_once
from edge_agent.core.state import KnownJob, Turn, Unproven
from edge_agent.core.units import NEVER, SECOND_MS, MonoMs, PlayId, UtcMs, ZoneId
from edge_agent.core.wall_time import local_time

STOP_GRACE_MS = 2 * SECOND_MS
# The device answers a stop within one buffer (600 ms, 1.6 s at most); after this it is taken for lost.
START_GRACE_MS = 4 * SECOND_MS
# How long after its instant the first sample may still be missing; the device's own lease on its writer is 3 s.
PLAY_GRACE_MS = 10 * SECOND_MS
# How much longer than its length a play may take before the device is taken for lost.
TRY_AFTER_MS = 3 * SECOND_MS
# A device process that ends stops all sound before it hangs up, and one whose card hangs is killed 2 s after that is
# known (WRITER_MS_MAX, WatchdogSec=3): begun again in between, a warning would lose two tries.
LAST_TRY_AFTER_MS = {JobClass.NORMAL: 3_000, JobClass.PRIORITY: 3_000, JobClass.EMERGENCY: 10_000}
# Before its last try whatever failed gets time to come back: a sound card that was unplugged needs some 5 s, the device
# process 1 s. A routine job has to begin within its grace of 10 s (past.LATE_GRACE_MS).
ATTEMPTS_MAX = {JobClass.NORMAL: 2, JobClass.PRIORITY: 2, JobClass.EMERGENCY: 3}
# Before the first sample everybody gets a second try; only an emergency begins again after it (protocol).


def all_out(turn: Turn, play: Occurrence) -> None:
    """The last sample has left the card. Zones that missed it, because they were taken, may hear it later (B14)."""
    missed = any(_hears_later(run) for run in play.zones.values())
    if not missed or turn.job_of(play).zones_limit_ms == 0:
        if _was_silence(play):
            finish(turn, play, Cause.NOTHING_CAME, Reason.LIVE_UNREACHABLE)
        else:
            finish(turn, play, Cause.ALL_SAMPLES_OUT, None)
        return
    set_aside(turn, play, Ending(Cause.SET_ASIDE, Reason.PREEMPTED, GoesOn.MISSED))


def conclude(turn: Turn, play: Occurrence, ending: Ending) -> None:
    """A play that was being stopped is over; where its relays were lost, it may get another try."""
    if ending.cause is Cause.DEVICE_LOST:
        lose(turn, play, ending.cause, ending.reason)
    elif ending.goes_on is not GoesOn.NOT:
        set_aside(turn, play, ending)
    else:
        finish(turn, play, ending.cause, ending.reason)


def set_aside(turn: Turn, play: Occurrence, ending: Ending) -> None:
    """What sounded is to go on, in another segment of the same occurrence; with nothing left of it, it is over."""
    parts = _what_is_left(play, ending.goes_on)
    if not parts:
        all_out(turn, play)
        return
    aside = replace(play.moved(Cause.SET_ASIDE, turn.now), zones=_zones_aside(play, ending), held_by=ending.reason)
    if not zones.in_it(aside):
        finish(turn, play, Cause.CUT_OFF, ending.reason)
        return
    turn.state = replace(turn.state, past=_past_with(turn, turn.state.jobs[play.job_id].accepted, play, unseen=False))
    began, until = play.first_out if play.began is None else play.began, play.live_until
    if until is None and began is not None:
        until = live_until(turn.now.utc_of(began), play.whole)
    turn.put_play(
        replace(
            aside,
            parts=parts,
            segment=play.segment + 1,
            began=began,
            live_until=until,
            frames_before=play.frames_before + play.frames,
            aside_at=play.aside_at if play.all_out else turn.now.mono,
            all_out=play.all_out or ending.goes_on is GoesOn.MISSED,
            frames=0,
            underruns_before=play.underruns_before + play.underruns,
            underruns=0,
            relayed_before=play.relayed_in_all,
            relayed=NOTHING_RELAYED,
            attempt=0,
            play_id=PlayId(""),
            intent_saved=False,
            started=None,
            first_out=None,
            ending=None,
            cut_at=None,
        )
    )
    turn.note(Level.WARNING, "set aside, goes on later", job=play.job_id, reason=ending.reason, how=ending.goes_on)


def _what_is_left(play: Occurrence, goes_on: GoesOn) -> tuple[Part, ...]:
    at_ms = turns.reached(play.parts, ((run.group, run.played_ms) for run in play.zones.values()))
    match goes_on:
        case GoesOn.REST:
            return rest_of(play.parts, at_ms)
        case GoesOn.NEXT:
            return turns.behind_item(play.parts, at_ms)
        case _:
            return play.whole


def _zones_aside(play: Occurrence, ending: Ending) -> dict[ZoneId, ZoneRun]:
    """Each zone as it waits for the next segment; what an earlier one brought it is kept."""
    later = ending.goes_on is GoesOn.MISSED
    again = {}
    for zone, run in play.zones.items():
        run = replace(run, earlier_ms=run.earlier_ms + run.played_ms, played_ms=0)
        if later and _hears_later(run):
            run = replace(run, part=ZonePart.WAITING, reason=None, missed=False)
        elif run.part not in (ZonePart.OUT, ZonePart.SERVED):
            missed = run.missed and ending.goes_on is not GoesOn.ANEW
            run = replace(run, part=ZonePart.SERVED if later else ZonePart.WAITING, reason=None, missed=missed)
        again[zone] = run
    return again


def _was_silence(play: Occurrence) -> bool:
    """Whether it had nothing but live sources, which gave nothing, and nothing stood in for them."""
    relayed = play.relayed_in_all
    recorded = any(isinstance(part, Sound) for part in play.whole)
    return not recorded and relayed.silent_ms > 0 and relayed.live_ms + relayed.stand_in_ms == 0


def _hears_later(run: ZoneRun) -> bool:
    """Whether a zone missed some because it was taken, and for no other reason."""
    return run.missed and (run.part is not ZonePart.OUT or run.reason is Reason.PREEMPTED)


def give_up(turn: Turn, play: Occurrence, cause: Cause, reason: Reason) -> None:
    """It will not begin, or not go on: what has sounded before was cut off then."""
    begun = play.was_heard and cause is not Cause.CLIPS_FAILED
    if play.sounded and cause in (Cause.TOO_LATE, Cause.VALIDITY_OVER):  # it did not begin anew in time
        reason = Reason.POWER_CUT if play.unseen else play.lost_to or reason
    finish(turn, play, Cause.CUT_OFF if begun else cause, reason)


def heard_unseen(turn: Turn, play: Occurrence) -> Occurrence:
    """It had sounded when the process ended and begins anew: that counts, and the all-clear goes where it may have."""
    accepted = turn.state.jobs[play.job_id].accepted
    turn.state = replace(turn.state, past=_past_with(turn, accepted, play, unseen=True))
    return replace(play, sounded=True, unseen=True)


def lose(turn: Turn, play: Occurrence, cause: Cause, reason: Reason) -> None:
    """The device or its relays failed under an armed or playing occurrence: another try, or the end."""
    if may_try_again(turn.job_of(play), play.attempt, play.started is not None):
        if play.started is not None:
            accepted = turn.state.jobs[play.job_id].accepted
            untold = not any(run.played_ms for run in play.zones.values())  # it was lost before its first report
            turn.state = replace(turn.state, past=_past_with(turn, accepted, play, unseen=untold))
            play = replace(play, sounded=True, unseen=False, lost_to=reason)
        waiting = {zone: _once_more(run) for zone, run in play.zones.items()}
        queued = replace(play.moved(Cause.TRY_AGAIN, turn.now), zones=waiting, held_by=reason)
        queued = replace(queued, play_id=PlayId(""), intent_saved=False, started=None, ending=None)
        turn.put_play(replace(queued, again_at=_again_at(turn, play, reason)))
        turn.note(Level.ERROR, "play lost, trying again", job=play.job_id, attempt=play.attempt, reason=reason)
    else:
        finish(turn, play, cause, reason)


_MAY_COME_BACK = (Reason.RELAY_FAILED, Reason.DEVICE_FAILED)


def _once_more(run: ZoneRun) -> ZoneRun:
    """A zone before another try: what failed may have come back, but who was told to be silent stays silent."""
    stays = run.part is ZonePart.SERVED or (run.part is ZonePart.OUT and run.reason not in _MAY_COME_BACK)
    return run if stays else replace(run, part=ZonePart.WAITING)


def hold_back(turn: Turn, play: Occurrence, reason: Reason) -> None:
    """Armed, but it must not begin yet. That was no attempt, for a restart neither: nothing was ordered to sound."""
    if play.attempt == 1 and not play.was_heard:
        planning.take_back_mark(turn, play)
    turn.put_play(_held_back(turn, play, reason))


def _held_back(turn: Turn, play: Occurrence, reason: Reason) -> Occurrence:
    waiting = {
        zone: run if run.part in (ZonePart.OUT, ZonePart.SERVED) else replace(run, part=ZonePart.WAITING)
        for zone, run in play.zones.items()
    }
    queued = replace(play.moved(Cause.HELD_BACK, turn.now), zones=waiting, attempt=play.attempt - 1, held_by=reason)
    return replace(queued, intent_saved=False, play_id=PlayId(""))


def stop_all(turn: Turn) -> None:
    """The service is told to end: stop what sounds, record it and what was set aside, start nothing more.

    What only warms up its amplifiers is left for the next start, to which that was no attempt.
    """
    turn.state = replace(turn.state, stopping=True)
    for play in list(turn.state.plays.values()):
        if play.phase is Phase.PLAYING:
            if play.ending is None or play.ending.goes_on is not GoesOn.NOT:
                zones.stop(turn, play, Ending(Cause.STOPPED, Reason.SHUTDOWN))
        elif play.segment > 0:
            give_up(turn, play, Cause.CUT_OFF, Reason.SHUTDOWN)
        elif play.phase is Phase.ARMED:
            hold_back(turn, play, Reason.SHUTDOWN)


def call_off(
    turn: Turn, known: KnownJob, cause: Cause, reason: Reason, detail: str = "", *, forget: bool = False
) -> None:
    """A job will never sound again; what sounds of it ends now.

    One that had no instant yet has its record with this ``detail``; ``forget``: sent again, it is a new one.
    """
    plays = [play for play in turn.state.plays.values() if play.job_id == known.job.job_id]
    turn.put_job(replace(known, called_off=True))
    for play in plays:
        if play.phase is Phase.PLAYING:
            zones.stop(turn, play, Ending(Cause.CUT_OFF, reason))
        else:
            give_up(turn, play, cause, reason)
    if not plays:
        turn.drop_job(known.job.job_id)
        record = records.of_refusal(known.accepted, reason, turn.now, was_saved=True, detail=detail)
        turn.emit(replace(record, forget=forget))


def stop_in(turn: Turn, play: Occurrence, barred: Mapping[ZoneId, Reason]) -> None:
    """Zones are told to be silent: they leave what sounds, and what is about to sound does not begin there."""
    if play.phase is not Phase.PLAYING and set(zones.in_it(play)) <= barred.keys():
        give_up(turn, play, Cause.RULE_FORBIDS, next(iter(barred.values())))
    else:
        zones.leave(turn, play, barred)


def finish(turn: Turn, play: Occurrence, cause: Cause, reason: Reason | None, *, unseen: bool = False) -> None:
    """Give an occurrence its one outcome and its one record; a recurring job goes on from here.

    What has sounded to its end has succeeded, whatever keeps it from the zones that missed it.
    """
    if play.all_out and reason is not None:
        play, cause, reason = _without_the_late(turn, play, reason), Cause.SERVED, None
    known = turn.state.jobs[play.job_id]
    done = play.moved(cause, turn.now)
    planning.record_passed_over(turn, known, play.planned)
    base = caught_up(known.job, play.planned, turn.now.utc)
    over = known.called_off or sounds_once(known.job) or next_instant(known.job, base) is None
    if play.started is not None or not play.sounded:  # else it is there already
        turn.state = replace(turn.state, past=_past_with(turn, known.accepted, done, unseen=unseen))
    unseen = unseen or (play.unseen and play.started is None)
    unproven = known.unproven is not None
    turn.emit(records.of_play(known.accepted, done, reason, turn.now, job_over=over, unseen=unseen, unproven=unproven))
    turn.drop_play(play.key)
    turn.no_room_from = NEVER  # its sound is needed later now, or not at all
    if over:
        turn.drop_job(play.job_id)
    else:
        planning.count_from(turn, replace(known, unproven=Unproven.HAS_SOUNDED if unproven else None), base)
    level = Level.INFO if done.phase is Phase.SUCCEEDED else Level.WARNING
    words = explain(reason) if reason else ""
    at, title = local_time(play.planned, turn.state.site.timezone), known.job.items[0].title
    told = {"planned": f"{at:%Y-%m-%dT%H:%M}", "title": repr(title), "outcome": done.phase, "reason": reason or ""}
    turn.note(level, "outcome", job=play.job_id, **told, words=words)


def _without_the_late(turn: Turn, play: Occurrence, reason: Reason) -> Occurrence:
    """The occurrence as those heard it who heard it in time; the others have their reason."""
    late = zones.in_it(play)
    play = play.moved(Cause.SET_ASIDE, turn.now) if play.phase is Phase.PLAYING else play
    for zone in late:
        play = play.with_zone(zone, ZonePart.OUT, reason)
    return play


def watch(turn: Turn, play: Occurrence) -> None:
    """A play that zones come back into, or whose end is overdue: the device does not answer any more."""
    if play.ending is not None:
        if turn.now.mono >= play.since + STOP_GRACE_MS:
            conclude(turn, play, play.ending)
    elif turn.now.mono >= _answer_by(play):
        turn.emit(StopPlay(play.play_id))
        lose(turn, play, Cause.DEVICE_LOST, Reason.DEVICE_FAILED)
    else:
        zones.join(turn, zones.give_up_closing(turn, play))


def wakes(turn: Turn, play: Occurrence) -> list[MonoMs]:
    """When something is due in a programme that sounds."""
    if play.ending is not None:
        return [MonoMs(play.since + STOP_GRACE_MS)]
    warm = [MonoMs(turn.now.mono + switching.warm_in_ms(turn, zone)) for zone in play.zones_in(ZonePart.READY)]
    closing = [switching.confirm_by(turn.state, zone) for zone in play.zones_in(ZonePart.CLOSING)]
    return [*warm, *closing, _answer_by(play)]


def may_try_again(job: Job, attempt: int, sounded: bool) -> bool:
    """Whether a run that was lost is begun anew; ``sounded``: its first sample was heard."""
    return attempt < ATTEMPTS_MAX[job.plays_as] and (not sounded or job.plays_as is JobClass.EMERGENCY)


def _past_with(turn: Turn, accepted: Accepted, done: Occurrence, *, unseen: bool) -> tuple[Sounded, ...]:
    """The past, and in it what has sounded of an occurrence that is over."""
    job = accepted.job
    hearing = frozenset(zone for zone, run in done.zones.items() if run.played_ms > 0 or unseen)
    if not (hearing or job.series or job.corrects):
        return turn.state.past
    began = done.planned if done.first_out is None else turn.now.utc_of(done.first_out)
    started = counted_start(done.planned, began) if done.segment == 0 else began
    ended = UtcMs(started + (promised_ms(job) if unseen else _own_played_ms(done)))
    return remember(
        turn.state.past,
        Sounded(
            job.job_id,
            job.plays_as,
            started,
            ended,
            hearing,
            done.under,
            job.issuer,
            job.series,
            job.version,
            accepted.signers,
            job.corrects,
            job.live,
            undated_at=turn.now.mono if turn.now.source in DATELESS else None,
        ),
        turn.state.trust.passed(turn.now.utc),
    )


def _own_played_ms(done: Occurrence) -> int:
    """How much has sounded of what was ordered, where most of it did."""
    return max((own_of(share_of(done.parts, run.group), run.played_ms) for run in done.zones.values()), default=0)


def _again_at(turn: Turn, play: Occurrence, reason: Reason) -> MonoMs:
    cls = turn.job_of(play).plays_as
    if play.attempt + 1 == ATTEMPTS_MAX[cls]:
        return MonoMs(turn.now.mono + LAST_TRY_AFTER_MS[cls])
    may_be_ending = reason is Reason.DEVICE_FAILED and turn.state.device_up
    return MonoMs(turn.now.mono + (TRY_AFTER_MS if may_be_ending else 0))


def _answer_by(play: Occurrence) -> MonoMs:
    """When a device that has not reported the first sample, or the end, is taken for lost."""
    patience_ms = START_GRACE_MS if play.started is None else length_ms(play.parts) + PLAY_GRACE_MS
    return MonoMs(play.start_at + patience_ms)
