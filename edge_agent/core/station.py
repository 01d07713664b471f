"""The station's one decision: ``step(state, event, now, verify) -> (state, effects)``. Pure; the shell acts on it.

Each step has three parts: take in the event, move everything that can move by now, then settle what follows (relays
that nothing claims open, the centre is told what changed).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from edge_agent.core import (
    anew,
    clips,
    commands,
    enforcing,
    entrusted,
    intake,
    live,
    manifests,
    playing,
    selftest,
    sounding,
    standing,
    switching,
    talk,
    unproven,
    waiting,
    zones,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect, Level, SendHeartbeat, SwitchRelay
from edge_agent.core.events import (
    AnewWanted,
    ClipFailed,
    ClipFetched,
    ClipStaged,
    Connected,
    DeviceDown,
    DeviceUp,
    Disconnected,
    Event,
    HeadsFetched,
    HeartbeatDue,
    HelloDue,
    HomeAnswered,
    IntentSaved,
    JobSaved,
    JournalFailed,
    LogCompared,
    ManifestRead,
    Mark,
    MessageArrived,
    PaperMissed,
    PaperRead,
    PlayEnded,
    PlayProgress,
    PlayStarted,
    PowerReported,
    RecordSaved,
    RecordsRotten,
    RelayChanged,
    RelayFailed,
    Restored,
    RootFetched,
    SavedJob,
    SavedMark,
    StopAsked,
    SweepDue,
    Tick,
    TrustChanged,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.intake import Verify
from edge_agent.core.job import JobClass
from edge_agent.core.occurrence import Cause, Phase
from edge_agent.core.plays import CLAIMS, ZonePart
from edge_agent.core.reasons import Reason
from edge_agent.core.site import Site
from edge_agent.core.state import KnownJob, KnownRule, Link, Relay, State, Timeless, Turn, Unproven
from edge_agent.core.units import JobId, MonoMs, ZoneId

ORDERED = "order"
"""The cause of a relay report that answers our own order; every other cause is the device's own doing."""


def start(site: Site) -> State:
    """A station that has just been switched on and knows nothing yet; the first event must be ``Restored``."""
    return State(site=site, relays={zone: Relay() for zone in site.zones})


def step(state: State, event: Event, now: Now, verify: Verify) -> tuple[State, tuple[Effect, ...]]:
    """What the station knows after ``event`` at ``now``, and what is to be done."""
    turn = Turn(state, now)
    _look_at_the_clock(turn)
    _take_in(turn, event, verify)
    waiting.release_held(turn)
    unproven.sound(turn)
    waiting.expire_offers(turn)
    waiting.wait_no_longer(turn)
    enforcing.end_what_is_over(turn)
    enforcing.enforce(turn)
    playing.advance(turn)
    if not state.jobs.keys() <= turn.state.jobs.keys():
        clips.forget_unneeded(turn)
    live.reconcile(turn)
    selftest.advance(turn)
    kept_warm = standing.kept_warm(turn.state, now)
    switching.open_unclaimed(turn, kept_warm | selftest.tested(turn.state) | standing.held_closed(turn.state, now))
    switching.close_what_rested(turn, kept_warm)
    manifests.advance(turn)
    talk.keep_talking(turn)
    return turn.state, tuple(turn.effects)


def next_wake(state: State, now: Now) -> MonoMs | None:
    """The boot time at which ``step`` must be called again even if nothing happens; None if never."""
    wakes = [*waiting.next_wake(state, now), *standing.next_wake(state, now), *selftest.next_wake(state, now)]
    wakes += [*playing.next_wake(state, now), *unproven.next_wake(state, now), *manifests.next_wake(state)]
    wakes += [*live.next_wake(state, now), *switching.next_wake(state, now)]
    return min([*wakes, *clips.next_wake(state, now), *talk.next_wake(state.link)], default=None)


