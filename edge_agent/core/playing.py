"""Move an occurrence on: staged, armed, started or given up. Every waiting phase here has its own deadline.

When it may begin is asked of ``beginning``, what of it then sounds of ``fitting``. What becomes of it once it sounds,
and how it gets its outcome, is ``sounding``'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edge_agent.core import (
    beginning,
    clips,
    fitting,
    planning,
    policy,
    programme_reports,
    sounding,
    standing,
    switching,
    turns,
    zones,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import CommitRecord, Level, StartPlay
from edge_agent.core.events import Mark, SavedMark
from edge_agent.core.job import RANK, JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import Occurrence, OccurrenceKey, ZonePart
from edge_agent.core.programme import (
    Part,
    falls_short,
    lacks,
    length_ms,
    parts_of,
    signal_of,
)
from edge_agent.core.reasons import Reason
from edge_agent.core.schedule import sounds_once
from edge_agent.core.sounding import finish, may_try_again
from edge_agent.core.state import State, Turn
from edge_agent.core.units import SECOND_MS, ClipKey, JobId, MonoMs, PlayId, UtcMs

INTENT_WAIT_MS = 1 * SECOND_MS
# How long a play waits for its intent to reach the disk; an SD card's worst fsync is some 500 ms.
PASSES_MAX = 10
# How often one step goes over all occurrences; more is left to the next step, which follows at once.
OUTCOMES_MAX = 100
# Nor does it behind so many outcomes, of which a station that was off for months has thousands: where too much waits
# for the card a step waits too (``journal_worker``), two commits of 500 ms at worst, and the device waits 3 s for it.

_WAITING = (Phase.STAGED, Phase.QUEUED)


def advance(turn: Turn) -> None:
    """Move every occurrence as far as it can go by now, the most urgent first."""
    before: State | None = None
    for _ in range(PASSES_MAX):
        before = turn.state
        planning.plan(turn)
        receipt = {job_id: number for number, job_id in enumerate(turn.state.jobs)}
        for key in sorted(turn.state.plays, key=lambda key: _urgency(turn, key, receipt)):
            _advance_one(turn, turn.state.plays[key])
        zones.give_back(turn)
        outcomes = sum(isinstance(effect, CommitRecord) for effect in turn.effects)
        if turn.state is before or outcomes >= OUTCOMES_MAX:
            break
    unsettled = turn.state is not before
    if unsettled is not turn.state.unsettled:
        turn.state = replace(turn.state, unsettled=unsettled)


def next_wake(state: State, now: Now) -> list[MonoMs]:
    """When something here becomes due."""
    turn = Turn(state, now)
    if state.unsettled:
        return [now.mono]
    return [wake for play in state.plays.values() for wake in _wakes(turn, play)]


def resume(turn: Turn, mark: SavedMark) -> None:
    """An occurrence had begun when the process ended: begin again where that is right, else record it."""
    known = turn.state.jobs.get(mark.job_id)
    sounded = mark.mark is Mark.FIRST_SAMPLE
    if known is None or (known.called_off and not sounded):
        return
    if not sounded and planning.is_of_another_time(turn, known, mark.planned):
        return
    play = replace(planning.fresh(turn.state, known, mark.planned, turn.now), attempt=mark.attempt)
    if may_try_again(known.job, mark.attempt, sounded) and not known.called_off:
        turn.put_play(sounding.heard_unseen(turn, play) if sounded else play)
    else:
        finish(turn, play, Cause.POWER_LOST, Reason.POWER_CUT, unseen=sounded)


def intent_saved(turn: Turn, key: OccurrenceKey, durable: bool) -> None:
    """The intent to play is on disk, or the disk failed and we play all the same."""
    play = turn.state.plays.get(key)
    if play is not None and play.phase is Phase.ARMED:
        turn.put_play(replace(play, intent_saved=True))
    if not durable:
        turn.note(Level.ERROR, "intent not durable, playing all the same", job=key[0])


def _urgency(turn: Turn, key: OccurrenceKey, receipt: Mapping[JobId, int]) -> tuple[int, int, UtcMs, int]:
    """Class first, then the commune's order, then the planned instant, then receipt."""
    job = turn.state.jobs[key[0]].job
    place = standing.rank_of(turn.state, key[0])
    return (-RANK[job.plays_as], job.order if place is None else place, key[1], receipt[key[0]])


def _advance_one(turn: Turn, play: Occurrence) -> None:
    if play.phase is Phase.RECEIVED:
        _stage(turn, play)
        play = turn.state.plays.get(play.key, play)  # on, or who comes behind it takes zones that have just become free
    if play.phase in _WAITING:
        _arm_when_due(turn, play)
    elif play.phase is Phase.ARMED:
        _close_and_start(turn, play)
    elif play.phase is Phase.PLAYING:
        sounding.watch(turn, play)


