"""The station's one decision: ``step(state, event, now, verify) -> (state, effects)``. Pure; the shell acts on it.

Each step has three parts: take in the event, move everything that can move by now, then settle what follows (relays
that nothing claims open, the centre is told what changed).
"""

from __future__ import annotations

from dataclasses import replace

from edge_agent.core import (
    anew,
    clips,
    commands,
    device_reports,
    enforcing,
    entrusted,
    intake,
    live,
    manifests,
    playing,
    programme_reports,
    restart,
    selftest,
    sounding,
    standing,
    switching,
    talk,
    unproven,
    waiting,
)
from edge_agent.core.clock_trust import Now
from edge_agent.core.effects import Effect, Level, SendHeartbeat
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
    StopAsked,
    SweepDue,
    Tick,
    TimetableReleased,
    TrustChanged,
    ZoneHeard,
    ZonesLost,
)
from edge_agent.core.intake import Verify
from edge_agent.core.site import Site
from edge_agent.core.state import Relay, State, Timeless, Turn
from edge_agent.core.units import MonoMs


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
    kept_warm = switching.still_warm(turn, standing.kept_warm(turn.state, now))
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
            JobSaved()
            | TimetableReleased()
            | IntentSaved()
            | RecordSaved()
            | RecordsRotten()
            | LogCompared()
            | JournalFailed()
            | Restored()
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
    event: JobSaved
    | TimetableReleased
    | IntentSaved
    | RecordSaved
    | RecordsRotten
    | LogCompared
    | JournalFailed
    | Restored,
) -> None:
    match event:
        case JobSaved():
            intake.job_saved(turn, event.job_id)
        case TimetableReleased():
            commands.released(turn, event.order_id)
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
            restart.restore(turn, event)


def _from_network(turn: Turn, event: Connected | Disconnected | HelloDue | HeartbeatDue) -> None:
    match event:
        case Connected():
            talk.connected(turn, event)
            clips.connected(turn)
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
            programme_reports.started(turn, event)
        case PlayProgress():
            programme_reports.progressed(turn, event)
        case ZonesLost():
            programme_reports.zones_lost(turn, event)
        case ZoneHeard():
            programme_reports.zone_heard(turn, event)
        case PlayEnded():
            programme_reports.ended(turn, event)
        case RelayChanged():
            device_reports.relay_changed(turn, event)
        case RelayFailed():
            device_reports.relay_failed(turn, event)
        case DeviceUp():
            device_reports.device_up(turn)
        case _:
            device_reports.device_down(turn, event.detail)