def _look_at_the_clock(turn: Turn) -> None:
    """Remember since when, or until when, nobody knew the time: what fell due meanwhile is to say so.

    What a restart has brought back learns how long ago it began.
    """
    timeless, now = turn.state.timeless, turn.now
    goes_on = timeless is not None and timeless.until is None
    if not now.trusted and not goes_on:
        turn.state = replace(turn.state, timeless=Timeless(now.mono))
    elif timeless is not None and goes_on and now.trusted:
        turn.state = replace(turn.state, timeless=replace(timeless, until=now.mono))
    for rule in [rule for rule in turn.state.rules.values() if rule.undated]:
        turn.put_rule(standing.dated(rule, now))


def _take_in(turn: Turn, event: Event, verify: Verify) -> None:
    match event:
        case MessageArrived():
            intake.arrive(turn, event, verify)
        case Tick():
            pass
        case (
            JobSaved() | IntentSaved() | RecordSaved() | RecordsRotten() | LogCompared() | JournalFailed() | Restored()
        ):
            _from_journal(turn, event)
        case ClipFetched():
            clips.fetched(turn, event)
        case ClipStaged():
            clips.staged(turn, event)
        case ClipFailed():
            clips.failed(turn, event)
        case Connected() | Disconnected() | HelloDue() | HeartbeatDue():
            _from_network(turn, event)
        case PowerReported() | StopAsked() | AnewWanted() | SweepDue() | TrustChanged():
            _from_the_house(turn, event)
        case HeadsFetched() | ManifestRead() | PaperRead() | PaperMissed() | RootFetched() | HomeAnswered():
            _from_home(turn, event, verify)
        case _:
            _from_device(turn, event)


def _from_the_house(turn: Turn, event: PowerReported | StopAsked | AnewWanted | SweepDue | TrustChanged) -> None:
    match event:
        case PowerReported():
            turn.state = replace(turn.state, reserve=event.reserve)
        case StopAsked():
            sounding.stop_all(turn)
        case AnewWanted():
            anew.wanted(turn)
        case SweepDue():
            clips.sweep(turn)
            intake.forget_long_over(turn)
        case _:
            entrusted.changed(turn, event)
            manifests.disowned(turn, event.disowned)


def _from_home(
    turn: Turn,
    event: HeadsFetched | ManifestRead | PaperRead | PaperMissed | RootFetched | HomeAnswered,
    verify: Verify,
) -> None:
    match event:
        case HomeAnswered():
            talk.home_answered(turn)
            if event.welcome is not None:
                intake.arrive(turn, event.welcome, verify)
        case HeadsFetched():
            manifests.heads_fetched(turn, event, verify)
        case ManifestRead():
            manifests.manifest_read(turn, event)
        case PaperMissed():
            manifests.paper_missed(turn, event)
        case RootFetched():
            manifests.root_fetched(turn, event)
            if event.root is not None:
                intake.arrive(turn, event.root, verify)
        case _:
            message = manifests.paper_read(turn, event)
            if message is not None:
                intake.arrive(turn, message, verify)


def _from_journal(
    turn: Turn,
    event: JobSaved | IntentSaved | RecordSaved | RecordsRotten | LogCompared | JournalFailed | Restored,
) -> None:
    match event:
        case JobSaved():
            intake.job_saved(turn, event.job_id)
        case IntentSaved():
            playing.intent_saved(turn, (event.job_id, event.planned), event.durable)
        case RecordSaved():
            talk.record_saved(turn, event.seq)
        case RecordsRotten():
            talk.records_rotten(turn, event)
        case LogCompared():
            if talk.log_compared(turn, event):
                waiting.refuse_what_may_have_been_heard(turn)
        case JournalFailed():
            turn.note(Level.ERROR, "journal failed", doing=event.what, error=event.error)
            if event.job_id is not None:
                intake.job_not_saved(turn, event.job_id, event.error)
        case _:
            _restore(turn, event)


def _from_network(turn: Turn, event: Connected | Disconnected | HelloDue | HeartbeatDue) -> None:
    match event:
        case Connected():
            talk.connected(turn, event)
        case Disconnected():
            talk.disconnected(turn, event.detail)
        case HelloDue():
            talk.hello(turn)
        case _:
            if turn.state.link.connected:
                turn.emit(SendHeartbeat())