def _stage(turn: Turn, play: Occurrence) -> None:
    job = turn.job_of(play)
    if not play.zones:  # nor will it be on another day: what it sets right does not sound any more
        sounding.call_off(turn, turn.state.jobs[play.job_id], Cause.RULE_FORBIDS, Reason.NOT_HEARD_HERE)
        return
    clips.want(turn, job, None if beginning.immediate(job) else play.planned, play.since)
    clips.leave_out(turn, job, play.since)
    durations = clips.durations(turn.state, job)
    if durations is not None:
        _staged(turn, play, durations)
        return
    trouble = clips.trouble(turn.state, job, play.since)
    if trouble is None:
        _give_up_if_late(turn, play)
        return
    reason, again = trouble
    if not again and sounds_once(job):
        finish(turn, play, Cause.CLIPS_FAILED, reason)
    else:
        _give_up_if_late(turn, play, Cause.CLIPS_FAILED, reason)


def _staged(turn: Turn, play: Occurrence, durations: dict[ClipKey, int]) -> None:
    """Its sound lies ready. What was set aside goes on with what is left of it, and is due already."""
    staged = play.moved(Cause.CLIPS_READY, turn.now)
    if play.segment > 0:
        turn.put_play(replace(staged.moved(Cause.HELD_BACK, turn.now), held_by=play.held_by))
        return
    parts = _laid_out(turn, play, durations)
    turn.put_play(replace(staged, parts=parts, whole=parts))


def _laid_out(turn: Turn, play: Occurrence, durations: dict[ClipKey, int]) -> tuple[Part, ...]:
    job = turn.job_of(play)
    parts = parts_of(job, durations, turn.state.site.frame)
    if not job.opening:
        return parts
    bare = parts_of(replace(job, opening=()), durations)
    longest = [switching.longest_ms(turn.state.site, zone) for zone in play.zones]
    # What the station adds must not keep a warning silent, in a zone that hears it without.
    return bare if any(length_ms(bare) <= longest_ms < length_ms(parts) for longest_ms in longest) else parts


def _with_what_came(turn: Turn, play: Occurrence, durations: dict[ClipKey, int]) -> Occurrence:
    """A warning that has not begun, with what was missing when it was laid out and has come since."""
    if play.segment > 0 or turn.job_of(play).plays_as is not JobClass.EMERGENCY:
        return play
    parts = _laid_out(turn, play, durations)
    if parts == play.whole:
        return play
    fuller = replace(play, parts=parts, whole=parts)
    turn.put_play(fuller)
    return fuller


def _arm_when_due(turn: Turn, play: Occurrence) -> None:
    job = turn.job_of(play)
    durations = clips.durations(turn.state, job)
    if durations is None:
        why = play.held_by if play.was_heard else None  # if it is not to be had in time, that is what cut it off
        turn.put_play(replace(play.moved(Cause.CLIPS_LOST, turn.now), held_by=why))
        return
    if clips.may_lack(job):
        clips.want(turn, job, None if beginning.immediate(job) else play.planned, play.since)
    play = _with_what_came(turn, play, durations)
    # What waits for signed time is perhaps still ahead; its sound is ready by then.
    if turn.state.stopping or planning.waits_for_a_signature(turn, play) or _give_up_if_late(turn, play):
        return
    if beginning.clock_forbids(turn, job):
        _hold(turn, play, Reason.CLOCK_NOT_TRUSTED)
        return
    if turn.now.mono < beginning.arm_at(turn, play):
        if play.phase is Phase.STAGED:
            _hold(turn, play, None)
        return
    room = zones.room_for(turn, play)
    if not turn.state.device_up:
        _queue(turn, play, Reason.DEVICE_FAILED)
    elif standing.pauses(turn.state, turn.now, turn.job_of(play), zones.in_it(play)):
        _queue(turn, play, Reason.PAUSED)
    elif room.busy or not room.free:
        _queue(turn, play, Reason.ZONES_BUSY)
    else:
        _arm(turn, play, room)