def _from_device(
    turn: Turn,
    event: DeviceUp
    | DeviceDown
    | RelayChanged
    | RelayFailed
    | PlayStarted
    | PlayProgress
    | ZonesLost
    | ZoneHeard
    | PlayEnded,
) -> None:
    match event:
        case PlayStarted():
            sounding.started(turn, event)
        case PlayProgress():
            sounding.progressed(turn, event)
        case ZonesLost():
            sounding.zones_lost(turn, event)
        case ZoneHeard():
            sounding.zone_heard(turn, event)
        case PlayEnded():
            sounding.ended(turn, event)
        case RelayChanged():
            _relay_changed(turn, event)
        case RelayFailed():
            _relay_failed(turn, event)
        case DeviceUp():
            if turn.state.device_up:
                _device_down(turn, "came back before it was missed")
            turn.state = replace(turn.state, device_up=True, relays=_all_off(turn))
        case _:
            _device_down(turn, event.detail)


def _restore(turn: Turn, event: Restored) -> None:
    jobs = {saved.accepted.job.job_id: _known(turn, saved, event) for saved in event.jobs}
    link = Link(log_epoch=event.epoch, chain_from=event.chain_from, last_seq=event.last_seq, acked_seq=event.acked_seq)
    link = replace(link, seed=event.seed)
    turn.state = replace(turn.state, jobs=jobs, seen=dict(event.seen), refused=event.refused, link=link)
    turn.state = replace(turn.state, past=event.past, trust=event.trust, floor=event.floor, unsigned=True)
    turn.state = replace(turn.state, forgotten=event.forgotten, forgot_by=event.forgot_by, spent=event.spent)
    for rule in event.rules:
        # What lasts counts anew: while nobody knows the time, it is better that a lock holds too long.
        known_rule = KnownRule(rule.accepted, rule.base, turn.now.mono, rule.held, saved=True, undated=not rule.held)
        known_rule = standing.dated(known_rule, turn.now)
        turn.put_rule(known_rule)
        if not rule.held:
            commands.restored(turn, known_rule)
    for known in [known for known in turn.state.jobs.values() if known.offered and _has_begun(event, known.job.job_id)]:
        turn.put_job(replace(known, offered=False))  # chosen it was: the disk has lost by whom
    over = {job_id: why for job_id, known in turn.state.jobs.items() if (why := waiting.over_by(turn.state, known))}
    for job_id in over:
        turn.put_job(replace(turn.state.jobs[job_id], called_off=True))
    for mark in _last_of_each(event.marks):
        playing.resume(turn, mark)
    for known in [known for known in turn.state.jobs.values() if known.called_off]:
        sounding.call_off(turn, known, Cause.CALLED_OFF, over[known.job.job_id])
    manifests.restored(turn, event.manifests)
    talk.alone(turn)
    turn.note(Level.INFO, "restored", jobs=len(jobs), begun=len(event.marks), last_seq=event.last_seq)


def _known(turn: Turn, saved: SavedJob, event: Restored) -> KnownJob:
    """A job as the journal has it. One that had begun waits for nothing, even if the disk did not take its release.

    But a warning that had begun without a time is still without one: it sounds once, and waits again.
    """
    job_id = saved.accepted.job.job_id
    begun = _has_begun(event, job_id)
    offered = saved.accepted.offered
    known = KnownJob(saved.accepted, saved.base, saved.held and not begun, saved=True, offered=offered)
    if not saved.held or known.job.plays_as is not JobClass.EMERGENCY or turn.now.dates:
        return known
    known = replace(known, held=True, asked_at=turn.now.mono)
    if begun:
        return unproven.as_unproven(turn.state, known)
    sounded = any(sound.job_id == job_id for sound in event.past)
    return replace(known, unproven=Unproven.HAS_SOUNDED) if sounded else known


def _last_of_each(marks: Iterable[SavedMark]) -> list[SavedMark]:
    """One of each job, which has one occurrence open at most: of one that was planned anew the earlier intent is there.

    Begun again beside the other it would sound as well, and be left without its job when that is over.
    """
    last: dict[JobId, SavedMark] = {}
    for mark in sorted(marks, key=lambda mark: (mark.mark is Mark.FIRST_SAMPLE, mark.planned)):
        last[mark.job_id] = mark
    return [mark for mark in marks if last[mark.job_id] is mark]


def _has_begun(event: Restored, job_id: JobId) -> bool:
    return any(mark.job_id == job_id for mark in event.marks)


def _relay_changed(turn: Turn, event: RelayChanged) -> None:
    relay = turn.state.relays.get(event.zone, Relay())
    wanted = relay.ordered_on
    if event.on and wanted and event.at < relay.ordered_at:
        return  # An earlier closing, told late: it was ordered open since, and the amplifier is cold again.
    switching.relay_reported(turn, event.zone, event.on, event.at)
    turn.note(Level.INFO, "relay", zone=event.zone, on=event.on, cause=event.cause)
    if event.on:
        if wanted:
            zones.confirmed(turn, event.zone, event.at)
        else:
            # Its opening may be on its way. If it is not (the closing crossed a failure), nothing else would open it.
            turn.emit(SwitchRelay(event.zone, False, 0))
            turn.put_relay(event.zone, replace(turn.state.relays[event.zone], opened_at=turn.now.mono))
    elif wanted and event.cause == ORDERED:
        # An opening that we ordered before this closing, which is still on its way.
        zones.unconfirmed(turn, event.zone)
    elif wanted:
        turn.note(Level.ERROR, "relay opened by itself", zone=event.zone, cause=event.cause)
        _zone_lost(turn, event.zone)


def _relay_failed(turn: Turn, event: RelayFailed) -> None:
    """Its contact may be closed all the same, so it is told to open."""
    zone = event.zone
    turn.note(Level.ERROR, "relay failed", zone=zone, detail=event.detail)
    relay = turn.state.relays.get(zone, Relay())
    if relay.ordered_on:
        turn.emit(SwitchRelay(zone, False, 0))
    turn.put_relay(zone, replace(relay, on=event.on))
    _zone_lost(turn, zone)


def _zone_lost(turn: Turn, zone: ZoneId) -> None:
    """A relay is open that should be closed: the zone is out of whatever claims it; other zones go on (S5)."""
    relay = turn.state.relays.get(zone, Relay())
    opened_at = turn.now.mono if relay.ordered_on else relay.opened_at  # it may have been closed, whatever was said
    turn.put_relay(zone, replace(relay, ordered_on=False, warm_until=MonoMs(0), opened_at=opened_at))
    for play in list(turn.state.plays.values()):
        if zone not in play.zones_in(*CLAIMS):
            continue
        play = play.with_zone(zone, ZonePart.OUT, Reason.RELAY_FAILED)
        turn.put_play(play)
        if play.phase is Phase.PLAYING:
            zones.reroute(turn, play, Cause.DEVICE_LOST, Reason.RELAY_FAILED)


def _device_down(turn: Turn, detail: str) -> None:
    turn.state = replace(turn.state, device_up=False, relays=_all_off(turn))
    turn.note(Level.ERROR, "device process lost, its relays are open", detail=detail)
    for play in list(turn.state.plays.values()):
        if play.ending is not None:
            sounding.conclude(turn, play, play.ending)
        elif play.phase in (Phase.ARMED, Phase.PLAYING):
            sounding.lose(turn, play, Cause.DEVICE_LOST, Reason.DEVICE_FAILED)


def _all_off(turn: Turn) -> dict[ZoneId, Relay]:
    """Every relay open, those that may not have been since now."""
    before = {zone: turn.state.relays[zone] for zone in turn.state.site.zones}
    known = turn.state.device_up  # of whoever was never heard nothing has been closed
    return {
        zone: Relay(on=False, opened_at=turn.now.mono if known and relay.on is not False else relay.opened_at)
        for zone, relay in before.items()
    }