def _arm(turn: Turn, play: Occurrence, room: zones.Room) -> None:
    now, ends_by = turn.now, _ends_by(turn, play, room)
    start_at = beginning.first_sample_at(_with_worn_open(turn, room, ends_by), play, room.free)
    play = fitting.fitted(turn, play if play.segment else replace(play, parts=play.whole), start_at)
    verdict = beginning.verdict(turn, play, start_at)
    objection = beginning.objection(turn, play, start_at, verdict)
    if objection is not None:
        sounding.give_up(turn, play, *objection)
        return
    play = _barred(play, verdict)
    for zone in (zone for zone in room.free if zone in zones.in_it(play)):
        switching.open_worn(turn, zone, ends_by)
    attempt = play.attempt + 1
    play = play.moved(Cause.DUE, now)
    for zone in (zone for zone in room.taken if zone in zones.in_it(play)):
        play = play.with_zone(zone, ZonePart.TAKEN, Reason.PREEMPTED)
    play = fitting.spoken_in(turn, play, play.zones_in(ZonePart.WAITING))
    play_id = _play_id(play, attempt)
    # What has sounded has its mark already; an intent would undo that.
    marked = play.was_heard or not turn.state.jobs[play.job_id].saved
    play = replace(play, attempt=attempt, play_id=play_id, start_at=start_at, intent_saved=marked)
    turn.put_play(play)
    for zone in play.zones_in(ZonePart.WAITING):
        switching.keep_closed(turn, play, zone)
    if not marked:
        programme_reports.keep_mark(turn, play, Mark.INTENT)
    elif play.sounded:  # of the tries there are so many, whichever of them the power cuts
        programme_reports.keep_mark(turn, play, Mark.FIRST_SAMPLE)
    turn.note(Level.INFO, "armed", job=play.job_id, zones=",".join(room.free), starts_in_ms=start_at - now.mono)


def _with_worn_open(turn: Turn, room: zones.Room, ends_by: MonoMs) -> Turn:
    """As if the relays that would not last had been opened: when it could begin then is asked before they are."""
    supposed = Turn(turn.state, turn.now)
    for zone in room.free:
        switching.open_worn(supposed, zone, ends_by)
    return supposed


def _play_id(play: Occurrence, attempt: int) -> PlayId:
    segment = f"-{play.segment}" if play.segment else ""
    return PlayId(f"{play.job_id}.{play.planned}.{attempt}{segment}")


def _ends_by(turn: Turn, play: Occurrence, room: zones.Room) -> MonoMs:
    """When a programme is over at the latest, if a relay confirms late."""
    slack_ms = beginning.longest_lead_ms(turn, play) + switching.RELAY_CONFIRM_MS
    return MonoMs(beginning.first_sample_at(turn, play, room.free) + slack_ms + fitting.longest_ms(turn, play))


def _close_and_start(turn: Turn, play: Occurrence) -> None:
    if not play.intent_saved and turn.now.mono < play.since + INTENT_WAIT_MS:
        return
    for zone in play.zones_in(ZonePart.WAITING):
        if turn.now.mono >= switching.order_at(turn, zone, turn.job_of(play), play.start_at):
            switching.close_relay(turn, play, zone)
            play = play.with_zone(zone, ZonePart.CLOSING)
            turn.put_play(play)
    open_ones = play.zones_in(ZonePart.WAITING, ZonePart.CLOSING)
    if play.zones_in(ZonePart.READY) and not open_ones:
        _start(turn, play)
    elif not open_ones:
        _nobody_left(turn, play)
    elif turn.now.mono >= play.start_at + switching.RELAY_CONFIRM_MS:
        for zone in open_ones:
            play = play.with_zone(zone, ZonePart.OUT, Reason.RELAY_FAILED)
        turn.put_play(play)


def _nobody_left(turn: Turn, play: Occurrence) -> None:
    """Armed, but every zone is taken by an emergency (wait) or broken (try again, or fail)."""
    if not play.zones_in(ZonePart.TAKEN):
        sounding.lose(turn, play, Cause.RELAYS_FAILED, Reason.RELAY_FAILED)
        return
    sounding.hold_back(turn, play, Reason.ZONES_BUSY)


def _start(turn: Turn, play: Occurrence) -> None:
    """Every relay has answered: ask the rules a last time, and begin in the zones that are ready."""
    ready = play.zones_in(ZonePart.READY)
    start_at = MonoMs(max(play.start_at, beginning.first_sample_at(turn, play, ready)))
    play = fitting.fitted(turn, play, start_at)
    verdict = beginning.verdict(turn, play, start_at)
    objection = beginning.objection(turn, play, start_at, verdict)
    if objection is not None:
        sounding.give_up(turn, play, *objection)
        return
    play = _barred(play, verdict)
    ready = play.zones_in(ZonePart.READY)
    if not ready:
        _nobody_left(turn, play)
        return
    play = fitting.spoken_in(turn, play, ready)
    held_by = beginning.held_by(turn, play, start_at)
    if held_by is not None:
        sounding.hold_back(turn, play, held_by)
        return
    _begin(turn, play, start_at, verdict)


def _begin(turn: Turn, play: Occurrence, start_at: MonoMs, verdict: policy.Verdict) -> None:
    """Nothing stands against it: it takes its zones, keeps what its record will ask for, and the device is told."""
    job, ready = turn.job_of(play), play.zones_in(ZonePart.READY)
    urgent = job.plays_as is JobClass.EMERGENCY
    if urgent:
        zones.take(turn, play)
    late = start_at > play.start_at
    play = replace(play, whole=turns.together(play.parts) if play.segment == 0 else play.whole)
    play = replace(play, lacked=lacks(job, play.whole), cut_short=falls_short(job, play.whole))
    play = replace(play, undated=turn.state.jobs[play.job_id].unproven is not None)
    cut_at = None if verdict.ends_at is None else turn.now.mono_of(verdict.ends_at)
    play = replace(play.moved(Cause.RELAYS_READY, turn.now), start_at=start_at, under=verdict.under, cut_at=cut_at)
    sounds = beginning.wish(turn, play, start_at).until(verdict.ends_at)
    play = zones.with_volumes(turn, play, standing.rules_of(turn.state, turn.now), sounds)
    for zone in ready:
        play = play.with_zone(zone, ZonePart.HEARING)
    turn.put_play(play)
    if late:
        for zone in ready:  # each closing carries its own end, which was counted from an earlier start
            switching.close_relay(turn, play, zone)
    rise_ms = 0 if signal_of(job) else turn.state.site.frame.rise_ms
    later = tuple(zone for zone in zones.in_it(play) if zone not in ready)
    turn.emit(StartPlay(play.play_id, play.parts, zones.feeds_of(play), start_at, rise_ms, later, urgent))


def _barred(play: Occurrence, verdict: policy.Verdict) -> Occurrence:
    """The occurrence without the zones that must not hear it."""
    for zone, reason in verdict.out.items():
        play = play.with_zone(zone, ZonePart.OUT, reason)
    return play


def _give_up_if_late(
    turn: Turn, play: Occurrence, late_cause: Cause = Cause.TOO_LATE, late_reason: Reason | None = None
) -> bool:
    """End an occurrence whose time or validity has passed; says whether it did."""
    job, now = turn.job_of(play), turn.now
    deadline = beginning.deadline(turn, play)
    if deadline is None or now.mono <= deadline:
        return False
    if beginning.immediate(job) and late_cause is Cause.TOO_LATE:
        sounding.give_up(turn, play, Cause.VALIDITY_OVER, play.held_by or Reason.EXPIRED)
    else:
        sounding.give_up(turn, play, late_cause, late_reason or play.held_by or planning.missed(turn, play))
    return True


def _hold(turn: Turn, play: Occurrence, reason: Reason | None) -> None:
    """Remember why an occurrence waits; None when it only waits for its instant."""
    if play.held_by is not reason:
        turn.put_play(replace(play, held_by=reason))


def _queue(turn: Turn, play: Occurrence, reason: Reason) -> None:
    """Due, but it cannot start: wait until its deadline. What an emergency has set aside still waits because of it."""
    if play.segment > 0 and reason is Reason.ZONES_BUSY and play.held_by is Reason.PREEMPTED:
        return
    if play.phase is Phase.STAGED:
        play = play.moved(Cause.HELD_BACK, turn.now)
    _hold(turn, play, reason)


def _wakes(turn: Turn, play: Occurrence) -> list[MonoMs]:
    if play.phase is Phase.PLAYING:
        return sounding.wakes(turn, play)
    if play.phase is Phase.ARMED:
        return _armed_wakes(turn, play)
    if turn.state.stopping and play.phase in _WAITING:
        return []
    deadline = beginning.deadline(turn, play)
    wakes = [] if deadline is None else [MonoMs(deadline + 1)]
    if play.again_at > turn.now.mono:
        wakes.append(play.again_at)
    if play.phase in _WAITING and turn.now.trusted and not planning.waits_for_a_signature(turn, play):
        arm_at = beginning.arm_at(turn, play)
        # What is due and queued waits for others. But a clock that was put back has its instant come again.
        wakes += [arm_at] if play.phase is Phase.STAGED or arm_at > turn.now.mono else []
    return wakes


def _armed_wakes(turn: Turn, play: Occurrence) -> list[MonoMs]:
    patient_until = MonoMs(play.since + INTENT_WAIT_MS)
    if not play.intent_saved and turn.now.mono < patient_until:
        return [patient_until]
    job = turn.job_of(play)
    closing = [switching.order_at(turn, zone, job, play.start_at) for zone in play.zones_in(ZonePart.WAITING)]
    return [*closing, MonoMs(play.start_at + switching.RELAY_CONFIRM_MS)]
